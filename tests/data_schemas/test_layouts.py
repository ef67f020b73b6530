"""Every layout: write, read back, equal; and what readers say of broken roots."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_schemas.foundation.audio import write_wav
from data_schemas.foundation.base import RecordError
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item, turn_wav
from data_schemas.layouts.base import Layout, inside
from data_schemas.layouts.registry import LAYOUTS, detect_layouts, layout
from data_schemas.layouts.track1_rows import DIALOGUE_ID, SHORT_DIALOGUE_ID
from data_schemas.layouts.track2 import FOLDER_OF_TASK, NO_CLEAN, SCENE_ID
from data_schemas.layouts.track2_rows import assistant_segments, speech_segments
from data_schemas.layouts.writer import write_items
from data_schemas.scene import EventKind, Placement, Scene, SceneEvent, Segment
from data_schemas.tasks import SUB_TASKS, TRACK2_TASKS, Channel, Language, Part, Role, Task
from data_schemas.utterance import WordTiming
from tests.support.scene_factory import make_plan, make_script, make_utterance, make_utterances
from tests.support.script_factory import make_trajectory

Written = tuple[Path, Layout, list[Item]]
TONE = np.zeros(1600, dtype=np.float32)


def track1_item(language: Language, index: int) -> Item:
    script = make_trajectory(f"{language}-trajectory-3-{index:02d}", language)
    plan = make_plan(script, plan_id=f"p{index}", index=index)
    utterances = tuple(
        make_utterance(f"p{index}/{turn}", Role.USER, script.turns[turn - 1].text, 1600, language)
        for turn in range(1, len(script.turns) + 1)
    )
    return Item(plan=plan, script=script, utterances=utterances)


def line_number(utterance_id: str) -> int:
    """``p/2.1`` is a piece of line 2."""
    return int(utterance_id.rsplit("/", 1)[1].split(".", maxsplit=1)[0])


def track2_item(task: Task, language: Language) -> Item:
    script = make_script(task, language)
    plan = make_plan(script, plan_id=f"p-{task}-{language}", index=7)
    utterances = make_utterances(plan, script, lambda part, piece: 1600)
    placements = tuple(
        Placement(
            utterance_id=one.id,
            line=line_number(one.id),
            channel=Channel.ASSISTANT if one.role is Role.ASSISTANT else Channel.USER,
            role=one.role,
            part=one.part or Part.QUERY,
            start=20_001 * position,
            stop=20_001 * position + 1600,
            planned_text=one.text,
            heard_text=one.text,
        )
        for position, one in enumerate(utterances)
    )
    segments = tuple(
        Segment(line=p.line, start=p.start, stop=p.stop, text=p.planned_text, role=p.role, part=p.part)
        for p in placements
        if p.channel is Channel.USER
    )
    events = (SceneEvent(kind=EventKind.BARGE_IN, channel=Channel.USER, start=9, stop=99, latency=16),)
    scene = Scene(
        plan_id=plan.id,
        task=task,
        language=language,
        sample_rate=16_000,
        num_samples=200_000,
        placements=placements,
        segments=segments,
        events=events,
    )
    return Item(plan=plan, script=script, utterances=utterances, scene=scene)


def stage(item: Item, folder: Path) -> Path:
    names = [turn_wav(n) for n in range(1, len(item.utterances) + 1)]
    if item.scene is not None:
        names = [USER_WAV, ASSISTANT_WAV] + ([] if item.plan.task in NO_CLEAN else [CLEAN_WAV])
    for name in names:
        write_wav(folder / name, TONE)
    return folder


def write(root: Path, name: str, items: list[Item]) -> Written:
    chosen = layout(name)
    write_items(root, chosen, [(item, stage(item, root.parent / "staged" / item.plan.id)) for item in items])
    return root, chosen, items


@pytest.fixture(params=["track1-seed", "track1-later", "track2"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    if request.param == "track2":
        items = [track2_item(task, language) for task in SUB_TASKS for language in Language]
    else:
        items = [track1_item(language, index) for language in Language for index in (2, 1)]
    return write(tmp_path / "根", request.param, items)


def test_what_was_written_is_read_back_equal(written: Written) -> None:
    root, chosen, items = written
    found = {(one.language, one.task, one.id): one for one in chosen.read(root)}
    assert len(found) == len(items)
    for item in items:
        one = found[item.plan.language, item.plan.task, chosen.item_id(item)]
        assert one.row == json.loads(chosen.row(item).to_json_line())
        assert type(chosen.row(item)).model_validate(one.row) == chosen.row(item)
        assert one.manifest == chosen.manifest(item)
        assert one.split is item.plan.cell.split
        assert all((root / file).is_file() for file in one.files.values())
        assert set(chosen.audio_files(item).values()) <= set(one.files.values())


def test_only_the_layout_that_wrote_it_recognises_a_root(written: Written) -> None:
    root, chosen, _ = written
    assert detect_layouts(root) == (chosen,)
    assert detect_layouts(root.parent / "staged") == ()


def test_rows_are_sorted_visible_chinese_without_blank_lines(written: Written) -> None:
    root, chosen, _ = written
    for manifest in root.rglob("*.jsonl"):
        raw = manifest.read_bytes()
        assert raw.endswith(b"}\n")
        assert b"\r" not in raw
        assert b"\n\n" not in raw
        assert b"\\u" not in raw
    ids = [one.id for one in chosen.read(root)]
    assert ids == sorted(ids) or len({one.manifest for one in chosen.read(root)}) > 1


def test_nothing_is_overwritten(written: Written) -> None:
    root, chosen, items = written
    with pytest.raises(FileExistsError):
        write_items(root, chosen, [(items[0], root.parent / "staged" / items[0].plan.id)])


def test_a_root_without_the_top_directory_is_read_too(written: Written) -> None:
    root, chosen, items = written
    (top,) = [entry for entry in root.iterdir() if entry.is_dir()]
    assert len(list(chosen.read(top))) == len(items)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text + "\n", "blank line"),
        (lambda text: "\ufeff" + text, "byte-order mark"),
        (lambda text: text.replace("}", "", 1), "not JSON"),
        (lambda text: '["不是对象"]\n' + text, "must be a JSON object"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_read(tmp_path: Path, spoil: Callable[[str], str], words: str) -> None:
    root, chosen, items = write(tmp_path / "r", "track1-seed", [track1_item(Language.ZH, index) for index in (1, 2)])
    manifest = root / chosen.manifest(items[0])
    manifest.write_text(spoil(manifest.read_text(encoding="utf-8")), encoding="utf-8")
    problems: list[RecordError] = []
    assert len(list(chosen.read(root, problems))) >= 1
    assert len(problems) == 1
    assert words in str(problems[0])
    assert str(manifest) in str(problems[0])
    with pytest.raises(RecordError, match=words):
        list(chosen.read(root))


def test_ids_have_the_challenges_form() -> None:
    zh = track1_item(Language.ZH, 14)
    assert layout("track1-seed").item_id(zh) == "task2_3_zh_0001_0014"
    assert layout("track1-later").item_id(zh) == "task1_3_zh_0001_0014"
    assert DIALOGUE_ID.match("task2_4_en_0002_0014")
    assert SHORT_DIALOGUE_ID.match("zh_0001_0001")
    assert SCENE_ID.match(layout("track2").item_id(track2_item(Task.PAUSE, Language.EN)))
    assert not SCENE_ID.match("0001_0001_before")


def test_seed_and_later_places() -> None:
    item = track1_item(Language.EN, 3)
    assert layout("track1-seed").manifest(item) == "track1/dev/en/task2.jsonl"
    later = layout("track1-later").audio_files(item)[turn_wav(1)]
    assert later == "HD-Track1/HD-Track1-dev/HD-Track1-dev-en/task1/task1_3_en_0001_0003_1.wav"


def test_nine_sub_tasks_have_ten_folders_and_conversations_one() -> None:
    assert set(FOLDER_OF_TASK) == set(TRACK2_TASKS)
    assert len(set(FOLDER_OF_TASK.values())) == 11


def told(item: Item, *words: tuple[str, int, int], only: int | None = None) -> Item:
    """The item with these words in every utterance (or in number ``only``)."""
    timings = tuple(WordTiming(text=text, start=start, stop=stop) for text, start, stop in words)
    known = tuple(
        one.model_copy(update={"words": timings}) if only in (None, place) else one
        for place, one in enumerate(item.utterances)
    )
    return item.model_copy(update={"utterances": known})


def test_words_are_in_scene_seconds_and_pieces_of_a_line_follow_each_other() -> None:
    item = told(track2_item(Task.PAUSE, Language.EN), ("go", 1, 801), ("now", 801, 1600))
    (segment,), (reply,) = speech_segments(one_segment(item)), assistant_segments(item)
    assert segment.words is not None and reply.words is not None
    assert [(word.text, word.start * 16_000, word.stop * 16_000) for word in segment.words] == [
        ("go", 1, 801),
        ("now", 801, 1600),
        ("go", 20_002, 20_802),
        ("now", 20_802, 21_601),
    ]
    assert [word.start * 16_000 for word in reply.words] == [40_003, 40_803]


def one_segment(item: Item) -> Item:
    """A paused query is one segment over both pieces."""
    assert item.scene is not None
    first, last = item.scene.segments
    whole = first.model_copy(update={"stop": last.stop})
    return item.model_copy(update={"scene": item.scene.model_copy(update={"segments": (whole,)})})


def test_where_one_piece_has_no_word_times_the_line_has_none() -> None:
    item = told(track2_item(Task.PAUSE, Language.EN), ("go", 1, 801), only=1)
    assert [segment.words for segment in speech_segments(one_segment(item))] == [None]
    assert [segment.words for segment in assistant_segments(item)] == [None]


@pytest.mark.parametrize(("length", "fade", "heard"), [(1600, 0, 2), (1500, 0, 1), (850, 50, 1), (850, 51, 0)])
def test_of_a_cut_reply_only_words_that_ended_before_the_fade(length: int, fade: int, heard: int) -> None:
    item = told(track2_item(Task.FOLLOW_UP, Language.EN), ("go", 1, 800), ("now", 800, 1600))
    assert item.scene is not None
    placements = tuple(
        one.model_copy(update={"stop": one.start + length, "fade_out": fade, "cut": True})
        if one.part is Part.REPLY
        else one
        for one in item.scene.placements
    )
    cut = item.model_copy(update={"scene": item.scene.model_copy(update={"placements": placements})})
    first, second = assistant_segments(cut)
    assert first.words is not None and second.words is not None
    assert (len(first.words), len(second.words)) == (heard, 2)
    assert all(word.stop <= first.xmax for word in first.words)


def test_row_times_are_exact_to_the_sample() -> None:
    item = track2_item(Task.FOLLOW_UP, Language.ZH)
    assert item.scene is not None
    row = json.loads(layout("track2").row(item).to_json_line())
    for segment, placed in zip(row["speech_segments"], item.scene.segments, strict=True):
        assert segment["xmin"] * 16_000 == placed.start
        assert segment["xmax"] * 16_000 == placed.stop


@pytest.mark.parametrize("path", ["../x.wav", "/etc/passwd", "a/../../x"])
def test_paths_never_leave_the_root(tmp_path: Path, path: str) -> None:
    with pytest.raises(RecordError, match="leaves"):
        inside(tmp_path, path)


def test_unknown_layouts_name_the_known() -> None:
    with pytest.raises(ValueError, match="track1-seed"):
        layout("mine")
    assert len({known.name for known in LAYOUTS}) == len(LAYOUTS)
