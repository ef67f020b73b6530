"""How far a sample of durations lies from a distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from data_schemas.foundation.base import Record
from generators.scenes.timing.distributions import Distribution, Fixed

#: The quantiles every table of durations shows.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

_GRID = 2000  # cells into which a target is cut; a fifty-thousandth of its range is the largest error of a mean
_HALVINGS = 60


class Quantiles(Record):
    """Seconds below which 5, 25, 50, 75 and 95 % of the durations lie."""

    q05: float
    q25: float
    q50: float
    q75: float
    q95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quantiles:
        """Of a sample, interpolated linearly. ``values`` must not be empty."""
        return cls._from(np.quantile(np.asarray(values, dtype=np.float64), QUANTILES).tolist())

    @classmethod
    def of_target(cls, target: Distribution) -> Quantiles:
        """Of a distribution, by bisection of its ``cdf``."""
        return cls._from([_quantile(target, p) for p in QUANTILES])

    @classmethod
    def _from(cls, values: Sequence[float]) -> Quantiles:
        q05, q25, q50, q75, q95 = (round(value, 4) for value in values)
        return cls(q05=q05, q25=q25, q50=q50, q75=q75, q95=q95)


def ks_statistic(values: Sequence[float], cdf: Callable[[float], float]) -> float:
    """Kolmogorov-Smirnov: the largest difference between two distribution functions, 0 to 1.

    Both sides of every step are compared, so ties and jumps of ``cdf`` are treated right.
    """
    distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    after = np.cumsum(counts) / len(values)
    before = np.concatenate(([0.0], after[:-1]))
    at = np.array([cdf(float(x)) for x in distinct])
    below = np.array([cdf(math.nextafter(float(x), -math.inf)) for x in distinct])
    return float(max(np.abs(after - at).max(), np.abs(before - below).max()))


def wasserstein_s(values: Sequence[float], target: Distribution) -> float:
    """Wasserstein-1 distance in seconds: how far the average duration would have to be moved."""
    from scipy.stats import wasserstein_distance

    points, weights = _grid(target)
    return float(wasserstein_distance(values, points, v_weights=weights))


def mean_of(target: Distribution) -> float:
    """Mean of a distribution in seconds."""
    points, weights = _grid(target)
    return float(np.average(points, weights=weights))


def _grid(target: Distribution) -> tuple[list[float], list[float]]:
    """The target as cells' middles with their probabilities."""
    if isinstance(target, Fixed) or target.upper_s <= target.lower_s:
        return [target.lower_s], [1.0]
    edges = np.linspace(target.lower_s, target.upper_s, _GRID + 1)
    weights = np.diff([target.cdf(float(edge)) for edge in edges])
    return ((edges[:-1] + edges[1:]) / 2.0).tolist(), weights.tolist()


def _quantile(target: Distribution, p: float) -> float:
    low, high = target.lower_s, target.upper_s
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if target.cdf(middle) >= p else (middle, high)
    return high
