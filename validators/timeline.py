"""Labels against files: sound where a label says so, silence elsewhere, both channels on one timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data_schemas.audio import Samples
from data_schemas.finding import Finding
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Language, Task
from validators.audio import Words, judge_words
from validators.codes import Judge
from validators.measure import FRAME_S, Span, clip_span, frame_levels, silences
from validators.rows import AssistantSegmentRow, SegmentRow, SentenceFile
from validators.structure_track2 import FIRST_SEGMENT_CLEAN
from validators.thresholds import Thresholds

VALIDATOR = "timeline/1"

_MS_PER_S = 1000
_OUTSIDE_FRAME_S = 0.05  # long enough that one stray sample does not count as sound


@dataclass(frozen=True)
class Channels:
    """Samples ``[n]`` of an item's files, None where a file is missing or was refused."""

    user: Samples
    assistant: Samples | None
    clean: Samples | None
    rate: int

    def seconds(self, samples: Samples) -> float:
        return len(samples) / self.rate


def judge_user_channel(
    judge: Judge,
    task: Task,
    language: Language,
    sentence: SentenceFile,
    channels: Channels,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """The user's file against its segments."""
    user, rate = channels.user, channels.rate
    difference = abs(round(sentence.final_duration * rate) - len(user))
    if difference > thresholds.duration_tolerance_samples:
        yield judge.say(
            "T2.FINAL_DURATION",
            f"final_duration {sentence.final_duration} s but the wav lasts {channels.seconds(user):.4f} s",
            value=difference,
            threshold=thresholds.duration_tolerance_samples,
        )
    spans = [segment.span for segment in sentence.speech_segments]
    yield from outside(judge, "TIMELINE.USER_OUTSIDE", user, rate, spans, thresholds)
    for segment in sentence.speech_segments:
        present = tuple(_absent(judge, "TIMELINE.USER_ABSENT", user, rate, segment, thresholds))
        yield from present
        if not present:
            yield from _inside(judge, task, language, segment, channels, thresholds)


def outside(
    judge: Judge, code: str, samples: Samples, rate: int, spans: Sequence[Span], thresholds: Thresholds
) -> Iterator[Finding]:
    """The loudest 50 ms frame outside all spans, if it is too loud."""
    rest = samples.copy()
    margin = thresholds.label_margin_s
    for start, stop in spans:
        first, last = clip_span(start - margin, stop + margin, rate, len(rest))
        rest[first:last] = 0.0
    levels = frame_levels(rest, rate, _OUTSIDE_FRAME_S)
    if len(levels) == 0:
        return
    loudest = int(np.argmax(levels))
    if levels[loudest] > thresholds.max_outside_dbfs:
        yield judge.say(
            code,
            f"{levels[loudest]:.1f} dBFS at {loudest * _OUTSIDE_FRAME_S:.2f} s, where no label says speech",
            span=(loudest * _OUTSIDE_FRAME_S, (loudest + 1) * _OUTSIDE_FRAME_S),
            value=float(levels[loudest]),
            threshold=thresholds.max_outside_dbfs,
        )


def _absent(
    judge: Judge, code: str, samples: Samples, rate: int, segment: SegmentRow, thresholds: Thresholds
) -> Iterator[Finding]:
    """Too few frames of a segment carry sound; marked pauses are not counted."""
    first, last = clip_span(segment.xmin, segment.xmax, rate, len(samples))
    levels = frame_levels(samples[first:last], rate)
    quiet = silences(levels, thresholds.silence_dbfs)
    marked = [span for span in quiet if _is_pause(span, thresholds)] if BREAK_TAG in segment.text else []
    counted = len(levels) - sum(round((stop - start) / FRAME_S) for start, stop in marked)
    active = int(np.count_nonzero(levels >= thresholds.silence_dbfs))
    share = active / counted if counted > 0 else 0.0
    if share < thresholds.min_active_share:
        yield judge.say(
            code,
            f"{share:.0%} of {segment.xmin:.2f} to {segment.xmax:.2f} s carries sound",
            span=segment.span,
            value=share,
            threshold=thresholds.min_active_share,
        )


def _is_pause(span: Span, thresholds: Thresholds) -> bool:
    return span[1] - span[0] > thresholds.min_pause_s


def _inside(
    judge: Judge,
    task: Task,
    language: Language,
    segment: SegmentRow,
    channels: Channels,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    first, last = clip_span(segment.xmin, segment.xmax, channels.rate, len(channels.user))
    levels = frame_levels(channels.user[first:last], channels.rate)
    quiet = silences(levels, thresholds.silence_dbfs)
    if task is Task.PAUSE:
        yield from _pauses(judge, segment, quiet, thresholds)
    else:
        for start, stop in quiet:
            if stop - start > thresholds.min_segment_gap_s:
                yield judge.say(
                    "TIMELINE.INNER_SILENCE",
                    f"silent for {stop - start:.2f} s inside a segment; detectors split it there",
                    span=(segment.xmin + start, segment.xmin + stop),
                    value=stop - start,
                    threshold=thresholds.min_segment_gap_s,
                )
    yield from judge_words(judge, levels, Words(segment.text, language), segment.span, thresholds)


def _pauses(judge: Judge, segment: SegmentRow, quiet: Sequence[Span], thresholds: Thresholds) -> Iterator[Finding]:
    wanted = segment.text.count(BREAK_TAG)
    pauses = [stop - start for start, stop in quiet if _is_pause((start, stop), thresholds)]
    if len(pauses) < wanted:
        yield judge.say(
            "T2.PAUSE_LENGTH",
            f"{wanted} {BREAK_TAG} in the text but {len(pauses)} silences over {thresholds.min_pause_s} s",
            span=segment.span,
            value=len(pauses),
            threshold=wanted,
        )
    longest = max(pauses, default=0.0)
    if longest > thresholds.max_pause_s:
        yield judge.say(
            "T2.PAUSE_LENGTH",
            f"a pause of {longest:.2f} s",
            span=segment.span,
            value=longest,
            threshold=thresholds.max_pause_s,
        )


def judge_assistant_channel(
    judge: Judge,
    segments: tuple[AssistantSegmentRow, ...] | None,
    channels: Channels,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """The assistant's file against the row's assistant segments. Nothing to say without file or labels."""
    samples = channels.assistant
    if samples is None:
        return
    if len(samples) != len(channels.user):
        yield judge.say(
            "TIMELINE.LENGTHS",
            f"{len(samples)} samples but {len(channels.user)} on the user's channel",
            value=len(samples),
            threshold=len(channels.user),
        )
    if segments is None:
        return
    disorder = tuple(_disorder(judge, segments, channels.seconds(samples)))
    yield from disorder
    if disorder:
        return
    yield from _after_cuts(judge, segments, samples, channels.rate, thresholds)
    for segment in segments:
        yield from _absent(judge, "TIMELINE.ASSISTANT_ABSENT", samples, channels.rate, segment, thresholds)


def _disorder(judge: Judge, segments: tuple[AssistantSegmentRow, ...], end: float) -> Iterator[Finding]:
    previous = 0.0
    for segment in segments:
        if not previous <= segment.xmin < segment.xmax <= end:
            yield judge.say(
                "TIMELINE.ASSISTANT_FIELDS",
                f"segment [{segment.xmin}, {segment.xmax}] after {previous} s in a file of {end:.3f} s",
                span=segment.span,
            )
        previous = max(previous, segment.xmax)


def _after_cuts(
    judge: Judge,
    segments: tuple[AssistantSegmentRow, ...],
    samples: Samples,
    rate: int,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """Sound after a cut and before the next reply; then sound outside all segments."""
    spans = [segment.span for segment in segments]
    end = len(samples) / rate
    for number, segment in enumerate(segments):
        if not segment.cut:
            continue
        until = segments[number + 1].xmin if number + 1 < len(segments) else end
        rest = [(0.0, segment.xmax), (until, end)]
        found = tuple(outside(judge, "TIMELINE.ASSISTANT_NOT_CUT", samples, rate, rest, thresholds))
        yield from found
        if found:
            spans.append((segment.xmax, until))
    yield from outside(judge, "TIMELINE.ASSISTANT_OUTSIDE", samples, rate, spans, thresholds)


def planned_overlap(segments: Sequence[SegmentRow], assistant: Sequence[SegmentRow]) -> tuple[Span, ...]:
    """Seconds in which a user segment and an assistant segment sound together, ascending."""
    spans = [(max(a.xmin, b.xmin), min(a.xmax, b.xmax)) for a in segments for b in assistant]
    return tuple(sorted((start, stop) for start, stop in spans if start < stop))


def judge_clean_file(judge: Judge, task: Task, sentence: SentenceFile, channels: Channels) -> Iterator[Finding]:
    """``clean_<id>.wav`` sample for sample against the user's channel (FORMATS.md B.4)."""
    clean = channels.clean
    if clean is None or not sentence.speech_segments:
        return
    if task in FIRST_SEGMENT_CLEAN:
        candidates = [_first_segment_alone(sentence, channels)]
    else:
        candidates = _second_query_alone(sentence, channels)
    if any(np.array_equal(clean, candidate) for candidate in candidates) or not candidates:
        return
    expected = candidates[0]
    if len(clean) != len(expected):
        detail = f"has {len(clean)} samples instead of {len(expected)}"
        yield judge.say("T2.CLEAN_FILE", detail, value=len(clean), threshold=len(expected))
        return
    wrong = np.flatnonzero(clean != expected)
    where = float(wrong[0] / channels.rate), float((wrong[-1] + 1) / channels.rate)
    yield judge.say(
        "T2.CLEAN_FILE",
        f"{len(wrong)} samples differ, the first at {where[0]:.4f} s",
        span=where,
        value=len(wrong),
    )


def _first_segment_alone(sentence: SentenceFile, channels: Channels) -> Samples:
    first = sentence.speech_segments[0]
    start = round(first.xmin * channels.rate)
    stop = min(round(first.xmax * channels.rate), len(channels.user) - 1)
    expected = np.zeros_like(channels.user)
    expected[start:stop] = channels.user[start:stop]
    return expected


def _second_query_alone(sentence: SentenceFile, channels: Channels) -> list[Samples]:
    """By millisecond, as pydub cuts, and by sample: both readings of the rule are accepted."""
    if len(sentence.speech_segments) != 3:  # noqa: PLR2004 - T2.SEGMENT_COUNT says so already
        return []
    first, second, aside = sentence.speech_segments
    cuts = []
    for grid_hz in (_MS_PER_S, channels.rate):
        start, stop, mute, loud = (
            round(seconds * grid_hz) * channels.rate // grid_hz
            for seconds in (first.xmin, second.xmin, aside.xmin, aside.xmax)
        )
        expected = np.concatenate([channels.user[:start], channels.user[stop:]])
        expected[mute - (stop - start) : loud - (stop - start)] = 0.0
        cuts.append(expected)
    return cuts
