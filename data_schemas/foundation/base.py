"""What every record shares: frozen, strict about keys, readable JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

R = TypeVar("R", bound="Record")


class RecordError(ValueError):
    """A file does not hold what its name promises. The text names file, line, field and way out."""


class Record(BaseModel):
    """An immutable value with named fields; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    def to_json_line(self) -> str:
        """One line of UTF-8 JSON, Chinese visible, key order = field order."""
        return dump_json(self.model_dump(mode="json"))

    @classmethod
    def from_json_line(cls, line: str) -> Self:
        return cls.model_validate_json(line)


def dump_json(value: Any) -> str:
    """The only JSON spelling we write: compact, ``ensure_ascii=False``, no NaN."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def describe_validation_error(error: ValidationError) -> str:
    """One readable clause per problem: ``field.path: what is wrong (got value)``."""
    clauses = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"]) or "(whole record)"
        message = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
        clauses.append(f"{field}: {message}")
    return "; ".join(clauses)


def read_jsonl(path: Path, kind: type[R]) -> Iterator[R]:
    """Yield one record per line.

    Raises:
        RecordError: naming the file, the line and the field, for a blank line,
            a byte-order mark, broken JSON or a record that does not validate.
    """
    with path.open(encoding="utf-8", newline="\n") as handle:
        for number, line in enumerate(handle, start=1):
            yield parse_line(line, kind, where=f"{path}:{number}")


def parse_line(line: str, kind: type[R], where: str) -> R:
    """Parse one JSONL line; ``where`` names it in the error."""
    if line.startswith("\ufeff"):
        raise RecordError(f"{where}: starts with a byte-order mark; save the file as UTF-8 without BOM")
    if not line.strip():
        raise RecordError(f"{where}: blank line; the challenge's scripts abort on it, remove it")
    try:
        return kind.from_json_line(line)
    except ValidationError as error:
        raise RecordError(f"{where}: {describe_validation_error(error)}") from error


def write_jsonl(path: Path, records: Iterable[Record]) -> int:
    """Write records one per line (UTF-8, LF); returns how many."""
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for record in records:
            handle.write(record.to_json_line() + "\n")
            count += 1
    return count
