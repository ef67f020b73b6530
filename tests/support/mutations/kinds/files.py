"""Files that are not what they should be: another format, broken, or no file at all."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from tests.support.mutations.kinds.common import OTHER_WORDS, one
from tests.support.mutations.planting import Copy, Kind, Planted, at

GROUP = "files"
_TWO_GB = 2_000_000_000
#: what cannot be known of an item one of whose channels cannot be read, or is read at another rate
UNREADABLE = OTHER_WORDS | {
    "T2.FINAL_DURATION",
    "T2.CLEAN_FILE",
    "TIMELINE.LENGTHS",
    "TIMELINE.USER_ABSENT",
    "TIMELINE.USER_OUTSIDE",
    "T1.AUDIO_MISSING",
    "T2.AUDIO_MISSING",
    "T2.CLEAN_MISSING",
    "T2.ASSISTANT_LABELS",
    "AUDIO.UNREADABLE",
    "AUDIO.DURATION",
    "AUDIO.FORMAT",
}
Damage = Callable[[Copy, str], object]


def wavs(found: FoundItem) -> list[str]:
    """Audio files of an item that every item of its task has."""
    return [path for role, path in sorted(found.files.items()) if role != "clean" and path.endswith(".wav")]


def _kind(name: str, code: str, damage: Damage, follows: frozenset[str] = UNREADABLE, cases: int = 4) -> Kind:
    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        path = one(wavs(found), rng)
        damage(copy, path)
        return at(found, path)

    return Kind(name, GROUP, code, plant, follows=follows, cases=cases)


def _stereo(copy: Copy, path: str) -> None:
    mono = copy.wave(path)
    copy.write_wave(path, np.stack([mono, mono], axis=1))


def _resampled(copy: Copy, path: str) -> None:
    import soxr

    copy.write_wave(path, soxr.resample(copy.wave(path), RATE, 44_100), rate=44_100)


def _wrong_header(copy: Copy, path: str) -> None:
    """The header says 8 kHz, the samples are those of 16 kHz."""
    copy.write_wave(path, copy.wave(path), rate=RATE // 2)


def _directory(copy: Copy, path: str) -> None:
    copy.remove(path)
    (copy.root / path).mkdir()


def _first_as_directory(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    path = wavs(found)[0]
    _directory(copy, path)
    return at(found, path)


def _truncated(copy: Copy, path: str) -> None:
    body = (copy.root / path).read_bytes()
    copy.write_bytes(path, body[: len(body) // 3])


def _sparse(copy: Copy, path: str) -> None:
    """A WAV of 2 GB whose samples are a hole: no disk is used, and a careless reader takes all memory."""
    data = _TWO_GB - _TWO_GB % 2
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + data, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", data
    )
    copy.write_bytes(path, header)
    with (copy.root / path).open("r+b") as handle:
        handle.truncate(len(header) + data)


def _missing(track: Track, code: str) -> Kind:
    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        path = one(wavs(found), rng)
        copy.remove(path)
        return at(found, path)

    name = f"missing audio file ({track.value})"
    return Kind(name, GROUP, code, plant, lambda found: found.track is track, UNREADABLE, 4)


KINDS: tuple[Kind, ...] = (
    _kind("stereo file", "AUDIO.CHANNELS", _stereo),
    _kind("44.1 kHz file", "AUDIO.RATE", _resampled),
    _kind("header with half the rate", "AUDIO.RATE", _wrong_header),
    _kind("24-bit file", "AUDIO.FORMAT", lambda copy, path: copy.write_wave(path, copy.wave(path), subtype="PCM_24")),
    _kind("float file", "AUDIO.FORMAT", lambda copy, path: copy.write_wave(path, copy.wave(path), subtype="FLOAT")),
    _kind("zero bytes", "AUDIO.UNREADABLE", lambda copy, path: copy.write_bytes(path, b"")),
    _kind(
        "text named .wav",
        "AUDIO.UNREADABLE",
        lambda copy, path: copy.write_bytes(path, "这不是音频 no audio\n".encode() * 200),
    ),
    _kind("WAV cut off after a third", "AUDIO.UNREADABLE", _truncated),
    _kind("2 GB file", "AUDIO.DURATION", _sparse, cases=3),
    Kind(
        "directory named .wav (track1)",
        GROUP,
        "T1.AUDIO_MISSING",
        _first_as_directory,
        lambda found: found.track is Track.EMOTION,
        UNREADABLE,
    ),
    Kind(
        "directory named .wav (track2)",
        GROUP,
        "T2.AUDIO_MISSING",
        _first_as_directory,
        lambda found: found.track is Track.DUPLEX,
        UNREADABLE,
    ),
    _missing(Track.EMOTION, "T1.AUDIO_MISSING"),
    _missing(Track.DUPLEX, "T2.AUDIO_MISSING"),
)
