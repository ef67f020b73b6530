"""Planted defects in conversations: lines, events, floor. Each is found, alone, in rows that were sound before."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.item import Item
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import detect_layouts
from data_schemas.scene import EventKind, FloorHold
from data_schemas.tasks import SUB_TASKS, Channel, Language, Part, Role, Task
from generators.scenes.conversation.settings import ConversationSettings
from generators.scenes.settings import SceneSettings
from tests.support.conversation_factory import USUAL, make_conversation
from tests.support.scene_factory import make_script
from tests.validators.composed import found_item, lay_out, make_item, samples_of
from tests.validators.conftest import Bench
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.rows.events import floor_of, judge_row
from validators.rows.lines import Line
from validators.run.item import judge_item

JUDGE = Judge("test/1", "0001_0001")
LIVELY = SceneSettings(
    conversation=ConversationSettings(overlap_share=1.0, talk_over_share=0.6, user_yields_share=1.0),
)
KINDS = {
    EventKind.BARGE_IN,
    EventKind.ASSISTANT_STOP,
    EventKind.BACKCHANNEL,
    EventKind.OVERLAP,
    EventKind.TALK_OVER,
    EventKind.USER_STOP,
}
HOME = "track2/zh/dev/Conversation"
Row = dict[str, Any]


def everything_happens(language: Language = Language.ZH) -> Item:
    """The first conversation in which every kind of event happens."""
    for seed in range(500):
        item = make_item(make_conversation(language, USUAL), seed, LIVELY)
        assert item.scene is not None
        if {event.kind for event in item.scene.events} >= KINDS:
            return item
    raise AssertionError("no seed gives all kinds of events")


ITEM = everything_happens()
SOUND = found_item(ITEM)


def judged(change: Callable[[Row], object], found: FoundItem = SOUND) -> list[Finding]:
    row = copy.deepcopy(found.row)
    change(row)
    return list(judge_row(JUDGE, found.model_copy(update={"row": row}), Thresholds()))


def codes(change: Callable[[Row], object], found: FoundItem = SOUND) -> set[str]:
    return {finding.code for finding in judged(change, found)}


def event(kind: str, row: Row) -> Row:
    return next(each for each in row["events"] if each["kind"] == kind)


def nudge(times: Row, samples: int = 1, keys: tuple[str, ...] = ("start", "stop")) -> None:
    for key in keys:
        times[key] = round(times[key] + samples / RATE, 7)


def remove_event(kind: str) -> Callable[[Row], object]:
    return lambda row: row["events"].remove(event(kind, row))


def test_the_conversation_is_sound() -> None:
    assert judged(lambda row: None) == []


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("T2.ASSISTANT_LABELS", lambda row: row.pop("assistant_segments")),
        ("T2.ASSISTANT_LABELS", lambda row: row.update(assistant_segments=[])),
        ("T2.LINES", lambda row: row["speech_segments"][0].update(line=7)),
        ("T2.LINES", lambda row: row["assistant_segments"].pop()),
        ("T2.LINES", lambda row: row["assistant_segments"][1].update(part="query")),
        ("T2.LINES", lambda row: row["speech_segments"][1].update(part="aside")),
        ("T2.EVENT_FIELDS", lambda row: row["speech_segments"][0].pop("line")),
        ("T2.EVENT_FIELDS", lambda row: event("barge_in", row).update(kind="barge-in")),
        ("T2.EVENT_FIELDS", lambda row: event("barge_in", row).update(line=None)),
        ("T2.EVENT_FIELDS", lambda row: row["floor"][0].update(holder="third_party")),
        ("T2.EVENT_LINES", lambda row: event("overlap", row).update(target=None)),
        ("T2.EVENT_LINES", lambda row: event("barge_in", row).update(target=1)),
        ("T2.EVENT_LINES", lambda row: event("barge_in", row).update(line=99)),
        ("T2.EVENT_LINES", lambda row: event("backchannel", row).update(target=99)),
        ("T2.EVENT_LINES", lambda row: event("backchannel", row).update(channel="user", kind="talk_over")),
        ("T2.EVENT_LATENCY", lambda row: nudge(event("assistant_stop", row), 1, ("latency",))),
        ("T2.EVENT_LATENCY", lambda row: event("user_stop", row).update(latency=None)),
        ("T2.FLOOR", lambda row: row.update(floor=[])),
        ("T2.FLOOR", lambda row: row["floor"].pop(1)),
        ("T2.FLOOR", lambda row: row["floor"].reverse()),
        ("T2.FLOOR", lambda row: nudge(row["floor"][2], 1, ("stop",))),
        ("T2.FLOOR", lambda row: nudge(row["floor"][0], -1, ("start",))),
        ("T2.FLOOR", lambda row: row["floor"][0].update(holder="assistant")),
        ("T2.FLOOR", lambda row: row["floor"][0].update(stop=row["floor"][0]["start"])),
    ],
)
def test_planted_in_the_row(code: str, change: Callable[[Row], object]) -> None:
    found = codes(change)
    assert code in found
    assert found <= {code, "T2.EVENT_MISSING"}  # what names other lines no longer explains these


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_event_a_sample_off_or_missing(kind: EventKind) -> None:
    assert "T2.EVENT_PLACE" in codes(lambda row: nudge(event(kind, row)))
    assert "T2.EVENT_PLACE" in codes(lambda row: nudge(event(kind, row), -1))
    missing = codes(remove_event(kind))
    if kind in (EventKind.USER_STOP, EventKind.TALK_OVER):
        assert missing <= {"T2.EVENT_MISSING"}  # each of the two still names both lines
    else:
        assert missing == {"T2.EVENT_MISSING"}


def test_a_reply_that_goes_on_long_after_the_interruption() -> None:
    findings = list(judge_row(JUDGE, SOUND, Thresholds(max_stop_latency_s=0.1)))
    assert {finding.code for finding in findings} == {"T2.EVENT_LATENCY"}
    assert findings[0].threshold == 0.1


def test_a_backchannel_into_a_reply_that_is_not_there_yet() -> None:
    def later(row: Row) -> None:
        spoken = next(each for each in row["events"] if each["kind"] == "backchannel" and each["channel"] == "user")
        spoken["target"] = row["assistant_segments"][-1]["line"]

    assert codes(later) == {"T2.EVENT_PLACE", "T2.EVENT_MISSING"}


def test_a_reply_that_was_not_cut() -> None:
    def uncut(row: Row) -> None:
        next(each for each in row["assistant_segments"] if each["cut"])["cut"] = False

    assert codes(uncut) == {"T2.EVENT_LINES"}


@given(st.sampled_from(SUB_TASKS), st.integers(0, 999), st.integers(1, 20_000), st.data())
@settings(max_examples=40, deadline=None)
def test_no_event_of_a_sub_task_can_be_moved(task: Task, seed: int, samples: int, data: st.DataObject) -> None:
    found = found_item(make_item(make_script(task, Language.EN), seed))
    events = [n for n, each in enumerate(found.row["events"]) if each["kind"] not in ("pause", "filler")]  # type: ignore[arg-type, index]
    if events:
        number = data.draw(st.sampled_from(events))
        assert "T2.EVENT_PLACE" in codes(lambda row: nudge(row["events"][number], samples), found)
    assert "T2.FLOOR" in codes(lambda row: nudge(row["floor"][0], samples, ("start",)), found)


def test_pauses_lie_inside_their_line_and_are_as_many_as_the_marks() -> None:
    found = found_item(make_item(make_script(Task.PAUSE, Language.ZH), 3))
    assert codes(lambda row: None, found) == set()
    assert codes(lambda row: nudge(event("pause", row), samples_of(20)), found) == {"T2.EVENT_PLACE"}
    assert codes(lambda row: row["events"].clear(), found) == {"T2.EVENT_MISSING"}


def test_lines_of_a_sub_task_in_another_order() -> None:
    found = found_item(make_item(make_script(Task.SPEECH_TO_OTHERS, Language.ZH), 3))
    assert codes(lambda row: row["speech_segments"][2].update(part="interruption"), found) == {"T2.LINES"}


def test_rows_that_number_no_lines_are_left_alone() -> None:
    def theirs(row: Row) -> None:
        for each in (*row["speech_segments"], *row["assistant_segments"]):
            del each["line"], each["part"]
        row["events"] = [{"what": "door slams"}]

    found = found_item(make_item(make_script(Task.FOLLOW_UP, Language.ZH), 3))
    assert codes(theirs, found) == set()


def line(number: int, channel: Channel, start: int, stop: int, part: Part = Part.QUERY) -> Line:
    role = Role.USER if channel is Channel.USER else Role.ASSISTANT
    return Line(number, channel, role, part, start, stop)


def test_the_floor_by_its_definition() -> None:
    user, assistant = Channel.USER, Channel.ASSISTANT
    lines = [
        line(1, user, 0, 100),
        line(2, assistant, 90, 200, Part.REPLY),  # waits until the user is silent
        line(3, user, 120, 130, Part.BACKCHANNEL),  # never has it
        line(4, user, 150, 180),  # over before the assistant is
        line(5, user, 260, 300),
    ]
    assert floor_of(lines) == (
        FloorHold(holder=user, start=0, stop=100),
        FloorHold(holder=assistant, start=100, stop=200),
        FloorHold(holder=user, start=260, stop=300),
    )


# --- with files


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("conversation") / "set"
    lay_out(root, ITEM)
    return root


@pytest.fixture
def talk(spoken: Path, tmp_path: Path) -> Bench:
    shutil.copytree(spoken, tmp_path / "set")
    return Bench(tmp_path / "set")


def judged_files(bench: Bench) -> set[str]:
    (found,) = (item for each in detect_layouts(bench.root) for item in each.read(bench.root))
    return {finding.code for finding in judge_item(found, bench.root, Thresholds()).findings}


NAME = ITEM.plan.item_code


def test_a_conversation_on_disk_is_sound(talk: Bench) -> None:
    assert judged_files(talk) == set()


def test_the_assistants_channel_is_gone(talk: Bench) -> None:
    (talk.root / f"{HOME}_model" / f"{NAME}.wav").unlink()
    assert judged_files(talk) == {"T2.ASSISTANT_LABELS", "T2.AUDIO_MISSING"}


def test_a_stranger_in_a_conversation(talk: Bench) -> None:
    talk.edit_labels(HOME, NAME, lambda labels: labels["speech_segments"][1].update(role="third_party"))
    assert "T2.SEGMENT_ROLES" in judged_files(talk)


def test_a_conversation_of_one_turn(talk: Bench) -> None:
    def end_early(row: Row) -> None:
        row["assistant_segments"] = [each for each in row["assistant_segments"] if each["line"] <= 3]
        row["events"] = [each for each in row["events"] if each["line"] <= 3 and (each["target"] or 0) <= 3]

    talk.edit_labels(HOME, NAME, lambda labels: labels.update(speech_segments=labels["speech_segments"][:1]))
    talk.edit_row(f"{HOME}.jsonl", end_early)
    assert "T2.TURN_COUNT" in judged_files(talk)


def test_a_clean_file_beside_a_conversation(talk: Bench) -> None:
    shutil.copy(talk.root / HOME / f"{NAME}.wav", talk.root / HOME / f"clean_{NAME}.wav")
    assert judged_files(talk) == {"T2.CLEAN_UNEXPECTED"}


def test_sound_between_the_turns_is_found(talk: Bench) -> None:
    def bleep(samples: Any) -> Any:
        samples[: samples_of(0.2)] += 0.02
        return samples

    talk.edit_audio(f"{HOME}/{NAME}.wav", bleep)
    assert "TIMELINE.USER_OUTSIDE" in judged_files(talk)
