"""``osum-echat``, read back the way FORMATS.md C.2 says its shard loader reads."""

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from data_schemas.foundation.base import RecordError
from data_schemas.tasks import Track
from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from flows.exports.formats.osum_echat import OsumEchat
from tests.support.spoken_release import make_release
from tests.support.voiced_release import make_voiced_release


def read_shards(folder: Path, name: str = "shards_list.txt") -> Iterator[dict[str, object]]:
    """Samples with ``history``: a list in which place i holds wav_(i+1) and txt_(i+1), in any order of members."""
    for line in (folder / name).read_text(encoding="utf-8").splitlines():
        with tarfile.open(folder / line) as tar:
            sample: dict[str, object] = {}
            history: dict[int, dict[str, bytes]] = {}
            for member in tar:
                prefix, _, postfix = member.name.rpartition(".")
                if sample and prefix != sample["key"]:
                    yield finished(sample, history)
                    sample, history = {}, {}
                handle = tar.extractfile(member)
                assert handle is not None
                sample["key"] = prefix
                earlier = re.fullmatch(r"(wav|txt)_(\d+)", postfix)
                if earlier:
                    history.setdefault(int(earlier.group(2)), {})[earlier.group(1)] = handle.read()
                else:
                    assert postfix not in sample, f"{member.name} stands twice"
                    sample[postfix] = handle.read()
            yield finished(sample, history)


def finished(sample: dict[str, object], history: dict[int, dict[str, bytes]]) -> dict[str, object]:
    assert sorted(history) == list(range(1, len(history) + 1)), "a gap in the history makes the loader drop it"
    assert all(turn.keys() == {"wav", "txt"} for turn in history.values())
    return {**sample, "history": [history[place] for place in sorted(history)]}


def rows(folder: Path, name: str = "data.list") -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def export(root: Path, target: Path) -> ExportCount:
    exporter: Exporter = OsumEchat()
    target.mkdir()
    return exporter.write(ReleaseSource(root, exporter.tracks), target, lambda done: None)


def single_turn(root: Path) -> None:
    """Adds the first turn of a zh dialogue as a recognition item in train."""
    row = json.loads((root / "track1/dev/zh/task2.jsonl").read_text(encoding="utf-8").splitlines()[0])
    home = root / "track1/train/zh"
    (home / "task1").mkdir(parents=True)
    turn = {**row["turns"][0], "split_audio_file": "task1/task1_1_zh_0001_0009_1.wav"}
    shutil.copyfile(root / "track1/dev/zh" / row["turns"][0]["split_audio_file"], home / turn["split_audio_file"])
    line = json.dumps({"dialogue_id": "task1_1_zh_0001_0009", "turns": [turn]}, ensure_ascii=False)
    (home / "task1.jsonl").write_text(line + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_release(tmp_path_factory.mktemp("osum") / "release")
    single_turn(root)
    return root


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target = release.parent / "out"
    assert export(release, target) == ExportCount(items=5, entries=5)
    return target


def dialogues(root: Path) -> dict[str, list[dict[str, object]]]:
    found = ReleaseSource(root, frozenset({Track.EMOTION})).items()
    return {item.id: item.row["turns"] for item in found}  # type: ignore[misc]


def test_the_last_turn_is_answered_and_the_earlier_ones_are_its_history(release: Path, exported: Path) -> None:
    source = dialogues(release)
    assert sorted(len(turns) for turns in source.values()) == [1, 3, 3, 5, 5]
    for row in rows(exported):
        turns = source[str(row["key"])]
        assert row["txt"] == turns[-1]["response_text"]
        assert str(row["wav"]).endswith(f"_{len(turns)}.wav")
        history = {name for name in row if re.fullmatch(r"(wav|txt)_\d+", name)}
        assert history == {f"{kind}_{number}" for kind in ("wav", "txt") for number in range(1, len(turns))}
        for number, turn in enumerate(turns[:-1], start=1):
            assert row[f"txt_{number}"] == turn["response_text"]
            assert str(row[f"wav_{number}"]).endswith(f"_{number}.wav")


def test_task_and_tokens_follow_the_number_of_turns(exported: Path) -> None:
    for row in rows(exported):
        earlier = sum(name.startswith("wav_") for name in row)
        assert row["task"] == "<S2TCHAT> <TEXT2TOKEN>" + (" <HISTORY>" if earlier else "")
        assert row["extra"] == {"speech_token": []} | {f"speech_token_{place + 1}": [] for place in range(earlier)}


def test_no_string_is_empty_and_paths_lead_to_the_audio(release: Path, exported: Path) -> None:
    source = {item.id: item for item in ReleaseSource(release, frozenset({Track.EMOTION})).items()}
    for row in rows(exported):
        assert all(value != "" for value in row.values())
        assert "." not in str(row["key"])
        item = source[str(row["key"])]
        for number in range(1, len(item.files) + 1):
            path = row[f"wav_{number}"] if f"wav_{number}" in row else row["wav"]
            assert (exported / str(path)).read_bytes() == (release / item.files[f"turn_{number}"]).read_bytes()


def test_shards_hold_what_the_raw_list_holds(exported: Path) -> None:
    found = list(read_shards(exported))
    assert [sample["key"] for sample in found] == [row["key"] for row in rows(exported)]
    for sample, row in zip(found, rows(exported), strict=True):
        text = {name: value.decode() for name, value in sample.items() if isinstance(value, bytes) and name != "wav"}
        assert text["txt"] == row["txt"]
        assert json.loads(text["extra"]) == row["extra"]
        assert float(text["duration"]) == row["duration"]
        for field in ("task", "lang", "speaker", "emotion", "gender"):
            assert text[field] == row[field]
            assert text[field].isascii()
        assert sample["wav"] == (exported / str(row["wav"])).read_bytes()
        assert isinstance(sample["wav"], bytes)
        assert soundfile.info(io.BytesIO(sample["wav"])).duration == row["duration"]
        history = sample["history"]
        assert isinstance(history, list)
        for number, turn in enumerate(history, start=1):
            assert turn["txt"].decode() == row[f"txt_{number}"]
            assert turn["wav"] == (exported / str(row[f"wav_{number}"])).read_bytes()


def test_members_stand_in_one_order(exported: Path) -> None:
    with tarfile.open(exported / "shards" / "shards_000000001.tar") as tar:
        names = [name.partition(".") for name in tar.getnames()]
    first = [postfix for prefix, _, postfix in names if prefix == names[0][0]]
    assert first[:6] == ["wav", "txt", "wav_1", "txt_1", "wav_2", "txt_2"]
    assert first[6:] == ["task", "lang", "speaker", "emotion", "gender", "duration", "extra"]


def test_emotion_is_a_tag_of_theirs(exported: Path) -> None:
    assert {row["emotion"] for row in rows(exported)} == {"<NEUTRAL>", "<ANGER>"}
    assert {row["lang"] for row in rows(exported)} == {"<CN>", "<EN>"}


def test_splits_never_share_a_list_or_a_shard(exported: Path) -> None:
    assert [row["key"] for row in rows(exported, "data_train.list")] == ["task1_1_zh_0001_0009"]
    assert [one["key"] for one in read_shards(exported, "shards_list_train.txt")] == ["task1_1_zh_0001_0009"]
    assert len(list(read_shards(exported, "shards_list_dev.txt"))) == len(rows(exported, "data_dev.list")) == 4


def test_two_runs_are_equal_to_the_byte(release: Path, exported: Path, tmp_path: Path) -> None:
    export(release, tmp_path / "再")
    files = {path.relative_to(tmp_path / "再"): path for path in (tmp_path / "再").rglob("*") if path.is_file()}
    assert set(files) == {path.relative_to(exported) for path in exported.rglob("*") if path.is_file()}
    assert all(path.read_bytes() == (exported / relative).read_bytes() for relative, path in files.items())


def spoil(root: Path, **changes: object) -> Path:
    """Replaces fields of every turn of the single-turn item; None removes. ``dialogue_id`` is the row's."""
    manifest = root / "track1/train/zh/task1.jsonl"
    row = json.loads(manifest.read_text(encoding="utf-8"))
    for name, value in changes.items():
        home = row if name == "dialogue_id" else row["turns"][0]
        home[name] = value
        if value is None:
            del home[name]
    manifest.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    return root


def test_what_a_row_does_not_say_is_marked(release: Path, tmp_path: Path) -> None:
    root = shutil.copytree(release, tmp_path / "r")
    spoil(root, dialogue_id="zh_0001_0001", emotion="说不清", speaker=None, intensity=None, duration=None)
    export(root, tmp_path / "out")
    (row,) = rows(tmp_path / "out", "data_train.list")
    assert row["key"] == "train_zh_recognition_zh_0001_0001"
    assert (row["emotion"], row["speaker"], row["gender"]) == ("<NONE>", "<NONE>", "<NONE>")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"response_text": None}, r"task1\.jsonl:1: .*0\.response_text: Field required"),
        ({"response_text": " "}, r"0\.response_text"),
        ({"turn_id": 2}, "1..n without gaps"),
        ({"turn_id": "eins"}, r"0\.turn_id"),
        ({"split_audio_file": None}, "no turn_1 audio"),
        ({"dialogue_id": "zh.1"}, "cannot be a file name"),
        ({"dialogue_id": "task2_3_zh_0001_0003"}, "stands twice"),
    ],
)
def test_foreign_rows_get_one_sentence(release: Path, tmp_path: Path, changes: dict[str, object], words: str) -> None:
    root = spoil(shutil.copytree(release, tmp_path / "r"), **changes)
    with pytest.raises((ExportError, RecordError), match=words) as caught:
        export(root, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_voiced_replies_go_along_and_extra_says_where(tmp_path: Path) -> None:
    make_voiced_release(tmp_path / "release")
    assert export(tmp_path / "release", tmp_path / "out").items == 3
    source = {item.id: item for item in ReleaseSource(tmp_path / "release", frozenset({Track.EMOTION})).items()}
    named: set[str] = set()
    for row in rows(tmp_path / "out"):
        item, extra = source[str(row["key"])], dict(row["extra"])  # type: ignore[call-overload]
        turns = len(item.row["turns"])  # type: ignore[arg-type]
        tokens = {name.replace("speech_token", "reply_wav") for name in extra if name.startswith("speech_token")}
        voiced = {name for name in extra if name.startswith("reply_wav")}
        assert voiced == (tokens if "response_1" in item.files else set())
        for name in voiced:
            number = int(name.removeprefix("reply_wav_")) if name != "reply_wav" else turns
            reply = tmp_path / "release" / item.files[f"response_{number}"]
            assert (tmp_path / "out" / extra[name]).read_bytes() == reply.read_bytes()
            named.add(extra[name])
    assert len(named) == 6
    there = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out" / "reply").iterdir()}
    assert there == named
    for sample, row in zip(read_shards(tmp_path / "out"), rows(tmp_path / "out"), strict=True):
        assert json.loads(sample["extra"]) == row["extra"]  # type: ignore[arg-type]


def test_a_release_without_voiced_replies_has_no_reply_folder(exported: Path) -> None:
    assert not (exported / "reply").exists()
