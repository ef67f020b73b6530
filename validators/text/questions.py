"""What kind of question a text asks, by small word lists (``questions.yaml``)."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from data_schemas.foundation.base import Record
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.tasks import Language, Task
from validators.text.texts import units

#: A question states the root cause when it holds this share of the cause's content (pairs of characters,
#: content words), at least so many of them. In the shipped scripts the most is 0.08 (zh) and 0.09 (en).
_MIN_SHARE = {Language.ZH: 0.4, Language.EN: 0.5}
_MIN_COMMON = {Language.ZH: 4, Language.EN: 3}
_STEM = 5  # "betraying" and "betrayed" are one word


class QuestionWords(Record):
    """Regular expressions by which the final question of each task is known."""

    feelings: tuple[str, ...]
    course: tuple[str, ...]
    speaker: tuple[str, ...]
    whys: tuple[str, ...]
    reasons: tuple[str, ...]


def asks_for(task: Task, question: str, language: Language) -> bool:
    """Whether ``question`` is one of ``task`` (trajectory or reasoning)."""
    words = _words(language)
    if task is Task.TRAJECTORY:
        about_me = _any(words.speaker, question) and not _any(words.whys, question)
        return _any(words.course, question) and (_any(words.feelings, question) or about_me)
    return _any(words.reasons, question)


def states_cause(root_cause: str, question: str, language: Language) -> bool:
    """Whether ``question`` already says what the reply has to find."""
    cause = _content(root_cause, language)
    common = cause & _content(question, language)
    return len(common) >= _MIN_COMMON[language] and len(common) >= _MIN_SHARE[language] * len(cause)


def _content(text: str, language: Language) -> frozenset[str]:
    found = units(text, language)
    if language is Language.ZH:
        return frozenset("".join(pair) for pair in pairwise(found))
    empty = _empty_words()
    return frozenset(word[:_STEM] for word in found if word not in empty)


def _any(patterns: tuple[str, ...], text: str) -> bool:
    text = text.replace("’", "'")
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


@cache
def _words(language: Language) -> QuestionWords:
    return QuestionWords.model_validate(_table()[language.value])


@cache
def _empty_words() -> frozenset[str]:
    return frozenset(str(_table()["en_empty"]).split())


def _table() -> dict[str, Any]:  # read once by each cached caller
    text = files("validators.text").joinpath("questions.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = load_yaml(text, "questions.yaml")
    return loaded
