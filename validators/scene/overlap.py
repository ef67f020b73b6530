"""Overlapped-speech detection (pyannote.audio) on the two-channel mix against the planned overlap.

The segmentation model gives, every 17 ms, how likely each of up to three speakers is talking; two
people talk at once where the second-highest of these scores is high (Bredin & Laurent 2021,
"End-to-end speaker segmentation for overlap-aware resegmentation").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from validators.core.codes import Judge
from validators.core.measure import Span, clip_span, runs
from validators.core.thresholds import Thresholds
from validators.scene.speech_activity import FrameScores, SegmentationModel, second_highest

__all__ = [
    "OverlapAgreement",
    "OverlapDetector",
    "OverlapScores",
    "agreement",
    "balanced_mix",
    "judge_overlap",
    "judge_overlap_scores",
    "second_highest",
]

VALIDATOR = "overlap/1"

_MAX_RAISE = 10.0 ** (15.0 / 20.0)  # a talker is raised by 15 dB at most before detection
_ACTIVE = 1e-3  # -60 dBFS: samples above it count as speech when levels are compared
_LEAST_SCORED_S = 0.25  # less planned overlap than this outside the collar gives no verdict on recall
_LEAST_HEARD_S = 0.25  # less detected overlap than this gives no verdict on precision


#: The second-highest speaker score per frame.
OverlapScores = FrameScores


class OverlapDetector:
    """The segmentation model as a detector of overlapped speech; one torch thread, deterministic."""

    def __init__(self, model_file: Path | None = None, model: SegmentationModel | None = None) -> None:
        """``model_file`` is a checkpoint whose hash the caller has checked; ``model`` is shared with other judges.

        Raises:
            ModelMissing: neither is given and the pinned model is not installed; says what to run.
        """
        self.model = SegmentationModel(model_file) if model is None else model

    def scores(self, mix: Samples, rate: int = SAMPLE_RATE_HZ) -> OverlapScores:
        """Scores of a mono mix ``[n]``."""
        return self.model.windows(mix, rate).second_highest()


def balanced_mix(user: Samples, assistant: Samples, segments: Iterable[Span], rate: int) -> Samples:
    """Sum of both channels ``[n]``, each user segment raised to the assistant's level.

    The question is who speaks when, not how loud: a bystander 9 dB below the assistant is
    there, though a detector would hardly hear it.
    """
    length = max(len(user), len(assistant))
    mix = np.zeros(length, dtype=np.float32)
    mix[: len(user)] += user
    target = _active_rms(assistant)
    for start, stop in segments:
        first, last = clip_span(start, stop, rate, len(user))
        own = _active_rms(user[first:last])
        if own > 0.0 and target > own:
            mix[first:last] *= np.float32(min(target / own, _MAX_RAISE))
    mix[: len(assistant)] += assistant
    return mix


def _active_rms(samples: Samples) -> float:
    active = samples[np.abs(samples) > _ACTIVE].astype(np.float64)
    return float(np.sqrt(np.mean(active**2))) if len(active) else 0.0


@dataclass(frozen=True)
class OverlapAgreement:
    """Seconds of agreement between detector and plan. ``None`` where there is too little to judge."""

    planned_s: float
    detected_s: float
    recall: float | None
    precision: float | None
    longest_unplanned: Span | None


def agreement(scores: OverlapScores, planned: tuple[Span, ...], thresholds: Thresholds) -> OverlapAgreement:
    """Precision and recall in seconds; frames within the collar of a planned boundary count for neither."""
    centres = scores.centres
    collar = thresholds.overlap_collar_s
    detected = scores.values > thresholds.overlap_onset
    core, reach = np.zeros(len(centres), dtype=bool), np.zeros(len(centres), dtype=bool)
    for start, stop in planned:
        core |= (centres >= start + collar) & (centres < stop - collar)
        reach |= (centres >= start - collar) & (centres < stop + collar)
    core_s, heard_s = core.sum() * scores.step, detected.sum() * scores.step
    surely = (scores.values > thresholds.overlap_certain) & ~reach
    longest = max(runs(surely), key=lambda run: run[1] - run[0], default=None)
    return OverlapAgreement(
        planned_s=sum(stop - start for start, stop in planned),
        detected_s=float(heard_s),
        recall=float((detected & core).sum() / core.sum()) if core_s >= _LEAST_SCORED_S else None,
        precision=float((detected & reach).sum() / detected.sum()) if heard_s >= _LEAST_HEARD_S else None,
        longest_unplanned=None
        if longest is None
        else (float(centres[longest[0]]), float(centres[longest[1] - 1]) + scores.step),
    )


def judge_overlap(
    item_id: str,
    mix: Samples,
    planned_spans: tuple[Span, ...],
    thresholds: Thresholds,
    detector: OverlapDetector,
) -> tuple[Finding, ...]:
    """Findings on a mono mix ``[n]`` at 16 kHz; spans are seconds in which two people should speak."""
    return judge_overlap_scores(item_id, detector.scores(mix), planned_spans, thresholds)


def judge_overlap_scores(
    item_id: str, scores: OverlapScores, planned_spans: tuple[Span, ...], thresholds: Thresholds
) -> tuple[Finding, ...]:
    """The same of scores that are already there: the windows of one run serve diarization too."""
    return tuple(_compare(Judge(VALIDATOR, item_id), scores, planned_spans, thresholds))


def _compare(
    judge: Judge, scores: OverlapScores, planned: tuple[Span, ...], thresholds: Thresholds
) -> Iterator[Finding]:
    missed = False
    for span in planned:
        if span[1] - span[0] >= thresholds.gross_overlap_s and _unheard(scores, span, thresholds):
            missed = True
            yield judge.say(
                "SCENE.OVERLAP_MISSED",
                f"{span[1] - span[0]:.2f} s of overlap planned, none heard; a channel is silent or misplaced",
                span=span,
                value=0.0,
                threshold=thresholds.overlap_onset_low,
            )
    result = agreement(scores, planned, thresholds)
    if result.recall is not None and result.recall < thresholds.min_overlap_recall and not missed:
        yield judge.say(
            "SCENE.OVERLAP_RECALL",
            f"{result.recall:.0%} of the planned overlap ({result.planned_s:.2f} s) is heard",
            value=result.recall,
            threshold=thresholds.min_overlap_recall,
        )
    unplanned = result.longest_unplanned
    if unplanned is not None and unplanned[1] - unplanned[0] >= thresholds.gross_overlap_s:
        yield judge.say(
            "SCENE.OVERLAP_UNPLANNED",
            f"{unplanned[1] - unplanned[0]:.2f} s of overlap heard where none is planned",
            span=unplanned,
            value=unplanned[1] - unplanned[0],
            threshold=thresholds.gross_overlap_s,
        )
    elif result.precision is not None and result.precision < thresholds.min_overlap_precision:
        yield judge.say(
            "SCENE.OVERLAP_PRECISION",
            f"{result.precision:.0%} of the overlap heard ({result.detected_s:.2f} s) is planned",
            value=result.precision,
            threshold=thresholds.min_overlap_precision,
        )


def _unheard(scores: OverlapScores, span: Span, thresholds: Thresholds) -> bool:
    inside = (scores.centres >= span[0]) & (scores.centres < span[1])
    return not bool((scores.values[inside] > thresholds.overlap_onset_low).any())
