"""``opens2s``: rows as the loader of OpenS2S reads them, with the real `datasets` where it is installed."""

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data_schemas.foundation.audio import write_wav
from data_schemas.foundation.base import RecordError
from data_schemas.tasks import Language
from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from flows.exports.formats.opens2s import MIN_SAMPLES, TOO_SHORT, OpenS2SExporter
from tests.support.spoken_release import make_release
from tests.support.voiced_release import make_voiced_release

KEYS = ["text", "audio", "speech_units", "spk_emb"]
DIALOGUES = 4  # 3 and 5 turns in two languages


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_release(tmp_path_factory.mktemp("opens2s") / "release")
    shutil.rmtree(root / "track2")
    return root


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target, count = export(release, release.parent / "出口")
    assert count == ExportCount(items=DIALOGUES, entries=DIALOGUES)
    return target


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    return shutil.copytree(release, tmp_path / "release")


def export(root: Path, target: Path) -> tuple[Path, ExportCount]:
    exporter: Exporter = OpenS2SExporter()
    target.mkdir()
    return target, exporter.write(ReleaseSource(root, exporter.tracks), target, lambda done: None)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def release_rows(release: Path, language: str) -> list[dict[str, Any]]:
    return rows(release / f"track1/dev/{language}/task2.jsonl")


@pytest.mark.parametrize("language", Language)
def test_rows_hold_what_the_loader_asks_for(release: Path, exported: Path, language: Language) -> None:
    given = release_rows(release, language)
    made = rows(exported / f"dev_{language}.jsonl")
    assert [len(row["messages"]) for row in made] == [2 * len(row["turns"]) for row in given] == [6, 10]
    for row, source in zip(made, given, strict=True):
        assert list(row) == ["messages"]
        for position, message in enumerate(row["messages"]):
            assert list(message) == ["role", "content"]
            (content,) = message["content"]
            assert list(content) == KEYS
            assert all(isinstance(value, str) for value in content.values())
            assert content["speech_units"] == content["spk_emb"] == ""
            turn = source["turns"][position // 2]
            if position % 2 == 0:
                assert (message["role"], content["text"]) == ("user", "")
                assert content["audio"].isascii()
                kept = release / f"track1/dev/{language}" / turn["split_audio_file"]
                assert (exported / content["audio"]).read_bytes() == kept.read_bytes()
                assert soundfile.info(exported / content["audio"]).frames >= MIN_SAMPLES
            else:
                assert (message["role"], content["audio"]) == ("assistant", "")
                assert content["text"] == turn["response_text"]


def test_the_real_library_reads_it_as_opens2s_does(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = importlib.import_module("datasets")
    monkeypatch.chdir(exported)
    read = datasets.load_dataset(
        str(exported), data_files=["dev_zh.jsonl", "dev_en.jsonl"], split="train", cache_dir=str(tmp_path / "cache")
    )
    assert read.column_names == ["messages"]
    assert len(read) == DIALOGUES
    for row in read:
        for message in row["messages"]:
            for item in message["content"]:
                if item["audio"]:
                    assert message["role"] == "user"
                    assert Path(item["audio"]).is_file()
                else:
                    assert message["role"] == "assistant"
                    assert item["text"]


def test_chinese_is_visible_and_nothing_else_lies_there(exported: Path) -> None:
    assert "生气" in (exported / "dev_zh.jsonl").read_text(encoding="utf-8")
    assert sorted(path.name for path in exported.iterdir()) == ["dev_en.jsonl", "dev_zh.jsonl", "wav"]


def test_voiced_replies_go_along_for_the_tokenizer(tmp_path: Path) -> None:
    make_voiced_release(tmp_path / "release")
    target, count = export(tmp_path / "release", tmp_path / "out")
    assert count == ExportCount(items=3, entries=3)
    listed = rows(target / "replies.jsonl")
    assert len({reply["audio"] for reply in listed}) == len(listed) == 6
    for reply in listed:
        message = rows(target / reply["manifest"])[reply["row"]]["messages"][reply["message"]]
        (content,) = message["content"]
        assert message["role"] == "assistant"
        assert content["audio"] == content["speech_units"] == ""
        home = tmp_path / "release/track1/dev" / reply["manifest"].removeprefix("dev_").removesuffix(".jsonl")
        (voiced,) = [row["turns"] for row in rows(home / "task2.jsonl") if "response_audio" in row["turns"][0]]
        turn = voiced[(reply["message"] - 1) // 2]
        assert content["text"] == turn["response_text"]
        assert (target / reply["audio"]).read_bytes() == (home / turn["response_audio"]).read_bytes()
    assert {path.name for path in (target / "reply").iterdir()} == {Path(reply["audio"]).name for reply in listed}


def test_two_exports_are_the_same_bytes(release: Path, exported: Path, tmp_path: Path) -> None:
    again, _ = export(release, tmp_path / "again")
    files = sorted(path.relative_to(exported) for path in exported.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((exported / file).read_bytes() == (again / file).read_bytes() for file in files)


def test_a_dialogue_with_a_short_turn_is_left_out_and_counted(copy: Path, tmp_path: Path) -> None:
    short = release_rows(copy, "zh")[1]["turns"][3]["split_audio_file"]
    write_wav(copy / "track1/dev/zh" / short, np.zeros(MIN_SAMPLES - 1, dtype=np.float32))
    target, count = export(copy, tmp_path / "out")
    assert count == ExportCount(items=DIALOGUES - 1, entries=DIALOGUES - 1, left_out={TOO_SHORT: 1})
    assert [len(row["messages"]) for row in rows(target / "dev_zh.jsonl")] == [6]
    assert len(list((target / "wav").iterdir())) == 3 + 3 + 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.pop("turns"), "turns"),
        (lambda row: row.update(turns=[]), "at least one turn"),
        (lambda row: row["turns"][1].pop("response_text"), "turn 2 needs"),
        (lambda row: row["turns"][1].update(response_text=" "), "turn 2 needs"),
        (lambda row: row["turns"].append(row["turns"][0]), "stands twice"),
        (lambda row: row["turns"][0].update(split_audio_file="task2/weg.wav"), "missing"),
        (lambda row: row.update(dialogue_id="../draussen"), "draussen"),
    ],
)
def test_rows_that_cannot_be_used_are_one_sentence(
    copy: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    manifest = copy / "track1/dev/zh/task2.jsonl"
    first, *others = rows(manifest)
    change(first)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in (first, *others)]
    manifest.write_text("".join(lines), encoding="utf-8")
    with pytest.raises((ExportError, RecordError), match=words) as raised:
        export(copy, tmp_path / "out")
    assert "\n" not in str(raised.value)
