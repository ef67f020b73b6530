"""Every set-level code finds its planted defect, alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_schemas.finding import Severity
from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import detect_layouts
from validators.core.codes import CODES
from validators.core.thresholds import FAMILIES, Thresholds
from validators.files.lock import LOCK_FILE, judge_lock
from validators.run.directory import validate_root
from validators.sets import limits as sets
from validators.sets.dataset import judge_dataset

TRAIN = "track1/train/zh/task2_3.jsonl"
EMPATHY = "track1/dev/en/task4.jsonl"
FOLLOW_UP = "track2/zh/train/Follow-up_Questions"


def whole(root: Path) -> list[Any]:
    return list(judge_dataset(root, detect_layouts(root), Thresholds()))


def copy_row(bench: Any, source: str, target: str, old: str, new: str, change: Callable[[Any], None]) -> None:
    """Another item with the same content under a new id, its audio copied along."""
    (row,) = [row for row in bench.rows(source) if row["dialogue_id"] == old]
    text = json.dumps(row, ensure_ascii=False).replace(old, new)
    text = text.replace(f"{Path(source).stem}/", f"{Path(target).stem}/")
    fresh = json.loads(text)
    change(fresh)
    for before, after in zip(row["turns"], fresh["turns"], strict=True):
        to = bench.root / Path(target).parent / after["split_audio_file"]
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bench.root / Path(source).parent / before["split_audio_file"], to)
    rows = bench.rows(target) if (bench.root / target).exists() else []
    bench.write_rows(target, [*rows, fresh])


def other_words(row: dict[str, Any]) -> None:
    for turn in row["turns"]:
        turn["text"] += "真的，我没有骗你。"
        turn["speaker"] = "S0077"


def same_words(row: dict[str, Any]) -> None:
    for turn in row["turns"]:
        turn["speaker"] = "S0077"


def same_speaker(row: dict[str, Any]) -> None:
    other_words(row)
    for turn in row["turns"]:
        turn["speaker"] = "S0001"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"\xef\xbb\xbf{}\n", "byte-order mark"),
        (b"\n", "blank line"),
        (b'{"a": 1}\r\n', "carriage return"),
        ("{'单引号': 1}\n".encode(), "not JSON"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"[]\n", "not list"),
    ],
)
def test_bad_row(bench: Any, line: bytes, problem: str) -> None:
    manifest = bench.root / "track1/train/zh/task3_3.jsonl"
    manifest.write_bytes(line)
    findings = [finding for finding in whole(bench.root) if finding.code == "SET.BAD_ROW"]
    assert len(findings) == 1
    assert findings[0].item == "track1/train/zh/task3_3.jsonl"
    assert f"task3_3.jsonl:1: {problem}" in findings[0].message or problem in findings[0].message


def test_a_bad_row_does_not_hide_the_next_one(bench: Any) -> None:
    path = bench.root / TRAIN
    path.write_text("\n{oops\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    result = validate_root(bench.root, Thresholds())
    assert result.items == 6
    assert result.counts[Severity.ERROR] == {"SET.BAD_ROW": 2}
    assert [finding.value for finding in result.findings] == [1.0, 2.0]


def test_duplicate_id(bench: Any) -> None:
    rows = bench.rows(TRAIN)
    bench.write_rows(TRAIN, rows * 2)
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.DUPLICATE_ID", "task2_3_zh_0001_0001")


def test_speaker_in_both_splits_by_group_digits(bench: Any) -> None:
    target, new = "track1/dev/zh/task2.jsonl", "task2_3_zh_0001_0009"
    copy_row(bench, TRAIN, target, "task2_3_zh_0001_0001", new, other_words)
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.SPEAKER_LEAK", new)


def test_speaker_in_both_splits_by_name(bench: Any) -> None:
    target, new = "track1/dev/zh/task2.jsonl", "task2_3_zh_0077_0009"
    copy_row(bench, TRAIN, target, "task2_3_zh_0001_0001", new, same_speaker)
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.SPEAKER_LEAK", new)
    assert "S0001" in finding.message


def test_same_words_in_both_splits(bench: Any) -> None:
    target, new = "track1/dev/zh/task2.jsonl", "task2_3_zh_0077_0009"
    copy_row(bench, TRAIN, target, "task2_3_zh_0001_0001", new, same_words)
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.TEXT_LEAK", new)


def test_same_words_twice_in_one_split(bench: Any) -> None:
    copy_row(bench, TRAIN, TRAIN, "task2_3_zh_0001_0001", "task2_3_zh_0077_0009", same_words)
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.DUPLICATE_TEXT", "task2_3_zh_0077_0009")


def test_the_same_words_under_the_same_id_in_two_folders_are_a_leak(bench: Any) -> None:
    shutil.copytree(bench.root / "track2/zh/train", bench.root / "track2/zh/dev", dirs_exist_ok=True)
    leaks = [finding for finding in whole(bench.root) if finding.code == "SET.TEXT_LEAK"]
    assert [finding.message.split(" says in ")[1] for finding in leaks] == ["dev"]
    assert {finding.file for finding in leaks} == {"track2/zh/train/Follow-up_Questions.jsonl"}


def test_of_two_with_the_same_words_the_later_id_is_named_in_any_order(bench: Any) -> None:
    copy_row(bench, TRAIN, TRAIN, "task2_3_zh_0001_0001", "task2_3_zh_0077_0009", same_words)
    bench.write_rows(TRAIN, bench.rows(TRAIN)[::-1])
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.DUPLICATE_TEXT", "task2_3_zh_0077_0009")


@pytest.mark.parametrize(
    "path",
    [
        "track1/train/zh/task2_3/task2_3_zh_0001_0002_1.wav",
        "track1/train/zh/task9_3/unheard.wav",
        "track1/train/zh/notes.txt",
        f"{FOLLOW_UP}/clean_0009_0009.wav",
    ],
)
def test_stray_file(bench: Any, path: str) -> None:
    (bench.root / path).parent.mkdir(parents=True, exist_ok=True)
    (bench.root / path).write_bytes(b"RIFF")
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.STRAY_FILE", path)


def test_output_file_of_a_system_under_test(bench: Any) -> None:
    path = f"{FOLLOW_UP}/0003_0001_output.json"
    (bench.root / path).write_text("{}", encoding="utf-8")
    (finding,) = whole(bench.root)
    assert (finding.code, finding.item) == ("SET.OUTPUT_FILE", path)


def test_files_of_the_release_itself_are_not_stray(bench: Any) -> None:
    (bench.root / "README.md").write_text("说明", encoding="utf-8")
    (bench.root / "validation").mkdir()
    (bench.root / "validation" / "findings.jsonl").write_text("\n", encoding="utf-8")
    assert whole(bench.root) == []


def test_nothing_to_judge(tmp_path: Path) -> None:
    result = validate_root(tmp_path, Thresholds())
    assert (result.items, result.counts[Severity.ERROR]) == (0, {"SET.EMPTY": 1})


def test_a_reader_that_stops_is_a_finding(bench: Any) -> None:
    class Stopping:
        name = "stopping"

        def read(self, root: Path, problems: list[RecordError] | None = None) -> Iterator[FoundItem]:
            yield bench.items()[0]
            raise RecordError(f"{root}/坏.jsonl: cannot be read")

    findings = list(judge_dataset(bench.root, [Stopping()], Thresholds()))  # type: ignore[list-item]
    (stopped,) = [finding for finding in findings if finding.code == "SET.UNREADABLE"]
    assert "坏.jsonl" in stopped.message


def locked(root: Path) -> None:
    files = [
        {
            "path": path.relative_to(root).as_posix(),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(root.rglob("*"))
        if path.is_file()
    ]
    (root / LOCK_FILE).write_text(json.dumps({"name": "试", "files": files}), encoding="utf-8")


def test_lock_that_fits(bench: Any) -> None:
    locked(bench.root)
    assert list(judge_lock(bench.root)) == []
    assert validate_root(bench.root, Thresholds()).findings == ()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / EMPATHY).write_bytes((root / EMPATHY).read_bytes() + b"\n"), "bytes instead"),
        (
            lambda root: (root / EMPATHY).write_bytes((root / EMPATHY).read_bytes().replace(b"dog", b"cat")),
            "another hash",
        ),
        (lambda root: (root / EMPATHY).unlink(), "cannot be read"),
        (lambda root: (root / "track1/dev/en/new.txt").write_bytes(b"x"), "is not in"),
        (lambda root: (root / LOCK_FILE).write_bytes(b"{"), "not UTF-8 JSON"),
        (lambda root: (root / LOCK_FILE).write_bytes(b"{}"), "files"),
    ],
)
def test_lock_mismatch(bench: Any, damage: Callable[[Path], Any], message: str) -> None:
    locked(bench.root)
    damage(bench.root)
    (finding,) = judge_lock(bench.root)
    assert finding.code == "SET.LOCK_MISMATCH"
    assert message in finding.message


#: Files of tests that plant set-level defects.
PLANTED_IN = ("test_planted_set.py", "sets/test_set_texts.py", "sets/test_agreement.py", "sets/test_balance.py")


def test_every_set_code_is_planted() -> None:
    text = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in PLANTED_IN)
    elsewhere = {row[0] for family in FAMILIES if family is not sets for row in family.CODES}
    assert all(f'"{code}"' in text for code in CODES if code.startswith("SET.") and code not in elsewhere)
