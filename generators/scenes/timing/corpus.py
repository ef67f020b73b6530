"""Who spoke when in a real conversation: RTTM and Praat TextGrid files as intervals in seconds.

The readers are our own and strict. pyannote.database's ``load_rttm`` hands the file to pandas:
broken rows become NaN or a pandas traceback, and no line is named. The TextGrid packages
(praatio, pympi-ling, textgrid) read long and short text too, but they forgive rather than say
which line is wrong, and their licences and extra weight buy nothing for eighty lines of code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data_schemas.foundation.base import Record

#: Row types of the NIST Rich Transcription format; only SPEAKER rows say who spoke when.
RTTM_TYPES = frozenset(
    {"SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER"}
    | {"EDIT", "IP", "SU", "CB", "A/P", "SPEAKER", "SPKR-INFO"}
)
#: What annotators and aligners write on a stretch without speech (lower case): nothing at all, the
#: silence words of Kaldi and the Montreal Forced Aligner, the pause mark of WebMAUS.
SILENCE_MARKS = frozenset({"", "sil", "sp", "<sil>", "<eps>", "<p:>"})

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_RTTM_FIELDS = (9, 10)  # RT-09 added the tenth, the look-ahead time


class CorpusError(ValueError):
    """A file does not hold what its name promises. The text names file, line and way out."""


class Interval(Record):
    """A stretch of speech of one speaker, in seconds."""

    speaker: str
    start_s: float
    stop_s: float


class Conversation(Record):
    """Everything that was said in one recording. ``intervals`` ascend by start, then stop."""

    name: str
    intervals: tuple[Interval, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        return tuple(sorted({interval.speaker for interval in self.intervals}))


def read_conversations(paths: Iterable[Path], speakers: tuple[str, ...] = ()) -> Iterator[Conversation]:
    """Every conversation of ``.rttm`` and ``.TextGrid`` files, in the order given.

    Args:
        speakers: speaker labels (RTTM) or tier names (TextGrid) to keep; empty keeps all. A TextGrid
            with tiers of words beside those of utterances needs it.

    Raises:
        CorpusError: a file that is missing, of another kind, broken, or without any speech.
    """
    for path in paths:
        suffix = path.suffix.lower()
        if suffix == ".rttm":
            found = read_rttm(path)
        elif suffix == ".textgrid":
            found = (read_textgrid(path),)
        else:
            raise CorpusError(f"{path}: is neither .rttm nor .TextGrid; name the files of one of these two kinds")
        kept = tuple(_only(conversation, speakers) for conversation in found)
        if not any(conversation.intervals for conversation in kept):
            whose = f" of {', '.join(speakers)}" if speakers else ""
            labels = sorted({label for conversation in found for label in conversation.speakers})
            has = f"; it has {', '.join(labels)}" if labels else ""
            raise CorpusError(f"{path}: holds no speech{whose}{has}")
        yield from (conversation for conversation in kept if conversation.intervals)


def read_rttm(path: Path) -> tuple[Conversation, ...]:
    """The SPEAKER rows of a NIST RTTM file, one conversation per recording named in it.

    Raises:
        CorpusError: naming the file and the line.
    """
    by_name: dict[str, list[Interval]] = {}
    for number, line in enumerate(_text(path).split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0].startswith(";;"):
            continue
        where = f"{path}:{number}"
        if fields[0] not in RTTM_TYPES:
            raise CorpusError(f"{where}: {fields[0]!r} is no RTTM row type; a stretch of speech begins with SPEAKER")
        if fields[0] != "SPEAKER":
            continue
        if len(fields) not in _RTTM_FIELDS:
            raise CorpusError(
                f"{where}: has {len(fields)} fields instead of 10: "
                "SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>"
            )
        start_s = _number(fields[3], where, "start")
        duration_s = _number(fields[4], where, "duration")
        interval = _interval(fields[7], start_s, start_s + duration_s, where)
        by_name.setdefault(fields[1], []).append(interval)
    return tuple(Conversation(name=name, intervals=_ascending(found)) for name, found in by_name.items())


def read_textgrid(path: Path) -> Conversation:
    """The interval tiers of a Praat TextGrid (long or short text), each tier one speaker.

    As in Praat, only free-standing numbers, quoted strings and ``<flags>`` count, so both
    spellings are read alike. Point tiers are passed over, and so are `SILENCE_MARKS`.

    Raises:
        CorpusError: naming the file and the line.
    """
    tokens = _Tokens(path, _text(path))
    if (tokens.string(), tokens.string()) != ("ooTextFile", "TextGrid"):
        raise tokens.error("is no Praat TextGrid in text form; save it from Praat with 'Save as text file...'")
    tokens.number("xmin")
    tokens.number("xmax")
    if tokens.flag() != "<exists>":
        return Conversation(name=path.stem, intervals=())
    found: list[Interval] = []
    names: set[str] = set()
    for _ in range(tokens.count("number of tiers")):
        kind = tokens.string()
        if kind not in {"IntervalTier", "TextTier"}:
            raise tokens.error(f"{kind!r} is no tier class; Praat has IntervalTier and TextTier")
        name = tokens.string().strip()
        if kind == "IntervalTier" and name in names:
            raise tokens.error(f"has a second tier {name!r}; a tier is a speaker, give each its own name")
        tokens.number("xmin")
        tokens.number("xmax")
        size = tokens.count(f"size of tier {name!r}")
        if kind == "IntervalTier":
            names.add(name)
            found += _tier(tokens, name, size)
        else:
            for _ in range(size):
                tokens.number("time")
                tokens.string()
    tokens.end()
    return Conversation(name=path.stem, intervals=_ascending(found))


def _tier(tokens: _Tokens, name: str, size: int) -> Iterator[Interval]:
    for _ in range(size):
        start_s = tokens.number("xmin")
        stop_s = tokens.number("xmax")
        interval = _interval(name, start_s, stop_s, tokens.where)
        if tokens.string().strip().lower() not in SILENCE_MARKS:
            yield interval


@dataclass(frozen=True)
class _Token:
    text: str
    line: int


class _Tokens:
    """The numbers, strings and flags of a Praat text file, one after the other."""

    # a string may hold doubled quotes and line ends; a comment runs from ! to the end of its line
    _PATTERN = re.compile(r'"(?:[^"]|"")*"|![^\n]*|\S+')

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._found = list(self._scan(text))
        self._next = 0
        self._line = 1

    def _scan(self, text: str) -> Iterator[_Token]:
        line, position = 1, 0
        for match in self._PATTERN.finditer(text):
            line += text.count("\n", position, match.start())
            position = match.start()
            found = match.group()
            if found.startswith('"'):
                if len(found) < 2 or not found.endswith('"'):  # noqa: PLR2004 - an opening and a closing quote
                    raise CorpusError(f"{self._path}:{line}: a quoted text is never closed")
                yield _Token(found, line)
            elif _NUMBER.fullmatch(found) or re.fullmatch(r"<\w+>", found):
                yield _Token(found, line)

    @property
    def where(self) -> str:
        return f"{self._path}:{self._line}"

    def error(self, problem: str) -> CorpusError:
        return CorpusError(f"{self.where}: {problem}")

    def _take(self, wanted: str) -> str:
        if self._next >= len(self._found):
            raise self.error(f"the file ends where {wanted} should stand; it was cut short or is no TextGrid")
        token = self._found[self._next]
        self._next += 1
        self._line = token.line
        return token.text

    def string(self) -> str:
        text = self._take("a quoted text")
        if not text.startswith('"'):
            raise self.error(f"{text} stands where a quoted text should")
        return text[1:-1].replace('""', '"')

    def number(self, wanted: str) -> float:
        text = self._take(wanted)
        if text.startswith(('"', "<")):
            raise self.error(f"{text} stands where a number ({wanted}) should")
        return _number(text, self.where, wanted)

    def count(self, wanted: str) -> int:
        value = self.number(wanted)
        if value != int(value) or value < 0:
            raise self.error(f"{wanted} must be a whole number, not {value:g}")
        return int(value)

    def flag(self) -> str:
        text = self._take("<exists>")
        if not text.startswith("<"):
            raise self.error(f"{text} stands where <exists> should")
        return text

    def end(self) -> None:
        if self._next < len(self._found):
            self._line = self._found[self._next].line
            raise self.error("has more in it than its sizes say; save it again from Praat")


def _text(path: Path) -> str:
    """The text of a file: UTF-8 with or without mark, or UTF-16 with mark, as Praat saves Chinese."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path}: no such file") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror}") from error
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path}:{line}: is not {encoding.removesuffix('-sig').upper()} text; save it as UTF-8"
        ) from (error)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _number(text: str, where: str, field: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise CorpusError(f"{where}: {field} {text!r} is no number of seconds")
    return value


def _interval(speaker: str, start_s: float, stop_s: float, where: str) -> Interval:
    if start_s < 0.0:
        raise CorpusError(f"{where}: starts at {start_s:g} s, before the recording")
    if stop_s <= start_s:
        raise CorpusError(f"{where}: ends at {stop_s:g} s, not after its start at {start_s:g} s")
    return Interval(speaker=speaker, start_s=start_s, stop_s=stop_s)


def _ascending(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    return tuple(sorted(intervals, key=lambda each: (each.start_s, each.stop_s, each.speaker)))


def _only(conversation: Conversation, speakers: tuple[str, ...]) -> Conversation:
    if not speakers:
        return conversation
    kept = tuple(interval for interval in conversation.intervals if interval.speaker in speakers)
    return Conversation(name=conversation.name, intervals=kept)
