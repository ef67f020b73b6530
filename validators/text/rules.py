"""Every rule a script must keep, without a model: pure functions that return findings.

What the records already refuse (shape, unknown tags, impossible trajectories) is not repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable

from data_schemas.finding import Finding
from data_schemas.script import Script
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.text.duplex_rules import conversation_problems, duplex_problems
from validators.text.emotion_rules import emotion_problems
from validators.text.language_rules import script_problems
from validators.text.problem import Problem
from validators.text.set_rules import questions_alike, repeated_texts
from validators.text.text_rules import brief_problems, field_problems, text_problems
from validators.text.texts import fields

VALIDATOR = "scripts.rules/1"


def judge_script(script: Script, thresholds: Thresholds) -> tuple[Finding, ...]:
    """Everything wrong with one script; empty when it keeps the rules.

    Each finding's item is the script's id, and its message begins with the field.
    """
    return (*_rule_findings(script, thresholds), *repeated_texts((script,)))


def judge_scripts(scripts: Iterable[Script], thresholds: Thresholds) -> tuple[Finding, ...]:
    """The findings of every script and those of the set: texts that stand twice, questions that begin alike."""
    known = tuple(scripts)
    single = [finding for script in known for finding in _rule_findings(script, thresholds)]
    return (*single, *repeated_texts(known), *questions_alike(known, thresholds))


def _rule_findings(script: Script, thresholds: Thresholds) -> list[Finding]:
    problems: list[tuple[str, Problem]] = []
    for field in fields(script):
        found = (
            *text_problems(field.text, script.language),
            *field_problems(field, script.language, thresholds),
            *brief_problems(script, field),
            *duplex_problems(script, field, thresholds),
        )
        problems += [(field.name, problem) for problem in found]
    problems += script_problems(script)
    problems += emotion_problems(script)
    problems += conversation_problems(script, thresholds)
    judge = Judge(VALIDATOR, script.script_id)
    return [
        judge.say(problem.code, f"{name}: {problem.clause}", value=problem.value, threshold=problem.threshold)
        for name, problem in problems
    ]
