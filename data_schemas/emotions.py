"""The seven emotion labels and their mappings to the vocabularies of other corpora."""

from __future__ import annotations

from enum import StrEnum


class Emotion(StrEnum):
    """The challenge's labels (FORMATS.md A.4): the only ones we emit."""

    ANGER = "anger"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPY = "happy"
    NEUTRAL = "neutral"
    SAD = "sad"
    SURPRISE = "surprise"

    @property
    def is_neutral(self) -> bool:
        return self is Emotion.NEUTRAL


#: EmotionTalk's labels (FORMATS.md D: csv / Table 8 spelling).
EMOTIONTALK: dict[Emotion, str] = {
    Emotion.ANGER: "angry",
    Emotion.DISGUST: "disgusted",
    Emotion.FEAR: "fearful",
    Emotion.HAPPY: "happy",
    Emotion.NEUTRAL: "neutral",
    Emotion.SAD: "sad",
    Emotion.SURPRISE: "surprised",
}

#: DeepDialogue's twenty labels onto the seven. Which label goes where is our CHOICE:
#: each goes to the nearest of Ekman's six by appraisal, or to neutral without a clear valence.
DEEPDIALOGUE: dict[str, Emotion] = {
    "anger": Emotion.ANGER,
    "anxiety": Emotion.FEAR,
    "boredom": Emotion.NEUTRAL,
    "concentration": Emotion.NEUTRAL,
    "confusion": Emotion.SURPRISE,
    "curiosity": Emotion.NEUTRAL,
    "disgust": Emotion.DISGUST,
    "excitement": Emotion.HAPPY,
    "fear": Emotion.FEAR,
    "frustration": Emotion.ANGER,
    "gratitude": Emotion.HAPPY,
    "happiness": Emotion.HAPPY,
    "hope": Emotion.HAPPY,
    "jealousy": Emotion.ANGER,
    "nostalgia": Emotion.SAD,
    "pride": Emotion.HAPPY,
    "relief": Emotion.HAPPY,
    "sadness": Emotion.SAD,
    "shame": Emotion.SAD,
    "surprise": Emotion.SURPRISE,
}

#: Words with which a reply names an emotion; used to check reference replies (FORMATS.md A.5).
NAMES: dict[str, dict[Emotion, tuple[str, ...]]] = {
    "zh": {
        Emotion.ANGER: ("生气", "愤怒"),
        Emotion.DISGUST: ("厌恶", "恶心"),
        Emotion.FEAR: ("害怕", "恐惧"),
        Emotion.HAPPY: ("开心", "高兴"),
        Emotion.NEUTRAL: ("平静",),
        Emotion.SAD: ("难过", "伤心"),
        Emotion.SURPRISE: ("惊讶", "意外"),
    },
    "en": {
        Emotion.ANGER: ("angry", "anger"),
        Emotion.DISGUST: ("disgusted", "disgust"),
        Emotion.FEAR: ("afraid", "fear"),
        Emotion.HAPPY: ("happy", "happiness"),
        Emotion.NEUTRAL: ("calm", "neutral"),
        Emotion.SAD: ("sad", "sadness"),
        Emotion.SURPRISE: ("surprised", "surprise"),
    },
}

_ALIASES: dict[str, Emotion] = (
    {emotion.value: emotion for emotion in Emotion}
    | {label: emotion for emotion, label in EMOTIONTALK.items()}
    | DEEPDIALOGUE
)


def parse_emotion(label: str) -> Emotion:
    """Read a label of any of the three vocabularies, case-insensitive.

    >>> parse_emotion("Fearful")
    <Emotion.FEAR: 'fear'>

    Raises:
        ValueError: for a label none of the vocabularies has.
    """
    try:
        return _ALIASES[label.strip().lower()]
    except KeyError:
        known = ", ".join(emotion.value for emotion in Emotion)
        raise ValueError(f"unknown emotion {label!r}; the seven labels are {known}") from None
