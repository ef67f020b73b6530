"""Where outlines come from: the protocol, and outlines read off frozen scripts; see also `drawn`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from data_schemas.foundation.randomness import named_generator
from data_schemas.plan import Outline, Place, QuotaCell
from data_schemas.script import Script
from generators.plans.quotas import QuotaImpossible


class OutlineSource(Protocol):
    """Hands out outlines; never the same one twice over the life of the source."""

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        """``count`` new outlines for a cell.

        Raises:
            QuotaImpossible: the source has too few left.
        """
        ...


class ScriptOutlines:
    """Each frozen script at most once, over all splits and rounds.

    What is handed out is a pure function of (scripts, seed, the requests so far).
    """

    def __init__(self, scripts: Sequence[Script], seed: int) -> None:
        self._seed = seed
        self._waiting: dict[Place, list[Outline]] = {}
        self._held: Counter[Place] = Counter()
        self.add(scripts)

    def add(self, scripts: Sequence[Script]) -> None:
        """Put more scripts behind those that wait, shuffled among themselves."""
        new: dict[Place, list[Outline]] = {}
        for script in scripts:
            outline = script.outline()
            new.setdefault(Place(outline.task, outline.language, outline.turns), []).append(outline)
        for place, outlines in new.items():
            outlines.sort(key=lambda outline: outline.script_id or "")
            named_generator(self._seed, place.key, "script-order").shuffle(outlines)
            self._waiting.setdefault(place, []).extend(outlines)
            self._held[place] += len(outlines)

    def waiting(self, place: Place) -> int:
        """How many outlines nobody has taken yet."""
        return len(self._waiting.get(place, ()))

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        place = cell.place
        waiting = self._waiting.get(place, [])
        if len(waiting) < count:
            raise QuotaImpossible(
                f"quotas: {cell.key} needs {count} more scripts and the pack has {len(waiting)} unused "
                f"(of {self._held[place]} {cell.task} scripts in {cell.language} with {cell.turns} turns, "
                "shared by all splits); lower the count or add scripts to the pack"
            )
        taken = tuple(waiting[:count])
        del waiting[:count]
        return taken
