"""`ChatRequest` and `ChatAnswer`: one question to a language model, and what came back.

Makers and judges build requests and read answers as pure functions; only the client sends them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from data_schemas.foundation.base import Record


class ChatMessage(Record):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Usage(Record):
    """Tokens of one answer, as the endpoint counted them (0 where it does not say)."""

    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class Sampling(Record):
    """How a model draws its words. A value that is None is not sent, so the endpoint's own default holds."""

    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    #: most tokens of one answer
    max_tokens: int = Field(default=2048, ge=16, le=65_536)


class ChatRequest(Record):
    """Everything that determines an answer. Its hash is the answer's key in the store.

    ``model`` is the name the endpoint knows; ``alias`` the name of the entry in the configuration
    (it decides which endpoint is asked and is not part of the key).
    """

    alias: str
    model: str
    messages: tuple[ChatMessage, ...] = Field(min_length=1)
    #: name and JSON Schema of the wanted object: every property required, none additional
    schema_name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    json_schema: dict[str, Any]
    sampling: Sampling = Sampling()
    seed: int = Field(ge=0, lt=2**31)


class ChatAnswer(Record):
    """What the endpoint said."""

    text: str
    #: ``stop``, ``length`` (cut at max_tokens), ``content_filter`` or what else the endpoint says
    finish_reason: str
    usage: Usage = Usage()
    #: the model name the endpoint reports
    model: str
