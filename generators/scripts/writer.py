"""`ScriptWriter`: what turns a plan into a script. The pack writer is one; an LLM writer is another."""

from __future__ import annotations

from typing import Protocol

from data_schemas.plan import DialoguePlan
from data_schemas.script import Script


class ScriptError(ValueError):
    """A plan asks for a script that its writer cannot give. The text says what differs."""


class ScriptWriter(Protocol):
    """A pure function of the plan: the same plan gives the same script."""

    def write(self, plan: DialoguePlan) -> Script:
        """The script of ``plan``; its outline equals ``plan.outline``.

        Raises:
            ScriptError: the writer has no script for this plan.
        """
        ...
