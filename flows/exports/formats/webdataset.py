"""WebDataset: tar shards any PyTorch loader can stream, ``ID.json`` and the audio of every role (``ID.user.wav`` ..).

Shards are named ``TRACK-LANGUAGE-SPLIT-000000.tar``, so that a brace pattern picks languages and splits, for example
``track2-zh-train-{000000..000012}.tar``. Audio is copied byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_schemas.foundation.base import dump_json
from data_schemas.layouts.base import FoundItem, inside
from data_schemas.tasks import Role, Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource
from flows.exports.writing.common import export_name
from flows.exports.writing.tar_shards import Member, TarShards

ITEMS_PER_SHARD = 1000
#: CHOICE: few enough files for a large release, small enough to shuffle shards
BYTES_PER_SHARD = 1 << 30
_ROLE = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class WebDatasetShards:
    """Everything the release says of an item, in one sample."""

    name: str = "webdataset"
    summary: str = "WebDataset tar shards of both tracks: per item its row as JSON and its audio by role"
    tracks: frozenset[Track] = frozenset(Track)

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """Write the shards.

        Raises:
            ExportError: an item lacks its audio, or its id cannot be a key.
        """
        items = 0
        previous = ""
        with TarShards(target, "{group}-{index:06d}.tar", ITEMS_PER_SHARD, BYTES_PER_SHARD) as shards:
            for item in source.items():
                key = export_name(item)
                if key == previous:
                    # a loader would melt both into one sample
                    raise ExportError(
                        f"{item.manifest}:{item.line}: {item.id} stands twice in the release; run humdial validate "
                        "and keep one"
                    )
                previous = key
                shards.add(f"{item.track}-{item.language}-{item.split}", _members(source, item, key))
                items += 1
                advance(1)
        return ExportCount(items=items, entries=len(shards.written))


def _members(source: ReleaseSource, item: FoundItem, key: str) -> list[Member]:
    """``KEY.json`` first, then the files, by role."""
    files = dict(_files(source, item))
    names = {role: f"{role}{path.suffix.lower()}" for role, path in files.items()}
    about = item.model_dump(mode="json", exclude={"files", "manifest", "line"}) | {"files": names}
    return [
        (f"{key}.json", dump_json(about).encode()),
        *((f"{key}.{names[role]}", path.read_bytes()) for role, path in files.items()),
    ]


def _files(source: ReleaseSource, item: FoundItem) -> Iterator[tuple[str, Path]]:
    """Role and path of the item's files. What the user says must be there; clean and label files may be missing."""
    for role in sorted(item.files):
        if not _ROLE.fullmatch(role):
            raise ExportError(f"{item.manifest}:{item.line}: {item.id}: turn_id must be a number, not {role!r}")
        if role == Role.USER or role.startswith("turn_") or inside(source.root, item.files[role]).is_file():
            yield role, source.path(item, role)
