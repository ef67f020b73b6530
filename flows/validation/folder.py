"""The folder of findings: what earlier runs left in it, and how a run's outcome gets there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars

from data_schemas.finding import Finding
from data_schemas.foundation.base import RecordError
from flows.common.atomic import sha256_of
from flows.common.errors import TargetError
from flows.common.staging import discard, fresh_folder, move_files
from flows.validation.earlier import Earlier, Judged, Whole
from validators.run.tables import (
    FINDINGS_TABLE,
    NEW_FINDINGS_TABLE,
    findings_frame,
    measures_frame,
    parquet_bytes,
    read_findings,
)

SUMMARY, JUDGED = "summary.md", "judged.json"
MEASURES_TABLE = "measures.parquet"
MEASURED = "measured.sqlite"
LOCK = "validate.lock"
_STAGING = ".written.partial"
_TABLES = (FINDINGS_TABLE, MEASURES_TABLE)


def check_folder(folder: Path) -> None:
    """Make the folder of findings, or see that it is one.

    Raises:
        TargetError: it cannot be made, or holds files of somebody else under the names of ours.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{folder} cannot be made ({error.strerror}); name another with --output DIR") from None
    if any((folder / name).exists() for name in (JUDGED, FINDINGS_TABLE, MEASURED)):
        return
    foreign = [name for name in (SUMMARY, MEASURES_TABLE, _lines(FINDINGS_TABLE)) if (folder / name).exists()]
    if foreign:
        raise TargetError(
            f"{folder} holds {foreign[0]}, which humdial validate did not write; name another folder with --output DIR"
        )


def read_earlier(folder: Path) -> Earlier | None:
    """What earlier runs left; None where nobody can say which judges it is of."""
    try:
        judged = Judged.model_validate_json((folder / JUDGED).read_bytes())
        if any(sha256_of(folder / name) != judged.tables[name] for name in _TABLES):
            return Earlier(judged.model_copy(update={"runs": {}}), (), measures_frame(()))
        return Earlier(judged, read_findings(folder), polars.read_parquet(folder / MEASURES_TABLE))
    except (OSError, KeyError, ValueError, RecordError, polars.exceptions.PolarsError):  # of none, or another version
        return None


def write_outcome(
    folder: Path, whole: Whole, new: Sequence[Finding] | None, summary: str, data: str, before: Earlier | None
) -> None:
    """Tables (with a baseline ``new`` ones too), reports and summary take the place of those that were there.

    All is written before the first is replaced: a full disk leaves the folder as it was. The new findings first: a
    baseline in this folder is told by both, also after a kill in between. ``judged.json`` last: without it nothing
    that is there is taken for a judge's.
    """
    staging = fresh_folder(folder / _STAGING)
    written: dict[str, bytes] = {}
    for name, table in ((NEW_FINDINGS_TABLE, new), (FINDINGS_TABLE, whole.findings)):
        if table is not None:
            written[name] = parquet_bytes(findings_frame(table))
            written[_lines(name)] = "".join(finding.to_json_line() + "\n" for finding in table).encode()
    written[MEASURES_TABLE] = parquet_bytes(whole.measures)
    for name, figures in whole.reports.items():
        written[f"{name}.json"] = (json.dumps(figures, ensure_ascii=False, indent=1) + "\n").encode()
    judged = Judged(
        data=data,
        runs=dict(whole.runs),
        reports=tuple(sorted((*whole.reports, *whole.kept_reports))),
        tables={name: hashlib.sha256(written[name]).hexdigest() for name in _TABLES},
    )
    written[SUMMARY] = summary.encode()
    written[JUDGED] = (json.dumps(judged.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n").encode()
    for name, content in written.items():
        (staging / name).write_bytes(content)
    *others, last = written
    move_files(others, staging, folder)
    reports = {f"{name}.json" for name in (() if before is None else before.judged.reports)}
    for name in (reports | {NEW_FINDINGS_TABLE, _lines(NEW_FINDINGS_TABLE)}) - {
        *written,
        *(f"{name}.json" for name in judged.reports),
    }:
        (folder / name).unlink(missing_ok=True)
    move_files([last], staging, folder)
    discard(staging)


def _lines(table: str) -> str:
    return Path(table).with_suffix(".jsonl").name


def identities(findings: Iterable[Finding]) -> frozenset[tuple[object, ...]]:
    """What findings of two runs are compared by."""
    return frozenset(identity(finding) for finding in findings)


def identity(finding: Finding) -> tuple[object, ...]:
    """What makes a finding the same in two runs: not what was measured, which may move a little."""
    return finding.code, finding.item, finding.file, None if finding.start is None else round(finding.start, 1)


def read_baseline(path: Path, folder: Path) -> frozenset[tuple[object, ...]]:
    """Identities of the findings of a baseline, for a run that writes to ``folder``.

    Where it writes over its own baseline, what an earlier run of the kind found new is no part of it: the same command
    says the same again.

    Raises:
        TargetError: it cannot be read.
    """
    try:
        known = identities(read_findings(path))
        if not is_own(path, folder) or not (folder / NEW_FINDINGS_TABLE).exists():
            return known
        return known - identities(read_findings(folder / NEW_FINDINGS_TABLE))
    except RecordError as error:
        raise TargetError(f"--baseline: {error}") from None


def is_own(baseline: Path, folder: Path) -> bool:
    """Whether the run writes over its own baseline."""
    return (baseline if baseline.is_dir() else baseline.parent).resolve() == folder.resolve()
