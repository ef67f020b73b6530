"""Instructions: an emotion in the words that CosyVoice was trained to heed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import TypeAdapter

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.tasks import Language
from generators.speech.engine import EngineError

Generation = Literal["v2", "v3"]

#: Ends an instruction (and, in v3, whatever precedes the text). Without it the instruction may be read aloud, and
#: v3 dies in a worker thread (COSYVOICE.md "What goes wrong at scale").
END_OF_PROMPT = "<|endofprompt|>"
_DIGEST_CHARACTERS = 12


class _Wording(Record):
    """One table of instructions.yaml."""

    neutral: str
    sentence: str
    degrees: Mapping[int, str]
    words: Mapping[Emotion, str]


def _text() -> str:
    return files("generators.speech.expression").joinpath("instructions.yaml").read_text(encoding="utf-8")


@cache
def _wordings() -> dict[Generation, dict[Language, _Wording]]:
    table = TypeAdapter(dict[Generation, dict[Language, _Wording]])
    return table.validate_python(load_yaml(_text(), "instructions.yaml"))


def instructions_digest() -> str:
    """Short hash of the wordings: part of an engine's version, so that edited ones are spoken anew."""
    return hashlib.sha256(_text().encode()).hexdigest()[:_DIGEST_CHARACTERS]


def instruction(emotion: Emotion, intensity: int, language: Language, generation: Generation) -> str:
    """What the model is told so that it speaks with an emotion, without the end-of-prompt marker.

    Wordings and their sources: ``instructions.yaml``. ``intensity`` is 1 to 3; neutral has none and ignores it.

    >>> instruction(Emotion.HAPPY, 2, Language.ZH, "v2")
    '用开心的语气说这句话'
    >>> instruction(Emotion.HAPPY, 3, Language.ZH, "v3")
    'You are a helpful assistant. 请非常开心地说一句话。'

    Raises:
        EngineError: an emotion without a degree.
    """
    wording = _wordings()[generation][language]
    if emotion.is_neutral:
        return wording.neutral
    degree = wording.degrees.get(intensity)
    if degree is None:
        known = ", ".join(str(level) for level in sorted(wording.degrees))
        raise EngineError(f"emotion {emotion} has no instruction for intensity {intensity}; the plan must set {known}")
    return wording.sentence.format(degree=degree, word=wording.words[emotion])
