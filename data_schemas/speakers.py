"""Who speaks: a person of the data set, bound to one voice of one engine."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.tasks import Language, Role, Split

Gender = Literal["female", "male"]
_ROUNDING = 1e-6


class AgeBand(StrEnum):
    """How old a voice sounds."""

    CHILD = "child"
    YOUNG = "young"
    MIDDLE = "middle"
    OLD = "old"

    @classmethod
    def of(cls, age: int) -> AgeBand:
        """The band of an age in years (CHOICE: under 13, under 36, under 61).

        >>> AgeBand.of(12).value, AgeBand.of(35).value, AgeBand.of(60).value, AgeBand.of(61).value
        ('child', 'young', 'middle', 'old')
        """
        bands = ((13, cls.CHILD), (36, cls.YOUNG), (61, cls.MIDDLE))
        return next((band for below, band in bands if age < below), cls.OLD)


class ReferenceClip(Record):
    """A recording that an engine imitates: one clean sentence of 5 to 13 s with its exact words."""

    file: str
    text: str = Field(min_length=1)
    #: of the file's bytes: what is checked before use and is part of the store key
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    #: how the sentence is spoken; an engine takes the clip of the emotion it is to speak with
    emotion: Emotion = Emotion.NEUTRAL


class MixPart(Record):
    """A voice of the engine and its share in a mixed one."""

    voice: str
    weight: float = Field(gt=0.0, lt=1.0)


class Voice(Record):
    """One voice an engine declares."""

    id: str
    engine: str
    language: Language
    gender: Gender
    license: str
    #: None: not known; such a voice fits every persona
    age: AgeBand | None = None
    #: where it comes from and who agreed to its use
    origin: str = ""
    #: recordings it is imitated from, for engines that clone
    clips: tuple[ReferenceClip, ...] = ()
    #: voices of the same engine it is mixed from, for engines that can mix
    mix: tuple[MixPart, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        emotions = [clip.emotion for clip in self.clips]
        if len(set(emotions)) != len(emotions):
            raise ValueError(f"voice {self.id}: two clips of one emotion; keep one per emotion")
        if self.mix and abs(sum(part.weight for part in self.mix) - 1.0) > _ROUNDING:
            raise ValueError(f"voice {self.id}: the weights of mix must add up to 1")
        return self


class Speaker(Record):
    """A speaker id bound to one voice; ``number`` is the group digits of item ids (0001..9999)."""

    number: int = Field(ge=1, le=9999)
    language: Language
    gender: Gender
    split: Split
    role: Role
    voice: str
    #: how old the voice sounds, where known
    age: AgeBand | None = None
    #: the voices heard in it, where it is a mixture
    mixed_of: tuple[str, ...] = ()

    def sounds_like(self, other: Speaker) -> bool:
        """The same voice, or one that is mixed of a voice that is heard in the other too."""
        return not {self.voice, *self.mixed_of}.isdisjoint({other.voice, *other.mixed_of})

    @property
    def id(self) -> str:
        return f"S{self.number:04d}"
