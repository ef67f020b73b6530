"""Records on disk that carry a hash of themselves: what was changed or cut off is told from what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from data_schemas.foundation.base import Record
from flows.common.atomic import write_text_atomic

R = TypeVar("R", bound=Record)


def write_sealed(path: Path, record: Record) -> None:
    """Two lines: the SHA-256 of the second one, and the record as JSON. Whole or not at all."""
    body = record.to_json_line()
    write_text_atomic(path, f"{_hash(body)}\n{body}\n")


def read_sealed(path: Path, kind: type[R]) -> R | None:
    """The record; None where there is no such file, or not the one that was written."""
    try:
        seal, _, body = path.read_text(encoding="utf-8").partition("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    body = body.removesuffix("\n")
    if seal != _hash(body):
        return None
    try:
        return kind.from_json_line(body)
    except ValidationError:  # of another version
        return None


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
