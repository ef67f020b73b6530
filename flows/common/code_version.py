"""Which code made a release: the package version and a hash over our own sources."""

from __future__ import annotations

import hashlib
from pathlib import Path

VERSION = "0.1.0"
_ROOMS = ("data_schemas", "generators", "validators", "flows")
_SUFFIXES = frozenset({".py", ".yaml", ".json", ".md"})
_HASH_DIGITS = 12


def code_version() -> str:
    """``<version>+<hash>``; the hash covers every source, data table, prompt and example of the four rooms.

    Independent of git, of the install location and of file times.
    """
    home = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((home / room).rglob("*")):
            if path.suffix in _SUFFIXES and "__pycache__" not in path.parts:
                digest.update(path.relative_to(home).as_posix().encode() + b"\0")
                digest.update(path.read_bytes() + b"\0")
    return f"{VERSION}+{digest.hexdigest()[:_HASH_DIGITS]}"
