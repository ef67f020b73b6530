"""`Script`: the words, before anyone speaks them. One JSON line of a frozen script file."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from data_schemas.conversation import PlannedLine, check_conversation, conversation_turns
from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.plan import Brief, EmotionStep, Outline
from data_schemas.speakers import Gender
from data_schemas.tags import BREAK_TAG, VOCAL_TAGS, strip_tags, tags_in
from data_schemas.tasks import LINES_OF_TASK, Language, Part, Role, Task, Track

DUPLEX_TURNS = 1  # full-duplex items are counted as one turn in quotas
#: `ScriptProvenance.writer` of scripts filled in by rule to try a build: nobody may train on them.
REHEARSAL_WRITER = "rehearsal"


class ScriptTurn(Record):
    """One Track 1 turn: what the user says and the reference reply in text."""

    text: str = Field(min_length=1)
    emotion: Emotion
    intensity: int = Field(ge=0, le=3)
    cause: str = Field(min_length=1)
    response_text: str = Field(min_length=1)
    fine_emotion: str | None = None
    #: what the words alone say, where it differs from ``emotion``, which the voice carries
    text_emotion: Emotion | None = None
    #: which model wrote the user's words and which the reply; None for hand-written scripts
    text_model: str | None = None
    response_model: str | None = None

    @property
    def step(self) -> EmotionStep:
        return EmotionStep(
            emotion=self.emotion,
            intensity=self.intensity,
            fine_emotion=self.fine_emotion,
            text_emotion=self.text_emotion,
        )


class ScriptLine(Record):
    """One line of a full-duplex script, by role and part."""

    role: Role
    part: Part
    text: str = Field(min_length=1)
    model: str | None = None  # which model wrote it; None for hand-written scripts


class ScriptProvenance(Record):
    """Who wrote it. For a model: its name, the hash of the prompt files and the seed of its first request."""

    writer: str
    author: str
    version: str
    model: str | None = None
    seed: int | None = None
    #: how often it was written before it passed: 1 is the first time
    attempts: int | None = None

    @property
    def is_rehearsal(self) -> bool:
        """Filled in by rule to try a build, not to be trained on."""
        return self.writer == REHEARSAL_WRITER


class Script(Record):
    """Either ``turns`` (Track 1) or ``lines`` (Track 2)."""

    script_id: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    task: Task
    language: Language
    domain: str
    #: set when the words imply it ("my husband", 我老公 ...); the planner then casts a fitting voice
    user_gender: Gender | None = None
    root_cause: str | None = None
    #: what the writer was told; None for hand-written scripts
    brief: Brief | None = None
    turns: tuple[ScriptTurn, ...] = ()
    lines: tuple[ScriptLine, ...] = ()
    provenance: ScriptProvenance

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if self.task.track is Track.EMOTION:
            if self.lines or not self.turns:
                raise ValueError(f"{self.task} is a Track 1 task: it has 'turns' and no 'lines'")
        else:
            if self.turns:
                raise ValueError(f"{self.task} is a Track 2 task: it has 'lines' and no 'turns'")
            have = tuple((line.role, line.part) for line in self.lines)
            if self.task is Task.CONVERSATION:
                check_conversation(self.planned_lines)
            elif have != LINES_OF_TASK[self.task]:
                want = ", ".join(f"{role}/{part}" for role, part in LINES_OF_TASK[self.task])
                raise ValueError(f"lines of {self.task} must be, in order: {want}")
        self._check_tags()
        self.outline()
        return self

    def _check_tags(self) -> None:
        spoken = [turn.text for turn in self.turns] + [line.text for line in self.lines]
        for text in spoken:
            for tag in tags_in(text):
                if tag not in (*VOCAL_TAGS, BREAK_TAG):
                    raise ValueError(f"tag {tag} is not one of {', '.join(VOCAL_TAGS)}, {BREAK_TAG}")
        paused = [line for line in self.lines if BREAK_TAG in line.text]
        wanted = [Part.QUERY] if self.task is Task.PAUSE else []
        if [line.part for line in paused] != wanted or any(BREAK_TAG in turn.text for turn in self.turns):
            raise ValueError(f"{BREAK_TAG} stands in the query of 'pause' scripts and nowhere else")
        if any(not strip_tags(piece) for line in paused for piece in line.text.split(BREAK_TAG)):
            raise ValueError(f"{BREAK_TAG} stands between words: something is said before and after each pause")
        if any(tags_in(turn.response_text) for turn in self.turns):
            raise ValueError("response_text must not hold tags")

    @property
    def planned_lines(self) -> tuple[PlannedLine, ...]:
        """Who says what kind of line (Track 2)."""
        return tuple(PlannedLine(role=line.role, part=line.part) for line in self.lines)

    def outline(self) -> Outline:
        """The plan-side view of this script."""
        conversation = self.task is Task.CONVERSATION
        return Outline(
            task=self.task,
            language=self.language,
            turns=conversation_turns(self.planned_lines) if conversation else len(self.turns) or DUPLEX_TURNS,
            domain=self.domain,
            emotions=tuple(turn.step for turn in self.turns),
            root_cause=self.root_cause,
            user_gender=self.user_gender,
            brief=self.brief,
            script_id=self.script_id,
            lines=self.planned_lines if conversation else (),
        )
