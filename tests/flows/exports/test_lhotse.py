"""``lhotse``: loaded, validated and heard through the real Lhotse."""

import gzip
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from flows.exports.base import Exporter, ExportError, ReleaseSource
from flows.exports.formats.lhotse import ALIGNMENT, GUESSED_ALIGNMENT, LhotseExporter
from flows.exports.writing.common import export_name
from tests.support.spoken_release import SCENES, make_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("lhotse") / "release")


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    return export(release, release.parent / "out")


def export(root: Path, target: Path) -> Path:
    exporter: Exporter = LhotseExporter()
    target.mkdir()
    count = exporter.write(ReleaseSource(root, exporter.tracks), target, lambda done: None)
    assert (count.items, count.entries) == (SCENES + 4, SCENES + 2 * (3 + 5))
    return target


def kind_of(language: str) -> str:
    """English utterances of the release have word times, Mandarin ones have not."""
    return ALIGNMENT if language == "en" else GUESSED_ALIGNMENT


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()]


def items(root: Path, track: Track) -> list[FoundItem]:
    return list(ReleaseSource(root, frozenset({track})).items())


@pytest.mark.parametrize("track", list(Track))
def test_lhotse_finds_nothing_wrong_and_reads_the_audio(exported: Path, track: Track) -> None:
    lhotse = importlib.import_module("lhotse")
    folders = [path.parent for path in exported.glob(f"{track}/*/recordings.jsonl.gz")]
    assert folders
    for folder in folders:
        recordings = lhotse.RecordingSet.from_file(folder / "recordings.jsonl.gz").with_path_prefix(exported)
        supervisions = lhotse.SupervisionSet.from_file(folder / "supervisions.jsonl.gz")
        lhotse.validate(recordings, read_data=True)
        lhotse.validate(supervisions)
        lhotse.qa.validate_recordings_and_supervisions(recordings, supervisions, read_data=True)
        assert {one.recording_id for one in supervisions} == {one.id for one in recordings}
        cuts = lhotse.CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
        lhotse.validate(cuts)
        for cut in cuts:
            assert cut.load_audio().shape == (cut.num_channels, cut.num_samples)


def test_a_scene_has_the_user_on_channel_0_and_the_assistant_on_1(release: Path, exported: Path) -> None:
    lhotse = importlib.import_module("lhotse")
    folder = exported / "track2" / "dev"
    recordings = lhotse.RecordingSet.from_file(folder / "recordings.jsonl.gz").with_path_prefix(exported).to_eager()
    supervisions = lhotse.SupervisionSet.from_file(folder / "supervisions.jsonl.gz").to_eager()
    for item in items(release, Track.DUPLEX):
        name = export_name(item)
        both = recordings[name].load_audio()
        for channel, role in enumerate(("user", "assistant")):
            assert np.array_equal(both[channel], soundfile.read(release / item.files[role], dtype="float32")[0])
        found = {
            (one.custom["role"], one.channel, one.start, round(one.start + one.duration, 7), one.text, one.speaker)
            for one in supervisions.find(name)
        }
        speakers = item.row["speakers"]
        expected = {
            (role, int(role == "assistant"), one["xmin"], one["xmax"], one["text"], speakers[role])  # type: ignore[index]
            for key in ("speech_segments", "assistant_segments")
            for one in item.row[key]  # type: ignore[attr-defined]
            for role in [one.get("role", "assistant")]
        }
        assert found == expected
        for one in supervisions.find(name):
            assert (one.language, one.custom["task"], one.custom["split"]) == (item.language, item.task, item.split)
            assert ("planned_text" in one.custom) == ("cut" in one.custom) == (one.channel == 1)
            assert list(one.alignment) == [kind_of(item.language)]
            words = one.alignment[kind_of(item.language)]
            assert words[0].start == one.start
            if item.language == "en" and one.custom.get("cut"):
                assert words[-1].end <= one.end  # a word that was broken off is none
            else:
                assert words[-1].end == pytest.approx(one.end, abs=1e-6)
            sound = recordings[name].load_audio(channels=one.channel, offset=one.start, duration=one.duration)
            assert sound.shape[1] == round(one.duration * 16_000)
            assert sound[0, 0] != 0  # the noise has no zero sample
            assert sound[0, -1] != 0


def test_cut_replies_carry_what_was_planned(exported: Path) -> None:
    cut = [one for one in lines(exported / "track2" / "dev" / "supervisions.jsonl.gz") if one["custom"].get("cut")]  # type: ignore[attr-defined]
    assert len(cut) == 12  # five interruption tasks and a conversation, two languages
    for one in cut:
        planned = one["custom"]["planned_text"]  # type: ignore[index]
        assert planned.startswith(one["text"])
        assert planned != one["text"]


def test_no_word_lies_in_the_pause(release: Path, exported: Path) -> None:
    supervisions = {str(one["id"]): one for one in lines(exported / "track2" / "dev" / "supervisions.jsonl.gz")}
    for item in items(release, Track.DUPLEX):
        for event in item.row["events"]:  # type: ignore[attr-defined]
            if event["kind"] == "pause":
                one = supervisions[f"{export_name(item)}-1"]
                assert "[break]" in str(one["text"])
                words = one["alignment"][kind_of(item.language)]  # type: ignore[index]
                assert all(w[1] + w[2] <= event["start"] + 1e-6 or w[1] >= event["stop"] - 1e-6 for w in words)
                assert "break" not in "".join(w[0] for w in words)


def test_a_turn_carries_emotion_and_intensity(release: Path, exported: Path) -> None:
    found: dict[str, dict[str, object]] = {}
    for one in lines(exported / "track1" / "dev" / "supervisions.jsonl.gz"):
        found[str(one["recording_id"])] = one
    recordings = {str(one["id"]): one for one in lines(exported / "track1" / "dev" / "recordings.jsonl.gz")}
    assert recordings.keys() == found.keys()
    for item in items(release, Track.EMOTION):
        turns = item.row["turns"]
        assert len(turns) in {3, 5}  # type: ignore[arg-type]
        for turn in turns:  # type: ignore[attr-defined]
            name = f"{export_name(item)}_{turn['turn_id']}"
            one = found.pop(name)
            assert one["text"] == turn["text"]
            assert one["speaker"] == turn["speaker"]
            assert one["language"] == item.language
            assert one["start"] == 0
            assert one["duration"] == recordings[name]["duration"] == turn["duration"]
            assert one["custom"] == {
                "emotion": turn["emotion"],
                "intensity": turn["intensity"],
                "cause": turn["cause"],
                "response_text": turn["response_text"],
                "dialogue_id": item.id,
                "turn_id": turn["turn_id"],
                "split": item.split,
                "task": item.task,
            }
    assert not found


def test_paths_are_relative_and_two_runs_equal_to_the_byte(release: Path, exported: Path, tmp_path: Path) -> None:
    again = export(release, tmp_path / "再")
    files = {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}
    assert files == {path.relative_to(exported): path.read_bytes() for path in exported.rglob("*") if path.is_file()}
    for path in again.rglob("recordings.jsonl.gz"):
        for recording in lines(path):
            for one in recording["sources"]:  # type: ignore[attr-defined]
                assert one["type"] == "file"
                assert (again / one["source"]).is_file()
                assert not one["source"].startswith("/")
                assert "\\" not in one["source"]


def _respell(root: Path, **changes: object) -> None:
    """Changes fields of every turn in one zh manifest; None removes the field."""
    manifest = root / "track1" / "dev" / "zh" / "task2.jsonl"
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    for turn in (turn for row in rows for turn in row["turns"]):
        turn.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del turn[name]
    manifest.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def test_what_a_row_does_not_say_is_left_out(tmp_path: Path) -> None:
    root = make_release(tmp_path / "release")
    _respell(root, intensity=None, speaker=None, cause=None, duration=None)
    found = [
        one
        for one in lines(export(root, tmp_path / "out") / "track1" / "dev" / "supervisions.jsonl.gz")
        if one["language"] == "zh"
    ]
    assert found
    for one in found:
        assert "speaker" not in one
        assert not {"intensity", "cause"} & one["custom"].keys()  # type: ignore[attr-defined]


def test_a_turn_without_an_emotion_is_named(tmp_path: Path) -> None:
    root = make_release(tmp_path / "release")
    _respell(root, emotion=None)
    with pytest.raises(ExportError, match=r"task2\.jsonl:1: task2_.*: turn 1: emotion: Field required") as caught:
        export(root, tmp_path / "out")
    assert "\n" not in str(caught.value)
