"""Loudness by ITU-R BS.1770-4, and the windows in which a true peak can lie: what maker and judge both measure.

The numbers are those of ``pyloudnorm`` to the last bit, and so are its filters. What takes the time there is silence:
behind the last sound a recursive filter rings on in numbers too small for the processor's fast path (denormals), at ten
to a hundred times the cost of speech.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.floating]
F = TypeVar("F", bound=np.floating)

#: The gating block of ITU-R BS.1770-4; shorter audio has no integrated loudness of its own.
GATING_BLOCK_S = 0.4
_BLOCK_STEP = 1.0 - 0.75  # blocks overlap by 75 %
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = 10.0
_OFFSET_LUFS = -0.691

#: What rings on after the last sound is forgotten from here on: added to a 16-bit sample, whose least step is 2^-15,
#: it is far below what the 53 bits of a double hold.
_FORGOTTEN = 2.0**-200
#: A true peak is looked for in windows of so many samples, first in those that come this near to the highest sample
_WINDOW = 64
_NEAR_PEAK = 0.98
_CHUNK = 256  # silence is looked for in steps of so many samples


class _Stage(NamedTuple):
    """One recursive filter of the K-weighting, and for how many samples it rings on."""

    b: npt.NDArray[np.float64]
    a: npt.NDArray[np.float64]
    gain: float
    ringing: int


def integrated_loudness(samples: Signal, sample_rate: int) -> float:
    """LUFS of mono samples ``[n]``, as ``pyloudnorm.Meter.integrated_loudness`` gives it; -inf when no block is loud.

    Raises:
        ValueError: less than one gating block of 0.4 s.
    """
    if len(samples) < GATING_BLOCK_S * sample_rate:
        raise ValueError(
            f"{len(samples)} samples at {sample_rate} Hz are less than a gating block of {GATING_BLOCK_S} s"
        )
    weighted = samples
    for stage in _k_weighting(sample_rate):
        weighted = _filtered(weighted, stage)
    power = _block_powers(weighted, sample_rate)
    with np.errstate(divide="ignore"):
        levels = _OFFSET_LUFS + 10.0 * np.log10(power)
    gated = power[levels >= _ABSOLUTE_GATE_LUFS]
    if not len(gated):
        return -math.inf
    relative = _OFFSET_LUFS + 10.0 * np.log10(np.mean(gated)) - _RELATIVE_GATE_LU
    loud = power[(levels > relative) & (levels > _ABSOLUTE_GATE_LUFS)]
    return float(_OFFSET_LUFS + 10.0 * np.log10(np.mean(loud))) if len(loud) else -math.inf


@lru_cache(maxsize=8)
def _k_weighting(sample_rate: int) -> tuple[_Stage, ...]:
    import pyloudnorm

    filters = pyloudnorm.Meter(sample_rate, block_size=GATING_BLOCK_S)._filters.values()
    return tuple(_Stage(one.b, one.a, float(one.passband_gain), _ringing(one.a)) for one in filters)


def _ringing(a: npt.NDArray[np.float64]) -> int:
    """Samples until the slowest pole has decayed, and a quarter more: a pole that stands twice decays later."""
    return math.ceil(1.25 * math.log(_FORGOTTEN) / math.log(float(np.max(np.abs(np.roots(a))))))


def _filtered(samples: Signal, stage: _Stage) -> Signal:
    """In the type of the samples, as pyloudnorm keeps it. Zero where everything before has died away."""
    from scipy.signal import lfilter

    filtered = np.zeros_like(samples)
    for start, stop in _stretches(samples, stage.ringing):
        filtered[start:stop] = stage.gain * lfilter(stage.b, stage.a, samples[start:stop])
    return filtered


def _stretches(samples: Signal, ringing: int) -> list[tuple[int, int]]:
    """Half-open spans that hold every sound and ``ringing`` samples after it; ascending, apart."""
    sounds = np.zeros(math.ceil(len(samples) / _CHUNK) * _CHUNK, dtype=np.bool_)
    np.not_equal(samples, 0.0, out=sounds[: len(samples)])
    sounding = np.flatnonzero(sounds.reshape(-1, _CHUNK).any(axis=1)) * _CHUNK
    if not len(sounding):
        return []
    pauses = np.flatnonzero(np.diff(sounding) > _CHUNK + ringing)
    starts = [sounding[0], *sounding[pauses + 1]]
    stops = [*sounding[pauses], sounding[-1]]
    return [(int(a), min(int(b) + _CHUNK + ringing, len(samples))) for a, b in zip(starts, stops, strict=True)]


def _block_powers(weighted: Signal, sample_rate: int) -> npt.NDArray[np.float64]:
    """Mean square of every gating block, summed in the type of the samples; the last block may be cut off."""
    seconds = len(weighted) / sample_rate
    count = int(np.round((seconds - GATING_BLOCK_S) / (GATING_BLOCK_S * _BLOCK_STEP)) + 1)
    blocks = np.arange(count)
    first = (GATING_BLOCK_S * (blocks * _BLOCK_STEP) * sample_rate).astype(np.int64).tolist()
    last = (GATING_BLOCK_S * (blocks * _BLOCK_STEP + 1) * sample_rate).astype(np.int64).tolist()
    squares = np.square(weighted)
    sums = [np.add.reduce(squares[start:stop]) for start, stop in zip(first, last, strict=True)]
    scaled = (1.0 / (GATING_BLOCK_S * sample_rate)) * np.array(sums, dtype=weighted.dtype)
    return scaled.astype(np.float64)


def highest_output(samples: Signal, outputs: Callable[[Signal], Signal], reach: int, gain: float) -> float:
    """The highest magnitude that an interpolating filter makes of samples ``[n]`` with zeros around them.

    The filter is only asked where that can be: it makes at most ``gain`` times the highest sample that it meets.

    Args:
        outputs: given windows ``[k, width]`` in a row, what the filter makes in the middle of each, at least ``reach``
            from either side.
        reach: samples that the filter meets to either side.
        gain: sum of the magnitudes of the filter's taps, of the largest phase.
    """
    highest = block_maxima(np.abs(samples), _WINDOW)
    peak = _highest(highest)
    if peak == 0.0:
        return 0.0
    count, near = len(highest), math.ceil(reach / _WINDOW)
    around = np.pad(highest, near)
    met = np.max([around[shift : shift + count] for shift in range(2 * near + 1)], axis=0)
    padded = np.pad(samples, (reach, reach + count * _WINDOW - len(samples)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW + 2 * reach)[::_WINDOW]
    near_peak = met >= _NEAR_PEAK * peak
    found = _highest(outputs(windows[near_peak]))
    others = ~near_peak & (met >= found / gain)
    return max(found, _highest(outputs(windows[others]))) if others.any() else found


def _highest(values: Signal) -> float:
    return float(np.max(np.abs(values), initial=0.0))


def block_maxima(values: npt.NDArray[F], block: int) -> npt.NDArray[F]:
    """The highest of every ``block`` values that are 0 and more, ``[ceil(n / block)]``; ``block`` is a power of two."""
    highest = np.zeros(math.ceil(len(values) / block) * block, dtype=values.dtype)
    highest[: len(values)] = values
    for _ in range(block.bit_length() - 1):
        highest = np.maximum(highest[0::2], highest[1::2])
    return highest
