"""Where scripts go while they are made: accepted ones, quarantine and usage, each a JSONL file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from data_schemas.foundation.base import Record
from data_schemas.script import Script
from flows.common.atomic import atomic_file
from generators.scripts.frozen import FrozenScripts, ScriptLine, line_digest, place_of

ACCEPTED_FILE = "accepted.jsonl"
QUARANTINE_FILE = "quarantine.jsonl"
USAGE_FILE = "usage.jsonl"
FILES = (ACCEPTED_FILE, QUARANTINE_FILE, USAGE_FILE)
#: what the files are called while they are written
WRITING = ".writing"


class ScriptSpool:
    """Three files below one folder, begun anew by every run: the answer store is what lasts.

    They grow under other names while somebody is `writing`, and take their own when that ends: whoever opens them, at
    any time and after any kill, finds them as they were or as they are, and no file is open in between. Memory holds
    ids and offsets of the accepted scripts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines: dict[str, ScriptLine] = {}
        self._open: dict[str, IO[bytes]] = {}
        self._begun = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Scripts can be accepted and rejected inside; what was is kept even if an error leads out."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            partial = self.folder / (name + WRITING)
            if self._begun:
                shutil.copyfile(self.folder / name, partial)
            self._open[name] = partial.open("ab" if self._begun else "wb")
        try:
            yield
        finally:
            opened, self._open = self._open, {}
            for handle in opened.values():
                with handle:
                    handle.flush()
                    os.fsync(handle.fileno())
            for name in opened:
                os.replace(self.folder / (name + WRITING), self.folder / name)
            self._begun = True

    def accept(self, script: Script, usage: Record) -> None:
        """Keep a script, and beside it what it took."""
        line = script.to_json_line().encode()
        handle = self._open[ACCEPTED_FILE]
        self._lines[script.script_id] = ScriptLine(
            place_of(script), self.folder / ACCEPTED_FILE, handle.tell(), len(line), line_digest(line)
        )
        handle.write(line + b"\n")
        self._open[USAGE_FILE].write((usage.to_json_line() + "\n").encode())

    def reject(self, entry: Record) -> None:
        self._open[QUARANTINE_FILE].write((entry.to_json_line() + "\n").encode())

    @property
    def accepted_ids(self) -> tuple[str, ...]:
        """Ids in the order of the frozen file: by name, whatever the order of acceptance."""
        return tuple(sorted(self._lines))

    def freeze(self, target: Path) -> FrozenScripts:
        """Write all accepted scripts to ``target``, whole or not at all."""
        frozen: dict[str, ScriptLine] = {}
        with atomic_file(target) as out, ExitStack() as stack:
            source = stack.enter_context((self.folder / ACCEPTED_FILE).open("rb")) if self._lines else None
            for script_id in self.accepted_ids:
                assert source is not None
                line = self._lines[script_id]
                frozen[script_id] = line._replace(path=target, offset=out.tell())
                source.seek(line.offset)
                out.write(source.read(line.length) + b"\n")
        return FrozenScripts(frozen)
