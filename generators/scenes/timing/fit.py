"""Timing learned from a real corpus: maximum-likelihood fits of our own distributions.

A fit answers one question: which `Uniform` or truncated `LogNormal` would most likely have
produced these durations? What a release needs as a bound (an assistant answers within 2 s, a
pause is longer than the 0.6 s at which the challenge's scripts merge) is a rule of ours and not
of the corpus, so the bounds of the setting that is replaced stay, durations outside them are
counted and left out, and the truncated likelihood accounts for what cannot be seen.

Which setting learns from what:

- ``floor_transfer`` from the gaps. Negative transfers (overlaps) are measured but not drawn: a
  scene's reply starts after its request, and barge-ins have recipes of their own.
- ``pause`` from the pauses that are as long as the pauses of the sub-task.
- ``stop_latency`` from nothing, although overlaps are fitted for comparison: who was cut short and who
  was just finishing cannot be told from intervals.
- ``leading_silence``, ``query_to_event``, ``third_party_gap`` and ``tail`` belong to the test format,
  no conversation has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from data_schemas.foundation.base import Record
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.corpus import Conversation
from generators.scenes.timing.distance import Quantiles, ks_statistic
from generators.scenes.timing.distributions import Distribution, LogNormal, Uniform
from generators.scenes.timing.floor import MERGE_GAP_S, measure

#: Fewer durations than this are not fitted (CHOICE): two parameters from a handful say nothing.
MIN_COUNT = 30

#: Measured duration -> the setting it replaces.
REPLACES = MappingProxyType({"gap": "floor_transfer", "pause": "pause"})

#: Every measured duration, in the order of tables. Floor transfers are signed, so none of our
#: distributions fits them.
MEASURED = ("floor_transfer", "gap", "overlap", "within_overlap", "pause", "backchannel", "turn")
_UNFITTED = frozenset({"floor_transfer"})

_SIGMA_BOUNDS = (0.01, 3.0)  # the upper one is LogNormal's own
_PARAMETERS = 2  # of either distribution, so comparing likelihoods is comparing AIC
_DIGITS = 4  # tenths of a millisecond


class FittedTiming(Record):
    """One kind of duration in the corpus, in seconds.

    ``n`` and ``quantiles`` are of all durations; ``used`` of them lay within the bounds of
    ``distribution`` and were fitted; ``ks`` compares those with it.
    """

    name: str
    n: int
    used: int = 0
    mean: float | None = None
    quantiles: Quantiles | None = None
    distribution: Distribution | None = None
    ks: float | None = None
    #: name of the setting that ``distribution`` can replace
    replaces: str | None = None
    #: why there is no fit
    note: str | None = None


class TimingFit(Record):
    """What a corpus says about timing."""

    conversations: int
    speech_s: float
    unclear: int
    timings: tuple[FittedTiming, ...]

    def timing(self, name: str) -> FittedTiming:
        """The timing of that name."""
        return next(timing for timing in self.timings if timing.name == name)

    def replacements(self) -> dict[str, Distribution]:
        """Setting -> fitted distribution, in the order of `REPLACES`."""
        return {
            timing.replaces: timing.distribution
            for timing in self.timings
            if timing.replaces is not None and timing.distribution is not None
        }

    def section(self) -> dict[str, dict[str, Any]]:
        """The ``scenes`` section of a configuration with the settings that were learned."""
        return {name: found.model_dump(mode="json") for name, found in self.replacements().items()}


def fit_timing(
    conversations: Iterable[Conversation],
    settings: SceneSettings | None = None,
    merge_gap_s: float = MERGE_GAP_S,
) -> TimingFit:
    """Measure two-speaker conversations and fit what was measured; the same input gives the same fit.

    Args:
        settings: whose bounds a replaced setting keeps (None: the defaults).

    Raises:
        CorpusError: a conversation has not exactly two speakers.
    """
    settings = settings or SceneSettings()
    found = measure(conversations, merge_gap_s)
    return TimingFit(
        conversations=found.conversations,
        speech_s=round(found.speech_s, _DIGITS),
        unclear=found.unclear,
        timings=tuple(_fitted(name, getattr(found, name), settings) for name in MEASURED),
    )


def _fitted(name: str, values: Sequence[float], settings: SceneSettings) -> FittedTiming:
    replaces = REPLACES.get(name)
    if not values:
        return FittedTiming(name=name, n=0, replaces=replaces, note="never heard in this corpus")
    facts = FittedTiming(
        name=name,
        n=len(values),
        mean=round(float(np.mean(values)), _DIGITS),
        quantiles=Quantiles.of(values),
        replaces=replaces,
    )
    if name in _UNFITTED:
        return facts.model_copy(update={"note": "signed: gaps above 0, overlaps below"})
    if replaces is None:
        low_s, high_s = 0.0, math.ceil(max(values) * 10.0) / 10.0
    else:
        target: Distribution = getattr(settings, replaces)
        low_s, high_s = target.lower_s, target.upper_s
        if high_s <= low_s:
            return facts.model_copy(update={"note": f"scenes.{replaces} is fixed; give it bounds to learn within"})
    used = [value for value in values if low_s <= value <= high_s]
    facts = facts.model_copy(update={"used": len(used)})
    if len(used) < MIN_COUNT or len(set(used)) < _PARAMETERS:
        return facts.model_copy(
            update={"note": f"{len(used)} between {low_s:g} and {high_s:g} s; a fit needs {MIN_COUNT} that differ"}
        )
    distribution = fit(used, low_s, high_s)
    return facts.model_copy(
        update={"distribution": distribution, "ks": round(ks_statistic(used, distribution.cdf), _DIGITS)}
    )


def fit(values: Sequence[float], low_s: float, high_s: float) -> LogNormal | Uniform:
    """The likelier of a uniform and a log-normal truncated to ``[low_s, high_s]``.

    Both have two parameters, so the higher likelihood is also the lower AIC; a tie goes to the uniform.

    Args:
        values: at least two different durations, all of them above 0 and within the bounds.
    """
    uniform, log_normal = fit_uniform(values), fit_lognormal(values, low_s, high_s)
    flat = -len(values) * math.log(max(values) - min(values))
    curved = _log_likelihood(np.log(values), math.log(log_normal.median_s), log_normal.sigma, low_s, high_s)
    return log_normal if curved > flat else uniform


def fit_uniform(values: Sequence[float]) -> Uniform:
    """The maximum-likelihood uniform: from the shortest to the longest duration (rounded inwards)."""
    scale = 10.0**_DIGITS
    low_s, high_s = math.ceil(min(values) * scale) / scale, math.floor(max(values) * scale) / scale
    return Uniform(low_s=min(low_s, high_s), high_s=max(low_s, high_s))


def fit_lognormal(values: Sequence[float], low_s: float, high_s: float) -> LogNormal:
    """The maximum-likelihood log-normal truncated to ``[low_s, high_s]``.

    The median is sought within the bounds (our `LogNormal` has it there) and sigma in 0.01 to 3.
    """
    from scipy.optimize import minimize

    logs = np.log(np.asarray(values, dtype=np.float64))
    lowest = math.log(low_s) if low_s > 0.0 else float(logs.min())
    bounds = ((lowest, math.log(high_s)), tuple(math.log(sigma) for sigma in _SIGMA_BOUNDS))

    def cost(point: np.ndarray) -> float:
        return -_log_likelihood(logs, float(point[0]), math.exp(float(point[1])), low_s, high_s) / len(logs)

    spread = math.log(min(max(float(logs.std()), _SIGMA_BOUNDS[0]), _SIGMA_BOUNDS[1]))
    # truncation leaves a flat valley towards wide distributions: look from narrow and from wide
    starts = [(float(centre), width) for centre in (logs.mean(), np.median(logs)) for width in (spread, spread + 1.0)]
    starts.append((lowest, min(spread + 1.0, bounds[1][1])))
    lower, upper = np.array(bounds).T
    tries = [minimize(cost, np.clip(start, lower, upper), bounds=bounds, method="L-BFGS-B") for start in starts]
    best = min(tries, key=lambda result: float(result.fun))
    median_s = round(math.exp(float(best.x[0])), _DIGITS)
    sigma = round(math.exp(float(best.x[1])), _DIGITS)
    return LogNormal(
        median_s=min(max(median_s, low_s, 10.0**-_DIGITS), high_s),
        sigma=min(max(sigma, _SIGMA_BOUNDS[0]), _SIGMA_BOUNDS[1]),
        low_s=low_s,
        high_s=high_s,
    )


def _log_likelihood(logs: np.ndarray, mu: float, sigma: float, low_s: float, high_s: float) -> float:
    """Log-likelihood of durations given by their logarithms."""
    from scipy.special import log_ndtr

    below = log_ndtr((math.log(low_s) - mu) / sigma) if low_s > 0.0 else -math.inf
    upto = log_ndtr((math.log(high_s) - mu) / sigma)
    within = upto + math.log1p(-math.exp(below - upto))
    deviations = (logs - mu) / sigma
    density = -0.5 * deviations @ deviations - logs.sum() - len(logs) * math.log(sigma * math.sqrt(2.0 * math.pi))
    return float(density - len(logs) * within)
