"""Clusters, references and error rates; the real models are heard in tests/integration/test_judge_conversation.py."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from validators.core.measure import Span
from validators.core.thresholds import Thresholds
from validators.rows.rows import SegmentRow
from validators.scene.diarization import diarize, error_seconds, judge_diarization, pooled_error_rate, reference_talkers
from validators.scene.speech_activity import WindowScores

FRAME = 270 / RATE
SECONDS = 20.0
USER: tuple[Span, ...] = ((1.0, 4.0), (9.0, 12.0))
ASSISTANT: tuple[Span, ...] = ((4.5, 10.0), (13.0, 18.0))


class ByPitch:
    """A speaker encoder for hums: low ones point one way, high ones the other."""

    def embed(self, samples: Samples) -> npt.NDArray[np.float32] | None:
        if not np.any(samples):
            return None
        crossings = np.count_nonzero(np.diff(np.signbit(samples[samples != 0.0]))) / len(samples) * RATE / 2
        angle = np.clip(crossings / 600.0, 0.0, 1.0) * np.pi / 2
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


def hum(hz: float, *spans: Span) -> Samples:
    time = np.arange(round(SECONDS * RATE)) / RATE
    samples = np.zeros(len(time), np.float32)
    for start, stop in spans:
        inside = (time >= start) & (time < stop)
        samples[inside] = 0.1 * np.sin(2 * np.pi * hz * time[inside])
    return samples


def heard(*people: tuple[Span, ...]) -> WindowScores:
    """Dense windows of a model that is sure, and that numbers speakers anew in every window."""
    starts = np.arange(0.0, SECONDS - 5.0 + 0.25, 0.5)
    values = np.zeros((len(starts), 293, 3), np.float32)
    for number, start in enumerate(starts):
        times = start + FRAME * (np.arange(293) + 0.5)
        for person, spans in enumerate(people):
            for begin, end in spans:
                values[number, (times >= begin) & (times < end), (person + number) % 3] = 1.0
    return WindowScores(values, round(SECONDS * RATE), RATE, 5.0, 0.5, FRAME, 991 / RATE)


def test_speakers_are_told_apart_over_all_windows() -> None:
    mix = hum(120.0, *USER) + hum(480.0, *ASSISTANT)
    found = judge_diarization(
        "0001_0001", heard(USER, ASSISTANT), mix, {"user": USER, "assistant": ASSISTANT}, Thresholds(), ByPitch()
    )
    assert found.findings == ()
    assert found.values["der"] < 0.05
    assert found.values["confusion_s"] == pytest.approx(0.0, abs=0.1)


def test_one_voice_for_two_people_is_confusion() -> None:
    """What the labels call two people sounds alike: turns in order, so that overlap does not tell them apart."""
    turns: tuple[tuple[Span, ...], ...] = (((1.0, 4.0), (9.0, 12.0)), ((5.0, 8.0), (13.0, 18.0)))
    mix = hum(120.0, *turns[0], *turns[1])
    talkers = {"user": turns[0], "assistant": turns[1]}
    limits = Thresholds(max_diarization_error=0.15)
    found = judge_diarization("0001_0001", heard((*turns[0], *turns[1])), mix, talkers, limits, ByPitch())
    assert [each.code for each in found.findings] == ["SCENE.DIARIZATION"]
    assert found.values["confusion_s"] > 2.5
    told = judge_diarization(
        "0001_0001", heard(*turns), hum(120.0, *turns[0]) + hum(480.0, *turns[1]), talkers, limits, ByPitch()
    )
    assert told.findings == ()


def test_who_is_labelled_and_not_heard_is_missed() -> None:
    mix = hum(120.0, *USER)
    found = judge_diarization(
        "0001_0001", heard(USER), mix, {"user": USER, "assistant": ASSISTANT}, Thresholds(), ByPitch()
    )
    assert [each.code for each in found.findings] == ["SCENE.DIARIZATION"]
    assert found.values["missed_s"] > 8.0


def test_a_silent_mix_misses_everything_and_no_label_gives_no_figure() -> None:
    silent = np.zeros(round(SECONDS * RATE), np.float32)
    found = judge_diarization("0001_0001", heard(), silent, {"user": USER}, Thresholds(), ByPitch())
    assert found.values["der"] == pytest.approx(1.0)
    assert judge_diarization("0001_0001", heard(), silent, {"user": ()}, Thresholds(), ByPitch()) == ((), {})
    assert diarize(heard(), silent, 2, ByPitch()) == ((), ())


@given(names=st.permutations(["0", "1"]))
def test_names_do_not_matter_and_the_collar_forgives_a_quarter_of_a_second(names: list[str]) -> None:
    spans = {"0": USER, "1": ((4.7, 10.2), (13.2, 18.2))}
    parts = error_seconds({"user": USER, "assistant": ASSISTANT}, [spans[name] for name in names], SECONDS)
    assert parts["der"] == 0.0
    assert parts["scored_s"] > 10.0


def test_errors_are_counted_in_seconds_with_overlap() -> None:
    alone = [USER, ((4.5, 9.0), (13.0, 18.0))]  # the second of overlap is given to the user alone
    parts = error_seconds({"user": USER, "assistant": ASSISTANT}, alone, SECONDS)
    assert parts["missed_s"] == pytest.approx(0.5)  # 1 s of overlap, less the collars around 9.0 and 10.0
    assert parts["false_alarm_s"] == parts["confusion_s"] == 0.0
    assert pooled_error_rate([parts, {}]) == pytest.approx(0.5 / parts["scored_s"])
    assert pooled_error_rate([{}]) is None


def test_pauses_of_a_channel_are_not_in_the_reference() -> None:
    query = SegmentRow(xmin=1.0, xmax=8.0, text="西安有什么好玩的？ [break] 那我去哪儿吃饭？", role="user")
    aside = SegmentRow(xmin=14.0, xmax=15.0, text="小宝，把剪刀放下。", role="third_party")
    reply = SegmentRow(xmin=9.0, xmax=13.0, text="先去钟楼看看。")
    user = hum(120.0, (1.05, 3.0), (5.0, 7.0), (7.3, 7.95), (14.05, 14.95))
    talkers = reference_talkers([query, aside], [reply], user, hum(480.0, (9.05, 12.95)), RATE, Thresholds())
    assert {name: [pytest.approx(span, abs=0.03) for span in spans] for name, spans in talkers.items()} == {
        "user": [(1.0, 3.0), (5.0, 8.0)],
        "third_party": [(14.0, 15.0)],
        "assistant": [(9.0, 13.0)],
    }
