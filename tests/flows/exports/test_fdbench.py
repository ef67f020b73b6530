"""`fdbench`: read back with a reader written from FORMATS.md B.7, not from the exporter."""

import json
import shutil
import wave
from pathlib import Path

import pytest

from data_schemas.layouts.track2 import FOLDER_OF_TASK
from data_schemas.tasks import SUB_TASKS, Language, Task, Track
from flows.exports.base import ExportCount, ExportError, ReleaseSource
from flows.exports.formats.fdbench import NO_CATEGORY, FdBench
from tests.support.duplex_release import write_duplex_release

CATEGORIES = {
    "ask": "Follow-up_Questions",
    "deny": "Negation_Dissatisfaction",
    "repeat": "Repetition_Requests",
    "shift": "Topic_Switching",
    "wait": "Silence_Termination",
    "backchannel": "User_Real-time_Backchannels",
    "pause": "Pause_Handling",
    "others_talk_to_user_before": "Third-party_Speech_before",
    "others_talk_to_user_after": "Third-party_Speech_after",
    "talk_to_others": "Speech_Directe_at_Others",
}


def export(root: Path, target: Path) -> ExportCount:
    target.mkdir()
    done: list[int] = []
    count = FdBench().write(ReleaseSource(root, frozenset({Track.DUPLEX})), target, done.append)
    assert sum(done) == count.items
    return count


def pcm(path: Path) -> bytes:
    with wave.open(str(path)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (16_000, 1, 2)
        return wav.readframes(wav.getnframes())


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duplex_release(tmp_path_factory.mktemp("fdbench") / "release")


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target = release.parent / "export"
    assert export(release, target) == ExportCount(items=20, entries=20)
    return target


@pytest.mark.parametrize(("folder", "language"), [("en_test_nondev", "en"), ("cn_test_nondev", "zh")])
@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_holds_what_the_viewer_reads(
    release: Path, exported: Path, folder: str, language: str, category: str
) -> None:
    home = exported / "test" / folder / category
    origin = release / "track2" / language / "dev" / CATEGORIES[category]
    has_clean = category not in ("pause", "others_talk_to_user_before")
    assert {path.name for path in home.iterdir()} == {
        "0001_0007.wav",
        "0001_0007.json",
        "0001_0007_timestamp.json",
    } | ({"clean_0001_0007.wav"} if has_clean else set())

    labels = json.loads((home / "0001_0007.json").read_text(encoding="utf-8"))
    stated = json.loads((origin / "0001_0007_sentence.json").read_text(encoding="utf-8"))
    assert set(labels) == {"final_duration", "speech_segments"}
    assert labels["final_duration"] * 16_000 == len(pcm(home / "0001_0007.wav")) / 2
    assert [set(one) for one in labels["speech_segments"]] == [{"xmin", "xmax", "text"}] * len(
        stated["speech_segments"]
    )
    assert [(one["xmin"], one["xmax"], one["text"]) for one in labels["speech_segments"]] == [
        (one["xmin"], one["xmax"], one["text"]) for one in stated["speech_segments"]
    ]
    assert pcm(home / "0001_0007.wav") == pcm(origin / "0001_0007.wav")
    if has_clean:
        assert pcm(home / "clean_0001_0007.wav") == pcm(origin / "clean_0001_0007.wav")

    chunks = json.loads((home / "0001_0007_timestamp.json").read_text(encoding="utf-8"))["chunks"]
    times = [time for chunk in chunks for time in chunk["timestamp"]]
    assert times == sorted(times)
    for one in labels["speech_segments"]:
        inside = [each for each in chunks if one["xmin"] <= each["timestamp"][0] < one["xmax"]]
        assert (inside[0]["timestamp"][0], inside[-1]["timestamp"][1]) == (one["xmin"], one["xmax"])
        said = one["text"].replace("[break]", "")
        assert "".join("".join(each["text"] for each in inside).split()) == "".join(said.split())


def test_no_word_lies_in_a_pause(release: Path, exported: Path) -> None:
    for folder, language in (("en_test_nondev", "en"), ("cn_test_nondev", "zh")):
        row = json.loads((release / "track2" / language / "dev/Pause_Handling.jsonl").read_text(encoding="utf-8"))
        (pause,) = [event for event in row["events"] if event["kind"] == "pause"]
        written = (exported / "test" / folder / "pause/0001_0007_timestamp.json").read_text(encoding="utf-8")
        assert "break" not in written
        for chunk in json.loads(written)["chunks"]:
            start, stop = chunk["timestamp"]
            assert stop <= pause["start"] or start >= pause["stop"]


def test_chinese_is_visible_and_notes_say_how_times_were_made(exported: Path) -> None:
    assert "西" in (exported / "test/cn_test_nondev/ask/0001_0007.json").read_text(encoding="utf-8")
    assert json.loads((exported / "NOTES.json").read_text(encoding="utf-8"))["word_times"] == {
        "en": "proportional",
        "zh": "proportional",
    }


def test_conversations_are_left_out_with_a_reason(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.CONVERSATION, Task.PAUSE], [Language.ZH])
    (tmp_path / "out").mkdir()
    count = FdBench().write(ReleaseSource(root, frozenset({Track.DUPLEX})), tmp_path / "out", lambda done: None)
    assert count == ExportCount(items=1, entries=1, left_out={NO_CATEGORY: 1})


def test_two_exports_are_the_same_bytes(release: Path, exported: Path, tmp_path: Path) -> None:
    export(release, tmp_path / "again")
    files = {path.relative_to(exported) for path in exported.rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()}
    assert all((exported / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)


def test_the_organisers_folders_without_manifests_are_enough(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.PAUSE, Task.BACKCHANNEL], [Language.ZH])
    for manifest in root.rglob("*.jsonl"):
        manifest.unlink()
    assert export(root, tmp_path / "out").items == 2
    chunks = json.loads((tmp_path / "out/test/cn_test_nondev/pause/0001_0007_timestamp.json").read_text("utf-8"))
    assert chunks["chunks"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"xmax"', '"end"', "speech_segments.0.xmax"),
        ('"final_duration":', '"final_duration":1', "final_duration says"),
        ('"final_duration":', '"final_duration":-', "final_duration"),
        ('"text":"西安', '"text":3,"x":"西安', "speech_segments.0.text"),
    ],
)
def test_labels_that_cannot_be_used_are_one_sentence(tmp_path: Path, old: str, new: str, words: str) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.FOLLOW_UP], [Language.ZH])
    manifest = root / "track2/zh/dev/Follow-up_Questions.jsonl"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ExportError, match=words) as raised:
        export(root, tmp_path / "out")
    assert "0001_0007" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_one_id_in_both_splits_is_refused(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.PAUSE], [Language.EN])
    shutil.copytree(root / "track2/en/dev", root / "track2/en/train")
    with pytest.raises(ExportError, match="--split"):
        export(root, tmp_path / "out")


def test_missing_audio_is_named(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.FOLLOW_UP], [Language.EN])
    (root / "track2/en/dev/Follow-up_Questions/clean_0001_0007.wav").unlink()
    with pytest.raises(ExportError, match=r"clean_0001_0007\.wav is missing"):
        export(root, tmp_path / "out")


def test_every_sub_task_has_a_category() -> None:
    assert {FOLDER_OF_TASK[task] for task in SUB_TASKS} == set(CATEGORIES.values())
