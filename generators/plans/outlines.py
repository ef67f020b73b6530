"""Where outlines come from: the protocols, and outlines read off frozen scripts; see also `drawn`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, Self

from data_schemas.foundation.randomness import named_generator
from data_schemas.plan import Outline, Place, QuotaCell
from data_schemas.script import Script
from generators.plans.quotas import QuotaImpossible


class OutlineSource(Protocol):
    """Hands out outlines; never the same one twice over the life of the source."""

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        """``count`` new outlines for a cell, or none at all.

        Raises:
            QuotaImpossible: the source has too few left; it has kept them.
        """
        ...


class OutlineStock(OutlineSource, Protocol):
    """A source that can run out: it says what it has, and what nobody could use goes back."""

    def have_ready(self, cell: QuotaCell, count: int, round: int) -> str | None:
        """Get ``count`` outlines ready for a cell if that can be done.

        Returns:
            None, or the sentence that says why fewer than ``count`` are `waiting` now.
        """
        ...

    def waiting(self, place: Place) -> int:
        """How many outlines nobody has taken yet."""
        ...

    def give_back(self, outlines: Sequence[Outline]) -> None:
        """Put what was taken last, and could not be used, back where it was taken from; in the order of taking."""
        ...


class ScriptOutlines:
    """An `OutlineStock`: each frozen script at most once, over all splits and rounds.

    What is handed out is a pure function of (ids, seed, the requests so far). Held are ids alone: an outline is read
    off its script when it is taken.
    """

    def __init__(self, scripts: Iterable[Script], seed: int) -> None:
        held = {script.script_id: script for script in scripts}
        self._begin(held.__getitem__, seed)
        places = {name: script.outline() for name, script in held.items()}
        self.add({name: Place(one.task, one.language, one.turns) for name, one in places.items()})

    @classmethod
    def over(cls, read: Callable[[str], Script], places: Mapping[str, Place], seed: int) -> Self:
        """Outlines of scripts that ``read`` gets by their ids, e.g. from `generators.scripts.frozen.FrozenScripts`."""
        source = cls((), seed)
        source._begin(read, seed)
        source.add(places)
        return source

    def _begin(self, read: Callable[[str], Script], seed: int) -> None:
        self._read = read
        self._seed = seed
        self._waiting: dict[Place, list[str]] = {}
        self._held: Counter[Place] = Counter()

    def add(self, places: Mapping[str, Place]) -> None:
        """Put more scripts, by id, behind those that wait, shuffled among themselves."""
        new: dict[Place, list[str]] = {}
        for script_id, place in places.items():
            new.setdefault(place, []).append(script_id)
        for place, ids in new.items():
            ids.sort()
            named_generator(self._seed, place.key, "script-order").shuffle(ids)
            self._waiting.setdefault(place, []).extend(ids)
            self._held[place] += len(ids)

    def have_ready(self, cell: QuotaCell, count: int, round: int) -> str | None:
        del round  # a pack has what it has
        return None if self.waiting(cell.place) >= count else self._too_few(cell, count)

    def waiting(self, place: Place) -> int:
        return len(self._waiting.get(place, ()))

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        waiting = self._waiting.get(cell.place, [])
        if len(waiting) < count:
            raise QuotaImpossible(self._too_few(cell, count))
        taken = tuple(self._read(script_id).outline() for script_id in waiting[:count])
        del waiting[:count]
        return taken

    def give_back(self, outlines: Sequence[Outline]) -> None:
        returned: dict[Place, list[str]] = {}
        for one in outlines:
            assert one.script_id is not None, "an outline of another source"
            returned.setdefault(Place(one.task, one.language, one.turns), []).append(one.script_id)
        for place, ids in returned.items():
            self._waiting[place][:0] = ids

    def _too_few(self, cell: QuotaCell, count: int) -> str:
        return (
            f"quotas: {cell.key} needs {count} more scripts and the pack has {self.waiting(cell.place)} unused "
            f"(of {self._held[cell.place]} {cell.task} scripts in {cell.language} with {cell.turns} turns, "
            "shared by all splits); lower the count or add scripts to the pack"
        )
