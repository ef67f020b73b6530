"""The two files that scripts go to, and the frozen one that is made of them."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.script import Script
from flows.scripts.report import ScriptUsage
from flows.scripts.spool import ACCEPTED_FILE, QUARANTINE_FILE, ScriptSpool
from generators.scripts.packs import packs_dir
from generators.scripts.script_file import read_script_file

PACK: tuple[Script, ...] = read_script_file(packs_dir() / "quickstart" / "zh.jsonl")[:24]
NOTHING = ScriptUsage(script_id="x", attempts=1, models={}, cost=0.0)


@pytest.fixture
def spool(tmp_path: Path) -> ScriptSpool:
    return ScriptSpool(tmp_path / "scripts")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(PACK), looked_up=st.lists(st.integers(0, len(PACK) - 1)))
def test_the_frozen_file_does_not_depend_on_the_order(
    tmp_path: Path, order: list[Script], looked_up: list[int]
) -> None:
    spool = ScriptSpool(tmp_path / "scripts")
    for number, script in enumerate(order):
        spool.accept(script, NOTHING)
        for place in looked_up:  # reading back in between must not disturb what is written next
            if place <= number:
                assert spool.script(order[place].script_id) == order[place]
    assert spool.freeze(tmp_path / "frozen.jsonl") == len(PACK)
    spool.close()
    by_name = sorted(PACK, key=lambda script: script.script_id)
    expected = "".join(script.to_json_line() + "\n" for script in by_name)
    assert (tmp_path / "frozen.jsonl").read_bytes() == expected.encode()
    assert read_script_file(tmp_path / "frozen.jsonl") == tuple(by_name)
    accepted = (tmp_path / "scripts" / ACCEPTED_FILE).read_bytes()
    assert sorted(accepted.splitlines()) == sorted(expected.encode().splitlines())


def test_quarantine_is_its_own_file(spool: ScriptSpool, tmp_path: Path) -> None:
    spool.accept(PACK[0], NOTHING)
    spool.reject(PACK[1])
    spool.flush()
    lines = (tmp_path / "scripts" / QUARANTINE_FILE).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["script_id"] for line in lines] == [PACK[1].script_id]
    assert "\\u" not in lines[0]
    assert spool.accepted_ids == (PACK[0].script_id,)
    spool.close()


def test_every_run_begins_anew(spool: ScriptSpool) -> None:
    spool.accept(PACK[0], NOTHING)
    spool.reject(PACK[1])
    spool.close()
    again = ScriptSpool(spool.folder)
    assert again.accepted_ids == ()
    assert again.freeze(spool.folder / "frozen.jsonl") == 0
    again.close()
    assert (spool.folder / ACCEPTED_FILE).read_bytes() == b""
    assert (spool.folder / QUARANTINE_FILE).read_bytes() == b""


def test_a_frozen_file_is_replaced_whole_or_not_at_all(
    spool: ScriptSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "deep" / "冻结.jsonl"
    spool.accept(PACK[0], NOTHING)
    spool.freeze(target)
    before = target.read_bytes()
    spool.accept(PACK[1], NOTHING)
    monkeypatch.setattr(ScriptSpool, "_line", _full_disk)
    with pytest.raises(OSError, match="No space"):
        spool.freeze(target)
    assert target.read_bytes() == before and [path.name for path in target.parent.iterdir()] == ["冻结.jsonl"]
    monkeypatch.undo()
    assert spool.freeze(target) == 2
    assert [path.name for path in target.parent.iterdir()] == ["冻结.jsonl"]
    spool.close()


def _full_disk(spool: ScriptSpool, script_id: str) -> bytes:
    raise OSError(28, "No space left on device")
