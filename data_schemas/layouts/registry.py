"""All layouts by name, and which of them a directory uses."""

from __future__ import annotations

from pathlib import Path

from data_schemas.layouts.base import Layout
from data_schemas.layouts.track1_later import Track1Later
from data_schemas.layouts.track1_seed import Track1Seed
from data_schemas.layouts.track2 import Track2

LAYOUTS: tuple[Layout, ...] = (Track1Seed(), Track1Later(), Track2())


def layout(name: str) -> Layout:
    """The layout of that name.

    Raises:
        ValueError: naming the known ones.
    """
    for candidate in LAYOUTS:
        if candidate.name == name:
            return candidate
    raise ValueError(f"unknown layout {name!r}; known: {', '.join(known.name for known in LAYOUTS)}")


def detect_layouts(root: Path) -> tuple[Layout, ...]:
    """Layouts that find manifests or sub-task folders below ``root``; empty when none does."""
    return tuple(candidate for candidate in LAYOUTS if candidate.recognises(root))
