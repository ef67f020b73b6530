"""The place of a release: fit for it, and nobody else's while it is made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flows.common.errors import TargetError
from flows.config.work_dir import alone
from validators.files.lock import LOCK_FILE

#: stands in a staging folder as long as that is not whole, so that the next build knows it for one
PARTIAL_MARK = ".humdial-partial"


@contextmanager
def release_place(target: Path) -> Iterator[None]:
    """Alone at the place of a release, which was seen to take one.

    Raises:
        ResourceError: another build is to publish there.
        TargetError: a release made beside it could not be moved there.
    """
    refusal = (
        f"release: another build is to publish to {target}; wait for it, or give this one its own place with "
        "--set release=DIR"
    )
    with ExitStack() as held:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(alone(_beside(target, "lock"), refusal))
            _try_place(target)
        except OSError as error:
            raise TargetError(
                f"release: {target} cannot take a release ({error.strerror or error}): it is made in {target.parent} "
                f"and moved from there, so that folder must be writable and {target.name} no mount point; choose "
                "another place with --set release=DIR, for example a folder inside the mounted one"
            ) from error
        yield


def fresh_staging(target: Path) -> Path:
    """The folder beside ``target`` in which its release is made, empty but for its mark.

    Raises:
        TargetError: something that no build made is in the way.
    """
    staging = _beside(target, "partial")
    _check_staging(staging)
    staging.mkdir(parents=True, exist_ok=True)
    (staging / PARTIAL_MARK).touch()  # first in, and never out while anything else is in
    for entry in staging.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != PARTIAL_MARK:
            entry.unlink()
    return staging


def _check_staging(staging: Path) -> None:
    if not staging.exists() or (staging / PARTIAL_MARK).exists() or (staging / LOCK_FILE).exists():
        return
    if not staging.is_dir() or any(staging.iterdir()):
        raise TargetError(f"{staging} is in the way and was not made by a build; move it away")


def _try_place(target: Path) -> None:
    """Move an empty folder to ``target`` as a release will be; what was free before is free at every moment."""
    _check_staging(_beside(target, "partial"))
    probe = _beside(target, "probe")
    probe.mkdir(exist_ok=True)
    existed = target.exists()
    try:
        move_to(probe, target)
    except OSError:
        probe.rmdir()
        raise
    if not existed:
        target.rmdir()


def move_to(folder: Path, target: Path) -> None:
    """Rename a folder to a free place: one that does not exist, or an empty directory."""
    if target.exists():
        target.rmdir()
    folder.rename(target)


def _beside(target: Path, kind: str) -> Path:
    return target.parent / f".{target.name}.{kind}"
