"""Rows and side-cars of Track 2 (FORMATS.md B.2), computed from the timeline."""

from __future__ import annotations

from pydantic import Field

from data_schemas.base import Record
from data_schemas.item import Item
from data_schemas.scene import Scene
from data_schemas.tasks import Channel, Language, Part, Role, Task

_DECIMALS = 7  # exact: a sample at 16 kHz is 0.0000625 s


class SpeechSegment(Record):
    """One annotated stretch of the user's channel, seconds."""

    xmin: float = Field(ge=0)
    xmax: float = Field(gt=0)
    text: str = Field(min_length=1)
    speaker: str
    role: Role
    part: Part


class AssistantSegment(Record):
    """What is heard of one reply (``text``) and what was planned, seconds."""

    xmin: float = Field(ge=0)
    xmax: float = Field(gt=0)
    text: str
    planned_text: str
    cut: bool
    part: Part


class EventRow(Record):
    """Something that happens, seconds."""

    kind: str
    channel: Channel
    start: float
    stop: float
    latency: float | None


class SentenceJson(Record):
    """``<id>_sentence.json``: two keys the scripts read."""

    final_duration: float = Field(gt=0)
    speech_segments: tuple[SpeechSegment, ...] = Field(min_length=1)


class Track2Row(Record):
    """One scene of a Track 2 manifest; paths are relative to the manifest's directory."""

    id: str
    task: Task
    language: Language
    wav: str
    sentence: str
    clean: str | None
    assistant_wav: str
    final_duration: float
    speech_segments: tuple[SpeechSegment, ...]
    assistant_segments: tuple[AssistantSegment, ...]
    events: tuple[EventRow, ...]
    speakers: dict[Role, str]


def scene_of(item: Item) -> Scene:
    """The item's scene; Track 2 items always have one."""
    if item.scene is None:
        raise ValueError(f"{item.plan.id} has no scene")
    return item.scene


def seconds(scene: Scene, samples: int) -> float:
    return round(samples / scene.sample_rate, _DECIMALS)


def speech_segments(item: Item) -> tuple[SpeechSegment, ...]:
    scene = scene_of(item)
    return tuple(
        SpeechSegment(
            xmin=seconds(scene, segment.start),
            xmax=seconds(scene, segment.stop),
            text=segment.text,
            speaker=item.plan.speaker(segment.role).id,
            role=segment.role,
            part=segment.part,
        )
        for segment in scene.segments
    )


def assistant_segments(item: Item) -> tuple[AssistantSegment, ...]:
    scene = scene_of(item)
    return tuple(
        AssistantSegment(
            xmin=seconds(scene, placement.start),
            xmax=seconds(scene, placement.stop),
            text=placement.heard_text,
            planned_text=placement.planned_text,
            cut=placement.cut,
            part=placement.part,
        )
        for placement in sorted(scene.placements, key=lambda placement: placement.start)
        if placement.channel is Channel.ASSISTANT
    )


def event_rows(item: Item) -> tuple[EventRow, ...]:
    scene = scene_of(item)
    return tuple(
        EventRow(
            kind=event.kind.value,
            channel=event.channel,
            start=seconds(scene, event.start),
            stop=seconds(scene, event.stop),
            latency=None if event.latency is None else seconds(scene, event.latency),
        )
        for event in scene.events
    )


def speakers(item: Item) -> dict[Role, str]:
    people = (item.plan.user, item.plan.assistant, item.plan.third_party)
    return {person.role: person.id for person in people if person is not None}


def sentence_json(item: Item) -> SentenceJson:
    scene = scene_of(item)
    return SentenceJson(final_duration=seconds(scene, scene.num_samples), speech_segments=speech_segments(item))
