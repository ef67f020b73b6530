"""Texts that must not come back: published test sets and whatever else a person names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_schemas.foundation.base import RecordError

_KINDS = (".json", ".jsonl", ".txt")
#: Keys whose strings are spoken or read as speech: our scripts and manifests, Track 1 rows, sentence.json and
#: Full-Duplex-Bench files (FORMATS.md A.4, B.2, E).
_TEXT_KEYS = (
    "text",
    "input_text",
    "response_text",
    "response_txt",
    "context_text",
    "current_turn_text",
    "context",
    "interrupt",
    "planned_text",
)
#: Keys of the lists in which such objects stand.
_LIST_KEYS = ("turns", "lines", "speech_segments", "segments", "messages")


def read_exclusions(paths: Iterable[Path], root: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield (place, text) of every text in files and directories; a place is ``file:line``.

    Args:
        paths: .jsonl (one row a line), .json (one value; the line is the number of the text), .txt (one text a
            line) or directories, which are searched recursively for those.
        root: what relative paths start from; places are shown relative to it.

    Raises:
        RecordError: a path does not exist, is of another kind, is not UTF-8 or not JSON, or holds no text.
    """
    base = root or Path()
    for path in paths:
        full = base / path
        files = _files(full)
        count = 0
        for file in files:
            for place, text in _texts_of(file, _shown(file, base)):
                count += 1
                yield place, text
        if not count:
            raise RecordError(f"{full}: holds no text to exclude; name .jsonl, .json or .txt files with texts")


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in _KINDS and file.is_file())
    if not path.is_file():
        raise RecordError(f"{path}: does not exist; correct the path of the texts to exclude")
    if path.suffix not in _KINDS:
        raise RecordError(f"{path}: is none of {', '.join(_KINDS)}; convert the texts to exclude to one of them")
    return [path]


def _texts_of(file: Path, shown: str) -> Iterator[tuple[str, str]]:
    if file.suffix == ".json":
        for number, text in enumerate(_walk(_parse(_read(file), shown)), start=1):
            yield f"{shown}:{number}", text
        return
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        place = f"{shown}:{number}"
        for text in [line.strip()] if file.suffix == ".txt" else _walk(_parse(line, place)):
            yield place, text


def _lines(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8-sig") as handle:
            yield from handle
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> RecordError:
    return RecordError(f"{file}: cannot be read as UTF-8 text ({error}); save the texts to exclude as UTF-8")


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordError(f"{place}: is not JSON ({error.msg}); correct it or leave the file out") from error


def _walk(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _walk(inner)
    elif isinstance(value, dict):
        for key in _TEXT_KEYS:
            if isinstance(value.get(key), str) and value[key].strip():
                yield value[key]
        for key in _LIST_KEYS:
            yield from _walk(value.get(key))


def _shown(file: Path, base: Path) -> str:
    return (file.relative_to(base) if file.is_relative_to(base) else file).as_posix()
