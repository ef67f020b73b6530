"""`ChatRequest` and `ChatAnswer` in the spelling of ``/v1/chat/completions``. Pure."""

from __future__ import annotations

import json
from typing import Any

from data_schemas.chat import ChatAnswer, ChatRequest, Usage
from generators.remote.retry import BadAnswer
from generators.remote.structured import Mode, messages_for, response_format

#: a byte-pair tokeniser rarely makes more than one token of three ASCII letters or of one Chinese character;
#: meant to be on the high side, because budgets reserve it
_ASCII_PER_TOKEN = 3
_TOKENS_PER_MESSAGE = 8


def request_body(request: ChatRequest, mode: Mode, seed: int) -> dict[str, Any]:
    """Parameters of one chat completion; settings that are None are left out."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages_for(mode, request),
        "seed": seed,
        "max_tokens": request.sampling.max_tokens,
    }
    if request.sampling.temperature is not None:
        body["temperature"] = request.sampling.temperature
    if request.sampling.top_p is not None:
        body["top_p"] = request.sampling.top_p
    form = response_format(mode, request)
    if form is not None:
        body["response_format"] = form
    return body


def read_answer(content: bytes, model: str) -> ChatAnswer:
    """The first choice of a response body. A missing text is "", a missing usage 0; ``model`` is the name asked for.

    Raises:
        BadAnswer: the body is no JSON, or no chat completion (some proxies send errors with status 200).
    """
    try:
        body = json.loads(content)
    except ValueError:
        raise BadAnswer("the answer's body is not JSON") from None
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list):
        error = body.get("error") if isinstance(body, dict) else None
        raise BadAnswer(f"the answer's body has no choices{f' but the error {error}' if error else ''}")
    choice = choices[0] if choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    text = (message.get("content") or message.get("refusal") or "") if isinstance(message, dict) else ""
    return ChatAnswer(
        text=_sound(text),
        finish_reason=_sound(choice.get("finish_reason") or "absent"),
        usage=_usage(body.get("usage")),
        model=_sound(body.get("model") or model),
    )


def is_truncated(answer: ChatAnswer) -> bool:
    """Cut at ``max_tokens``, or nothing said at all (and no filter that says why)."""
    return answer.finish_reason == "length" or (not answer.text.strip() and answer.finish_reason != "content_filter")


def estimated_usage(request: ChatRequest, mode: Mode, completion: str | None = None) -> Usage:
    """Tokens on the high side: before the answer (``max_tokens``), or for an answer whose server counts none."""
    prompt = sum(estimated_tokens(message["content"]) + _TOKENS_PER_MESSAGE for message in messages_for(mode, request))
    answer = request.sampling.max_tokens if completion is None else estimated_tokens(completion)
    return Usage(prompt_tokens=prompt, completion_tokens=answer)


def estimated_tokens(text: str) -> int:
    """One per Chinese (or other non-ASCII) character, one per three of the others.

    >>> estimated_tokens("你好"), estimated_tokens("hello there")
    (2, 4)
    """
    ascii_letters = len(text.encode("ascii", "ignore"))
    return len(text) - ascii_letters + -(-ascii_letters // _ASCII_PER_TOKEN)


def _usage(value: Any) -> Usage:
    counts = value if isinstance(value, dict) else {}
    return Usage(
        prompt_tokens=_count(counts.get("prompt_tokens")), completion_tokens=_count(counts.get("completion_tokens"))
    )


def _count(value: Any) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _sound(text: Any) -> str:
    """Half surrogate pairs become "?": no file could hold them."""
    return str(text).encode("utf-8", "replace").decode()
