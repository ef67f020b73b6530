"""Where scripts go while they are made: accepted ones and quarantine, each a JSONL file that grows on disk."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from data_schemas.foundation.base import Record
from data_schemas.script import Script
from flows.common.atomic import atomic_file

ACCEPTED_FILE = "accepted.jsonl"
QUARANTINE_FILE = "quarantine.jsonl"
USAGE_FILE = "usage.jsonl"


class ScriptSpool:
    """Three files below one folder, begun anew by every run: the answer store is what lasts.

    Memory holds one (id, offset, length) per accepted script.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._accepted: IO[bytes] = (folder / ACCEPTED_FILE).open("w+b")
        self._quarantine: IO[bytes] = (folder / QUARANTINE_FILE).open("wb")
        self._usage: IO[bytes] = (folder / USAGE_FILE).open("wb")
        self._places: dict[str, tuple[int, int]] = {}

    def accept(self, script: Script, usage: Record) -> None:
        """Keep a script, and beside it what it took."""
        self._usage.write((usage.to_json_line() + "\n").encode())
        line = (script.to_json_line() + "\n").encode()
        self._accepted.seek(0, 2)
        self._places[script.script_id] = (self._accepted.tell(), len(line))
        self._accepted.write(line)

    def reject(self, entry: Record) -> None:
        self._quarantine.write((entry.to_json_line() + "\n").encode())

    @property
    def accepted_ids(self) -> tuple[str, ...]:
        """Ids in the order of the frozen file: by name, whatever the order of acceptance."""
        return tuple(sorted(self._places))

    def script(self, script_id: str) -> Script:
        """Read one accepted script back."""
        return Script.from_json_line(self._line(script_id).decode())

    def freeze(self, target: Path) -> int:
        """Write all accepted scripts to ``target``, whole or not at all; returns how many."""
        self.flush()
        with atomic_file(target) as file:
            for script_id in self.accepted_ids:
                file.write(self._line(script_id))
        return len(self._places)

    def flush(self) -> None:
        self._accepted.flush()
        self._quarantine.flush()
        self._usage.flush()

    def close(self) -> None:
        self._accepted.close()
        self._quarantine.close()
        self._usage.close()

    def _line(self, script_id: str) -> bytes:
        offset, length = self._places[script_id]
        self._accepted.seek(offset)
        return self._accepted.read(length)
