"""Samples on disk are RIFF WAV, PCM 16-bit; in memory float32 in [-1, 1), ``[n]`` or ``[n, channels]``."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
_PCM16_SCALE = 32_768.0


def to_pcm16(samples: Samples) -> npt.NDArray[np.int16]:
    """Round to 16 bit, saturating. The one place where floats become integers."""
    scaled = np.rint(np.asarray(samples, dtype=np.float64) * _PCM16_SCALE)
    return np.clip(scaled, -_PCM16_SCALE, _PCM16_SCALE - 1).astype(np.int16)


def from_pcm16(pcm: npt.NDArray[np.int16]) -> Samples:
    return (pcm.astype(np.float32) / np.float32(_PCM16_SCALE)).astype(np.float32)


def write_wav(path: Path, samples: Samples, sample_rate: int = SAMPLE_RATE_HZ) -> None:
    """Write ``[n]`` (mono) or ``[n, 2]`` (stereo) samples; parent folders are made.

    Raises:
        OSError: disk full or no permission (libsndfile itself would not say which).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_bytes(samples, sample_rate))


def wav_bytes(samples: Samples, sample_rate: int = SAMPLE_RATE_HZ) -> bytes:
    """The whole file of ``[n]`` or ``[n, channels]`` samples."""
    buffer = io.BytesIO()
    soundfile.write(buffer, to_pcm16(samples), sample_rate, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


def read_wav(path: Path) -> tuple[Samples, int]:
    """Samples ``[n]`` or ``[n, channels]`` and the rate in Hz.

    Raises:
        soundfile.LibsndfileError: not an audio file.
    """
    data, rate = soundfile.read(path, dtype="float32", always_2d=False)
    return data, int(rate)
