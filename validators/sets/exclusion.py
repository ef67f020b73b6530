"""What ``--exclude PATH`` names: a data set whose items must not come back, or a file of texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import detect_layouts
from validators.sets.dataset import read_items
from validators.sets.set_texts import ExcludedTexts, texts_of
from validators.text.exclusions import read_exclusions


@dataclass(frozen=True)
class Exclusion:
    """One excluded place. ``items`` is empty for files of texts; their audio lies below ``root``."""

    root: Path
    items: tuple[FoundItem, ...]
    texts: ExcludedTexts


def read_exclusion(path: Path) -> Exclusion:
    """Read a data set's directory in a known layout, a .jsonl, .json or .txt of texts, or a directory of those.

    Rows of a data set that cannot be read are passed over: it is not the one that is judged.

    Raises:
        RecordError: the path does not exist, or holds neither items nor texts.
    """
    layouts = detect_layouts(path) if path.is_dir() else ()
    items = tuple(entry for entry in read_items(path, layouts) if isinstance(entry, FoundItem))
    if items:
        texts = tuple((_place(path, found), found.language, texts_of(found, path)) for found in items)
        return Exclusion(path, items, ExcludedTexts(items=texts))
    try:
        lines = tuple(read_exclusions([path]))
    except RecordError as error:
        if layouts:
            raise RecordError(f"{path}: holds no item that can be read; name the data set's own root") from error
        raise
    return Exclusion(path, (), ExcludedTexts(lines=lines))


def excluded_texts(exclusions: Iterable[Exclusion]) -> ExcludedTexts:
    """The texts of several places together."""
    kept = tuple(exclusions)
    return ExcludedTexts(
        lines=tuple(line for one in kept for line in one.texts.lines),
        items=tuple(item for one in kept for item in one.texts.items),
    )


def _place(root: Path, found: FoundItem) -> str:
    return f"{found.id} of {root.name}" if found.line is None else f"{found.id} ({root.name}/{found.manifest})"
