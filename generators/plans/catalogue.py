"""The catalogue: what dialogues are about and who tells them, one native file per language."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record, RecordError
from data_schemas.foundation.problems import located, problems_of
from data_schemas.foundation.yaml_file import read_yaml
from data_schemas.plan import check_shades
from data_schemas.speakers import Gender
from data_schemas.tasks import TRACK2_TASKS, Language, Task
from generators.plans.trajectories import EventKind

YOUNGEST, OLDEST = 6, 99  # the ages a `data_schemas.plan.Persona` may have


def _one_line(text: str) -> str:
    if not text or text != text.strip() or "\n" in text:
        raise ValueError("must be one line of text, neither empty nor with blanks around it")
    return text


def _ascending(ages: tuple[int, int]) -> tuple[int, int]:
    if not YOUNGEST <= ages[0] <= ages[1] <= OLDEST:
        raise ValueError(f"must be [youngest, oldest] within {YOUNGEST} and {OLDEST}")
    return ages


Text = Annotated[str, AfterValidator(_one_line)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
#: youngest and oldest age, both included
Ages = Annotated[tuple[int, int], AfterValidator(_ascending)]


class Domain(Record):
    """A field of life that a dialogue is about."""

    group: Literal["concrete", "abstract"]
    name: Text
    #: what people talk about there
    about: Text
    #: place and moment
    settings: Texts


class Theme(Record):
    """A kind of relation between people that a story is about."""

    name: Text
    #: the other person of the story
    counterparts: Texts
    settings: Texts
    #: motives and conflicts behind the feelings, not spoken of in the story
    root_causes: Texts


class Job(Record):
    name: Text
    ages: Ages


class Style(Record):
    """How a person talks."""

    text: Text
    ages: Ages


class PersonaParts(Record):
    """What a persona is put together from."""

    names: dict[Gender, Texts]
    jobs: tuple[Job, ...] = Field(min_length=1)
    regions: Texts
    styles: tuple[Style, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for gender in ("female", "male"):
            if gender not in self.names:
                raise ValueError(f"names.{gender} is missing; give at least one {gender} name")
        for place, job in enumerate(self.jobs):
            for age in range(job.ages[0], job.ages[1] + 1):
                if not any(style.ages[0] <= age <= style.ages[1] for style in self.styles):
                    raise ValueError(
                        f"jobs.{place} ({job.name}): no style fits age {age}; "
                        "widen the ages of a style or narrow those of the job"
                    )
        return self


class Questions(Record):
    """Forms of the final question."""

    trajectory: Texts
    reasoning: Texts


class Conflict(Record):
    """The voice says one emotion, the words another, and a situation in which that happens."""

    emotion: Emotion
    text_emotion: Emotion
    situation: Text

    @model_validator(mode="after")
    def _differ(self) -> Self:
        check_shades(self.emotion, None, self.text_emotion)
        return self


class Catalogue(Record):
    """Everything outlines are drawn from, in one language. Nothing in it is a line to be spoken."""

    domains: dict[Text, Domain] = Field(min_length=1)
    themes: dict[Text, Theme] = Field(min_length=1)
    personas: PersonaParts
    #: for reasoning dialogues without a theme
    root_causes: Texts
    events: dict[EventKind, Texts]
    #: how the first line begins
    openings: Texts
    questions: Questions
    conflicts: tuple[Conflict, ...] = Field(min_length=1)
    #: what the event line of each full-duplex task does; of a conversation, what it is for and how it develops
    cues: dict[Task, Texts]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for kind in EventKind:
            if kind not in self.events:
                raise ValueError(f"events.{kind} is missing; give at least one event of this kind")
        for task in TRACK2_TASKS:
            if task not in self.cues:
                raise ValueError(f"cues.{task} is missing; give at least one cue for this task")
        for task in self.cues:
            if task not in TRACK2_TASKS:
                raise ValueError(f"cues.{task}: only full-duplex tasks have cues; remove it")
        return self


def load_catalogue(language: Language, directory: Path | None = None) -> Catalogue:
    """Read and check ``<directory>/<language>.yaml``; without a directory the shipped file.

    Raises:
        RecordError: naming the file, the line or field, and the way out.
    """
    if directory is None:
        return _shipped(language)
    return _read(directory / f"{language}.yaml")


@cache
def _shipped(language: Language) -> Catalogue:
    with as_file(files("generators.plans") / "catalogue" / f"{language}.yaml") as path:
        return _read(path)


def _read(path: Path) -> Catalogue:
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        raise RecordError(
            f"{path}: no such file; a catalogue directory (planning.catalogue) holds one file per language, "
            f"add {path.name} or leave planning.catalogue out to use the shipped catalogue"
        ) from None
    try:
        return Catalogue.model_validate(document.data)
    except ValidationError as error:
        told = "\n".join(located(problem, document) for problem in problems_of(error, Catalogue))
        raise RecordError(
            f"{told}; compare with the shipped catalogue in generators/plans/catalogue, every section needs at least "
            "one entry"
        ) from None
