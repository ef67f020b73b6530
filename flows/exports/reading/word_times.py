"""Times of words: the engine's own where the row has them, else shared out; and which of both an export holds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from data_schemas.foundation.base import Record
from data_schemas.tasks import Language
from flows.exports.writing.common import Span, Word, proportional_words, words_of

ENGINE, PROPORTIONAL, MIXED = "engine", "proportional", "mixed"


class WordMark(Record):
    """A word of a row and its seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    text: str = Field(min_length=1)
    start: float = Field(ge=0)
    stop: float


def _ascending(words: tuple[WordMark, ...]) -> tuple[WordMark, ...]:
    for word in words:
        if not word.start < word.stop:
            raise ValueError(f"the word {word.text!r} at {word.start} s ends at {word.stop} s")
    for one, other in itertools.pairwise(words):
        if other.start < one.stop:
            raise ValueError(f"the word {other.text!r} at {other.start} s begins before {one.text!r} ends")
    return words


#: As it stands in a row; None where nobody knows.
WordMarks = Annotated[tuple[WordMark, ...], AfterValidator(_ascending)] | None


def check_words(words: Sequence[WordMark] | None, span: Span) -> None:
    """That words lie inside the speech they belong to.

    Raises:
        ValueError: one does not; it is named.
    """
    for word in words or ():
        if not span.start <= word.start < word.stop <= span.stop:
            raise ValueError(f"the word {word.text!r} {word.start}..{word.stop} s is not inside its segment")


def words_in(text: str, span: Span, pauses: Sequence[Span], marks: Sequence[WordMark] | None) -> tuple[Word, ...]:
    """The words of a stretch of speech, ascending: with the times of ``marks``, without any with proportional ones.

    With marks, words are written as in ``text`` where they are the same ("opera," for "opera"); where the text
    has "2" and two was said, all are written as they were spoken.
    """
    if marks is None:
        return proportional_words(text, span, pauses)
    written = words_of(text)
    if [_bare(word) for word in written] != [_bare(mark.text) for mark in marks]:
        written = tuple(mark.text for mark in marks)
    return tuple(Word(word, mark.start, mark.stop) for word, mark in zip(written, marks, strict=True))


def _bare(word: str) -> str:
    return "".join(sign for sign in word.casefold() if sign.isalnum())


class WordTimesNote:
    """Which kind of word times each language got, for formats whose files cannot say it word by word."""

    def __init__(self) -> None:
        self._kinds: dict[Language, set[str]] = {}

    def add(self, language: Language, measured: bool) -> None:
        self._kinds.setdefault(language, set()).add(ENGINE if measured else PROPORTIONAL)

    def told(self) -> dict[str, str]:
        """``engine``, ``proportional`` or ``mixed`` by language."""
        return {
            language.value: MIXED if len(kinds) > 1 else next(iter(kinds))
            for language, kinds in sorted(self._kinds.items())
        }
