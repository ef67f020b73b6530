"""What the two Track 1 numberings share; each numbering is a small subclass in a module of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from data_schemas.foundation.base import Record, RecordError
from data_schemas.item import Item
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.rows import read_rows
from data_schemas.layouts.track1_rows import (
    audio_roles,
    dialogue_id,
    folder_name,
    parse_folder,
    track1_audio,
    track1_row,
)
from data_schemas.tasks import Language, Split, Task, Track


class Track1Layout(ABC):
    """Folders of one (split, language) hold manifests ``taskK[_n].jsonl`` beside folders of the same name."""

    name: ClassVar[str]
    track: ClassVar[Track] = Track.EMOTION
    digits: ClassVar[Mapping[Task, int]]

    @abstractmethod
    def home(self, split: Split, language: Language) -> str:
        """Release path of the directory that holds the manifests of a split and language."""

    @abstractmethod
    def homes(self, root: Path) -> Iterator[tuple[Split, Language, Path]]:
        """Existing directories with manifests below any root of this layout."""

    def folder(self, item: Item) -> str:
        """Name of the audio folder: turn counts are mixed in dev and for single-turn items."""
        cell = item.plan.cell
        mixed = cell.split is Split.DEV or cell.task is Task.RECOGNITION
        return folder_name(self.digits[cell.task], cell.turns, mixed)

    def item_id(self, item: Item) -> str:
        return dialogue_id(item, self.digits[item.plan.task])

    def audio_files(self, item: Item) -> Mapping[str, str]:
        directory = f"{self.home(item.plan.cell.split, item.plan.language)}/{self.folder(item)}"
        return track1_audio(item, self.item_id(item), directory)

    def text_files(self, item: Item) -> Mapping[str, str]:
        del item
        return {}

    def manifest(self, item: Item) -> str:
        return f"{self.home(item.plan.cell.split, item.plan.language)}/{self.folder(item)}.jsonl"

    def row(self, item: Item) -> Record:
        return track1_row(item, self.item_id(item), self.folder(item))

    def recognises(self, root: Path) -> bool:
        return any(True for _ in self._manifests(root))

    def read(self, root: Path, problems: list[RecordError] | None = None) -> Iterator[FoundItem]:
        for split, language, manifest, task in self._manifests(root):
            relative = manifest.relative_to(root).as_posix()
            parent = "" if manifest.parent == root else manifest.parent.relative_to(root).as_posix()
            for line, row in read_rows(manifest, problems):
                yield FoundItem(
                    id=str(row.get("dialogue_id", f"{relative}:{line}")),
                    layout=self.name,
                    track=self.track,
                    task=task,
                    language=language,
                    split=split,
                    manifest=relative,
                    line=line,
                    row=row,
                    files=audio_roles(row, parent),
                )

    def _manifests(self, root: Path) -> Iterator[tuple[Split, Language, Path, Task]]:
        task_of_digit = {digit: task for task, digit in self.digits.items()}
        for split, language, home in self.homes(root):
            for manifest in sorted(home.glob("task*.jsonl")):
                task = parse_folder(manifest.stem, task_of_digit)
                if task is not None:
                    yield split, language, manifest, task
