"""Layouts over random items and random bytes: what holds for every item, and readers that never give up."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import write_wav
from data_schemas.foundation.base import RecordError, parse_line
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item, turn_wav
from data_schemas.item_code import MAX_INDEX
from data_schemas.layouts.base import inside
from data_schemas.layouts.registry import layout
from data_schemas.layouts.rows import parse_row
from data_schemas.layouts.track1_rows import Track1Row
from data_schemas.layouts.track2_rows import Track2Row
from data_schemas.layouts.writer import write_items
from data_schemas.scene import Placement, Scene, Segment
from data_schemas.script import Script, ScriptProvenance, ScriptTurn
from data_schemas.tasks import SUB_TASKS, TRACK1_TASKS, TURNS_OF_TASK, Channel, Language, Part, Role, Task
from tests.support.scene_factory import make_plan, make_script, make_utterance, make_utterances

RATE = 16_000
#: What people type, minus brackets (tags) and halves of surrogate pairs, which are no characters.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=20)
FEELINGS = [emotion for emotion in Emotion if not emotion.is_neutral]

#: FORMATS.md A.4 with the two turns left out there filled in.
EXAMPLE: dict[str, Any] = {
    "dialogue_id": "task2_4_en_0002_0014",
    "turns": [
        {
            "turn_id": turn_id,
            "text": text,
            "emotion": emotion,
            "split_audio_file": f"task2_4/task2_4_en_0002_0014_{turn_id}.wav",
            "response_text": reply,
        }
        for turn_id, text, emotion, reply in (
            (1, "My team sent wrong data again! [sigh]", "anger", "That sounds infuriating."),
            (2, "I checked it myself.", "neutral", "And?"),
            (3, "It was right all along!", "surprise", "Oh!"),
            (4, "How did my feelings change?", "neutral", "You went from anger to surprise."),
        )
    ],
}


@st.composite
def dialogues(draw: st.DrawFn) -> Item:
    task = draw(st.sampled_from(sorted(TRACK1_TASKS)))
    language = draw(st.sampled_from(list(Language)))
    turns = draw(st.sampled_from(TURNS_OF_TASK[task]))
    feelings = [Emotion.NEUTRAL] * turns
    places = draw(st.permutations(range(max(1, turns - 1))))[:2]
    for place, feeling in zip(places, draw(st.permutations(FEELINGS)), strict=False):
        feelings[place] = feeling
    script = Script(
        script_id="s-1",
        task=task,
        language=language,
        domain="旅行",
        turns=tuple(
            ScriptTurn(
                text=draw(words),
                emotion=feeling,
                intensity=0 if feeling.is_neutral else draw(st.integers(1, 3)),
                cause=draw(words),
                response_text=draw(words),
            )
            for feeling in feelings
        ),
        provenance=ScriptProvenance(writer="pack", author="tests", version="1"),
    )
    plan = make_plan(script, index=draw(st.integers(1, MAX_INDEX)))
    utterances = tuple(
        make_utterance(f"p/{number}", Role.USER, turn.text, draw(st.integers(1, 2_000_000)), language)
        for number, turn in enumerate(script.turns, start=1)
    )
    return Item(plan=plan, script=script, utterances=utterances)


@st.composite
def scenes(draw: st.DrawFn) -> Item:
    task = draw(st.sampled_from(SUB_TASKS))
    script = make_script(task, draw(st.sampled_from(list(Language))))
    plan = make_plan(script, index=draw(st.integers(1, MAX_INDEX)))
    utterances = make_utterances(plan, script, lambda part, piece: RATE)
    placements, now = [], 0
    for one in utterances:
        start = now + draw(st.integers(0, 3 * RATE))
        now = start + draw(st.integers(1, 5 * RATE))
        placements.append(
            Placement(
                utterance_id=one.id,
                line=int(one.id.rsplit("/", 1)[1].split(".")[0]),
                channel=Channel.ASSISTANT if one.role is Role.ASSISTANT else Channel.USER,
                role=one.role,
                part=one.part or Part.QUERY,
                start=start,
                stop=now,
                planned_text=one.text,
                heard_text=draw(words),
                cut=draw(st.booleans()),
            )
        )
    scene = Scene(
        plan_id=plan.id,
        task=task,
        language=script.language,
        sample_rate=RATE,
        num_samples=now + draw(st.integers(0, 10 * RATE)),
        placements=tuple(placements),
        segments=tuple(
            Segment(line=p.line, start=p.start, stop=p.stop, text=draw(words), role=p.role, part=p.part)
            for p in placements
            if p.channel is Channel.USER
        ),
    )
    return Item(plan=plan, script=script, utterances=utterances, scene=scene)


def write_and_read(item: Item, name: str) -> tuple[dict[str, object], dict[str, str]]:
    """The row and the files of the only item below a fresh root."""
    with tempfile.TemporaryDirectory() as place:
        root, staged = Path(place) / "r", Path(place) / "s"
        for wav in (turn_wav(1), turn_wav(2), turn_wav(3), turn_wav(4), turn_wav(5)):
            (staged / wav).parent.mkdir(exist_ok=True)
            (staged / wav).touch()
        for wav in (USER_WAV, ASSISTANT_WAV, CLEAN_WAV):
            (staged / wav).touch()
        chosen = layout(name)
        assert write_items(root, chosen, [(item, staged)]) == [root.resolve() / chosen.manifest(item)]
        (found,) = chosen.read(root)
        assert found.id == chosen.item_id(item)
        assert (found.task, found.language, found.split) == (item.plan.task, item.plan.language, item.plan.cell.split)
        written = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert written == {*found.files.values(), str(found.manifest)}
        assert all(path.isascii() for path in written)
        return found.row, found.files


@settings(max_examples=40, deadline=None)
@given(dialogues(), st.sampled_from(["track1-seed", "track1-later"]))
def test_any_dialogue_survives_the_disk(item: Item, name: str) -> None:
    row, _ = write_and_read(item, name)
    assert Track1Row.model_validate(row) == layout(name).row(item)
    for turn, utterance in zip(Track1Row.model_validate(row).turns, item.utterances, strict=True):
        assert turn.duration * RATE == pytest.approx(utterance.num_samples, abs=1e-2)


@settings(max_examples=40, deadline=None)
@given(scenes())
def test_any_scene_survives_the_disk_and_keeps_its_samples(item: Item) -> None:
    row, _ = write_and_read(item, "track2")
    read = Track2Row.model_validate(row)
    assert read == layout("track2").row(item)
    assert item.scene is not None
    assert round(read.final_duration * RATE) == item.scene.num_samples
    placed = [(one.start, one.stop) for one in item.scene.segments]
    assert [(round(one.xmin * RATE), round(one.xmax * RATE)) for one in read.speech_segments] == placed


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dialogue_id", "id", "turns", "turn_id", "split_audio_file", "\udfff"]), inner
        )
    ),
    max_leaves=8,
)
_lines = _values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30).map(
    lambda raw: raw.replace(b"\n", b"")
)


@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("track1-seed", "track1/train/zh/task2_3.jsonl"),
        ("track1-later", "HD-Track1/HD-Track1-dev/HD-Track1-dev-en/task1.jsonl"),
        ("track2", "track2/en/dev/Pause_Handling.jsonl"),
    ],
)
@settings(max_examples=60, deadline=None)
@given(lines=st.lists(_lines, min_size=1, max_size=5))
def test_readers_account_for_every_line_of_anything(name: str, manifest: str, lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / manifest).parent.mkdir(parents=True)
        (root / manifest).with_name("Pause_Handling_model").mkdir()
        (root / manifest).write_bytes(b"".join(line + b"\n" for line in lines))
        problems: list[RecordError] = []
        found = list(layout(name).read(root, problems))
        assert len(found) + len(problems) == len(lines)
        assert all(f"{root / manifest}:" in str(problem) for problem in problems)
        for one in found:
            one.to_json_line().encode("utf-8")  # whatever was read can be reported


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"id":"\\ud83d"}', "surrogate"),
        (b'{"id":' + b"9" * 5000 + b"}", "not JSON"),
        ("{'id':1}".encode("utf-16"), "not UTF-8"),
    ],
)
def test_hostile_lines_get_one_sentence(raw: bytes, said: str) -> None:
    with pytest.raises(RecordError, match=rf"^m\.jsonl:3: .*{said}"):
        parse_row(raw, "m.jsonl:3")
    assert parse_row(b'{"id":"\\ud83d\\ude00"}', "m.jsonl:1") == {"id": "😀"}


def seed_root(root: Path, row: dict[str, object], folder: str = "task2_4") -> Path:
    """A root in the seed layout without ``track1/`` above, as the organisers hand it out."""
    manifest = root / "train" / "en" / f"{folder}.jsonl"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    return root


def test_the_challenges_own_row_is_read(tmp_path: Path) -> None:
    (found,) = layout("track1-seed").read(seed_root(tmp_path, EXAMPLE))
    assert (found.id, found.task, found.row) == ("task2_4_en_0002_0014", Task.TRAJECTORY, EXAMPLE)
    assert found.files["turn_4"] == "train/en/task2_4/task2_4_en_0002_0014_4.wav"


def test_short_ids_and_foreign_rows_are_read_for_the_judges(tmp_path: Path) -> None:
    row: dict[str, object] = {"dialogue_id": "zh_0001_0001", "turns": "没有", "extra": 1}
    (found,) = layout("track1-seed").read(seed_root(tmp_path, row))
    assert (found.id, found.files, found.line) == ("zh_0001_0001", {}, 1)


def test_a_path_out_of_the_root_is_kept_for_the_judges_and_refused_on_use(tmp_path: Path) -> None:
    turn = {**EXAMPLE["turns"][0], "split_audio_file": "../../../../etc/passwd"}
    (found,) = layout("track1-seed").read(seed_root(tmp_path, {**EXAMPLE, "turns": [turn]}))
    with pytest.raises(RecordError, match="leaves"):
        inside(tmp_path, found.files["turn_1"])


@pytest.mark.parametrize("name", ["a\0.wav", "长" * 100 + ".wav", "\ud800.wav"])
def test_names_that_no_file_can_have_get_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="name"):
        inside(tmp_path, f"task2/{name}")
    assert inside(tmp_path, "任务/音频.wav") == tmp_path.resolve() / "任务" / "音频.wav"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dialogue_id": "zh_0001_0001"}, "dialogue_id"),
        ({"turns": []}, "turns"),
        ({"turns": [{}]}, r"turns\.0\.split_audio_file"),
        ({"多余": 1}, "多余: unknown key"),
    ],
)
def test_rows_of_ours_are_strict_and_errors_name_file_line_and_field(change: dict[str, object], field: str) -> None:
    good = {
        "dialogue_id": EXAMPLE["dialogue_id"],
        "turns": [
            {**turn, "speaker": "S0002", "intensity": 0, "cause": "x", "duration": 1.0} for turn in EXAMPLE["turns"]
        ],
    }
    assert parse_line(json.dumps(good), Track1Row, "task2_4.jsonl:7").turns[3].turn_id == 4
    with pytest.raises(RecordError, match=rf"^task2_4\.jsonl:7: .*{field}"):
        parse_line(json.dumps(good | change), Track1Row, "task2_4.jsonl:7")


def test_both_spellings_repeated_ids_and_unlisted_recordings_are_found(tmp_path: Path) -> None:
    import numpy as np

    home = tmp_path / "zh" / "dev"
    folder = home / "Speech_Directed_at_Others"
    for name in ("0001_0001", "0001_0002", "clean_0001_0001", "0001_0001_output"):
        write_wav(folder / f"{name}.wav", np.zeros(8, dtype=np.float32))
    (folder / "0001_0003_sentence.json").write_text("{}", encoding="utf-8")
    (home / "Speech_Directed_at_Others.jsonl").write_text('{"id":"0001_0001"}\n' * 2, encoding="utf-8")
    found = list(layout("track2").read(tmp_path))
    assert {one.task for one in found} == {Task.SPEECH_TO_OTHERS}
    assert sorted(one.id for one in found) == ["0001_0001", "0001_0001", "0001_0002", "0001_0003"]
    assert sorted(one.line for one in found if one.line) == [1, 2]
