"""Rejected items are kept, each with the findings that rejected it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from data_schemas.base import write_jsonl
from flows.shards import ItemOutcome

FINDINGS_FILE = "findings.jsonl"


def write_quarantine(root: Path, rejected: Iterable[tuple[ItemOutcome, Path]]) -> int:
    """Rewrite ``root`` to hold one folder per rejected item; returns how many.

    The audio is hard-linked from the work files; an item that never became audio has its findings only.
    """
    if root.exists():
        shutil.rmtree(root)
    count = 0
    for outcome, directory in rejected:
        target = root / outcome.plan_id
        target.mkdir(parents=True)
        if directory.exists():
            shutil.copytree(directory, target, copy_function=os.link, dirs_exist_ok=True)
        write_jsonl(target / FINDINGS_FILE, outcome.findings)
        count += 1
    return count
