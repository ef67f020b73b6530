"""Rejected items are kept, each with the findings that rejected it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from data_schemas.finding import Finding
from data_schemas.foundation.base import write_jsonl
from data_schemas.layouts.writer import link_or_copy
from flows.release.shelf import Shelf
from flows.shards.kept import ITEM_FILE, STAGED
from flows.shards.tables import findings_of

#: below the work directory
QUARANTINE = "quarantine"
FINDINGS_FILE = "findings.jsonl"

Rejected = tuple[str, Path | None, tuple[Finding, ...]]


def rejected_items(shelf: Shelf, blamed: dict[str, tuple[Finding, ...]]) -> Iterator[Rejected]:
    """Plan id, folder of what was made and findings of each rejected item; ``blamed``: what the set's judges said."""
    for plan_id, folder, findings in shelf.rejected():
        yield plan_id, folder, (*findings_of(findings), *blamed.get(plan_id, ()))


def write_quarantine(root: Path, rejected: Iterable[Rejected]) -> int:
    """Rewrite ``root`` to hold one folder per rejected item; returns how many.

    The audio is hard-linked from the work files, or copied; an item that never became audio has its findings only.
    """
    if root.exists():
        shutil.rmtree(root)
    count = 0
    for plan_id, folder, findings in rejected:
        target = root / plan_id
        target.mkdir(parents=True)
        made = [] if folder is None else [folder / ITEM_FILE, *sorted((folder / STAGED).glob("*"))]
        for file in made:
            link_or_copy(file, target / file.relative_to(folder or file))
        write_jsonl(target / FINDINGS_FILE, findings)
        count += 1
    return count
