"""The writer's prompts, one file per task and language, rendered with a plan's data and named by their hash."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.foundation.prompt_text import read_sections, render_section
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.plan import Outline
from data_schemas.speakers import Gender
from data_schemas.tasks import Language, Task

#: Tasks whose prompt is not named after them.
CONFLICT_PROMPT = "recognition_conflict"
CROSS_USER, CROSS_ASSISTANT, REWRITE = "cross_user", "cross_assistant", "rewrite"
#: Prompts that write a whole script; each has a worked example beside it.
WHOLE_SCRIPT_PROMPTS: tuple[str, ...] = (*(task.value for task in Task), CONFLICT_PROMPT)
#: The line that opens a conversation, in `Words.lines`.
FIRST_QUERY = "first_query"


class Words(Record):
    """The words a plan is told in (``words.yaml``): emotions, intensities and sentence templates."""

    emotions: dict[Emotion, str]
    intensities: dict[int, str]
    fine_emotions: dict[str, str]
    genders: dict[Gender, str]
    persona: str
    turn: str
    turn_without_event: str
    shade: str
    shade_fine: str
    question_turn: str
    name_joiner: str
    #: a conversation's lines by "<role>_<part>", and ``FIRST_QUERY``
    lines: dict[str, str]
    #: added to a line that another one is spoken into
    cut_by: str
    backchannel_by: str
    #: how the user's model is told what the assistant's model answered
    reply_said: str


class Example(Record):
    """A plan and what an excellent writer makes of it; sent along with every request."""

    outline: Outline
    answer: dict[str, Any]


class Prompt(Record):
    """The sections of one file, by heading."""

    name: str
    language: Language
    sections: dict[str, str]

    def render(self, section: str, values: dict[str, str]) -> str:
        """One section with its data.

        Raises:
            PromptError: no such section, or a placeholder that ``values`` does not know.
        """
        return render_section(self.sections, section, values, f"prompt {self.language}/{self.name}.md")


def prompt_name(outline: Outline) -> str:
    """Which prompt writes this outline."""
    return CONFLICT_PROMPT if outline.is_conflict else outline.task.value


@cache
def load_prompt(name: str, language: Language) -> Prompt:
    """Read one of the shipped prompt files."""
    return Prompt(name=name, language=language, sections=read_sections(_prompt_text(name, language)))


@cache
def load_words(language: Language) -> Words:
    """Read ``words.yaml`` of a language."""
    return Words.model_validate(load_yaml(_text("prompts", language, "words.yaml"), f"{language}/words.yaml"))


@cache
def load_example(name: str, language: Language) -> Example:
    """Read the worked example of a prompt."""
    return Example.model_validate(json.loads(_text("examples", language, f"{name}.json")))


@cache
def prompt_version(names: tuple[str, ...], language: Language) -> str:
    """Twelve hex digits over everything a writer was shown besides the plan: prompts, words, examples."""
    digest = hashlib.sha256(_text("prompts", language, "words.yaml").encode())
    for name in (*names, REWRITE):
        digest.update(_prompt_text(name, language).encode())
        if name in WHOLE_SCRIPT_PROMPTS:
            digest.update(_text("examples", language, f"{name}.json").encode())
    return digest.hexdigest()[:12]


def _prompt_text(name: str, language: Language) -> str:
    return _text("prompts", language, f"{name}.md")


def _text(folder: str, language: Language, file: str) -> str:
    return files("generators.scripts.llm").joinpath(folder, language.value, file).read_text(encoding="utf-8")
