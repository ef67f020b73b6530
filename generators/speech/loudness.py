"""Loudness (ITU-R BS.1770) and peaks of speech, and the gain that sets them."""

from __future__ import annotations

import math

import numpy as np

from data_schemas.foundation.audio import Samples

#: The gating block of ITU-R BS.1770-4; shorter audio has no integrated loudness of its own.
GATING_BLOCK_S = 0.4
#: EBU R 128 s1: maximum true peak of -1 dBTP.
MAX_TRUE_PEAK_DBFS = -1.0
#: ITU-R BS.1770-4 annex 2: true peak is read at four times the rate or more.
_TRUE_PEAK_OVERSAMPLING = 4


def integrated_loudness(samples: Samples, sample_rate: int) -> float:
    """LUFS of mono samples ``[n]``; -inf for silence.

    Audio shorter than one gating block is repeated until it fills one, which keeps its level
    (padding with silence would lower it).
    """
    import pyloudnorm

    needed = math.ceil(GATING_BLOCK_S * sample_rate)
    if 0 < len(samples) < needed:
        samples = np.tile(samples, math.ceil(needed / len(samples)))
    if not samples.any():
        return -math.inf
    return float(
        pyloudnorm.Meter(sample_rate, block_size=GATING_BLOCK_S).integrated_loudness(samples.astype(np.float64))
    )


def peak_dbfs(samples: Samples) -> float:
    """Highest sample in dB relative to full scale; -inf for silence."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    return 20.0 * math.log10(peak) if peak > 0.0 else -math.inf


def true_peak_dbfs(samples: Samples) -> float:
    """Highest value between samples too, from four-fold oversampling."""
    from scipy.signal import resample_poly

    if not len(samples):
        return -math.inf
    oversampled = resample_poly(samples.astype(np.float64), _TRUE_PEAK_OVERSAMPLING, 1)
    return max(peak_dbfs(oversampled.astype(np.float32)), peak_dbfs(samples))


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
