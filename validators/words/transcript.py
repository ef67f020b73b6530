"""What is heard against what is written: errors, words cut off, words nobody wrote, another language, speaking rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from data_schemas.finding import Finding
from data_schemas.tasks import Language, Role
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.measure import FRAME_S, frame_levels, spoken_units
from validators.core.probe import ClipVerdict, Measurement
from validators.core.thresholds import Thresholds
from validators.files.audio import sounding_seconds
from validators.words.spoken_words import Pair, character_pairs, syllable_pairs, word_pairs

VALIDATOR = "transcript/1"
#: from this probability on nobody speaks (Whisper's own default, Radford et al. 2022, section 4.5)
_NO_SPEECH = 0.6
_SHOWN = 8  # units of a message
_SHOWN_LETTERS = 60
_LETTERS_OF_UNIT = 2  # the least a spoken unit adds: me, to, wo


class Stretch(NamedTuple):
    """Units ``[start, stop)`` of both sides between two units that agree (or an end of the text)."""

    reference: tuple[int, int]
    heard: tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """A reference aligned with what was heard (Levenshtein)."""

    pair: Pair
    alignment: Any  # jiwer.WordOutput of one pair

    @property
    def error_rate(self) -> float:
        """Substitutions, deletions and insertions per unit of the reference."""
        return float(self.alignment.wer)

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """Where both sides differ, in order; neighbouring differences are one."""
        found: list[Stretch] = []
        for chunk in self.alignment.alignments[0]:
            if chunk.type == "equal":
                continue
            here = Stretch((chunk.ref_start_idx, chunk.ref_end_idx), (chunk.hyp_start_idx, chunk.hyp_end_idx))
            if found and found[-1].reference[1] == here.reference[0] and found[-1].heard[1] == here.heard[0]:
                here = Stretch((found[-1].reference[0], here.reference[1]), (found[-1].heard[0], here.heard[1]))
                found.pop()
            found.append(here)
        return tuple(found)

    def at_start(self, stretch: Stretch) -> bool:
        return stretch.reference[0] == 0 and stretch.heard[0] == 0

    def at_end(self, stretch: Stretch) -> bool:
        return stretch.reference[1] == len(self.pair.reference) and stretch.heard[1] == len(self.pair.heard)

    def missing(self, stretch: Stretch) -> int:
        """Units that are not heard there, 0 where the sounds are there and only divided otherwise (meant to ring,
        mentoring): each needs two letters more in the reference.
        """
        return _surplus(self.pair.reference[slice(*stretch.reference)], self.pair.heard[slice(*stretch.heard)])

    def extra(self, stretch: Stretch) -> int:
        """Units that are heard there and not written, counted likewise."""
        return _surplus(self.pair.heard[slice(*stretch.heard)], self.pair.reference[slice(*stretch.reference)])

    def written(self, stretch: Stretch) -> str:
        """Units of the reference there, for a message."""
        return " ".join(self.pair.reference[slice(*stretch.reference)][:_SHOWN])

    def said(self, stretch: Stretch) -> str:
        """Units heard there, for a message."""
        return " ".join(self.pair.heard[slice(*stretch.heard)][:_SHOWN])


def _surplus(longer: Sequence[str], shorter: Sequence[str]) -> int:
    units = len(longer) - len(shorter)
    letters = sum(map(len, longer)) - sum(map(len, shorter))
    return max(0, min(units, letters // _LETTERS_OF_UNIT))


def align(pairs: tuple[Pair, ...]) -> Reading | None:
    """The reading with the fewest errors; None where the reference has no unit."""
    import jiwer

    readings = [
        Reading(pair, jiwer.process_words([" ".join(pair.reference)], [" ".join(pair.heard)]))
        for pair in pairs
        if pair.reference
    ]
    return min(readings, key=lambda reading: reading.error_rate, default=None)


def read(text: str, heard: str, language: Language) -> Reading | None:
    """Chinese as toneless Pinyin, because homophones are the recogniser's choice; English as words."""
    return align(syllable_pairs(text, heard) if language is Language.ZH else word_pairs(text, heard))


def judge_transcript(judge: Judge, clip: Clip, measurement: Measurement, thresholds: Thresholds) -> ClipVerdict:
    """Findings on one clip; publishes ``wer`` (en) or ``cer`` and ``syllable_error_rate`` (zh) and ``units_per_s``."""
    heard = measurement.texts["heard"]
    reading = read(clip.text, heard, clip.language)
    values: dict[str, float] = {}
    findings = [*_language(judge, clip, measurement, thresholds), *_rate(judge, clip, thresholds, values)]
    if reading is None:
        return ClipVerdict(tuple(findings), values)
    if clip.language is Language.ZH:
        characters = align(character_pairs(clip.text, heard))
        values["syllable_error_rate"] = reading.error_rate
        values["cer"] = reading.error_rate if characters is None else characters.error_rate
    else:
        values["wer"] = reading.error_rate
    return ClipVerdict((*_words(judge, clip, reading, heard, thresholds), *findings), values)


def _words(judge: Judge, clip: Clip, reading: Reading, heard: str, thresholds: Thresholds) -> Iterator[Finding]:
    limits = limits_of(clip, thresholds)
    length = len(reading.pair.reference)
    if length < thresholds.min_transcript_units or clip.seconds < thresholds.min_transcript_s:
        yield from _extra(judge, clip, reading, limits.extra_of_short)
        return
    unheard = unheard_share(reading, clip.cut)
    if unheard > limits.unheard_share:
        yield judge.say(
            "TRANSCRIPT.ERRORS",
            f"{unheard:.0%} of {length} units are not heard: {heard[:_SHOWN_LETTERS]!r} "
            f"for {clip.text[:_SHOWN_LETTERS]!r}",
            span=clip.span,
            value=unheard,
            threshold=limits.unheard_share,
        )
        return
    yield from _missing(judge, clip, reading, limits)
    yield from _extra(judge, clip, reading, limits.extra)


def unheard_share(reading: Reading, cut: bool) -> float:
    """Share of the reference's units that are missing or heard as others; of a cut clip the end, where its last
    word breaks off, is not asked for. Units that are heard and not written are another finding's.
    """
    asked = [stretch for stretch in reading.stretches if not (cut and reading.at_end(stretch))]
    return sum(stretch.reference[1] - stretch.reference[0] for stretch in asked) / len(reading.pair.reference)


class Limits(NamedTuple):
    """What is asked of one clip: in its language, dry or behind a microphone."""

    unheard_share: float
    start: int
    end: int
    gap: int
    extra: int
    extra_of_short: int


def limits_of(clip: Clip, thresholds: Thresholds) -> Limits:
    """Behind a microphone and of bystanders, who stand far away, only gross errors count."""
    chinese = clip.language is Language.ZH
    hard = not clip.is_dry or clip.role is Role.THIRD_PARTY
    rate = thresholds.max_unheard_zh if chinese else thresholds.max_unheard_en
    worst = thresholds.max_far_unheard_zh if chinese else thresholds.max_far_unheard_en
    never = len(clip.text) + 1
    start = thresholds.missing_start_zh if chinese else thresholds.missing_start_en
    end = thresholds.missing_end_zh if chinese else thresholds.missing_end_en
    gap = thresholds.missing_gap_zh if chinese else thresholds.missing_gap_en
    extra = thresholds.extra_units_zh if chinese else thresholds.extra_units_en
    if hard:
        return Limits(max(rate, worst), never, never, never, extra, extra)
    return Limits(rate, start, never if clip.cut else end, gap, extra, extra)


def _missing(judge: Judge, clip: Clip, reading: Reading, limits: Limits) -> Iterator[Finding]:
    for stretch in reading.stretches:
        if reading.at_start(stretch):
            code, limit, where = "TRANSCRIPT.START", limits.start, "first"
        elif reading.at_end(stretch):
            code, limit, where = "TRANSCRIPT.END", limits.end, "last"
        else:
            code, limit, where = "TRANSCRIPT.GAP", limits.gap, "middle"
        missing = reading.missing(stretch)
        if missing >= limit:
            yield judge.say(
                code,
                f"{missing} of the {where} units are not heard: {reading.written(stretch)!r}",
                span=clip.span,
                value=missing,
                threshold=limit,
            )


def _extra(judge: Judge, clip: Clip, reading: Reading, limit: int) -> Iterator[Finding]:
    for stretch in reading.stretches:
        extra = reading.extra(stretch)
        if extra >= limit and not (clip.cut and reading.at_end(stretch)):
            start, end = reading.at_start(stretch), reading.at_end(stretch)
            where = "before the text" if start and not end else "after the text" if end else "inside the text"
            yield judge.say(
                "TRANSCRIPT.EXTRA",
                f"{extra} units that are not written are heard {where}: {reading.said(stretch)!r}",
                span=clip.span,
                value=extra,
                threshold=limit,
            )


def _language(judge: Judge, clip: Clip, measurement: Measurement, thresholds: Thresholds) -> Iterator[Finding]:
    limit = thresholds.min_p_language_zh if clip.language is Language.ZH else thresholds.min_p_language_en
    probability = measurement.values["p_language"]
    other = measurement.texts["heard_language"]
    _, most = spoken_units(clip.text, clip.language)
    heard = measurement.values["no_speech"] < _NO_SPEECH  # Whisper names a language of silence too
    enough = heard and clip.seconds >= thresholds.min_language_s and most >= thresholds.min_transcript_units
    if enough and clip.is_dry and other != clip.language.value and probability < limit:
        yield judge.say(
            "LANGUAGE.AUDIO",
            f"sounds like {other}; {clip.language.value} has a probability of {probability:.3f}",
            span=clip.span,
            value=probability,
            threshold=limit,
        )


def _rate(judge: Judge, clip: Clip, thresholds: Thresholds, values: dict[str, float]) -> Iterator[Finding]:
    fewest, most = spoken_units(clip.text, clip.language)
    levels = frame_levels(clip.samples, clip.rate)
    seconds = sounding_seconds(levels, thresholds.silence_dbfs)
    if fewest < thresholds.min_rate_units or seconds < FRAME_S or not clip.is_dry:
        return
    slowest, fastest = fewest / seconds, most / seconds
    values["units_per_s"] = (slowest + fastest) / 2
    if clip.language is Language.ZH:
        low, high = thresholds.min_zh_chars_per_s, thresholds.max_zh_chars_per_s
    else:
        low, high = thresholds.min_en_words_per_s, thresholds.max_en_words_per_s
    if fastest < low or slowest > high:
        yield judge.say(
            "TRANSCRIPT.RATE",
            f"{values['units_per_s']:.1f} units per second of sound; {low} to {high} are usual",
            span=clip.span,
            value=fastest if fastest < low else slowest,
            threshold=low if fastest < low else high,
        )
