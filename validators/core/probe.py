"""What a judge measures with a model, apart from what it thinks of it.

A `ClipProbe` turns one clip into a `Measurement`: expensive, the same for every threshold, and kept (see
`measure_store`), so that an interrupted run goes on and a changed threshold costs nothing. The judge's other half
is a pure function of (clip, measurement, thresholds).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from data_schemas.finding import Finding
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Measurement:
    """What was measured: numbers (finite), words and vectors ``[d]`` by name."""

    values: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    vectors: Mapping[str, Vector] = field(default_factory=dict)


class ClipProbe(Protocol):
    """A model that looks at one clip. Deterministic, one thread, loaded on first use, once per instance."""

    @property
    def identity(self) -> str:
        """Everything but the clip that determines the numbers: version, model hash, decoding settings."""
        ...

    def measure(self, clip: Clip) -> Measurement:
        """Measure samples ``[n]`` at 16 kHz. It may use the clip's language, never its text or labels."""
        ...


class ClipVerdict(NamedTuple):
    """Findings on one clip, and the numbers about it that are worth publishing (finite)."""

    findings: tuple[Finding, ...] = ()
    values: Mapping[str, float] = {}


#: (judge that knows validator, item and file; clip; measurement; thresholds)
JudgeClip = Callable[[Judge, Clip, Measurement, Thresholds], ClipVerdict]


def measurement_key(probe: ClipProbe, clip: Clip) -> str:
    """What a kept measurement is found by: the probe's identity, the language and every sample."""
    digest = hashlib.sha256(f"{probe.identity}\n{clip.rate}\n{clip.language.value}\n".encode())
    digest.update(np.ascontiguousarray(clip.samples, dtype=np.float32).tobytes())
    return digest.hexdigest()
