"""Track 1, seed numbering (FORMATS.md A.1, A.2): ``track1/train/zh/task2_3/`` + ``task2_3.jsonl``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from data_schemas.layouts.track1 import Track1Layout
from data_schemas.tasks import Language, Split, Task

TOP = "track1"


class Track1Seed(Track1Layout):
    """The early README's numbering: recognition 1, trajectory 2, reasoning 3, empathy 4."""

    name = "track1-seed"
    digits: ClassVar[Mapping[Task, int]] = {Task.RECOGNITION: 1, Task.TRAJECTORY: 2, Task.REASONING: 3, Task.EMPATHY: 4}

    def home(self, split: Split, language: Language) -> str:
        return f"{TOP}/{split}/{language}"

    def homes(self, root: Path) -> Iterator[tuple[Split, Language, Path]]:
        """With or without the ``track1/`` directory above."""
        base = root / TOP if (root / TOP).is_dir() else root
        for split in Split:
            for language in Language:
                directory = base / split / language
                if directory.is_dir():
                    yield split, language, directory
