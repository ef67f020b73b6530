"""Walks: even use of a list, and exact shares, as pure functions of an item's ordinal.

A walk goes through all entries in a seeded order, then through all of them again in another one. The
n-th step is computed directly, so no item depends on another having been drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from data_schemas.foundation.randomness import named_generator

T = TypeVar("T")

BLOCK = 20  # items within which a share is met to the nearest item


class Portion(NamedTuple):
    """Whether an item belongs to a share, and how many earlier items were on the same side."""

    inside: bool
    rank: int


class Walks:
    """All walks of one seed; each is known by its name.

    The latest order of each walk is kept, for speed alone: what is returned depends on nothing but the arguments.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._latest: dict[str, tuple[int, int, list[int]]] = {}

    def step(self, entries: Sequence[T], walk: str, ordinal: int) -> T:
        """The entry at ``ordinal`` (from 0); each lap of ``len(entries)`` ordinals has every entry once."""
        lap, place = divmod(ordinal, len(entries))
        return entries[self._order(walk, lap, len(entries))[place]]

    def portion(self, share: float, walk: str, ordinal: int) -> Portion:
        """Spread ``share`` (0 to 1) of all items at random; after each ``BLOCK`` the count is exact but for one."""
        block, place = divmod(ordinal, BLOCK)
        before, after = (_items_inside(number, share) for number in (block, block + 1))
        chosen = self._order(walk, block, BLOCK)[: after - before]
        rank = before + sum(one < place for one in chosen)
        return Portion(True, rank) if place in chosen else Portion(False, ordinal - rank)

    def _order(self, walk: str, lap: int, size: int) -> list[int]:
        latest = self._latest.get(walk)
        if latest is None or latest[:2] != (lap, size):
            order = named_generator(self._seed, f"{walk}/{lap}", "walk").permutation(size).tolist()
            self._latest[walk] = latest = (lap, size, order)
        return latest[2]


def _items_inside(blocks: int, share: float) -> int:
    return math.floor(blocks * BLOCK * share + 1e-9)  # 1e-9: 0.15 * 20 is 2.999... in floating point
