"""``webdataset``: streamed through the real package where it is installed, and through plain tar."""

import importlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest
import soundfile

from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Task, Track
from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from flows.exports.formats.webdataset import WebDatasetShards
from tests.support.spoken_release import SCENES, make_release

SHARDS = [f"track{track}-{language}-dev-000000.tar" for track in (1, 2) for language in ("en", "zh")]


def export(root: Path, target: Path) -> ExportCount:
    exporter: Exporter = WebDatasetShards()
    target.mkdir()
    return exporter.write(ReleaseSource(root, exporter.tracks), target, lambda done: None)


def read_tar(folder: Path) -> dict[str, dict[str, bytes]]:
    """Key and extension part at the first dot of a name, as WebDataset does; members of a key must be adjacent."""
    samples: dict[str, dict[str, bytes]] = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            last = ""
            for member in tar:
                key, _, extension = member.name.partition(".")
                assert key == last or key not in samples
                last = key
                handle = tar.extractfile(member)
                assert handle is not None
                samples.setdefault(key, {})[extension] = handle.read()
    return samples


def found(root: Path) -> dict[tuple[str, str, str], FoundItem]:
    return {(one.task, one.language, one.id): one for one in ReleaseSource(root, frozenset(Track)).items()}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("web") / "release")


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target = release.parent / "out"
    assert export(release, target) == ExportCount(items=4 + SCENES, entries=4)
    return target


def test_every_item_is_there_with_its_row_and_its_files(release: Path, exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == SHARDS
    items = found(release)
    samples = read_tar(exported)
    assert len(samples) == len(items)
    for sample in samples.values():
        about = json.loads(sample["json"])
        item = items[about["task"], about["language"], about["id"]]
        assert about["row"] == item.row
        assert (about["track"], about["split"]) == (item.track, item.split)
        assert about["files"].keys() == item.files.keys()
        for role, extension in about["files"].items():
            assert sample[extension] == (release / item.files[role]).read_bytes()
        assert sample.keys() == {"json", *about["files"].values()}


def test_roles_are_spelled_in_the_names(exported: Path) -> None:
    samples = read_tar(exported)
    dialogue = samples["dev_task2_5_zh_0001_0005"]
    assert list(dialogue) == ["json", *(f"turn_{number}.wav" for number in range(1, 6))]
    scene = samples["dev_en_pause_0001_0007"]
    assert list(scene) == ["json", "assistant.wav", "sentence.json", "user.wav"]
    assert "clean.wav" in samples["dev_zh_backchannel_0001_0007"]
    assert "西安".encode() in samples["dev_zh_pause_0001_0007"]["json"]  # visible Chinese


def test_the_real_package_streams_them(release: Path, exported: Path) -> None:
    webdataset = importlib.import_module("webdataset")
    shards = [str(exported / name) for name in SHARDS]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
    assert len(samples) == len(found(release))
    plain = read_tar(exported)
    for sample in samples:
        about = sample["json"]
        assert about["row"]
        members = plain[sample["__key__"]]
        for extension in about["files"].values():
            value = sample[extension]
            if extension.endswith(".json"):
                assert value == json.loads(members[extension])
                continue
            assert value == members[extension]
            info = soundfile.info(io.BytesIO(value))
            assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    scenes = [sample for sample in samples if sample["json"]["track"] == Track.DUPLEX]
    for sample in scenes:
        seconds = {soundfile.info(io.BytesIO(sample[role])).duration for role in ("user.wav", "assistant.wav")}
        assert seconds == {sample["json"]["row"]["final_duration"]}


def test_a_brace_pattern_picks_a_language(exported: Path) -> None:
    webdataset = importlib.import_module("webdataset")
    pattern = str(exported / "track2-zh-dev-{000000..000000}.tar")
    languages = {one["json"]["language"] for one in webdataset.WebDataset(pattern, shardshuffle=False).decode()}
    assert languages == {Language.ZH}


def test_two_runs_are_equal_to_the_byte(release: Path, exported: Path, tmp_path: Path) -> None:
    export(release, tmp_path / "再")
    for name in SHARDS:
        assert (tmp_path / "再" / name).read_bytes() == (exported / name).read_bytes()


def test_a_release_without_rows_and_clean_files_is_taken_as_it_is(release: Path, tmp_path: Path) -> None:
    root = shutil.copytree(release, tmp_path / "r")
    shutil.rmtree(root / "track1")
    for path in [*root.rglob("*.jsonl"), *root.rglob("clean_*.wav")]:
        path.unlink()
    for path in list(root.rglob("*_model")):
        shutil.rmtree(path)
    export(root, tmp_path / "out")
    for sample in read_tar(tmp_path / "out").values():
        assert list(sample) == ["json", "sentence.json", "user.wav"]
        assert json.loads(sample["json"])["row"] == {}


def test_missing_speech_gets_one_sentence(release: Path, tmp_path: Path) -> None:
    root = shutil.copytree(release, tmp_path / "r")
    item = found(root)[Task.PAUSE, Language.ZH, "0001_0007"]
    (root / item.files["user"]).unlink()
    with pytest.raises(ExportError, match=r"0001_0007\.wav is missing") as caught:
        export(root, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"dialogue_id":"task2_3_zh_0001_0003"', '"dialogue_id":"我的"', "cannot be a file name"),
        ('"dialogue_id":"task2_3_zh_0001_0003"', '"dialogue_id":"task2_5_zh_0001_0005"', "stands twice"),
        ('"turn_id":1', '"turn_id":"1.5"', "turn_id must be a number"),
    ],
)
def test_rows_that_cannot_be_keys_get_one_sentence(
    release: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    root = shutil.copytree(release, tmp_path / "r")
    manifest = root / "track1" / "dev" / "zh" / "task2.jsonl"
    text = manifest.read_text(encoding="utf-8")
    assert old in text
    manifest.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ExportError, match=words) as caught:
        export(root, tmp_path / "out")
    assert "\n" not in str(caught.value)
