"""Who speaks: a person of the data set, bound to one voice of one engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_schemas.base import Record
from data_schemas.tasks import Language, Role, Split

Gender = Literal["female", "male"]


class Voice(Record):
    """One voice an engine declares."""

    id: str
    engine: str
    language: Language
    gender: Gender
    license: str


class Speaker(Record):
    """A speaker id bound to one voice; ``number`` is the group digits of item ids (0001..9999)."""

    number: int = Field(ge=1, le=9999)
    language: Language
    gender: Gender
    split: Split
    role: Role
    voice: str

    @property
    def id(self) -> str:
        return f"S{self.number:04d}"
