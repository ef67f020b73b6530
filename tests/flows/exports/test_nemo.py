"""``nemo``: manifests, mono mixes and RTTM, read as NeMo reads them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from flows.exports.formats.nemo import NemoExporter, mixed
from flows.exports.writing.common import export_name
from tests.support.spoken_release import SCENES, make_release

KEYS = ["audio_filepath", "offset", "duration", "text", "label", "num_speakers", "rttm_filepath", "uem_filepath"]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("nemo") / "release", peak=0.9)


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    return export(release, release.parent / "out")[0]


def export(root: Path, target: Path) -> tuple[Path, ExportCount]:
    exporter: Exporter = NemoExporter()
    target.mkdir()
    return target, exporter.write(ReleaseSource(root, exporter.tracks), target, lambda done: None)


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("kind", "roles"), [("mix", {"user", "assistant", "third_party"}), ("user", {"user", "third_party"})]
)
def test_a_manifest_as_nemo_reads_it(exported: Path, kind: str, roles: set[str]) -> None:
    names = set()
    heard = set()
    for row in rows(exported / f"dev_{kind}.json"):
        assert list(row) == KEYS
        assert (row["offset"], row["text"], row["label"], row["uem_filepath"]) == (0, "-", "infer", None)
        audio, labels = Path(str(row["audio_filepath"])), Path(str(row["rttm_filepath"]))
        assert audio.stem == labels.stem
        assert "." not in audio.stem
        names.add(audio.stem)
        info = soundfile.info(exported / audio)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert row["duration"] == info.frames / 16_000
        speech = [line.split() for line in (exported / labels).read_text(encoding="ascii").splitlines()]
        speakers = {line[7] for line in speech}
        heard |= speakers
        assert row["num_speakers"] == len(speakers)
        assert {line[1] for line in speech} == {audio.stem}
        assert all(float(line[3]) + float(line[4]) <= info.duration + 1e-7 for line in speech)
    assert len(names) == SCENES
    assert heard == roles


def test_speech_is_where_rttm_says_and_nowhere_else(exported: Path) -> None:
    for row in rows(exported / "dev_mix.json") + rows(exported / "dev_user.json"):
        samples, rate = soundfile.read(exported / str(row["audio_filepath"]))
        spoken = np.zeros(len(samples), dtype=bool)
        for line in (exported / str(row["rttm_filepath"])).read_text(encoding="ascii").splitlines():
            start, seconds = (float(value) for value in line.split()[3:5])
            spoken[round(start * rate) : round((start + seconds) * rate)] = True
        # the noise has no zero sample, but two bursts may cancel out where they overlap
        assert not samples[~spoken].any()
        assert np.mean(samples[spoken] != 0) > 0.999


def test_the_user_channel_is_the_challenges_and_the_mix_is_the_sum(release: Path, exported: Path) -> None:
    notes = {row["name"]: row for row in rows(exported / "mixes.jsonl")}
    scaled = 0
    for item in ReleaseSource(release, NemoExporter().tracks).items():
        name = export_name(item)
        note = notes[name]
        assert (note["id"], note["task"], note["language"], note["split"]) == (
            item.id,
            item.task,
            item.language,
            item.split,
        )
        assert note["speakers"] == item.row["speakers"]
        user, _ = soundfile.read(release / item.files["user"], dtype="float64")
        assistant, _ = soundfile.read(release / item.files["assistant"], dtype="float64")
        alone, _ = soundfile.read(exported / "wav" / f"{name}_user.wav", dtype="float64")
        both, _ = soundfile.read(exported / "wav" / f"{name}.wav", dtype="float64")
        assert np.array_equal(alone, user)
        gain = float(str(note["mix_gain"]))
        assert np.abs(both - gain * (user + assistant)).max() <= 0.51 / 32_768
        peak = np.abs(user + assistant).max()
        assert (gain == 1.0) == (peak <= 32_767 / 32_768)
        scaled += gain < 1.0
    assert 0 < scaled < SCENES


def test_a_mix_that_does_not_clip_is_the_plain_sum() -> None:
    loud, quiet = np.array([0.9, -0.2], dtype=np.float32), np.array([0.05, 0.2], dtype=np.float32)
    total, gain = mixed(loud, quiet)
    assert gain == 1.0
    assert np.allclose(total, [0.95, 0.0])
    total, gain = mixed(loud, loud)
    assert gain == pytest.approx(32_767 / 32_768 / 1.8)
    assert np.abs(total).max() == pytest.approx(32_767 / 32_768)
    assert mixed(loud[:0], loud[:0])[1] == 1.0


def test_two_runs_are_equal_to_the_byte(release: Path, exported: Path, tmp_path: Path) -> None:
    again, count = export(release, tmp_path / "再")
    assert (count.items, count.entries) == (SCENES, 2 * SCENES)
    files = {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}
    assert files == {path.relative_to(exported): path.read_bytes() for path in exported.rglob("*") if path.is_file()}


def test_a_scene_without_the_assistants_channel_is_named(release: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(release, tmp_path / "release"))
    (root / "track2" / "zh" / "dev" / "Follow-up_Questions_model").rename(tmp_path / "gone")
    with pytest.raises(ExportError, match="the release has no assistant audio"):
        export(root, tmp_path / "out")


def test_channels_that_do_not_fit_the_row_are_named(release: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(release, tmp_path / "release"))
    (wav,) = (root / "track2" / "en" / "dev" / "Pause_Handling_model").glob("*.wav")
    samples, rate = soundfile.read(wav)
    soundfile.write(wav, samples[:-5], rate, subtype="PCM_16")
    with pytest.raises(ExportError, match="all three must agree, run humdial validate"):
        export(root, tmp_path / "out")
