"""Rules of Track 1 dialogues: what the final reply names, what the final question asks and keeps to itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from data_schemas.emotions import NAMES, Emotion
from data_schemas.plan import QUESTION_TASKS
from data_schemas.script import Script
from data_schemas.tasks import Language, Task
from validators.text.problem import Problem
from validators.text.questions import asks_for, states_cause


def missing_in_order(reply: str, emotions: Iterable[Emotion], language: Language) -> tuple[Emotion, ...]:
    """The emotions that ``reply`` does not name in the given order (FORMATS.md A.5).

    The same emotion twice in a row needs one naming.

    >>> missing_in_order("You went from anger to being sad.", [Emotion.ANGER, Emotion.SAD], Language.EN)
    ()
    """
    missing: list[Emotion] = []
    cursor = 0
    previous: Emotion | None = None
    for emotion in emotions:
        if emotion is not previous:
            found = _naming(emotion, language).search(reply, cursor)
            if found is None:
                missing.append(emotion)
            else:
                cursor = found.end()
        previous = emotion
    return tuple(missing)


def named_emotions(text: str, language: Language) -> frozenset[Emotion]:
    """Every emotion that a text names with one of the words of `data_schemas.emotions.NAMES`."""
    return frozenset(emotion for emotion in Emotion if _naming(emotion, language).search(text))


def emotion_problems(script: Script) -> Iterator[tuple[str, Problem]]:
    """(field name, problem) of a trajectory or reasoning dialogue; nothing for other tasks."""
    if script.task not in QUESTION_TASKS:
        return
    told = [turn.emotion for turn in script.turns[:-1]]
    last = script.turns[-1]
    question, reply = f"turn {len(script.turns)} text", f"turn {len(script.turns)} response_text"
    for emotion in missing_in_order(last.response_text, told, script.language):
        words = " or ".join(NAMES[script.language][emotion])
        yield reply, Problem("SCRIPT.REPLY_NAMES", f"does not name {emotion} ({words}) in its place")
    if script.task is Task.TRAJECTORY:
        for emotion in sorted(named_emotions(last.response_text, script.language) - {*told}):
            yield reply, Problem("SCRIPT.REPLY_ADDS", f"names {emotion}, which no turn has")
    for emotion in sorted(named_emotions(last.text, script.language) & {*told}):
        yield question, Problem("SCRIPT.QUESTION_TELLS", f"the question gives {emotion} away")
    if not asks_for(script.task, last.text, script.language):
        wanted = {
            Task.TRAJECTORY: "how the speaker's mood or feelings changed",
            Task.REASONING: "why the speaker feels or acts so, or what is behind it",
        }[script.task]
        yield question, Problem("SCRIPT.QUESTION_TYPE", f"must ask {wanted}: {last.text!r}")
    cause = script.root_cause if script.task is Task.REASONING else None
    if cause and states_cause(cause, last.text, script.language):
        clause = f"states the root cause, which the reply must find: {last.text!r}"
        yield question, Problem("SCRIPT.CAUSE_STATED", clause)


def _naming(emotion: Emotion, language: Language) -> re.Pattern[str]:
    words = "|".join(NAMES[language][emotion])
    return re.compile(words if language is Language.ZH else rf"\b(?:{words})\b", re.IGNORECASE)
