"""The shard ledger: which groups of items are finished, kept on disk, whole or absent.

Prefect's database is not a ledger (short runs lose task rows at exit), so this is. A shard is made in
``<root>/<key>.<attempt>/`` and renamed to ``<root>/<key>/`` when it is whole. ``result.json`` carries a hash of itself
and those of the tables beside it; the items lie among the `KeptScenes` with hashes of their own.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from data_schemas.foundation.base import Record
from data_schemas.release import FileEntry
from flows.common.atomic import sha256_of
from flows.common.sealed import read_sealed, write_sealed
from flows.shards.job import ShardSummary
from flows.shards.kept import FACTS_FILE, KeptScenes, SceneFacts

#: below the work directory
SHARDS = "shards"
RESULT_FILE = "result.json"


class ShardResult(Record):
    """What ``result.json`` says of a shard."""

    summary: ShardSummary
    #: tables, by name
    files: tuple[FileEntry, ...]
    #: keys of the items that were composed
    scenes: tuple[str, ...]


class ShardLedger:
    """Finished shards below one folder."""

    def __init__(self, root: Path, scenes: KeptScenes) -> None:
        self.root = root
        self.scenes = scenes

    def folder(self, key: str) -> Path:
        return self.root / key

    def result(self, key: str) -> ShardResult | None:
        """A finished shard whose result and tables are what was written; None where it has to be made."""
        result = read_sealed(self.folder(key) / RESULT_FILE, ShardResult)
        if result is None or result.summary.key != key:
            return None
        for entry in result.files:
            path = self.folder(key) / entry.path
            if not path.is_file() or path.stat().st_size != entry.bytes or sha256_of(path) != entry.sha256:
                return None
        return result

    def first_changed(self, result: ShardResult) -> Path | None:
        """The first file of its items that is no longer the one that was judged, or None. Reads every byte."""
        for key in result.scenes:
            facts = read_sealed(self.scenes.folder(key) / FACTS_FILE, SceneFacts)
            if facts is None:
                return self.scenes.folder(key) / FACTS_FILE
            changed = self.scenes.first_changed(facts)
            if changed is not None:
                return changed
        return None

    @contextmanager
    def attempt(self, key: str) -> Iterator[Path]:
        """An empty folder to make a shard in; removed at the end unless it was kept."""
        folder = self.root / f"{key}.{secrets.token_hex(4)}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(
        self, attempt: Path, summary: ShardSummary, tables: Mapping[str, bytes], scenes: Sequence[str]
    ) -> ShardResult:
        """Write tables and result into ``attempt`` and make it the shard."""
        for name, content in tables.items():
            (attempt / name).write_bytes(content)
        files = tuple(
            FileEntry(path=name, sha256=sha256_of(attempt / name), bytes=len(content))
            for name, content in tables.items()
        )
        result = ShardResult(summary=summary, files=files, scenes=tuple(scenes))
        write_sealed(attempt / RESULT_FILE, result)
        target = self.folder(summary.key)
        shutil.rmtree(target, ignore_errors=True)
        attempt.rename(target)
        return result

    def prune(self, keep: frozenset[str]) -> int:
        """Remove shards of earlier configurations and what killed runs were making; returns how many."""
        stale = [entry for entry in self.root.iterdir() if entry.is_dir() and entry.name not in keep]
        for entry in stale:
            shutil.rmtree(entry)
        return len(stale)
