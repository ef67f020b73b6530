"""Placing items on disk in a layout: audio by hard link or copy, side-cars, manifests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from data_schemas.item import Item
from data_schemas.layouts.base import Layout, inside


def write_items(root: Path, layout: Layout, items: Iterable[tuple[Item, Path]]) -> list[Path]:
    """Write items whose staged audio lies in the directory given with each; rows are sorted by id.

    Returns:
        The manifests that were written.

    Raises:
        FileExistsError: something is already where a file belongs; nothing is overwritten.
    """
    rows: dict[str, dict[str, str]] = {}
    for item, staged in items:
        for source, relative in layout.audio_files(item).items():
            _place(staged / source, inside(root, relative))
        for relative, text in layout.text_files(item).items():
            _write_new(inside(root, relative), text)
        identity = layout.item_id(item)
        lines = rows.setdefault(layout.manifest(item), {})
        if identity in lines:
            raise FileExistsError(f"{root / layout.manifest(item)}: id {identity} stands twice")
        lines[identity] = layout.row(item).to_json_line() + "\n"
    manifests = []
    for relative, lines in sorted(rows.items()):
        manifest = inside(root, relative)
        _write_new(manifest, "".join(lines[identity] for identity in sorted(lines)))
        manifests.append(manifest)
    return manifests


def _place(source: Path, target: Path) -> None:
    if target.exists():
        raise FileExistsError(f"{target} already exists; nothing is overwritten")
    link_or_copy(source, target)


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file, or a copy on another file system and on one without hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as handle:
        handle.write(text)
