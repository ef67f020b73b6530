"""Composed items and verdicts on them, kept by key: what has been made once is found again, and seen to be whole.

``<root>/<key[:2]>/<key>/`` holds ``item.json``, the staged audio and ``facts.json`` with the hash of each; a verdict
is ``verdict-<key>.json`` beside them. An item is made in a folder of another name and renamed when it is whole.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_schemas.finding import Finding
from data_schemas.foundation.base import Record
from data_schemas.release import FileEntry
from flows.common.atomic import sha256_of
from flows.common.sealed import read_sealed, write_sealed

#: below the work directory
SCENES = "scenes"
ITEM_FILE = "item.json"
#: folder of the audio inside an item's
STAGED = "staged"
FACTS_FILE = "facts.json"
_MAKING = ".making"


class SceneFacts(Record):
    """What ``facts.json`` says of an item."""

    key: str
    #: seconds on the user's channel
    audio_seconds: float
    #: ``item.json`` and the staged audio, by name below the item's folder
    files: tuple[FileEntry, ...]


class Verdict(Record):
    """What the judges of items and clips said, and what they measured of its clips (one JSON line each)."""

    key: str
    findings: tuple[Finding, ...]
    measures: tuple[str, ...]


class KeptScenes:
    """The items below one folder. Holds no state: make one wherever it is needed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, key: str) -> Path:
        return self.root / key[:2] / key

    def get(self, key: str) -> SceneFacts | None:
        """The facts of a whole item; None where it is to be made. Reads every byte of it."""
        facts = read_sealed(self.folder(key) / FACTS_FILE, SceneFacts)
        if facts is None or facts.key != key or self.first_changed(facts) is not None:
            return None
        return facts

    def first_changed(self, facts: SceneFacts) -> Path | None:
        """The first file that is no longer what was made, or None.

        A power cut can leave empty files, and a released file is another name of a file here: who edits it in place
        edits both.
        """
        for entry in facts.files:
            path = self.folder(facts.key) / entry.path
            if not path.is_file() or path.stat().st_size != entry.bytes or sha256_of(path) != entry.sha256:
                return path
        return None

    @contextmanager
    def making(self, key: str) -> Iterator[Path]:
        """An empty folder to make an item in; it is taken over by `keep`, and removed otherwise."""
        parent = self.folder(key).parent
        parent.mkdir(parents=True, exist_ok=True)
        attempt = parent / f"{key}{_MAKING}.{os.getpid()}.{secrets.token_hex(4)}"
        attempt.mkdir()
        try:
            yield attempt
        finally:
            shutil.rmtree(attempt, ignore_errors=True)

    def keep(self, key: str, attempt: Path, audio_seconds: float) -> SceneFacts:
        """Take over what lies in ``attempt``. Where a whole item is already, that one stays."""
        names = sorted(path.relative_to(attempt).as_posix() for path in attempt.rglob("*") if path.is_file())
        entries = tuple(
            FileEntry(path=name, sha256=sha256_of(attempt / name), bytes=(attempt / name).stat().st_size)
            for name in names
        )
        facts = SceneFacts(key=key, audio_seconds=audio_seconds, files=entries)
        write_sealed(attempt / FACTS_FILE, facts)
        target = self.folder(key)
        try:
            attempt.rename(target)
        except OSError:
            existing = self.get(key)
            if existing is not None:  # another process was faster
                return existing
            shutil.rmtree(target, ignore_errors=True)
            attempt.rename(target)
        return facts

    def verdict(self, scene: str, key: str) -> Verdict | None:
        """What was said of an item under a key, or None."""
        verdict = read_sealed(self._verdict_file(scene, key), Verdict)
        return verdict if verdict is not None and verdict.key == key else None

    def keep_verdict(self, scene: str, verdict: Verdict) -> None:
        write_sealed(self._verdict_file(scene, verdict.key), verdict)

    def prune(self, keep: frozenset[str]) -> int:
        """Remove items of earlier configurations, and what a killed run was making; returns how many."""
        stale = [folder for folder in self.root.glob("??/*") if folder.name not in keep]
        for folder in stale:
            shutil.rmtree(folder)
        return len(stale)

    def _verdict_file(self, scene: str, key: str) -> Path:
        return self.folder(scene) / f"verdict-{key}.json"
