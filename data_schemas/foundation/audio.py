"""Samples on disk are RIFF WAV, PCM 16-bit; in memory float32 in [-1, 1), ``[n]`` or ``[n, channels]``."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
_PCM16_SCALE = 32_768.0
_BYTES_PER_SAMPLE = 2
_RIFF = struct.Struct("<4sI4s 4sIHHIIHH 4sI")
#: Of the files that we write; others may carry more before their samples.
HEADER_BYTES = _RIFF.size
_HIGHEST_RATE_HZ = 384_000


def to_pcm16(samples: Samples) -> npt.NDArray[np.int16]:
    """Round to 16 bit, saturating. The one place where floats become integers."""
    scaled = np.asarray(samples) * np.float32(_PCM16_SCALE)  # a power of two: exact in any type
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -_PCM16_SCALE, _PCM16_SCALE - 1, out=scaled).astype(np.int16)


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
    """The whole file of ``[n]`` or ``[n, channels]`` samples, byte by byte what libsndfile writes."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    pcm = to_pcm16(samples).astype("<i2", copy=False).tobytes()
    return _header(sample_rate, channels, len(pcm)) + pcm


def wav_samples(wav: bytes) -> Samples:
    """Samples ``[n]`` or ``[n, channels]`` of a whole file.

    Raises:
        soundfile.LibsndfileError: not an audio file.
    """
    if plain_wav(wav[:HEADER_BYTES], len(wav)) is not None:
        return from_pcm16(np.frombuffer(wav, dtype="<i2", offset=HEADER_BYTES))
    data: Samples = soundfile.read(io.BytesIO(wav), dtype="float32")[0]
    return data


def plain_wav(header: bytes, file_bytes: int) -> tuple[int, int] | None:
    """Rate in Hz and number of samples, if a file of that size begins as `wav_bytes` begins a mono file; else None."""
    if len(header) < HEADER_BYTES:
        return None
    rate, length = int.from_bytes(header[24:28], "little"), file_bytes - HEADER_BYTES
    if not 0 < rate <= _HIGHEST_RATE_HZ or length % _BYTES_PER_SAMPLE or header != _header(rate, 1, length):
        return None
    return rate, length // _BYTES_PER_SAMPLE


def _header(rate: int, channels: int, length: int) -> bytes:
    """RIFF WAV, one format chunk (tag 1: PCM) and ``length`` bytes of samples."""
    block = channels * _BYTES_PER_SAMPLE
    form = (b"fmt ", 16, 1, channels, rate, rate * block, block, 8 * _BYTES_PER_SAMPLE)
    return _RIFF.pack(b"RIFF", HEADER_BYTES - 8 + length, b"WAVE", *form, b"data", length)


def read_wav(path: Path) -> tuple[Samples, int]:
    """Samples ``[n]`` or ``[n, channels]`` and the rate in Hz.

    Raises:
        soundfile.LibsndfileError: not an audio file.
    """
    data, rate = soundfile.read(path, dtype="float32", always_2d=False)
    return data, int(rate)
