"""English words as they are heard: contractions, spelling variants and numbers brought to one form.

Rules are applied to both sides alike, so that they may turn a word into something that is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

#: Sounds of hesitation, assent and feeling.
_FILLERS = "um umm uh uhh uhm er erm hm hmm hmmm mm mmm mhm mmhmm ah aah aw oh ooh huh ha haha eh"
FILLERS_EN = frozenset(_FILLERS.split())
_UNIT = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")

_RULES: tuple[tuple[str, str], ...] = (
    # signs and units
    (r"(?<=\d),(?=\d{3})", ""),
    (r"(?<=\d)\s*[-–~]\s*(?=\d)", " to "),
    (r"\$\s*(\d+)\.(\d\d)(?!\d)", r"\1 \2 dollar"),  # 2:15 is heard as $2.15
    (r"\$\s*(\d+(?:\.\d+)?)(?:\s*dollars?)?", r"\1 dollar"),
    (r"£\s*(\d+(?:\.\d+)?)(?:\s*pounds?)?", r"\1 pound"),
    (r"€\s*(\d+(?:\.\d+)?)(?:\s*euros?)?", r"\1 euro"),
    (r"(\d)\s*%", r"\1 percent"),
    (r"\bper cent\b", "percent"),
    (r"(\d)\.(?=\d)", r"\1 point "),
    (r"(\d)\s*km\b", r"\1 kilometer"),
    (r"(\d)\s*kg\b", r"\1 kilogram"),
    (r"(\d)\s*cm\b", r"\1 centimeter"),
    (r"(\d)\s*lbs?\b", r"\1 pound"),
    (r"(\d)(?:st|nd|rd|th)\b", r"\1 "),
    (r"\b(\d{1,2}):00\b", r"\1 "),
    (r"\bo'\s?clock\b", " "),
    (r"\b([ap])\s?\.?\s?m\b\.?", r" \1m "),
    (r"&", " and "),
    # short forms, and words that sound alike
    (r"\byou(?:'re| are)\b", "your"),
    (r"\b(?:they(?:'re| are)|their|theirs)\b", "there"),
    (r"\bit(?:'s| is)\b", "its"),
    (r"\btoo\b", "to"),
    (r"\bwon't\b", "will not"),
    (r"\bcan't\b|\bcannot\b", "can not"),
    (r"\bshan't\b", "shall not"),
    (r"n't\b", " not"),
    (r"'re\b", " are"),
    (r"'ll\b", " will"),
    (r"'ve\b", " have"),
    (r"'m\b", " am"),
    (r"'d\b", " would"),
    (r"\blet's\b", "let us"),
    (r"\b(that|he|she|what|there|here|who|where|how|this|everything|nothing|something)'s\b", r"\1 is"),
    (r"'", ""),
    (r"\bgonna\b", "going to"),
    (r"\bgotta\b", "got to"),
    (r"\bwanna\b", "want to"),
    (r"\b(?:cause|cuz|coz)\b", "because"),
    (r"\bok\b", "okay"),
    (r"\balright\b", "all right"),
    (r"\b(?:yeah|yep|yup)\b", "yes"),
    (r"\bthru\b", "through"),
    (r"\b(?:mister|mr)\b", "mr"),
    (r"\b(?:missus|mrs)\b", "mrs"),
    (r"\b(?:doctor|dr)\b", "dr"),
    (r"\bsaint\b", "st"),
    # spelling: British and American alike
    (r"\bgrey", "gray"),
    (r"\bm(?:u|o)m", "mom"),
    (r"\btyre", "tire"),
    (r"\bcheque", "check"),
    (r"\bkerb", "curb"),
    (r"\bprogramme\b", "program"),
    (r"\bpyjama", "pajama"),
    (r"\bplough", "plow"),
    (r"\bjewell", "jewel"),
    (r"(\w{3})our", r"\1or"),
    (r"(\w{3})is(e|ed|es|ing|ation)\b", r"\1iz\2"),
    (r"(\w[tb])re(s?)\b", r"\1er\2"),
    (r"(\w{3})ll(ed|ing|er)\b", r"\1l\2"),
    (r"\b(dollar|pound|euro|cent|kilometer|kilogram|centimeter)s\b", r"\1"),
)
_LETTERS = re.compile(r"(?<![a-z])(?:[b-hj-z][ .-]+)+[a-z](?![a-z])")

_SMALL_NAMES = (
    "zero one/first two/second three/third four/fourth five/fifth six/sixth seven/seventh eight/eighth nine/ninth "
    "ten/tenth eleven/eleventh twelve/twelfth thirteen/thirteenth fourteen/fourteenth fifteen/fifteenth "
    "sixteen/sixteenth seventeen/seventeenth eighteen/eighteenth nineteen/nineteenth"
)
_TENS_NAMES = (
    "twenty/twentieth thirty/thirtieth forty/fortieth fifty/fiftieth sixty/sixtieth seventy/seventieth "
    "eighty/eightieth ninety/ninetieth"
)
_SMALL: Mapping[str, int] = {
    word: value for value, words in enumerate(_SMALL_NAMES.split()) for word in words.split("/")
}
_TENS: Mapping[str, int] = {
    word: 10 * value for value, words in enumerate(_TENS_NAMES.split(), start=2) for word in words.split("/")
}
_SCALES: Mapping[str, int] = {
    "hundred": 100,
    "hundredth": 100,
    "thousand": 1000,
    "thousandth": 1000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
}
_HUNDRED, _TEN = 100, 10


def english_words(text: str) -> tuple[str, ...]:
    """Words of a lower-case text; a number is one unit of digits, however it is written.

    >>> english_words("it's the 15th, at seven forty, for $850: the color's grey")
    ('its', 'the', '15', 'at', '740', 'for', '850', 'dollar', 'the', 'colors', 'gray')
    """
    for pattern, replacement in _RULES:
        text = re.sub(pattern, replacement, text)
    text = _LETTERS.sub(lambda match: re.sub(r"[ .-]", "", match[0]), text)
    return tuple(word for word in _numbers_as_digits(_UNIT.findall(text)) if word not in FILLERS_EN)


def _numbers_as_digits(words: Sequence[str]) -> Iterator[str]:
    run: list[str] = []
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if _is_number(word) or _joins(word, run, following):
            run.append(word)
            continue
        if run:
            yield _digits(run)
            run = []
        if not (word == "a" and following in _SCALES):
            yield word
    if run:
        yield _digits(run)


def _is_number(word: str) -> bool:
    return word.isdecimal() or word in _SMALL or word in _TENS or word in _SCALES


def _joins(word: str, run: Sequence[str], following: str) -> bool:
    """ "and" after a hundred, and "oh" for zero, inside a number."""
    inside = bool(run) and _is_number(following)
    return inside and ((word == "and" and run[-1] in _SCALES) or word in ("oh", "o"))


def _digits(run: Sequence[str]) -> str:
    """Number words as digits; numbers that follow each other are written together (seven forty: 740)."""
    written, total, current, open_below = "", 0, 0, 0
    for word in run:
        if word == "and":
            continue
        if word in _SCALES:
            scale = _SCALES[word]
            if scale == _HUNDRED:
                current = max(current, 1) * scale
            else:
                total, current = total + max(current, 1) * scale, 0
            open_below = scale
            continue
        value = 0 if word in ("oh", "o") else _SMALL.get(word, _TENS.get(word, int(word) if word.isdecimal() else 0))
        if 0 < value < open_below and not word.isdecimal():
            current += value
        else:
            written += str(total + current) if open_below else ""
            total, current = 0, value
            if word.isdecimal() and word[0] == "0":
                written += word[: len(word) - len(str(value))]
        open_below = _TEN if word in _TENS else 1
    return written + str(total + current)


def same_joints(first: Sequence[str], second: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words that one side writes together and the other apart, together on both (week end, weekend)."""
    return tuple(_joined(first, frozenset(second))), tuple(_joined(second, frozenset(first)))


def _joined(words: Sequence[str], other: frozenset[str]) -> Iterator[str]:
    place = 0
    while place < len(words):
        pair = "".join(words[place : place + 2])
        if place + 1 < len(words) and pair in other and words[place] not in other:
            yield pair
            place += 2
        else:
            yield words[place]
            place += 1
