"""Raw bytes of manifests: what aborts the consumers before they see a single field (FORMATS.md 0)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from data_schemas.finding import Finding
from validators.codes import Judge

VALIDATOR = "manifests/1"

_BOM = b"\xef\xbb\xbf"


def judge_manifest(root: Path, manifest: Path) -> Iterator[Finding]:
    """One finding per bad line, its number in the message. Reads line by line."""
    name = manifest.relative_to(root).as_posix()
    judge = Judge(VALIDATOR, name, name)
    with manifest.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            problem = _problem(line)
            if problem:
                yield judge.say("SET.BAD_ROW", f"{name}:{number}: {problem}", value=number)


def _problem(line: bytes) -> str | None:
    if line.startswith(_BOM):
        return "starts with a byte-order mark; save the file as UTF-8 without one"
    if not line.strip():
        return "blank line; the challenge's scripts abort on it, remove it"
    if line.endswith(b"\r\n"):
        return "ends with a carriage return; write LF line ends"
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at column {error.colno}"
    return None if isinstance(row, dict) else f"a JSON {type(row).__name__} instead of an object"
