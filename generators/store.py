"""Paid work is kept: a content-addressed store of audio, shared by any number of processes.

An entry is two files, ``<root>/<key[:2]>/<key>.wav`` (PCM16, mono) and ``<key>.json``. The JSON is
written last and holds the hash of the WAV and one of itself, so a half-written or damaged entry is seen
and made again; nothing needs ``fsync`` for that, a lost block shows as a wrong hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples, wav_bytes, wav_samples
from data_schemas.foundation.base import Record
from data_schemas.foundation.partial_files import partial_name
from data_schemas.utterance import Provenance, WordTiming

_SHARD_DIGITS = 2
_KEY_DIGITS = 64
_LOCK_FILE = ".lock"


class StoreError(RuntimeError):
    """An entry that must be there is not, or is damaged."""


class AudioFacts(Record):
    """What is known about stored samples besides the samples."""

    loudness_lufs: float
    peak_dbfs: float
    words: tuple[WordTiming, ...] = ()
    provenance: Provenance


class AudioEntry(Record):
    """The JSON file of an entry."""

    key: str
    wav_sha256: str
    sample_rate: int = Field(gt=0)
    num_samples: int = Field(gt=0)
    facts: AudioFacts
    #: the record the key was made from, for people who look
    made_from: dict[str, Any]
    #: versions of the libraries that made the samples; None: written by a version that kept none, and believed
    made_with: dict[str, str] | None = None
    #: hash of all of the above; None: written by a version that kept none, and believed as it is
    seal: str | None = None

    def sealed(self) -> AudioEntry:
        """The same with its seal."""
        body = self.model_copy(update={"seal": None}).to_json_line()
        return self.model_copy(update={"seal": hashlib.sha256(body.encode()).hexdigest()})


def key_of(record: Record) -> str:
    """Hex SHA-256 of the record's canonical JSON: sorted keys, compact, UTF-8.

    >>> from data_schemas.utterance import WordTiming
    >>> key_of(WordTiming(text="好", start=0, stop=9))[:8]
    'da26c3dd'
    """
    canonical = json.dumps(
        record.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


class Store:
    """Audio by key below one folder. Holds no state: make one wherever it is needed."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def wav_path(self, key: str) -> Path:
        """Where the audio of ``key`` lies or would lie.

        Raises:
            ValueError: ``key`` is not a hex SHA-256.
        """
        if len(key) != _KEY_DIGITS or not set(key) <= set("0123456789abcdef"):
            raise ValueError(f"store {self.root}: {key!r} is not a key (64 hexadecimal digits)")
        return self.root / key[:_SHARD_DIGITS] / f"{key}.wav"

    def get(self, key: str, made_with: Mapping[str, str] | None = None) -> AudioEntry | None:
        """The entry, or None when it is to be made again: absent, half-written, damaged.

        Args:
            made_with: versions of libraries; what others made is to be made again, too.
        """
        found = self._read(key)
        if found is None or (made_with is not None and found[0].made_with not in (None, made_with)):
            return None
        return found[0]

    def load(self, key: str) -> Samples:
        """Samples ``[n]`` of an entry, checked against its hash.

        Raises:
            StoreError: absent or damaged; the sentence names the file.
        """
        found = self._read(key)
        if found is None:
            raise StoreError(
                f"store {self.root}: {self.wav_path(key)} is missing or damaged; build again and it is made anew"
            )
        return wav_samples(found[1])

    def put(
        self,
        key: str,
        samples: Samples,
        facts: AudioFacts,
        made_from: Record,
        made_with: Mapping[str, str] | None = None,
    ) -> AudioEntry:
        """Keep 16 kHz samples ``[n]`` under ``key`` and return the entry that is in force.

        The first writer wins: where a sound entry of the same libraries already lies (another process was faster) it is
        returned unchanged, so what one process was told is what every other one reads.

        Raises:
            OSError: disk full or no permission; nothing readable is left under the key.
        """
        from filelock import FileLock

        path = self.wav_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        wav = wav_bytes(samples)
        entry = AudioEntry(
            key=key,
            wav_sha256=hashlib.sha256(wav).hexdigest(),
            sample_rate=SAMPLE_RATE_HZ,
            num_samples=len(samples),
            facts=facts,
            made_from=made_from.model_dump(mode="json"),
            made_with=None if made_with is None else dict(made_with),
        ).sealed()
        with FileLock(path.parent / _LOCK_FILE):
            existing = self.get(key, made_with)
            if existing is not None:
                return existing
            _replace(path, wav)
            _replace(path.with_suffix(".json"), (entry.to_json_line() + "\n").encode())
        return entry

    def _read(self, key: str) -> tuple[AudioEntry, bytes] | None:
        path = self.wav_path(key)
        try:
            entry = AudioEntry.from_json_line(path.with_suffix(".json").read_text(encoding="utf-8"))
            wav = path.read_bytes()
        except (FileNotFoundError, UnicodeDecodeError, ValidationError):
            return None
        if entry.key != key or entry.wav_sha256 != hashlib.sha256(wav).hexdigest():
            return None
        if entry.seal is not None and entry != entry.sealed():
            return None
        return entry, wav


def _replace(path: Path, content: bytes) -> None:
    """Write beside the target and rename, so that a reader sees all of it or nothing."""
    temporary = partial_name(path)
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
