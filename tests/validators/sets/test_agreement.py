"""Rows, catalog, scripts and lock of one release: what only one of them changes is found in the right item."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars
import pytest

from data_schemas.finding import Finding
from data_schemas.foundation.base import write_jsonl
from data_schemas.layouts.registry import detect_layouts, layout
from flows.shards.catalog import catalog_frame
from tests.support.voiced_release import make_voiced_release
from tests.validators.told_release import make_told_release, rows_of, write_rows
from validators.sets.agreement import judge_agreement

ZH, EN = "track1/dev/zh/task2.jsonl", "track1/dev/en/task2.jsonl"
PAUSE, FOLLOW_UP = "track2/zh/dev/Pause_Handling.jsonl", "track2/en/dev/Follow-up_Questions.jsonl"
CONVERSATION = "track2/zh/dev/Conversation.jsonl"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_told_release(tmp_path_factory.mktemp("told") / "set")


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "set")
    return tmp_path / "set"


def judged(root: Path) -> list[Finding]:
    return list(judge_agreement(root, (item for one in detect_layouts(root) for item in one.read(root))))


def said(root: Path) -> list[tuple[str, str]]:
    return [(finding.code, finding.item) for finding in judged(root)]


def test_a_sound_release_agrees_with_itself(root: Path) -> None:
    assert judged(root) == []


def test_a_data_set_of_others_has_nothing_to_agree_with(root: Path) -> None:
    for name in ("catalog.parquet", "scripts.jsonl", "dataset.lock.json"):
        (root / name).unlink()
    write_rows(root / ZH, [])
    assert judged(root) == []


def flip(row: dict[str, Any]) -> None:
    row["turns"][0]["emotion"] = "disgust" if row["turns"][0]["emotion"] != "disgust" else "happy"


def swap_turns(row: dict[str, Any]) -> None:
    first, second = row["turns"][:2]
    first["text"], second["text"] = second["text"], first["text"]


def swap_files(row: dict[str, Any]) -> None:
    first, second = row["turns"][:2]
    first["split_audio_file"], second["split_audio_file"] = second["split_audio_file"], first["split_audio_file"]


def set_in(place: tuple[Any, ...], value: Any) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        node: Any = row
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = value

    return change


DEFECTS: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    (ZH, flip, "turn 1: emotion"),
    (EN, flip, "turn 1: emotion"),
    (ZH, swap_turns, "turn 1: text"),
    (EN, swap_files, "turn 1: file"),
    (ZH, set_in(("turns", 1, "text"), "昨天下雨了。"), "turn 2: text"),
    (EN, set_in(("turns", 0, "intensity"), 0), "turn 1: intensity"),
    (ZH, set_in(("turns", 0, "speaker"), "S0099"), "turn 1: speaker"),
    (EN, set_in(("turns", 0, "duration"), 9.0), "turn 1: duration"),
    (EN, set_in(("turns", 0, "duration"), 10**400), "turn 1: duration"),
    (ZH, set_in(("turns", 2, "response_text"), "您先开心，后来又生气。"), "turn 3: response_text"),
    (ZH, lambda row: row["turns"].pop(), "number of turns"),
    (PAUSE, set_in(("speech_segments", 0, "text"), "西安有什么好吃的？ [break] 那我去哪儿？"), "line 1: text"),
    (FOLLOW_UP, set_in(("speech_segments", 1, "xmin"), 1.0), "line 3: xmin"),
    (FOLLOW_UP, set_in(("speech_segments", 0, "speaker"), "S0099"), "line 1: speaker"),
    (FOLLOW_UP, set_in(("assistant_segments", 0, "cut"), False), "line 2: cut"),
    (FOLLOW_UP, set_in(("assistant_segments", 1, "planned_text"), "Another answer."), "line 4: planned_text"),
    (FOLLOW_UP, set_in(("speakers", "assistant"), "S0001"), "line 2: speaker"),
    (FOLLOW_UP, set_in(("events", 0, "start"), 0.25), "event barge_in: start"),
    (CONVERSATION, lambda row: row["events"].pop(), "events"),
    (CONVERSATION, lambda row: row["speech_segments"].reverse(), "lines of the user's channel"),
    (CONVERSATION, lambda row: row["assistant_segments"].pop(), "lines of the assistant's channel"),
]


@pytest.mark.parametrize(("manifest", "change", "place"), DEFECTS, ids=[place for _, _, place in DEFECTS])
def test_a_changed_row_is_found_alone(
    root: Path, manifest: str, change: Callable[[dict[str, Any]], None], place: str
) -> None:
    (row,) = rows_of(root / manifest)
    change(row)
    write_rows(root / manifest, [row])
    findings = [finding for finding in judged(root) if finding.code != "SET.COUNTS"]
    assert [(finding.code, finding.item) for finding in findings] == [
        ("SET.CATALOG_AGREES", row.get("dialogue_id", row.get("id")))
    ]
    assert findings[0].message.startswith(place)
    findings[0].to_json_line()


@pytest.mark.parametrize("manifest", [ZH, FOLLOW_UP])
def test_a_missing_row(root: Path, manifest: str) -> None:
    (row,) = rows_of(root / manifest)
    write_rows(root / manifest, [])
    found = judged(root)
    identity = row.get("dialogue_id", row.get("id"))
    assert ("SET.CATALOG_AGREES", identity) in [(finding.code, finding.item) for finding in found]
    (counts,) = [finding for finding in found if finding.code == "SET.COUNTS"]
    assert (counts.value, counts.threshold) == (0, 1)


def test_an_extra_row(root: Path) -> None:
    (row,) = rows_of(root / ZH)
    other = {**row, "dialogue_id": "task2_3_zh_0001_0099"}
    write_rows(root / ZH, [row, other])
    assert said(root) == [("SET.CATALOG_AGREES", "task2_3_zh_0001_0099"), ("SET.COUNTS", "trajectory/zh/3/dev")]


def test_an_item_moved_to_the_other_split(root: Path) -> None:
    (root / "track2/en/dev").rename(root / "track2/en/train")
    found = judged(root)
    assert [finding.code for finding in found] == ["SET.CATALOG_AGREES", "SET.COUNTS", "SET.COUNTS"]
    assert "split is 'train'" in found[0].message


def test_catalog_and_rows_changed_alike_still_differ_from_the_script(root: Path) -> None:
    (row,) = rows_of(root / ZH)
    old, row["turns"][0]["text"] = row["turns"][0]["text"], "今天什么都没发生。"
    write_rows(root / ZH, [row])
    frame = polars.read_parquet(root / "catalog.parquet")
    frame = frame.with_columns(polars.col("text").replace(old, row["turns"][0]["text"]))
    frame.write_parquet(root / "catalog.parquet")
    (finding,) = judged(root)
    assert (finding.code, finding.item) == ("SET.CATALOG_AGREES", row["dialogue_id"])
    assert "scripts.jsonl" in finding.message or "script " in finding.message


def test_a_missing_script(root: Path) -> None:
    scripts = rows_of(root / "scripts.jsonl")
    write_rows(root / "scripts.jsonl", scripts[1:])
    (row,) = rows_of(root / ZH)
    assert said(root) == [("SET.CATALOG_AGREES", row["dialogue_id"])]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"PAR1 no parquet"),
        lambda path: path.write_bytes(b""),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: polars.read_parquet(path).drop("emotion").write_parquet(path),
        lambda path: polars.read_parquet(path).with_columns(polars.col("start_s").cast(str)).write_parquet(path),
    ],
    ids=["garbage", "empty", "directory", "column missing", "column of another type"],
)
def test_a_catalog_that_cannot_be_read(root: Path, damage: Callable[[Path], object]) -> None:
    damage(root / "catalog.parquet")
    assert said(root) == [("SET.CATALOG_AGREES", "catalog.parquet")]


# ---- voiced replies


@pytest.fixture
def voiced_root(tmp_path: Path) -> Path:
    items = make_voiced_release(tmp_path / "回")
    catalog_frame((item, layout("track1-seed")) for item in items).write_parquet(tmp_path / "回" / "catalog.parquet")
    write_jsonl(tmp_path / "回" / "scripts.jsonl", [item.script for item in items])
    return tmp_path / "回"


def test_voiced_replies_agree(voiced_root: Path) -> None:
    assert judged(voiced_root) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda row: row["turns"][1].pop("response_audio"), "number of voiced replies is 2"),
        (set_in(("turns", 1, "response_text"), "不是这句话。"), "turn 2: response_text"),
        (set_in(("turns", 1, "response_speaker"), "S0001"), "reply 2: response_speaker"),
        (set_in(("turns", 1, "response_duration"), 9.0), "reply 2: response_duration"),
        (set_in(("turns", 1, "response_audio"), "task2_model/other.wav"), "reply 2: file"),
    ],
)
def test_a_changed_reply_is_found_alone(
    voiced_root: Path, change: Callable[[dict[str, Any]], None], place: str
) -> None:
    rows = rows_of(voiced_root / ZH)
    changed = next(row for row in rows if "response_audio" in row["turns"][0])
    change(changed)
    write_rows(voiced_root / ZH, rows)
    (finding,) = judged(voiced_root)
    assert (finding.code, finding.item) == ("SET.CATALOG_AGREES", changed["dialogue_id"])
    assert finding.message.startswith(place)


def test_a_reply_only_the_catalog_has(voiced_root: Path) -> None:
    rows = rows_of(voiced_root / EN)
    for turn in rows[0]["turns"]:
        for key in ("response_audio", "response_speaker", "response_duration"):
            del turn[key]
    write_rows(voiced_root / EN, rows)
    (finding,) = judged(voiced_root)
    assert finding.message.startswith("number of voiced replies is 0, catalog.parquet says 3")


def test_what_a_reply_says_is_compared_with_its_script(voiced_root: Path) -> None:
    frame = polars.read_parquet(voiced_root / "catalog.parquet")
    reply = (polars.col("role") == "assistant") & (polars.col("turn_id") == 2) & (polars.col("language") == "zh")
    frame = frame.with_columns(polars.when(reply).then(polars.lit("换了一句。")).otherwise("text").alias("text"))
    frame.write_parquet(voiced_root / "catalog.parquet")
    messages = [finding.message for finding in judged(voiced_root)]
    assert sum("the voiced reply '换了一句。' is not that of script" in message for message in messages) == 1
    assert sum("reply 2: text" in message for message in messages) == 1
    assert len(messages) == 2


@pytest.mark.parametrize(("label", "agrees"), [("听到这里", True), ("听到这里为止", False)])
def test_a_user_who_yielded_is_labelled_with_what_was_heard(root: Path, label: str, agrees: bool) -> None:
    """Somebody talked over stops: the label is what was said, the catalog has what was planned too."""
    rows = rows_of(root / CONVERSATION)
    segment = rows[0]["speech_segments"][0]
    segment["text"] = label
    write_rows(root / CONVERSATION, rows)
    table = polars.read_parquet(root / "catalog.parquet")
    own = (
        (polars.col("item_id") == rows[0]["id"])
        & (polars.col("task") == "conversation")
        & (polars.col("line") == segment["line"])
        & (polars.col("kind") == "utterance")
    )
    heard = polars.when(own).then(polars.lit("听到这里")).otherwise(polars.col("heard_text")).alias("heard_text")
    cut = polars.when(own).then(polars.lit(True)).otherwise(polars.col("cut")).alias("cut")
    table.with_columns(heard, cut).write_parquet(root / "catalog.parquet")
    assert (said(root) == []) == agrees
