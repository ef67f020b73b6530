"""A borderline transcript does not decide: the clip is heard three times more, in faint noise; the middle one counts.

What a recogniser makes of an unclear word hangs on the last bits of its arithmetic, which differ between processors
and versions of libraries. Noise 50 dB under the speech, which nobody hears, moves those bits as much; so what
survives it does not hang on the processor. What was measured: `validators.words.limits.CALIBRATION`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from data_schemas.finding import Severity
from data_schemas.foundation.audio import Samples
from data_schemas.foundation.randomness import named_generator
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.probe import ClipProbe, ClipVerdict, Measurement
from validators.core.thresholds import Thresholds
from validators.words.transcript import VALIDATOR, judge_transcript

VERSION = "hearings/1"
HEARINGS = 3  # odd, so that there is a middle one
NOISE_DB = -50.0  # against the clip's own level
#: A verdict is borderline where limits this much tighter or looser would give another one.
SHARE_MARGIN = 0.2  # of `max_unheard_*` and `max_far_unheard_*`
UNITS_MARGIN = 1  # of `missing_*` and `extra_units_*`
PROBABILITY_MARGIN = 0.15  # of `min_p_language_*`

_SHARES = ("max_unheard_zh", "max_unheard_en", "max_far_unheard_zh", "max_far_unheard_en")
_UNITS = tuple(
    f"{name}_{language}"
    for name in ("missing_start", "missing_end", "missing_gap", "extra_units")
    for language in ("zh", "en")
)
_PROBABILITIES = ("min_p_language_zh", "min_p_language_en")


class NoisyHearing:
    """A `ClipProbe`: another one's measurement of the clip with white noise ``NOISE_DB`` under it, draw ``number``."""

    def __init__(self, probe: ClipProbe, number: int) -> None:
        self._probe, self._number = probe, number

    @property
    def identity(self) -> str:
        return f"{self._probe.identity}; {VERSION} {NOISE_DB:g} dB, draw {self._number}"

    def measure(self, clip: Clip) -> Measurement:
        return self._probe.measure(replace(clip, samples=with_noise(clip.samples, NOISE_DB, self._number)))


def with_noise(samples: Samples, level_db: float, number: int) -> Samples:
    """Samples ``[n]`` with white noise ``level_db`` under their RMS; the same draw for the same number."""
    noise = named_generator(number, "white noise", VERSION).standard_normal(len(samples))
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    noisy: Samples = (samples + rms * 10.0 ** (level_db / 20.0) * noise).astype(np.float32)
    return noisy


def settled(
    probe: ClipProbe,
    clip: Clip,
    first: Measurement,
    thresholds: Thresholds,
    measure: Callable[[ClipProbe], Measurement],
) -> Measurement:
    """The measurement that counts: the first, or the middle one of three more where its verdict is borderline.

    ``measure`` asks a probe about the clip, or finds what it measured before.
    """
    if not is_borderline(clip, first, thresholds):
        return first
    return middle(clip, [measure(NoisyHearing(probe, number)) for number in range(HEARINGS)], thresholds)


def is_borderline(clip: Clip, measurement: Measurement, thresholds: Thresholds) -> bool:
    """Whether limits that are tighter or looser by the margins would give other errors; a warning decides nothing."""
    tighter, looser = (_errors(_verdict(clip, measurement, _moved(thresholds, sign))) for sign in (-1, 1))
    return tighter != looser


def middle(clip: Clip, hearings: list[Measurement], thresholds: Thresholds) -> Measurement:
    """Of an odd number of hearings, that with as many better ones as worse ones: first by whether there is an error,
    then by the share of the text that is wrong, then by how sure the recogniser was.
    """

    def badness(measurement: Measurement) -> tuple[bool, float, float]:
        verdict = _verdict(clip, measurement, thresholds)
        wrong = verdict.values.get("wer", verdict.values.get("syllable_error_rate", 0.0))
        return bool(_errors(verdict)), wrong, -measurement.values["avg_logprob"]

    return sorted(hearings, key=badness)[len(hearings) // 2]


def _verdict(clip: Clip, measurement: Measurement, thresholds: Thresholds) -> ClipVerdict:
    return judge_transcript(Judge(VALIDATOR, clip.item, clip.file), clip, measurement, thresholds)


def _errors(verdict: ClipVerdict) -> frozenset[str]:
    return frozenset(finding.code for finding in verdict.findings if finding.severity is Severity.ERROR)


def _moved(thresholds: Thresholds, sign: int) -> Thresholds:
    """Limits looser (1) or tighter (-1) by the margins; limits that nothing exceeds stay such."""
    moved: dict[str, float] = {}
    for name in _SHARES:
        limit = getattr(thresholds, name)
        moved[name] = limit if limit >= 1.0 else min(1.0, max(0.0, limit + sign * SHARE_MARGIN))
    for name in _UNITS:
        moved[name] = max(1, getattr(thresholds, name) + sign * UNITS_MARGIN)
    for name in _PROBABILITIES:
        limit = getattr(thresholds, name)
        moved[name] = limit if limit <= 0.0 else min(1.0, max(0.0, limit - sign * PROBABILITY_MARGIN))
    return thresholds.model_copy(update=moved)
