"""What several formats need: names, word times within an utterance, files that are the same in every run."""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples, write_wav
from data_schemas.foundation.base import dump_json
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.track1_rows import DIALOGUE_ID
from data_schemas.tags import BREAK_TAG, strip_tags
from flows.exports.base import ExportError

#: What a name may hold: no dot (tool kits cut names there), no blank (columns of RTTM), ASCII only
NAME = re.compile(r"^[A-Za-z0-9_-]+$")
#: Decimals of a time: a sample at 16 kHz is 0.0000625 s
TIME_DECIMALS = 7

#: CJK ideographs: each is a word of its own
_HAN = re.compile(r"[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_OPENING = frozenset({"Ps", "Pi"})  # Unicode categories: opening brackets and quotes


class Span(NamedTuple):
    """Seconds from the start of the file, half-open."""

    start: float
    stop: float


class Word(NamedTuple):
    """A word and its seconds."""

    text: str
    start: float
    stop: float


def export_name(item: FoundItem) -> str:
    """The item's name in an export: unique over splits, languages and tasks, fit for RTTM, tar and file names.

    Track 1 is ``<split>_<dialogue_id>``, everything else ``<split>_<language>_<task>_<id>``.

    Raises:
        ExportError: the id holds characters a name cannot have.
    """
    if not NAME.match(item.id):
        raise ExportError(
            f"{item.manifest}:{item.line}: id {item.id!r} cannot be a file name in an export; "
            "use ASCII letters, digits, _ and - only"
        )
    if DIALOGUE_ID.match(item.id):
        return f"{item.split}_{item.id}"
    return f"{item.split}_{item.language}_{item.task}_{item.id}"


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text without its tags; punctuation stays with its word.

    A Chinese character is a word; so is a run of letters and digits between blanks.

    >>> words_of("我有6000块，“想存”。")
    ('我', '有', '6000', '块，', '“想', '存”。')
    >>> words_of("Well [sigh] it's — 'fine'.")
    ('Well', "it's—", "'fine'.")
    """
    words: list[str] = []
    opening = ""
    for chunk in strip_tags(text).split():
        first = len(words) if any(map(_is_word_sign, chunk)) else -1  # punctuation alone belongs to the word before
        joins = False  # whether a letter or digit goes on the last word
        for sign in chunk:
            han = _HAN.match(sign) is not None
            if not _is_word_sign(sign):
                if not words or opening or len(words) == first or unicodedata.category(sign) in _OPENING:
                    opening, joins = opening + sign, False
                else:
                    words[-1] += sign
            elif joins and not han:
                words[-1] += sign
            else:
                words.append(opening + sign)
                opening, joins = "", not han
    if opening and words:
        words[-1] += opening
    return tuple(words)


def _is_word_sign(sign: str) -> bool:
    return sign.isalnum() or _HAN.match(sign) is not None


def proportional_words(text: str, span: Span, pauses: Sequence[Span] = ()) -> tuple[Word, ...]:
    """Words with times spread over ``span`` in proportion to their letters and digits: a guess, no alignment.

    Args:
        text: tags count nothing; ``[break]`` marks where a pause lies.
        span: seconds in which the text is spoken.
        pauses: silences inside the span. Where there is one per ``[break]``, the words before and after
            each are spread over what is left on its side; else pauses are passed over.

    Returns:
        Ascending, adjacent within a piece, ending with it. Empty for a text without words.
    """
    pieces, spans = text.split(BREAK_TAG), spoken_spans(span, pauses)
    if len(pieces) != len(spans):
        pieces, spans = [text], (span,)
    return tuple(word for piece, part in zip(pieces, spans, strict=True) for word in _spread(words_of(piece), part))


def spoken_spans(span: Span, pauses: Sequence[Span]) -> tuple[Span, ...]:
    """What is left of ``span`` without the pauses that lie inside it, ascending."""
    spans, start = [], span.start
    for pause in sorted(pauses):
        if start < pause.start < pause.stop < span.stop:
            spans.append(Span(start, pause.start))
            start = pause.stop
    return (*spans, Span(start, span.stop))


def _spread(words: Sequence[str], span: Span) -> Iterator[Word]:
    weights = [sum(map(_is_word_sign, word)) for word in words]
    done, start = 0, span.start
    for word, weight in zip(words, weights, strict=True):
        done += weight
        reached = span.start + (span.stop - span.start) * done / sum(weights)
        stop = span.stop if done == sum(weights) else round(reached, TIME_DECIMALS)
        yield Word(word, start, stop)
        start = stop


def length(start: float, stop: float) -> float:
    """Seconds between two times, free of the dust of floating point."""
    return round(stop - start, TIME_DECIMALS)


def write_text(path: Path, text: str) -> None:
    """A new UTF-8 file with LF.

    Raises:
        ExportError: it is there already, so two items have one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as handle:
            handle.write(text)
    except FileExistsError as error:
        raise ExportError(_twice(path)) from error


def write_audio(path: Path, samples: Samples, sample_rate: int = SAMPLE_RATE_HZ) -> None:
    """A new RIFF WAV, PCM 16-bit, of ``[n]`` or ``[n, channels]`` samples.

    Raises:
        ExportError: it is there already, so two items have one name.
    """
    if path.exists():
        raise ExportError(_twice(path))
    write_wav(path, samples, sample_rate)


def _twice(path: Path) -> str:
    return f"{path.stem} stands twice in the release; names in an export are unique, so remove or rename one of them"


class LineFiles:
    """JSONL files below a directory, opened when first written to. ``.gz`` files carry no time and no name."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._stack = ExitStack()
        self._files: dict[str, IO[bytes] | gzip.GzipFile] = {}

    def write(self, relative: str, value: object) -> None:
        """Append one value as a line of JSON, Chinese visible."""
        if relative not in self._files:
            self._files[relative] = self._open(self._target / relative)
        self._files[relative].write(dump_json(value).encode("utf-8") + b"\n")

    def _open(self, path: Path) -> IO[bytes] | gzip.GzipFile:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = self._stack.enter_context(path.open("xb"))
        if path.suffix != ".gz":
            return file
        return self._stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
