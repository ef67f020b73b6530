"""What can be measured on one utterance's samples ``[n]`` without a model. Levels are in dBFS, positions in samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples
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


class Place(NamedTuple):
    """Something between two samples (half-open), and how much of it."""

    start: int
    stop: int
    amount: float


def true_peak_dbtp(samples: Samples) -> float:
    """ITU-R BS.1770-4, annex 2: the highest absolute value after interpolation to four times the rate."""
    phases = [taps[::step] for taps in _TRUE_PEAK_PHASES for step in (1, -1)]
    highest = max(float(np.max(np.abs(np.convolve(samples, np.asarray(taps, np.float32))))) for taps in phases)
    return 20.0 * float(np.log10(max(highest, _LEAST)))


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
    bands = power.reshape(count, -1, bins).mean(axis=2)
    loud = np.percentile(bands, _BAND_PERCENTILE, axis=0)
    if np.max(loud) <= 0.0:
        return None
    used = np.flatnonzero(loud >= np.max(loud) * 10.0 ** (-below_peak_db / 10.0))
    return float((used[-1] + 1) * _BAND_HZ)


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
    phases = x[: 2 * half].reshape(half, 2).T
    asymmetries = []
    for later in (0, _NEIGHBOURS // 2):
        odd = _prediction_error(phases[1], phases[0], later)
        even = _prediction_error(phases[0][1:], phases[1][:-1], later)
        asymmetries.append(abs(10.0 * float(np.log10(odd / even))))
    return max(asymmetries)


_QUANTISATION = (1.0 / 32_768.0) ** 2 / 12.0  # mean square of rounding to 16 bit


def _prediction_error(wanted: Floats, before: Floats, later: int) -> float:
    """Mean square of what least squares over 8 samples cannot tell, and of rounding.

    ``before[n]`` is the sample just before ``wanted[n]``; ``later`` of the 8 come after it.
    """
    windows = np.lib.stride_tricks.sliding_window_view(before, _NEIGHBOURS)
    target = wanted[_NEIGHBOURS - 1 - later :][: len(windows)]
    windows = windows[: len(target)]
    weights = np.linalg.lstsq(windows.T @ windows, windows.T @ target, rcond=None)[0]
    return float(np.mean((target - windows @ weights) ** 2)) + _QUANTISATION


_CLICK_CORE = 3  # samples either side that a click disturbs in the residual below
_CLICK_SPAN_S = 0.012  # looked at either side: at 85 Hz and more it holds the voice's next pulse


def sharpest_click(samples: Samples, rate: int, least_height: float) -> Place | None:
    """The sample that sticks out most: ``amount`` is its residual over the highest one within 12 ms either side.

    The residual is what a cubic through two samples either side misses. Pulses of a voice and bursts have equals
    nearby, a wrong sample has none. Residuals under ``least_height`` are passed over; None when all are.
    """
    from scipy.ndimage import maximum_filter1d

    if len(samples) <= 2 * _CLICK_CORE:
        return None
    x = np.asarray(samples, dtype=np.float32)
    residual = np.zeros_like(x)
    residual[2:-2] = np.abs(x[2:-2] - (4.0 * (x[1:-3] + x[3:-1]) - x[:-4] - x[4:]) / 6.0)
    span = round(_CLICK_SPAN_S * rate)
    high = residual >= least_height
    if not high.any():
        return None
    side = maximum_filter1d(residual, span, mode="constant")
    reach = _CLICK_CORE + 1 + span // 2
    padded = np.pad(side, reach)
    around = np.maximum(padded[: len(x)], padded[2 * reach : 2 * reach + len(x)])
    ratio = np.where(high, residual / np.maximum(around, least_height / 10.0), 0.0)
    position = int(np.argmax(ratio))
    return Place(position, position + 1, float(ratio[position]))


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


_PATCH = 32  # samples that are looked for further on
_PATCH_HOP_S = 0.008  # a block of 10 ms holds one whole patch wherever it begins
_MAX_CANDIDATES = 64
_EXACT_DB = -100.0


def nearest_repeat(
    samples: Samples, rate: int, shortest_s: float, longest_s: float, silence_dbfs: float
) -> Place | None:
    """The block of ``shortest_s`` to ``longest_s`` most like the one right after it.

    ``amount`` is the power of their difference over that of the block, dB; -100 for the same samples. Blocks under
    ``silence_dbfs`` are passed over.
    """
    low, high = round(shortest_s * rate), round(longest_s * rate)
    x = np.asarray(samples, dtype=np.float32)
    hop = round(_PATCH_HOP_S * rate)
    anchors = np.arange(0, len(x) - high - _PATCH, hop)
    if not len(anchors):
        return None
    patches = np.lib.stride_tricks.sliding_window_view(x, _PATCH)
    energy = np.convolve(x.astype(np.float64) ** 2, np.ones(_PATCH), "valid")
    anchors = anchors[energy[anchors] > _PATCH * 10.0 ** (silence_dbfs / 10.0)]
    if not len(anchors):
        return None
    ahead = np.lib.stride_tricks.sliding_window_view(x, high - low + _PATCH)[anchors + low]
    lags = np.lib.stride_tricks.sliding_window_view(ahead, _PATCH, axis=1)
    products = np.matmul(lags, patches[anchors][:, :, np.newaxis])[:, :, 0]
    own = energy[anchors][:, np.newaxis]
    others = np.lib.stride_tricks.sliding_window_view(energy, high - low + 1)[anchors + low]
    error = (own + others - 2.0 * products) / own
    best = np.argmin(error, axis=1)
    smallest = error[np.arange(len(anchors)), best]
    likely = np.argsort(smallest, kind="stable")[:_MAX_CANDIDATES]
    tried = {(int(anchors[one]), int(best[one]) + low) for one in likely}
    places = [place for place in (_repeat(x, anchor, lag, silence_dbfs) for anchor, lag in sorted(tried)) if place]
    return min(places, key=lambda place: place.amount, default=None)


def _repeat(x: Samples, anchor: int, lag: int, silence_dbfs: float) -> Place | None:
    """The block of ``lag`` samples around the anchor that comes back best right after itself."""
    first = max(0, anchor - lag)
    last = min(anchor + lag, len(x) - lag)
    if last - first < lag:
        return None
    here = x[first:last].astype(np.float64)
    there = x[first + lag : last + lag].astype(np.float64)
    wrong = _sums((here - there) ** 2, lag)
    power = _sums(here**2, lag)
    loud = power > lag * 10.0 ** (silence_dbfs / 10.0)
    if not loud.any():
        return None
    ratio = np.where(loud, np.maximum(wrong, 0.0) / np.maximum(power, _LEAST), np.inf)
    start = int(np.argmin(ratio))
    amount = 10.0 * float(np.log10(max(float(ratio[start]), 10.0 ** (_EXACT_DB / 10.0))))
    return Place(first + start, first + start + lag, amount)


def _sums(values: Floats, length: int) -> Floats:
    """Sums over ``length`` values from each position."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    sums: Floats = total[length:] - total[:-length]
    return sums


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
