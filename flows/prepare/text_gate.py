"""What texts alone decide is decided before a second of speech is made.

The judges of the whole set look at the release again when it is assembled.
"""

from __future__ import annotations

from collections.abc import Iterator

from data_schemas.finding import Finding, Severity
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.tags import strip_tags
from data_schemas.tasks import Role
from flows.config.build_config import BuildConfig
from flows.shards.job import BUILD_VALIDATOR, PlannedItem, Refused
from generators.scripts.writer import ScriptError, ScriptWriter
from validators.core.codes import Judge
from validators.sets.set_texts import spoken_words
from validators.text.near_duplicates import NearDuplicates
from validators.text.texts import fields
from validators.words.language import VALIDATOR as LANGUAGE
from validators.words.language import foreign_language

_SHOWN = 40


class TextGate:
    """Gives every plan its words, or says why not: near-duplicates, words in train and dev, another language.

    Memory: a signature per script (1.3 kB); no text is kept.
    """

    def __init__(self, config: BuildConfig, writer: ScriptWriter) -> None:
        self._config = config
        self._writer = writer
        self._near = NearDuplicates(config.validation)
        #: 63 bits of the user's words -> split and plan
        self._said: dict[int, tuple[str, str]] = {}

    def look_at(self, plan: DialoguePlan) -> PlannedItem:
        """The plan with its words, which count from now on as said; or with what is wrong with them."""
        try:
            script = self._writer.write(plan)
        except ScriptError as error:
            judge = Judge(BUILD_VALIDATOR, plan.id)
            return PlannedItem(plan=plan, words=Refused(findings=(judge.say("BUILD.SCRIPT_FAILED", str(error)),)))
        errors = tuple(found for found in self._findings(plan, script) if found.severity is Severity.ERROR)
        if errors:
            return PlannedItem(plan=plan, words=Refused(findings=errors))
        self._near.add(script)
        self._said.setdefault(_words(script), (plan.cell.split.value, plan.id))
        return PlannedItem(plan=plan, words=script)

    def _findings(self, plan: DialoguePlan, script: Script) -> Iterator[Finding]:
        for found in self._near.judge(script):
            yield found.model_copy(update={"item": plan.id, "message": f"{script.script_id}: {found.message}"})
        split, other = self._said.get(_words(script), (plan.cell.split.value, plan.id))
        if split != plan.cell.split.value:
            yield Judge(BUILD_VALIDATOR, plan.id).say(
                "SET.TEXT_LEAK", f"says in {plan.cell.split.value} what {other} says in {split}"
            )
        if "language" in self._config.validation.selected:
            yield from self._foreign(plan, script)

    def _foreign(self, plan: DialoguePlan, script: Script) -> Iterator[Finding]:
        thresholds = self._config.validation.at(
            self._config.layout_of(plan.task.track).name, self._config.speech.engine
        )
        for text in fields(script):
            foreign = foreign_language(strip_tags(text.text), script.language, thresholds)
            if foreign is not None:
                name, value, limit = foreign
                yield Judge(LANGUAGE, plan.id).say(
                    "LANGUAGE.TEXT",
                    f"{text.name}: {text.text[:_SHOWN]!r} is {name}, not {script.language.value}",
                    value=value,
                    threshold=limit,
                )


def _words(script: Script) -> int:
    """Over all that is said on the user's channel."""
    return spoken_words((one.text for one in fields(script) if one.role is not Role.ASSISTANT), script.language)
