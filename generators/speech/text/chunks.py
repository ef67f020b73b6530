"""Long texts in pieces that an engine speaks without skipping or repeating words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import accumulate

from data_schemas.tasks import Language
from generators.speech.engine import EngineError

#: COSYVOICE.md "What goes wrong at scale": about 100 characters a call.
MAX_CHARACTERS = 100
#: ``<|...|>`` is a command to the model; in a text it turns splitting and normalisation off.
_COMMAND = re.compile(r"<\|.*?\|>", re.DOTALL)
_HAN = "\u3400-\u9fff\U00020000-\U0003134f"
_CLOSING = r",.;:!?，。！？；：、…—”’」』）)\]"
#: What is never cut: a marked stretch, a tag, spelled letters, a word; any other character (Mandarin) stands alone.
#: Opening quotes go with what follows, and punctuation, closing quotes and white space with what precedes.
_ATOM = re.compile(
    rf"""[“‘「『（("]*(?:
        <(?P<mark>[a-z]+)>.*?</(?P=mark)> | </?[a-z]+> | \[[^\[\]]*\]
        | [A-Z](?:\ [A-Z](?![a-z]))+(?:'s)? | (?:(?![{_HAN}])[\w'’\-])+ | \S
    )(?:"|\s*[{_CLOSING}])*\s*""",
    re.DOTALL | re.VERBOSE,
)
_CLOSED = r"[”’」』）)\"]*\s*$"
_SENTENCE_END = re.compile(r"[.!?。！？…]" + _CLOSED)
_PHRASE_END: Mapping[Language, re.Pattern[str]] = {
    Language.ZH: re.compile(r"[,;:，；：、—]" + _CLOSED),
    Language.EN: re.compile(r"(?:[,;:，；：—]| -+)" + _CLOSED),
}
#: A cut leaves at least this share of an even piece before it, so that no stump is spoken alone (CHOICE).
_LEAST_SHARE = 0.4


def chunks(text: str, language: Language, limit: int = MAX_CHARACTERS) -> tuple[str, ...]:
    """``text`` in pieces of at most ``limit`` characters, in order; white space at the cuts is dropped.

    Pieces are about even. A cut is at a sentence end, where there is none at a phrase end, else between words
    (Mandarin: characters); never inside a tag or a word, so that a word longer than ``limit`` is a piece of its own.

    >>> chunks("今天下雨。我没带伞，只好等着。", Language.ZH, limit=8)
    ('今天下雨。', '我没带伞，', '只好等着。')

    Raises:
        EngineError: the text holds ``<|...|>``, which the model takes for a command.
        ValueError: ``limit`` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; at least one character must fit")
    command = _COMMAND.search(text)
    if command:
        raise EngineError(f"{command[0]} in {text!r} is a command to the model; take it out of the script")
    rest = text.strip()
    pieces: list[str] = []
    while len(rest) > limit:
        cut = _cut(rest, language, limit)
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return tuple([*pieces, rest] if rest else pieces)


def _cut(text: str, language: Language, limit: int) -> int:
    """Where the first piece of a text longer than ``limit`` ends."""
    atoms = [match[0] for match in _ATOM.finditer(text)]
    ends = list(accumulate(len(atom) for atom in atoms))
    fitting = [(end, atom) for end, atom in zip(ends, atoms, strict=True) if len(text[:end].rstrip()) <= limit]
    if not fitting:
        return ends[0]
    even = len(text) / math.ceil(len(text) / limit)
    late = [(end, atom) for end, atom in fitting if end >= _LEAST_SHARE * even]
    for mark in (_SENTENCE_END, _PHRASE_END[language]):
        marked = [end for end, atom in late if mark.search(atom)]
        if marked:
            return _nearest(marked, even)
    return _nearest((end for end, _ in fitting), even)


def _nearest(ends: Iterable[int], wanted: float) -> int:
    return min(ends, key=lambda end: abs(end - wanted))
