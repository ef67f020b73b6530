"""The texts of a script, each with the name of its field, and what is left of a text when it is compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from data_schemas.script import Script
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Part, Role

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_UNITS = {
    # a Han character, or a run of Latin letters and digits inside Chinese
    Language.ZH: re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[a-z0-9]+"),
    Language.EN: re.compile(r"[^\W_]+(?:'[^\W_]+)*"),
}


class Field(NamedTuple):
    """One text that people hear or read as speech."""

    #: "turn 2 text", "turn 2 response_text", "line 3 (interruption)"
    name: str
    text: str
    role: Role
    #: False for the replies of Track 1, which nobody speaks in training data
    spoken: bool
    part: Part | None = None


def fields(script: Script) -> Iterator[Field]:
    """Every text of a script in speaking order."""
    for number, turn in enumerate(script.turns, start=1):
        yield Field(f"turn {number} text", turn.text, Role.USER, True)
        yield Field(f"turn {number} response_text", turn.response_text, Role.ASSISTANT, False)
    for number, line in enumerate(script.lines, start=1):
        yield Field(f"line {number} ({line.part})", line.text, line.role, True, line.part)


def units(text: str, language: Language) -> tuple[str, ...]:
    """Chinese characters or English words, without tags, punctuation, case and width.

    >>> units("好[sigh]，OK！", Language.ZH)
    ('好', 'ok')
    >>> units("I don’t, he said.", Language.EN)
    ('i', "don't", 'he', 'said')
    """
    plain = unicodedata.normalize("NFKC", strip_tags(text)).casefold().replace("’", "'")
    return tuple(_UNITS[language].findall(plain))


def language_of(text: str) -> Language:
    """Chinese when it holds a Han character; for texts that come without a language."""
    return Language.ZH if HAN.search(text) else Language.EN


def joined(found: tuple[str, ...], language: Language) -> str:
    """Units as people read them."""
    return ("" if language is Language.ZH else " ").join(found)
