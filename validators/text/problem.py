"""What a rule says about a text, before it becomes a finding."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """What a rule says about one field."""

    code: str
    clause: str
    value: float | None = None
    threshold: float | None = None
