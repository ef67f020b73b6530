"""``clean_<id>.wav`` (FORMATS.md B.4) against the user's channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from data_schemas.tasks import Task
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.rows.rows import SentenceFile
from validators.rows.track2 import FIRST_SEGMENT_CLEAN
from validators.scene.timeline import Channels

_MS_PER_S = 1000


@dataclass(frozen=True)
class _Expected:
    """The file that the rule gives ``[n]``, and where in it the one segment that is kept lies."""

    samples: Samples
    start: int
    stop: int


def judge_clean_file(
    judge: Judge,
    task: Task,
    sentence: SentenceFile,
    channels: Channels,
    thresholds: Thresholds,
    as_spoken: bool = True,
) -> Iterator[Finding]:
    """Sample for sample.

    Where a microphone changed what the user said (not ``as_spoken``), the clean file is cut from what was spoken
    and the channel holds what was heard: then length, silence around the segment, and likeness inside it.
    """
    clean = channels.clean
    if clean is None or not sentence.speech_segments:
        return
    if task in FIRST_SEGMENT_CLEAN:
        candidates = [_first_segment_alone(sentence, channels)]
    else:
        candidates = _second_query_alone(sentence, channels)
    if any(np.array_equal(clean, candidate.samples) for candidate in candidates) or not candidates:
        return
    if not as_spoken and any(_is_like(clean, candidate, channels.rate, thresholds) for candidate in candidates):
        return
    expected = candidates[0]
    if len(clean) != len(expected.samples):
        detail = f"has {len(clean)} samples instead of {len(expected.samples)}"
        yield judge.say("T2.CLEAN_FILE", detail, value=len(clean), threshold=len(expected.samples))
        return
    yield (
        _difference(judge, clean, expected, channels.rate)
        if as_spoken
        else _unlikeness(judge, clean, expected, channels.rate, thresholds)
    )


def _difference(judge: Judge, clean: Samples, expected: _Expected, rate: int) -> Finding:
    wrong = np.flatnonzero(clean != expected.samples)
    where = float(wrong[0] / rate), float((wrong[-1] + 1) / rate)
    return judge.say(
        "T2.CLEAN_FILE",
        f"{len(wrong)} samples differ, the first at {where[0]:.4f} s",
        span=where,
        value=len(wrong),
    )


def _unlikeness(judge: Judge, clean: Samples, expected: _Expected, rate: int, thresholds: Thresholds) -> Finding:
    wrong = _outside(clean, expected, rate)
    if len(wrong):
        where = float(wrong[0] / rate), float((wrong[-1] + 1) / rate)
        return judge.say("T2.CLEAN_FILE", f"{len(wrong)} samples outside the segment sound", span=where)
    likeness = correlation(clean, expected.samples)
    return judge.say(
        "T2.CLEAN_FILE",
        f"correlates with the user's channel by {likeness:.2f}; it holds something else",
        span=(expected.start / rate, expected.stop / rate),
        value=likeness,
        threshold=thresholds.min_clean_correlation,
    )


def _is_like(clean: Samples, expected: _Expected, rate: int, thresholds: Thresholds) -> bool:
    if len(clean) != len(expected.samples) or len(_outside(clean, expected, rate)):
        return False
    return correlation(clean, expected.samples) >= thresholds.min_clean_correlation


def _outside(clean: Samples, expected: _Expected, rate: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Samples that sound outside the segment the file keeps; none, if they are less than the rule's rounding."""
    rest = clean != 0.0
    rest[expected.start : expected.stop] = False
    sounding = np.flatnonzero(rest)
    return sounding[: len(sounding) if len(sounding) > rate // _MS_PER_S else 0]


def correlation(one: Samples, other: Samples) -> float:
    """Normalised cross-correlation at lag 0, in [-1, 1]; 0 where one of them is silent."""
    norm = float(np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(other.astype(np.float64)))
    return float(np.dot(one.astype(np.float64), other.astype(np.float64))) / norm if norm else 0.0


def _first_segment_alone(sentence: SentenceFile, channels: Channels) -> _Expected:
    first = sentence.speech_segments[0]
    start = round(first.xmin * channels.rate)
    stop = min(round(first.xmax * channels.rate), len(channels.user) - 1)
    expected = np.zeros_like(channels.user)
    expected[start:stop] = channels.user[start:stop]
    return _Expected(expected, start, stop)


def _second_query_alone(sentence: SentenceFile, channels: Channels) -> list[_Expected]:
    """By millisecond, as pydub cuts, and by sample: both readings of the rule are accepted."""
    if len(sentence.speech_segments) != 3:  # noqa: PLR2004 - T2.SEGMENT_COUNT says so already
        return []
    first, second, aside = sentence.speech_segments
    cuts = []
    for grid_hz in (_MS_PER_S, channels.rate):
        start, stop, end, mute, loud = (
            round(seconds * grid_hz) * channels.rate // grid_hz
            for seconds in (first.xmin, second.xmin, second.xmax, aside.xmin, aside.xmax)
        )
        removed = stop - start
        expected = np.concatenate([channels.user[:start], channels.user[stop:]])
        expected[mute - removed : loud - removed] = 0.0
        cuts.append(_Expected(expected, start, end - removed))
    return cuts
