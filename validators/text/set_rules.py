"""Rules about texts that stand twice, in one script or in a set, and questions that begin alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from data_schemas.finding import Finding
from data_schemas.plan import QUESTION_TASKS
from data_schemas.script import Script
from data_schemas.tasks import Language, Part, Task
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.text.texts import fields, joined, units

VALIDATOR = "scripts.set_rules/1"
#: Lines that people really repeat word for word.
REPEATABLE_PARTS = frozenset({Part.BACKCHANNEL})
#: How many opening words (English) or characters (Chinese) make two questions begin alike.
QUESTION_OPENING = {Language.EN: 3, Language.ZH: 4}
#: From this many questions on a share says something.
MIN_QUESTIONS = 8


def repeated_texts(scripts: tuple[Script, ...]) -> Iterator[Finding]:
    """A finding for each later place of words that were said before, backchannels apart."""
    first: dict[tuple[Language, tuple[str, ...]], tuple[str, str]] = {}
    for script in scripts:
        judge = Judge(VALIDATOR, script.script_id)
        for field in fields(script):
            if field.part in REPEATABLE_PARTS:
                continue
            key = (script.language, units(field.text, script.language))
            before = first.setdefault(key, (script.script_id, field.name))
            if before == (script.script_id, field.name):
                continue
            where = before[1] if before[0] == script.script_id else f"{before[0]} {before[1]}"
            yield judge.say("SCRIPT.REPEATED", f"{field.name}: the same words stand in {where}: {field.text!r}")


def questions_alike(scripts: tuple[Script, ...], thresholds: Thresholds) -> Iterator[Finding]:
    """A finding for each task and language whose final questions begin alike too often."""
    openings: dict[tuple[Task, Language], list[tuple[str, ...]]] = defaultdict(list)
    for script in scripts:
        if script.task in QUESTION_TASKS:
            opening = units(script.turns[-1].text, script.language)[: QUESTION_OPENING[script.language]]
            openings[script.task, script.language].append(opening)
    for (task, language), found in sorted(openings.items()):
        opening, count = Counter(found).most_common(1)[0]
        share = count / len(found)
        if len(found) >= MIN_QUESTIONS and share > thresholds.max_opening_share:
            yield Judge(VALIDATOR, f"{language}/{task}").say(
                "SCRIPT.COLLAPSE",
                f"{count} of the {len(found)} final questions of {language} {task} begin with "
                f"{joined(opening, language)!r}; vary their wording",
                value=share,
                threshold=thresholds.max_opening_share,
            )
