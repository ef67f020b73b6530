"""Whatever stands where a WAV should be is a finding: no traceback, no hang, no memory."""

from __future__ import annotations

import os
import resource
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import to_pcm16
from data_schemas.tasks import Language
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.files.audio import AudioVerdict, Words, judge_audio

WORDS = Words("你好啊，今天怎么样？", Language.ZH)
TONE = (0.1 * np.sin(2 * np.pi * 220 * np.arange(RATE * 2) / RATE) * np.hanning(RATE * 2)).astype(np.float32)


def wav(
    samples: Any = TONE, rate: int = RATE, channels: int = 1, data_bytes: int | None = None, extra: bytes = b""
) -> bytes:
    """A RIFF WAV of 16 bit by hand; ``data_bytes`` is what the header says of its samples."""
    data = to_pcm16(samples).tobytes()
    frame = 2 * channels
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, (rate * frame) % 2**32, frame, 16)
    body = b"WAVE" + form + extra + struct.pack("<4sI", b"data", len(data) if data_bytes is None else data_bytes) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def judged(path: Path) -> AudioVerdict:
    return judge_audio(Judge("audio/2", "x", path.name), path, Thresholds(), WORDS)


def codes(path: Path) -> set[str]:
    return {finding.code for finding in judged(path).findings}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "声音_1.wav"


def test_the_file_the_others_are_made_from_is_sound(path: Path) -> None:
    path.write_bytes(wav())
    verdict = judged(path)
    assert verdict.findings == () and verdict.samples is not None and len(verdict.samples) == len(TONE)
    assert verdict.samples.tobytes() == soundfile.read(path, dtype="float32")[0].tobytes()
    path.write_bytes(wav(extra=struct.pack("<4sI", b"LIST", 5) + b"INFO!\0"))
    assert judged(path).findings == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"R",
        b"RIFF",
        "这不是声音，是一行文字。".encode(),
        b"\0" * 4096,
        wav()[:20],
        wav()[:43],
        wav()[:-20_001],
        wav(data_bytes=2**31),
        wav(data_bytes=2**32 - 1),
        wav(data_bytes=0),
        wav(rate=0),
        wav(channels=0),
        b"RIFX" + wav()[4:],
    ],
    ids=lambda content: f"{len(content)}-{content[:4]!r}-{content[40:44].hex()}",
)
def test_not_a_whole_wav(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert codes(path) <= {"AUDIO.UNREADABLE", "AUDIO.FORMAT", "AUDIO.DURATION"} and codes(path)
    assert judged(path).samples is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (wav(rate=1), "AUDIO.RATE"),
        (wav(rate=2**31 - 1), "AUDIO.RATE"),
        (wav(rate=8000), "AUDIO.RATE"),
        (wav(channels=8), "AUDIO.CHANNELS"),
        (wav(TONE[:1]), "AUDIO.DURATION"),
        (wav(TONE[:0]), "AUDIO.DURATION"),
        (wav()[:-2001], "AUDIO.UNREADABLE"),
        (wav(data_bytes=2**31 - 2), "AUDIO.UNREADABLE"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_a_wav_of_another_kind(path: Path, content: bytes, code: str) -> None:
    path.write_bytes(content)
    assert code in codes(path)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("WAV", "PCM_24"), ("WAV", "ULAW"), ("RF64", "PCM_16"), ("W64", "PCM_16")],
)
@pytest.mark.parametrize("value", [0.1, float("nan"), float("inf")])
def test_another_format(path: Path, container: str, subtype: str, value: float) -> None:
    samples = TONE.astype(np.float64)
    samples[100:110] = value
    if not np.isfinite(value) and subtype not in {"FLOAT", "DOUBLE"}:
        samples[100:110] = 0.0
    soundfile.write(path, samples, RATE, format=container, subtype=subtype)
    (finding,) = judged(path).findings
    assert finding.code == "AUDIO.FORMAT" and container in finding.message


def test_a_directory_a_pipe_and_a_socket(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would never return."""
    folder, pipe, link = tmp_path / "folder.wav", tmp_path / "pipe.wav", tmp_path / "s.wav"
    folder.mkdir()
    os.mkfifo(pipe)
    loop = tmp_path / "loop.wav"
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(link))  # the address of a socket is 107 bytes at most
        for path in (folder, pipe, link, loop, Path("/dev/zero"), tmp_path / "missing.wav"):
            assert codes(path) == {"AUDIO.UNREADABLE"}


def test_names_that_are_no_wav(tmp_path: Path) -> None:
    for name in ("x.raw", "x.mp3", "x"):
        (tmp_path / name).write_bytes(b"\x01\x02" * 3000)
        assert codes(tmp_path / name) == {"AUDIO.UNREADABLE"}
    assert codes(tmp_path / ("长" * 200)) == {"AUDIO.UNREADABLE"}
    assert codes(Path("a\0b.wav")) == {"AUDIO.UNREADABLE"}


def test_two_gigabytes_are_not_read(path: Path) -> None:
    size = 2**31 - 2
    path.write_bytes(wav(TONE[:0], data_bytes=size))
    os.truncate(path, 44 + size)  # sparse: takes no room on the disk
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert codes(path) == {"AUDIO.DURATION"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB on Linux


def test_chunks_without_end(path: Path) -> None:
    path.write_bytes(wav(extra=struct.pack("<4sI", b"junk", 0) * 5000))
    assert codes(path) <= {"AUDIO.UNREADABLE"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_no_permission(path: Path) -> None:
    path.write_bytes(wav())
    path.chmod(0)
    assert codes(path) == {"AUDIO.UNREADABLE"}


SMALL = wav(TONE[: RATE // 3])
#: where the header is, more often than elsewhere
POSITIONS = st.one_of(st.integers(0, 60), st.integers(0, len(SMALL) - 1))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(POSITIONS, st.integers(0, 255)), max_size=8), st.integers(0, len(SMALL)), st.binary(max_size=40)
)
def test_no_bytes_raise(tmp_path: Path, changes: list[tuple[int, int]], length: int, tail: bytes) -> None:
    content = bytearray(SMALL)
    for position, value in changes:
        content[position] = value
    path = tmp_path / "x.wav"
    path.write_bytes(bytes(content[:length]) + tail)
    verdict = judged(path)
    if verdict.samples is None:
        assert verdict.findings
    else:
        assert np.isfinite(verdict.samples).all() and len(verdict.samples) <= len(SMALL) // 2 + 40
