"""``easy-turn``, read back the way FORMATS.md C.1 says its loaders read."""

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import layout
from data_schemas.layouts.writer import write_items
from data_schemas.tasks import INTERRUPTION_TASKS, Language, Task, Track
from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from flows.exports.formats.easy_turn import LONGEST_S, EasyTurn
from generators.scenes.conversation.settings import ConversationSettings
from tests.support.spoken_release import SCENES, make_conversation_item, make_release, staged

CLASSES = ("COMPLETE", "INCOMPLETE", "BACKCHANNEL", "WAIT")
WRITER_NEEDS = {"task", "key", "txt", "wav", "lang", "speaker", "emotion", "gender", "state", "extra"}
MEMBERS = ["txt", "wav", "task", "lang", "speaker", "emotion", "gender", "state", "duration", "extra"]
#: utterances of one scene, by class
EXPECTED: dict[Task, list[int]] = {
    **{task: [0, 0] for task in INTERRUPTION_TASKS},
    Task.BACKCHANNEL: [0, 2],
    Task.PAUSE: [1, 0],
    Task.THIRD_PARTY_BEFORE: [0],
    Task.THIRD_PARTY_AFTER: [0],
    Task.SPEECH_TO_OTHERS: [0, 0],
    Task.CONVERSATION: [0, 2, 0, 0],
}


def class_of(txt: str) -> int:
    """The shard loader: what stands in the last angle brackets; nothing is COMPLETE, anything unknown WAIT."""
    match = re.search("<(.*?)>$", txt)
    name = match.group(1) if match else "COMPLETE"
    return CLASSES.index(name) if name in CLASSES else 3


def read_shards(folder: Path, name: str = "shards_list.txt") -> Iterator[tuple[str, dict[str, bytes]]]:
    """Members of one key, as long as they stand together."""
    for line in (folder / name).read_text(encoding="utf-8").splitlines():
        with tarfile.open(folder / line) as tar:
            key, sample = "", dict[str, bytes]()
            for member in tar:
                prefix, _, postfix = member.name.rpartition(".")
                if prefix != key and sample:
                    yield key, sample
                    sample = {}
                key = prefix
                handle = tar.extractfile(member)
                assert handle is not None
                sample[postfix] = handle.read()
            yield key, sample


def rows(folder: Path, name: str = "raw.list") -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def export(root: Path, target: Path) -> ExportCount:
    exporter: Exporter = EasyTurn()
    target.mkdir()
    seen: list[int] = []
    count = exporter.write(ReleaseSource(root, exporter.tracks), target, seen.append)
    assert seen == [1] * sum(1 for _ in ReleaseSource(root, exporter.tracks).items())
    return count


def scenes(root: Path) -> dict[tuple[str, str, str], FoundItem]:
    found = ReleaseSource(root, frozenset({Track.DUPLEX})).items()
    return {(item.language, item.task, item.id): item for item in found}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("easy") / "release")


@pytest.fixture(scope="module")
def exported(release: Path) -> Path:
    target = release.parent / "out"
    count = export(release, target)
    assert (count.items, count.entries) == (SCENES, 2 * sum(map(len, EXPECTED.values())))
    assert count.left_out == {
        "third_party aside: no class in Easy-Turn": 4,
        "user aside: no class in Easy-Turn": 2,
    }
    return target


def test_every_row_has_what_loader_and_shard_writer_take(exported: Path) -> None:
    keys = [row["key"] for row in rows(exported)]
    assert len(set(keys)) == len(keys)
    for row in rows(exported):
        assert row.keys() >= WRITER_NEEDS
        assert row["task"] == "<TRANSCRIBE> <BACKCHANNEL> <COMPLETE>"
        assert row["lang"] == {"zh": "<CN>", "en": "<EN>"}[str(row["key"]).split("_")[1]]
        assert re.fullmatch(r"[A-Za-z0-9_-]+", str(row["key"]))
        assert re.fullmatch(r"S\d{4}", str(row["speaker"]))
        assert isinstance(row["extra"], dict)
        for field in WRITER_NEEDS - {"txt", "extra"}:
            assert isinstance(row[field], str)
            assert str(row[field]).isascii()


def test_txt_ends_with_one_known_tag_and_holds_no_other(exported: Path) -> None:
    for row in rows(exported):
        assert re.fullmatch(r"[^<>\[\]]*\S<(COMPLETE|INCOMPLETE|BACKCHANNEL)>", str(row["txt"])), row["txt"]
        assert class_of(str(row["txt"])) != 3


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("task", sorted(EXPECTED))
def test_utterances_have_the_class_of_the_recipe(exported: Path, task: Task, language: Language) -> None:
    found = [row for row in rows(exported) if str(row["key"]).startswith(f"dev_{language}_{task}_0001_0007_")]
    assert [class_of(str(row["txt"])) for row in found] == EXPECTED[task]


@pytest.mark.parametrize("language", list(Language))
def test_a_query_is_cut_at_its_pause(release: Path, exported: Path, language: Language) -> None:
    (item,) = (one for (spoken, task, _), one in scenes(release).items() if (spoken, task) == (language, Task.PAUSE))
    (segment,), (pause,) = item.row["speech_segments"], item.row["events"]  # type: ignore[misc]
    before, after = (one.strip() for one in segment["text"].split("[break]"))  # type: ignore[index]
    first, second = (row for row in rows(exported) if str(row["key"]).startswith(f"dev_{language}_pause_"))
    assert (first["txt"], second["txt"]) == (f"{before}<INCOMPLETE>", f"{after}<COMPLETE>")
    user = soundfile.read(release / item.files["user"], dtype="int16")[0]
    at = [round(16_000 * time) for time in (segment["xmin"], pause["start"], pause["stop"], segment["xmax"])]  # type: ignore[index]
    for row, start, stop in ((first, at[0], at[1]), (second, at[2], at[3])):
        assert np.array_equal(soundfile.read(exported / str(row["wav"]), dtype="int16")[0], user[start:stop])
        assert row["duration"] == (stop - start) / 16_000
    assert not user[at[1] : at[2]].any()


def test_audio_is_the_segment_to_the_sample(release: Path, exported: Path) -> None:
    by_place = scenes(release)
    checked = 0
    for row in rows(exported):
        extra = row["extra"]
        assert isinstance(extra, dict)
        item = by_place[str(row["key"]).split("_")[1], extra["sub_task"], extra["item"]]
        user = soundfile.read(release / item.files["user"], dtype="int16")[0]
        for segment in item.row["speech_segments"]:  # type: ignore[attr-defined]
            if f"{segment['text']}<" == str(row["txt"])[: len(segment["text"]) + 1]:
                cut = user[round(segment["xmin"] * 16_000) : round(segment["xmax"] * 16_000)]
                samples, rate = soundfile.read(exported / str(row["wav"]), dtype="int16")
                assert rate == 16_000
                assert np.array_equal(samples, cut)
                assert samples.all()  # the noise has no zero: nothing from outside the segment
                checked += 1
    assert checked == len(rows(exported)) - 4  # all but the pieces of two paused queries


def test_shards_hold_what_the_raw_list_holds(exported: Path) -> None:
    by_key = {row["key"]: row for row in rows(exported)}
    found = list(read_shards(exported))
    assert [key for key, _ in found] == list(by_key)
    for key, sample in found:
        row = by_key[key]
        assert list(sample) == MEMBERS
        assert sample["txt"].decode() == row["txt"]
        assert sample["wav"] == (exported / str(row["wav"])).read_bytes()
        assert soundfile.info(io.BytesIO(sample["wav"])).samplerate == 16_000
        assert float(sample["duration"]) == row["duration"]
        assert json.loads(sample["extra"]) == row["extra"]
        for field in ("task", "lang", "speaker", "emotion", "gender", "state"):
            assert sample[field].decode("ascii") == row[field]


def test_splits_never_share_a_list_or_a_shard(release: Path, tmp_path: Path) -> None:
    root = tmp_path / "both"
    shutil.copytree(release, root)
    shutil.copytree(root / "track2" / "zh" / "dev", root / "track2" / "zh" / "train")
    export(root, tmp_path / "out")
    whole = rows(tmp_path / "out")
    for split in ("train", "dev"):
        mine = [row["key"] for row in whole if str(row["key"]).startswith(split)]
        assert [row["key"] for row in rows(tmp_path / "out", f"raw_{split}.list")] == mine
        assert [key for key, _ in read_shards(tmp_path / "out", f"shards_list_{split}.txt")] == mine
    assert sorted(path.name for path in (tmp_path / "out" / "shards").iterdir()) == [
        "shards_000000000.tar",
        "shards_000000001.tar",
    ]


def test_two_runs_are_equal_to_the_byte(release: Path, exported: Path, tmp_path: Path) -> None:
    export(release, tmp_path / "再")
    files = {path.relative_to(tmp_path / "再"): path for path in (tmp_path / "再").rglob("*") if path.is_file()}
    assert set(files) == {path.relative_to(exported) for path in exported.rglob("*") if path.is_file()}
    assert all(path.read_bytes() == (exported / relative).read_bytes() for relative, path in files.items())


def spoil(root: Path, folder: str, **changes: object) -> Path:
    """Replaces fields in the first segment of a zh manifest, or with a dotted name in the row; None removes."""
    manifest = root / "track2" / "zh" / "dev" / f"{folder}.jsonl"
    row = json.loads(manifest.read_text(encoding="utf-8"))
    for name, value in changes.items():
        home = row if name.startswith("row_") else row["speech_segments"][0]
        home[name.removeprefix("row_")] = value
        if value is None:
            del home[name.removeprefix("row_")]
    manifest.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("changes", "txt"),
    [
        ({"text": "唉 [sigh] 算了\n吧"}, "唉 算了 吧<COMPLETE>"),
        ({"text": "嗯？ [break]", "xmin": 0.5}, None),
        ({"speaker": "小明"}, "西安有什么好玩的？<COMPLETE>"),
        ({"speaker": None}, "西安有什么好玩的？<COMPLETE>"),
    ],
)
def test_tags_and_wide_metadata_stay_out(
    release: Path, tmp_path: Path, changes: dict[str, object], txt: str | None
) -> None:
    root = spoil(shutil.copytree(release, tmp_path / "r"), "Follow-up_Questions", **changes)
    if txt is None:
        with pytest.raises(ExportError, match=r"1 \[break\] in a segment and 0 pause events"):
            export(root, tmp_path / "out")
        return
    export(root, tmp_path / "out")
    (row,) = (one for one in rows(tmp_path / "out") if one["key"] == "dev_zh_follow_up_0001_0007_1")
    assert row["txt"] == txt
    assert str(row["speaker"]).isascii()
    assert row["speaker"] != ""


def test_a_user_who_gives_way_has_not_finished(tmp_path: Path) -> None:
    settings = ConversationSettings(talk_over_share=1.0, user_yields_share=1.0)
    items = [make_conversation_item(language, 7, settings) for language in Language]
    write_items(tmp_path / "r", layout("track2"), staged(items, tmp_path / "r"))
    export(tmp_path / "r", tmp_path / "out")
    given_way = {
        (item.plan.language.value, segment.text)
        for item in items
        if item.scene is not None
        for event in item.scene.events
        for segment in item.scene.segments
        if event.kind == "user_stop" and segment.line == event.line
    }
    assert given_way
    unfinished = {
        (str(row["key"]).split("_")[1], str(row["txt"]).removesuffix("<INCOMPLETE>"))
        for row in rows(tmp_path / "out")
        if str(row["txt"]).endswith("<INCOMPLETE>")
    }
    assert unfinished == given_way


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": "[laughter]"}, "no words"),
        ({"text": "a < b 对吗"}, "text holds < or >"),
        ({"part": "humming"}, "user humming: no class in Easy-Turn"),
    ],
)
def test_what_the_loader_would_misread_is_left_out_and_counted(
    release: Path, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    root = spoil(shutil.copytree(release, tmp_path / "r"), "Follow-up_Questions", **changes)
    count = export(root, tmp_path / "out")
    assert count.left_out[reason] == 1
    assert count.entries == 2 * sum(map(len, EXPECTED.values())) - 1


def test_utterances_over_the_limit_are_left_out(release: Path, tmp_path: Path) -> None:
    root = shutil.copytree(release, tmp_path / "r")
    item = scenes(root)["zh", Task.FOLLOW_UP, "0001_0007"]
    path = root / item.files["user"]
    path.unlink()  # a copy: the release's own file stays
    soundfile.write(path, np.zeros(40 * 16_000, dtype=np.int16), 16_000, subtype="PCM_16")
    spoil(root, "Follow-up_Questions", xmin=1.0, xmax=1.0 + LONGEST_S + 1 / 16_000)
    assert export(root, tmp_path / "out").left_out["longer than 29 s"] == 1
    spoil(root, "Follow-up_Questions", xmin=1.0, xmax=1.0 + LONGEST_S)
    assert "longer than 29 s" not in export(root, tmp_path / "out2").left_out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"row_speech_segments": None}, "has no field 'speech_segments'"),
        ({"row_speech_segments": "none"}, "field speech_segments: "),
        ({"role": None}, "0.role: Field required"),
        ({"part": None}, "0.part: Field required"),
        ({"xmax": 9999.0}, "has labels for samples"),
        ({"xmax": float("nan")}, "0.xmax"),
        ({"xmax": 0.0}, "has labels for samples"),
        ({"row_id": "0001 0007"}, "cannot be a file name"),
    ],
)
def test_foreign_rows_get_one_sentence(release: Path, tmp_path: Path, changes: dict[str, object], words: str) -> None:
    root = spoil(shutil.copytree(release, tmp_path / "r"), "Follow-up_Questions", **changes)
    if "row_id" in changes:
        home = root / "track2" / "zh" / "dev"
        for folder in ("Follow-up_Questions", "Follow-up_Questions_model"):
            (home / folder / "0001_0007.wav").rename(home / folder / "0001 0007.wav")
        (home / "Follow-up_Questions" / "0001_0007_sentence.json").unlink()
    with pytest.raises((ExportError, RecordError), match=words) as caught:
        export(root, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_scene_without_a_row_says_what_to_add(release: Path, tmp_path: Path) -> None:
    root = shutil.copytree(release, tmp_path / "r")
    (root / "track2" / "zh" / "dev" / "Pause_Handling.jsonl").unlink()
    with pytest.raises(ExportError, match="no row in a manifest"):
        export(root, tmp_path / "out")
