"""Counts that reconcile per quota cell: planned + topped up = released + quarantined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from data_schemas.foundation.base import Record
from data_schemas.plan import DialoguePlan, QuotaCell
from flows.shards.ledger import ItemOutcome


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


def shortage(quota: Sequence[tuple[QuotaCell, int]], outcomes: Iterable[ItemOutcome]) -> dict[QuotaCell, int]:
    """How many accepted items each cell still lacks; cells that are full are left out."""
    accepted = Counter(outcome.cell for outcome in outcomes if outcome.accepted)
    return {cell: count - accepted[cell] for cell, count in quota if accepted[cell] < count}


def count_cells(
    quota: Sequence[tuple[QuotaCell, int]],
    plans: Iterable[DialoguePlan],
    outcomes: Iterable[ItemOutcome],
) -> tuple[CellCount, ...]:
    """The books of every cell.

    Raises:
        RuntimeError: a plan has no outcome or an outcome no plan: a defect of ours.
    """
    first: Counter[QuotaCell] = Counter()
    more: Counter[QuotaCell] = Counter()
    for plan in plans:
        (more if plan.round else first)[plan.cell] += 1
    released: Counter[QuotaCell] = Counter()
    quarantined: Counter[QuotaCell] = Counter()
    for outcome in outcomes:
        (released if outcome.accepted else quarantined)[outcome.cell] += 1
    counts = tuple(
        CellCount(
            cell=cell,
            quota=wanted,
            planned=first[cell],
            topped_up=more[cell],
            released=released[cell],
            quarantined=quarantined[cell],
        )
        for cell, wanted in quota
    )
    wrong = [count.cell.key for count in counts if not count.balances]
    if wrong:
        raise RuntimeError(f"the books of {', '.join(wrong)} do not balance")
    return counts
