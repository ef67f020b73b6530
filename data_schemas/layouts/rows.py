"""Reading the lines of a manifest without giving up on the first bad one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from data_schemas.foundation.base import RecordError

_BOM = b"\xef\xbb\xbf"
_SURROGATE = rb"\ud"


def read_rows(path: Path, problems: list[RecordError] | None) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield (line number, row) for every line that is a JSON object.

    A line that is not (blank, byte-order mark, broken JSON, not UTF-8), or a file that cannot be opened, is appended to
    ``problems``; without a list it is raised.

    Raises:
        RecordError: naming file, line and way out.
    """
    for number, raw in _lines(path, problems):
        try:
            yield number, parse_row(raw, f"{path}:{number}")
        except RecordError as error:
            if problems is None:
                raise
            problems.append(error)


def _lines(path: Path, problems: list[RecordError] | None) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; a manifest that cannot be opened has none."""
    try:
        with path.open("rb") as handle:
            yield from enumerate(handle, start=1)
    except OSError as error:
        refusal = RecordError(f"{path}: cannot be read ({error.strerror}); a manifest is a file of JSON lines")
        if problems is None:
            raise refusal from error
        problems.append(refusal)


def parse_row(raw: bytes, where: str) -> dict[str, object]:
    """One line of a manifest as it stands in the file; ``where`` names it in the error.

    Raises:
        RecordError: the line is not a JSON object that can be read and written again.
    """
    if raw.startswith(_BOM):
        raise RecordError(f"{where}: starts with a byte-order mark; save the file as UTF-8 without BOM")
    if not raw.strip():
        raise RecordError(f"{where}: blank line; the challenge's scripts abort on it, remove it")
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: not UTF-8 ({error.reason} at byte {error.start}); convert the file") from error
    except ValueError as error:
        raise RecordError(f"{where}: not JSON ({error}); one object per line") from error
    except RecursionError as error:
        raise RecordError(f"{where}: nested too deeply to be a row; remove the line") from error
    if not isinstance(value, dict):
        raise RecordError(f"{where}: must be a JSON object, not {type(value).__name__}")
    if _SURROGATE in raw.lower() and not _is_text(value):
        raise RecordError(f"{where}: holds half of a surrogate pair, which is no character; rewrite the text")
    return value


def _is_text(value: object) -> bool:
    """Whether every string in a JSON value can be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
