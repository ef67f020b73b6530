"""`DialoguePlan`: everything decided before a word is written."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from data_schemas.conversation import PlannedLine, check_conversation, conversation_turns
from data_schemas.emotions import DEEPDIALOGUE, Emotion
from data_schemas.foundation.base import Record
from data_schemas.item_code import MAX_INDEX, item_code
from data_schemas.speakers import Gender, Speaker
from data_schemas.tasks import TURNS_OF_TASK, Language, Role, Split, Task, Track

MAX_TURNS = max(max(turns) for turns in TURNS_OF_TASK.values())
QUESTION_TASKS = frozenset({Task.TRAJECTORY, Task.REASONING})
EMPATHY_NON_NEUTRAL_TURNS = 2  # FORMATS.md A.5: satisfies both published readings of the target turn


class EmotionStep(Record):
    """The emotion of one turn: label and intensity (0 only for neutral, 1 weak to 3 strong)."""

    emotion: Emotion
    intensity: int = Field(ge=0, le=3)
    #: one of the twenty of `data_schemas.emotions.DEEPDIALOGUE`, the shade that the label stands for
    fine_emotion: str | None = None
    #: what the words alone say, where it differs from the voice (acoustic-semantic conflict)
    text_emotion: Emotion | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_shades(self.emotion, self.fine_emotion, self.text_emotion)
        if self.emotion.is_neutral != (self.intensity == 0):
            raise ValueError("intensity is 0 for neutral and 1 to 3 for every other emotion")
        return self


class Persona(Record):
    """Who the user is, in the dialogue's own language."""

    name: str
    gender: Gender
    age: int = Field(ge=6, le=99)
    job: str
    region: str
    #: how this person talks
    style: str


class Brief(Record):
    """What a writer is told besides the emotions. Native to the dialogue's language; never text to be spoken."""

    persona: Persona
    #: an interpersonal theme of the catalogue (friendship, family, ...), where the story has one
    theme: str | None = None
    #: the other person the story is about, e.g. "an old roommate"
    counterpart: str | None = None
    #: place and moment; "" where the event or situation brings its own
    setting: str
    #: kind of event that brings about the emotion of each told turn, in order; "" where nothing happens (Track 1)
    events: tuple[str, ...] = ()
    #: how the first line begins
    opening: str
    #: form of the final question (trajectory, reasoning)
    question: str | None = None
    #: what the event line of a full-duplex script does, e.g. where the pause falls, who is spoken to
    cue: str | None = None


class Outline(Record):
    """What a dialogue is about: its shape without people, split or number."""

    task: Task
    language: Language
    turns: int = Field(ge=1, le=MAX_TURNS)
    domain: str
    emotions: tuple[EmotionStep, ...] = ()
    root_cause: str | None = None
    user_gender: Gender | None = None  # None: any voice fits
    brief: Brief | None = None  # drawn outlines have one; hand-written scripts need none
    script_id: str | None = None  # set when the outline was read off a frozen script
    #: who says what kind of line, in speaking order; of conversations only, other tasks have fixed lines
    lines: tuple[PlannedLine, ...] = ()

    @model_validator(mode="after")
    def _rules(self) -> Self:
        if self.task.track is Track.EMOTION:
            if self.turns not in TURNS_OF_TASK[self.task]:
                raise ValueError(f"{self.task} has {TURNS_OF_TASK[self.task]} turns, not {self.turns}")
            if len(self.emotions) != self.turns:
                raise ValueError(f"{self.turns} turns need {self.turns} emotions, not {len(self.emotions)}")
            check_trajectory(self.task, tuple(step.emotion for step in self.emotions))
        if self.task is Task.CONVERSATION:
            check_conversation(self.lines)
            if conversation_turns(self.lines) != self.turns:
                raise ValueError(f"the lines have {conversation_turns(self.lines)} turns of the user, not {self.turns}")
        elif self.lines:
            raise ValueError(f"{self.task} has fixed lines; only a conversation plans its own")
        if self.task is not Task.RECOGNITION and any(step.text_emotion for step in self.emotions):
            raise ValueError("text_emotion (the words say another emotion than the voice) is for recognition items")
        return self

    @property
    def is_conflict(self) -> bool:
        """An acoustic-semantic conflict item: the words say one emotion, the voice another."""
        return any(step.text_emotion for step in self.emotions)


class Place(NamedTuple):
    """What a script can be used for: a quota cell without its split."""

    task: Task
    language: Language
    turns: int

    @property
    def key(self) -> str:
        return f"{self.task}/{self.language}/{self.turns}"


class QuotaCell(Record):
    """One cell of the quota table: how counts reconcile (planned = released + quarantined)."""

    task: Task
    language: Language
    turns: int = Field(ge=1, le=MAX_TURNS)
    split: Split

    @property
    def key(self) -> str:
        return f"{self.task}/{self.language}/{self.turns}/{self.split}"

    @property
    def place(self) -> Place:
        return Place(self.task, self.language, self.turns)


class DialoguePlan(Record):
    """One planned item. ``id`` names every random draw made for it."""

    id: str
    cell: QuotaCell
    index: int = Field(ge=1, le=MAX_INDEX)  # number of the item, unique per (track, language)
    round: int = Field(ge=0)  # 0 first plan, 1.. top-ups
    outline: Outline
    user: Speaker
    assistant: Speaker
    third_party: Speaker | None = None

    @model_validator(mode="after")
    def _people_differ(self) -> Self:
        people = [self.user, self.assistant] + ([self.third_party] if self.third_party else [])
        if len({person.voice for person in people}) != len(people):
            raise ValueError("user, assistant and third party must be different voices")
        if self.outline.user_gender not in (None, self.user.gender):
            raise ValueError(f"the words need a {self.outline.user_gender} user, not {self.user.gender}")
        if any(person.split != self.cell.split for person in people):
            raise ValueError(f"a speaker is not of split {self.cell.split}")
        item_code(self.user.number, self.index)
        return self

    @property
    def task(self) -> Task:
        return self.cell.task

    @property
    def language(self) -> Language:
        return self.cell.language

    @property
    def item_code(self) -> str:
        """``GGGG_IIII``: the speaker's session and the item's number in it, the digits of every released id."""
        return item_code(self.user.number, self.index)

    def speaker(self, role: Role) -> Speaker:
        person = {
            Role.USER: self.user,
            Role.ASSISTANT: self.assistant,
            Role.THIRD_PARTY: self.third_party,
        }[role]
        if person is None:
            raise ValueError(f"plan {self.id} has no {role} speaker")
        return person


def check_shades(emotion: Emotion, fine_emotion: str | None, text_emotion: Emotion | None) -> None:
    """That the fine emotion is a shade of the label, and the words' emotion is another one.

    Raises:
        ValueError: a sentence naming the broken rule.
    """
    if fine_emotion is not None and DEEPDIALOGUE.get(fine_emotion) is not emotion:
        shades = ", ".join(fine for fine, label in DEEPDIALOGUE.items() if label is emotion)
        raise ValueError(f"fine_emotion {fine_emotion!r} is no shade of {emotion}; those are {shades}")
    if text_emotion is emotion:
        raise ValueError(f"text_emotion is only set where it differs from the emotion, and both are {emotion}")


def check_trajectory(task: Task, emotions: tuple[Emotion, ...]) -> None:
    """The emotion rules of FORMATS.md A.5.

    Raises:
        ValueError: a sentence naming the broken rule.
    """
    if task in QUESTION_TASKS:
        if not emotions[-1].is_neutral:
            raise ValueError(f"{task}: the last turn is the question and must be neutral")
        told = emotions[:-1]
        if all(before == after for before, after in pairwise(told)):
            raise ValueError(f"{task}: at least one emotion must change before the final question")
    if task is Task.EMPATHY:
        non_neutral = sum(not emotion.is_neutral for emotion in emotions)
        if non_neutral != EMPATHY_NON_NEUTRAL_TURNS:
            raise ValueError(f"empathy needs exactly two non-neutral turns, not {non_neutral}")
