"""Frozen scripts by random access: what is held of each is its place and where its line lies, never its text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from data_schemas.foundation.base import RecordError
from data_schemas.plan import Place
from data_schemas.script import Script
from generators.scripts.script_file import script_lines

_DIGEST_BYTES = 8


class ScriptLine(NamedTuple):
    """Where the line of a script lies, and what it must be."""

    #: what the script can be used for
    place: Place
    path: Path
    #: bytes, from the start of the file; the length is without the line's end
    offset: int
    length: int
    #: of the line's bytes, see `line_digest`
    digest: int


class FrozenScripts(Mapping[str, Script]):
    """Scripts by id, in the order of their files; a script is read from its file each time it is asked for.

    Memory is some 600 bytes per script whatever its length. No file is held open, so it can be read from several
    threads and pickled.
    """

    def __init__(self, lines: Mapping[str, ScriptLine]) -> None:
        self._lines = dict(lines)

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Self:
        """The scripts of several files, each line of them checked once.

        Raises:
            RecordError: as `script_file.read_script_files`.
        """
        return cls(
            {
                line.script.script_id: ScriptLine(
                    place_of(line.script), line.path, line.offset, len(line.text), line_digest(line.text)
                )
                for line in script_lines(paths)
            }
        )

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __contains__(self, script_id: object) -> bool:
        return script_id in self._lines

    def __getitem__(self, script_id: str) -> Script:
        """
        Raises:
            KeyError: no such script.
            RecordError: its file is gone, or its line is no longer what it was.
        """
        line = self._lines[script_id]
        try:
            with line.path.open("rb") as handle:
                handle.seek(line.offset)
                text = handle.read(line.length)
        except OSError as error:
            raise RecordError(f"{line.path}: script {script_id} cannot be read back: {error}") from error
        if line_digest(text) != line.digest:
            raise RecordError(
                f"{line.path}: script {script_id} no longer lies where it was when the file was first read; "
                "do not edit scripts while they are in use, and run the same command again"
            )
        return Script.from_json_line(text.decode())

    @property
    def places(self) -> dict[str, Place]:
        """What each script can be used for, by id; no file is read for it."""
        return {script_id: line.place for script_id, line in self._lines.items()}

    def counts(self) -> Counter[Place]:
        """Scripts per place."""
        return Counter(line.place for line in self._lines.values())


def place_of(script: Script) -> Place:
    """What a script can be used for."""
    outline = script.outline()
    return Place(outline.task, outline.language, outline.turns)


def line_digest(text: bytes) -> int:
    """64 bits of BLAKE2b, enough to notice an edit."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest(), "big")
