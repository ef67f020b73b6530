"""The JSON object in a model's answer, whatever stands around it."""

from __future__ import annotations

import json
import re
from typing import Any

_THOUGHTS = re.compile(r"\s*<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[A-Za-z0-9_-]*\s*\n?(.*?)```", re.DOTALL)
#: places an object is looked for, at most; an answer with more braces than that is no answer
_TRIES = 64
# raw line breaks inside strings are common in small models' answers and harmless
_DECODER = json.JSONDecoder(strict=False)


def extract_json(text: str) -> dict[str, Any] | None:
    """The object of ``text``: the whole of it, else a fenced block, else the longest one among the prose.

    >>> extract_json('Sure! Here it is:\\n```json\\n{"回答": "好"}\\n```')
    {'回答': '好'}
    >>> extract_json("I cannot do that.") is None
    True
    """
    text = text.removeprefix("\ufeff")
    thoughts = _THOUGHTS.match(text)
    text = text[thoughts.end() if thoughts else 0 :].strip()
    whole = _whole(text)
    if whole is not None:
        return whole
    for block in _FENCE.findall(text):
        found = _whole(block.strip())
        if found is not None:
            return found
    return _longest(text)


def _whole(text: str) -> dict[str, Any] | None:
    decoded = _decode(text, 0)
    return decoded[0] if decoded is not None and decoded[1] == len(text) else None


def _longest(text: str) -> dict[str, Any] | None:
    best: dict[str, Any] | None = None
    longest = 0
    at = text.find("{")
    for _ in range(_TRIES):
        if at < 0:
            break
        decoded = _decode(text, at)
        if decoded is None:
            at = text.find("{", at + 1)
            continue
        found, end = decoded
        if end - at > longest:
            best, longest = found, end - at
        at = text.find("{", end)
    return best


def _decode(text: str, at: int) -> tuple[dict[str, Any], int] | None:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    return (_sound(value), end) if isinstance(value, dict) else None


def _sound(value: dict[str, Any]) -> dict[str, Any]:
    """Half surrogate pairs (``\\ud83d`` alone) become "?": no file could hold them."""
    spelled = json.dumps(value, ensure_ascii=False)
    try:
        spelled.encode()
    except UnicodeEncodeError:
        mended: dict[str, Any] = json.loads(spelled.encode("utf-8", "replace"))
        return mended
    return value
