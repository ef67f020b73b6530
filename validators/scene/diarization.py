"""Diarization error rate of the mono mix against the labels of both channels.

A small pipeline in the manner of pyannote.audio's (Bredin 2023, "pyannote.audio 2.1 speaker diarization pipeline"):
the segmentation model says who of a window's speakers talks when, a GE2E vector says who that is, vectors are
clustered into as many people as the labels name, and windows are joined again. The rate is `pyannote.metrics`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from validators.core.codes import Judge
from validators.core.measure import Span, frame_levels, runs, silences
from validators.core.probe import Vector
from validators.core.thresholds import Thresholds
from validators.rows.rows import SegmentRow
from validators.scene.speech_activity import WindowScores

VALIDATOR = "diarization/1"

ASSISTANT = "assistant"
#: pyannote.metrics takes the collar as a whole: NIST RT's 0.25 s on either side of a boundary. Overlap is scored.
COLLAR_S = 0.5

_ACTIVE = 0.5  # a local speaker talks where the score is above it; the model's own training target is 0 or 1
_LEAST_VECTOR_S = 0.8  # CHOICE: half of GE2E's window of 1.6 s; what is shorter joins the nearest speaker
_LEAST_LOCAL_S = 0.2  # CHOICE: a shorter stretch of a window is nobody
_STRIDE = 5  # every fifth of the dense windows, 2.5 s apart: each frame has two windows, and a fifth of the vectors


class Encoder(Protocol):
    """Turns speech ``[n]`` at 16 kHz into a unit vector ``[d]``; None for silence."""

    def embed(self, samples: Samples) -> Vector | None: ...


class Diarization(NamedTuple):
    """Findings on one item, and its figures: ``der``, and seconds of each kind of error and of speech scored."""

    findings: tuple[Finding, ...]
    values: Mapping[str, float]


class _Local(NamedTuple):
    """One speaker of one window."""

    window: int
    speaker: int
    seconds: float  # in which the vector was heard
    vector: npt.NDArray[np.float64]


def judge_diarization(
    item_id: str,
    windows: WindowScores,
    mix: Samples,
    talkers: Mapping[str, Sequence[Span]],
    thresholds: Thresholds,
    encoder: Encoder,
) -> Diarization:
    """``windows`` are the dense scores of ``mix`` ``[n]``, as the overlap judge takes them; see `reference_talkers`."""
    spoken = {name: spans for name, spans in talkers.items() if spans}
    if not spoken:
        return Diarization((), {})
    heard = diarize(windows, mix, len(spoken), encoder)
    values = error_seconds(spoken, heard, len(mix) / windows.rate)
    findings: tuple[Finding, ...] = ()
    if values and values["der"] > thresholds.max_diarization_error:
        findings = (
            Judge(VALIDATOR, item_id).say(
                "SCENE.DIARIZATION",
                f"diarization error rate {values['der']:.0%}: {values['missed_s']:.2f} s missed, "
                f"{values['false_alarm_s']:.2f} s heard only, {values['confusion_s']:.2f} s another speaker",
                value=values["der"],
                threshold=thresholds.max_diarization_error,
            ),
        )
    return Diarization(findings, values)


def reference_talkers(
    user: Sequence[SegmentRow],
    assistant: Sequence[SegmentRow],
    user_samples: Samples,
    assistant_samples: Samples,
    rate: int,
    thresholds: Thresholds,
) -> dict[str, tuple[Span, ...]]:
    """Seconds in which each person speaks: the labels without pauses of over ``min_pause_s`` on their channel."""
    people: dict[str, list[Span]] = {}
    for labels, samples, fallback in ((user, user_samples, "user"), (assistant, assistant_samples, ASSISTANT)):
        levels = frame_levels(samples, rate)
        pauses = [
            span for span in silences(levels, thresholds.silence_dbfs) if span[1] - span[0] > thresholds.min_pause_s
        ]
        for label in labels:
            people.setdefault(label.role or fallback, []).extend(_without(label.span, pauses))
    return {name: tuple(sorted(spans)) for name, spans in people.items()}


def _without(span: Span, pauses: Sequence[Span]) -> list[Span]:
    """The span less the pauses that lie wholly inside it."""
    inside = sorted(pause for pause in pauses if span[0] < pause[0] and pause[1] < span[1])
    starts = [span[0], *(pause[1] for pause in inside)]
    stops = [*(pause[0] for pause in inside), span[1]]
    return list(zip(starts, stops, strict=True))


def diarize(windows: WindowScores, mix: Samples, people: int, encoder: Encoder) -> tuple[tuple[Span, ...], ...]:
    """Seconds in which each of ``people`` speakers is heard in ``mix`` ``[n]``; in no particular order."""
    sparse = windows.every(_STRIDE)
    active = sparse.values > _ACTIVE
    if not active.any():
        return ((),) * people
    locals_ = [
        local
        for window in range(len(active))
        for speaker in range(active.shape[2])
        if (local := _local(sparse, active, window, speaker, mix, encoder)) is not None
    ]
    owner = _cluster(locals_, people)
    spans = []
    for person in range(people):
        scores = np.zeros((*sparse.values.shape[:2], 1), dtype=np.float32)
        for local, own in zip(locals_, owner, strict=True):
            if own == person:
                mine = sparse.values[local.window, :, local.speaker]
                scores[local.window, :, 0] = np.maximum(scores[local.window, :, 0], mine)
        spans.append(sparse.joined(lambda _, scores=scores: scores).spans(_ACTIVE))  # type: ignore[misc]
    return tuple(spans)


def _local(
    windows: WindowScores, active: npt.NDArray[np.bool_], window: int, speaker: int, mix: Samples, encoder: Encoder
) -> _Local | None:
    """A speaker of a window by what he says alone, or, where that is too little, by all that he says."""
    mine = active[window, :, speaker]
    if mine.sum() * windows.frame_step < _LEAST_LOCAL_S:
        return None
    alone = mine & (active[window].sum(axis=1) == 1)
    taken = alone if alone.sum() * windows.frame_step >= _LEAST_VECTOR_S else mine
    first = window * windows.step_s
    pieces = []
    for start, stop in runs(taken):
        begin, end = (round((first + frame * windows.frame_step) * windows.rate) for frame in (start, stop))
        pieces.append(mix[begin:end])
    vector = encoder.embed(np.concatenate(pieces))
    if vector is None:
        return None
    return _Local(window, speaker, float(taken.sum() * windows.frame_step), np.asarray(vector, dtype=np.float64))


def _cluster(locals_: Sequence[_Local], people: int) -> list[int]:
    """Which person each local speaker is: average-linkage clusters of the long ones, the nearest for the others.

    Two speakers of one window are two people, as far as there are enough.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.cluster import AgglomerativeClustering

    long = [n for n, local in enumerate(locals_) if local.seconds >= _LEAST_VECTOR_S] or list(range(len(locals_)))
    vectors = np.array([locals_[n].vector for n in long])
    count = min(people, len(vectors))
    if count <= 1:
        return [0] * len(locals_)
    labels = AgglomerativeClustering(n_clusters=count, metric="cosine", linkage="average").fit_predict(vectors)
    weights = np.array([locals_[n].seconds for n in long])
    centroids = np.array([np.average(vectors[labels == k], axis=0, weights=weights[labels == k]) for k in range(count)])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    owner = [0] * len(locals_)
    for window in sorted({local.window for local in locals_}):
        own = [n for n, local in enumerate(locals_) if local.window == window]
        similar = np.array([locals_[n].vector for n in own]) @ centroids.T
        rows, columns = linear_sum_assignment(-similar)
        nearest = dict(zip(rows.tolist(), columns.tolist(), strict=True))
        for row, n in enumerate(own):
            owner[n] = nearest.get(row, int(np.argmax(similar[row])))
    return owner


def error_seconds(
    reference: Mapping[str, Sequence[Span]], heard: Sequence[Sequence[Span]], seconds: float
) -> dict[str, float]:
    """``der`` and its parts by `pyannote.metrics`, optimal mapping of speakers; empty where nothing is scored."""
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric: Any = DiarizationErrorRate(collar=COLLAR_S, skip_overlap=False)
    parts = metric(
        _annotation(dict(reference)),
        _annotation({str(number): spans for number, spans in enumerate(heard)}),
        uem=Timeline([Segment(0.0, seconds)]),
        detailed=True,
    )
    total = float(parts["total"])
    if total <= 0.0:
        return {}
    return {
        "der": float(parts[metric.name]),
        "missed_s": float(parts["missed detection"]),
        "false_alarm_s": float(parts["false alarm"]),
        "confusion_s": float(parts["confusion"]),
        "scored_s": total,
    }


def _annotation(people: Mapping[str, Sequence[Span]]) -> Any:
    from pyannote.core import Annotation, Segment

    made = Annotation()
    for name, spans in people.items():
        for number, span in enumerate(spans):
            made[Segment(*span), f"{name}/{number}"] = name
    return made


def pooled_error_rate(values: Sequence[Mapping[str, float]]) -> float | None:
    """The error rate of many items together, seconds over seconds; None without any scored speech."""
    scored = sum(each.get("scored_s", 0.0) for each in values)
    if scored <= 0.0:
        return None
    errors = sum(each.get(name, 0.0) for each in values for name in ("missed_s", "false_alarm_s", "confusion_s"))
    return errors / scored
