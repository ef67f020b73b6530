"""Keys come from the environment, and stay there: never in a log, a file or an error."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from generators.remote.errors import ConfigProblem
from generators.remote.settings import EndpointSettings

MASK = "[key]"
#: a run of this many characters of a key is hidden too: servers echo its beginning or its end
_PART = 6
#: a word that was masked with asterisks or dots by somebody else, e.g. "sk-ab****wxyz", goes as a whole
_MASKED_WORD = re.compile(r"[^\s\"'`,;()]*(?:\*{3,}|•{3,})[^\s\"'`,;()]*")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"'`,;]+")


def read_key(name: str, endpoint: EndpointSettings) -> str | None:
    """The endpoint's key, or None where it wants none.

    Raises:
        ConfigProblem: ``api_key_env`` names a variable that is not set, or one that no header can carry.
    """
    variable = endpoint.api_key_env
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigProblem(
            f"endpoint {name!r}: its key is read from the environment variable {variable}, which is not set; "
            f"run: export {variable}=...  (or remove api_key_env if {endpoint.base_url} wants no key)"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigProblem(
            f"endpoint {name!r}: the environment variable {variable} holds blanks, line ends or non-ASCII characters, "
            "so it cannot be a key; set it again without them"
        )
    return key


def without_key(text: str, secrets: Iterable[str]) -> str:
    """``text`` without the whole secrets; for answers, where parts of a key may be ordinary words."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` without the secrets: the whole one, any six or more characters of it in a row, and words that
    look like a masked key or follow ``Bearer``.

    >>> redact("Incorrect key: sk-12345678 (sk-12***78)", ["sk-12345678"])
    'Incorrect key: [key] ([key])'
    """
    for secret in secrets:
        text = text.replace(secret, MASK)
        text = _without_parts(text, secret)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _MASKED_WORD.sub(MASK, text)


def _without_parts(text: str, secret: str) -> str:
    kept: list[str] = []
    at = 0
    while at < len(text):
        length = _PART
        if text[at : at + length] in secret and at + length <= len(text):
            while at + length < len(text) and text[at : at + length + 1] in secret:
                length += 1
            kept.append(MASK)
            at += length
        else:
            kept.append(text[at])
            at += 1
    return "".join(kept)
