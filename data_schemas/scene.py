"""`Scene`: integer sample positions of every utterance on two channels, and what happens there."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from data_schemas.acoustics import Microphone
from data_schemas.foundation.base import Record
from data_schemas.tasks import Channel, Language, Part, Role, Task


class Placement(Record):
    """An utterance (or the part of it that is really heard) on a channel.

    ``start``/``stop`` are scene samples, half-open; ``source_start`` is where in the
    utterance reading begins. ``fade_out`` samples at the end are faded to silence.
    """

    utterance_id: str
    line: int = Field(ge=1)  # of the script
    channel: Channel
    role: Role
    part: Part
    start: int = Field(ge=0)
    stop: int = Field(gt=0)
    source_start: int = Field(default=0, ge=0)
    gain_db: float = 0.0
    fade_out: int = Field(default=0, ge=0)
    planned_text: str
    heard_text: str
    cut: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.stop <= self.start:
            raise ValueError(f"placement of {self.utterance_id} ends before it starts")
        if self.fade_out > self.stop - self.start:
            raise ValueError(f"placement of {self.utterance_id} fades longer than it sounds")
        return self


class Segment(Record):
    """One annotated stretch of the user's channel: a row of ``sentence.json``."""

    line: int = Field(ge=1)  # of the script
    start: int = Field(ge=0)
    stop: int = Field(gt=0)
    text: str = Field(min_length=1)
    role: Role
    part: Part


class EventKind(StrEnum):
    BARGE_IN = "barge_in"
    BACKCHANNEL = "backchannel"
    PAUSE = "pause"
    ASSISTANT_STOP = "assistant_stop"
    THIRD_PARTY = "third_party"
    ASIDE = "aside"
    #: "uh", 嗯: a filled pause beside a silent one
    FILLER = "filler"
    # conversations only
    #: a turn begins before the other party's has ended, by little, as turns do
    OVERLAP = "overlap"
    #: the assistant begins well before the user has ended
    TALK_OVER = "talk_over"
    #: the user gives way when talked over
    USER_STOP = "user_stop"


class SceneEvent(Record):
    """Something that happens, in samples: where it starts and stops, which line makes it, which line it is about.

    ``target`` is the line spoken into, over or after; ``latency`` counts from what the event answers to.
    """

    kind: EventKind
    channel: Channel
    start: int = Field(ge=0)
    stop: int = Field(ge=0)
    line: int | None = Field(default=None, ge=1)
    target: int | None = Field(default=None, ge=1)
    latency: int | None = None


class FloorHold(Record):
    """Who had the floor, samples ``[start, stop)``.

    A party has it from its first word after the other's last one (a newcomer gets it when the holder falls silent)
    until its own last word. Backchannels, asides and third parties never have it; in gaps nobody does.
    """

    holder: Channel
    start: int = Field(ge=0)
    stop: int = Field(gt=0)


class Scene(Record):
    """A composed item. Labels derive from here, never from the audio afterwards."""

    plan_id: str
    task: Task
    language: Language
    sample_rate: int = Field(gt=0)
    num_samples: int = Field(gt=0)
    placements: tuple[Placement, ...]
    segments: tuple[Segment, ...]
    events: tuple[SceneEvent, ...] = ()
    floor: tuple[FloorHold, ...] = ()
    #: None: what is placed is what is heard
    microphone: Microphone | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for placement in self.placements:
            if placement.stop > self.num_samples:
                raise ValueError(f"{placement.utterance_id} ends after the scene")
        previous = 0
        for segment in self.segments:
            if not previous <= segment.start < segment.stop <= self.num_samples:
                raise ValueError("segments must be ascending, disjoint and inside the scene")
            previous = segment.stop
        return self

    def seconds(self, samples: int) -> float:
        return samples / self.sample_rate

    def overlap_spans(self) -> tuple[tuple[int, int], ...]:
        """Sample spans in which both channels carry speech, ascending."""
        spans = [
            (max(a.start, b.start), min(a.stop, b.stop))
            for a in self.placements
            if a.channel is Channel.USER
            for b in self.placements
            if b.channel is Channel.ASSISTANT
        ]
        return tuple(sorted((start, stop) for start, stop in spans if start < stop))
