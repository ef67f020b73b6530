"""Text in another language than the item's, on top of the script test of ``T1.TEXT_LANGUAGE``.

What no Chinese or English text holds (kana, Hangul, Cyrillic ..) is counted; Cantonese is told by characters that
Mandarin does not write; languages in Latin letters are told apart by py3langid (Lui & Baldwin 2012).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Track
from validators.core.codes import Judge
from validators.core.measure import count_han
from validators.core.thresholds import Thresholds
from validators.rows.rows import AssistantRow, DialogueRow, SpokenScene, view

VALIDATOR = "language/1"

#: What py3langid may answer: the languages in Latin letters that data sets of speech are made in most.
CANDIDATES = ("en", "fr", "de", "es", "it", "pt", "nl", "sv", "da", "pl", "tr", "id", "vi", "ro", "cs", "fi", "hu")

_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("Japanese", r"[\u3040-\u30ff]"),
    ("Korean", r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]"),
    ("a language in Cyrillic", r"[\u0400-\u052f]"),
    ("a language in Greek", r"[\u0370-\u03ff]"),
    ("a language in Arabic", r"[\u0600-\u06ff]"),
    ("a language in Hebrew", r"[\u0590-\u05ff]"),
    ("a language in Thai", r"[\u0e00-\u0e7f]"),
    ("a language of India", r"[\u0900-\u0dff]"),
)
#: Characters and everyday words that written Cantonese needs and written Mandarin does not use (Cheung & Bauer 2002).
_CANTONESE = re.compile(
    "[嘅咗喺唔冇哋啲嚟嗰咁噉乜嘢啱睇瞓攞揾俾嗌嬲攰佢]|[聽听尋寻琴]日|[邊边]度|[點点]解|食[飯饭]|食(?=咗)|未呀|返屋企|鍾意|钟意"
)
_LATIN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MOST_SHOWN = 40


class Text(NamedTuple):
    """A text of an item and what it is called in a message."""

    name: str
    text: str


def texts_of(found: FoundItem) -> tuple[Text, ...]:
    """Turns and replies, or the segments of both channels, without tags; none where the row cannot be read."""
    if found.track is Track.EMOTION:
        row = view(DialogueRow, found.row)
        if isinstance(row, str):
            return ()
        said = [Text(f"turn {turn.turn_id}", turn.text) for turn in row.turns]
        replies = [Text(f"reply {turn.turn_id}", turn.response_text) for turn in row.turns]
        return _bare([*said, *replies])
    scene, assistant = view(SpokenScene, found.row), view(AssistantRow, found.row)
    user = () if isinstance(scene, str) else scene.speech_segments
    reply = () if isinstance(assistant, str) else assistant.assistant_segments or ()
    return _bare(
        [
            *(Text(f"user segment {number}", segment.text) for number, segment in enumerate(user, start=1)),
            *(Text(f"assistant segment {number}", segment.text) for number, segment in enumerate(reply, start=1)),
        ]
    )


def _bare(texts: list[Text]) -> tuple[Text, ...]:
    return tuple(Text(each.name, strip_tags(each.text)) for each in texts)


def judge_language(judge: Judge, found: FoundItem, thresholds: Thresholds) -> Iterator[Finding]:
    """``LANGUAGE.TEXT`` for every text of the item that is long enough to tell."""
    for each in texts_of(found):
        other = foreign_language(each.text, found.language, thresholds)
        if other is not None:
            name, value, limit = other
            yield judge.say(
                "LANGUAGE.TEXT",
                f"{each.name}: {each.text[:_MOST_SHOWN]!r} is {name}, not {found.language.value}",
                value=value,
                threshold=limit,
            )


def foreign_language(text: str, language: Language, thresholds: Thresholds) -> tuple[str, float, float] | None:
    """(which language, measured, limit) when the text is in none of the item's; None also for what is too short."""
    letters = sum(char.isalpha() for char in text)
    for name, pattern in _SCRIPTS:
        share = len(re.findall(pattern, text)) / max(1, letters)
        if share > thresholds.max_foreign_letters:
            return name, share, thresholds.max_foreign_letters
    if language is Language.ZH:
        return _cantonese(text, thresholds)
    return _not_english(text, thresholds)


def _cantonese(text: str, thresholds: Thresholds) -> tuple[str, float, float] | None:
    marks = _CANTONESE.findall(text)
    kinds, share = set(marks), sum(map(len, marks)) / max(1, count_han(text))
    several = len(kinds) >= thresholds.min_cantonese_kinds
    return ("Cantonese", share, thresholds.max_cantonese) if several and share > thresholds.max_cantonese else None


def _not_english(text: str, thresholds: Thresholds) -> tuple[str, float, float] | None:
    words = _LATIN.findall(text)
    if len(words) < thresholds.min_language_words:
        return None
    # a name in capitals is foreign in any language
    plain = " ".join(word if place == 0 or word[0].islower() else "" for place, word in enumerate(words))
    ranked = _identifier().rank(" ".join(plain.split()).lower())
    english = dict(ranked).get("en", 0.0)
    if english >= thresholds.min_p_english:
        return None
    return f"likely {ranked[0][0]!r}", float(english), thresholds.min_p_english


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """py3langid's model in an identifier of our own: the package's is one for the whole process."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(CANDIDATES))
    return identifier
