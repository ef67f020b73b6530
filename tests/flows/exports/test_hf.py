"""``hf``: loaded, streamed and flattened with the real `datasets` library, offline."""

import importlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import soundfile

from data_schemas.foundation.base import RecordError
from data_schemas.layouts.registry import detect_layouts
from data_schemas.tasks import Language, Split, Track
from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from flows.exports.formats.hf import CARD_FILE, HuggingFaceExporter
from flows.exports.writing.hf_features import features_of, fitted
from tests.support.spoken_release import SCENES, make_release

ROWS = 4 + SCENES  # dialogues and scenes


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("hf") / "release")


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target, count = export(release, release.parent / "出口")
    assert count == ExportCount(items=ROWS, entries=ROWS)
    return target


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
            patch.setenv(name, "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("home")))
        yield importlib.import_module("datasets")


@pytest.fixture
def load(datasets: Any, exported: Path, tmp_path: Path) -> Callable[[str], Any]:
    return lambda config: datasets.load_dataset(str(exported), config, cache_dir=str(tmp_path / "cache"))


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    return shutil.copytree(release, tmp_path / "release")


def export(
    root: Path, target: Path, exporter: Exporter | None = None, splits: frozenset[Split] = frozenset(Split)
) -> tuple[Path, ExportCount]:
    chosen = exporter or HuggingFaceExporter()
    target.mkdir()
    return target, chosen.write(ReleaseSource(root, chosen.tracks, splits=splits), target, lambda done: None)


def raw_rows(data: Any) -> list[dict[str, Any]]:
    """Rows with audio as bytes, not decoded."""
    rows: list[dict[str, Any]] = data.with_format("arrow")[:].to_pylist()
    return rows


def items(root: Path, track: Track) -> list[Any]:
    return [item for layout in detect_layouts(root) if layout.track is track for item in layout.read(root)]


def test_dialogues_come_back_as_they_were(release: Path, load: Callable[[str], Any]) -> None:
    data = load("track1")
    assert list(data) == ["dev"]
    found = items(release, Track.EMOTION)
    rows = raw_rows(data["dev"])
    assert [row["id"] for row in rows] == [item.id for item in found]
    for row, item in zip(rows, found, strict=True):
        assert (row["task"], row["language"]) == (item.task, item.language)
        for turn, given in zip(row["turns"], item.row["turns"], strict=True):
            audio = turn.pop("audio")
            path = item.files[f"turn_{turn['turn_id']}"]
            assert audio == {"bytes": (release / path).read_bytes(), "path": path}
            assert turn == {key: value for key, value in given.items() if key != "split_audio_file"}
    assert [len(row["turns"]) for row in rows] == [3, 5, 3, 5]


def test_scenes_come_back_as_they_were(release: Path, load: Callable[[str], Any]) -> None:
    found = items(release, Track.DUPLEX)
    rows = raw_rows(load("track2")["dev"])
    assert len(rows) == len(found) == SCENES
    for row, item in zip(rows, found, strict=True):
        assert (row["id"], row["task"], row["language"]) == (item.id, item.task, item.language)
        for role in ("user", "assistant", "clean"):
            audio = row[f"{role}_audio"]
            if role == "clean" and item.row["clean"] is None:
                assert audio is None
                continue
            assert audio == {"bytes": (release / item.files[role]).read_bytes(), "path": item.files[role]}
            samples, rate = soundfile.read(io.BytesIO(audio["bytes"]))
            assert len(samples) / rate == row["final_duration"]
        for name in ("final_duration", "speech_segments", "assistant_segments", "events", "floor"):
            assert row[name] == item.row[name]
        assert any(segment["words"] for segment in row["assistant_segments"]) == (row["language"] == "en")
        assert row["microphone"] is None
        assert {role: voice for role, voice in row["speakers"].items() if voice} == item.row["speakers"]
    assert any(segment["cut"] for row in rows for segment in row["assistant_segments"])


def test_the_library_knows_the_audio(datasets: Any, load: Callable[[str], Any]) -> None:
    audio = datasets.Audio(sampling_rate=16_000)
    first, second = load("track1")["dev"].features, load("track2")["dev"].features
    assert first["turns"].feature["audio"] == audio
    assert [second[f"{role}_audio"] for role in ("user", "assistant", "clean")] == [audio] * 3
    for features, track in ((first, Track.EMOTION), (second, Track.DUPLEX)):
        assert features == datasets.Features.from_dict(dict(features_of(track)))


@pytest.mark.parametrize("config", ["track1", "track2"])
def test_it_streams(datasets: Any, exported: Path, load: Callable[[str], Any], config: str) -> None:
    stream = datasets.load_dataset(str(exported), config, split="dev", streaming=True)
    assert [row["id"] for row in stream.decode(False)] == load(config)["dev"]["id"]


def test_what_the_card_says_about_turns_works(load: Callable[[str], Any], release: Path, exported: Path) -> None:
    card = (exported / CARD_FILE).read_text(encoding="utf-8")
    (snippet,) = [code for code in re.findall(r"```python\n(.*?)```", card, re.S) if "def turns" in code]
    names: dict[str, Any] = {"data": load("track1")}
    exec(snippet, names)
    rows = raw_rows(names["flat"])
    assert names["flat"].features["audio"].sampling_rate == 16_000
    given = [(item.id, turn) for item in items(release, Track.EMOTION) for turn in item.row["turns"]]
    assert [(row["id"], row["turn_id"], row["text"]) for row in rows] == [
        (identity, turn["turn_id"], turn["text"]) for identity, turn in given
    ]
    assert all(row["audio"]["bytes"].startswith(b"RIFF") for row in rows)


def test_the_card_names_every_column_and_counts_rows(exported: Path) -> None:
    card = (exported / CARD_FILE).read_text(encoding="utf-8")
    for track in Track:
        for name, feature in features_of(track).items():
            assert f"| {name} |" in card
            if name == "turns":
                assert all(f"| turns[].{inner} |" in card for inner in feature[0])
        for language in Language:
            assert f"| {track} | dev | {language} | {2 if track is Track.EMOTION else SCENES // 2} |" in card
    assert "synthetic" not in card  # no lock: nobody knows who made it


def test_shards_and_row_groups_are_cut_by_size(release: Path, tmp_path: Path, datasets: Any) -> None:
    exporter = HuggingFaceExporter(group_bytes=600_000, shard_bytes=2_500_000)
    target, _ = export(release, tmp_path / "out", exporter)
    shards = sorted((target / "data/track2").iterdir())
    assert len(shards) > 2
    names = [f"dev-{number:05d}-of-{len(shards):05d}.parquet" for number in range(len(shards))]
    assert [shard.name for shard in shards] == names
    assert all(pq.ParquetFile(shard).num_row_groups > 1 for shard in shards[:-1])
    data = datasets.load_dataset(str(target), "track2", split="dev", cache_dir=str(tmp_path / "cache"))
    assert [(row["task"], row["language"], row["id"]) for row in raw_rows(data)] == [
        (item.task, item.language, item.id) for item in items(release, Track.DUPLEX)
    ]


def test_two_exports_are_the_same_bytes(release: Path, exported: Path, tmp_path: Path) -> None:
    again, _ = export(release, tmp_path / "again")
    files = sorted(path.relative_to(exported) for path in exported.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((exported / file).read_bytes() == (again / file).read_bytes() for file in files)


def test_only_what_is_there_is_named(copy: Path, tmp_path: Path, datasets: Any) -> None:
    shutil.rmtree(copy / "track1")
    target, _ = export(copy, tmp_path / "out")
    assert datasets.get_dataset_config_names(str(target)) == ["track2"]
    nothing, count = export(copy, tmp_path / "nothing", splits=frozenset({Split.TRAIN}))
    assert count.entries == 0
    assert [path.name for path in nothing.iterdir()] == [CARD_FILE]


def test_a_foreign_release_leaves_nulls(copy: Path, tmp_path: Path) -> None:
    manifest = copy / "track1/dev/zh/task2.jsonl"
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["extra"] = {"x": 1}
        for turn in row["turns"]:
            for name in ("intensity", "cause", "speaker", "duration", "response_text"):
                del turn[name]
            turn["mehr"] = [1]
    manifest.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for wav in copy.glob("track2/*/dev/*_model/*.wav"):
        wav.unlink()
    target, count = export(copy, tmp_path / "out")
    assert count.entries == ROWS
    (shard,) = (target / "data/track1").iterdir()
    turn = pq.read_table(shard).to_pylist()[0]["turns"][0]
    assert turn["text"] == rows[0]["turns"][0]["text"]
    assert turn["intensity"] is turn["response_text"] is None
    (shard,) = (target / "data/track2").iterdir()
    assert pq.read_table(shard)["assistant_audio"].null_count == SCENES


@pytest.mark.parametrize(
    ("manifest", "change", "words"),
    [
        ("track1/dev/zh/task2.jsonl", lambda row: row.pop("turns"), "turns"),
        ("track1/dev/zh/task2.jsonl", lambda row: row.update(turns="无"), "list of at least one object"),
        ("track1/dev/zh/task2.jsonl", lambda row: row["turns"][0].update(intensity="很"), r"turns\[0\].intensity"),
        ("track1/dev/zh/task2.jsonl", lambda row: row["turns"][0].update(intensity=1 << 40), "int32"),
        ("track1/dev/zh/task2.jsonl", lambda row: row["turns"][1].update(turn_id=1), "stands twice"),
        ("track1/dev/zh/task2.jsonl", lambda row: row["turns"][1].pop("split_audio_file"), "turn_2"),
        ("track2/zh/dev/Pause_Handling.jsonl", lambda row: row.pop("speech_segments"), "speech_segments"),
        ("track2/zh/dev/Pause_Handling.jsonl", lambda row: row.update(speech_segments={}), "must be a list"),
        ("track2/zh/dev/Pause_Handling.jsonl", lambda row: row.update(final_duration=True), "float64, not bool"),
        ("track2/zh/dev/Pause_Handling.jsonl", lambda row: row.update(speakers=["S1"]), "must be an object"),
        ("track2/zh/dev/Pause_Handling.jsonl", lambda row: row.update(id="0009_0009"), "no row in a manifest"),
    ],
)
def test_rows_that_cannot_be_used_are_one_sentence(
    copy: Path, tmp_path: Path, manifest: str, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    path = copy / manifest
    first, *others = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    change(first)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in (first, *others)), encoding="utf-8")
    with pytest.raises((ExportError, RecordError), match=words) as raised:
        export(copy, tmp_path / "out")
    assert "\n" not in str(raised.value)


def test_scenes_without_a_manifest_and_files_that_are_no_audio_are_one_sentence(copy: Path, tmp_path: Path) -> None:
    manifest = copy / "track2/zh/dev/Pause_Handling.jsonl"
    rows = manifest.read_bytes()
    manifest.unlink()
    with pytest.raises(ExportError, match="no row in a manifest"):
        export(copy, tmp_path / "one")
    manifest.write_bytes(rows)
    wav = next(copy.glob("track2/zh/dev/Pause_Handling/*.wav"))
    wav.write_bytes(b"RIFF")
    with pytest.raises(ExportError, match="no audio file"):
        export(copy, tmp_path / "two")
    wav.unlink()
    with pytest.raises(ExportError, match=f"{wav.name} is missing"):
        export(copy, tmp_path / "three")


def test_whole_numbers_are_seconds_too() -> None:
    assert fitted({"xmin": 1, "xmax": 2.5}, {"xmin": {"dtype": "float64", "_type": "Value"}}, "x") == {"xmin": 1}
