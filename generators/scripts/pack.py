"""`PackWriter`: replays the frozen script that a plan names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Self

from data_schemas.plan import DialoguePlan, Outline
from data_schemas.script import Script
from generators.scripts.writer import ScriptError


class PackWriter:
    """A `ScriptWriter` over scripts that exist: held in memory, or `over` a mapping that reads them when asked."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self._scripts: Mapping[str, Script] = MappingProxyType({script.script_id: script for script in scripts})

    @classmethod
    def over(cls, scripts: Mapping[str, Script]) -> Self:
        """A writer that looks scripts up by their ids, e.g. in `frozen.FrozenScripts`."""
        writer = cls(())
        writer._scripts = scripts
        return writer

    def write(self, plan: DialoguePlan) -> Script:
        """The script named by ``plan.outline.script_id``.

        Raises:
            ScriptError: the plan names no script, the packs lack it, or the script was
                edited after the plan was made, so that its outline differs.
        """
        script_id = plan.outline.script_id
        if script_id is None:
            raise ScriptError(
                f"plan {plan.id}: outline.script_id is empty, and the pack writer only replays "
                "named scripts; plan from the pack's outlines"
            )
        script = self._scripts.get(script_id)
        if script is None:
            raise ScriptError(
                f"plan {plan.id}: script {script_id!r} is in none of the packs of this build; "
                "add the file that holds it to scripts.pack, or plan again"
            )
        outline = script.outline()
        if outline != plan.outline:
            raise ScriptError(
                f"plan {plan.id}: script {script_id!r} differs from its plan in "
                f"{'; '.join(_differences(plan.outline, outline))}; "
                "the script was edited after planning, so plan again"
            )
        return script


def _differences(planned: Outline, found: Outline) -> list[str]:
    return [
        f"{name} (planned {getattr(planned, name)!r}, script has {getattr(found, name)!r})"
        for name in Outline.model_fields
        if getattr(planned, name) != getattr(found, name)
    ]
