"""How scripts begin: the first words of the first user line, and a cap on how often one beginning may come."""

from __future__ import annotations

import math
from collections import Counter

from data_schemas.finding import Finding
from data_schemas.script import Script
from data_schemas.tasks import Language, Role, Task
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.text.texts import fields, units

VALIDATOR = "scripts.openings/1"
#: Words (English) or characters (Chinese) that make two lines begin alike (CHOICE).
OPENING_UNITS = {Language.EN: 2, Language.ZH: 3}
#: As often as this an opening may come in any set, however small.
FREE_USES = 2


def opening_of(script: Script) -> str:
    """The first words of the first thing the user says."""
    first = next(field.text for field in fields(script) if field.role is Role.USER)
    found = units(first, script.language)[: OPENING_UNITS[script.language]]
    return ("" if script.language is Language.ZH else " ").join(found)


class OpeningCap:
    """Counts the openings of accepted scripts per task and language."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._share = thresholds.max_opening_share
        self._seen: Counter[tuple[Task, Language, str]] = Counter()

    def judge(self, script: Script, wanted: int) -> tuple[Finding, ...]:
        """A finding when the opening is used up.

        Args:
            wanted: how many scripts of this task and language the set shall have.
        """
        opening = opening_of(script)
        allowed = max(FREE_USES, math.floor(self._share * wanted))
        used = self._seen[script.task, script.language, opening]
        if used < allowed:
            return ()
        return (
            Judge(VALIDATOR, script.script_id).say(
                "SCRIPT.COLLAPSE",
                f"{used} of the {wanted} {script.language} {script.task} scripts already begin with {opening!r}; "
                "begin the first line with other words",
                value=(used + 1) / wanted,
                threshold=self._share,
            ),
        )

    def add(self, script: Script) -> None:
        self._seen[script.task, script.language, opening_of(script)] += 1
