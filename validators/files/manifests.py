"""Raw bytes of manifests: what aborts the consumers before they see a single field (FORMATS.md 0)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_schemas.finding import Finding
from data_schemas.foundation.base import RecordError
from data_schemas.layouts.rows import parse_row
from validators.core.codes import Judge
from validators.rows.rows import strict_json

VALIDATOR = "manifests/1"


def judge_manifest(root: Path, manifest: Path) -> Iterator[Finding]:
    """One finding per bad line, its number in the message. Reads line by line."""
    name = manifest.relative_to(root).as_posix()
    judge = Judge(VALIDATOR, name, name)
    try:
        with manifest.open("rb") as handle:
            for number, line in enumerate(handle, start=1):
                problem = _problem(line, f"{name}:{number}")
                if problem:
                    yield judge.say("SET.BAD_ROW", problem, value=number)
    except OSError as error:
        yield judge.say("SET.BAD_ROW", f"{name} cannot be read as a file of rows ({error.strerror})")


def _problem(line: bytes, where: str) -> str | None:
    try:
        parse_row(line, where)
        strict_json(line.decode("utf-8"))
    except RecordError as error:
        return str(error)
    except ValueError as error:
        return f"{where}: {error}; Python reads it, other readers do not"
    return f"{where}: ends with a carriage return; write LF line ends" if line.endswith(b"\r\n") else None
