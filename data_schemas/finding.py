"""`Finding`: what a judge has to say about one item."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from data_schemas.foundation.base import Record


class Severity(StrEnum):
    ERROR = "error"  # the item is rejected
    WARNING = "warning"  # released, and reported
    INFO = "info"


class Finding(Record):
    """A stable code, where it was seen and what was measured against which threshold."""

    code: str
    severity: Severity
    item: str  # item id, or file path relative to the root for whole-file findings
    message: str
    file: str | None = None
    start: float | None = None  # seconds
    stop: float | None = None  # seconds
    value: float | None = None
    threshold: float | None = None
    validator: str  # "<module>/<version>"


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """By item, code, time and words: the order findings are published and shown in."""
    return sorted(findings, key=lambda finding: (finding.item, finding.code, finding.start or 0.0, finding.message))
