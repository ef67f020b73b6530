"""`LlmWriter`: asks one model for a whole script, or two models turn by turn. Sends nothing itself.

What is asked is a pure function of (settings, seed, outline, script id, attempt, reasons); the
answers come through ``ask``, which may be a server, the store of earlier answers, or a batch file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data_schemas.chat import ChatAnswer, ChatMessage, ChatRequest, Usage
from data_schemas.foundation.base import Record, dump_json
from data_schemas.foundation.randomness import named_generator, named_seed
from data_schemas.plan import Outline
from data_schemas.script import Script, ScriptProvenance
from data_schemas.tasks import Language, Task
from generators.plans.catalogue import Catalogue
from generators.remote.extract import extract_json
from generators.scripts.llm.answer_shape import UnreadableAnswer, script_from, script_schema, texts_of
from generators.scripts.llm.cross_talk import CrossTalk
from generators.scripts.llm.prompts import (
    CROSS_ASSISTANT,
    CROSS_USER,
    REWRITE,
    load_example,
    load_prompt,
    prompt_name,
    prompt_version,
)
from generators.scripts.llm.requests import RequestMaker
from generators.scripts.settings import LlmSettings

Ask = Callable[[ChatRequest], Awaitable[ChatAnswer]]
WRITER_NAME = "llm"
#: Dialogues that a pair of models can write turn by turn.
CROSS_TASKS = frozenset({Task.TRAJECTORY, Task.REASONING, Task.EMPATHY})
#: ``finish_reason`` of an answer that hit ``max_tokens``.
CUT = "length"


class Order(Record):
    """One script to be written. ``id`` becomes its script id and names every random draw for it."""

    id: str
    outline: Outline


class Draft(Record):
    """One attempt: a script, or why there is none."""

    script: Script | None = None
    #: "" with a script; else what is wrong with the answer, in words that go back to the writer
    problem: str = ""
    #: the answer hit the token limit
    truncated: bool = False
    #: what was answered, to be shown to the writer when it has to try again
    answer: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True)
class Team:
    """The models of one script, by their names in the configuration."""

    user: str
    assistant: str

    @property
    def is_pair(self) -> bool:
        return self.user != self.assistant


class LlmWriter:
    """Writes scripts to order."""

    def __init__(self, settings: LlmSettings, catalogues: Mapping[Language, Catalogue], seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._requests = RequestMaker(settings, catalogues, seed)

    def team(self, order: Order) -> Team:
        """Who writes: drawn once per script from the weighted lists, the same for every attempt."""
        rng = named_generator(self._seed, order.id, "writer")
        settings = self._settings
        crossed = rng.random() < settings.cross_share
        if crossed and order.outline.task in CROSS_TASKS and settings.pairs:
            pair = settings.pairs[_weighted(rng.random(), [entry.weight for entry in settings.pairs])]
            return Team(user=pair.user, assistant=pair.assistant)
        writer = settings.writers[_weighted(rng.random(), [entry.weight for entry in settings.writers])]
        return Team(user=writer.model, assistant=writer.model)

    async def write(self, order: Order, attempt: int, former: str, reasons: str, ask: Ask) -> Draft:
        """One attempt at a script.

        Args:
            attempt: 1 for the first.
            former: the answer that was sent back, "" at the first attempt.
            reasons: why it was sent back, in the dialogue's language or in English, "" at the first attempt.
        """
        team = self.team(order)
        if team.is_pair:
            return await self._write_in_turns(order, attempt, reasons, team, ask)
        return await self._write_whole(order, attempt, former, reasons, team.user, ask)

    # -- one model ----------------------------------------------------------------------------

    def whole_script_request(self, order: Order, attempt: int, former: str, reasons: str, alias: str) -> ChatRequest:
        """What a model is asked that writes the whole script."""
        outline = order.outline
        name, language = prompt_name(outline), outline.language
        prompt, example = load_prompt(name, language), load_example(name, language)
        values = self._requests.values(outline)
        messages = [
            ChatMessage(role="system", content=prompt.render("system", values)),
            ChatMessage(role="user", content=prompt.render("user", self._requests.values(example.outline))),
            ChatMessage(role="assistant", content=dump_json(example.answer)),
            ChatMessage(role="user", content=prompt.render("user", values)),
        ]
        if reasons:
            messages += [
                ChatMessage(role="assistant", content=former),
                ChatMessage(role="user", content=load_prompt(REWRITE, language).render("user", {"reasons": reasons})),
            ]
        return self._requests.make(alias, messages, name, script_schema(outline), order.id, f"write-{attempt}")

    async def _write_whole(self, order: Order, attempt: int, former: str, reasons: str, alias: str, ask: Ask) -> Draft:
        request = self.whole_script_request(order, attempt, former, reasons, alias)
        answer = await ask(request)
        version = prompt_version((prompt_name(order.outline),), order.outline.language)
        provenance = self._provenance(version, (request.model,), request.seed, attempt)
        return _draft(order, answer, answer.usage, provenance, (request.model, request.model))

    # -- two models ---------------------------------------------------------------------------

    async def _write_in_turns(self, order: Order, attempt: int, reasons: str, team: Team, ask: Ask) -> Draft:
        """The user's model sees the plan, the assistant's only what the user says (and, at the end, what to name)."""
        outline = order.outline
        talk = CrossTalk(self._requests, order.id, outline, attempt, reasons)
        usage = Usage()
        texts: dict[str, Any] = {}
        for number in range(1, outline.turns + 1):
            for alias, side in ((team.user, talk.user_side), (team.assistant, talk.assistant_side)):
                request = side(number, alias)
                answer = await ask(request)
                usage = usage + answer.usage
                problem = talk.hear(answer, request)
                if problem:
                    return Draft(
                        problem=f"turn_{number}: {problem}", truncated=answer.finish_reason == CUT, usage=usage
                    )
            texts[f"turn_{number}"] = talk.turn()
        models = (self._settings.models[team.user].model, self._settings.models[team.assistant].model)
        version = prompt_version((CROSS_USER, CROSS_ASSISTANT), outline.language)
        seed = named_seed(self._seed, order.id, f"write-{attempt}")
        whole = ChatAnswer(text=dump_json(texts), finish_reason="stop", model=" + ".join(models))
        return _draft(order, whole, usage, self._provenance(version, models, seed, attempt), models)

    def _provenance(self, version: str, models: tuple[str, ...], seed: int, attempt: int) -> ScriptProvenance:
        return ScriptProvenance(
            writer=WRITER_NAME,
            author=WRITER_NAME,
            version=version,
            model=" + ".join(dict.fromkeys(models)),
            seed=seed,
            attempts=attempt,
        )


def _draft(
    order: Order, answer: ChatAnswer, usage: Usage, provenance: ScriptProvenance, models: tuple[str, str]
) -> Draft:
    try:
        texts = texts_of(extract_json(answer.text), script_schema(order.outline))
        script = script_from(order.outline, order.id, texts, provenance, models)
    except UnreadableAnswer as error:
        return Draft(problem=str(error), truncated=answer.finish_reason == CUT, answer=answer.text, usage=usage)
    return Draft(script=script, answer=answer.text, usage=usage)


def _weighted(draw: float, weights: list[float]) -> int:
    """Index of the weight that a uniform ``draw`` in [0, 1) falls on.

    >>> _weighted(0.5, [1.0, 3.0])
    1
    """
    point = draw * sum(weights)
    for index, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return index
    return len(weights) - 1
