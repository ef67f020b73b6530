"""Script files, packs and the pack writer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_schemas.foundation.base import RecordError
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.tasks import Language, Task
from generators.scripts.pack import PackWriter
from generators.scripts.packs import load_packs, resolve_pack, shipped_packs
from generators.scripts.script_file import read_script_file, read_script_files, write_script_file
from generators.scripts.settings import ScriptSettings
from generators.scripts.writer import ScriptError, ScriptWriter
from tests.support.scene_factory import make_plan, make_script
from tests.support.script_factory import make_trajectory, with_turn


def both_tracks() -> tuple[Script, ...]:
    return (
        make_trajectory("zh-trajectory-3-01", Language.ZH),
        make_trajectory(),
        make_script(Task.PAUSE, Language.ZH),
    )


def test_a_written_file_reads_back_equal_with_chinese_visible(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "scripts.jsonl"
    assert write_script_file(path, both_tracks()) == 3
    assert read_script_file(path) == both_tracks()
    raw = path.read_bytes()
    assert "经理把我的报告".encode() in raw and b"\r" not in raw and not raw.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"emotoin": "sad"}, "emotoin: unknown key"),
        ({"task": "juggling"}, "task:"),
        ({"language": "fr"}, "language:"),
        ({"script_id": "a b"}, "script_id:"),
        ({"turns": []}, "has 'turns'"),
    ],
)
def test_a_broken_line_names_file_line_field_and_way_out(tmp_path: Path, change: dict[str, object], field: str) -> None:
    path = tmp_path / "scripts.jsonl"
    broken = {**json.loads(make_trajectory("second").to_json_line()), **change}
    path.write_text(f"{make_trajectory().to_json_line()}\n{json.dumps(broken)}\n", encoding="utf-8")
    with pytest.raises(RecordError) as caught:
        read_script_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:2: ") and field in message and "correct that line" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "holds no scripts"),
        (b"\n", ":1: blank line"),
        (b"{not json\n", "Invalid JSON"),
        ("坏".encode("gbk"), "cannot be read as a UTF-8"),
    ],
)
def test_files_that_are_no_script_files_are_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "scripts.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=expected):
        read_script_file(path)


def test_a_byte_order_mark_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "scripts.jsonl"
    path.write_text("\ufeff" + make_trajectory().to_json_line() + "\n", encoding="utf-8")
    with pytest.raises(RecordError, match="byte-order mark"):
        read_script_file(path)
    with pytest.raises(RecordError, match="no such script file"):
        read_script_file(tmp_path / "absent.jsonl")


def test_an_id_used_twice_names_both_places(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_script_file(first, both_tracks())
    write_script_file(second, [make_trajectory("other"), make_trajectory()])
    with pytest.raises(RecordError) as caught:
        read_script_files((first, second))
    assert str(caught.value).startswith(f"{second}:2: ") and f"{first}:2" in str(caught.value)


def test_the_quickstart_is_shipped_and_holds_both_languages() -> None:
    assert "quickstart" in shipped_packs()
    assert [path.name for path in resolve_pack("quickstart", Path("/nowhere"))] == ["en.jsonl", "zh.jsonl"]


def test_a_pack_can_be_a_file_or_a_directory_relative_to_the_configuration(tmp_path: Path) -> None:
    write_script_file(tmp_path / "mine" / "b.jsonl", [make_trajectory("b")])
    write_script_file(tmp_path / "mine" / "a.jsonl", [make_trajectory("a")])
    assert resolve_pack("mine/b.jsonl", tmp_path) == (tmp_path / "mine" / "b.jsonl",)
    assert [path.name for path in resolve_pack("mine", tmp_path)] == ["a.jsonl", "b.jsonl"]
    assert resolve_pack(str(tmp_path / "mine"), Path("/nowhere")) == resolve_pack("mine", tmp_path)
    loaded = load_packs(ScriptSettings(pack=("mine/b.jsonl", "mine/a.jsonl")), tmp_path)
    assert [script.script_id for script in loaded] == ["b", "a"]


def test_an_unknown_pack_lists_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("quikstart", "empty"):
        with pytest.raises(RecordError) as caught:
            resolve_pack(name, tmp_path)
        assert repr(name) in str(caught.value) and "quickstart" in str(caught.value)


def test_the_pack_writer_replays_the_planned_script() -> None:
    writer: ScriptWriter = PackWriter(both_tracks())
    for script in both_tracks():
        assert writer.write(make_plan(script)) == script


def unnamed(plan: DialoguePlan) -> DialoguePlan:
    return plan.model_copy(update={"outline": plan.outline.model_copy(update={"script_id": None})})


def test_the_pack_writer_refuses_what_it_cannot_replay() -> None:
    script = make_trajectory()
    plan = make_plan(script, "t1-0042")
    edited = with_turn(script, 1, intensity=1)
    for writer, asked, expected in (
        (PackWriter(()), plan, "is in none of the packs"),
        (PackWriter((script,)), unnamed(plan), "script_id is empty"),
        (PackWriter((edited,)), plan, "differs from its plan in emotions"),
    ):
        with pytest.raises(ScriptError, match=expected) as caught:
            writer.write(asked)
        assert "t1-0042" in str(caught.value)
