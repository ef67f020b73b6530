"""The tone of the reply: one for every emotion and intensity, never stronger than what it answers."""

import pytest
from pydantic import ValidationError

from data_schemas.emotions import Emotion
from data_schemas.plan import EmotionStep
from data_schemas.tasks import TRACK1_TASKS, Language, Task
from generators.speech.expression.responses import ToneTable, reply_step, tone_table

STEPS = [
    EmotionStep(emotion=emotion, intensity=intensity)
    for emotion in Emotion
    for intensity in ((0,) if emotion.is_neutral else (1, 2, 3))
]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("task", sorted(TRACK1_TASKS))
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.emotion}-{step.intensity}")
def test_every_turn_has_a_tone_no_stronger_than_itself(step: EmotionStep, task: Task, language: Language) -> None:
    tone = reply_step(task, step, language)
    assert tone.intensity <= step.intensity
    assert tone.emotion in {step.emotion, Emotion.NEUTRAL}
    assert (tone.fine_emotion, tone.text_emotion) == (None, None)


@pytest.mark.parametrize(
    ("user", "intensity", "tone"),
    [
        (Emotion.SAD, 3, (Emotion.SAD, 1)),
        (Emotion.HAPPY, 1, (Emotion.HAPPY, 1)),
        (Emotion.HAPPY, 3, (Emotion.HAPPY, 2)),
        (Emotion.ANGER, 3, (Emotion.NEUTRAL, 0)),
        (Emotion.FEAR, 2, (Emotion.NEUTRAL, 0)),
    ],
)
def test_sorrow_is_met_softly_joy_is_shared_and_anger_is_not(
    user: Emotion, intensity: int, tone: tuple[Emotion, int]
) -> None:
    step = reply_step(Task.EMPATHY, EmotionStep(emotion=user, intensity=intensity), Language.ZH)
    assert (step.emotion, step.intensity) == tone


def test_words_that_say_something_else_do_not_set_the_tone() -> None:
    """A brave face: the words are happy, the voice is sad."""
    conflict = EmotionStep(emotion=Emotion.SAD, intensity=2, text_emotion=Emotion.HAPPY)
    assert reply_step(Task.EMPATHY, conflict, Language.ZH).emotion is Emotion.SAD


def test_every_tone_says_why() -> None:
    assert all(len(tone.why) > 20 for tone in tone_table().root.values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sad": None}, "no tone for sad"),
        ({"sad": {"tone": "sad", "intensity": [0, 1, 1], "why": "x"}}, "intensity is 0 for neutral"),
        ({"fear": {"tone": "calm", "intensity": [0, 0, 0], "why": "x"}}, "tone"),
        ({"fear": {"tone": "neutral", "intensity": [0, 0], "why": "x"}}, "intensity"),
        ({"fear": {"tone": "neutral", "intensity": [0, 0, 0], "why": "x", "speed": 1}}, "speed"),
    ],
)
def test_a_wrong_table_is_refused(changes: dict[str, object], words: str) -> None:
    table = tone_table().model_dump(mode="json") | changes
    with pytest.raises(ValidationError, match=words):
        ToneTable.model_validate({emotion: tone for emotion, tone in table.items() if tone is not None})
