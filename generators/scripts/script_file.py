"""The frozen script-file format: UTF-8 JSONL, one `data_schemas.script.Script` per line.

The shipped packs, the output of ``humdial scripts`` and the input of a replay are all this
one format, so "regenerate from frozen scripts" and "first run" are one mechanism.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from data_schemas.foundation.base import RecordError, read_jsonl, write_jsonl
from data_schemas.script import Script

_WAY_OUT = (
    "correct that line, or compare it with the shipped packs in generators/scripts/packs; "
    "every field is described in data_schemas/script.py"
)


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
    seen: dict[str, str] = {}
    scripts: list[Script] = []
    for path in paths:
        for place, script in _placed_scripts(path):
            if script.script_id in seen:
                raise RecordError(
                    f"{place}: script_id {script.script_id!r} is already used at {seen[script.script_id]}; "
                    "give one of the two another id, or leave one file out of scripts.pack"
                )
            seen[script.script_id] = place
            scripts.append(script)
    return tuple(scripts)


def write_script_file(path: Path, scripts: Iterable[Script]) -> int:
    """Write scripts one per line; returns how many."""
    return write_jsonl(path, scripts)


def _placed_scripts(path: Path) -> Iterator[tuple[str, Script]]:
    """Each script with the ``file:line`` it stands at."""
    empty = True
    try:
        for number, script in enumerate(read_jsonl(path, Script), start=1):
            empty = False
            yield f"{path}:{number}", script
    except RecordError as error:
        raise RecordError(f"{' '.join(str(error).split())}; {_WAY_OUT}") from error
    except FileNotFoundError:
        raise RecordError(f"{path}: no such script file; check scripts.pack") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read as a UTF-8 script file: {error}") from error
    if empty:
        raise RecordError(f"{path}: holds no scripts; remove it from scripts.pack or fill it")
