"""The real flow under a real Prefect server: draft speech, both tracks, both languages."""

import json
from dataclasses import replace
from pathlib import Path

import polars
import pytest

from data_schemas.finding import Severity
from flows.common.workers import WorkerPool
from tests.support.builds import draft_config, run_humdial
from validators.core.judges import ALL
from validators.core.settings import ValidationSettings
from validators.emotion.acoustic_features import AcousticFeatures
from validators.emotion.prosody import ProsodyProbe
from validators.run.directory import JudgeOrder, validate_root
from validators.run.tables import measures_frame
from validators.scene import scene_judges
from validators.sets.fingerprint import FingerprintProbe
from validators.sound.quality import QualityProbe
from validators.voices.speaker_encoder import SpeakerEncoder
from validators.words.recogniser import Recogniser

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    status, output = run_humdial("build", str(draft_config(folder)), folder=folder)
    assert status == 0, output
    assert "9 items" in output
    return folder / "release"


def lock_of(release: Path) -> dict[str, object]:
    return json.loads((release / "dataset.lock.json").read_text(encoding="utf-8"))


def test_every_quota_is_met_and_the_books_balance(release: Path) -> None:
    counts = lock_of(release)["counts"]
    assert isinstance(counts, list)
    assert len(counts) == 9
    for count in counts:
        assert count["released"] == count["quota"]
        assert count["planned"] + count["topped_up"] == count["released"] + count["quarantined"]


def test_validate_agrees(release: Path) -> None:
    status, output = run_humdial("validate", str(release), "--fast", folder=release.parent)
    assert status == 0, output
    assert "9 items judged: 0 errors" in output


def test_validate_finds_a_changed_file(release: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "改动"
    shutil.copytree(release, copy)
    manifest = copy / "track1" / "train" / "zh" / "task2_3.jsonl"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("neutral", "平静"), encoding="utf-8")
    status, output = run_humdial("validate", str(copy), "--fast", folder=tmp_path)
    assert status == 1
    assert "T1.EMOTION_LABEL" in output


def test_manifests_are_what_the_scripts_read(release: Path) -> None:
    lines = (release / "track1" / "train" / "zh" / "task2_3.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[0])
    assert row["dialogue_id"].startswith("task2_3_zh_")
    assert [turn["turn_id"] for turn in row["turns"]] == [1, 2, 3]
    assert row["turns"][-1]["emotion"] == "neutral"
    for turn in row["turns"]:
        assert (release / "track1" / "train" / "zh" / turn["split_audio_file"]).is_file()
    assert "\\u" not in lines[0]


def test_the_catalog_knows_every_utterance(release: Path) -> None:
    catalog = polars.read_parquet(release / "catalog.parquet")
    assert set(catalog["language"].unique()) == {"zh", "en"}
    for file in catalog["file"].unique():
        assert (release / file).is_file()


def test_the_same_release_again_is_a_no_op(release: Path) -> None:
    status, output = run_humdial("build", str(release.parent / "draft.yaml"), folder=release.parent)
    assert status == 0, output
    assert "nothing to do" in output


def test_two_workers_give_the_same_tree(release: Path, tmp_path: Path) -> None:
    config = draft_config(tmp_path, execution={"workers": 2, "shard_items": 2})
    status, output = run_humdial("build", str(config), folder=tmp_path)
    assert status == 0, output
    assert lock_of(tmp_path / "release")["tree_sha256"] == lock_of(release)["tree_sha256"]


def test_every_judge_runs_measures_once_and_does_not_depend_on_workers(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All models, one and two processes; what was measured is not measured again, also by another number of them."""
    settings = ValidationSettings()
    order = JudgeOrder(settings=settings, selected=ALL, engine="espeak", kept=tmp_path / "measured.sqlite")
    one = validate_root(release, order)
    assert [finding for finding in one.findings if finding.severity is Severity.ERROR] == []
    assert {"wer", "ovrl", "speaker_seconds", "f0_median_st", "snr_db"} <= {
        name for clip in one.clips for name in clip.values
    }
    assert set(one.reports) == {"diarization", "prosody", "emotion", "catalog"}
    fresh = replace(order, kept=tmp_path / "other.sqlite")
    with WorkerPool(2) as pool:
        two = validate_root(release, fresh, executor=pool, workers=pool.workers)
    assert two.findings == one.findings and two.reports == one.reports
    assert measures_frame(two.clips).equals(measures_frame(one.clips))
    for probe in (Recogniser, QualityProbe, SpeakerEncoder, ProsodyProbe, AcousticFeatures, FingerprintProbe):
        monkeypatch.setattr(probe, "measure", _measured_again)
    monkeypatch.setattr(scene_judges, "judge_voices", _measured_again)
    again = validate_root(release, order)
    assert again.findings == one.findings and measures_frame(again.clips).equals(measures_frame(one.clips))


def _measured_again(*_: object) -> None:
    raise AssertionError("measured again")
