"""Does an utterance's prosody move the way its emotion label says, against the same speaker's neutral?

The directions and their sources are data: ``emotion_directions.yaml``. Anger, fear, happy and surprise share a raised
voice and sad and disgust a lowered one, so this judge sees a label on the wrong side, not every wrong label; and a
voice without any emotion goes against nothing: `emotion_recovery` says how much is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from statistics import fmean, median
from typing import Literal, NamedTuple

from pydantic import Field

from data_schemas.emotions import Emotion
from data_schemas.finding import Finding
from data_schemas.foundation.base import Record
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.tasks import Language
from validators.core.clip_measures import ClipMeasures
from validators.core.codes import Judge
from validators.core.measure import spoken_units
from validators.core.thresholds import Thresholds

VALIDATOR = "emotion_directions/1"
LEVEL = "voiced_level_db"
RATE = "rate_octaves"
#: Fewer characters or words have no rate of their own (CHOICE: duration then follows the words).
MIN_UNITS = 3.0
#: One measure counts this many standard deviations at most, so that none decides alone (CHOICE).
MAX_DEVIATION = 3.0
#: A measure this near to neutral goes neither way, in standard deviations (CHOICE).
UNDECIDED = 0.5
#: An agreement is a share of at least so many measures that go one way (CHOICE).
MIN_DECIDED = 2
#: Labels go from 1 to 3; without an intensity a label is taken for a plain one (CHOICE).
MAX_INTENSITY = 3
DEFAULT_INTENSITY = 2

Sign = Literal[-1, 0, 1]
Person = tuple[Language, str]


class MeasureInfo(Record):
    """The least standard deviation differences are counted in, and what of."""

    floor: float = Field(gt=0.0)
    unit: str


class Directions(Record):
    """``emotion_directions.yaml``."""

    measures: dict[str, MeasureInfo]
    emotions: dict[Emotion, dict[str, Sign]]
    languages: dict[Language, dict[Emotion, dict[str, Sign]]]

    def signs(self, emotion: Emotion, language: Language) -> dict[str, int]:
        """Measure -> 1 or -1; measures without a direction are left out."""
        merged = {**self.emotions[emotion], **self.languages.get(language, {}).get(emotion, {})}
        return {measure: sign for measure, sign in merged.items() if sign}


class DirectionRow(Record):
    """One measure of one emotion's utterances in one language, against their speakers' neutral."""

    language: Language
    emotion: Emotion
    measure: str
    stated: Sign
    clips: int
    mean_difference_sd: float
    share_in_direction: float | None  # of the clips that go either way; None where no direction is stated or none does


class ProsodyReport(Record):
    """What `judge_prosody` saw of a data set."""

    judged: int  # emotional utterances compared with their speaker's neutral
    not_judged: dict[str, int]  # reason -> utterances with an emotion other than neutral
    speakers: int  # with a neutral reference
    levelled: bool  # all utterances are equally loud, so level tells nothing and is not counted
    rows: tuple[DirectionRow, ...]
    mean_agreement: float | None  # over judged utterances with at least two measures that go one way
    against: int  # utterances named in findings

    def to_markdown(self) -> str:
        """A table per language: mean difference in standard deviations, and the share in the stated direction."""
        return render_markdown(self)


class _Deviation(NamedTuple):
    """An emotional utterance; measure -> distance from neutral in standard deviations."""

    clip: ClipMeasures
    emotion: Emotion
    by_measure: dict[str, float]


class _Verdict(NamedTuple):
    """-1 .. 1 times intensity; the share of decided measures that agree, None for too few; those against it."""

    score: float
    agreement: float | None
    against: tuple[str, ...]


@cache
def directions() -> Directions:
    """The shipped table."""
    text = files("validators.emotion").joinpath("emotion_directions.yaml").read_text(encoding="utf-8")
    return Directions.model_validate(load_yaml(text, "emotion_directions.yaml"))


def judge_prosody(
    clips: Sequence[ClipMeasures], thresholds: Thresholds, table: Directions | None = None
) -> tuple[tuple[Finding, ...], ProsodyReport]:
    """Compare every labelled dry utterance with its speaker's neutral ones, which must be ``min_neutral_clips``.

    ``EMOTION.DIRECTION`` (info): the measures go clearly against the label; ``EMOTION.OPPOSED`` (error): fewer agree
    than a configuration demands, which by default demands nothing. Same result in any order of ``clips``.
    """
    table = table or directions()
    labelled = sorted((c for c in clips if c.emotion is not None and c.is_dry), key=lambda clip: clip.clip)
    measured = {clip.clip: measures_for(clip, table) for clip in labelled}
    levelled = _is_levelled(labelled, measured, table)
    neutral = _neutral(labelled, measured, thresholds.min_neutral_clips)
    scales = {language: _scales(language, neutral, table) for language in Language}
    references = {person: _reference(spoken) for person, spoken in neutral.items()}
    deviations: list[_Deviation] = []
    missing: dict[str, int] = {}
    for clip in labelled:
        if clip.emotion is None or clip.emotion.is_neutral:
            continue
        reason = _why_not(clip, measured[clip.clip], neutral)
        if reason:
            missing[reason] = missing.get(reason, 0) + 1
        else:
            reference = references[clip.language, str(clip.speaker)]
            distances = _distances(measured[clip.clip], reference, scales[clip.language])
            if levelled:
                distances.pop(LEVEL, None)
            deviations.append(_Deviation(clip, clip.emotion, distances))
    verdicts = [(one, _verdict(one, table)) for one in deviations]
    findings = tuple(finding for one, verdict in verdicts for finding in _findings(one, verdict, thresholds))
    agreements = [verdict.agreement for _, verdict in verdicts if verdict.agreement is not None]
    report = ProsodyReport(
        judged=len(deviations),
        not_judged=dict(sorted(missing.items())),
        speakers=len(neutral),
        levelled=levelled,
        rows=tuple(_rows(deviations, table)),
        mean_agreement=round(fmean(agreements), 4) if agreements else None,
        against=len({(finding.item, finding.file, finding.start) for finding in findings}),
    )
    return findings, report


def measures_for(clip: ClipMeasures, table: Directions) -> dict[str, float]:
    """The table's measures the clip has; speaking rate in octaves from its text."""
    found = {name: clip.values[name] for name in table.measures if name in clip.values}
    units = fmean(spoken_units(clip.text, clip.language))
    seconds = clip.values.get("articulation_s", 0.0)
    if units >= MIN_UNITS and seconds > 0.0:
        found[RATE] = math.log2(units / seconds)
    return found


def _neutral(
    labelled: Sequence[ClipMeasures], measured: Mapping[str, Mapping[str, float]], least: int
) -> dict[Person, list[Mapping[str, float]]]:
    """Speakers with enough neutral utterances, and these."""
    grouped: dict[Person, list[Mapping[str, float]]] = {}
    for clip in labelled:
        if clip.emotion is Emotion.NEUTRAL and clip.speaker is not None and measured[clip.clip]:
            grouped.setdefault((clip.language, clip.speaker), []).append(measured[clip.clip])
    return {person: spoken for person, spoken in grouped.items() if len(spoken) >= least}


def _pooled_sd(groups: Iterable[Sequence[Mapping[str, float]]], measure: str) -> float | None:
    """Standard deviation about each group's own mean; None without two utterances of one speaker."""
    squares, freedom = 0.0, 0
    for group in groups:
        values = [spoken[measure] for spoken in group if measure in spoken]
        if len(values) > 1:
            mean = fmean(values)
            squares += sum((value - mean) ** 2 for value in values)
            freedom += len(values) - 1
    return math.sqrt(squares / freedom) if freedom else None


def _scales(
    language: Language, neutral: Mapping[Person, Sequence[Mapping[str, float]]], table: Directions
) -> dict[str, float]:
    groups = [spoken for (spoken_in, _), spoken in sorted(neutral.items()) if spoken_in is language]
    return {measure: max(_pooled_sd(groups, measure) or 0.0, info.floor) for measure, info in table.measures.items()}


def _is_levelled(
    labelled: Sequence[ClipMeasures], measured: Mapping[str, Mapping[str, float]], table: Directions
) -> bool:
    """Whether level varies within speakers no more than words make it vary when every file is equally loud."""
    grouped: dict[Person, list[Mapping[str, float]]] = {}
    for clip in labelled:
        grouped.setdefault((clip.language, clip.speaker or ""), []).append(measured[clip.clip])
    spread = _pooled_sd([grouped[person] for person in sorted(grouped)], LEVEL)
    return spread is not None and spread <= table.measures[LEVEL].floor


def _why_not(clip: ClipMeasures, measured: Mapping[str, float], neutral: Mapping[Person, object]) -> str:
    if clip.speaker is None:
        return "the row names no speaker"
    if not measured:
        return "nothing could be measured"
    if (clip.language, clip.speaker) not in neutral:
        return "too few neutral utterances of the speaker"
    return ""


def _reference(neutral: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, int]]:
    """Measure -> median of a speaker's neutral utterances, and of how many."""
    values: dict[str, list[float]] = {}
    for spoken in neutral:
        for measure, value in spoken.items():
            values.setdefault(measure, []).append(value)
    return {measure: (median(found), len(found)) for measure, found in values.items()}


def _distances(
    measured: Mapping[str, float], reference: Mapping[str, tuple[float, int]], scales: Mapping[str, float]
) -> dict[str, float]:
    """(value - median of neutral) in standard deviations of such a difference."""
    found: dict[str, float] = {}
    for measure, value in measured.items():
        if measure in reference:
            middle, count = reference[measure]
            found[measure] = (value - middle) / (scales[measure] * math.sqrt(1.0 + 1.0 / count))
    return found


def _verdict(one: _Deviation, table: Directions) -> _Verdict:
    signs = table.signs(one.emotion, one.clip.language)
    ways = {measure: sign * one.by_measure[measure] for measure, sign in signs.items() if measure in one.by_measure}
    if not ways:
        return _Verdict(0.0, None, ())
    intensity = DEFAULT_INTENSITY if one.clip.intensity is None else one.clip.intensity
    weight = min(intensity, MAX_INTENSITY) / MAX_INTENSITY
    mean = fmean(max(-MAX_DEVIATION, min(way, MAX_DEVIATION)) for way in ways.values())
    decided = [way > 0.0 for way in ways.values() if abs(way) >= UNDECIDED]
    agreement = sum(decided) / len(decided) if len(decided) >= MIN_DECIDED else None
    against = tuple(sorted(measure for measure, way in ways.items() if way <= -UNDECIDED))
    return _Verdict(weight * mean, agreement, against)


def _findings(one: _Deviation, verdict: _Verdict, thresholds: Thresholds) -> Iterable[Finding]:
    clip = one.clip
    judge = Judge(VALIDATOR, clip.item, clip.file)
    if verdict.score < -thresholds.max_direction_opposition:
        yield judge.say(
            "EMOTION.DIRECTION",
            f"{clip.name} is labelled {one.emotion} and its voice goes the other way than that from "
            f"{clip.speaker}'s neutral: {', '.join(verdict.against)}",
            span=clip.span,
            value=verdict.score,
            threshold=-thresholds.max_direction_opposition,
        )
    if verdict.agreement is not None and verdict.agreement < thresholds.min_direction_agreement:
        yield judge.say(
            "EMOTION.OPPOSED",
            f"{clip.name} is labelled {one.emotion}; {verdict.agreement:.0%} of what moved in the voice agrees",
            span=clip.span,
            value=verdict.agreement,
            threshold=thresholds.min_direction_agreement,
        )


def _rows(deviations: Sequence[_Deviation], table: Directions) -> Iterable[DirectionRow]:
    for language in Language:
        for emotion in Emotion:
            mine = [one for one in deviations if one.emotion is emotion and one.clip.language is language]
            signs = table.signs(emotion, language)
            for measure in table.measures:
                values = [one.by_measure[measure] for one in mine if measure in one.by_measure]
                if values:
                    yield _row(language, emotion, measure, signs.get(measure, 0), values)


def _row(language: Language, emotion: Emotion, measure: str, stated: int, values: Sequence[float]) -> DirectionRow:
    decided = [value * stated > 0 for value in values if abs(value) >= UNDECIDED]
    return DirectionRow(
        language=language,
        emotion=emotion,
        measure=measure,
        stated=1 if stated > 0 else -1 if stated else 0,
        clips=len(values),
        mean_difference_sd=round(fmean(values), 4),
        share_in_direction=round(sum(decided) / len(decided), 4) if stated and decided else None,
    )


def render_markdown(report: ProsodyReport) -> str:
    """The report as Markdown: mean difference in sd, stated direction, share of decided clips that follow it."""
    lines = [
        f"{report.judged} emotional utterances of {report.speakers} speakers against their own neutral; "
        f"{report.against} named in findings.",
    ]
    lines += [f"Not judged, {reason}: {count}." for reason, count in report.not_judged.items()]
    if report.levelled:
        lines.append("All utterances are equally loud, so level is not counted.")
    for language in dict.fromkeys(row.language for row in report.rows):
        rows = [row for row in report.rows if row.language is language]
        measures = list(dict.fromkeys(row.measure for row in rows))
        lines += ["", f"| {language} | clips | " + " | ".join(measures) + " |", "|---" * (len(measures) + 2) + "|"]
        for emotion in dict.fromkeys(row.emotion for row in rows):
            cells = {row.measure: row for row in rows if row.emotion is emotion}
            shown = [_cell(cells[measure]) if measure in cells else "–" for measure in measures]
            lines.append(f"| {emotion} | {max(row.clips for row in cells.values())} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: DirectionRow) -> str:
    if not row.stated:
        return f"{row.mean_difference_sd:+.1f}"
    share = "–" if row.share_in_direction is None else f"{row.share_in_direction:.0%}"
    return f"{row.mean_difference_sd:+.1f} ({'up' if row.stated > 0 else 'down'} {share})"
