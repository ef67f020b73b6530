"""Loudness and true peaks are, to the last bit, those of the libraries that measure every sample."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import scipy.signal

from data_schemas.foundation.loudness import block_maxima, highest_output, integrated_loudness

RATE = 16_000
KINDS = ("speech", "pauses", "burst", "end", "hum", "soft", "least", "silence")
TAPS = np.array([0.1, -0.4, 0.9, 0.7, -0.2], dtype=np.float32)


def sound(kind: str, seconds: float, rate: int) -> npt.NDArray[np.float64]:
    """Noise in syllables with what surrounds it in files: exact zeros for seconds, at any place."""
    count = round(seconds * rate)
    draw = np.random.default_rng(len(kind))
    time = np.arange(count) / rate
    speech = 0.1 * draw.standard_normal(count) * np.clip(np.sin(7.0 * time), 0.0, 1.0)
    match kind:
        case "pauses":
            speech[(time % 2.0) > 0.7] = 0.0
        case "burst":
            speech[(time < seconds / 3) | (time > seconds / 3 + 0.1)] = 0.0
        case "end":
            speech[time < seconds - 0.3] = 0.0
        case "hum":
            speech = 0.2 * np.sin(2 * np.pi * 50.0 * time)
        case "soft":
            speech *= 1e-4
        case "least":
            speech = np.where(draw.random(count) < 1e-4, 1.0 / 32_768, 0.0)
        case "silence":
            speech[:] = 0.0
    return speech


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [8_000, RATE, 44_100])
@pytest.mark.parametrize("seconds", [0.4, 1.03, 9.77])
@pytest.mark.parametrize("kind", KINDS)
def test_loudness_is_that_of_pyloudnorm(kind: str, seconds: float, rate: int, dtype: type[Any]) -> None:
    samples = sound(kind, seconds, rate).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        theirs = pyloudnorm.Meter(rate, block_size=0.4).integrated_loudness(samples)
    assert integrated_loudness(samples, rate) == theirs


def test_less_than_a_gating_block_has_no_loudness() -> None:
    with pytest.raises(ValueError, match=r"6399 samples at 16000 Hz.*0\.4 s"):
        integrated_loudness(np.ones(6_399, dtype=np.float32), RATE)
    assert math.isfinite(integrated_loudness(np.full(6_400, 0.1, dtype=np.float32), RATE))


def test_silence_is_not_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a recursive filter counts in denormals, many times slower than in speech."""
    filtered: list[int] = []
    lfilter = scipy.signal.lfilter

    def counted(b: Any, a: Any, samples: Any) -> Any:
        filtered.append(len(samples))
        return lfilter(b, a, samples)

    monkeypatch.setattr(scipy.signal, "lfilter", counted)
    integrated_loudness(sound("burst", 60.0, RATE).astype(np.float32), RATE)
    assert 0 < sum(filtered) < 2.0 * RATE


@pytest.mark.parametrize("length", [16, 64, 65, 5_000])
@pytest.mark.parametrize("kind", ["noise", "level", "first", "last", "decay", "silence"])
def test_the_highest_output_is_that_of_the_whole_filter(kind: str, length: int) -> None:
    draw = np.random.default_rng(length)
    samples = draw.standard_normal(length).astype(np.float32)
    match kind:
        case "level":
            samples[:] = np.sign(samples)
        case "first" | "last":
            samples *= 0.45
            samples[0 if kind == "first" else -1] = 2.0
        case "decay":
            samples *= np.exp(-np.arange(length) / 500.0).astype(np.float32)
        case "silence":
            samples[:] = 0.0
    assert highest_output(samples, between, len(TAPS) - 1, 2.3) == float(np.max(np.abs(np.convolve(samples, TAPS))))


def test_most_of_speech_is_not_asked() -> None:
    asked: list[int] = []

    def counted(windows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        asked.append(windows.size)
        return between(windows)

    samples = sound("speech", 5.0, RATE).astype(np.float32)
    highest_output(samples, counted, len(TAPS) - 1, 2.3)
    assert 0 < sum(asked) < 0.6 * len(samples)


def between(windows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    edge = len(TAPS) - 1
    return np.stack([np.convolve(window, TAPS)[edge:-edge] for window in windows])


@pytest.mark.parametrize("length", [1, 15, 16, 17, 1_000])
def test_block_maxima(length: int) -> None:
    values = np.random.default_rng(length).random(length)
    expected = [values[start : start + 16].max() for start in range(0, length, 16)]
    assert block_maxima(values, 16).tolist() == expected
