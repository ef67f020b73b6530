"""``moshi``: manifests, stereo and sidecars, read with ``sphn`` as moshi-finetune reads them."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data_schemas.foundation.base import RecordError
from data_schemas.layouts.track2 import FOLDER_OF_TASK, Track2
from data_schemas.tasks import Language, Task, Track
from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from flows.exports.formats.moshi import MOSHI_RATE_HZ, NO_REPLIES, SPEAKER, MoshiExporter
from tests.support.spoken_release import SCENES, make_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("moshi") / "release")


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target, count = export(release, release.parent / "出口")
    assert count == ExportCount(items=SCENES, entries=SCENES)
    return target


def export(root: Path, target: Path) -> tuple[Path, ExportCount]:
    exporter: Exporter = MoshiExporter()
    target.mkdir()
    done: list[int] = []
    count = exporter.write(ReleaseSource(root, exporter.tracks), target, done.append)
    assert sum(done) == sum(1 for _ in ReleaseSource(root, exporter.tracks).items())
    return target, count


def manifest_rows(target: Path, language: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (target / f"dev_{language}.jsonl").read_text(encoding="utf-8").splitlines()]


def wav_of(target: Path, language: str, task: Task) -> Path:
    (row,) = [row for row in manifest_rows(target, language) if f"_{language}_{task}_" in row["path"]]
    return target / str(row["path"])


def sidecar(wav: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(wav.with_suffix(".json").read_text(encoding="utf-8"))
    return read


def release_row(release: Path, language: str, task: Task) -> dict[str, Any]:
    manifest = release / f"track2/{language}/dev/{FOLDER_OF_TASK[task]}.jsonl"
    row: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return row


def test_the_files_of_a_data_set(exported: Path) -> None:
    assert sorted(path.name for path in exported.glob("*")) == [
        "NOTES.json",
        "data_stereo",
        "dev_en.jsonl",
        "dev_zh.jsonl",
    ]
    notes = json.loads((exported / "NOTES.json").read_text(encoding="utf-8"))
    assert notes["word_times"] == {"en": "engine", "zh": "proportional"}
    rows = [row for language in Language for row in manifest_rows(exported, language)]
    assert len({row["path"] for row in rows}) == SCENES
    assert {path.suffix for path in (exported / "data_stereo").iterdir()} == {".wav", ".json"}
    for row in rows:
        assert list(row) == ["path", "duration"]
        assert row["path"].isascii()
        info = soundfile.info(exported / row["path"])
        assert (info.samplerate, info.channels, info.subtype) == (MOSHI_RATE_HZ, 2, "PCM_16")
        assert row["duration"] == info.frames / MOSHI_RATE_HZ


def test_the_loader_of_moshi_finetune_reads_it(exported: Path) -> None:
    sphn = importlib.import_module("sphn")
    for language in Language:
        rows = manifest_rows(exported, language)
        paths = [str(exported / row["path"]) for row in rows]
        assert sphn.durations(paths) == [row["duration"] for row in rows]
        read = sphn.dataset_jsonl(
            str(exported / f"dev_{language}.jsonl"),
            duration_sec=60,
            num_threads=1,
            sample_rate=MOSHI_RATE_HZ,
            pad_last_segment=True,
        )
        seen = {sample["path"]: sample for sample in read}
        assert set(seen) == set(paths)
        for path, sample in seen.items():
            assert sample["data"].shape[0] == 2
            whole, _ = soundfile.read(path, dtype="float32")
            heard = sample["data"][:, : sample["unpadded_len"]]
            assert np.allclose(heard, whole.T, atol=1e-4)
            assert Path(path).with_suffix(".json").is_file()


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("task", [Task.FOLLOW_UP, Task.PAUSE, Task.THIRD_PARTY_BEFORE, Task.SPEECH_TO_OTHERS])
def test_left_is_the_assistant_and_right_the_microphone(
    release: Path, exported: Path, task: Task, language: Language
) -> None:
    row = release_row(release, language, task)
    samples, rate = soundfile.read(wav_of(exported, language, task))
    for column, segments in ((0, row["assistant_segments"]), (1, row["speech_segments"])):
        spoken = np.zeros(len(samples), dtype=bool)
        for segment in segments:
            spoken[int(segment["xmin"] * rate) : int(segment["xmax"] * rate)] = True
            middle = int((segment["xmin"] + 0.2) * rate)
            assert np.abs(samples[middle : middle + rate // 4, column]).max() > 0.2
        # the resampler rings a little at edges: look 5 ms away from speech
        near = np.convolve(spoken, np.ones(2 * rate // 200 + 1), mode="same") > 0
        assert np.abs(samples[~near, column]).max() < 2e-3


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("task", list(FOLDER_OF_TASK))
def test_words_are_the_assistants_in_order_and_in_place(
    release: Path, exported: Path, task: Task, language: Language
) -> None:
    wav, row = wav_of(exported, language, task), release_row(release, language, task)
    read = sidecar(wav)
    assert list(read) == ["alignments", "text_conditions"]
    assert read["text_conditions"] is None
    words = read["alignments"]
    assert {speaker for _, _, speaker in words} == {SPEAKER}
    starts = [start for _, (start, _), _ in words]
    assert starts == sorted(starts)
    assert all(0 <= start < stop <= soundfile.info(wav).duration for _, (start, stop), _ in words)
    for segment in row["assistant_segments"]:
        inside = [word for word, (start, stop), _ in words if segment["xmin"] <= start < stop <= segment["xmax"]]
        assert "".join(inside).replace(" ", "") == segment["text"].replace(" ", "")
    assert sum(len(segment["text"].split()) for segment in row["assistant_segments"]) <= len(words)


def test_of_a_reply_that_was_stopped_only_the_words_that_were_heard(release: Path, exported: Path) -> None:
    (cut, whole) = release_row(release, "zh", Task.NEGATION)["assistant_segments"]
    assert cut["cut"]
    assert cut["text"] != cut["planned_text"]
    text = "".join(word for word, _, _ in sidecar(wav_of(exported, "zh", Task.NEGATION))["alignments"])
    assert text == cut["text"] + whole["text"]


def test_a_chinese_character_is_a_word_and_visible(exported: Path) -> None:
    wav = wav_of(exported, "zh", Task.FOLLOW_UP)
    words = [word for word, _, _ in sidecar(wav)["alignments"]]
    assert words[:3] == ["先", "去", "钟"]
    assert "先" in wav.with_suffix(".json").read_text(encoding="utf-8")


def test_two_exports_are_the_same_bytes(release: Path, exported: Path, tmp_path: Path) -> None:
    again, _ = export(release, tmp_path / "again")
    files = sorted(path.relative_to(exported) for path in exported.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((exported / file).read_bytes() == (again / file).read_bytes() for file in files)


def foreign(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A release of which one row is changed."""
    root = make_release(tmp_path / "release")
    manifest = root / f"track2/zh/dev/{FOLDER_OF_TASK[Task.FOLLOW_UP]}.jsonl"
    row = json.loads(manifest.read_text(encoding="utf-8"))
    change(row)
    manifest.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    return root


def test_scenes_without_the_assistants_channel_are_left_out_and_counted(tmp_path: Path) -> None:
    root = make_release(tmp_path / "release")
    for wav in root.glob("track2/en/dev/*_model/*.wav"):
        wav.unlink()
    target, count = export(root, tmp_path / "out")
    assert count == ExportCount(items=SCENES // 2, entries=SCENES // 2, left_out={NO_REPLIES: SCENES // 2})
    assert not (target / "dev_en.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.pop("assistant_segments"), "assistant_segments"),
        (lambda row: row["assistant_segments"][0].update(text=None), "text"),
        (lambda row: row["assistant_segments"][0].update(xmax=999.0), "999"),
        (lambda row: row.update(final_duration=row["final_duration"] + 1), "samples"),
    ],
)
def test_rows_that_cannot_be_used_are_one_sentence(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    with pytest.raises((ExportError, RecordError), match=words) as raised:
        export(foreign(tmp_path, change), tmp_path / "out")
    assert "0001_0007" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_it_takes_track_2_alone(release: Path) -> None:
    assert MoshiExporter().tracks == {Track.DUPLEX}
    assert sum(1 for _ in Track2().read(release)) == SCENES
