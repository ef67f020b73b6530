"""Filling frames: which frame and which words an ordinal gets, evenly used and never the same twice for long.

All choices are functions of (seed, name of the choice, ordinal); ordinals may be negative.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cache
from string import Formatter
from typing import NamedTuple, TypeVar

T = TypeVar("T")

#: A step of this share of a circle fills it as evenly as can be (the golden section).
_GOLDEN = (math.sqrt(5) - 1) / 2


class Filled(NamedTuple):
    """A frame with its words."""

    #: number of the frame
    frame: int
    words: Mapping[str, str]


class Spread:
    """All choices of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def number(self, name: str, size: int, ordinal: int) -> int:
        """One of ``0 .. size - 1``: each once in every lap of ``size`` ordinals, each lap in another order."""
        lap, place = divmod(ordinal, size)
        return self._permuted(f"{name}/{lap}", size, place)

    def one(self, name: str, entries: Sequence[T], ordinal: int) -> T:
        """One of the entries, as `number`."""
        return entries[self.number(name, len(entries), ordinal)]

    def fill(self, name: str, frames: Sequence[str], words: Mapping[str, Sequence[str]], ordinal: int) -> Filled:
        """A frame and a word for each of its slots that ``words`` has.

        A frame comes back with the same words only after all combinations, and with the same first two only after
        all combinations of these.
        """
        lap, place = divmod(ordinal, len(frames))
        frame = self._permuted(f"{name}/{lap}", len(frames), place)
        slots = [slot for slot in slots_of(frames[frame]) if slot in words]
        number = self._permuted(f"{name}/words/{frame}", math.prod(len(words[slot]) for slot in slots), lap)
        chosen = {}
        for slot in slots:
            number, place = divmod(number, len(words[slot]))
            chosen[slot] = words[slot][place]
        return Filled(frame, chosen)

    def _permuted(self, name: str, size: int, place: int) -> int:
        """A seeded permutation of ``0 .. size - 1`` at ``place`` modulo ``size``: ``step * place + start``."""
        digest = hashlib.blake2b(f"{self._seed}\x1f{name}".encode(), digest_size=8).digest()
        start, turn = int.from_bytes(digest[:6], "big"), int.from_bytes(digest[6:], "big")
        step = max(1, round(_GOLDEN * size)) + turn % max(1, size // 8)
        while math.gcd(step, size) > 1:
            step += 1
        return (step * place + start) % size


@cache
def slots_of(frame: str) -> tuple[str, ...]:
    """The slots of a frame, each once, in the order they come in.

    >>> slots_of("{person} and {thing}, {person}")
    ('person', 'thing')
    """
    return tuple(dict.fromkeys(slot for _, slot, _, _ in Formatter().parse(frame) if slot is not None))
