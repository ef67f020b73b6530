"""Track 1, later numbering (FORMATS.md A.1, A.3): ``HD-Track1/HD-Track1-train/HD-Track1-train-zh/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from data_schemas.layouts.track1 import Track1Layout
from data_schemas.tasks import Language, Split, Task

TOP = "HD-Track1"


class Track1Later(Track1Layout):
    """The web site's numbering: trajectory 1, reasoning 2, empathy 3, recognition 4."""

    name = "track1-later"
    digits: ClassVar[Mapping[Task, int]] = {Task.TRAJECTORY: 1, Task.REASONING: 2, Task.EMPATHY: 3, Task.RECOGNITION: 4}

    def home(self, split: Split, language: Language) -> str:
        return f"{TOP}/{TOP}-{split}/{TOP}-{split}-{language}"

    def homes(self, root: Path) -> Iterator[tuple[Split, Language, Path]]:
        """With or without the ``HD-Track1/`` directory above."""
        base = root / TOP if (root / TOP).is_dir() else root
        for split in Split:
            for language in Language:
                directory = base / f"{TOP}-{split}" / f"{TOP}-{split}-{language}"
                if directory.is_dir():
                    yield split, language, directory
