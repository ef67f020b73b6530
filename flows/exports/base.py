"""What an exporter is, and the release it reads: items one by one, audio when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from pydantic import Field

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import Record, RecordError
from data_schemas.layouts.base import FoundItem, inside
from data_schemas.layouts.registry import detect_layouts
from data_schemas.tasks import Language, Split, Track

Progress = Callable[[int], None]


class ExportError(ValueError):
    """A release cannot be brought into a format. The text names the item and the way out."""


class ExportCount(Record):
    """What was written."""

    items: int
    #: rows, shards, recordings: whatever the format counts
    entries: int
    #: items passed over, by reason
    left_out: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class ReleaseSource:
    """A directory in one of our layouts, narrowed to what is to be exported. Holds no items in memory."""

    root: Path
    tracks: frozenset[Track]
    languages: frozenset[Language] = frozenset(Language)
    splits: frozenset[Split] = frozenset(Split)

    def items(self) -> Iterator[FoundItem]:
        """Items in manifest order, layout after layout.

        Raises:
            RecordError: a row cannot be read.
        """
        for layout in detect_layouts(self.root):
            if layout.track not in self.tracks:
                continue
            for item in layout.read(self.root):
                if item.language in self.languages and item.split in self.splits:
                    yield item

    def path(self, item: FoundItem, role: str) -> Path:
        """A file of an item (``turn_1`` .., ``user``, ``assistant``, ``clean``), checked to lie below the root.

        Raises:
            ExportError: the item has no such file, or it is missing.
        """
        relative = item.files.get(role)
        if relative is None:
            raise ExportError(f"{item.id}: the release has no {role} audio for it")
        path = inside(self.root, relative)
        if not path.is_file():
            raise ExportError(f"{item.id}: {relative} is missing; run humdial validate {self.root}")
        return path

    def samples(self, item: FoundItem, role: str) -> Samples:
        """Mono float32 samples ``[n]`` at 16 kHz.

        Raises:
            ExportError: the file is missing or no 16 kHz mono audio.
        """
        path = self.path(item, role)
        try:
            data, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise ExportError(f"{item.id}: {path} is no readable audio ({error}); run humdial validate") from error
        if rate != SAMPLE_RATE_HZ or data.shape[1] != 1:
            raise ExportError(f"{item.id}: {path} has {rate} Hz and {data.shape[1]} channels; exports read 16 kHz mono")
        samples: Samples = np.ascontiguousarray(data[:, 0])
        return samples


class Exporter(Protocol):
    """One format. Stateless; `write` streams: memory does not grow with the release."""

    @property
    def name(self) -> str:
        """What ``--to`` takes, e.g. ``easy-turn``."""
        ...

    @property
    def summary(self) -> str:
        """One line: who reads it, and what of a release goes in."""
        ...

    @property
    def tracks(self) -> frozenset[Track]:
        """The tracks it takes items from."""
        ...

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """Write the whole export below ``target``, an empty directory; deterministic for a release.

        ``advance(1)`` is called once per item read.

        Raises:
            ExportError: an item cannot be brought into the format.
        """
        ...


def row_of(item: FoundItem, name: str) -> object:
    """A field of the item's row.

    Raises:
        RecordError: the row lacks it (a release of somebody else's may).
    """
    if name not in item.row:
        where = f"{item.manifest}:{item.line}: " if item.manifest else ""
        raise RecordError(f"{where}{item.id} has no field {name!r}, which this export needs")
    return item.row[name]
