"""The wording of rehearsal scripts: words and the frames they are put in, one native file per language."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Self

import yaml
from pydantic import Field, model_validator

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.tasks import Language, Task
from generators.scripts.rehearsal.frames import slots_of

Texts = Annotated[tuple[str, ...], Field(min_length=1)]
BY_EMOTION = dict[Emotion, Texts]
#: Between what the speaker says of an event and what is told back of it.
TOLD = " | "
#: What every event tells of: the reply and the final question come back to them.
WHO, WHAT = "person", "thing"


class Forms(Record):
    """How the parts of a line are joined."""

    first_line: str
    later_line: str
    #: cause of a final question
    question_cause: str
    #: between two sentences
    gap: str


class EmotionalWording(Record):
    """Track 1."""

    openers: Texts
    links: Texts
    events: BY_EMOTION
    asides: Texts
    reactions: BY_EMOTION
    comfort: BY_EMOTION
    asks: Texts
    question_leads: Texts
    questions: dict[Task, Texts]
    question_replies: Texts
    first_steps: Texts
    next_steps: Texts
    behind: Texts
    closings: Texts

    @model_validator(mode="after")
    def _events_are_told(self) -> Self:
        for emotion in Emotion:
            for event in self.events[emotion]:
                said, mark, told = event.partition(TOLD)
                lacking = {WHO, WHAT} - {*slots_of(said)} | ({*slots_of(told)} - {*slots_of(said)})
                if not mark or lacking:
                    raise ValueError(f"events.{emotion}: {event!r} lacks {TOLD!r} or {sorted(lacking)}")
        return self


class DuplexWording(Record):
    """Track 2."""

    contexts: Texts
    asks: Texts
    urges: Texts
    leads: Texts
    tips_a: Texts
    tips_b: Texts
    tips_c: Texts
    hints: Texts
    #: interruptions and asides
    events: dict[Task, Texts]
    second_queries: Texts
    second_leads: dict[Task, Texts]
    #: last words of an assistant that was told to be silent
    stops: Texts
    backchannels: Texts
    assistant_backchannels: Texts
    pause_heads: Texts
    pause_tails: Texts


class Wording(Record):
    """Everything rehearsal scripts are said with, in one language."""

    forms: Forms
    words: dict[str, Texts]
    emotional: EmotionalWording
    duplex: DuplexWording


@cache
def wording(language: Language) -> Wording:
    """The shipped wording of a language, read once."""
    text = (files("generators.scripts.rehearsal") / "languages" / f"{language}.yaml").read_text(encoding="utf-8")
    return Wording.model_validate(yaml.safe_load(text))
