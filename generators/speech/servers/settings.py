"""``speech.server``: a server that speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from data_schemas.foundation.base import Record
from data_schemas.tags import VOCAL_TAGS
from data_schemas.tasks import Language
from generators.remote.settings import Budget, EndpointSettings

#: Fields of a question that are the adapters' own; ``extra`` must not name them.
OWN_FIELDS = frozenset(
    {"model", "input", "voice", "response_format", "speed", "seed", "instructions", "ref_audio", "ref_text"}
    | {"tts_text", "prompt_text", "prompt_wav", "spk_id", "instruct_text"}
)


class SpeechServerSettings(Record):
    """A server of engine ``cosyvoice-http`` or ``openai-speech``, see docs/speech-servers.md."""

    #: address, key, concurrency, time limit and retries, as for the script writer's servers
    endpoint: EndpointSettings
    #: name of the model as the server knows it; what the resource declaration calls it
    model: str = Field(min_length=1)
    #: SPDX identifier of its weights: what the licence gate looks at
    license: str = Field(min_length=1)
    #: SHA-256 of the weights or the revision that is served; part of the store key and of the resource declaration
    weights: str = Field(min_length=1)
    #: how the server answers; ``pcm`` is headerless int16
    response_format: Literal["wav", "flac", "pcm"] = "wav"
    #: rate of ``pcm`` answers, Hz; of the others it is checked when it is set
    sample_rate_hz: int | None = Field(default=None, ge=8000, le=192_000)
    #: how the server is told an emotion: in words; by the voice's clip of that emotion; ``auto``: by the clip where the
    #: voice has one, else in words; ``none``: the prosody step does it
    emotion: Literal["instructions", "reference", "auto", "none"] = "none"
    #: whose wording the instructions have, CosyVoice 2's or 3's; ``cosyvoice-http`` must know what it speaks to, other
    #: servers get the plain sentences of v2
    generation: Literal["v2", "v3"] | None = None
    #: ``cosyvoice-http``: the server's runtime ends instructions with ``<|endofprompt|>`` itself (the PyPI copies of
    #: 2025 do, the official repository does not); twice is as wrong as never
    adds_marker: bool = False
    #: ``openai-speech``: whether the server heeds ``speed`` and ``seed``
    speed: bool = False
    seed: bool = False
    #: ``openai-speech``: what the server calls the languages in its field ``language``; empty: it is not sent
    languages: Mapping[Language, str] = Field(default_factory=dict)
    #: ``openai-speech``: how a reference clip is written into ``ref_audio``
    ref_audio: Literal["data_uri", "base64"] = "data_uri"
    #: longer texts are sent in pieces; None: 100 for ``cosyvoice-http`` (COSYVOICE.md), whole texts for others
    chunk_characters: int | None = Field(default=None, ge=20, le=10_000)
    #: vocal tags that the model voices, e.g. ["[laughter]"]
    tags: tuple[str, ...] = ()
    #: further fields of every request, as the server wants them
    extra: dict[str, Any] = Field(default_factory=dict)
    #: where to stop: minutes, and cost at the price below
    budget: Budget = Budget()
    #: money per million characters of text, in the currency of the budget
    price_per_million_characters: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _served(self) -> Self:
        if self.endpoint.local is not None:
            raise ValueError("endpoint.local is llama.cpp, which does not speak; name the speech server in base_url")
        if self.response_format == "pcm" and self.sample_rate_hz is None:
            raise ValueError("response_format pcm has no header; state the model's rate in sample_rate_hz")
        if self.budget.tokens is not None:
            raise ValueError("budget.tokens counts a language model's tokens; limit speech by budget.minutes or .cost")
        unknown = [tag for tag in self.tags if tag not in VOCAL_TAGS]
        if unknown:
            raise ValueError(f"tags: {unknown[0]} is in no script; the tags of scripts are {', '.join(VOCAL_TAGS)}")
        own = sorted(OWN_FIELDS & self.extra.keys())
        if own:
            raise ValueError(f"extra: {own[0]} is set for every request by the engine; remove it")
        return self
