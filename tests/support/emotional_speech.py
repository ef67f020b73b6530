"""Emotional speech made by rule: WORLD moves pitch, range, tempo and level of plain speech by label and intensity.

Crude on purpose, and no claim to sound natural: the judges need speech whose emotion is known and in the voice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import Samples

_FRAME_MS = 5.0


class Manner(NamedTuple):
    """At full intensity: semitones up, factor on pitch movement, factor on tempo, dB."""

    shift_st: float
    range_factor: float
    tempo: float
    gain_db: float
    tilt_db_per_octave: float = 0.0


#: Typical of what the sources in validators/emotion/emotion_directions.yaml describe; the sizes are made up.
MANNERS = {
    Emotion.ANGER: Manner(2.5, 1.5, 1.2, 6.0, 2.0),
    Emotion.DISGUST: Manner(-1.5, 1.15, 0.75, -3.0),
    Emotion.FEAR: Manner(4.5, 0.85, 1.3, -1.0),
    Emotion.HAPPY: Manner(3.0, 1.6, 1.1, 3.0, 1.0),
    Emotion.NEUTRAL: Manner(0.0, 1.0, 1.0, 0.0),
    Emotion.SAD: Manner(-2.0, 0.6, 0.8, -5.0, -2.0),
    Emotion.SURPRISE: Manner(5.0, 1.9, 1.0, 2.0),
}


class Analysis(NamedTuple):
    """WORLD's view of plain speech; computed once, spoken in any emotion."""

    waveform: np.ndarray
    rate: int
    f0: np.ndarray
    envelope: np.ndarray
    noise: np.ndarray


def analyse(samples: Samples, rate: int) -> Analysis:
    """F0 ``[frames]``, spectral envelope and aperiodicity ``[frames, bins]``."""
    import pyworld

    waveform = samples.astype(np.float64)
    f0, times = pyworld.dio(waveform, rate, frame_period=_FRAME_MS)
    f0 = pyworld.stonemask(waveform, f0, times, rate)
    envelope = pyworld.cheaptrick(waveform, f0, times, rate)
    return Analysis(waveform, rate, f0, envelope, pyworld.d4c(waveform, f0, times, rate))


def speak_as(plain: Analysis, emotion: Emotion, intensity: int | None = 3) -> Samples:
    """Plain speech as if felt, ``[n]``; neutral goes through the same analysis and synthesis."""
    import pyworld

    manner, share = MANNERS[emotion], (intensity or 0) / 3.0
    places = np.arange(0, len(plain.f0), manner.tempo**share)
    places = np.minimum(np.round(places).astype(int), len(plain.f0) - 1)
    bins = np.fft.rfftfreq((plain.envelope.shape[1] - 1) * 2, 1.0 / plain.rate)
    octaves = np.log2(np.maximum(bins, 100.0) / 1000.0)
    tilted = plain.envelope[places] * 10.0 ** (share * manner.tilt_db_per_octave * octaves / 10.0)
    f0 = np.ascontiguousarray(_moved(plain.f0, manner, share)[places])
    spoken = pyworld.synthesize(f0, tilted, np.ascontiguousarray(plain.noise[places]), plain.rate)
    gain = float(np.sqrt(np.mean(plain.waveform**2) / max(np.mean(spoken**2), 1e-12)))  # tilt keeps the level
    loud: Samples = (spoken * gain * 10.0 ** (share * manner.gain_db / 20.0)).astype(np.float32)
    return loud


def _moved(f0: np.ndarray, manner: Manner, share: float) -> np.ndarray:
    voiced = f0 > 0
    if not voiced.any():
        return f0
    centre = float(np.median(np.log2(f0[voiced])))
    moved = f0.copy()
    spread = manner.range_factor**share
    moved[voiced] = 2.0 ** (centre + share * manner.shift_st / 12.0 + spread * (np.log2(f0[voiced]) - centre))
    return moved
