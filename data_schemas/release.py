"""`DatasetLock`: what a release is made of, to the byte. Holds no time and no place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from data_schemas.foundation.base import Record, RecordError, describe_validation_error
from data_schemas.machine import Machine
from data_schemas.plan import QuotaCell


class FileEntry(Record):
    """One file of the release; ``path`` is relative to its root."""

    path: str
    sha256: str
    bytes: int = Field(ge=0)


class LockedModel(Record):
    """A pinned model the build loaded: file name -> sha256."""

    name: str
    license: str
    files: dict[str, str]


class LockedEngine(Record):
    """The speech engine that spoke."""

    name: str
    version: str
    weights_sha256: str
    license: str


class LockedCount(Record):
    """The books of one quota cell: planned + topped_up = released + quarantined."""

    cell: QuotaCell
    quota: int
    planned: int
    topped_up: int
    released: int
    quarantined: int


class DatasetLock(Record):
    """``dataset.lock.json``, written last: a directory without it is not a release."""

    format_version: int
    name: str
    seed: int
    config: dict[str, Any]
    code_version: str
    engines: tuple[LockedEngine, ...]
    models: tuple[LockedModel, ...]
    #: over the scripts of ``scripts.pack``; None: a model wrote them, or an older version made it
    scripts_sha256: str | None = None
    #: over the cast and what its voices are made of, their licences and origins; None: an older version made it
    voices_sha256: str | None = None
    counts: tuple[LockedCount, ...]
    #: what it was made with; stands in no hash, see docs/same-bytes.md. None: an older version made it
    made_on: Machine | None = None
    files: tuple[FileEntry, ...]
    tree_sha256: str


def read_lock(path: Path) -> DatasetLock:
    """The lock in a file.

    Raises:
        RecordError: it is no lock of this version.
    """
    try:
        return DatasetLock.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise RecordError(
            f"{path} is no lock that this version can read ({describe_validation_error(error)})"
        ) from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is no lock that this version can read (not UTF-8)") from error


def tree_sha256(entries: Iterable[FileEntry]) -> str:
    """One hash over all paths and contents, independent of order."""
    lines = sorted(f"{entry.path}\0{entry.sha256}\0{entry.bytes}\n" for entry in entries)  # as sorted by path
    return hashlib.sha256("".join(lines).encode()).hexdigest()
