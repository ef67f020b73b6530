"""A clip's spectrum over time, coarse enough to keep, and how far two of them differ where they differ most.

Fingerprints (`fingerprint`) say over what share two clips are one sound; sentences that share all words but one are,
over most of it. Here the worst 0.12 s decides: a copy is the same everywhere, another word is not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples
from validators.core.probe import Vector

#: `Measurement.vectors`: ``[5 * frames]``, four levels of six bits in each whole number below 2**24
VECTOR = "spectra"

# CHOICE, measured in `validators.voices.limits`: frames of 96 ms smear a shift by half a hop to 1.6 dB, frames of 64 ms
# to 2.3 dB; longer ones hide a changed phoneme.
_RATE = 16_000
_FRAME = 1_536
_FFT = 2_048
_HOP = 384  # that of the fingerprint: 24 ms
_BANDS = 20  # of equal width in mel
_BAND_EDGES_HZ = (100.0, 7_600.0)
_STEP_DB = 0.75
_LEVELS = 64  # six bits: 47 dB below the loudest band of the clip
_RANGE_DB = 40.0  # below the loudest of both clips nothing is compared: there is noise
_VOICED_DB = 12.0  # above the lowest level: what is compared to find the difference in gain
_WORST = 5  # frames: 0.12 s
_EDGE = 2  # frames at both ends of a clip that a cut through it changes
_QUARTERS = 4  # shifts within a hop that are tried, by interpolation
_HOPS_OFF = 1  # and so many whole hops to either side: the fingerprint's offset is that coarse
_HOPELESS_DB = 9.0  # at the fingerprint's own offset: copies have less than 6 there, whatever their shift
_BLOCK = 64
_PER_NUMBER = 4
_BITS = 6
_LEAST_POWER = 1e-12

Spectra = npt.NDArray[np.uint8]  # [frames, 20], levels of 0.75 dB
_Levels = npt.NDArray[np.float32]


def spectra(samples: Samples, rate: int) -> Spectra:
    """Levels ``[frames, 20]`` of mono samples ``[n]``, relative to the loudest one; a frame every 24 ms."""
    import soxr

    wide = samples if rate == _RATE else soxr.resample(samples, rate, _RATE)
    powers = _band_powers(np.pad(np.asarray(wide, dtype=np.float32), _FRAME // 2))
    decibels = 10.0 * np.log10(np.maximum(powers, _LEAST_POWER))
    levels = np.rint((decibels - decibels.max(initial=-np.inf)) / _STEP_DB) + _LEVELS - 1
    found: Spectra = np.clip(levels, 0, _LEVELS - 1).astype(np.uint8)
    return found


def _band_powers(padded: Samples) -> npt.NDArray[np.float64]:
    from scipy.fft import rfft

    low, high = (2595.0 * np.log10(1.0 + edge / 700.0) for edge in _BAND_EDGES_HZ)  # O'Shaughnessy 1987
    edges_hz = 700.0 * (10.0 ** (np.linspace(low, high, _BANDS + 1) / 2595.0) - 1.0)
    edges = np.rint(edges_hz * _FFT / _RATE).astype(np.int64)
    window = np.hanning(_FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    rows = [np.zeros((0, _BANDS))]
    for first in range(0, len(frames), _BLOCK):
        spectrum = rfft(frames[first : first + _BLOCK] * window, _FFT, axis=1)[:, : edges[-1]]
        power = spectrum.real.astype(np.float64) ** 2 + spectrum.imag.astype(np.float64) ** 2
        rows.append(np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges))
    return np.concatenate(rows)


def to_vector(levels: Spectra) -> Vector:
    """Levels as whole numbers below 2**24, which float32 holds exactly."""
    fours = levels.reshape(-1, _PER_NUMBER).astype(np.uint32)
    shifts = np.arange(_PER_NUMBER, dtype=np.uint32) * np.uint32(_BITS)
    found: Vector = (fours << shifts).sum(axis=1).astype(np.float32)
    return found


def from_vector(vector: Vector) -> Spectra:
    """The levels `to_vector` was given."""
    shifts = np.arange(_PER_NUMBER, dtype=np.uint32) * np.uint32(_BITS)
    fours = (vector.astype(np.uint32)[:, None] >> shifts) & np.uint32(_LEVELS - 1)
    return fours.astype(np.uint8).reshape(-1, _BANDS)


def worst_difference_db(first: Spectra, second: Spectra, offset: int) -> float:
    """Mean difference of the bands' levels over the 0.12 s in which two clips differ most; infinite without overlap.

    ``offset``: frames by which the second is later, to within one; the best shift near it counts. Gain changes
    nothing, nor do bands in which one clip is silent throughout (a telephone's).
    """
    one, other = (levels.astype(np.float32) * np.float32(_STEP_DB) for levels in (first, second))
    best = _worst(one, other, offset)
    if best > _HOPELESS_DB:
        return best
    best = min(best, *(_worst(one, other, offset + hops) for hops in range(-_HOPS_OFF, _HOPS_OFF + 1) if hops))
    for quarter in range(1, _QUARTERS):
        share = np.float32(quarter / _QUARTERS)
        between = other[:-1] * (1 - share) + other[1:] * share
        best = min(best, *(_worst(one, between, offset + hops) for hops in range(-_HOPS_OFF - 1, _HOPS_OFF + 1)))
    return best


def _worst(first: _Levels, second: _Levels, offset: int) -> float:
    start, stop = max(0, -offset) + _EDGE, min(len(first), len(second) - offset) - _EDGE
    if stop - start < _WORST:
        return float("inf")
    one, other = first[start:stop], second[start + offset : stop + offset]
    voiced = (one > _VOICED_DB) & (other > _VOICED_DB)
    if not voiced.any():
        return float("inf")
    other = other - np.median((other - one)[voiced])
    floor = max(one.max(), other.max()) - np.float32(_RANGE_DB)
    one, other = np.maximum(one, floor), np.maximum(other, floor)
    told = (one.max(axis=0) > floor) & (other.max(axis=0) > floor)
    if not told.any():
        return float("inf")
    sums = np.cumsum(np.abs(one - other)[:, told].mean(axis=1, dtype=np.float64))
    sums[_WORST:] = sums[_WORST:] - sums[:-_WORST]
    return float(sums[_WORST - 1 :].max() / _WORST)
