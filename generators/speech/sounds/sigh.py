"""A sigh in somebody's voice: breath noise through the vocal tract of an open vowel that the voice has just spoken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples

_Floats = npt.NDArray[np.float64]

#: A sigh's audible breath out, seconds. CHOICE within the 0.5 to 1.5 s of sighs in conversation; short ones, so that
#: detectors of pauses and silence bridge them.
DURATION_S = (0.65, 0.95)
#: Loudest 50 ms of the sigh below the speech's loud frames. CHOICE: audible at a listener's distance, yet far enough
#: above `generators.speech.finish.WEAK_BELOW_PEAK_DB` (34 dB) that trimming leaves it alone.
BELOW_SPEECH_DB = (15.0, 20.0)
#: The breath comes within so long and then dies away. CHOICE.
RISE_S = (0.14, 0.24)
#: Level at the end of the sigh against its loudest, dB. CHOICE: trimming may take the last tenth.
END_DB = -18.0
_FADE_S = 0.08
#: The tract lengthens while the jaw and larynx sink: formants at the end against the beginning. CHOICE.
GLIDE = (1.06, 0.88)
#: Breath noise has less of the low spectrum than voiced sound in the same tract: whispered vowels are weaker below
#: 1.5 kHz and flatter (Ito, Takeda & Itakura 2005). CHOICE of the amount: a soft "hah", no hiss.
FLATTER_DB_PER_OCTAVE = 5.0
_FLATTER_FROM_HZ, _FLATTER_TO_HZ = 300.0, 2500.0
#: A weaker flow is duller: additional slope above 1 kHz at the end. CHOICE.
DULLER_DB_PER_OCTAVE = -6.0
_DULLER_FROM_HZ = 1000.0
#: No tract noise below the first formant's region or above where speech ends. CHOICE.
_LOWEST_HZ, _HIGHEST_HZ = 180.0, 7200.0

_FRAME_S, _HOP_S = 0.032, 0.008
#: Linear prediction: two coefficients per kHz of bandwidth and some for source and radiation (Markel & Gray 1976), in
#: the band where formants are; poles drawn in so that a formant is as wide as with an open glottis (CHOICE).
_POLES_PER_KHZ, _MORE_POLES, _POLE_RADIUS = 1.0, 4, 0.985
#: An open vowel has its first formant high: this band against the one below it. CHOICE by the vowel chart.
_OPEN_BAND_HZ, _CLOSE_BAND_HZ = (600.0, 1300.0), (150.0, 500.0)
_LOUD_SHARE, _OPEN_FRAMES = 0.25, 12
#: White noise added for a well-conditioned prediction, -60 dB.
_WHITE = 1e-6
_TINY = 1e-10


@dataclass(frozen=True)
class Tract:
    """What a voice's spectrum looks like in its open vowels.

    ``envelope_db`` ``[bins]`` over ``bins_hz`` ``[bins]``; ``loud_db`` is the level of the voice's loud frames (95th
    percentile of 32 ms), dB over full scale.
    """

    envelope_db: _Floats
    bins_hz: _Floats
    loud_db: float


def tract_of(samples: Samples, rate: int) -> Tract:
    """Measure a voice on anything it says: mono ``[n]``, half a second or more.

    Raises:
        ValueError: nothing is heard in it.
    """
    size, hop = 2 * round(_FRAME_S * rate / 2), round(_HOP_S * rate)
    padded = np.pad(np.asarray(samples, dtype=np.float64), (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    levels = 10.0 * np.log10(np.mean(frames**2, axis=1) + _TINY)
    if not np.isfinite(levels).all() or levels.max() <= 10.0 * np.log10(_TINY) + 1.0:
        raise ValueError("a voice cannot be measured on silence")
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2 + _TINY
    bins = np.arange(power.shape[1]) * rate / size
    loud = np.argsort(levels, kind="stable")[-max(1, round(_LOUD_SHARE * len(levels))) :]
    openness = _band(power, bins, _OPEN_BAND_HZ) / _band(power, bins, _CLOSE_BAND_HZ)
    chosen = loud[np.argsort(openness[loud], kind="stable")[-_OPEN_FRAMES:]]
    shapes = power[chosen] / power[chosen].sum(axis=1, keepdims=True)
    return Tract(_predicted_db(shapes.mean(axis=0), rate), bins, float(np.percentile(levels, 95.0)))


def _band(power: _Floats, bins: _Floats, band: tuple[float, float]) -> _Floats:
    total: _Floats = power[:, (bins >= band[0]) & (bins < band[1])].sum(axis=1)
    return total


def _predicted_db(power: _Floats, rate: int) -> _Floats:
    """Envelope of a power spectrum ``[bins]`` by linear prediction, dB."""
    from scipy.linalg import solve_toeplitz

    order = round(_POLES_PER_KHZ * rate / 1000.0) + _MORE_POLES
    correlation = np.fft.irfft(power)[: order + 1]
    correlation[0] *= 1.0 + _WHITE
    poles = solve_toeplitz(correlation[:order], -correlation[1:])
    filter_taps = np.concatenate([[1.0], poles]) * _POLE_RADIUS ** np.arange(order + 1)
    response = np.abs(np.fft.rfft(filter_taps, n=2 * (len(power) - 1)))
    envelope: _Floats = -20.0 * np.log10(response + _TINY)
    return envelope


def sigh(tract: Tract, rate: int, random: np.random.Generator) -> Samples:
    """Samples ``[n]`` float32 at the tract's rate; another draw of ``random`` is another sigh."""
    duration, rise = random.uniform(*DURATION_S), random.uniform(*RISE_S)
    below = random.uniform(*BELOW_SPEECH_DB)
    size, hop = 2 * (len(tract.bins_hz) - 1), round(_HOP_S * rate)
    length = round(duration * rate)
    noise = random.standard_normal(length + 2 * size)
    window = np.sqrt(np.hanning(size + 1)[:size])
    made = np.zeros(length + 2 * size)
    for start in range(0, length + size, hop):
        progress = min(max((start - size / 2) / length, 0.0), 1.0)
        gain = 10.0 ** (_filter_db(tract, progress) / 20.0)
        spectrum = np.fft.rfft(noise[start : start + size] * window) * gain
        made[start : start + size] += np.fft.irfft(spectrum, n=size) * window
    breath = made[size : size + length] * _flow(length, rise, rate)
    loudest = np.sqrt(np.convolve(breath**2, np.ones(rate // 20) / (rate // 20), mode="same").max() + _TINY)
    scaled: Samples = (breath * 10.0 ** ((tract.loud_db - below) / 20.0) / loudest).astype(np.float32)
    return scaled


def _filter_db(tract: Tract, progress: float) -> _Floats:
    """The tract's response to breath, dB per bin, at a share of the sigh."""
    bins = tract.bins_hz
    warp = GLIDE[0] + (GLIDE[1] - GLIDE[0]) * progress
    shape = np.interp(bins / warp, bins, tract.envelope_db)
    octaves = np.log2(np.clip(bins, _FLATTER_FROM_HZ, _FLATTER_TO_HZ) / _FLATTER_FROM_HZ)
    duller = np.log2(np.maximum(bins, _DULLER_FROM_HZ) / _DULLER_FROM_HZ) * DULLER_DB_PER_OCTAVE * progress
    edges = -24.0 * np.log2(np.maximum(_LOWEST_HZ / np.maximum(bins, 1.0), 1.0))
    edges -= 24.0 * np.log2(np.maximum(bins / _HIGHEST_HZ, 1.0))
    shaped: _Floats = shape - shape.max() + FLATTER_DB_PER_OCTAVE * octaves + duller + edges
    return shaped


def _flow(length: int, rise_s: float, rate: int) -> _Floats:
    """Amplitude over time: a raised-cosine rise, then a steady fall in dB, faded out at the end."""
    rise, fade = round(rise_s * rate), round(_FADE_S * rate)
    fall = 10.0 ** (END_DB / 20.0 * np.arange(length - rise) / (length - rise))
    flow = np.concatenate([0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise), fall])
    flow[-fade:] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    shaped: _Floats = flow
    return shaped
