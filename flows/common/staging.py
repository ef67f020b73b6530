"""Folders that are whole or absent: made beside their target by one process at a time, marked, and renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from flows.common.errors import ResourceError, TargetError

#: stands in a folder of ours as long as that is not whole, so that the next run knows it for one
PARTIAL_MARK = ".humdial-partial"


@dataclass(frozen=True)
class Place:
    """Where a folder is to appear, and how to speak of it."""

    target: Path
    #: what is made there: "release", "export"
    what: str
    #: the option that names another place: "-o DIR"
    option: str
    #: a file that only a whole folder has: it is known for ours also in the moment between mark and name
    proof: str | None = None
    #: files that an earlier run of the same command left at the target, and this one replaces; the last one last
    renewed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", Path(os.path.abspath(self.target)))  # ``.`` has no name


@contextmanager
def staged(place: Place) -> Iterator[Path]:
    """An empty folder beside the target, which becomes the target at the end; after an exception nothing is left.

    A run that was killed leaves it marked, and the next one begins it anew.

    Raises:
        ResourceError: another process is making something there.
        TargetError: the target is not free or cannot take a folder, or something that is not ours is in the way.
    """
    with held(place):
        staging = fresh_staging(place)
        try:
            yield staging
            _settle(staging, place)
        except BaseException:
            discard(staging)
            raise


@contextmanager
def held(place: Place) -> Iterator[None]:
    """Alone at a place, which was seen to take a folder.

    Raises:
        ResourceError, TargetError: as `staged`.
    """
    target = place.target
    refusal = (
        f"{place.what}: another process is writing {target}; wait for it, or give this one its own place with "
        f"{place.option}"
    )
    with ExitStack() as stack:
        with _explained(place):
            target.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone(_beside(target, "lock"), refusal))
            _check_free(place)
            _check_ours(_beside(target, "partial"), place.proof)
            if not _is_filled(target):
                _try_place(target)
        yield


def check_takes(place: Place) -> None:
    """See whether a place takes a folder, without leaving anything: no folder above it, no lock.

    Raises:
        TargetError: as `held`.
    """
    target = place.target
    with _explained(place):
        _check_free(place)
        _check_ours(_beside(target, "partial"), place.proof)
        _check_ours(_beside(target, "probe"), None)
        if os.path.ismount(target):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(target))
        if not _is_filled(target):
            above = next(folder for folder in target.parents if folder.exists())
            os.rmdir(tempfile.mkdtemp(prefix=f".{target.name}.probe.", dir=above))


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """What the system says against a place, as a sentence with the way out."""
    target = place.target
    try:
        yield
    except OSError as error:
        raise TargetError(
            f"{place.what}: {target} cannot be written ({error.strerror or error}): it is made in {target.parent} "
            f"and moved from there, so that folder must be writable and {target.name} no mount point; choose "
            f"another place with {place.option}, for example a folder inside the mounted one"
        ) from error


@contextmanager
def alone(lock_file: Path, refusal: str) -> Iterator[None]:
    """Hold a lock between processes; its file, which is empty, stays.

    Raises:
        ResourceError: another process holds it; ``refusal`` is the sentence.
    """
    try:
        lock = FileLock(lock_file, timeout=0).acquire()
    except Timeout:
        raise ResourceError(refusal) from None
    with lock:
        yield


def fresh_staging(place: Place) -> Path:
    """The folder beside the target, empty but for its mark; the caller is `held` there.

    Raises:
        TargetError: something that is not ours is in the way.
    """
    return fresh_folder(_beside(place.target, "partial"), place.proof)


def fresh_folder(folder: Path, proof: str | None = None) -> Path:
    """A scratch folder of ours, empty but for its mark, whatever a killed run left in it.

    Raises:
        TargetError: it holds something, and neither mark nor ``proof``.
    """
    _check_ours(folder, proof)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PARTIAL_MARK).touch()  # first in, and never out while anything else is in
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != PARTIAL_MARK:
            entry.unlink()
    return folder


def discard(folder: Path) -> None:
    """Remove a folder made by `fresh_folder`; killed on the way, it is still known for ours."""
    if folder.exists():
        shutil.rmtree(fresh_folder(folder))


def move_to(folder: Path, target: Path) -> None:
    """Rename a folder to a free place: one that does not exist, or an empty directory."""
    if target.exists():
        target.rmdir()
    folder.rename(target)


def move_files(names: Iterable[str], folder: Path, target: Path) -> None:
    """Move files between folders of one file system, each in the place of its predecessor, in the order given."""
    for name in names:
        os.replace(folder / name, target / name)


def _settle(staging: Path, place: Place) -> None:
    if place.renewed and _is_filled(place.target):
        _check_free(place)
        move_files(place.renewed, staging, place.target)
        discard(staging)
        return
    (staging / PARTIAL_MARK).unlink()
    try:
        move_to(staging, place.target)
    except OSError as error:
        (staging / PARTIAL_MARK).touch()
        raise TargetError(
            f"{place.what}: {place.target} was taken while it was made ({error.strerror or error}); run the same "
            f"command again with {place.option}"
        ) from error


def _check_free(place: Place) -> None:
    target = place.target
    if target.exists() and not target.is_dir():
        raise TargetError(f"{place.what}: {target} is a file; name another place with {place.option}")
    if _is_filled(target) and not (place.renewed and all((target / name).is_file() for name in place.renewed)):
        raise TargetError(
            f"{place.what}: {target} is not empty; name another place with {place.option}, or move it away"
        )


def _check_ours(folder: Path, proof: str | None) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        ours = False
    else:
        names = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
        ours = not names or PARTIAL_MARK in names or proof in names
    if not ours:
        raise TargetError(f"{folder} is in the way and was not made by humdial; move it away")


def _try_place(target: Path) -> None:
    """Move an empty folder to ``target`` as the whole one will be; what was free before is free at every moment."""
    probe = _beside(target, "probe")
    _check_ours(probe, None)
    probe.mkdir(exist_ok=True)
    existed = target.exists()
    try:
        move_to(probe, target)
    except OSError:
        probe.rmdir()
        raise
    if not existed:
        target.rmdir()


def _is_filled(target: Path) -> bool:
    return target.is_dir() and any(target.iterdir())


def _beside(target: Path, kind: str) -> Path:
    return target.parent / f".{target.name}.{kind}"
