"""Emotion labels and the rules of the emotional tasks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_schemas.emotions import NAMES, Emotion
from data_schemas.layouts.base import FoundItem
from data_schemas.plan import QUESTION_TASKS
from data_schemas.tasks import Task
from tests.support.mutations.kinds.common import BOOKS, is_dialogue, one
from tests.support.mutations.planting import Copy, Kind, Planted, Row, at

GROUP = "emotions"


def _rows(change: Callable[[Row, np.random.Generator], object]) -> Callable[..., Planted]:
    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        copy.edit_row(found, lambda row: change(row, rng))
        return at(found)

    return plant


def _flip(row: Row, rng: np.random.Generator) -> None:
    turn = row["turns"][0]
    turn["emotion"] = one([emotion.value for emotion in Emotion if emotion.value != turn["emotion"]], rng)


def _unknown(row: Row, rng: np.random.Generator) -> None:
    row["turns"][0]["emotion"] = one(("angry", "平静", "Neutral", "fearful"), rng)


def _name_left_out(row: Row, rng: np.random.Generator) -> None:
    """The final reply tells of everything but the first turn's feeling."""
    last = row["turns"][-1]
    names = [name for names in NAMES.values() for options in names.values() for name in options]
    for name in sorted(names, key=len, reverse=True):
        last["response_text"] = last["response_text"].replace(name, "")


def _question_not_neutral(row: Row, rng: np.random.Generator) -> None:
    row["turns"][-1]["emotion"] = "anger"


def _one_emotion(row: Row, rng: np.random.Generator) -> None:
    for turn in row["turns"][:-1]:
        turn["emotion"] = row["turns"][0]["emotion"]


def _all_felt(row: Row, rng: np.random.Generator) -> None:
    for turn in row["turns"]:
        turn["emotion"] = "sad"


def _no_reply(row: Row, rng: np.random.Generator) -> None:
    row["turns"][-1]["response_text"] = ""


def _intensity(row: Row, rng: np.random.Generator) -> None:
    row["turns"][0]["intensity"] = (row["turns"][0]["intensity"] + 2) % 4


_LABELS = BOOKS | {
    "T1.EMOTION_LABEL",
    "T1.EMOTION_FINAL",
    "T1.EMOTION_CHANGE",
    "T1.EMPATHY_TURNS",
    "T1.REPLY_NAMES_EMOTIONS",
}


def _asks(found: FoundItem) -> bool:
    return found.task in QUESTION_TASKS


KINDS: tuple[Kind, ...] = (
    Kind("emotion label flipped", GROUP, "SET.CATALOG_AGREES", _rows(_flip), is_dialogue, _LABELS, 4),
    Kind("intensity changed", GROUP, "SET.CATALOG_AGREES", _rows(_intensity), is_dialogue, _LABELS),
    Kind("emotion label nobody reads", GROUP, "T1.EMOTION_LABEL", _rows(_unknown), is_dialogue, _LABELS, 4),
    Kind("final reply without the emotions' names", GROUP, "T1.REPLY_NAMES_EMOTIONS", _rows(_name_left_out), _asks,
         _LABELS, 4),
    Kind("final question not neutral", GROUP, "T1.EMOTION_FINAL", _rows(_question_not_neutral), _asks, _LABELS, 4),
    Kind("no change of emotion", GROUP, "T1.EMOTION_CHANGE", _rows(_one_emotion),
         lambda f: f.task is Task.TRAJECTORY, _LABELS),
    Kind("empathy item without its neutral turn", GROUP, "T1.EMPATHY_TURNS", _rows(_all_felt),
         lambda f: f.task is Task.EMPATHY, _LABELS),
    Kind("empty reply", GROUP, "T1.RESPONSE_EMPTY", _rows(_no_reply), is_dialogue, _LABELS),
)  # fmt: skip
