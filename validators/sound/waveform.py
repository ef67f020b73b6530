"""What can be measured on one utterance's samples ``[n]`` without a model. Levels are in dBFS, positions in samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples
from data_schemas.foundation.loudness import block_maxima, highest_output
from validators.core.measure import frame_levels, runs

Floats = npt.NDArray[np.float64]

_LEAST = 1e-12

#: ITU-R BS.1770-4, annex 2, table of the 48-tap interpolator: phases 0 and 1; 3 and 2 are their mirror images
_TRUE_PEAK_PHASES = (
    (0.001708984375, 0.010986328125, -0.0196533203125, 0.033203125, -0.0594482421875, 0.1373291015625,
     0.97216796875, -0.102294921875, 0.047607421875, -0.026611328125, 0.014892578125, -0.00830078125),
    (-0.0291748046875, 0.029296875, -0.0517578125, 0.089111328125, -0.16650390625, 0.465087890625,
     0.77978515625, -0.2003173828125, 0.1015625, -0.0582275390625, 0.0330810546875, -0.0189208984375),
)  # fmt: skip

_DIGITAL_SILENCE_S = 0.002  # exact zeros of that length are an engine's or a composer's, no recording's
_FLOOR_PERCENTILE = 2.0
_LEAST_FLOOR_S = 1.5  # a shorter word ("Oh wow.") may be voiced throughout and have no soft frame; calibrated
_SPEECH_PERCENTILE = 95.0
_SPEECH_RANGE_DB = 25.0  # frames that far below the loudest ones still count as speech

#: magnitudes of the taps of phase 1, added up: 2.0228
_TRUE_PEAK_GAIN = 2.03


class Place(NamedTuple):
    """Something between two samples (half-open), and how much of it."""

    start: int
    stop: int
    amount: float


def true_peak_dbtp(samples: Samples) -> float:
    """ITU-R BS.1770-4, annex 2: the highest absolute value after interpolation to four times the rate."""
    reach = len(_TRUE_PEAK_PHASES[0]) - 1
    highest = highest_output(np.asarray(samples, dtype=np.float32), _between, reach, _TRUE_PEAK_GAIN)
    return 20.0 * float(np.log10(max(highest, _LEAST)))


def _between(windows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """All four phases in the middle of the windows ``[k, width]``."""
    width, joined = windows.shape[1], windows.ravel()
    reach = len(_TRUE_PEAK_PHASES[0]) - 1
    phases = [taps[::step] for taps in _TRUE_PEAK_PHASES for step in (1, -1)]
    made = np.zeros((len(phases), len(joined)), dtype=np.float32)
    for own, taps in zip(made, phases, strict=True):
        own[reach:] = np.convolve(joined, np.asarray(taps, np.float32), "valid")
    middle: npt.NDArray[np.floating] = made.reshape(len(phases), -1, width)[:, :, reach:]
    return middle


class Floor(NamedTuple):
    """Level between the words and level of the speech, both dBFS."""

    noise_dbfs: float
    speech_dbfs: float

    @property
    def snr_db(self) -> float:
        return self.speech_dbfs - self.noise_dbfs


def noise_floor(samples: Samples, rate: int) -> Floor | None:
    """By percentiles of 20 ms frames, with digital silence of 2 ms and more cut out; None where
    less than 1.5 s are left.

    The floor is the second percentile, the speech the mean power of the frames at most 25 dB under the 95th.
    """
    kept = np.ones(len(samples), dtype=bool)
    for start, stop in runs(samples == 0.0):
        if stop - start >= _DIGITAL_SILENCE_S * rate:
            kept[start:stop] = False
    if np.count_nonzero(kept) < _LEAST_FLOOR_S * rate:
        return None
    levels = frame_levels(samples[kept], rate)
    loud = levels[levels >= np.percentile(levels, _SPEECH_PERCENTILE) - _SPEECH_RANGE_DB]
    speech = 10.0 * np.log10(np.mean(10.0 ** (loud / 10.0)))
    return Floor(float(np.percentile(levels, _FLOOR_PERCENTILE)), float(speech))


_BAND_FRAME_S = 0.016
_BAND_HZ = 250.0
_BAND_PERCENTILE = 95.0  # a fricative is rare: the loudest frames of a band say whether it is used at all


def bandwidth_hz(samples: Samples, rate: int, below_peak_db: float) -> float | None:
    """Upper edge of the highest 250 Hz band that is ever within ``below_peak_db`` of the loudest band.

    None for a clip shorter than a frame of 16 ms, or silence.
    """
    size = round(_BAND_FRAME_S * rate)
    count = len(samples) // size
    if not count:
        return None
    frames = np.asarray(samples[: count * size], dtype=np.float32).reshape(count, size)
    power = np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)[:, :-1]) ** 2
    bins = round(_BAND_HZ * size / rate)
    bands = sum(power[:, first::bins] for first in range(bins)) / bins
    loud = np.percentile(bands, _BAND_PERCENTILE, axis=0)
    if np.max(loud) <= 0.0:
        return None
    used = np.flatnonzero(loud >= np.max(loud) * 10.0 ** (-below_peak_db / 10.0))
    return float((used[-1] + 1) * _BAND_HZ)


_CACHED = 4096  # samples that are looked at together
_NEIGHBOURS = 8  # of the other phase that a sample is predicted from


def interpolation_db(samples: Samples) -> float:
    """How much better every other sample is predicted by its neighbours than the samples between: 0 and up.

    Doubling the rate by holding or by straight lines leaves one phase that is a linear function of the other, and
    images of the old band that look like a full bandwidth. A held sample is told by those before it, a straight line
    by those on both sides; both are tried.
    """
    x = np.asarray(samples, dtype=np.float64)
    half = (len(x) - 1) // 2
    if half <= 4 * _NEIGHBOURS:
        return 0.0
    first, second = (np.ascontiguousarray(x[phase : 2 * half : 2]) for phase in (0, 1))
    odd = _prediction_errors(second, first)
    even = _prediction_errors(first[1:], second[:-1])
    return max(abs(10.0 * float(np.log10(one / other))) for one, other in zip(odd, even, strict=True))


_QUANTISATION = (1.0 / 32_768.0) ** 2 / 12.0  # mean square of rounding to 16 bit


def _prediction_errors(wanted: Floats, before: Floats) -> tuple[float, ...]:
    """Mean square of what least squares over 8 samples cannot tell, and of rounding; of samples before, and around.

    ``before[n]`` is the sample just before ``wanted[n]``. None of the 8 comes after it, then half of them.
    """
    count = len(before) - _NEIGHBOURS + 1
    targets = [wanted[_NEIGHBOURS - 1 - later :][:count] for later in (0, _NEIGHBOURS // 2)]
    products = _all_pairs(before, _sums_of_products(before, before[:count]))
    errors = []
    for target in targets:
        weights = np.linalg.lstsq(products, _sums_of_products(before, target), rcond=None)[0]
        missed = target - np.correlate(before, weights, "valid")
        errors.append(float(np.einsum("n,n->", missed, missed)) / count + _QUANTISATION)
    return tuple(errors)


def _sums_of_products(before: Floats, target: Floats) -> Floats:
    """``[8]``, at each shift. Piece by piece: a BLAS shares out longer vectors and adds up in an order of its own."""
    sums = np.zeros(_NEIGHBOURS)
    for start in range(0, len(target), _CACHED):
        piece = target[start : start + _CACHED]
        sums += np.correlate(before[start : start + len(piece) + _NEIGHBOURS - 1], piece, "valid")
    return sums


def _all_pairs(before: Floats, first: Floats) -> Floats:
    """``[8, 8]`` of all pairs of shifts, from those of the first: shifting both drops a product and takes one up."""
    count = len(before) - _NEIGHBOURS + 1
    products = np.empty((_NEIGHBOURS, _NEIGHBOURS))
    products[0] = products[:, 0] = first
    leaving, entering = before[: _NEIGHBOURS - 1], before[count:]
    for one in range(_NEIGHBOURS - 1):
        products[one + 1, 1:] = products[one, :-1] + entering[one] * entering - leaving[one] * leaving
    return products


_CLICK_CORE = 3  # samples either side that a click disturbs in the residual below
_CLICK_BLOCK = 16  # most places are ruled out by the highest residuals of such blocks
_CLICK_FEW = 50  # more than one in so many samples left: the moving maximum of all is cheaper
_CLICK_SPAN_S = 0.012  # looked at either side: at 85 Hz and more it holds the voice's next pulse


def sharpest_click(samples: Samples, rate: int, least_height: float) -> Place | None:
    """The sample that sticks out most: ``amount`` is its residual over the highest one within 12 ms either side.

    The residual is what a cubic through two samples either side misses. Pulses of a voice and bursts have equals
    nearby, a wrong sample has none. Residuals under ``least_height`` are passed over; None when all are.
    """
    if len(samples) <= 2 * _CLICK_CORE:
        return None
    x = np.asarray(samples, dtype=np.float32)
    residual = np.zeros_like(x)
    residual[2:-2] = np.abs(x[2:-2] - (4.0 * (x[1:-3] + x[3:-1]) - x[:-4] - x[4:]) / 6.0)
    high = np.flatnonzero(residual >= least_height)
    if not len(high):
        return None
    span, soft = round(_CLICK_SPAN_S * rate), least_height / 10.0
    at_most = residual[high] / np.maximum(_surely_around(residual, span)[high // _CLICK_BLOCK], soft)
    likeliest = high[[int(np.argmax(at_most))]]
    found = residual[likeliest] / np.maximum(_around(residual, likeliest, span), soft)
    places = high[at_most >= found]
    ratios = residual[places] / np.maximum(_around(residual, places, span), soft)
    best = int(np.argmax(ratios))
    return Place(int(places[best]), int(places[best]) + 1, float(ratios[best]))


def _around(residual: Samples, places: npt.NDArray[np.intp], span: int) -> Samples:
    """The highest residual within ``span`` samples either side of each place, its core left out; ``[len(places)]``."""
    from scipy.ndimage import maximum_filter1d

    reach = _CLICK_CORE + 1 + span // 2
    if len(places) * _CLICK_FEW > len(residual):
        side = np.pad(maximum_filter1d(residual, span, mode="constant"), reach)
        around: Samples = np.maximum(side[places], side[places + 2 * reach])
        return around
    padded = np.pad(residual, reach + span // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, span)
    before = np.where(places >= reach, windows[places].max(axis=1), np.float32(0.0))
    after = np.where(places + reach < len(residual), windows[places + 2 * reach].max(axis=1), np.float32(0.0))
    either: Samples = np.maximum(before, after)
    return either


def _surely_around(residual: Samples, span: int) -> Samples:
    """Of all places of each block, at most what `_around` gives: the highest of the blocks wholly inside the spans."""
    highest = block_maxima(residual, _CLICK_BLOCK)
    count = len(highest)
    inside = (span + _CLICK_CORE) // _CLICK_BLOCK - 2
    if inside < 1:
        return np.zeros(count, dtype=np.float32)
    padded = np.pad(highest, inside + 1)
    windows = np.max([padded[shift : len(padded) - inside + 1 + shift] for shift in range(inside)], axis=0)
    before, after = windows[:count].copy(), windows[inside + 3 : inside + 3 + count].copy()
    reach = _CLICK_CORE + 1 + span // 2
    blocks = np.arange(count) * _CLICK_BLOCK
    before[blocks < reach] = 0.0
    after[blocks + _CLICK_BLOCK + reach > len(residual)] = 0.0
    either: Samples = np.maximum(before, after)
    return either


def longest_held(samples: Samples, least: float) -> Place | None:
    """The longest run of one value of magnitude ``least`` and more; ``amount`` is its samples."""
    same = np.concatenate(([False], samples[1:] == samples[:-1])) & (np.abs(samples) >= least)
    longest = max(runs(same), key=lambda run: run[1] - run[0], default=None)
    if longest is None:
        return None
    return Place(longest[0] - 1, longest[1], longest[1] - longest[0] + 1)


_EDGE_S = 0.001


def dropped_blocks(samples: Samples, rate: int, shortest_s: float) -> Place | None:
    """Exact zeros of that length with sound right before and after; ``amount`` is the softer side's peak within 1 ms.

    Of several, the one between the loudest sides; None when there is none.
    """
    edge = max(1, round(_EDGE_S * rate))
    found = [
        Place(a, b, float(min(np.max(np.abs(samples[max(0, a - edge) : a])), np.max(np.abs(samples[b : b + edge])))))
        for a, b in runs(samples == 0.0)
        if b - a >= shortest_s * rate and a > 0 and b < len(samples)
    ]
    return max(found, key=lambda place: place.amount, default=None)


_FLAT_SHARE = 0.998  # of the highest value: rounding after scaling stays above it
_FLAT_RUN = 3  # samples; Audacity's Find Clipping counts from 3


def flat_tops(samples: Samples, least: float) -> int:
    """Number of runs of 3 and more samples at the top of either polarity, where the top is ``least`` and more.

    A limiter at full scale leaves them even after the gain is lowered; a natural wave has one such run at most.
    """
    count = 0
    for wave in (samples, -samples):
        top = float(np.max(wave, initial=0.0))
        if top >= least:
            count += sum(b - a >= _FLAT_RUN for a, b in runs(wave >= _FLAT_SHARE * top))
    return count
