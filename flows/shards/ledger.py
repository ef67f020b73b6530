"""The shard ledger: which groups of items are finished, kept on disk, written atomically.

Prefect's database is not a ledger (short runs lose task rows at exit), so this is: a
shard is finished when its ``result.json`` exists, which is the last file written, and the
files of its items are those that were judged: ``result.json`` holds their sizes and hashes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from data_schemas.finding import Finding, Severity
from data_schemas.foundation.base import Record, dump_json
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.release import FileEntry
from flows.common.atomic import sha256_of, write_text_atomic
from flows.shards.blame import Retake
from flows.shards.steps import LAID_OUT

RESULT_FILE = "result.json"
ITEMS = "items"


class ItemOutcome(Record):
    """What became of one plan."""

    plan_id: str
    cell: QuotaCell
    script_id: str | None
    accepted: bool
    findings: tuple[Finding, ...]
    audio_seconds: float = 0.0
    #: utterances that were spoken more than once
    retakes: tuple[Retake, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


class ShardResult(Record):
    key: str
    outcomes: tuple[ItemOutcome, ...]
    #: what is read again of the items, paths below the shard's directory
    files: tuple[FileEntry, ...]


def split_shards(plans: Sequence[DialoguePlan], size: int) -> tuple[tuple[DialoguePlan, ...], ...]:
    """Consecutive groups of at most ``size`` plans."""
    return tuple(tuple(plans[start : start + size]) for start in range(0, len(plans), size))


def shard_key(identity: str, plans: Sequence[DialoguePlan]) -> str:
    """Name of a shard: everything that decides its bytes (recipe, code, weights, plans)."""
    text = dump_json([identity, [plan.model_dump(mode="json") for plan in plans]])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class ShardLedger:
    """Directories ``<root>/<key>/`` with ``items/<plan id>/`` and, when finished, ``result.json``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def result(self, key: str) -> ShardResult | None:
        """The finished shard, or None when it has to be made: also when its result cannot be read or lists no files."""
        file = self.root / key / RESULT_FILE
        if not file.exists():
            return None
        try:
            return ShardResult.model_validate_json(file.read_bytes())
        except ValidationError:
            return None

    def first_changed(self, result: ShardResult) -> Path | None:
        """The first file that is no longer the one that was judged, or None. Reads every byte of the shard.

        A power cut can leave empty files behind a finished shard, and a released file is another name of a file here:
        who edits it in place edits both.
        """
        for entry in result.files:
            path = self.root / result.key / entry.path
            if not path.is_file() or path.stat().st_size != entry.bytes or sha256_of(path) != entry.sha256:
                return path
        return None

    def start(self, key: str) -> Path:
        """An empty work directory for a shard; what a killed run left in it is removed."""
        directory = self.root / key
        if directory.exists():
            shutil.rmtree(directory)
        directory.mkdir(parents=True)
        return directory

    def finish(self, key: str, outcomes: tuple[ItemOutcome, ...]) -> None:
        result = ShardResult(key=key, outcomes=outcomes, files=tuple(self._files(key)))
        write_text_atomic(self.root / key / RESULT_FILE, result.to_json_line() + "\n")

    def item_dir(self, key: str, plan_id: str) -> Path:
        return self.root / key / ITEMS / plan_id

    def _files(self, key: str) -> Iterator[FileEntry]:
        """All but what was laid out for the judges alone: names of the same files."""
        root = self.root / key
        for directory in sorted((root / ITEMS).glob("*")):
            for path in sorted(directory.rglob("*")):
                if path.is_file() and path.relative_to(directory).parts[0] != LAID_OUT:
                    place = path.relative_to(root).as_posix()
                    yield FileEntry(path=place, sha256=sha256_of(path), bytes=path.stat().st_size)

    def prune(self, keep: frozenset[str]) -> int:
        """Remove shards of earlier configurations; returns how many."""
        stale = [entry for entry in self.root.iterdir() if entry.is_dir() and entry.name not in keep]
        for entry in stale:
            shutil.rmtree(entry)
        return len(stale)
