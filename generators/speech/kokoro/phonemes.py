"""Phonemes of the alphabet Kokoro v1.0 was trained on, for English and for Mandarin with Latin words in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from generators.speech.engine import EngineError
from generators.speech.text.letters import letter_names

#: Latin words inside Mandarin text, spelled runs ("K T V") as one.
_LATIN = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:\s+[A-Za-z][A-Za-z'’-]*)*")
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003134f]")
#: 〇 and the repeat marks are written like characters and are in no pinyin table.
_HAN_VARIANTS = str.maketrans({"〇": "零", "○": "零"})

#: English p, t, k before a vowel; after s they are not aspirated.
_PLAIN_STOP = re.compile(r"(?<!s)([ptk])(?=[ˈˌ]?[aeiouɑɐɒæɔəɛɜɪʊʌ])")

Phonemise = Callable[[str], str]
#: Part of every store key: raise it when this module changes what the model is given.
PHONEMES_VERSION = "1"


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
        parts.append(aspirated(english_phonemes(match[0], latin)))
        cursor = match.end()
    parts.append(_pinyin_part(text[cursor:], pinyin))
    phonemes = _join(parts)
    if not any(char.isalpha() for char in phonemes):
        raise EngineError(f"nothing in {text!r} can be spoken as Mandarin; write words")
    return phonemes


def aspirated(phonemes: str) -> str:
    """English phonemes with p, t, k as a Mandarin voice knows them.

    Mandarin opposes [pʰ] and [p] where English opposes p and b, so a plain p of English phonemes
    is spoken, and heard, as b: "PPT" came out as "BBD" in 4 of 4 voices, with aspiration in none.

    >>> aspirated("pˈiː pˈiː stˈɪl")
    'pʰˈiː pʰˈiː stˈɪl'
    """
    return _PLAIN_STOP.sub(r"\1ʰ", phonemes)


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
