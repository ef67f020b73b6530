"""What having scripts written would take: the real requests of a sample of orders, counted instead of sent."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from data_schemas.chat import ChatAnswer, ChatRequest, Sampling, Usage
from data_schemas.foundation.base import Record, dump_json
from data_schemas.plan import Outline, Place
from data_schemas.script import Script
from data_schemas.tasks import Language
from flows.config.build_config import BuildConfig
from flows.prepare.resolve import Parts
from flows.scripts.settings import llm_settings
from flows.scripts.wanted import draw_outlines, wanted_scripts
from generators.remote.ledger import cost_of
from generators.scripts.llm.answer_shape import line_keys
from generators.scripts.llm.llm_writer import LlmWriter, Order
from validators.text.llm_judge import judge_request

#: Orders whose requests are counted for each place.
SAMPLE = 12
#: Characters per token of current multilingual tokenisers (Qwen, Llama, GPT-4o: 1.4 to 1.7 Chinese characters,
#: 4 to 4.5 English letters).
CHARACTERS_PER_TOKEN = {Language.ZH: 1.5, Language.EN: 4.2}
#: Tokens of role marks around each message.
TOKENS_PER_MESSAGE = 4
#: Attempts per accepted script, rewrites and rejected orders included (CHOICE: a capable model; the report of a
#: real run says how it was).
EXPECTED_ATTEMPTS = 1.3
JUDGEMENT_TOKENS = 110
#: Seconds one question takes at a server that answers ``max_in_flight`` side by side (CHOICE).
SECONDS_PER_QUESTION = 15.0
_CAUSE_CHARACTERS = {Language.ZH: 10, Language.EN: 35}


class ModelEstimate(Record):
    """One model of the configuration."""

    alias: str
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


class ScriptEstimate(Record):
    """All models together."""

    scripts: int
    models: tuple[ModelEstimate, ...]
    seconds: float

    @property
    def tokens(self) -> int:
        return sum(model.prompt_tokens + model.completion_tokens for model in self.models)

    @property
    def cost(self) -> float:
        return sum(model.cost for model in self.models)


def estimate_scripts(
    config: BuildConfig, parts: Parts, base_dir: Path, typical: Mapping[Place, tuple[Script, ...]]
) -> ScriptEstimate:
    """Tokens, money and time of writing the scripts of a configuration; nothing is sent.

    Args:
        typical: scripts of each place, whose length the model's answers are taken to have.
    """
    settings = llm_settings(config)
    outlines = draw_outlines(config, parts.speakers, base_dir)
    wanted = wanted_scripts(parts.quota, settings.spares)
    catalogues = {language: outlines.catalogue(language) for language in {place.language for place in wanted}}
    writer = LlmWriter(settings, catalogues, config.seed)
    requests: Counter[str] = Counter()
    prompt: dict[str, float] = defaultdict(float)
    completion: dict[str, float] = defaultdict(float)
    for place, count in wanted.items():
        counter = _Counter(place, typical[place])
        sample = min(SAMPLE, count)
        for ordinal in range(sample):
            outline = outlines.draw(place.task, place.language, place.turns, ordinal)
            asyncio.run(
                writer.write(
                    Order(id=f"estimate-{place.key}-{ordinal}", outline=outline), 1, "", "", counter.asker(outline)
                )
            )
            if settings.reading.judge is not None:
                counter.judged(settings.reading.judge.model, ordinal)
        weight = count / sample * EXPECTED_ATTEMPTS
        for alias, usage in counter.usage.items():
            requests[alias] += round(counter.requests[alias] * weight)
            prompt[alias] += usage.prompt_tokens * weight
            completion[alias] += usage.completion_tokens * weight
    models = []
    seconds = 0.0
    for alias in sorted(requests):
        model = settings.models[alias]
        usage = Usage(prompt_tokens=round(prompt[alias]), completion_tokens=round(completion[alias]))
        seconds += requests[alias] * SECONDS_PER_QUESTION / settings.endpoints[model.endpoint].max_in_flight
        models.append(
            ModelEstimate(
                alias=alias,
                model=model.model,
                requests=requests[alias],
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cost=cost_of(usage, model.price),
            )
        )
    return ScriptEstimate(scripts=sum(wanted.values()), models=tuple(models), seconds=seconds)


def tokens_of(text: str, language: Language) -> int:
    """Tokens of a text, by its length."""
    return round(len(text) / CHARACTERS_PER_TOKEN[language])


class _Counter:
    """Answers every question with a text of typical length and counts what would have been paid."""

    def __init__(self, place: Place, typical: tuple[Script, ...]) -> None:
        self._place = place
        self._typical = typical
        self._lengths = _mean_lengths(typical, place.language)
        self.requests: Counter[str] = Counter()
        self.usage: dict[str, Usage] = {}

    def asker(self, outline: Outline) -> Callable[[ChatRequest], Awaitable[ChatAnswer]]:
        """What answers the questions about an outline."""
        lengths = self._lengths | {key: self._lengths.get(part.value, 1) for key, _, part in line_keys(outline)}

        async def ask(request: ChatRequest) -> ChatAnswer:
            text = dump_json(self._filled(request.json_schema, lengths))
            self._count(request, tokens_of(text, self._place.language))
            return ChatAnswer(text=text, finish_reason="stop", model=request.model)

        return ask

    def judged(self, alias: str, ordinal: int) -> None:
        """The judge's question about a script of this place."""
        script = self._typical[ordinal % len(self._typical)]
        self._count(judge_request(script, alias, alias, 0, Sampling()), JUDGEMENT_TOKENS)

    def _count(self, request: ChatRequest, completion_tokens: int) -> None:
        prompt = sum(
            tokens_of(message.content, self._place.language) + TOKENS_PER_MESSAGE for message in request.messages
        )
        self.requests[request.alias] += 1
        self.usage[request.alias] = self.usage.get(request.alias, Usage()) + Usage(
            prompt_tokens=prompt, completion_tokens=completion_tokens
        )

    def _filled(self, schema: Mapping[str, Any], lengths: Mapping[str, int]) -> dict[str, Any]:
        filler = "字" if self._place.language is Language.ZH else "a"
        return {
            name: self._filled(inner, lengths) if inner["type"] == "object" else filler * lengths.get(name, 1)
            for name, inner in schema["properties"].items()
        }


def _mean_lengths(scripts: Iterable[Script], language: Language) -> dict[str, int]:
    """Mean characters per answer key."""
    lengths: dict[str, list[int]] = defaultdict(list)
    for script in scripts:
        for turn in script.turns:
            lengths["text"].append(len(turn.text))
            lengths["reply"].append(len(turn.response_text))
        for line in script.lines:
            lengths[line.part.value].append(len(line.text))
    means = {name: round(sum(found) / len(found)) for name, found in lengths.items()}
    return {"cause": _CAUSE_CHARACTERS[language], **means}
