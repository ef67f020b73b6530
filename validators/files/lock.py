"""A release's files against its ``dataset.lock.json``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from data_schemas.finding import Finding
from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import inside
from validators.core.codes import Judge
from validators.rows.rows import read_json, view

VALIDATOR = "lock/1"
LOCK_FILE = "dataset.lock.json"


class _LockedFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    sha256: str
    bytes: int


class _FileList(BaseModel):
    """The part of `DatasetLock` that names files; the rest may grow with versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    files: tuple[_LockedFile, ...]


def judge_lock(root: Path) -> Iterator[Finding]:
    """Every listed file has its bytes and hash, and no other file is there. Nothing to say without a lock."""
    lock_path = root / LOCK_FILE
    if not lock_path.is_file():
        return
    judge = Judge(VALIDATOR, LOCK_FILE, LOCK_FILE)
    try:
        lock = view(_FileList, read_json(lock_path))
    except (OSError, ValueError) as error:
        yield judge.say("SET.LOCK_MISMATCH", f"{LOCK_FILE} is not UTF-8 JSON: {error}")
        return
    if isinstance(lock, str):
        yield judge.say("SET.LOCK_MISMATCH", f"{LOCK_FILE}: {lock}")
        return
    for entry in lock.files:
        problem = _problem(root, entry)
        if problem:
            yield Judge(VALIDATOR, entry.path, entry.path).say("SET.LOCK_MISMATCH", f"{entry.path} {problem}")
    listed = {entry.path for entry in lock.files} | {LOCK_FILE}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name not in listed:
            yield Judge(VALIDATOR, name, name).say("SET.LOCK_MISMATCH", f"{name} is not in {LOCK_FILE}")


def _problem(root: Path, entry: _LockedFile) -> str | None:
    try:
        path = inside(root, entry.path)
        size = path.stat().st_size
        if size != entry.bytes:
            return f"has {size} bytes instead of {entry.bytes}"
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    except RecordError as error:
        return str(error)
    except OSError as error:
        return f"is listed but cannot be read ({error.strerror})"
    return None if digest == entry.sha256 else f"has another hash than {LOCK_FILE} lists"
