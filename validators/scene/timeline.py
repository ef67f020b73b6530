"""Labels against files: sound where a label says so, silence elsewhere, both channels on one timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Language, Task
from validators.core.codes import Judge
from validators.core.measure import FRAME_S, Span, clip_span, frame_levels, silences
from validators.core.thresholds import Thresholds
from validators.files.audio import Words, judge_words
from validators.rows.rows import AssistantSegmentRow, SegmentRow, SentenceFile
from validators.scene.microphone import FLOOR_FRAME_S, Background, silence

VALIDATOR = "timeline/1"


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
    behind: Background,
) -> Iterator[Finding]:
    """The user's file against its segments. ``behind`` is what may be heard beside them."""
    user, rate = channels.user, channels.rate
    difference = abs(round(sentence.final_duration * rate) - len(user))
    if difference > thresholds.duration_tolerance_samples:
        yield judge.say(
            "T2.FINAL_DURATION",
            f"final_duration {sentence.final_duration} s but the wav lasts {channels.seconds(user):.4f} s",
            value=difference,
            threshold=thresholds.duration_tolerance_samples,
        )
    spans = behind.sounding(sentence.speech_segments)
    yield from outside(judge, "TIMELINE.USER_OUTSIDE", user, rate, spans, behind.outside_dbfs, thresholds)
    for segment in sentence.speech_segments:
        if segment.role in behind.drowned:
            if behind.noisy:
                where = f"{segment.xmin:.2f} to {segment.xmax:.2f} s"
                yield judge.say(
                    "TIMELINE.DROWNED",
                    f"the {segment.role} at {where} is too near to the noise to be judged",
                    span=segment.span,
                )
            continue
        present = tuple(_absent(judge, "TIMELINE.USER_ABSENT", user, rate, segment, behind, thresholds))
        yield from present
        if not present:
            yield from _inside(judge, task, language, segment, channels, behind, thresholds)


def outside(
    judge: Judge,
    code: str,
    samples: Samples,
    rate: int,
    spans: Sequence[Span],
    limit_dbfs: float,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """The loudest 50 ms frame outside all spans, if it is too loud."""
    rest = samples.copy()
    margin = thresholds.label_margin_s
    for start, stop in spans:
        first, last = clip_span(start - margin, stop + margin, rate, len(rest))
        rest[first:last] = 0.0
    levels = frame_levels(rest, rate, FLOOR_FRAME_S)
    if len(levels) == 0:
        return
    loudest = int(np.argmax(levels))
    if levels[loudest] > limit_dbfs:
        yield judge.say(
            code,
            f"{levels[loudest]:.1f} dBFS at {loudest * FLOOR_FRAME_S:.2f} s, where no label says speech",
            span=(loudest * FLOOR_FRAME_S, (loudest + 1) * FLOOR_FRAME_S),
            value=float(levels[loudest]),
            threshold=limit_dbfs,
        )


def _absent(
    judge: Judge,
    code: str,
    samples: Samples,
    rate: int,
    segment: SegmentRow,
    behind: Background,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """Too few frames of a segment carry sound; marked pauses are not counted."""
    first, last = clip_span(segment.xmin, segment.xmax, rate, len(samples))
    levels = frame_levels(samples[first:last], rate)
    quiet = silences(levels, behind.silence_dbfs)
    marked = [span for span in quiet if _is_pause(span, thresholds)] if BREAK_TAG in segment.text else []
    counted = len(levels) - sum(round((stop - start) / FRAME_S) for start, stop in marked)
    active = int(np.count_nonzero(levels >= behind.silence_dbfs))
    share = active / counted if counted > 0 else 0.0
    if share < behind.min_active_share:
        yield judge.say(
            code,
            f"{share:.0%} of {segment.xmin:.2f} to {segment.xmax:.2f} s carries sound",
            span=segment.span,
            value=share,
            threshold=behind.min_active_share,
        )


def _is_pause(span: Span, thresholds: Thresholds) -> bool:
    return span[1] - span[0] > thresholds.min_pause_s


def _inside(
    judge: Judge,
    task: Task,
    language: Language,
    segment: SegmentRow,
    channels: Channels,
    behind: Background,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    first, last = clip_span(segment.xmin, segment.xmax, channels.rate, len(channels.user))
    levels = frame_levels(channels.user[first:last], channels.rate)
    quiet = silences(levels, behind.silence_dbfs)
    if task is Task.PAUSE or (task is Task.CONVERSATION and BREAK_TAG in segment.text):
        yield from _pauses(judge, segment, quiet, thresholds)
    else:
        for start, stop in quiet:
            if stop - start > behind.longest_silence_s:
                yield judge.say(
                    "TIMELINE.INNER_SILENCE",
                    f"silent for {stop - start:.2f} s inside a segment; detectors split it there",
                    span=(segment.xmin + start, segment.xmin + stop),
                    value=stop - start,
                    threshold=behind.longest_silence_s,
                )
    words = Words(segment.text, language)
    yield from judge_words(judge, levels, words, segment.span, thresholds, behind.silence_dbfs)


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
    nothing = silence(thresholds)
    for segment in segments:
        yield from _absent(judge, "TIMELINE.ASSISTANT_ABSENT", samples, channels.rate, segment, nothing, thresholds)


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
    limit = thresholds.max_outside_dbfs
    end = len(samples) / rate
    for number, segment in enumerate(segments):
        if not segment.cut:
            continue
        until = segments[number + 1].xmin if number + 1 < len(segments) else end
        rest = [(0.0, segment.xmax), (until, end)]
        found = tuple(outside(judge, "TIMELINE.ASSISTANT_NOT_CUT", samples, rate, rest, limit, thresholds))
        yield from found
        if found:
            spans.append((segment.xmax, until))
    yield from outside(judge, "TIMELINE.ASSISTANT_OUTSIDE", samples, rate, spans, limit, thresholds)


def planned_overlap(segments: Sequence[SegmentRow], assistant: Sequence[SegmentRow]) -> tuple[Span, ...]:
    """Seconds in which a user segment and an assistant segment sound together, ascending."""
    spans = [(max(a.xmin, b.xmin), min(a.xmax, b.xmax)) for a in segments for b in assistant]
    return tuple(sorted((start, stop) for start, stop in spans if start < stop))
