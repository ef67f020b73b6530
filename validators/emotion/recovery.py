"""How far the emotion labels of a data set can be told from its sound alone, by a listener who knows other speakers.

A linear classifier is trained on all speakers but some and names the emotion of the utterances of those left out
(leave one speaker out). It sees no words: eGeMAPS functionals where openSMILE measured them, prosody otherwise.
The figure says how much emotion the voices carry, and by chance it is 1 / number of labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from data_schemas.emotions import Emotion
from data_schemas.finding import Finding
from data_schemas.foundation.base import Record
from data_schemas.foundation.randomness import named_generator
from data_schemas.tasks import Language
from validators.core.clip_measures import ClipMeasures
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.emotion.acoustic_features import VECTOR

VALIDATOR = "emotion_recovery/1"
ALL = "all"
_FIGURE_FOR_GATE = ALL
_MIN_EMOTIONS = 2
#: Less than this is what rounding gives: a feature that is constant for a speaker stays 0.
_LEAST_SPREAD = 1e-9

#: What the classifier sees without openSMILE: nothing that follows the words' number.
PROSODY = (
    "f0_median_st",
    "f0_range_st",
    "voiced_level_db",
    "level_range_db",
    "alpha_ratio_db",
    "centroid_hz",
    "pause_share",
    "voiced_share",
    "peaks_per_s",
)
Features = Literal["egemaps", "prosody"]

_Matrix = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int64]


class RecoverySettings(Record):
    """How the figure is made. All CHOICE; none was tuned on a corpus."""

    min_speakers: int = Field(default=3, ge=2, description="fewer speakers say nothing about a new one")
    min_clips_per_speaker: int = Field(default=3, ge=2, description="fewer clips have no mean and spread of their own")
    min_clips_per_emotion: int = Field(default=5, ge=2, description="rarer emotions are left out of the figure")
    max_folds: int = Field(default=50, ge=2, description="more speakers than that are left out several at once")
    inverse_penalty: float = Field(default=0.1, gt=0.0, description="C of the logistic regression")
    bootstraps: int = Field(default=1000, ge=100, description="draws of speakers for the confidence interval")
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    seed: int = 0


class EmotionScore(Record):
    """One emotion: how many of its clips were found, how many so named are right, and both in one."""

    emotion: Emotion
    clips: int
    recall: float
    precision: float  # 0 where no clip got that name
    f1: float


class RecoveryFigure(Record):
    """One language, or all. Without a figure ``why_not`` says why and only the counts stand."""

    group: str  # "zh", "en" or "all"
    clips: int  # that went into the figure, or would have
    speakers: int
    why_not: str | None = None
    left_out: dict[str, int] = Field(default_factory=dict)  # reason -> clips
    emotions: tuple[Emotion, ...] = ()  # rows and columns of the confusion matrix
    chance: float | None = None
    accuracy: float | None = None
    unweighted_average_recall: float | None = None
    interval: tuple[float, float] | None = None  # of the unweighted average recall, over speakers
    scores: tuple[EmotionScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()  # rows: label; columns: what was heard


class EmotionRecovery(Record):
    """The figure of every language and of all together."""

    features: Features
    settings: RecoverySettings
    figures: tuple[RecoveryFigure, ...]

    def figure(self, group: str = ALL) -> RecoveryFigure:
        return next(figure for figure in self.figures if figure.group == group)

    def to_markdown(self) -> str:
        """One table of figures, then scores and confusion matrix of each."""
        return render_markdown(self)


class _Data(NamedTuple):
    """``[n, d]`` features, ``[n]`` class numbers, ``[n]`` speaker numbers."""

    features: _Matrix
    labels: _Counts
    speakers: _Counts
    emotions: tuple[Emotion, ...]


def recover_emotions(
    clips: Iterable[ClipMeasures],
    settings: RecoverySettings | None = None,
    features: Features | None = None,
) -> EmotionRecovery:
    """The figures for the dry clips that carry an emotion and a speaker. Same result in any order of ``clips``.

    ``features`` None takes eGeMAPS where every such clip has them, prosody otherwise. Each speaker's clips are first
    put on the speaker's own scale (mean 0, deviation 1 of each feature over all his or her clips of one language,
    labels unseen: a listener also hears who speaks before how). What is scaled further is fitted on training
    speakers alone. Someone who speaks two languages is left out in both at once.
    """
    settings = settings or RecoverySettings()
    labelled = sorted((c for c in clips if c.emotion is not None and c.is_dry), key=lambda clip: clip.clip)
    if features is None:
        features = "egemaps" if labelled and all(VECTOR in clip.vectors for clip in labelled) else "prosody"
    languages = [language for language in Language if any(clip.language is language for clip in labelled)]
    groups = [(language.value, [c for c in labelled if c.language is language]) for language in languages]
    figures = [_figure(group, members, features, settings) for group, members in (*groups, (ALL, labelled))]
    return EmotionRecovery(features=features, settings=settings, figures=tuple(figures))


def judge_recovery(recovery: EmotionRecovery, thresholds: Thresholds, data_set: str) -> tuple[Finding, ...]:
    """``EMOTION.RECOVERY`` where ``min_emotion_recovery`` is set and the average recall of all is lower or missing."""
    least = thresholds.min_emotion_recovery
    if least <= 0.0:
        return ()
    figure = recovery.figure(_FIGURE_FOR_GATE)
    value = figure.unweighted_average_recall
    if value is None:
        message = f"min_emotion_recovery is set and there is no figure: {figure.why_not}"
        return (Judge(VALIDATOR, data_set).say("EMOTION.RECOVERY", message, threshold=least),)
    if value >= least:
        return ()
    message = f"emotions are told from sound with an average recall of {value:.0%}; chance is {figure.chance:.0%}"
    return (Judge(VALIDATOR, data_set).say("EMOTION.RECOVERY", message, value=value, threshold=least),)


def _figure(
    group: str, members: Sequence[ClipMeasures], features: Features, settings: RecoverySettings
) -> RecoveryFigure:
    usable, left_out = _usable(members, features, settings)
    speakers = {clip.speaker for clip in usable}
    emotions = tuple(emotion for emotion in Emotion if any(clip.emotion is emotion for clip in usable))
    counts = RecoveryFigure(group=group, clips=len(usable), speakers=len(speakers), left_out=left_out)
    least = settings.min_speakers
    if len(speakers) < least:
        return counts.model_copy(update={"why_not": f"{len(speakers)} speakers with enough clips; it takes {least}"})
    if len(emotions) < _MIN_EMOTIONS:
        why_not = f"{len(emotions)} emotions with enough clips; it takes {_MIN_EMOTIONS}"
        return counts.model_copy(update={"why_not": why_not})
    data = _data(usable, features, emotions)
    folds = _folds(data, settings)
    if folds is None:
        return counts.model_copy(update={"why_not": "some emotion has one speaker only; it takes two of each"})
    per_speaker = _confusions(data, _predicted(data, folds, settings))
    return counts.model_copy(update=_summary(per_speaker, emotions, group, settings))


def _usable(
    members: Sequence[ClipMeasures], features: Features, settings: RecoverySettings
) -> tuple[list[ClipMeasures], dict[str, int]]:
    """Clips that go into the figure, and why others do not."""
    left_out: dict[str, int] = {}

    def keep(clips: Sequence[ClipMeasures], good: Sequence[bool], reason: str) -> list[ClipMeasures]:
        kept = [clip for clip, ok in zip(clips, good, strict=True) if ok]
        if len(kept) < len(clips):
            left_out[reason] = len(clips) - len(kept)
        return kept

    clips = keep(members, [clip.speaker is not None for clip in members], "the row names no speaker")
    clips = keep(clips, [_raw(clip, features) is not None for clip in clips], "features could not be measured")
    sizes = _counted((clip.language, clip.speaker) for clip in clips)
    enough = [sizes[clip.language, clip.speaker] >= settings.min_clips_per_speaker for clip in clips]
    clips = keep(clips, enough, "too few clips of the speaker")
    frequency = _counted(clip.emotion for clip in clips)
    enough = [frequency[clip.emotion] >= settings.min_clips_per_emotion for clip in clips]
    return keep(clips, enough, "too few clips of the emotion"), left_out


def _counted(keys: Iterable[Any]) -> dict[Any, int]:
    counts: dict[Any, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _raw(clip: ClipMeasures, features: Features) -> list[float] | None:
    if features == VECTOR:
        return [float(value) for value in clip.vectors[VECTOR]] if VECTOR in clip.vectors else None
    if any(name not in clip.values for name in PROSODY):
        return None
    return [clip.values[name] for name in PROSODY]


def _data(clips: Sequence[ClipMeasures], features: Features, emotions: tuple[Emotion, ...]) -> _Data:
    people = sorted({str(clip.speaker) for clip in clips})
    matrix = np.asarray([_raw(clip, features) for clip in clips], dtype=np.float64)
    voices = [(clip.language, clip.speaker) for clip in clips]
    for voice in dict.fromkeys(voices):
        rows = np.asarray([other == voice for other in voices])
        spread = matrix[rows].std(axis=0)
        matrix[rows] = (matrix[rows] - matrix[rows].mean(axis=0)) / np.where(spread > _LEAST_SPREAD, spread, 1.0)
    labels = np.asarray([emotions.index(clip.emotion) for clip in clips if clip.emotion], dtype=np.int64)
    return _Data(matrix, labels, np.asarray([people.index(str(c.speaker)) for c in clips], dtype=np.int64), emotions)


def _folds(data: _Data, settings: RecoverySettings) -> list[npt.NDArray[np.bool_]] | None:
    """Masks of test clips, one per speaker or per group of speakers; None where training would lack an emotion."""
    people = np.unique(data.speakers)
    rng = named_generator(settings.seed, "folds", VALIDATOR)
    groups = np.array_split(rng.permutation(people), min(len(people), settings.max_folds))
    folds = [np.isin(data.speakers, group) for group in groups]
    complete = all(len(np.unique(data.labels[~test])) == len(data.emotions) for test in folds)
    return folds if complete else None


def _predicted(data: _Data, folds: Sequence[npt.NDArray[np.bool_]], settings: RecoverySettings) -> _Counts:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    heard = np.zeros_like(data.labels)
    with threadpool_limits(limits=1):
        for test in folds:
            model = make_pipeline(
                StandardScaler(),
                LogisticRegression(C=settings.inverse_penalty, class_weight="balanced", max_iter=2000),
            )
            model.fit(data.features[~test], data.labels[~test])
            heard[test] = model.predict(data.features[test])
    return heard


def _confusions(data: _Data, heard: _Counts) -> _Counts:
    """``[speakers, labels, heard]``."""
    size = len(data.emotions)
    counts = np.zeros((int(data.speakers.max()) + 1, size, size), dtype=np.int64)
    np.add.at(counts, (data.speakers, data.labels, heard), 1)
    return counts


def _average_recall(confusion: _Counts) -> _Matrix:
    """``[..., k, k] -> [...]``; emotions without a clip do not count."""
    totals = confusion.sum(axis=-1)
    recalls = np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(totals, 1)
    average: _Matrix = recalls.sum(axis=-1) / np.maximum((totals > 0).sum(axis=-1), 1)
    return average


def _summary(
    per_speaker: _Counts, emotions: tuple[Emotion, ...], group: str, settings: RecoverySettings
) -> Mapping[str, object]:
    confusion = per_speaker.sum(axis=0)
    people = len(per_speaker)
    rng = named_generator(settings.seed, group, VALIDATOR)
    draws = rng.multinomial(people, np.full(people, 1.0 / people), size=settings.bootstraps)
    drawn = _average_recall(np.tensordot(draws, per_speaker, axes=1))
    tail = (1.0 - settings.confidence) / 2.0
    low, high = np.quantile(drawn, (tail, 1.0 - tail))
    return {
        "emotions": emotions,
        "chance": round(1.0 / len(emotions), 4),
        "accuracy": round(float(np.trace(confusion) / confusion.sum()), 4),
        "unweighted_average_recall": round(float(_average_recall(confusion)), 4),
        "interval": (round(float(low), 4), round(float(high), 4)),
        "scores": tuple(_score(confusion, place, emotion) for place, emotion in enumerate(emotions)),
        "confusion": tuple(tuple(int(count) for count in row) for row in confusion),
    }


def _score(confusion: _Counts, place: int, emotion: Emotion) -> EmotionScore:
    hits, labelled, named = (
        int(x) for x in (confusion[place, place], confusion[place].sum(), confusion[:, place].sum())
    )
    return EmotionScore(
        emotion=emotion,
        clips=labelled,
        recall=round(hits / max(labelled, 1), 4),
        precision=round(hits / max(named, 1), 4),
        f1=round(2 * hits / max(labelled + named, 1), 4),
    )


_FEATURES = {
    "egemaps": "eGeMAPS functionals (openSMILE)",
    "prosody": "prosody; openSMILE measured nothing here, the extra `emotion` brings it",
}


def render_markdown(recovery: EmotionRecovery) -> str:
    """Markdown for a report; reads as plain text too."""
    lines = [
        f"Leave one speaker out, from {_FEATURES[recovery.features]}. "
        f"Intervals: {recovery.settings.confidence:.0%}, over speakers.",
        "",
        "| speech | clips | speakers | average recall | interval | chance | accuracy |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_line(figure) for figure in recovery.figures]
    for figure in recovery.figures:
        if figure.scores:
            lines += ["", *_details(figure)]
    return "\n".join(lines) + "\n"


def _line(figure: RecoveryFigure) -> str:
    start = f"| {figure.group} | {figure.clips} | {figure.speakers} |"
    if figure.interval is None or figure.unweighted_average_recall is None:
        return f"{start} – | – | – | no figure: {figure.why_not} |"
    low, high = figure.interval
    return (
        f"{start} {figure.unweighted_average_recall:.1%} | {low:.1%} to {high:.1%} "
        f"| {figure.chance:.1%} | {figure.accuracy:.1%} |"
    )


def _details(figure: RecoveryFigure) -> Iterable[str]:
    yield f"| {figure.group}: label | recall | precision | F1 | heard as " + " | ".join(figure.emotions) + " |"
    yield "|---" * (4 + len(figure.emotions)) + "|"
    for score, row in zip(figure.scores, figure.confusion, strict=True):
        counts = " | ".join(str(count) for count in row)
        shares = f"{score.recall:.0%} | {score.precision:.0%} | {score.f1:.0%}"
        yield f"| {score.emotion} ({score.clips}) | {shares} | {counts} |"
