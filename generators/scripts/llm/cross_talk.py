"""Two models in conversation: each is shown its own side of the dialogue that is being written."""

from __future__ import annotations

from typing import Any

from data_schemas.chat import ChatAnswer, ChatMessage, ChatRequest
from data_schemas.foundation.base import dump_json
from data_schemas.plan import QUESTION_TASKS, Outline
from generators.remote.extract import extract_json
from generators.scripts.llm.answer_shape import UnreadableAnswer, text_schema, texts_of
from generators.scripts.llm.plan_text import turn_lines
from generators.scripts.llm.prompts import CROSS_ASSISTANT, CROSS_USER, REWRITE, load_prompt, load_words
from generators.scripts.llm.requests import RequestMaker


class CrossTalk:
    """The two conversations behind one dialogue: each model sees its own side of it."""

    def __init__(self, requests: RequestMaker, script_id: str, outline: Outline, attempt: int, reasons: str) -> None:
        self._requests, self._script_id, self._outline, self._attempt = requests, script_id, outline, attempt
        self._words = load_words(outline.language)
        self._values = requests.values(outline)
        self._steps = turn_lines(outline, self._words)
        self._prompts = {name: load_prompt(name, outline.language) for name in (CROSS_USER, CROSS_ASSISTANT)}
        note = load_prompt(REWRITE, outline.language).render("user", {"reasons": reasons}) if reasons else ""
        self._messages = {
            name: [ChatMessage(role="system", content=f"{prompt.render('system', self._values)}\n\n{note}".strip())]
            for name, prompt in self._prompts.items()
        }
        self._heard: dict[str, str] = {}
        self._speaker = CROSS_USER

    def user_side(self, number: int, alias: str) -> ChatRequest:
        said = ""
        if number > 1:
            said = self._words.reply_said.replace("$reply", self._heard["reply"]) + "\n\n"
        section = "last" if self._is_question(number) else "turn"
        values = self._values | {"number": str(number), "step": self._steps[number - 1]}
        content = said + self._prompts[CROSS_USER].render(section, values)
        return self._ask(CROSS_USER, content, number, alias, text_schema("text", "cause"))

    def assistant_side(self, number: int, alias: str) -> ChatRequest:
        section = "last" if self._is_question(number) else "turn"
        values = self._values | {"number": str(number), "text": self._heard["text"]}
        content = self._prompts[CROSS_ASSISTANT].render(section, values)
        return self._ask(CROSS_ASSISTANT, content, number, alias, text_schema("reply"))

    def hear(self, answer: ChatAnswer, request: ChatRequest) -> str:
        """Take in an answer; returns what is wrong with it, or ""."""
        try:
            texts = texts_of(extract_json(answer.text), request.json_schema)
        except UnreadableAnswer as error:
            return str(error)
        self._heard |= texts
        self._messages[self._speaker].append(ChatMessage(role="assistant", content=dump_json(texts)))
        return ""

    def turn(self) -> dict[str, str]:
        return {field: self._heard[field] for field in ("text", "cause", "reply")}

    def _is_question(self, number: int) -> bool:
        return self._outline.task in QUESTION_TASKS and number == self._outline.turns

    def _ask(self, name: str, content: str, number: int, alias: str, schema: dict[str, Any]) -> ChatRequest:
        self._speaker = name
        self._messages[name].append(ChatMessage(role="user", content=content))
        stage = f"write-{self._attempt}-turn-{number}-{name}"
        return self._requests.make(alias, self._messages[name], name, schema, self._script_id, stage)
