"""Labels against scores and sound; the real models are heard in tests/integration/test_judge_conversation.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Channel, Language, Split, Task, Track
from validators.core.codes import Judge
from validators.core.measure import Span
from validators.core.thresholds import Thresholds
from validators.rows.rows import AssistantSegmentRow, SegmentRow
from validators.scene.microphone import silence
from validators.scene.segments import HeardChannel, interruptions, judge_events_heard, judge_segments, judge_stops
from validators.scene.speech_activity import FrameScores, WindowScores, highest, second_highest

STEP = 0.0169
SECONDS = 20.0
LIMITS = Thresholds()
EDGE = 0.05  # silence that a label includes on either side
TEXTS = ("西安有什么好玩的？", "Wait, which of those is free?", "嗯嗯。")
SPANS: tuple[Span, ...] = ((1.0, 4.0), (8.0, 10.5), (14.0, 14.6))


def sounding(*spans: Span) -> Samples:
    """A hum in these spans, digital silence elsewhere."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    samples = np.zeros(len(time), np.float32)
    for start, stop in spans:
        inside = (time >= start) & (time < stop)
        samples[inside] = 0.1 * np.sin(2 * np.pi * 150.0 * time[inside])
    return samples


def voiced(*spans: Span) -> FrameScores:
    """Scores of a detector that is sure."""
    centres = STEP / 2 + STEP * np.arange(round(SECONDS / STEP))
    values = np.full(len(centres), 0.01, np.float32)
    for start, stop in spans:
        values[(centres >= start) & (centres < stop)] = 0.98
    return FrameScores(values, STEP / 2, STEP)


def inner(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple((start + EDGE, stop - EDGE) for start, stop in spans)


def channel(sound: tuple[Span, ...], voice: tuple[Span, ...] | None = None) -> HeardChannel:
    """Sound in these spans, and speech in it (or elsewhere) to both detectors."""
    heard = sound if voice is None else voice
    return HeardChannel(sounding(*sound), RATE, voiced(*heard), heard, silence(LIMITS))


def labels(*spans: Span, role: str = "user") -> list[SegmentRow]:
    return [SegmentRow(xmin=a, xmax=b, text=TEXTS[n % 3], role=role) for n, (a, b) in enumerate(spans)]


def reply(start: float, stop: float, cut: bool = False) -> AssistantSegmentRow:
    return AssistantSegmentRow(xmin=start, xmax=stop, text="先去钟楼看看，再上城墙骑车。", cut=cut)


def codes(heard: HeardChannel, labelled: list[SegmentRow], limits: Thresholds = LIMITS) -> list[str]:
    return [finding.code for finding in judge_segments(Judge("segments/1", "0001_0001"), heard, labelled, limits)]


def test_labels_that_are_the_sound_yield_nothing() -> None:
    assert codes(channel(inner(SPANS)), labels(*SPANS)) == []


@pytest.mark.parametrize("which", range(len(SPANS)))
@pytest.mark.parametrize("shift", [-0.3, 0.3])
def test_one_label_moved_by_300_ms_is_named(which: int, shift: float) -> None:
    moved = labels(*SPANS)
    start, stop = SPANS[which]
    moved[which] = moved[which].model_copy(update={"xmin": start + shift, "xmax": stop + shift})
    found = list(judge_segments(Judge("segments/1", "0001_0001"), channel(inner(SPANS)), moved, LIMITS))
    assert [(each.code, each.start) for each in found] == [("SCENE.SEGMENT_SHIFTED", start + shift)]


def test_a_first_word_that_a_label_leaves_out_is_missed_though_it_touches_no_label() -> None:
    heard = channel(((1.05, 1.25), (1.35, 3.95)))
    assert codes(heard, labels((1.0, 4.0))) == []
    (finding,) = judge_segments(Judge("segments/1", "0001_0001"), heard, labels((1.3, 4.0)), LIMITS)
    assert finding.code == "SCENE.SEGMENT_SHIFTED"
    assert finding.value == pytest.approx(-0.25, abs=0.011)


@given(shift=st.floats(0.25, 0.5), sign=st.sampled_from((-1, 1)))
def test_all_labels_moved_are_all_named(shift: float, sign: int) -> None:
    moved = labels(*((a + sign * shift, b + sign * shift) for a, b in SPANS))
    limits = LIMITS.model_copy(update={"min_voice_share": 0.0, "min_speech_share": 0.0})
    assert codes(channel(inner(SPANS)), moved, limits).count("SCENE.SEGMENT_SHIFTED") == len(SPANS)


@given(jitter=st.tuples(st.floats(-0.04, 0.04), st.floats(-0.04, 0.04)))
def test_labels_that_are_off_by_less_than_the_limits_yield_nothing(jitter: tuple[float, float]) -> None:
    moved = labels(*((a + jitter[0], b + jitter[1]) for a, b in SPANS))
    assert codes(channel(inner(SPANS)), moved) == []


@pytest.mark.parametrize("which", range(len(SPANS)))
def test_a_silent_segment_is_missed(which: int) -> None:
    kept = tuple(span for n, span in enumerate(inner(SPANS)) if n != which)
    assert codes(channel(kept), labels(*SPANS)) == ["SCENE.SEGMENT_MISSED"]


def test_noise_in_the_place_of_speech_is_missed_and_named_by_the_detector_that_hears_it() -> None:
    heard = channel(inner(SPANS), inner(SPANS[:2]))
    (finding,) = judge_segments(Judge("segments/1", "0001_0001"), heard, labels(*SPANS), LIMITS)
    assert (finding.code, finding.start, finding.value) == ("SCENE.SEGMENT_MISSED", 14.0, 0.0)
    assert "pyannote" in finding.message
    music = replace(channel(inner(SPANS)), speech=inner(SPANS[:2]))
    (finding,) = judge_segments(Judge("segments/1", "0001_0001"), music, labels(*SPANS), LIMITS)
    assert "Silero" in finding.message


def test_a_pause_inside_a_label_counts_for_no_detector() -> None:
    pieces = ((1.05, 2.0), (4.6, 5.95))
    assert codes(channel(pieces), labels((1.0, 6.0))) == []


def test_speech_beside_the_labels_is_invented() -> None:
    extra = (16.0, 16.8)
    assert codes(channel((*inner(SPANS), extra)), labels(*SPANS)) == ["SCENE.SEGMENT_INVENTED"]
    assert codes(channel((*inner(SPANS), (16.0, 16.2))), labels(*SPANS)) == []


def test_an_echo_and_babble_are_nobody_invented() -> None:
    heard = channel((*inner(SPANS), (16.0, 18.0)))
    assert codes(replace(heard, others=((15.9, 18.1),)), labels(*SPANS)) == []
    assert codes(replace(heard, others=None), labels(*SPANS)) == []
    assert codes(replace(heard, others=((5.0, 6.0),)), labels(*SPANS)) == ["SCENE.SEGMENT_INVENTED"]


def test_behind_a_microphone_the_detector_tells_the_onset() -> None:
    noisy = replace(channel(((0.0, SECONDS),), inner(SPANS)), sharp=False)
    limits = LIMITS.model_copy(update={"min_voice_share": 0.0, "min_speech_share": 0.0})
    assert codes(noisy, labels(*SPANS), limits) == []
    moved = labels(*((a - 0.3, b - 0.3) for a, b in SPANS))
    assert codes(noisy, moved, limits) == ["SCENE.SEGMENT_SHIFTED"] * len(SPANS)
    assert codes(replace(noisy, others=None), moved, limits) == []


def test_a_drowned_role_is_not_judged() -> None:
    behind = replace(silence(LIMITS), drowned=frozenset({"third_party"}))
    heard = replace(channel(inner(SPANS[:1])), behind=behind)
    assert codes(heard, [*labels(SPANS[0]), *labels(SPANS[1], role="third_party")]) == []


def stops(heard: HeardChannel, replies: list[AssistantSegmentRow], *interrupted: Span) -> list[str]:
    judge = Judge("segments/1", "0001_0001")
    return [finding.code for finding in judge_stops(judge, heard, replies, interrupted, LIMITS)]


def test_an_assistant_that_stops_yields_nothing() -> None:
    replies = [reply(2.0, 6.0, cut=True), reply(9.0, 12.0)]
    assert stops(channel(((2.05, 6.0), (9.05, 11.95))), replies, (5.5, 8.5)) == []
    assert stops(channel(((2.05, 6.0),)), []) == []


def test_a_cut_may_fall_into_a_pause_between_words() -> None:
    heard = channel(((2.05, 5.6), (9.05, 11.95)))
    assert codes(heard, [reply(2.0, 6.0, cut=True), reply(9.0, 12.0)]) == []
    assert codes(heard, [reply(2.0, 6.0), reply(9.0, 12.0)]) == ["SCENE.SEGMENT_SHIFTED"]


def test_speech_after_a_cut_label_is_named_once_and_is_not_invented_too() -> None:
    replies = [reply(2.0, 6.0, cut=True), reply(9.0, 12.0)]
    heard = channel(((2.05, 8.0), (9.05, 11.95)))
    assert stops(heard, replies, (5.5, 8.5)) == ["SCENE.NOT_STOPPED"]
    assert stops(heard, replies) == ["SCENE.NOT_STOPPED"]  # by the label alone
    assert stops(heard, [reply(2.0, 6.0), reply(9.0, 12.0)]) == []  # nothing says that it stops
    assert codes(heard, list(replies)) == []


def test_a_reply_that_is_neither_cut_nor_stops_is_named() -> None:
    """Labels and sound agree with each other, and nobody reacts to the interruption."""
    replies = [reply(2.0, 8.0), reply(9.0, 12.0)]
    heard = channel(((2.05, 7.95), (9.05, 11.95)))
    assert stops(heard, replies, (5.0, 8.5)) == ["SCENE.NOT_STOPPED"]
    assert stops(heard, replies, (8.2, 8.9)) == []  # after it has ended nothing is interrupted


def scene(task: Task, events: list[dict[str, object]] | None) -> FoundItem:
    row: dict[str, object] = {"speech_segments": [], "assistant_segments": [], "events": events}
    if events is None:
        row = {}
    return FoundItem(
        id="0001_0001",
        layout="track2",
        track=Track.DUPLEX,
        task=task,
        language=Language.ZH,
        split=Split.DEV,
        manifest="m.jsonl",
        line=1,
        row=row,
        files={"user": "u.wav", "assistant": "a.wav"},
    )


def event(kind: str, start: float, stop: float, on: str = "user") -> dict[str, object]:
    return {"kind": kind, "channel": on, "start": start, "stop": stop, "line": 1, "target": 2}


@pytest.mark.parametrize("kind", ["backchannel", "barge_in", "third_party", "aside"])
def test_an_event_in_which_nobody_is_heard_is_silent(kind: str) -> None:
    heard = {Channel.USER: channel(inner(SPANS)), Channel.ASSISTANT: channel(((5.0, 9.0),))}
    judge = Judge("segments/1", "0001_0001")
    there, absent = event(kind, *SPANS[2]), event(kind, 16.0, 16.6)
    assert list(judge_events_heard(judge, scene(Task.CONVERSATION, [there]), heard, LIMITS)) == []
    (finding,) = judge_events_heard(judge, scene(Task.CONVERSATION, [there, absent]), heard, LIMITS)
    assert (finding.code, finding.start, finding.file) == ("SCENE.EVENT_SILENT", 16.0, "u.wav")


def test_joint_speech_must_be_heard_on_both_channels() -> None:
    heard = {Channel.USER: channel(((4.0, 6.0),)), Channel.ASSISTANT: channel(())}
    found = judge_events_heard(
        Judge("segments/1", "0001_0001"), scene(Task.CONVERSATION, [event("overlap", 5.0, 5.8)]), heard, LIMITS
    )
    assert [each.file for each in found] == ["a.wav"]


def test_interruptions_come_from_events_else_from_the_index_rule() -> None:
    told = scene(Task.FOLLOW_UP, [event("barge_in", 5.0, 6.0), event("backchannel", 7.0, 8.0)])
    assert interruptions(told, labels(*SPANS)) == ((5.0, 6.0),)
    assert interruptions(scene(Task.FOLLOW_UP, None), labels(*SPANS)) == (SPANS[1],)
    assert interruptions(scene(Task.BACKCHANNEL, None), labels(*SPANS)) == ()


def windows(values: np.ndarray, step_s: float = 0.5) -> WindowScores:
    return WindowScores(values.astype(np.float32), 16 * RATE, RATE, 5.0, step_s, 270 / RATE, 991 / RATE)


def test_highest_and_second_highest_forget_who_is_who() -> None:
    scores = np.array([[[0.1, 0.9, 0.4], [0.0, 0.2, 0.3]]], np.float32)
    assert highest(scores)[0, :, 0].tolist() == pytest.approx([0.9, 0.3])
    assert second_highest(scores)[0, :, 0].tolist() == pytest.approx([0.4, 0.2])


@pytest.mark.parametrize("count", [21, 22, 23, 25])
def test_fewer_windows_still_reach_the_end(count: int) -> None:
    values = np.zeros((count, 293, 3))
    values[-1, -60:] = 1.0  # the last second of the last window
    sparse = windows(values).every(5)
    assert sparse.step_s == 2.5
    heard = np.argwhere(sparse.values[..., 0] > 0.5)
    at = heard[:, 0] * sparse.step_s + heard[:, 1] * sparse.frame_step
    assert at.min() == pytest.approx((count - 1) * 0.5 + 233 * sparse.frame_step, abs=0.02)
    assert at.max() == pytest.approx((count - 1) * 0.5 + 292 * sparse.frame_step, abs=0.02)
