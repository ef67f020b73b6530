"""How an endpoint is brought to answer with a JSON object: by schema, by ``json_object``, or by asking for it."""

from __future__ import annotations

from typing import Any, Literal

from data_schemas.chat import ChatMessage, ChatRequest, Sampling
from data_schemas.foundation.base import dump_json

Mode = Literal["json_schema", "json_object", "text"]

MODES: tuple[Mode, ...] = ("json_schema", "json_object", "text")
#: words of a 400 that is about the form of the answer and not about the question
_COMPLAINTS = ("response_format", "json_schema", "json_object", "structured output", "guided", "grammar")
#: room for a model that thinks before it answers
_PROBE_TOKENS = 1024


def response_format(mode: Mode, request: ChatRequest) -> dict[str, Any] | None:
    """The ``response_format`` parameter of the chat API; None: not sent."""
    if mode == "json_schema":
        schema = {"name": request.schema_name, "strict": True, "schema": request.json_schema}
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object"} if mode == "json_object" else None


def messages_for(mode: Mode, request: ChatRequest) -> list[dict[str, str]]:
    """The messages as they are sent. Where the server does not enforce the schema, a sentence states it.

    The sentence joins the first system message: many chat templates take only one, and only in front.
    """
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if mode == "json_schema":
        return messages
    sentence = (
        "Answer with one JSON object and nothing else: no code fence, no comment, no explanation. "
        f"It must match this JSON Schema: {dump_json(request.json_schema)}"
    )
    if messages[0]["role"] == "system":
        messages[0]["content"] += f"\n\n{sentence}"
    else:
        messages.insert(0, {"role": "system", "content": sentence})
    return messages


def step_down(mode: Mode) -> Mode | None:
    """The next weaker mode, or None below ``text``."""
    after = MODES.index(mode) + 1
    return MODES[after] if after < len(MODES) else None


def complains(reason: str) -> bool:
    """Whether a refusal is about the form of the answer.

    >>> complains("status 400: 'response_format' of type 'json_schema' is not supported")
    True
    >>> complains("status 400: maximum context length is 4096 tokens")
    False
    """
    reason = reason.lower()
    return any(words in reason for words in _COMPLAINTS)


def probe(alias: str, model: str, mode: Mode, seed: int) -> ChatRequest:
    """A tiny question that shows whether the endpoint enforces ``mode``.

    With ``json_schema`` nothing in the words asks for JSON: only a server that enforces the schema answers so.
    (``json_object`` wants the word JSON in the messages by the API's own rule.)
    """
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string", "enum": ["hello", "goodbye"]}},
        "required": ["word"],
        "additionalProperties": False,
    }
    return ChatRequest(
        alias=alias,
        model=model,
        messages=(ChatMessage(role="user", content="Please greet me."),),
        schema_name="probe",
        json_schema=schema,
        sampling=Sampling(temperature=0.0, max_tokens=_PROBE_TOKENS),
        seed=seed,
    )


def enforced(text: str) -> bool:
    """Whether the answer to a probe is the object and nothing around it."""
    import json

    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and "word" in value
