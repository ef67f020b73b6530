"""The frozen script-file format: UTF-8 JSONL, one `data_schemas.script.Script` per line.

The shipped packs, the output of ``humdial scripts`` and the input of a replay are all this
one format, so "regenerate from frozen scripts" and "first run" are one mechanism.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from data_schemas.foundation.base import RecordError, parse_line, write_jsonl
from data_schemas.script import Script

_WAY_OUT = (
    "correct that line, or compare it with the shipped packs in generators/scripts/packs; "
    "every field is described in data_schemas/script.py"
)


class PlacedScript(NamedTuple):
    """A script and the line it stands on."""

    script: Script
    path: Path
    #: bytes from the start of the file
    offset: int
    #: the line, without its end
    text: bytes


def read_script_file(path: Path) -> tuple[Script, ...]:
    """All scripts of one file, in file order.

    Raises:
        RecordError: naming ``file:line``, the field and the way out; also for a script_id
            that stands twice and for a file that cannot be read or holds nothing.
    """
    return read_script_files((path,))


def read_script_files(paths: Iterable[Path]) -> tuple[Script, ...]:
    """The scripts of several files, in the order given; ids must be unique over all of them.

    Raises:
        RecordError: as `read_script_file`; a script_id used twice names both places.
    """
    return tuple(line.script for line in script_lines(paths))


def script_lines(paths: Iterable[Path]) -> Iterator[PlacedScript]:
    """The scripts of several files with their places, one at a time; errors as `read_script_files`."""
    seen: dict[str, tuple[Path, int]] = {}
    for path in paths:
        for number, line in enumerate(_lines_of(path), start=1):
            script_id = line.script.script_id
            if script_id in seen:
                first, at = seen[script_id]
                raise RecordError(
                    f"{path}:{number}: script_id {script_id!r} is already used at {first}:{at}; "
                    "give one of the two another id, or leave one file out of scripts.pack"
                )
            seen[script_id] = (path, number)
            yield line


def write_script_file(path: Path, scripts: Iterable[Script]) -> int:
    """Write scripts one per line; returns how many."""
    return write_jsonl(path, scripts)


def _lines_of(path: Path) -> Iterator[PlacedScript]:
    offset = 0
    try:
        with path.open("rb") as handle:
            for number, line in enumerate(handle, start=1):
                script = parse_line(line.decode(), Script, where=f"{path}:{number}")
                yield PlacedScript(script, path, offset, line.removesuffix(b"\n"))
                offset += len(line)
    except RecordError as error:
        raise RecordError(f"{' '.join(str(error).split())}; {_WAY_OUT}") from error
    except FileNotFoundError:
        raise RecordError(f"{path}: no such script file; check scripts.pack") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read as a UTF-8 script file: {error}") from error
    if not offset:
        raise RecordError(f"{path}: holds no scripts; remove it from scripts.pack or fill it")
