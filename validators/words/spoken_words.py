"""Words as they are heard: a text and what a recogniser wrote of it, brought to the same units.

Chinese units are syllables (toneless Pinyin) or simplified characters, a Latin word is one unit; English units are
lower-case words, a number is one unit of digits. Fillers (嗯, um) count on neither side.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from data_schemas.tags import strip_tags
from validators.words.english_words import english_words, same_joints

#: Sounds of hesitation, assent and feeling, and particles that recognisers leave out or spell as they like.
FILLERS_ZH = frozenset("嗯呃唔哦噢喔啊呀哎唉诶欸嘿哈呵哼嘘呜")

_LATIN = r"[a-z]+(?:'[a-z]+)*"
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
_ZH_UNIT = re.compile(rf"{_LATIN}|{_HAN}|\d")


class Pair(NamedTuple):
    """A reference and what was heard, as units that can be compared."""

    reference: tuple[str, ...]
    heard: tuple[str, ...]


def syllable_pairs(reference: str, heard: str) -> tuple[Pair, ...]:
    """Chinese texts as toneless Pinyin, once for each way to read digits (119: 一百一十九, 一一九).

    >>> syllable_pairs("他花了10块", "她花了十块")[0]
    Pair(reference=('ta', 'hua', 'le', 'shi', 'kuai'), heard=('ta', 'hua', 'le', 'shi', 'kuai'))
    """
    return tuple(
        Pair(tuple(_syllables(first)), tuple(_syllables(second))) for first, second in _characters(reference, heard)
    )


def character_pairs(reference: str, heard: str) -> tuple[Pair, ...]:
    """Chinese texts as simplified characters, once for each way to read digits.

    >>> character_pairs("我媽[sigh] 花了２块。", "嗯我妈花了两块")[0]
    Pair(reference=('我', '妈', '花', '了', '二', '块'), heard=('我', '妈', '花', '了', '二', '块'))
    """
    return tuple(Pair(tuple(first), tuple(second)) for first, second in _characters(reference, heard))


def word_pairs(reference: str, heard: str) -> tuple[Pair, ...]:
    """English texts as words.

    >>> word_pairs("It's $850, um, at 12:05.", "It is eight hundred and fifty dollars at twelve oh five")[0]
    Pair(reference=('its', '850', 'dollar', 'at', '1205'), heard=('its', '850', 'dollar', 'at', '1205'))
    """
    first, second = english_words(plain(reference)), english_words(plain(heard))
    return (Pair(*same_joints(first, second)),)


def plain(text: str) -> str:
    """Tags out, full width to half, lower case, one kind of apostrophe."""
    folded = unicodedata.normalize("NFKC", strip_tags(text)).lower()
    return re.sub("[’‘`´ʼ]", "'", folded)


@lru_cache(maxsize=1)
def _simplify() -> Callable[[str], str]:
    from opencc import OpenCC

    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert


_HAN_DIGITS = "零一二三四五六七八九"
_CARDINAL_DIGITS = 16  # cn2an's limit
_AMOUNT = r"(\d+(?:\.\d+)?)(万|亿|千|百)?"
#: How signs between digits are read; Chinese numerals stay as they are.
_SIGNS: tuple[tuple[str, str], ...] = (
    (r"(?<=\d),(?=\d{3})", ""),
    (r"(?<=\d)\s*[-–~]\s*(?=\d)", "到"),
    (r"(\d+(?:\.\d+)?)\s*%", r"百分之\1"),
    (rf"(?:us\$|\$)\s*{_AMOUNT}(?:美元)?", r"\1\2美元"),
    (rf"[¥￥]\s*{_AMOUNT}(?:元|块)?", r"\1\2元"),
    (r"(\d)\s*(?:°c|℃)", r"\1摄氏度"),
    (r"(\d)\s*km(?![a-z])", r"\1公里"),
    (r"(\d)\s*kg(?![a-z])", r"\1公斤"),
    (r"(\d)\s*cm(?![a-z])", r"\1厘米"),
    (r"(\d)\s*m(?![a-z])", r"\1米"),
    (r"(?<!\d)0?(\d{1,2}):00(?!\d)", r"\1点"),
    (r"(?<!\d)0?(\d{1,2}):(\d{2})(?!\d)分?", r"\1点\2"),
)
#: Sounds alike and is the same word in speech, or is only another way to write it.
_ONE_FOR_ALL = str.maketrans("两〇幺她它牠妳您", "二零一他他他你你")


def _characters(reference: str, heard: str) -> Iterator[tuple[list[str], list[str]]]:
    readings = (_cardinal, _digit_by_digit)
    for read in readings if re.search(r"\d", reference + heard) else readings[:1]:
        yield _chinese(reference, read), _chinese(heard, read)


def _chinese(text: str, read: Callable[[str], str]) -> list[str]:
    written = _simplify()(plain(text))
    for pattern, replacement in _SIGNS:
        written = re.sub(pattern, replacement, written)
    written = re.sub(r"\d{4}(?=年)", lambda match: _digit_by_digit(match[0]), written)
    written = re.sub(r"(\d)\.(\d+)", lambda match: f"{match[1]}点{_digit_by_digit(match[2])}", written)
    written = re.sub(r"点0(\d)", r"点零\1", written)
    written = re.sub(r"\d+", lambda match: read(match[0]), written)
    units = _ZH_UNIT.findall(_spelt_together(written).translate(_ONE_FOR_ALL))
    return [unit for unit in units if unit not in FILLERS_ZH]


def _spelt_together(text: str) -> str:
    """ "k t v", "k.t.v." and "k-t-v" are "ktv"."""
    return re.sub(r"(?<![a-z])(?:[a-z][ .-]+)+[a-z](?![a-z])", lambda match: re.sub(r"[ .-]", "", match[0]), text)


def _digit_by_digit(digits: str) -> str:
    return "".join(_HAN_DIGITS[int(digit)] for digit in digits)


def _cardinal(digits: str) -> str:
    import cn2an

    if len(digits) > _CARDINAL_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return _digit_by_digit(digits)
    words: str = cn2an.an2cn(digits)
    return re.sub("^一十", "十", words)


def _syllables(characters: Sequence[str]) -> Iterator[str]:
    """Runs of Han characters together, so that phrases decide readings (银行, 行走); Latin words as they are."""
    from pypinyin import lazy_pinyin

    run: list[str] = []
    for unit in (*characters, ""):
        if re.fullmatch(_HAN, unit):
            run.append(unit)
            continue
        yield from lazy_pinyin("".join(run))
        run = []
        if unit:
            yield unit
