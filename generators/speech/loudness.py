"""Loudness (ITU-R BS.1770) and peaks of speech, and the gain that sets them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from data_schemas.foundation import loudness
from data_schemas.foundation.audio import Samples
from data_schemas.foundation.loudness import GATING_BLOCK_S, highest_output

#: EBU R 128 s1: maximum true peak of -1 dBTP.
MAX_TRUE_PEAK_DBFS = -1.0
#: ITU-R BS.1770-4 annex 2: true peak is read at four times the rate or more.
_TRUE_PEAK_OVERSAMPLING = 4
#: ``resample_poly`` meets 10 samples to either side; the magnitudes of its taps, a Kaiser window's, add up to 2.2415
_TRUE_PEAK_REACH = 10
_TRUE_PEAK_GAIN = 2.25


def integrated_loudness(samples: Samples, sample_rate: int) -> float:
    """LUFS of mono samples ``[n]``; -inf for silence.

    Audio shorter than one gating block is repeated until it fills one, which keeps its level
    (padding with silence would lower it).
    """
    needed = math.ceil(GATING_BLOCK_S * sample_rate)
    if 0 < len(samples) < needed:
        samples = np.tile(samples, math.ceil(needed / len(samples)))
    if not samples.any():
        return -math.inf
    return loudness.integrated_loudness(samples.astype(np.float64), sample_rate)


def peak_dbfs(samples: Samples) -> float:
    """Highest sample in dB relative to full scale; -inf for silence."""
    return _dbfs(float(np.max(np.abs(samples), initial=0.0)))


def _dbfs(peak: float) -> float:
    return 20.0 * math.log10(peak) if peak > 0.0 else -math.inf


def true_peak_dbfs(samples: Samples) -> float:
    """Highest value between samples too, from four-fold oversampling."""
    peak = float(
        np.float32(highest_output(samples.astype(np.float64), _oversampled, _TRUE_PEAK_REACH, _TRUE_PEAK_GAIN))
    )
    return max(_dbfs(peak), peak_dbfs(samples))


def _oversampled(windows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    from scipy.signal import resample_poly

    joined = resample_poly(windows.ravel(), _TRUE_PEAK_OVERSAMPLING, 1)
    edge = _TRUE_PEAK_OVERSAMPLING * _TRUE_PEAK_REACH
    middle: npt.NDArray[np.floating] = joined.reshape(len(windows), -1)[:, edge:-edge]
    return middle


class SilentAudioError(ValueError):
    """Nothing in it is loud enough to be measured."""


def set_loudness(samples: Samples, sample_rate: int, target_lufs: float) -> Samples:
    """Scale to ``target_lufs``, or to less where the true peak would pass -1 dBFS: never clipped or bent.

    Raises:
        SilentAudioError: the samples are silent.
    """
    loudness = integrated_loudness(samples, sample_rate)
    if not math.isfinite(loudness):
        raise SilentAudioError("silence has no loudness")
    gain_db = min(target_lufs - loudness, MAX_TRUE_PEAK_DBFS - true_peak_dbfs(samples))
    scaled: Samples = (samples * np.float32(10.0 ** (gain_db / 20.0))).astype(np.float32)
    return scaled
