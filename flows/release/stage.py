"""The two places of a build, work and release: fit for it, and nobody else's while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from flows.common import staging
from flows.common.staging import PARTIAL_MARK, Place, alone, held, move_to
from flows.prepare.disk import check_place
from validators.files.lock import LOCK_FILE

__all__ = ["PARTIAL_MARK", "fresh_staging", "move_to", "release_place", "work_lock"]


@contextmanager
def work_lock(work_dir: Path) -> Iterator[None]:
    """Alone in a work directory.

    Raises:
        TargetError: it cannot be made or written to.
        ResourceError: another command is using it.
    """
    check_place("work", work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    refusal = (
        f"another build is using {work_dir}; wait for it, or give this one its own places with --set work=DIR "
        "--set release=DIR"
    )
    with alone(work_dir / "build.lock", refusal):
        yield


def release_place(target: Path) -> AbstractContextManager[None]:
    """Alone at the place of a release, which was seen to take one.

    Raises:
        ResourceError: another build is to publish there.
        TargetError: it is not free, or a release made beside it could not be moved there.
    """
    return held(_place(target))


def fresh_staging(target: Path) -> Path:
    """The folder beside ``target`` in which its release is made, empty but for its mark.

    Raises:
        TargetError: something that no build made is in the way.
    """
    return staging.fresh_staging(_place(target))


def _place(target: Path) -> Place:
    return Place(target, "release", "--set release=DIR", proof=LOCK_FILE)
