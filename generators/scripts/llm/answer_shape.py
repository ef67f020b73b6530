"""The JSON a writer has to answer with, and how it becomes a `Script`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from data_schemas.foundation.base import describe_validation_error
from data_schemas.plan import Outline
from data_schemas.script import Script, ScriptLine, ScriptProvenance, ScriptTurn
from data_schemas.tasks import LINES_OF_TASK, Part, Role, Task, Track

TURN_FIELDS = ("text", "cause", "reply")


class UnreadableAnswer(ValueError):
    """An answer is not the object that was asked for, or breaks a rule of the records. The text says where."""


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object with exactly these properties: the subset of JSON Schema that strict modes accept."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def text_schema(*fields: str) -> dict[str, Any]:
    """An object of strings."""
    return object_schema({field: {"type": "string"} for field in fields})


def script_schema(outline: Outline) -> dict[str, Any]:
    """``turn_1`` .. ``turn_n`` of texts, or one string per line: by its part, or ``line_1`` .. ``line_n``."""
    if outline.task.track is Track.EMOTION:
        return object_schema({f"turn_{n}": text_schema(*TURN_FIELDS) for n in range(1, outline.turns + 1)})
    return text_schema(*(key for key, _, _ in line_keys(outline)))


def line_keys(outline: Outline) -> tuple[tuple[str, Role, Part], ...]:
    """Key in the answer, role and part of every line. A conversation's parts repeat, so its keys are numbers."""
    if outline.task is Task.CONVERSATION:
        return tuple((f"line_{n}", line.role, line.part) for n, line in enumerate(outline.lines, start=1))
    return tuple((part.value, role, part) for role, part in LINES_OF_TASK.get(outline.task, ()))


def tidy(text: str) -> str:
    """Composed Unicode, no blanks at the edges, one blank at a time: what models differ in and people do not see."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def texts_of(answer: Any, schema: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The strings of an answer, tidied, in the order of ``schema``; keys beside it are passed over.

    Raises:
        UnreadableAnswer: naming the key that is missing, empty or of another type.
    """
    if not isinstance(answer, dict):
        raise UnreadableAnswer(f"{where or 'the answer'} must be a JSON object")
    found: dict[str, Any] = {}
    for name, inner in schema["properties"].items():
        place = f"{where}.{name}" if where else name
        if name not in answer:
            raise UnreadableAnswer(f"{place} is missing")
        value = answer[name]
        if inner["type"] == "object":
            found[name] = texts_of(value, inner, place)
        elif not isinstance(value, str) or not tidy(value):
            raise UnreadableAnswer(f"{place} must be a text that is not empty")
        else:
            found[name] = tidy(value)
    return found


def script_from(
    outline: Outline,
    script_id: str,
    texts: Mapping[str, Any],
    provenance: ScriptProvenance,
    models: tuple[str, str],
) -> Script:
    """Plan and words together.

    Args:
        texts: as `texts_of` gives them for `script_schema`.
        models: which model wrote the user's (and third party's) lines, and which the assistant's.

    Raises:
        UnreadableAnswer: the records refuse it, e.g. for a tag that is not allowed.
    """
    try:
        return Script(
            script_id=script_id,
            task=outline.task,
            language=outline.language,
            domain=outline.domain,
            user_gender=outline.user_gender,
            root_cause=outline.root_cause,
            brief=outline.brief,
            turns=_turns(outline, texts, models),
            lines=_lines(outline, texts, models),
            provenance=provenance,
        )
    except ValidationError as error:
        raise UnreadableAnswer(describe_validation_error(error)) from error


def _turns(outline: Outline, texts: Mapping[str, Any], models: tuple[str, str]) -> tuple[ScriptTurn, ...]:
    if outline.task.track is not Track.EMOTION:
        return ()
    return tuple(
        ScriptTurn(
            text=texts[f"turn_{number}"]["text"],
            emotion=step.emotion,
            intensity=step.intensity,
            cause=texts[f"turn_{number}"]["cause"],
            response_text=texts[f"turn_{number}"]["reply"],
            fine_emotion=step.fine_emotion,
            text_emotion=step.text_emotion,
            text_model=models[0],
            response_model=models[1],
        )
        for number, step in enumerate(outline.emotions, start=1)
    )


def _lines(outline: Outline, texts: Mapping[str, Any], models: tuple[str, str]) -> tuple[ScriptLine, ...]:
    return tuple(
        ScriptLine(role=role, part=part, text=texts[key], model=models[0]) for key, role, part in line_keys(outline)
    )
