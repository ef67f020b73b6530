"""Endpoints, budgets and how hard to push: the part of a configuration that is about servers."""

from __future__ import annotations

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from data_schemas.foundation.base import Record

#: the only chat model that a package registry carries: it proves the path, not the prose
DEFAULT_LOCAL_MODEL = "smollm2-135m-q4"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class LocalServer(Record):
    """llama.cpp in this process (the ``xllamacpp`` package), started when the first question is asked."""

    #: a model of the pinned table (`humdial models list`); the small one where neither it nor ``file`` is named
    model: str | None = None
    #: or a GGUF file of your own; relative paths are looked up from the configuration
    file: str | None = None
    #: tokens of context per question answered side by side
    context_tokens: int = Field(default=4096, ge=512, le=262_144)
    #: questions answered side by side
    parallel: int = Field(default=2, ge=1, le=64)
    #: CPU threads; 0 = one per core
    threads: int = Field(default=0, ge=0, le=256)
    #: layers on a GPU; 0 = CPU only
    gpu_layers: int = Field(default=0, ge=0, le=1000)

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        named = [key for key in ("model", "file") if raw.get(key) is not None]
        if len(named) > 1:
            raise ValueError("name either model (of the pinned table) or file (a GGUF file), not both")
        return raw if named else {**raw, "model": DEFAULT_LOCAL_MODEL}


class EndpointSettings(Record):
    """A server that speaks the OpenAI API, or a local llama.cpp. Never holds a key."""

    #: e.g. http://127.0.0.1:8000/v1; None with ``local``
    base_url: str | None = None
    local: LocalServer | None = None
    #: environment variable that holds the key; unset variables are an error, None sends a dummy key
    api_key_env: str | None = None
    #: structured output: ``auto`` asks the endpoint once and remembers
    structured: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    #: most questions at a time; the client finds out how many of them the server bears
    max_in_flight: int = Field(default=32, ge=1, le=1024)
    #: questions at a time at the start, doubled per round until the server pushes back
    start_in_flight: int = Field(default=8, ge=1, le=1024)
    #: longest wait for one answer, seconds
    timeout_s: float = Field(default=120.0, gt=0.0, le=3600.0)
    #: tries of one question beyond the first: 429, 5xx, timeouts, lost connections, answers cut mid-body
    retries: int = Field(default=6, ge=0, le=20)
    #: first wait before a retry and the longest one, seconds; full jitter between (AWS "Exponential Backoff
    #: And Jitter", 2015)
    backoff_s: float = Field(default=0.5, gt=0.0, le=60.0)
    max_backoff_s: float = Field(default=30.0, gt=0.0, le=600.0)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.base_url is None) == (self.local is None):
            raise ValueError("name either base_url (a server) or local (llama.cpp in this process), not both")
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url {self.base_url!r} must begin with http:// or https://")
        if self.base_url is not None and "@" in self.base_url:
            raise ValueError("base_url must not hold a user or key; name the variable that holds it in api_key_env")
        return self


class Price(Record):
    """What a model costs per million tokens, in one currency for the whole configuration."""

    input_per_million: float = Field(default=0.0, ge=0.0)
    output_per_million: float = Field(default=0.0, ge=0.0)


class Budget(Record):
    """Where to stop. What was answered until then is kept; the same command goes on with a larger budget."""

    #: prompt and completion tokens of one run
    tokens: int | None = Field(default=None, ge=1)
    #: money of one run, in the currency of the prices
    cost: float | None = Field(default=None, gt=0.0)
    #: wall-clock minutes of one run in which questions are asked
    minutes: float | None = Field(default=None, gt=0.0)


def is_loopback(base_url: str) -> bool:
    """Whether an address is this machine's own, which no proxy of the environment can reach.

    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("https://example.org/v1")
    (True, False)
    """
    return urlsplit(base_url).hostname in _LOOPBACK
