"""One export: staged beside its target, renamed when it is whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from data_schemas.foundation.base import Record, RecordError, read_jsonl
from data_schemas.layouts.registry import LAYOUTS, detect_layouts
from data_schemas.release import DatasetLock, read_lock
from data_schemas.script import Script
from data_schemas.tasks import Language, Split
from flows.common.atomic import write_text_atomic
from flows.common.code_version import code_version
from flows.common.errors import TargetError
from flows.common.progress import Reporter
from flows.common.staging import Place, staged
from flows.exports.base import ExportCount, Exporter, ExportError, ReleaseSource
from validators.files.lock import LOCK_FILE

NOTE_FILE = "EXPORT.json"
RESOURCES_FILE = "RESOURCES.md"
SCRIPTS_FILE = "scripts.jsonl"
STAGE = "export"


class ExportNote(Record):
    """``EXPORT.json``: what an export was made from."""

    format: str
    code_version: str
    #: name and tree hash of the release, from its lock; None for a data set without one
    release: str | None
    tree_sha256: str | None
    languages: tuple[Language, ...]
    splits: tuple[Split, ...]
    count: ExportCount


@dataclass(frozen=True)
class ExportJob:
    """What is to be exported where."""

    root: Path
    exporter: Exporter
    target: Path
    languages: frozenset[Language] = frozenset(Language)
    splits: frozenset[Split] = frozenset(Split)


def run_export(job: ExportJob, reporter: Reporter) -> ExportNote:
    """Write the export; nothing appears at the target before all of it is there.

    Raises:
        TargetError: the root is no data set, its lock cannot be read, or the target is not free.
        ResourceError: another process is writing the target.
        ExportError: no item fits the format, or one cannot be brought into it.
    """
    _check(job)
    lock = _lock(job.root)
    source = ReleaseSource(job.root, job.exporter.tracks, job.languages, job.splits)
    with staged(Place(job.target, "export", "-o DIR", proof=NOTE_FILE)) as staging:
        total = sum(1 for _ in source.items())
        if not total:
            raise ExportError(
                f"{job.root} holds no item for {job.exporter.name} (it takes {_listed(job.exporter.tracks)}; languages "
                f"{_listed(job.languages)}; splits {_listed(job.splits)})"
            )
        reporter.expect(STAGE, total)
        count = job.exporter.write(source, staging, lambda done: reporter.advance(STAGE, done))
        if not count.items:
            raise ExportError(f"no item of {job.root} fits {job.exporter.name}: {_reasons(count)}")
        resources = job.root / RESOURCES_FILE
        if resources.is_file():
            shutil.copyfile(resources, staging / RESOURCES_FILE)
        note = _note(job, lock, count)
        write_text_atomic(
            staging / NOTE_FILE, json.dumps(note.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
        )
    return note


def is_rehearsal(root: Path) -> bool:
    """Whether a release holds scripts that were filled in by rule to try the pipeline.

    Raises:
        RecordError: its scripts cannot be read.
    """
    scripts = root / SCRIPTS_FILE
    return scripts.is_file() and any(one.provenance.is_rehearsal for one in read_jsonl(scripts, Script))


def _check(job: ExportJob) -> None:
    if not job.root.is_dir() or not detect_layouts(job.root):
        raise TargetError(
            f"{job.root} holds no data set in a layout we know ({', '.join(known.name for known in LAYOUTS)}); "
            "give the directory of a release"
        )
    if job.target.resolve().is_relative_to(job.root.resolve()):
        raise TargetError(
            f"{job.target} lies inside the release, whose lock would no longer fit; name a place beside it"
        )


def _lock(root: Path) -> DatasetLock | None:
    lock_file = root / LOCK_FILE
    if not lock_file.is_file():
        return None
    try:
        return read_lock(lock_file)
    except RecordError as error:
        raise TargetError(
            f"{error}; export with the version that made the release, or move the lock away: the export then does not "
            "say what it was made from"
        ) from error


def _note(job: ExportJob, lock: DatasetLock | None, count: ExportCount) -> ExportNote:
    return ExportNote(
        format=job.exporter.name,
        code_version=code_version(),
        release=lock.name if lock else None,
        tree_sha256=lock.tree_sha256 if lock else None,
        languages=tuple(sorted(job.languages)),
        splits=tuple(sorted(job.splits)),
        count=count,
    )


def _reasons(count: ExportCount) -> str:
    return (
        "; ".join(f"{number} x {reason}" for reason, number in sorted(count.left_out.items())) or "nothing was written"
    )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(str(name) for name in names))
