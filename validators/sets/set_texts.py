"""Near-duplicate texts of any data set in a known layout: inside a split, across splits, against an excluded set.

The same MinHash as for scripts (`validators.text.near_duplicates`). Two items are near when the shingles of all
their texts are (`max_script_similarity`), or when one line of the user is (`max_line_similarity`); lines shorter than
`NEAR_FROM` and the form of a final question may come back. Items that say exactly the same are left to
``SET.TEXT_LEAK`` and ``SET.DUPLICATE_TEXT``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem
from data_schemas.plan import QUESTION_TASKS
from data_schemas.tasks import Language, Track
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.rows.rows import existing_file, read_json
from validators.text.band_index import BandIndex, Signature
from validators.text.near_duplicates import (
    EXACT_FROM,
    LINE_BANDS,
    NEAR_FROM,
    ROWS,
    SCRIPT_BANDS,
    SCRIPT_SHINGLE,
    exact_key,
    line_signature,
    shingles,
    signature_of,
)
from validators.text.texts import language_of, units

VALIDATOR = "set_texts/1"


class ItemTexts(NamedTuple):
    """What is said in one item, in order, as it stands in its labels."""

    own: tuple[str, ...]  # on the user's channel, third parties included
    replies: tuple[str, ...]  # the assistant's, spoken or only written


class ExcludedTexts(NamedTuple):
    """What must not come back; a place names a text in findings."""

    lines: tuple[tuple[str, str], ...] = ()  # (place, text)
    items: tuple[tuple[str, Language, ItemTexts], ...] = ()  # (place, language, texts)


def texts_of(found: FoundItem, root: Path) -> ItemTexts:
    """All texts of an item that can be read; labels of wrong form give none (other judges say so)."""
    if found.track is Track.EMOTION:
        turns = _dicts(found.row.get("turns"))
        return ItemTexts(_texts(turns, ("text", "input_text")), _texts(turns, ("response_text", "response_txt")))
    own = _dicts(found.row.get("speech_segments")) or _sentence_segments(found, root)
    replies = _dicts(found.row.get("assistant_segments"))
    return ItemTexts(_texts(own, ("text",)), _texts(replies, ("planned_text", "text")))


def judge_texts(
    items: Iterable[tuple[FoundItem, ItemTexts]], thresholds: Thresholds, excluded: ExcludedTexts | None = None
) -> tuple[Finding, ...]:
    """At most one finding per item against other items, and one against what is excluded.

    Of a pair the item with the later id is named, as for ``SET.TEXT_LEAK``. Memory: 300 bytes for an item and 200 for
    a line; no text is kept but those of near lines.
    """
    shelf = _Shelf(thresholds, excluded or ExcludedTexts())
    excluded_ones = tuple(chain.from_iterable(shelf.judge_and_add(found, texts) for found, texts in items))
    return (*shelf.near(), *excluded_ones)


def spoken_words(texts: Iterable[str], language: Language) -> int:
    """63 bits of all words in order, without tags, case and punctuation: equal for items that say the same."""
    return exact_key(tuple(chain.from_iterable(units(text, language) for text in texts)), language)


def _dicts(value: object) -> tuple[dict[str, object], ...]:
    return tuple(one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _texts(rows: Iterable[dict[str, object]], keys: tuple[str, ...]) -> tuple[str, ...]:
    """Of each row the first of the keys that holds a string."""
    found = ([value for key in keys if isinstance(value := row.get(key), str)] for row in rows)
    return tuple(values[0] for values in found if values)


def _sentence_segments(found: FoundItem, root: Path) -> tuple[dict[str, object], ...]:
    path = existing_file(found, root, "sentence")
    try:
        value = None if path is None else read_json(path)
    except (OSError, ValueError):
        return ()  # T2.SENTENCE_FIELDS of the item says so
    return _dicts(value.get("speech_segments")) if isinstance(value, dict) else ()


class _Line(NamedTuple):
    name: str
    text: str
    signature: Signature | None  # None: compared exactly or not at all
    exact: int  # 0: too short
    is_long: bool  # compared with other items of the set


class _Sketch(NamedTuple):
    """All that is compared of an item."""

    whole: Signature | None
    words: int  # of the user's texts, see `spoken_words`
    own: tuple[_Line, ...]
    replies: tuple[_Line, ...]


@dataclass(frozen=True)
class _Known:
    """An item that came before."""

    id: str
    manifest: str | None
    layout: str
    split: str
    words: int


class _Near(NamedTuple):
    """Another item and how near it is."""

    likeness: float
    number: int
    what: str
    limit: float

    @property
    def rank(self) -> tuple[float, int, str]:
        return self.likeness, -self.number, self.what


class _Shelf:
    """Everything that came before, and everything excluded."""

    def __init__(self, thresholds: Thresholds, excluded: ExcludedTexts) -> None:
        self._thresholds = thresholds
        self._known: list[_Known] = []
        self._pairs: dict[int, dict[bool, _Near]] = {}  # later item -> whether it is a leak -> nearest earlier one
        self._wholes = BandIndex(SCRIPT_BANDS, ROWS)
        self._whole_owners: list[int] = []
        self._lines = BandIndex(LINE_BANDS, ROWS)
        self._line_owners: list[int] = []
        self._excluded_lines = BandIndex(LINE_BANDS, ROWS)
        self._line_places: list[str] = []
        self._excluded_wholes = BandIndex(SCRIPT_BANDS, ROWS)
        self._whole_places: list[str] = []
        self._exclude(excluded)

    def judge_and_add(self, found: FoundItem, texts: ItemTexts) -> Iterator[Finding]:
        sketch = _sketch_of(texts, found.language, has_question=found.task in QUESTION_TASKS)
        judge = Judge(VALIDATOR, found.id, found.manifest)
        own = _Known(found.id, found.manifest, found.layout, found.split.value, sketch.words)
        self._like_known(own, sketch)
        yield from self._like_excluded(judge, sketch)
        self._add(own, sketch)

    def near(self) -> Iterator[Finding]:
        """Of all items that came, those near an item with an earlier id; a leak weighs more than a nearer duplicate."""
        for number in sorted(self._pairs, key=lambda number: (self._known[number].id, number)):
            own, found = self._known[number], self._pairs[number]
            best = found.get(True) or found[False]
            other = self._known[best.number]
            yield Judge(VALIDATOR, own.id, own.manifest).say(
                "SET.NEAR_TEXT_LEAK" if True in found else "SET.NEAR_DUPLICATE_TEXT",
                f"{best.what}: nearly the words of {other.id} (in {other.split}; this one is in {own.split})",
                value=best.likeness,
                threshold=best.limit,
            )

    def _like_known(self, own: _Known, sketch: _Sketch) -> None:
        number = len(self._known)
        for near in self._candidates(sketch):
            other = self._known[near.number]
            if near.likeness < near.limit or _says_the_same(own, other):
                continue
            later, earlier = (near.number, number) if own.id < other.id else (number, near.number)
            found = self._pairs.setdefault(later, {})
            pair, leak = near._replace(number=earlier), own.split != other.split
            if leak not in found or pair.rank > found[leak].rank:
                found[leak] = pair

    def _candidates(self, sketch: _Sketch) -> Iterator[_Near]:
        limit = self._thresholds.max_script_similarity
        for entry, likeness in self._wholes.matches(sketch.whole).items():
            yield _Near(likeness, self._whole_owners[entry], "all texts", limit)
        limit = self._thresholds.max_line_similarity
        for line in sketch.own:
            if line.is_long:
                for entry, likeness in self._lines.matches(line.signature, line.exact).items():
                    yield _Near(likeness, self._line_owners[entry], repr(line.text), limit)

    def _like_excluded(self, judge: Judge, sketch: _Sketch) -> Iterator[Finding]:
        near = [one for one in self._excluded_candidates(sketch) if one.likeness >= one.limit]
        if near:
            best = max(near, key=lambda one: one.rank)
            yield judge.say(
                "SET.EXCLUDED_TEXT", f"{best.what}, which must not come back", value=best.likeness, threshold=best.limit
            )

    def _excluded_candidates(self, sketch: _Sketch) -> Iterator[_Near]:
        limit = self._thresholds.max_script_similarity
        for entry, likeness in self._excluded_wholes.matches(sketch.whole).items():
            yield _Near(likeness, entry, f"all texts: nearly the words of {self._whole_places[entry]}", limit)
        limit = self._thresholds.max_line_similarity
        for line in (*sketch.own, *sketch.replies):
            for entry, likeness in self._excluded_lines.matches(line.signature, line.exact).items():
                where = self._line_places[entry]
                yield _Near(likeness, entry, f"{line.name} {line.text!r}: nearly the words of {where}", limit)

    def _add(self, own: _Known, sketch: _Sketch) -> None:
        number = len(self._known)
        self._known.append(own)
        if sketch.whole is not None:
            self._wholes.add(sketch.whole)
            self._whole_owners.append(number)
        for line in sketch.own:
            if line.is_long:
                self._lines.add(line.signature, line.exact)
                self._line_owners.append(number)

    def _exclude(self, excluded: ExcludedTexts) -> None:
        for place, text in excluded.lines:
            language = language_of(text)
            self._exclude_line(place, _line("", text, language, is_question=False))
        for place, language, texts in excluded.items:
            sketch = _sketch_of(texts, language, has_question=False)
            for line in (*sketch.own, *sketch.replies):
                self._exclude_line(place, line)
            if sketch.whole is not None:
                self._excluded_wholes.add(sketch.whole)
                self._whole_places.append(place)

    def _exclude_line(self, place: str, line: _Line) -> None:
        if line.exact:
            self._excluded_lines.add(line.signature, line.exact)
            self._line_places.append(place)


def _says_the_same(one: _Known, other: _Known) -> bool:
    """A pair of which the exact comparison speaks (it is made within a layout)."""
    return (one.layout, one.words) == (other.layout, other.words)


def _sketch_of(texts: ItemTexts, language: Language, has_question: bool) -> _Sketch:
    spoken = [units(text, language) for text in (*texts.own, *texts.replies)]
    runs = chain.from_iterable(shingles(said, SCRIPT_SHINGLE[language]) for said in spoken)
    is_long = sum(len(said) for said in spoken) >= NEAR_FROM[language]
    asked_at = len(texts.own) if has_question else None
    return _Sketch(
        whole=signature_of(runs, SCRIPT_BANDS) if is_long else None,
        words=spoken_words(texts.own, language),
        own=tuple(
            _line(f"line {number}", text, language, is_question=number == asked_at)
            for number, text in enumerate(texts.own, start=1)
        ),
        replies=tuple(
            _line(f"reply {number}", text, language, is_question=False)
            for number, text in enumerate(texts.replies, start=1)
        ),
    )


def _line(name: str, text: str, language: Language, is_question: bool) -> _Line:
    said = units(text, language)
    return _Line(
        name=name,
        text=text,
        signature=None if is_question else line_signature(said, language),
        exact=exact_key(said, language) if len(said) >= EXACT_FROM[language] else 0,
        is_long=len(said) >= NEAR_FROM[language],
    )
