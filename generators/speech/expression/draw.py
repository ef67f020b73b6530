"""What the prosody step is to do to one utterance, drawn before anything is spoken."""

from __future__ import annotations

from data_schemas.emotions import Emotion
from data_schemas.expression import Expression
from data_schemas.foundation.randomness import named_generator
from data_schemas.tasks import Language
from generators.speech.expression.parameters import FIELDS, Parameters, load_parameters

STAGE = "expression"
_DIGITS = 4  # of what is written; far below what is heard


def draw_expression(
    emotion: Emotion,
    intensity: int,
    language: Language,
    seed: int,
    record_id: str,
    parameters: Parameters | None = None,
) -> Expression:
    """The changes for one utterance: within the spread of each field, likelier near its mean.

    An emotion of intensity 0 is not felt: it is drawn as neutral is. ``parameters`` None takes the shipped table.

    >>> draw_expression(Emotion.SAD, 3, Language.ZH, 7, "a/0") == draw_expression(Emotion.SAD, 3, Language.ZH, 7, "a/0")
    True

    Raises:
        ValueError: an intensity outside 0 to 3.
    """
    table = parameters or load_parameters()
    if intensity == 0:
        emotion = Emotion.NEUTRAL
    elif intensity not in table.intensity:
        raise ValueError(f"{record_id}: intensity {intensity}; it is 0, 1, 2 or 3")
    rng = named_generator(seed, record_id, STAGE)
    drawn = {}
    for name in FIELDS:
        middle = table.mean(name, emotion, intensity, language)
        low, high = table.bounds(name, emotion, intensity, language)
        share = float(rng.triangular(-1.0, 0.0, 1.0))
        drawn[name] = round(middle + share * ((high - middle) if share > 0.0 else (middle - low)), _DIGITS)
    return Expression(**drawn)
