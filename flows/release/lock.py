"""``dataset.lock.json``: what the release is made of, written file by file, last of all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars

from data_schemas.release import DatasetLock, LockedCount, tree_sha256
from flows.common.atomic import atomic_file
from flows.common.machine import machine_facts
from flows.config.build_config import BuildConfig
from flows.prepare.identity import locked_engine, locked_models, voices_sha256
from flows.prepare.resolve import Prepared
from flows.release.books import CellCount
from flows.release.tree import entries_of
from validators.files.lock import LOCK_FILE

LOCK_FORMAT = 1
_NO_FILES = '"files": []'


def lock_head(
    config: BuildConfig, prepared: Prepared, counts: tuple[CellCount, ...], files: polars.DataFrame
) -> DatasetLock:
    """The lock of ``files`` without its list of them. Holds no time and no place, so that a rebuild equals it."""
    return DatasetLock(
        format_version=LOCK_FORMAT,
        name=config.name,
        seed=config.seed,
        config=config.recipe(),
        code_version=prepared.code,
        engines=(locked_engine(prepared.engine),),
        models=locked_models(prepared.models),
        scripts_sha256=prepared.scripts_sha256,
        voices_sha256=voices_sha256(prepared.engine, prepared.speakers),
        counts=tuple(LockedCount(**count.model_dump()) for count in counts),
        made_on=machine_facts(),
        files=(),
        tree_sha256=tree_sha256(entries_of(files)),
    )


def write_lock(root: Path, head: DatasetLock, files: polars.DataFrame) -> None:
    """Write head and files as one `DatasetLock`, indented."""
    with atomic_file(root / LOCK_FILE) as file:
        file.writelines(piece.encode() for piece in _pieces(head, files))


def _pieces(head: DatasetLock, files: polars.DataFrame) -> Iterator[str]:
    text = json.dumps(head.model_dump(mode="json"), ensure_ascii=False, indent=1)
    before, _, after = text.rpartition(_NO_FILES)
    yield before + '"files": ['
    for number, entry in enumerate(entries_of(files)):
        body = json.dumps(entry.model_dump(mode="json"), ensure_ascii=False, indent=1)
        indented = "".join("  " + line for line in body.splitlines(keepends=True))
        yield (",\n" if number else "\n") + indented
    yield ("\n ]" if len(files) else "]") + after + "\n"
