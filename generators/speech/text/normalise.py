"""Text as it is spoken: numbers, dates, money, units and abbreviations in words, tags and emoji gone.

One result per (text, language), whatever the engine: engines receive words, punctuation and
spelled initialisms ("F B I"), never a digit.
"""

from __future__ import annotations

import re
import unicodedata

from data_schemas.tags import strip_tags
from data_schemas.tasks import Language
from generators.speech.text.normalise_en import normalise_en
from generators.speech.text.normalise_zh import normalise_zh

#: Digit emoji (digit, optional variation selector, combining keycap) are pictures, not numbers.
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
#: Categories that are never spoken: symbols that are pictures (So), modifiers of them (Sk), controls,
#: format characters, surrogates, private use, unassigned, and numbers (No) that have no plain digits.
_UNSPOKEN_CATEGORIES = frozenset({"So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "No"})
_EMOJI_GLUE = re.compile("[\u200d\ufe00-\ufe0f\u20e3]")


def normalise(text: str, language: Language) -> str:
    """The words to speak, without digits, tags, emoji or line breaks; empty if nothing is left.

    >>> normalise("我2点到,花了￥200 [sigh]", Language.ZH)
    '我两点到，花了两百元'
    >>> normalise("Dr. Lee paid $45 on August 15th.", Language.EN)
    'Doctor Lee paid forty-five dollars on August fifteenth.'
    """
    text = _KEYCAP.sub(" ", strip_tags(text))
    text = _decimal_digits(" ".join(text.split()))
    spoken = normalise_zh(text) if language == Language.ZH else normalise_en(text)
    return _drop_unspoken(spoken)


def _decimal_digits(text: str) -> str:
    """Digits of every script (full-width, Arabic-Indic, circled, fractions) in ASCII."""
    return "".join(_ascii_digit(char) for char in text)


def _ascii_digit(char: str) -> str:
    if char.isascii() or char in "²³":  # m² and m³ are read as units
        return char
    if char.isdigit():
        return str(unicodedata.digit(char))
    if unicodedata.category(char) == "No":  # ½ -> 1/2, ㊿ -> 50
        plain = unicodedata.normalize("NFKC", char).replace("\u2044", "/")
        return f" {plain}" if "/" in plain else plain
    return char


def _drop_unspoken(text: str) -> str:
    kept = "".join(" " if unicodedata.category(char) in _UNSPOKEN_CATEGORIES else char for char in text)
    kept = _EMOJI_GLUE.sub("", kept)
    kept = re.sub(r"\s+", " ", kept).strip()
    kept = re.sub(r"(?<=[\u4e00-\u9fff，。！？；：、…]) (?=[\u4e00-\u9fff，。！？；：、…])", "", kept)
    return kept if any(char.isalpha() for char in kept) else ""
