"""Sources of noise, each ``[length]`` of mean power 1, from the record of the noise alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from data_schemas.acoustics import Noise, NoiseKind, NoiseSpectrum
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.randomness import named_generator

Source = npt.NDArray[np.float64]

#: Below this nothing is made: a microphone's capsule and amplifier cut there (CHOICE)
_LOWEST_HZ = 50.0
_DB_PER_OCTAVE_PINK = -3.01
_DB_PER_DECADE = 20.0
#: Long-term average speech spectrum, both sexes, all languages: third-octave levels in dB SPL of Byrne et al. 1994,
#: table II. Levels of third-octave bands, so 1 dB per third of an octave is added to get a density.
_SPEECH_BANDS_HZ = (63, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000,
                    5000, 6300, 8000)  # fmt: skip
_SPEECH_BANDS_DB = (38.6, 43.5, 54.4, 57.7, 56.8, 60.2, 60.3, 59.0, 62.1, 62.1, 60.5, 56.8, 53.7, 53.0, 52.0, 48.7,
                    48.1, 46.8, 45.6, 44.5, 44.3, 43.7)  # fmt: skip


def noise_source(noise: Noise, length: int, load: Callable[[str], Samples]) -> Source:
    """Noise of mean power 1.

    Args:
        load: the samples ``[n]`` of an utterance id; called for babble only.

    Raises:
        ValueError: a talker of the babble is silent.
    """
    source = _stationary(noise, length) if noise.kind is NoiseKind.STATIONARY else _babble(noise, length, load)
    return _of_power_one(source)


def _stationary(noise: Noise, length: int) -> Source:
    """Gaussian noise, shaped in the frequency domain: one period of ``length``, so no edges."""
    white = named_generator(noise.seed, "stationary", "samples").standard_normal(length)
    frequencies = np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE_HZ)
    shape = 10.0 ** (_density_db(noise.spectrum, np.maximum(frequencies, _LOWEST_HZ)) / _DB_PER_DECADE)
    shape[frequencies < _LOWEST_HZ] = 0.0
    shaped: Source = np.fft.irfft(np.fft.rfft(white) * shape, length)
    return shaped


def _density_db(spectrum: NoiseSpectrum | None, frequencies: Source) -> Source:
    octaves: Source = np.log2(frequencies)
    if spectrum is NoiseSpectrum.SPEECH:
        bands = np.log2(_SPEECH_BANDS_HZ)
        density = np.array(_SPEECH_BANDS_DB) + _DB_PER_OCTAVE_PINK * bands
        return np.interp(octaves, bands, density)
    return _DB_PER_OCTAVE_PINK * octaves


def _babble(noise: Noise, length: int, load: Callable[[str], Samples]) -> Source:
    """Every talker at the same mean power, begun somewhere, over and over."""
    together = np.zeros(length)
    for number, utterance_id in enumerate(noise.talkers):
        words = load(utterance_id).astype(np.float64)
        if not words.any():
            raise ValueError(f"{utterance_id}: is silent and cannot be part of babble; speak it again")
        begin = int(named_generator(noise.seed, f"talker/{number}", "begin").integers(len(words)))
        together += np.resize(np.roll(_of_power_one(words), -begin), length)
    return together


def _of_power_one(source: Source) -> Source:
    scaled: Source = source / np.sqrt(np.mean(source**2))
    return scaled
