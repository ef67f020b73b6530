"""Where a build writes: whether it may, and whether there is room for what is still to be made."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.common.errors import ResourceError
from flows.config.build_config import BuildConfig
from flows.config.work_dir import nearest_existing

if TYPE_CHECKING:
    from flows.prepare.estimate import Estimate

#: Manifests, reports, Prefect's database, and what an estimate misses.
RESERVE_BYTES = 200 * 2**20


@dataclass(frozen=True)
class DiskNeed:
    """What a build still writes to one file system."""

    place: Path
    bytes: int


def disk_needs(config: BuildConfig, figures: Estimate) -> tuple[DiskNeed, ...]:
    """What is still to be written, per file system: the estimate less what lies there already.

    Shards and release share their audio by hard link where both are on one file system. What an earlier
    configuration left in the work directory counts as made, so a build that changed may need more.
    """
    work, release = nearest_existing(config.work_dir), nearest_existing(config.release_dir.parent)
    audio_and_kept = figures.release_bytes + figures.work_bytes
    needs = [DiskNeed(work, _missing(audio_and_kept, (config.work_dir,)) + RESERVE_BYTES)]
    if _device(work) != _device(release):
        staged = config.release_dir.parent.glob(f".{glob.escape(config.release_dir.name)}.partial*")
        needs.append(DiskNeed(release, _missing(figures.release_bytes, staged) + RESERVE_BYTES))
    return tuple(needs)


def check_disk(config: BuildConfig, figures: Estimate) -> None:
    """Refuse to start when the disk cannot hold the work.

    Raises:
        ResourceError: with the size that is needed and the size that is free.
    """
    for need in disk_needs(config, figures):
        free = shutil.disk_usage(need.place).free
        if free < need.bytes:
            raise ResourceError(
                f"{need.place} has {free / 1e6:.0f} MB free and the build may need {need.bytes / 1e6:.0f} MB more; "
                "free some space or set work and release to a larger disk"
            )


def _device(path: Path) -> int:
    return path.stat().st_dev


def _missing(wanted: int, folders: Iterable[Path]) -> int:
    return max(0, wanted - sum(_bytes_below(folder) for folder in folders))


def _bytes_below(folder: Path) -> int:
    """Bytes of all files, those with several names counted once; what vanishes meanwhile is passed over."""
    sizes: dict[int, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values())
