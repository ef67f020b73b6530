"""Whether texts are in their language: Chinese mainly simplified Han characters, English without any."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from data_schemas.script import Script
from data_schemas.tasks import Language
from validators.text.problem import Problem
from validators.text.texts import HAN, fields, units

_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
#: letters of neither Chinese nor a European language in Latin script
_FOREIGN = re.compile(r"[\u0370-\u1dff\u3040-\u30ff\u3130-\u318f\uac00-\ud7af]")
_LATIN_SENTENCE = re.compile(r"(?:[A-Za-z']{2,}[ ,]+){3}[A-Za-z']{2,}")
_LATIN_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
#: A Chinese line is mainly Chinese: share of Han characters among these and Latin words (brands, "APP").
_MIN_HAN_SHARE = 0.7
#: Characters of Big5 that GB 2312 lacks are traditional forms or rare names; more than this many and this share.
_MAX_TRADITIONAL, _MAX_TRADITIONAL_SHARE = 2, 0.08
#: English is told from another language in Latin letters by the share of its commonest words in all texts of a
#: script (shipped scripts: 0.25 at the least; Spanish, French and Pinyin: under 0.1).
_COMMON_WORDS = (
    "the an and or but so if of to in at for with from by about is are was were be been am i you she it we they "
    "him her us them my your his its our their this that these those not do did does have has had what why how "
    "when who there here just can could would will don't it's i'm that's didn't up out one like"
)
_COMMON_ENGLISH = frozenset(_COMMON_WORDS.split())
_COMMON_FROM_WORDS, MIN_ENGLISH_SHARE = 12, 0.15


def language_problems(bare: str, language: Language) -> Iterator[Problem]:
    """Faults of one text, given without tags."""
    if language is Language.ZH:
        han = HAN.findall(bare)
        words = _LATIN_WORD.findall(bare)
        if not han:
            yield Problem("SCRIPT.LANGUAGE", f"is Chinese and holds no Han character: {bare!r}")
        elif len(han) / (len(han) + len(words)) < _MIN_HAN_SHARE:
            yield Problem("SCRIPT.LANGUAGE", f"is Chinese and holds too many English words: {bare!r}")
        if _LATIN_SENTENCE.search(bare):
            yield Problem("SCRIPT.LANGUAGE", f"is Chinese and holds a stretch of English: {bare!r}")
        if _FOREIGN.search(bare):
            yield Problem("SCRIPT.LANGUAGE", f"is Chinese and holds letters of another language: {bare!r}")
        old = [character for character in han if _is_traditional(character)]
        if len(old) > _MAX_TRADITIONAL and len(old) > _MAX_TRADITIONAL_SHARE * len(han):
            yield Problem("SCRIPT.LANGUAGE", f"is written in traditional characters ({''.join(old[:5])}): {bare!r}")
        return
    if _CJK.search(bare):
        yield Problem("SCRIPT.LANGUAGE", f"is English and holds CJK characters: {bare!r}")
    elif _FOREIGN.search(bare):
        yield Problem("SCRIPT.LANGUAGE", f"is English and holds letters of another language: {bare!r}")


def _is_traditional(character: str) -> bool:
    """In Big5, the character set of traditional Chinese, and not in GB 2312, that of simplified Chinese."""
    return _encodes(character, "big5") and not _encodes(character, "gb2312")


def _encodes(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def script_problems(script: Script) -> Iterator[tuple[str, Problem]]:
    """(where, problem): what only all texts together show."""
    if script.language is Language.EN:
        share = english_share(field.text for field in fields(script))
        if share < MIN_ENGLISH_SHARE:
            clause = "do not read like English: too few of its commonest words"
            yield "all texts", Problem("SCRIPT.LANGUAGE", clause, share, MIN_ENGLISH_SHARE)


def english_share(texts: Iterable[str]) -> float:
    """Share of the commonest English words among all words; 1.0 for too few words to tell."""
    words = [word for text in texts for word in units(text, Language.EN)]
    return sum(word in _COMMON_ENGLISH for word in words) / len(words) if len(words) >= _COMMON_FROM_WORDS else 1.0
