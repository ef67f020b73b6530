"""Quota specifications and their expansion into cells with exact counts."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from data_schemas.foundation.base import Record
from data_schemas.plan import QuotaCell
from data_schemas.script import DUPLEX_TURNS
from data_schemas.tasks import TURNS_OF_TASK, Language, Split, Task

#: Splits in which the challenge's layouts have a folder for a task (FORMATS.md A.2); others have both.
SPLITS_OF_TASK: dict[Task, frozenset[Split]] = {
    Task.RECOGNITION: frozenset({Split.TRAIN}),
    Task.EMPATHY: frozenset({Split.DEV}),
}


class QuotaImpossible(ValueError):
    """A quota that cannot be met. The text names the cell, the numbers and the way out."""


class QuotaSpec(Record):
    """``count`` items for every combination of language, split and number of turns."""

    task: Task
    languages: tuple[Language, ...] = Field(min_length=1)
    splits: tuple[Split, ...] = Field(min_length=1)
    turns: tuple[int, ...] = Field(default=(DUPLEX_TURNS,), min_length=1)
    count: int = Field(ge=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("languages", "splits", "turns"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: a value stands twice")
        allowed_turns = TURNS_OF_TASK.get(self.task, (DUPLEX_TURNS,))
        for turns in self.turns:
            if turns not in allowed_turns:
                choices = ", ".join(str(number) for number in allowed_turns)
                raise ValueError(f"turns: {self.task} cannot have {turns} turns; possible: {choices}")
        allowed_splits = SPLITS_OF_TASK.get(self.task, frozenset(Split))
        for split in self.splits:
            if split not in allowed_splits:
                choices = ", ".join(sorted(allowed_splits))
                raise ValueError(f"splits: the layouts have no {split} folder for {self.task}; possible: {choices}")
        return self


def expand(specs: tuple[QuotaSpec, ...]) -> tuple[tuple[QuotaCell, int], ...]:
    """Cells with their counts, in the order of the specifications.

    Raises:
        QuotaImpossible: two specifications ask for the same cell.
    """
    counts: dict[QuotaCell, int] = {}
    for position, spec in enumerate(specs):
        for split in spec.splits:
            for language in spec.languages:
                for turns in spec.turns:
                    cell = QuotaCell(task=spec.task, language=language, turns=turns, split=split)
                    if cell in counts:
                        raise QuotaImpossible(
                            f"quotas.{position}: {cell.key} is asked for twice; merge the two entries"
                        )
                    counts[cell] = spec.count
    return tuple(counts.items())
