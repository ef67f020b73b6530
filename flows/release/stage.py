"""The place of a release: fit for it, and nobody else's while it is made."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from flows.common import staging
from flows.common.staging import PARTIAL_MARK, Place, held, move_to
from validators.files.lock import LOCK_FILE

__all__ = ["PARTIAL_MARK", "check_release_place", "fresh_staging", "move_to", "release_place"]


def release_place(target: Path) -> AbstractContextManager[None]:
    """Alone at the place of a release, which was seen to take one.

    Raises:
        ResourceError: another build is to publish there.
        TargetError: it is not free, or a release made beside it could not be moved there.
    """
    return held(_place(target))


def check_release_place(target: Path) -> None:
    """What `release_place` refuses for good, without leaving or locking anything.

    Raises:
        TargetError: as `release_place`.
    """
    staging.check_takes(_place(target))


def fresh_staging(target: Path) -> Path:
    """The folder beside ``target`` in which its release is made, empty but for its mark.

    Raises:
        TargetError: something that no build made is in the way.
    """
    return staging.fresh_staging(_place(target))


def _place(target: Path) -> Place:
    return Place(target, "release", "--set release=DIR", proof=LOCK_FILE)
