"""The shard ledger: which groups of items are finished, kept on disk, written atomically.

Prefect's database is not a ledger (short runs lose task rows at exit), so this is: a
shard is finished when its ``result.json`` exists, which is the last file written.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from data_schemas.base import Record, dump_json
from data_schemas.finding import Finding, Severity
from data_schemas.plan import DialoguePlan, QuotaCell
from flows.atomic import write_text_atomic
from flows.respoken import Retake

RESULT_FILE = "result.json"


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
        """The finished shard, or None when it has to be made."""
        file = self.root / key / RESULT_FILE
        if not file.exists():
            return None
        return ShardResult.model_validate_json(file.read_text(encoding="utf-8"))

    def start(self, key: str) -> Path:
        """An empty work directory for a shard; what a killed run left in it is removed."""
        directory = self.root / key
        if directory.exists():
            shutil.rmtree(directory)
        directory.mkdir(parents=True)
        return directory

    def finish(self, result: ShardResult) -> None:
        write_text_atomic(self.root / result.key / RESULT_FILE, result.to_json_line() + "\n")

    def item_dir(self, key: str, plan_id: str) -> Path:
        return self.root / key / "items" / plan_id

    def prune(self, keep: frozenset[str]) -> int:
        """Remove shards of earlier configurations; returns how many."""
        stale = [entry for entry in self.root.iterdir() if entry.is_dir() and entry.name not in keep]
        for entry in stale:
            shutil.rmtree(entry)
        return len(stale)
