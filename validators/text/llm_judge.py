"""A language model as a reader, with the challenge's own dimensions (FORMATS.md A.7). Nothing is sent here."""

from __future__ import annotations

import json
from typing import Any

from data_schemas.chat import ChatAnswer, ChatMessage, ChatRequest, Sampling
from data_schemas.finding import Finding
from data_schemas.script import Script
from data_schemas.tasks import Task, Track
from validators.core.codes import Judge
from validators.text.judge_prompts import prompt_name, render_prompt

VALIDATOR = "scripts.llm_judge/1"
SCORES = (1, 3, 5)
REASONS = "reasons"
_NATURALNESS = "naturalness"
_OF_TASK: dict[Task, tuple[str, ...]] = {
    Task.TRAJECTORY: ("Accuracy_Completeness", "Depth_Granularity", "Added_Value"),
    Task.REASONING: ("Information_Integration", "Insight_RootCause", "Clarity_Logic"),
    Task.EMPATHY: ("textual_empathy_insight",),
    Task.RECOGNITION: ("emotion_fit",),
}
#: In a conversation every event counts.
_OF_DUPLEX = ("event_fit",)
_ALL = frozenset({_NATURALNESS, *_OF_DUPLEX}.union(*_OF_TASK.values()))
_MAX_REASONS = 500  # characters that go back to the writer


def dimensions(task: Task) -> tuple[str, ...]:
    """What a script of ``task`` is scored for, 1, 3 or 5 each."""
    own = _OF_DUPLEX if task.track is Track.DUPLEX else _OF_TASK[task]
    return (*own, _NATURALNESS)


def judge_request(script: Script, alias: str, model: str, seed: int, sampling: Sampling) -> ChatRequest:
    """The question to the judging model.

    Raises:
        ValueError: a prompt file is broken; the text names it.
    """
    system, user = render_prompt(script)
    return ChatRequest(
        alias=alias,
        model=model,
        messages=(ChatMessage(role="system", content=system), ChatMessage(role="user", content=user)),
        schema_name=f"judge_{prompt_name(script)}",
        json_schema=_schema(script.task),
        sampling=sampling,
        seed=seed,
    )


def scores(answer: ChatAnswer) -> dict[str, int] | None:
    """The scores of an answer by dimension; None when it is cut, no JSON object, or holds another score."""
    judgement = _judgement(answer)
    return None if judgement is None else judgement[0]


def judge_findings(script: Script, answer: ChatAnswer, min_score: int) -> tuple[Finding, ...]:
    """One finding when a dimension is below ``min_score``, with the reasons; one when nothing can be read."""
    judge = Judge(VALIDATOR, script.script_id)
    judgement = _judgement(answer)
    missing = [name for name in dimensions(script.task) if judgement is None or name not in judgement[0]]
    if judgement is None or missing:
        what = f"lacks {', '.join(missing)}" if judgement else f"is no judgement (finish reason {answer.finish_reason})"
        return (judge.say("SCRIPT.JUDGE_UNREADABLE", f"the answer of {answer.model} {what}: {answer.text[:200]!r}"),)
    found, reasons = judgement
    low = {name: found[name] for name in dimensions(script.task) if found[name] < min_score}
    if not low:
        return ()
    listed = ", ".join(f"{name} {score}" for name, score in low.items())
    message = f"{listed} (of 5, at least {min_score} is wanted): {reasons or 'no reasons given'}"
    return (judge.say("SCRIPT.JUDGE_SCORE", message, value=min(low.values()), threshold=min_score),)


def _schema(task: Task) -> dict[str, Any]:
    """Reasons come first, so that the model thinks before it scores."""
    properties: dict[str, Any] = {REASONS: {"type": "string"}}
    properties |= {name: {"type": "integer", "enum": list(SCORES)} for name in dimensions(task)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _judgement(answer: ChatAnswer) -> tuple[dict[str, int], str] | None:
    found = None if answer.finish_reason == "length" else _object(answer.text)
    if found is None:
        return None
    read: dict[str, int] = {}
    for name in _ALL.intersection(found):
        score = _score(found[name])
        if score is None:
            return None
        read[name] = score
    if not read:
        return None
    return dict(sorted(read.items())), " ".join(str(found.get(REASONS, "")).split())[:_MAX_REASONS]


def _score(value: Any) -> int | None:
    """1, 3 or 5, also as "3" or 3.0, which endpoints without a schema send."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return int(number) if number in SCORES else None


def _object(text: str) -> dict[str, Any] | None:
    """The first JSON object with a score in a text that may have thoughts, prose or a code fence around it."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            found, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            end = start + 1
        else:
            if isinstance(found, dict) and _ALL.intersection(found):
                return found
        start = text.find("{", end)
    return None
