"""The plan book: what a build is to make, a line per item, on disk; memory holds where each line begins."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from flows.shards.job import PlannedItem

#: in the work directory
PLAN_BOOK = "plans.jsonl"


class PlanBook:
    """Items in the order they were planned. Begun anew by every run: plans are a pure function of what they are from.

    Not safe to use from several threads.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = path.open("w+b")
        self._starts = array("Q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, item: PlannedItem) -> None:
        line = (item.to_json_line() + "\n").encode()
        self._file.seek(self._end)
        self._file.write(line)
        self._starts.append(self._end)
        self._end += len(line)

    def read(self, start: int, stop: int) -> tuple[PlannedItem, ...]:
        """The items from ``start`` up to ``stop``, which may lie behind the last."""
        places = self._starts[start:stop]
        if not places:
            return ()
        self._file.seek(places[0])
        return tuple(PlannedItem.from_json_line(self._file.readline().decode()) for _ in places)

    def groups(self, start: int, size: int) -> Iterator[tuple[PlannedItem, ...]]:
        """Consecutive groups of at most ``size`` items from ``start`` on."""
        for place in range(start, len(self), size):
            yield self.read(place, place + size)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
