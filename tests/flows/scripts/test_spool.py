"""The files that scripts go to, whole whenever somebody looks, and the frozen one that is made of them."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.script import Script
from flows.scripts.report import ScriptUsage
from flows.scripts.spool import ACCEPTED_FILE, FILES, QUARANTINE_FILE, USAGE_FILE, ScriptSpool
from generators.scripts.packs import packs_dir
from generators.scripts.script_file import read_script_file

PACK: tuple[Script, ...] = read_script_file(packs_dir() / "quickstart" / "zh.jsonl")[:24]
NOTHING = ScriptUsage(script_id="x", attempts=1, models={}, cost=0.0)


@pytest.fixture
def spool(tmp_path: Path) -> ScriptSpool:
    return ScriptSpool(tmp_path / "scripts")


def ids_in(path: Path) -> list[str]:
    """Ids of a file's lines, each of which must be whole."""
    text = path.read_bytes()
    assert not text or text.endswith(b"\n")
    return [json.loads(line)["script_id"] for line in text.splitlines()]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(PACK), first=st.integers(0, len(PACK)))
def test_the_frozen_file_does_not_depend_on_the_order(tmp_path: Path, order: list[Script], first: int) -> None:
    spool = ScriptSpool(tmp_path / "scripts")
    for part in (order[:first], order[first:]):  # written in two goes, frozen after each
        with spool.writing():
            for script in part:
                spool.accept(script, NOTHING)
        frozen = spool.freeze(tmp_path / "frozen.jsonl")
    assert len(frozen) == len(PACK)
    by_name = sorted(PACK, key=lambda script: script.script_id)
    expected = "".join(script.to_json_line() + "\n" for script in by_name)
    assert (tmp_path / "frozen.jsonl").read_bytes() == expected.encode()
    assert tuple(frozen.values()) == read_script_file(tmp_path / "frozen.jsonl") == tuple(by_name)
    assert ids_in(tmp_path / "scripts" / ACCEPTED_FILE) == [script.script_id for script in order]


def test_quarantine_is_its_own_file(spool: ScriptSpool) -> None:
    with spool.writing():
        spool.accept(PACK[0], NOTHING)
        spool.reject(PACK[1])
    assert ids_in(spool.folder / QUARANTINE_FILE) == [PACK[1].script_id]
    assert "\\u" not in (spool.folder / QUARANTINE_FILE).read_text(encoding="utf-8")
    assert spool.accepted_ids == (PACK[0].script_id,)


def test_every_run_begins_anew_when_it_writes(spool: ScriptSpool) -> None:
    with spool.writing():
        spool.accept(PACK[0], NOTHING)
        spool.reject(PACK[1])
    before = {name: (spool.folder / name).read_bytes() for name in FILES}
    again = ScriptSpool(spool.folder)
    assert {name: (spool.folder / name).read_bytes() for name in FILES} == before, "nothing is written yet"
    with again.writing():
        pass
    assert len(again.freeze(spool.folder / "frozen.jsonl")) == 0
    assert {name: (spool.folder / name).read_bytes() for name in FILES} == dict.fromkeys(FILES, b"")


def test_whoever_looks_sees_the_files_as_they_were_or_as_they_are(spool: ScriptSpool) -> None:
    """What stands there while a run writes is what a kill at that moment leaves."""
    with spool.writing():
        spool.accept(PACK[0], NOTHING)
        spool.reject(PACK[1])
        assert not [name for name in FILES if (spool.folder / name).exists()]
    for _ in range(2):
        before = {name: (spool.folder / name).read_bytes() for name in FILES}
        with spool.writing():
            for script in PACK[2:20]:  # more than a buffer holds
                spool.accept(script, NOTHING)
                spool.reject(script)
            assert {name: (spool.folder / name).read_bytes() for name in FILES} == before
        for name in FILES:
            after = (spool.folder / name).read_bytes()
            assert after.startswith(before[name])
            assert after.count(b"\n") == before[name].count(b"\n") + 18
        assert sorted(path.name for path in spool.folder.iterdir()) == sorted(FILES)


def test_between_two_goes_no_file_is_open(spool: ScriptSpool) -> None:
    with spool.writing():
        spool.accept(PACK[0], NOTHING)
    spool.freeze(spool.folder / "frozen.jsonl")
    opened = {os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}
    assert not [path for path in opened if path.startswith(str(spool.folder))]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_decided_before_an_error_is_kept(spool: ScriptSpool, error: type[BaseException]) -> None:
    with pytest.raises(error), spool.writing():
        spool.accept(PACK[0], NOTHING)
        raise error
    assert ids_in(spool.folder / ACCEPTED_FILE) == [PACK[0].script_id]
    assert ids_in(spool.folder / USAGE_FILE) == ["x"]


def test_a_frozen_file_is_replaced_whole_or_not_at_all(
    spool: ScriptSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "deep" / "冻结.jsonl"
    with spool.writing():
        spool.accept(PACK[0], NOTHING)
    spool.freeze(target)
    before = target.read_bytes()
    with spool.writing():
        spool.accept(PACK[1], NOTHING)
    monkeypatch.setattr("flows.scripts.spool.os.fsync", _full_disk)
    with pytest.raises(OSError, match="No space"):
        spool.freeze(target)
    assert target.read_bytes() == before and [path.name for path in target.parent.iterdir()] == ["冻结.jsonl"]
    monkeypatch.undo()
    assert len(spool.freeze(target)) == 2
    assert [path.name for path in target.parent.iterdir()] == ["冻结.jsonl"]


def _full_disk(number: int) -> None:
    raise OSError(28, "No space left on device")
