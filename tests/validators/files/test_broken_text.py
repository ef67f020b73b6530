"""Text files that are broken in any way are findings, never a traceback, and the rest is still judged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.finding import Finding
from data_schemas.layouts.registry import detect_layouts
from tests.validators.told_release import make_told_release
from validators.core.thresholds import Thresholds
from validators.files.lock import judge_lock
from validators.rows.rows import SegmentRow, SentenceFile, existing_file, read_json, view
from validators.run.directory import validate_root
from validators.sets.agreement import judge_agreement
from validators.sets.balance import judge_balance
from validators.sets.dataset import judge_dataset
from validators.sets.set_texts import judge_texts, texts_of

ROW = "track1/dev/zh/task2.jsonl"
SENTENCE = "track2/en/dev/Follow-up_Questions/0001_0007_sentence.json"
MANIFEST = "track2/en/dev/Follow-up_Questions.jsonl"
TEXTS = (ROW, SENTENCE, MANIFEST, "track2/zh/dev/Conversation.jsonl", "scripts.jsonl", "dataset.lock.json")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set, its sound cut to half a second: these tests are about text."""
    root = make_told_release(tmp_path_factory.mktemp("told") / "set")
    for path in root.rglob("*.wav"):
        path.write_bytes(path.read_bytes()[:16_044])
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "set")
    return tmp_path / "set"


def tables(root: Path) -> list[Finding]:
    """Every judge of rows, texts and tables."""
    layouts = detect_layouts(root)
    items = [item for one in layouts for item in one.read(root, [])]
    return [
        *judge_dataset(root, layouts, Thresholds()),
        *judge_texts([(item, texts_of(item, root)) for item in items], Thresholds()),
        *judge_agreement(root, items),
        *judge_balance(root, items, Thresholds()),
        *judge_lock(root),
    ]


BAD_ROWS: dict[str, bytes] = {
    "not UTF-8": b'{"dialogue_id": "\xff\xfe"}\n',
    "NaN": b'{"dialogue_id": "a", "turns": NaN}\n',
    "infinity": b'{"dialogue_id": "a", "turns": [-Infinity]}\n',
    "deep": b'{"turns": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "surrogate": b'{"dialogue_id": "\\ud83d"}\n',
    "byte-order mark": b"\xef\xbb\xbf{}\n",
    "key twice": '{"dialogue_id": "一", "dialogue_id": "二"}\n'.encode(),
    "list": b"[1, 2]\n",
    "many digits": b'{"turns": ' + b"9" * 5000 + b"}\n",
    "no end": b'{"turns": [',
    "zero bytes": b"\0\0\0\n",
    "blank": b" \n",
}


@pytest.mark.parametrize("line", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_line_is_named_and_the_next_one_is_judged(root: Path, line: bytes) -> None:
    path = root / ROW
    good = path.read_bytes()
    path.write_bytes(line.rstrip(b"\n") + b"\n" + good)
    found = [finding for finding in tables(root) if finding.code == "SET.BAD_ROW"]
    assert [(finding.item, finding.value) for finding in found] == [(ROW, 1.0)]
    assert validate_root(root, Thresholds()).items in (5, 6)  # what Python can read is an item as well


BAD_SENTENCES: dict[str, bytes] = {
    "not UTF-8": b"\xff",
    "empty": b"",
    "list": b"[]",
    "NaN": b'{"final_duration": NaN, "speech_segments": []}',
    "infinity": b'{"final_duration": 1e999, "speech_segments": []}',
    "huge": b'{"final_duration": 1' + b"0" * 400 + b', "speech_segments": []}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "key twice": b'{"final_duration": 1.0, "final_duration": 2.0, "speech_segments": []}',
    "surrogate": b'{"final_duration": 1.0, "speech_segments": [{"xmin": 0.1, "xmax": 0.2, "text": "\\udead"}]}',
    "byte-order mark": b'\xef\xbb\xbf{"final_duration": 1.0, "speech_segments": []}',
    "strings": b'{"final_duration": "9.0", "speech_segments": []}',
}


@pytest.mark.parametrize("content", BAD_SENTENCES.values(), ids=BAD_SENTENCES)
def test_a_bad_label_file_is_named_in_its_item(root: Path, content: bytes) -> None:
    (root / SENTENCE).write_bytes(content)
    tables(root)
    result = validate_root(root, Thresholds())
    assert result.items == 5
    assert [f.item for f in result.findings if f.code == "T2.SENTENCE_FIELDS"] == ["0001_0007"]


@pytest.mark.parametrize(
    ("xmin", "xmax"), [(-1.0, 2.0), (3.0, 2.0), (0.0, 1e300), (1e308, 1e308), (-1e308, 1e308), (2.0, 2.0), (1e-320, 1)]
)
def test_impossible_times_are_findings(root: Path, xmin: float, xmax: float) -> None:
    for path in (root / SENTENCE, root / MANIFEST):
        value = json.loads(path.read_text(encoding="utf-8"))
        value["speech_segments"][0].update(xmin=xmin, xmax=xmax)
        if "assistant_segments" in value:
            value["assistant_segments"][0].update(xmin=xmin, xmax=xmax)
        path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")
    assert ("SET.CATALOG_AGREES", "0001_0007") in [(finding.code, finding.item) for finding in tables(root)]
    result = validate_root(root, Thresholds())
    assert result.items == 5
    for finding in result.findings:
        finding.to_json_line()


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", [SENTENCE, "scripts.jsonl", "catalog.parquet"])
@pytest.mark.parametrize("damage", [loop, folder])
def test_no_file_where_a_file_should_be(root: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(root / name)
    tables(root)
    assert validate_root(root, Thresholds()).items == 5


@pytest.mark.parametrize("damage", [loop, folder])
def test_no_lock_where_the_lock_should_be(root: Path, damage: Callable[[Path], None]) -> None:
    damage(root / "dataset.lock.json")
    tables(root)
    assert validate_root(root, Thresholds()).items == 5


@pytest.mark.parametrize("damage", [loop, folder])
def test_no_file_where_a_manifest_should_be(root: Path, damage: Callable[[Path], None]) -> None:
    damage(root / ROW)
    found = judge_dataset(root, detect_layouts(root), Thresholds())
    assert {finding.code for finding in found if finding.item == ROW} == {"SET.BAD_ROW"}
    assert validate_root(root, Thresholds()).items == 4  # all the others


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 99])
def test_a_catalog_that_is_none(root: Path, content: bytes) -> None:
    (root / "catalog.parquet").write_bytes(content)
    assert [f.item for f in tables(root) if f.code == "SET.CATALOG_AGREES"] == ["catalog.parquet"]


@given(
    name=st.sampled_from(TEXTS),
    place=st.floats(0.0, 1.0),
    length=st.integers(0, 40),
    piece=st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [b"NaN", b"-1e999", b'"', b"{", b"]", b"null", b"\\ud800", b"-5", b"\n", b"\r\n", b'"x"', b"[]"]
        ),
    ),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_any_bytes_anywhere_never_stop_the_judges(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, name: str, place: float, length: int, piece: bytes
) -> None:
    root = tmp_path_factory.mktemp("any") / "set"
    shutil.copytree(sound, root)
    path = root / name
    content = path.read_bytes()
    first = int(place * len(content))
    path.write_bytes(content[:first] + piece + content[first + length :])
    findings = [*tables(root), *validate_root(root, Thresholds()).findings]
    assert all(Finding.from_json_line(finding.to_json_line()) == finding for finding in findings)
    shutil.rmtree(root)


def test_strict_reading(tmp_path: Path) -> None:
    path = tmp_path / "标签.json"
    path.write_text('{"甲": [1, {"乙": null}]}', encoding="utf-8")
    assert read_json(path) == {"甲": [1, {"乙": None}]}
    path.write_text('{"甲": {"乙": 1, "乙": 2}}', encoding="utf-8")
    with pytest.raises(ValueError, match="'乙' twice"):
        read_json(path)


def test_numbers_that_are_none_are_refused_by_views() -> None:
    for value in (float("nan"), float("inf"), 10**400, "1.0", True):
        assert isinstance(view(SegmentRow, {"xmin": value, "xmax": 1.0, "text": "好"}), str)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(view(SentenceFile, {"final_duration": 1.0, "speech_segments": deep}), str)


def test_a_folder_that_may_not_be_looked_into_holds_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = next(item for one in detect_layouts(root) for item in one.read(root, []) if "sentence" in item.files)
    assert existing_file(found, root, "sentence") is not None

    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)  # root, as which tests may run, may look everywhere
    assert existing_file(found, root, "sentence") is None
