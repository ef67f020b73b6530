"""How the assistant's reply sounds: the tone that what the user feels calls for (``response_tone.yaml``)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Self

from pydantic import RootModel, model_validator

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.plan import EmotionStep
from data_schemas.tasks import Language, Task

_FILE = "response_tone.yaml"


class Tone(Record):
    """The reply's emotion and its intensity for the user's intensities 1 to 3; ``why`` is for the reader."""

    tone: Emotion
    intensity: tuple[int, int, int]
    why: str

    def steps(self) -> tuple[EmotionStep, ...]:
        """The tone for each intensity."""
        return tuple(EmotionStep(emotion=self.tone, intensity=intensity) for intensity in self.intensity)


class ToneTable(RootModel[dict[Emotion, Tone]]):
    """``response_tone.yaml``: one tone for each of the seven labels."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [emotion.value for emotion in Emotion if emotion not in self.root]
        if missing:
            raise ValueError(f"{_FILE} has no tone for {', '.join(missing)}")
        for tone in self.root.values():
            tone.steps()
        return self


def reply_step(task: Task, user_step: EmotionStep, language: Language) -> EmotionStep:
    """The tone of the reply to a turn; where words and voice of the user disagree, it answers the voice.

    So far it is the same in every task and language: no source says otherwise.

    >>> reply_step(Task.EMPATHY, EmotionStep(emotion=Emotion.SAD, intensity=3), Language.ZH).emotion
    <Emotion.SAD: 'sad'>
    >>> reply_step(Task.EMPATHY, EmotionStep(emotion=Emotion.ANGER, intensity=3), Language.EN).intensity
    0
    """
    del task, language
    return tone_table().root[user_step.emotion].steps()[max(user_step.intensity, 1) - 1]


@cache
def tone_table() -> ToneTable:
    """The table that comes with the package.

    Raises:
        pydantic.ValidationError: it was edited into something that is no tone.
    """
    text = files("generators.speech.expression").joinpath(_FILE).read_text(encoding="utf-8")
    return ToneTable.model_validate(load_yaml(text, _FILE))
