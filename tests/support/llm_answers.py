"""Answers that keep every rule and mean nothing: varied noise in Chinese and English, drawn from the request's seed.

For tests and benchmarks of the machinery; what a person would write is in the shipped examples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from data_schemas.emotions import NAMES
from data_schemas.foundation.base import dump_json
from data_schemas.foundation.randomness import named_generator, named_seed
from data_schemas.plan import QUESTION_TASKS, Outline
from data_schemas.tasks import Language, Task
from generators.scripts.llm.llm_writer import Order
from generators.scripts.llm.plan_text import emotions_to_name

_WORDS = """
river garden window teacher morning bridge kettle ladder market blanket corner station button candle engine forest
guitar hammer island jacket kitchen lemon mirror needle orange pencil quilt ribbon saddle ticket umbrella valley
wagon yard zipper apron basket carpet drawer envelope fence glove harbour igloo jar kite lantern marble nest oven
pillow rope shelf tunnel vase whistle cabin desk elbow flute grain honey ivory jungle knot lake meadow night olive
paint quarry rain sand tower village water yarn barn cloud dust earth field grass hill ice leaf moon ocean path
rock snow tree wall wind stone boat cart door floor gate house lamp map paper road ship table train wheel wood
"""
_EN = tuple(_WORDS.split())
_COMMON = ("the", "and", "of", "to", "in", "that", "it", "is", "was", "for", "on", "with", "as", "this", "but", "so")
_ZH = (
    "山水风云花草树石田地门窗桌椅灯火车船桥路城村河湖海岛春夏秋冬早晚晨夜阳光雨雪霜雾书笔纸画琴棋歌舞茶饭菜汤面米豆瓜果鱼"
    "虾鸡鸭牛羊马狗猫鸟虫手足头发眼耳口鼻衣帽鞋袜布线针剪刀碗筷盘杯壶锅盆瓶罐箱柜床被枕帘毯伞包袋绳带锁钥铃钟表镜梳"
)
_QUESTIONS = {
    (Task.TRAJECTORY, Language.EN): "how did my mood change on the way",
    (Task.TRAJECTORY, Language.ZH): "我的心情一路是怎么变过来的",
    (Task.REASONING, Language.EN): "why am I really like this",
    (Task.REASONING, Language.ZH): "我为什么会这样呢",
}
#: Words per line by answer key; others take the default.
_LENGTHS = {
    "backchannel": 1,
    "interruption": 6,
    "aside": 6,
    "cause": 5,
    "reply": 34,
    "second_reply": 12,
    "reasons": 8,
}
_DEFAULT_LENGTH = 12
_HAN_PER_WORD = 1.7


def noise(key: str, language: Language, rng: np.random.Generator) -> str:
    """One line."""
    count = _LENGTHS.get(key, _DEFAULT_LENGTH)
    if language is Language.ZH:
        letters = [_ZH[int(n)] for n in rng.integers(len(_ZH), size=round(count * _HAN_PER_WORD) + 1)]
        return "".join(letters) + "。"
    words = []
    for place in range(count):  # every second word is one of the commonest, as in real English
        pool = _EN if place % 2 == 0 else _COMMON
        words.append(pool[int(rng.integers(len(pool)))])
    return " ".join(words).capitalize() + "."


def language_of(body: Mapping[str, Any]) -> Language:
    """Chinese prompts hold Chinese instructions."""
    system = body["messages"][0]["content"]
    return Language.ZH if sum("\u4e00" <= letter <= "\u9fff" for letter in system) > len(system) / 5 else Language.EN


def noise_answer(body: dict[str, Any], outline: Outline | None = None, turn: int | None = None) -> str:
    """An answer to a request in the chat API's spelling, in the shape of its JSON Schema.

    Args:
        outline: the plan, where the rules need it (questions, names of emotions, ``[break]``).
        turn: which turn is written, for requests that ask for one turn.
    """
    schema = body["response_format"]["json_schema"]["schema"]
    rng = named_generator(int(body["seed"]), "", "noise")
    return dump_json(_object(schema, language_of(body), rng, outline, turn))


def _object(
    schema: Mapping[str, Any],
    language: Language,
    rng: np.random.Generator,
    outline: Outline | None,
    turn: int | None,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, inner in schema["properties"].items():
        if inner["type"] == "object":
            number = int(key.removeprefix("turn_"))
            found[key] = _object(inner, language, rng, outline, number)
        elif "enum" in inner:
            found[key] = max(inner["enum"]) if inner["type"] == "integer" else inner["enum"][0]
        else:
            found[key] = _line(key, language, rng, outline, turn)
    return found


def _line(key: str, language: Language, rng: np.random.Generator, outline: Outline | None, turn: int | None) -> str:
    if outline is not None and outline.task is Task.CONVERSATION:
        return noise(outline.lines[int(key.removeprefix("line_")) - 1].part, language, rng)
    text = noise(key, language, rng)
    if outline is None:
        return text
    if outline.task is Task.PAUSE and key == "query":
        middle = text.index(" ", len(text) // 2) if language is Language.EN else len(text) // 2
        return f"{text[:middle].strip()} [break] {text[middle:].strip()}"
    if outline.task in QUESTION_TASKS and turn == outline.turns:
        mark = "？" if language is Language.ZH else "?"
        if key == "text":
            join = "，" if language is Language.ZH else ", "
            return text.rstrip("。.") + join + _QUESTIONS[outline.task, language] + mark
        if key == "reply":
            names = [NAMES[language.value][emotion][0] for emotion in emotions_to_name(outline)]
            if language is Language.ZH:
                return f"{'、'.join(names)}。{text}"
            return f"{', then '.join(names).capitalize()}. {text}"
    return text


class PlannedAnswers:
    """Answers for known orders: finds the plan behind a request by its seed."""

    def __init__(self, seed: int, orders: Iterable[Order], attempts: int = 3) -> None:
        self._plans: dict[int, tuple[Outline, int | None]] = {}
        for order in orders:
            for attempt in range(1, attempts + 1):
                self._plans[named_seed(seed, order.id, f"write-{attempt}")] = (order.outline, None)
                for turn in range(1, order.outline.turns + 1):
                    for side in ("cross_user", "cross_assistant"):
                        stage = f"write-{attempt}-turn-{turn}-{side}"
                        self._plans[named_seed(seed, order.id, stage)] = (order.outline, turn)

    def __call__(self, body: dict[str, Any]) -> str:
        outline, turn = self._plans.get(int(body["seed"]), (None, None))
        return noise_answer(body, outline, turn)


def said(answer: str) -> list[str]:
    """All lines of an answer."""
    value = json.loads(answer)
    return [line for inner in value.values() for line in (inner.values() if isinstance(inner, dict) else (inner,))]
