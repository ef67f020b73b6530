"""A block of speech that comes twice: what a buffer that was played again leaves behind."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples
from validators.sound.waveform import Place

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_LEAST = 1e-12
_PATCH = 32  # samples that are looked for further on
_PATCH_HOP_S = 0.008  # a block of 10 ms holds one whole patch wherever it begins
_MAX_CANDIDATES = 64
_EXACT_DB = -100.0

# What is looked at together, so that it stays in the processor's cache
_PATCHES = 64
_BLOCKS = 16

#: Of a product of patches by fast Fourier transform in single precision, relative to the mean of both powers; 9 steps
#: of 2^-24 each can add up to a fifth of it
_PRODUCT_ROUNDING = 3e-5
#: Of sums of powers in double precision, and of squares in single precision; both with plenty to spare
_POWER_ROUNDING, _SQUARE_ROUNDING = 1e-6, 1e-2


def nearest_repeat(
    samples: Samples,
    rate: int,
    shortest_s: float,
    longest_s: float,
    silence_dbfs: float,
    under_db: float = math.inf,
) -> Place | None:
    """The block of ``shortest_s`` to ``longest_s`` most like the one right after it.

    ``amount`` is the power of their difference over that of the block, dB; -100 for the same samples. Blocks under
    ``silence_dbfs`` are passed over. Where it is surely not ``under_db``, it is not worked out: None.
    """
    low, high = round(shortest_s * rate), round(longest_s * rate)
    x = np.asarray(samples, dtype=np.float32)
    hop = round(_PATCH_HOP_S * rate)
    anchors = np.arange(0, len(x) - high - _PATCH, hop)
    least = _PATCH * 10.0 ** (silence_dbfs / 10.0)
    if not len(anchors) or (math.isfinite(under_db) and not _may_repeat(x, anchors, low, high, least, under_db)):
        return None
    energy = np.convolve(x.astype(np.float64) ** 2, np.ones(_PATCH), "valid")
    anchors = anchors[energy[anchors] > least]
    if not len(anchors):
        return None
    lags, errors = _best_lags(x, energy, anchors, low, high)
    likely = np.sort(np.argsort(errors, kind="stable")[:_MAX_CANDIDATES])
    return _best_repeat(x, anchors[likely], lags[likely], silence_dbfs)


def _best_lags(x: Samples, energy: Floats, anchors: Places, low: int, high: int) -> tuple[Places, Floats]:
    """Of each anchor the lag at which its patch comes back best, and the power of the difference over its own."""
    lags, errors = np.empty(len(anchors), dtype=np.intp), np.empty(len(anchors))
    ahead = np.lib.stride_tricks.sliding_window_view(x, high - low + _PATCH)
    others = np.lib.stride_tricks.sliding_window_view(energy, high - low + 1)
    patches = np.lib.stride_tricks.sliding_window_view(x, _PATCH)
    for first in range(0, len(anchors), _PATCHES):
        some = anchors[first : first + _PATCHES]
        windows = np.lib.stride_tricks.sliding_window_view(ahead[some + low], _PATCH, axis=1)
        products = np.matmul(windows, patches[some][:, :, np.newaxis])[:, :, 0]
        own = energy[some][:, np.newaxis]
        error = (own + others[some + low] - 2.0 * products) / own
        best = np.argmin(error, axis=1)
        lags[first : first + _PATCHES] = best + low
        errors[first : first + _PATCHES] = error[np.arange(len(some)), best]
    return lags, errors


def _best_repeat(x: Samples, anchors: Places, lags: Places, silence_dbfs: float) -> Place | None:
    """Of the blocks as long as an anchor's lag around it, the one that comes back best right after itself."""
    first = np.maximum(0, anchors - lags)
    last = np.minimum(anchors + lags, len(x) - lags)
    fits = np.flatnonzero(last - first >= lags)
    starts, least = np.zeros(len(lags), dtype=np.intp), np.full(len(lags), np.inf)
    by_lag = fits[np.argsort(lags[fits], kind="stable")]
    for row in range(0, len(by_lag), _BLOCKS):
        some = by_lag[row : row + _BLOCKS]
        starts[some], least[some] = _best_starts(x, first[some], last[some], lags[some], silence_dbfs)
    best = int(np.argmin(least))
    if not np.isfinite(least[best]):
        return None
    start, lag = int(starts[best]), int(lags[best])
    return Place(start, start + lag, 10.0 * float(np.log10(least[best])))


def _best_starts(x: Samples, first: Places, last: Places, lags: Places, silence_dbfs: float) -> tuple[Places, Floats]:
    """Of each row, where between ``first`` and ``last`` its block of ``lags`` samples comes back best; and how well."""
    here = np.minimum(first[:, np.newaxis] + np.arange(int(np.max(last - first))), len(x) - 1)
    there = np.minimum(here + lags[:, np.newaxis], len(x) - 1)
    blocks, repeats = x[here].astype(np.float64), x[there].astype(np.float64)
    wrong = _sums((blocks - repeats) ** 2, lags)
    power = _sums(blocks**2, lags)
    loud = power > lags[:, np.newaxis] * 10.0 ** (silence_dbfs / 10.0)
    loud &= np.arange(wrong.shape[1]) <= (last - first - lags)[:, np.newaxis]
    ratio = np.where(loud, np.maximum(wrong, 0.0) / np.maximum(power, _LEAST), np.inf)
    best = np.argmin(ratio, axis=1)
    return first + best, np.maximum(ratio[np.arange(len(best)), best], 10.0 ** (_EXACT_DB / 10.0))


def _sums(values: Floats, lengths: Places) -> Floats:
    """Sums over ``lengths`` values from each position of each row; those past the end are none."""
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    width = values.shape[1] - int(lengths.min()) + 1
    ends = np.minimum(np.arange(width) + lengths[:, np.newaxis], values.shape[1])
    sums: Floats = np.take_along_axis(total, ends, axis=1) - total[:, :width]
    return sums


def _may_repeat(x: Samples, anchors: Places, low: int, high: int, least: float, under_db: float) -> bool:
    """Whether `_best_repeat` of any of the likely anchors could be under ``under_db``.

    The same search, roughly: every pair of anchor and lag that rounding does not rule out is looked at. A block at an
    anchor holds at least half of the shortest block before or after it, and what differs there differs in the block.
    """
    power = np.concatenate(([0.0], np.cumsum(np.square(x, dtype=np.float64))))
    energy = power[_PATCH:] - power[:-_PATCH]
    loud = energy[anchors] > least * (1.0 - _POWER_ROUNDING)
    if np.any(loud & (energy[anchors] <= least * (1.0 + _POWER_ROUNDING))):
        return True
    anchors = anchors[loud]
    if not len(anchors):
        return False
    rest, doubt = _differences(x, energy, anchors, low, high)
    smallest = rest.min(axis=1)
    if len(anchors) > _MAX_CANDIDATES:
        error, unsure = (energy[anchors] + smallest) / energy[anchors], doubt / energy[anchors]
        worst = np.partition(error + unsure, _MAX_CANDIDATES - 1)[_MAX_CANDIDATES - 1]
        likely = np.flatnonzero(error - unsure <= worst)
        anchors, rest, smallest, doubt = anchors[likely], rest[likely], smallest[likely], doubt[likely]
    rows, lags = np.nonzero(rest <= (smallest + 2.0 * doubt)[:, np.newaxis])
    return _any_alike(x, power, anchors[rows], lags + low, low // 2, under_db)


def _differences(x: Samples, energy: Floats, anchors: Places, low: int, high: int) -> tuple[Samples, Floats]:
    """Power of the difference of each anchor's patch to that at each lag, less its own power, ``[k, lags]``; and how
    far each row may be off, ``[k]``."""
    from scipy.fft import irfft, rfft

    width = high - low + 1
    size = width + _PATCH - 1
    ahead = np.lib.stride_tricks.sliding_window_view(x, size)
    patches = np.lib.stride_tricks.sliding_window_view(x, _PATCH)
    others = np.lib.stride_tricks.sliding_window_view(energy.astype(np.float32), width)
    rest, doubt = np.empty((len(anchors), width), dtype=np.float32), np.empty(len(anchors))
    for first in range(0, len(anchors), _PATCHES):
        piece = slice(first, first + _PATCHES)
        some = anchors[piece]
        spectrum = rfft(ahead[some + low], axis=1) * np.conj(rfft(patches[some], size, axis=1))
        other = others[some + low]
        rest[piece] = other - 2.0 * irfft(spectrum, size, axis=1)[:, :width]
        doubt[piece] = _PRODUCT_ROUNDING * (energy[some] + other.max(axis=1))
    return rest, doubt


def _any_alike(x: Samples, power: Floats, anchors: Places, lags: Places, half: int, under_db: float) -> bool:
    """Whether the ``half`` samples after or before any anchor differ from those a lag later by so little.

    ``power[n]`` is the sum of the first n squares.
    """
    most = 10.0 ** (under_db / 10.0) * (
        power[np.minimum(anchors + lags, len(x))] - power[np.maximum(anchors - lags, 0)]
    )
    for start in (anchors, anchors - half):
        inside = (start >= 0) & (start + half + lags <= len(x))
        here = start[inside][:, np.newaxis] + np.arange(half)
        wrong = np.square(x[here] - x[here + lags[inside][:, np.newaxis]]).sum(axis=1)
        if np.any(wrong * (1.0 - _SQUARE_ROUNDING) <= most[inside]):
            return True
    return False
