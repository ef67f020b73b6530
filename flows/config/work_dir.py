"""The places of a build: whether they may be written to, and nobody else's while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.common.errors import TargetError
from flows.common.staging import alone


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


def check_place(key: str, place: Path) -> None:
    """Refuse a place for ``work`` or ``release`` that cannot be written to, before anything is made for it.

    Raises:
        TargetError: a file is in the way, or permissions are, or the disk is read-only.
    """
    existing = nearest_existing(place)
    if not existing.is_dir():
        raise TargetError(
            f"{key}: {existing} is a file, so {place} cannot be a directory; choose another place with --set {key}=DIR"
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise TargetError(
            f"{key}: {existing} may not be written to (permissions, or a read-only disk); choose another place with "
            f"--set {key}=DIR"
        )


def nearest_existing(place: Path) -> Path:
    """The place, or the nearest folder above it that is there."""
    return next(path for path in (place, *place.parents) if path.exists())
