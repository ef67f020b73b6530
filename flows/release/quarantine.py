"""Rejected items are kept, each with the findings that rejected it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from data_schemas.foundation.base import write_jsonl
from data_schemas.layouts.writer import link_or_copy
from flows.shards.ledger import ItemOutcome

FINDINGS_FILE = "findings.jsonl"


def write_quarantine(root: Path, rejected: Iterable[tuple[ItemOutcome, Path]]) -> int:
    """Rewrite ``root`` to hold one folder per rejected item; returns how many.

    The audio is hard-linked from the work files, or copied; an item that never became audio has its findings only.
    """
    if root.exists():
        shutil.rmtree(root)
    count = 0
    for outcome, directory in rejected:
        target = root / outcome.plan_id
        target.mkdir(parents=True)
        for file in sorted(path for path in directory.rglob("*") if path.is_file()):
            link_or_copy(file, target / file.relative_to(directory))
        write_jsonl(target / FINDINGS_FILE, outcome.findings)
        count += 1
    return count
