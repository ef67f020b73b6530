"""A line as it is spoken: in pieces around its pauses, with fillers beside them.

Speakers who stop inside a sentence fill part of the silence: "uh" and "um" announce a delay before it, or end it
(Clark & Fox Tree 2002, Cognition 84, 73-111); Mandarin speakers use 嗯, 呃 and the demonstratives 那个, 这个 (Zhao &
Jurafsky 2005, "A preliminary study of Mandarin filled pauses"). What is drawn here is spoken, and stands in the labels.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, StringConstraints, field_validator, model_validator

from data_schemas.foundation.base import Record
from data_schemas.foundation.randomness import named_generator
from data_schemas.script import ScriptLine
from data_schemas.tags import BREAK_TAG, strip_tags
from data_schemas.tasks import Language
from generators.scenes.timing.distributions import Distribution, Uniform
from generators.scenes.use import Use

#: A silence of up to 0.6 s is none to the consumer (FORMATS.md B.6). An utterance brings silence of its own at both
#: edges, so the part that is drawn stays well below.
MAX_SEAM_S = 0.4
#: After one of these a sentence is complete: a pause there lies between sentences and is no hesitation.
_SENTENCE_END = re.compile(r"[。！？.!?][”’\"')）」』]*$")
#: What a hesitation begins or ends with when the script writes it out itself.
_WRITTEN_ZH = "嗯|呃|额|唔|哦|啊|那个|这个|就是|怎么说"
_WRITTEN_EN = "um+|uh+|er+m*|h*mm+|oh|ah|well|like|you know|I mean|let me see|let's see|what's it called"
_BEGINS_HESITANT = re.compile(rf"(?:{_WRITTEN_ZH})|(?:{_WRITTEN_EN})\b", re.IGNORECASE)
_ENDS_HESITANT = re.compile(rf"(?:(?:{_WRITTEN_ZH})|\b(?:{_WRITTEN_EN}))\W*$", re.IGNORECASE)
_HAN = re.compile("[\u3400-\u9fff]")

Place = Literal["before_pause", "after_pause"]
_Filler = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\[\]]+$")]
_Fillers = Annotated[tuple[_Filler, ...], Field(min_length=1)]


class FillerWords(Record):
    """Fillers of a language by where they stand; one that stands twice is drawn twice as often."""

    before_pause: _Fillers
    after_pause: _Fillers


class HesitationSettings(Record):
    """The ``scenes.hesitation`` section: what is said beside a ``[break]``.

    A break has at most one filler, and none where a sentence is complete before it or the script itself hesitates
    beside it ("[break] um, near the opera").
    """

    #: ``on``: at every break that can have one; ``drawn``: at ``share`` of them; ``off``: only what the script writes
    fillers: Use = "drawn"
    #: how many breaks get a filler when they are drawn (CHOICE: modest, the bare pause stays the usual case)
    share: float = Field(default=0.35, ge=0.0, le=1.0)
    #: how many of the fillers stand before their pause, the rest after it: they announce delays (Clark & Fox Tree
    #: 2002) more than they end them; the number is a CHOICE
    before_pause_share: float = Field(default=0.7, ge=0.0, le=1.0)
    #: silence between a filler and the words beside it, besides what utterances have at their edges (CHOICE)
    seam: Distribution = Uniform(low_s=0.0, high_s=0.2)
    #: no 嗯 and no 呃 on their own: of four Kokoro voices one to three speak them without voice (0 to 10 % voiced
    #: frames, 45 to 93 % in 那个 and 就是; measured 2026-11 with Praat). Where the script writes them, into longer
    #: words, and in espeak, they are sound
    zh: FillerWords = FillerWords(before_pause=("那个", "那个", "就是"), after_pause=("就是", "那个"))
    #: "um" before long delays, "uh" before short ones (Clark & Fox Tree 2002)
    en: FillerWords = FillerWords(before_pause=("um", "um", "uh"), after_pause=("uh", "um"))

    @model_validator(mode="before")
    @classmethod
    def _other_place(cls, raw: Any) -> Any:
        """Of a language of which only one place is given, the other keeps its default."""
        if not isinstance(raw, dict):
            return raw
        named = {language: raw.get(language) for language in ("zh", "en")}
        return raw | {
            language: cls.model_fields[language].default.model_dump() | given
            for language, given in named.items()
            if isinstance(given, dict)
        }

    @field_validator("seam")
    @classmethod
    def _no_pause(cls, seam: Distribution) -> Distribution:
        if seam.upper_s > MAX_SEAM_S:
            raise ValueError(
                f"seam may rise to {seam.upper_s} s; above {MAX_SEAM_S} s it could be taken for the pause, shorten it"
            )
        return seam

    def words(self, language: Language, place: Place) -> tuple[str, ...]:
        """The fillers of a language for a place."""
        both: FillerWords = getattr(self, language.value)
        return both.before_pause if place == "before_pause" else both.after_pause


class Piece(Record):
    """One utterance of a line. ``after``: what separates it from the piece before it.

    ``break`` is the scripted pause, ``seam`` the short silence between a filler and its neighbour.
    """

    text: str
    kind: Literal["words", "filler"] = "words"
    after: Literal["start", "break", "seam"] = "start"


def pieces_of(
    plan_id: str, number: int, line: ScriptLine, language: Language, settings: HesitationSettings, seed: int
) -> tuple[Piece, ...]:
    """The pieces of line ``number`` (from 1) in speaking order.

    One draw per break, named by the plan, the line and the number of the break, so no other setting moves it.
    """
    texts = [text.strip() for text in line.text.split(BREAK_TAG)]
    pieces = [Piece(text=texts[0])]
    for pause, (before, after) in enumerate(pairwise(texts), start=1):
        generator = named_generator(seed, plan_id, f"scene/filler/{number}/{pause}")
        drawn = _filler(generator, language, settings) if _may_have_filler(before, after) else None
        if drawn is None:
            pieces.append(Piece(text=after, after="break"))
        elif drawn[0] == "before_pause":
            pieces += [Piece(text=drawn[1], kind="filler", after="seam"), Piece(text=after, after="break")]
        else:
            pieces += [Piece(text=drawn[1], kind="filler", after="break"), Piece(text=after, after="seam")]
    return tuple(pieces)


def utterance_ids(plan_id: str, number: int, pieces: tuple[Piece, ...]) -> tuple[str, ...]:
    """``<plan>/<line>``, or ``<plan>/<line>.<piece>`` where there are several; all count from 1."""
    if len(pieces) == 1:
        return (f"{plan_id}/{number}",)
    return tuple(f"{plan_id}/{number}.{count}" for count in range(1, len(pieces) + 1))


def shown_text(pieces: tuple[Piece, ...]) -> str:
    """The line as labels show it: what was spoken, with `` [break] `` where the pauses are.

    A comma stands between a filler and its neighbour unless one of them brings a mark.

    >>> um = Piece(text="um", kind="filler", after="seam")
    >>> shown_text((Piece(text="I want to go to"), um, Piece(text="the opera.", after="break")))
    'I want to go to, um [break] the opera.'
    >>> uh = Piece(text="呃", kind="filler", after="break")
    >>> shown_text((Piece(text="我想去"), uh, Piece(text="成都。", after="seam")))
    '我想去 [break] 呃，成都。'
    """
    shown = pieces[0].text
    for before, piece in pairwise(pieces):
        if piece.after == "break":
            shown += f" {BREAK_TAG} "
        else:
            shown += _joint(before.text, piece.text, before.text if before.kind == "filler" else piece.text)
        shown += piece.text
    return shown


def breaks_off(piece: Piece, following: Piece | None) -> bool:
    """Whether the line goes on after this piece in the middle of a sentence."""
    return following is not None and not _SENTENCE_END.search(piece.text)


def _may_have_filler(before: str, after: str) -> bool:
    if not _has_words(before) or not _has_words(after) or _SENTENCE_END.search(before):
        return False
    return not _ENDS_HESITANT.search(before) and not _BEGINS_HESITANT.match(after)


def _has_words(text: str) -> bool:
    return any(sign.isalnum() for sign in strip_tags(text))


def _filler(
    generator: np.random.Generator, language: Language, settings: HesitationSettings
) -> tuple[Place, str] | None:
    """Where a filler goes and which, or None. Every break draws the same three numbers."""
    wanted, where, which = generator.uniform(size=3)
    if settings.fillers == "off" or (settings.fillers == "drawn" and wanted >= settings.share):
        return None
    place: Place = "before_pause" if where < settings.before_pause_share else "after_pause"
    words = settings.words(language, place)
    return place, words[int(which * len(words))]


def _joint(before: str, after: str, filler: str) -> str:
    chinese = _HAN.search(filler) is not None
    if _is_mark(after[0]):
        return ""
    if _is_mark(before[-1]):
        return "" if chinese and before[-1] != "]" else " "
    return "，" if chinese else ", "


def _is_mark(sign: str) -> bool:
    """Punctuation that separates by itself; opening quotes and brackets, and tags to come, do not."""
    return unicodedata.category(sign) in {"Po", "Pd", "Pe"} and sign not in "\"'%&@#"
