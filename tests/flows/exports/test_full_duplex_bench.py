"""`full-duplex-bench`: walked as its evaluation walks it; the reader is written from FORMATS.md E."""

import json
import os
import shutil
from glob import glob
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from data_schemas.tasks import Language, Task, Track
from flows.exports.base import ExportCount, ExportError, ReleaseSource
from flows.exports.formats.full_duplex_bench import NO_HOME, NO_PAUSE, FullDuplexBench
from tests.support.duplex_release import write_duplex_release

OVERLAPS = {
    "user_interruption": {"follow_up", "negation", "repetition", "topic_switch", "silence"},
    "user_backchannel": {"backchannel"},
    "background_speech": {"third_party_after"},
    "talking_to_other": {"speech_to_others"},
}
RATE = 16_000
Pcm = npt.NDArray[np.int16]


def export(root: Path, target: Path) -> ExportCount:
    target.mkdir()
    done: list[int] = []
    count = FullDuplexBench().write(ReleaseSource(root, frozenset({Track.DUPLEX})), target, done.append)
    assert sum(done) == count.items + sum(count.left_out.values())
    return count


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duplex_release(tmp_path_factory.mktemp("fdb") / "release")


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target = release.parent / "export"
    count = export(release, target)
    # v1.5: 8, interruption: 4, pause: 1, turn taking: 7, per language
    assert count == ExportCount(items=18, entries=40, left_out={NO_HOME: 2})
    return target


def pcm(path: Path) -> Pcm:
    data, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE
    assert data.ndim == 1
    found: Pcm = data
    return found


def read(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))


def samples_of(root: Path) -> dict[str, Path]:
    """As the scripts do: every entry of a task's folder is a sample, every entry of a sample is a file."""
    found = {}
    for name in os.listdir(root):
        assert all((root / name / file).is_file() for file in os.listdir(root / name))
        found[name] = root / name
    return found


def row_of(release: Path, language: str, folder: str) -> dict[str, object]:
    row: dict[str, object] = json.loads(
        (release / "track2" / language / "dev" / f"{folder}.jsonl").read_text(encoding="utf-8")
    )
    return row


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("task", OVERLAPS)
def test_v15_folders(exported: Path, language: str, task: str) -> None:
    samples = samples_of(exported / language / "v1_5" / task)
    assert set(samples) == {f"{sub_task}_0001_0007" for sub_task in OVERLAPS[task]}
    for folder in samples.values():
        assert set(os.listdir(folder)) == {"input.wav", "clean_input.wav", "metadata.json"}
        user, clean = pcm(folder / "input.wav"), pcm(folder / "clean_input.wav")
        assert len(user) == len(clean)
        meta = read(folder / "metadata.json")
        assert isinstance(meta, dict)
        assert meta["context_text"]
        start, stop = (round(second * RATE) for second in meta["timestamps"])
        assert user[start:stop].all()  # the noise of the tests holds no zero
        assert not user[stop:].any()
        assert not user[start - round(0.6 * RATE) : start].any()
        # the challenge's script mutes whole milliseconds, so half of one may be left at either end (FORMATS.md B.4)
        edge = 8 if task == "talking_to_other" else 0
        assert not clean[start + edge : stop - edge].any()
        spoken = np.flatnonzero(clean[: start - edge])
        assert np.array_equal(clean[spoken[0] : spoken[-1]], user[spoken[0] : spoken[-1]])
        # the request and the event, nothing else
        assert not user[: spoken[0]].any()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_texts_are_those_of_the_right_segments(release: Path, exported: Path, language: str) -> None:
    for sub_task, task, folder, indices in (
        ("silence", "user_interruption", "Silence_Termination", (0, 1)),
        ("third_party_after", "background_speech", "Third-party_Speech_after", (0, 1)),
        ("speech_to_others", "talking_to_other", "Speech_Directe_at_Others", (1, 2)),
    ):
        meta = read(exported / language / "v1_5" / task / f"{sub_task}_0001_0007" / "metadata.json")
        segments = row_of(release, language, folder)["speech_segments"]
        assert isinstance(meta, dict)
        assert isinstance(segments, list)
        assert [meta["context_text"], meta["current_turn_text"]] == [segments[index]["text"] for index in indices]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_v10_interruptions(release: Path, exported: Path, language: str) -> None:
    samples = samples_of(exported / language / "v1_0" / "synthetic_user_interruption")
    assert set(samples) == {f"{name}_0001_0007" for name in ("follow_up", "negation", "repetition", "topic_switch")}
    for folder in samples.values():
        assert set(os.listdir(folder)) == {"input.wav", "context.wav", "interrupt.wav", "interrupt.json"}
        (entry,) = read(folder / "interrupt.json")  # type: ignore[misc]
        assert set(entry) == {"context", "interrupt", "timestamp"}
        start, stop = (round(second * RATE) for second in entry["timestamp"])
        user = pcm(folder / "input.wav")
        assert np.array_equal(pcm(folder / "interrupt.wav"), user[start:stop])
        context = pcm(folder / "context.wav")
        assert np.array_equal(context, user[: len(context)])
        assert context[-1] != 0
        assert not user[len(context) : start].any()
        assert len(user) - stop >= 5 * RATE  # room for the answer


@pytest.mark.parametrize("language", ["zh", "en"])
def test_v10_pauses_end_with_the_request(release: Path, exported: Path, language: str) -> None:
    ((name, folder),) = samples_of(exported / language / "v1_0" / "synthetic_pause_handling").items()
    assert name == "pause_0001_0007"
    assert set(os.listdir(folder)) == {"input.wav", "pause.json", "transcription.json"}
    user = pcm(folder / "input.wav")
    (pause,) = read(folder / "pause.json")  # type: ignore[misc]
    assert pause["text"] == "[PAUSE]"
    start, stop = (round(second * RATE) for second in pause["timestamp"])
    assert not user[start:stop].any()
    assert user[start - 1] != 0
    assert user[stop:].all()
    (speaker,) = read(folder / "transcription.json")  # type: ignore[misc]
    assert speaker["speaker"] == 0
    for word in speaker["item"]:
        assert word["text"]
        assert word["timestamp"][1] <= pause["timestamp"][0] or word["timestamp"][0] >= pause["timestamp"][1]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_v10_turn_taking(release: Path, exported: Path, language: str) -> None:
    samples = samples_of(exported / language / "v1_0" / "candor_turn_taking")
    assert len(samples) == 7
    for folder in samples.values():
        assert set(os.listdir(folder)) == {"input.wav", "turn_taking.json", "transcription.json"}
        (taken,) = read(folder / "turn_taking.json")  # type: ignore[misc]
        user_end, model_start = taken["timestamp"]
        assert user_end <= model_start <= user_end + 2.0
        user = pcm(folder / "input.wav")
        assert user[round(user_end * RATE) - 1] != 0
        assert not user[round(user_end * RATE) :].any()
        (speaker,) = read(folder / "transcription.json")  # type: ignore[misc]
        assert speaker["item"][-1]["timestamp"][1] == user_end


def test_models_find_their_input(exported: Path) -> None:
    for prefix, expected in (("", 20), ("clean_", 8)):
        assert len(glob(f"{exported}/zh/*/*/*/{prefix}input.wav")) == expected
    assert not [path for path in exported.rglob("*") if "output" in path.name]
    assert set(os.listdir(exported)) == {"en", "zh", "NOTES.json"}


def test_two_exports_are_the_same_bytes(release: Path, exported: Path, tmp_path: Path) -> None:
    export(release, tmp_path / "again")
    files = {path.relative_to(exported) for path in exported.rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()}
    assert all((exported / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)


def test_without_manifests_pauses_are_left_out_and_the_rest_goes_in(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.PAUSE, Task.BACKCHANNEL], [Language.ZH])
    for manifest in root.rglob("*.jsonl"):
        manifest.unlink()
    assert export(root, tmp_path / "out") == ExportCount(items=1, entries=2, left_out={NO_PAUSE: 1})
    (taken,) = read(tmp_path / "out/zh/v1_0/candor_turn_taking/backchannel_0001_0007/turn_taking.json")  # type: ignore[misc]
    assert taken["timestamp"][0] == taken["timestamp"][1]  # nobody knows when an assistant answered


def test_a_scene_that_lacks_a_segment_is_named(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.SPEECH_TO_OTHERS], [Language.EN])
    manifest = root / "track2/en/dev/Speech_Directe_at_Others.jsonl"
    row = json.loads(manifest.read_text(encoding="utf-8"))
    row["speech_segments"].pop()
    manifest.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(ExportError, match="0001_0007: speech_to_others needs 3 speech_segments and has 2"):
        export(root, tmp_path / "out")


def test_a_clean_file_of_another_length_is_named(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.FOLLOW_UP], [Language.EN])
    clean = root / "track2/en/dev/Follow-up_Questions/clean_0001_0007.wav"
    clean.unlink()  # the layout links the staged file
    soundfile.write(clean, np.zeros(1600, dtype=np.int16), RATE)
    with pytest.raises(ExportError, match=r"clean_0001_0007\.wav has 1600 samples"):
        export(root, tmp_path / "out")


def test_one_id_in_both_splits_is_refused(tmp_path: Path) -> None:
    root = write_duplex_release(tmp_path / "r", [Task.PAUSE], [Language.EN])
    shutil.copytree(root / "track2/en/dev", root / "track2/en/train")
    with pytest.raises(ExportError, match="--split"):
        export(root, tmp_path / "out")
