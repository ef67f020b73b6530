"""Phonemes of the alphabet Kokoro v1.0 was trained on, for English and for Mandarin with Latin words in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from generators.speech.engine import EngineError
from generators.speech.letters import letter_names

#: Latin words inside Mandarin text, spelled runs ("K T V") as one.
_LATIN = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:\s+[A-Za-z][A-Za-z'’-]*)*")
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003134f]")
#: 〇 and the repeat marks are written like characters and are in no pinyin table.
_HAN_VARIANTS = str.maketrans({"〇": "零", "○": "零"})

Phonemise = Callable[[str], str]


def english_phonemes(text: str, phonemise: Phonemise) -> str:
    """IPA of English text through an espeak-ng phonemiser.

    Raises:
        EngineError: nothing in the text can be spoken.
    """
    phonemes = phonemise(letter_names(text)).strip()
    if not any(char.isalpha() for char in phonemes):
        raise EngineError(f"nothing in {text!r} can be spoken as English; write words")
    return phonemes


def mandarin_phonemes(text: str, pinyin: Phonemise, latin: Phonemise) -> str:
    """IPA with tone arrows of Mandarin text; Latin words go through the English phonemiser.

    ``pinyin`` is ``misaki.zh.ZHG2P`` in its v1.0 form, which passes Latin letters through, where the
    model would take capitals for English diphthongs: so it is given none.

    Raises:
        EngineError: a character without a reading, named, or nothing to speak.
    """
    text = text.translate(_HAN_VARIANTS)
    parts: list[str] = []
    cursor = 0
    for match in _LATIN.finditer(text):
        parts.append(_pinyin_part(text[cursor : match.start()], pinyin))
        parts.append(english_phonemes(match[0], latin))
        cursor = match.end()
    parts.append(_pinyin_part(text[cursor:], pinyin))
    phonemes = _join(parts)
    if not any(char.isalpha() for char in phonemes):
        raise EngineError(f"nothing in {text!r} can be spoken as Mandarin; write words")
    return phonemes


def _pinyin_part(text: str, pinyin: Phonemise) -> str:
    if not text.strip():
        return ""
    phonemes = pinyin(text.strip())
    unread = sorted(set(_HAN.findall(phonemes)))
    if unread:
        raise EngineError(f"no Mandarin reading is known for {' '.join(unread)} in {text!r}; replace the character")
    return phonemes


def _join(parts: Iterable[str]) -> str:
    """One blank between parts, none before punctuation."""
    return re.sub(r"\s+([,.;:!?…])", r"\1", " ".join(part for part in parts if part)).strip()
