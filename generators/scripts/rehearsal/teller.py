"""What one script is told with: the wording of its language and the choices of its ordinal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from generators.scripts.rehearsal.frames import Filled, Spread
from generators.scripts.rehearsal.wording import Wording

T = TypeVar("T")

_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")


@dataclass(frozen=True)
class Teller:
    """The choices of one script: ``place`` and ``ordinal`` name them all."""

    wording: Wording
    spread: Spread
    place: str
    ordinal: int

    def fill(self, name: str, frames: Sequence[str], ordinal: int, without: Mapping[str, str] | None = None) -> Filled:
        """A frame of a pool that several places draw from, each with ordinals of its own.

        Args:
            without: words that are given already.
        """
        words = {slot: texts for slot, texts in self.wording.words.items() if slot not in (without or {})}
        return self.spread.fill(name, frames, words, ordinal)

    def say(self, name: str, frames: Sequence[str], ordinal: int | None = None, **given: str) -> str:
        """A frame filled with ``given`` and, for its other slots, with words.

        Without ``ordinal`` the choice is this place's own.
        """
        filled = (
            self.fill(f"{self.place}/{name}", frames, self.ordinal, given)
            if ordinal is None
            else self.fill(name, frames, ordinal, given)
        )
        return frames[filled.frame].format(**filled.words, **given)

    def one(self, name: str, entries: Sequence[T]) -> T:
        """One of the entries, evenly used in this place."""
        return self.spread.one(f"{self.place}/{name}", entries, self.ordinal)

    @staticmethod
    def sentence(text: str) -> str:
        """Sentences begin with a capital letter.

        >>> Teller.sentence("well, no. the bus came. 好的")
        'Well, no. The bus came. 好的'
        """
        return _SENTENCE_START.sub(lambda match: match[0].upper(), text).strip()
