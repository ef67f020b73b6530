"""What a layout is: pure functions from an item to paths and rows, and a reader for any root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from data_schemas.foundation.base import Record, RecordError
from data_schemas.item import Item
from data_schemas.tasks import Language, Split, Task, Track

_NAME_MAX_BYTES = 255  # NAME_MAX of ext4, XFS, APFS and NTFS


class FoundItem(Record):
    """One item read from a data set's directory, ours or not.

    ``files`` maps a role (``turn_1`` .., ``response_1`` .., ``user``, ``assistant``, ``clean``, ``sentence``)
    to a path relative to the root; the file may be missing, the judges say so.
    """

    id: str
    layout: str
    track: Track
    task: Task
    language: Language
    split: Split
    manifest: str | None  # relative path of the JSONL it came from
    line: int | None
    row: dict[str, object]  # the row as it stands in the file
    files: dict[str, str]


class Layout(Protocol):
    """A directory convention. Paths are relative to the release root, POSIX, ASCII."""

    @property
    def name(self) -> str: ...

    @property
    def track(self) -> Track: ...

    def item_id(self, item: Item) -> str:
        """The id the item carries in this layout."""
        ...

    def audio_files(self, item: Item) -> Mapping[str, str]:
        """Staged file name -> path in the release."""
        ...

    def text_files(self, item: Item) -> Mapping[str, str]:
        """Path in the release -> text content (side-car files)."""
        ...

    def manifest(self, item: Item) -> str:
        """Path of the JSONL that lists the item."""
        ...

    def row(self, item: Item) -> Record:
        """The item's row in that JSONL."""
        ...

    def recognises(self, root: Path) -> bool:
        """Whether ``root`` looks like this layout."""
        ...

    def read(self, root: Path, problems: list[RecordError] | None = None) -> Iterator[FoundItem]:
        """All items below ``root``, in manifest order.

        Lines that cannot be read are appended to ``problems`` and passed over.

        Raises:
            RecordError: for such a line when no list was given.
        """
        ...


def inside(root: Path, relative: str) -> Path:
    """Resolve a path that came from data; it must stay below ``root``.

    Raises:
        RecordError: for an absolute path, one that leaves the root, or one that no file can have.
    """
    base = root.resolve()
    try:
        target = (base / relative).resolve()
        too_long = any(len(part.encode("utf-8")) > _NAME_MAX_BYTES for part in target.parts)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a link to itself, before Python 3.13
        raise RecordError(f"path {relative!r} cannot be the name of a file: {error}") from error
    if too_long:
        raise RecordError(f"path {relative!r} holds a name longer than {_NAME_MAX_BYTES} bytes; shorten it")
    if Path(relative).is_absolute() or not target.is_relative_to(base):
        raise RecordError(f"path {relative!r} leaves {root}; paths in a data set are relative and stay inside it")
    return target
