"""Which items errors about a whole set speak of: these are replaced; what is about nobody stops a release."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from data_schemas.finding import Finding, Severity
from data_schemas.tasks import Language


class ItemName(NamedTuple):
    """What findings call an item. Ids of Track 2 (``GGGG_IIII``) may stand in both languages."""

    language: Language
    id: str  # in its layout
    script_id: str | None = None  # judges of scripts name this


def blamed_items(findings: Iterable[Finding], items: Iterable[ItemName]) -> dict[ItemName, tuple[Finding, ...]]:
    """Errors by the item of the set they name, in the order given.

    An id that two items have is told apart by the language in the path of the finding's file; where the path does not
    say it, both are blamed. What `unblamed` gives is the rest.

    >>> error = Finding(code="SET.TEXT_LEAK", severity="error", item="0001_0001", message="", validator="v/1",
    ...                 file="track2/zh/dev/Pause_Handling.jsonl")
    >>> found = blamed_items([error], [ItemName(Language.ZH, "0001_0001"), ItemName(Language.EN, "0001_0001")])
    >>> [item.language.value for item in found]
    ['zh']
    """
    names = _by_name(items)
    blamed: dict[ItemName, list[Finding]] = {}
    for finding in _errors(findings):
        for item in _named(finding, names):
            blamed.setdefault(item, []).append(finding)
    return {item: tuple(blamed[item]) for item in sorted(blamed, key=str)}


def unblamed(findings: Iterable[Finding], items: Iterable[ItemName]) -> tuple[Finding, ...]:
    """Errors that name no item of the set: counts, columns, speakers, files. No other item mends them."""
    names = _by_name(items)
    return tuple(finding for finding in _errors(findings) if finding.item not in names)


def _errors(findings: Iterable[Finding]) -> Iterable[Finding]:
    return (finding for finding in findings if finding.severity is Severity.ERROR)


def _by_name(items: Iterable[ItemName]) -> dict[str, list[ItemName]]:
    names: dict[str, list[ItemName]] = {}
    for item in items:
        for name in {item.id, item.script_id} - {None}:
            names.setdefault(str(name), []).append(item)
    return names


def _named(finding: Finding, names: dict[str, list[ItemName]]) -> list[ItemName]:
    found = names.get(finding.item, [])
    if len(found) > 1 and finding.file is not None:
        parts = re.split("[/-]", finding.file)  # layouts have folders "zh" and "HD-Track1-dev-zh"
        return [item for item in found if item.language.value in parts] or found
    return found
