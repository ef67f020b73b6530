"""Named distributions of durations: what a scene's timing is drawn from.

All values are seconds. Every distribution is bounded, so a rule such as "a pause is longer
than 0.6 s" can be checked on the configuration before anything is made.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from data_schemas.foundation.base import Record


class Fixed(Record):
    """Always the same duration.

    >>> Fixed(value_s=5.0).sample(np.random.default_rng(0))
    5.0
    """

    kind: Literal["fixed"] = "fixed"
    value_s: float = Field(ge=0.0)

    @property
    def lower_s(self) -> float:
        return self.value_s

    @property
    def upper_s(self) -> float:
        return self.value_s

    def sample(self, generator: np.random.Generator) -> float:
        return self.value_s

    def cdf(self, x: float) -> float:
        """Probability of a duration of at most ``x`` seconds."""
        return 1.0 if x >= self.value_s else 0.0


class Uniform(Record):
    """Any duration of ``[low_s, high_s)`` alike."""

    kind: Literal["uniform"] = "uniform"
    low_s: float = Field(ge=0.0)
    high_s: float = Field(ge=0.0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _refuse_unordered(self.low_s, self.high_s)
        return self

    @property
    def lower_s(self) -> float:
        return self.low_s

    @property
    def upper_s(self) -> float:
        return self.high_s

    def sample(self, generator: np.random.Generator) -> float:
        return float(generator.uniform(self.low_s, self.high_s))

    def cdf(self, x: float) -> float:
        """Probability of a duration of at most ``x`` seconds."""
        if x < self.low_s:
            return 0.0
        return 1.0 if x >= self.high_s else (x - self.low_s) / (self.high_s - self.low_s)


class LogNormal(Record):
    """Log-normal with the given median, truncated (not clamped) to ``[low_s, high_s]``.

    ``sigma`` is the standard deviation of the natural logarithm. The untruncated mode is
    ``median * exp(-sigma**2)``. One uniform draw goes through the inverse of the truncated
    distribution function, so no probability piles up at the bounds.
    """

    kind: Literal["lognormal"] = "lognormal"
    median_s: float = Field(gt=0.0)
    sigma: float = Field(gt=0.0, le=3.0)
    low_s: float = Field(ge=0.0)
    high_s: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low_s <= self.median_s <= self.high_s:
            raise ValueError(f"median_s {self.median_s} must lie between low_s and high_s")
        _refuse_unordered(self.low_s, self.high_s)
        return self

    @property
    def lower_s(self) -> float:
        return self.low_s

    @property
    def upper_s(self) -> float:
        return self.high_s

    def sample(self, generator: np.random.Generator) -> float:
        log_duration = NormalDist(math.log(self.median_s), self.sigma)
        below = log_duration.cdf(math.log(self.low_s)) if self.low_s > 0.0 else 0.0
        within = generator.uniform(below, log_duration.cdf(math.log(self.high_s)))
        if not 0.0 < within < 1.0:  # the inverse is defined on the open interval only
            return self.low_s if within <= 0.0 else self.high_s
        return min(max(math.exp(log_duration.inv_cdf(within)), self.low_s), self.high_s)

    def cdf(self, x: float) -> float:
        """Probability of a duration of at most ``x`` seconds, of the truncated distribution."""
        if x <= self.low_s:
            return 1.0 if x >= self.high_s else 0.0
        if x >= self.high_s:
            return 1.0
        log_duration = NormalDist(math.log(self.median_s), self.sigma)
        below = log_duration.cdf(math.log(self.low_s)) if self.low_s > 0.0 else 0.0
        within = log_duration.cdf(math.log(self.high_s)) - below
        if within <= 0.0:  # bounds so close that no probability can be told apart between them
            return 1.0
        return min(max((log_duration.cdf(math.log(x)) - below) / within, 0.0), 1.0)


class DecibelRange(Record):
    """Any level of ``[low_db, high_db)`` alike. In YAML: ``{low_db: -12, high_db: -6}``."""

    low_db: float
    high_db: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_db > self.high_db:
            raise ValueError(f"low_db {self.low_db} is above high_db {self.high_db}")
        return self

    def sample(self, generator: np.random.Generator) -> float:
        return float(generator.uniform(self.low_db, self.high_db))


#: In YAML: ``{kind: uniform, low_s: 1.0, high_s: 3.0}``.
Distribution = Annotated[Fixed | Uniform | LogNormal, Field(discriminator="kind")]


def _refuse_unordered(low_s: float, high_s: float) -> None:
    if low_s > high_s:
        raise ValueError(f"low_s {low_s} is above high_s {high_s}")
