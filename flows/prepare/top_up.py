"""Replacements for rejected items: as many as there are scripts, people and numbers for; nothing is used up in vain."""

from __future__ import annotations

from collections.abc import Sequence

from data_schemas.plan import DialoguePlan, Outline, QuotaCell
from data_schemas.speakers import Speaker
from generators.plans.outlines import OutlineStock
from generators.plans.planner import FirstIndex, choose_users, plan_items
from generators.plans.quotas import QuotaImpossible

Plans = tuple[DialoguePlan, ...]


def plan_top_up(
    cell: QuotaCell,
    count: int,
    source: OutlineStock,
    speakers: Sequence[Speaker],
    seed: int,
    round: int,
    first_index: FirstIndex,
) -> tuple[Plans, str | None]:
    """Plans for up to ``count`` items of one cell, and why there are fewer.

    A script that no user of the cell can speak is passed over. It goes back, for another split; so does every script
    for which people or numbers run out.

    Args:
        round: of the top-up, from 1.
        first_index: as in `plan_items`.

    Returns:
        The plans, and a sentence where they are fewer than ``count``.
    """
    short = source.have_ready(cell, count, round)
    taken: list[Outline] = []
    fitting: list[int] = []
    unfit: str | None = None
    while len(fitting) < count and (waiting := source.waiting(cell.place)):
        for outline in source.take(cell, min(waiting, count - len(fitting))):
            reason = _unfit(cell, outline, speakers, seed, round)
            if reason is None:
                fitting.append(len(taken))
            unfit = unfit or reason
            taken.append(outline)
    plans, failed = _plan_most(cell, [taken[place] for place in fitting], speakers, seed, round, first_index)
    planned = frozenset(fitting[: len(plans)])
    source.give_back([outline for place, outline in enumerate(taken) if place not in planned])
    if len(plans) == count:
        return plans, None
    return plans, "; ".join(dict.fromkeys(reason for reason in (failed, unfit, short) if reason))


def _unfit(cell: QuotaCell, outline: Outline, speakers: Sequence[Speaker], seed: int, round: int) -> str | None:
    """Why nobody of the cell can speak an outline."""
    try:
        choose_users(cell, (outline,), speakers, seed, round)
    except QuotaImpossible as error:
        return str(error)
    return None


def _plan_most(
    cell: QuotaCell,
    outlines: Sequence[Outline],
    speakers: Sequence[Speaker],
    seed: int,
    round: int,
    first_index: FirstIndex,
) -> tuple[Plans, str | None]:
    """The longest beginning of ``outlines`` that can be planned, and what stands against one more."""
    best: Plans = ()
    reason: str | None = None
    possible, impossible = 0, len(outlines) + 1
    count = len(outlines)
    while possible < count < impossible:  # all of them, else by halving
        try:
            best = plan_items(((cell, count),), _Given(outlines), speakers, seed, round=round, first_index=first_index)
            possible = count
        except QuotaImpossible as error:
            reason, impossible = str(error), count
        count = (possible + impossible) // 2
    return best, reason


class _Given:
    """An `OutlineSource` of outlines that were taken already."""

    def __init__(self, outlines: Sequence[Outline]) -> None:
        self._outlines = tuple(outlines)

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        del cell
        return self._outlines[:count]
