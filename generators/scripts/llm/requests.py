"""Requests to the writers' models: settings and seeds filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_schemas.chat import ChatMessage, ChatRequest
from data_schemas.foundation.randomness import named_seed
from data_schemas.plan import Outline
from data_schemas.tasks import Language
from generators.plans.catalogue import Catalogue
from generators.scripts.llm.plan_text import plan_values
from generators.scripts.llm.prompts import load_words
from generators.scripts.settings import LlmSettings


class RequestMaker:
    """What every request of a run shares."""

    def __init__(self, settings: LlmSettings, catalogues: Mapping[Language, Catalogue], seed: int) -> None:
        self._settings = settings
        self._catalogues = catalogues
        self._seed = seed

    def values(self, outline: Outline) -> dict[str, str]:
        """What the placeholders of prompts stand for."""
        return plan_values(outline, load_words(outline.language), self._catalogues[outline.language])

    def make(
        self,
        alias: str,
        messages: Sequence[ChatMessage],
        name: str,
        schema: dict[str, Any],
        script_id: str,
        stage: str,
    ) -> ChatRequest:
        """A request to the model ``alias``, seeded by (build seed, script, stage)."""
        model = self._settings.models[alias]
        return ChatRequest(
            alias=alias,
            model=model.model,
            messages=tuple(messages),
            schema_name=name,
            json_schema=schema,
            sampling=model.sampling,
            seed=named_seed(self._seed, script_id, stage),
        )
