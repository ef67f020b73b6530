"""Counts that reconcile per quota cell: planned + topped up = released + quarantined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from data_schemas.foundation.base import Record
from data_schemas.plan import QuotaCell
from data_schemas.tasks import Track
from flows.shards.job import ShardSummary


class CellCount(Record):
    """The books of one quota cell."""

    cell: QuotaCell
    quota: int
    planned: int
    topped_up: int
    released: int
    quarantined: int

    @property
    def balances(self) -> bool:
        return self.planned + self.topped_up == self.released + self.quarantined


class Books:
    """What was planned and what became of it, counted as it happens."""

    def __init__(self, quota: Sequence[tuple[QuotaCell, int]]) -> None:
        self.quota = tuple(quota)
        self._planned: Counter[QuotaCell] = Counter()
        self._topped_up: Counter[QuotaCell] = Counter()
        self._released: Counter[QuotaCell] = Counter()
        self._quarantined: Counter[QuotaCell] = Counter()

    def plan(self, cells: Iterable[QuotaCell], round: int) -> None:
        """Plans were made, in the first round (0) or as replacements."""
        (self._topped_up if round else self._planned).update(cells)

    def take_in(self, summary: ShardSummary) -> None:
        """A shard was finished."""
        for tally in summary.cells:
            self._released[tally.cell] += tally.released
            self._quarantined[tally.cell] += tally.quarantined

    def reject(self, cells: Iterable[QuotaCell]) -> None:
        """Items that had passed are rejected after all, by judges of texts (not made yet) or of the set."""
        for cell in cells:
            self._released[cell] -= 1
            self._quarantined[cell] += 1

    def made(self) -> tuple[int, int]:
        """How many items passed, and how many were rejected."""
        return self._released.total(), self._quarantined.total()

    def shortage(self) -> dict[QuotaCell, int]:
        """How many accepted items each cell still lacks; cells that are full are left out."""
        return {cell: count - self._released[cell] for cell, count in self.quota if self._released[cell] < count}

    def counts(self) -> tuple[CellCount, ...]:
        """The books of every cell.

        Raises:
            RuntimeError: a plan has no outcome or an outcome no plan: a defect of ours.
        """
        counts = tuple(
            CellCount(
                cell=cell,
                quota=wanted,
                planned=self._planned[cell],
                topped_up=self._topped_up[cell],
                released=self._released[cell],
                quarantined=self._quarantined[cell],
            )
            for cell, wanted in self.quota
        )
        wrong = [count.cell.key for count in counts if not count.balances]
        if wrong:
            raise RuntimeError(f"the books of {', '.join(wrong)} do not balance")
        return counts


def short_cells(counts: Iterable[CellCount]) -> Mapping[str, tuple[int, int]]:
    """Cells that are short: name -> (released, quota)."""
    return {count.cell.key: (count.released, count.quota) for count in counts if count.released < count.quota}


def summary_rows(counts: tuple[CellCount, ...]) -> list[tuple[object, ...]]:
    """Cells folded over turn counts: (track, task, language, split, planned, topped up, released, rejected)."""
    folded: dict[tuple[Track, str, str, str], list[int]] = {}
    for count in counts:
        key = (
            count.cell.task.track,
            count.cell.task.value,
            count.cell.language.value,
            count.cell.split.value,
        )
        sums = folded.setdefault(key, [0, 0, 0, 0])
        for position, value in enumerate((count.planned, count.topped_up, count.released, count.quarantined)):
            sums[position] += value
    return [(*key, *sums) for key, sums in folded.items()]
