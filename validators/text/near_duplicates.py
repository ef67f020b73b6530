"""Near-duplicates of scripts and of single lines, and texts that must not come back.

MinHash (Broder, "On the resemblance and containment of documents", 1997) by ``datasketch``, with fixed
permutations: the same scripts in the same order give the same findings everywhere. What is kept of a text are
16 bits per permutation (b-bit minwise hashing, Li & König 2010) and one number per band; no text.

Shingles. Chinese: runs of three characters of the normalised text; two characters are mostly one common word,
four lose twice as much to each changed word. English, whole scripts: runs of three words, for the same reason.
English lines: runs of two words, because one changed word in a line of twelve takes three of its ten runs of
three (Jaccard 0.54) but two of its eleven runs of two (0.69). Runs never span two texts.

The 248 shipped scripts, exactly: two scripts share 0.02 at most, two people's lines 0.12 (zh) and 0.19 (en).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_schemas.finding import Finding
from data_schemas.plan import QUESTION_TASKS
from data_schemas.script import Script
from data_schemas.tasks import Language, Part, Role
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.text.band_index import BandIndex, Signature
from validators.text.texts import Field, fields, language_of, units

if TYPE_CHECKING:
    from datasketch import MinHash

VALIDATOR = "scripts.near_duplicates/1"
#: Bands and rows. A pair becomes a candidate with probability 1-(1-s^rows)^bands: 0.99 for scripts of similarity
#: 0.5 and for lines of 0.7; candidates are then compared by their whole signatures.
SCRIPT_BANDS, LINE_BANDS, ROWS = 32, 12, 3
SCRIPT_SHINGLE = {Language.ZH: 3, Language.EN: 3}
LINE_SHINGLE = {Language.ZH: 3, Language.EN: 2}
#: Shortest line, in characters or words, that is compared exactly and by likeness; shorter ones (commands,
#: greetings, requests to repeat) people really say in the same words.
EXACT_FROM = {Language.ZH: 10, Language.EN: 7}
NEAR_FROM = {Language.ZH: 15, Language.EN: 10}
_SEED = 20260101
_MAX_FIELDS = 4096  # fields of one script, far above what any task has; conversations have as many as they like


class NearDuplicates:
    """Everything accepted so far and everything excluded. ``judge`` first, ``add`` what is accepted.

    Memory grows with every added script and excluded line and with nothing else.
    """

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._ids: list[str] = []
        self._scripts = BandIndex(SCRIPT_BANDS, ROWS)
        self._lines = BandIndex(LINE_BANDS, ROWS)
        self._line_places: list[int] = []  # entry of _lines -> script number * _MAX_FIELDS + field number
        self._excluded = BandIndex(LINE_BANDS, ROWS)
        self._places: list[str] = []
        self._latest: tuple[Script, _Sketch] | None = None  # what is judged is mostly added next

    def judge(self, script: Script) -> tuple[Finding, ...]:
        """Findings about a script against all added ones (its own id apart) and all excluded texts."""
        judge = Judge(VALIDATOR, script.script_id)
        sketch = self._sketch(script)
        return (
            *self._like_script(script, sketch, judge),
            *self._like_lines(script, sketch, judge),
            *self._like_excluded(sketch, judge),
        )

    def add(self, script: Script) -> None:
        """Remember an accepted script."""
        number = len(self._ids)
        self._ids.append(script.script_id)
        sketch = self._sketch(script)
        self._scripts.add(sketch.whole)
        for text in sketch.texts:
            if text.is_own:
                self._lines.add(text.own_signature, text.exact)
                self._line_places.append(number * _MAX_FIELDS + text.place)

    def exclude(self, place: str, text: str) -> None:
        """Remember a text that must not come back; too short ones are passed over. ``place`` names it in findings."""
        language = language_of(text)
        said = units(text, language)
        if len(said) >= EXACT_FROM[language]:
            self._excluded.add(line_signature(said, language), exact_key(said, language))
            self._places.append(place)

    def _sketch(self, script: Script) -> _Sketch:
        if self._latest is None or self._latest[0] is not script:
            self._latest = (script, _sketch_of(script))
        return self._latest[1]

    def _like_script(self, script: Script, sketch: _Sketch, judge: Judge) -> Iterator[Finding]:
        found = self._scripts.matches(sketch.whole) if self._ids else {}
        limit = self._thresholds.max_script_similarity
        likeness, number = _best({n: s for n, s in found.items() if self._ids[n] != script.script_id})
        if likeness >= limit:
            yield judge.say(
                "SCRIPT.DUPLICATE",
                f"all texts: nearly the script {self._ids[number]}; tell another story in other words",
                value=likeness,
                threshold=limit,
            )

    def _like_lines(self, script: Script, sketch: _Sketch, judge: Judge) -> Iterator[Finding]:
        limit = self._thresholds.max_line_similarity
        for text in sketch.texts if self._ids else ():
            if not text.is_own:
                continue
            found = self._lines.matches(text.own_signature, text.exact)
            likeness, entry = _best({n: s for n, s in found.items() if self._owner(n) != script.script_id})
            if likeness >= limit:
                yield judge.say(
                    "SCRIPT.DUPLICATE",
                    f"{text.field.name}: {_words_of(likeness)} stand in {self._owner(entry)}: {text.field.text!r}",
                    value=likeness,
                    threshold=limit,
                )

    def _like_excluded(self, sketch: _Sketch, judge: Judge) -> Iterator[Finding]:
        limit = self._thresholds.max_line_similarity
        for text in sketch.texts if self._places else ():
            likeness, entry = _best(self._excluded.matches(text.signature, text.exact))
            if likeness >= limit:
                yield judge.say(
                    "SCRIPT.EXCLUDED",
                    f"{text.field.name}: {_words_of(likeness)} stand in {self._places[entry]}, which must not come "
                    f"back: {text.field.text!r}",
                    value=likeness,
                    threshold=limit,
                )

    def _owner(self, entry: int) -> str:
        return self._ids[self._line_places[entry] // _MAX_FIELDS]


def _words_of(likeness: float) -> str:
    return "the same words" if likeness == 1.0 else "nearly the same words"


def _best(found: dict[int, float]) -> tuple[float, int]:
    """(similarity, entry) of the likest entry, the earliest of equals; similarity -1 for none."""
    likeness, entry = max(((s, -n) for n, s in found.items()), default=(-1.0, 0))
    return likeness, -entry


class _Text(NamedTuple):
    """A text of a script that is long enough to be compared."""

    place: int
    field: Field
    #: None for a text too short to be compared by likeness
    signature: Signature | None
    exact: int
    is_question: bool

    @property
    def is_own(self) -> bool:
        """One of the people's own lines; the assistant's are compared with other scripts' as parts of the whole."""
        return self.field.role is not Role.ASSISTANT and self.field.part is not Part.BACKCHANNEL

    @property
    def own_signature(self) -> Signature | None:
        """Without that of a final question, whose form may come back as long as its words differ."""
        return None if self.is_question else self.signature


class _Sketch(NamedTuple):
    """All that is compared of a script."""

    whole: Signature
    texts: tuple[_Text, ...]


def _sketch_of(script: Script) -> _Sketch:
    language = script.language
    asked_at = 2 * (len(script.turns) - 1) if script.task in QUESTION_TASKS else None
    spoken = [(field, units(field.text, language)) for field in fields(script)]
    runs = chain.from_iterable(shingles(said, SCRIPT_SHINGLE[language]) for _, said in spoken)
    texts = tuple(
        _Text(place, field, line_signature(said, language), exact_key(said, language), place == asked_at)
        for place, (field, said) in enumerate(spoken)
        if len(said) >= EXACT_FROM[language]
    )
    return _Sketch(signature_of(runs, SCRIPT_BANDS), texts)


def line_signature(said: tuple[str, ...], language: Language) -> Signature | None:
    if len(said) < NEAR_FROM[language]:
        return None
    return signature_of(shingles(said, LINE_SHINGLE[language]), LINE_BANDS)


def shingles(said: tuple[str, ...], size: int) -> Iterator[bytes]:
    runs = zip(*(said[start:] for start in range(size)), strict=False)
    return (" ".join(run).encode() for run in runs)


def signature_of(pieces: Iterator[bytes], bands: int) -> Signature:
    """The low 16 bits of the smallest hash under each permutation, ``[bands * ROWS]``."""
    sketch = _empty_sketch(bands * ROWS).copy()
    sketch.update_batch(set(pieces))
    signature: Signature = sketch.digest().astype(np.uint16)
    return signature


@cache
def _empty_sketch(permutations: int) -> MinHash:
    from datasketch import MinHash

    return MinHash(num_perm=permutations, seed=_SEED, hashfunc=zlib.crc32, scheme="affine32")


def exact_key(said: tuple[str, ...], language: Language) -> int:
    """63 bits of the normalised words, never 0."""
    digest = hashlib.blake2b(" ".join((language, *said)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1 | 1
