"""Files are written under another name beside their place and renamed; what a killed process left of that is swept."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

_NAME = re.compile(r"\..+\.(\d+)-[0-9a-f]{16}\.partial")


def partial_name(path: Path) -> Path:
    """A name beside ``path`` that nobody else has, by which `sweep_partial` knows the process that writes it."""
    return path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(8)}.partial"


def sweep_partial(root: Path) -> int:
    """Remove files below ``root`` that were being written by processes which are gone; returns how many.

    To be called by whoever is alone with ``root`` on its machine.
    """
    swept = 0
    for folder, _, names in os.walk(root):
        for name in names:
            found = _NAME.fullmatch(name)
            if found is not None and not _is_alive(int(found[1])):
                Path(folder, name).unlink(missing_ok=True)
                swept += 1
    return swept


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # of somebody else; no process of any machine
        return True
    return True
