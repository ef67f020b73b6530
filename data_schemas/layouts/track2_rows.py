"""Rows and side-cars of Track 2 (FORMATS.md B.2), computed from the timeline."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from data_schemas.acoustics import Microphone
from data_schemas.foundation.base import Record
from data_schemas.item import Item
from data_schemas.scene import Placement, Scene
from data_schemas.tasks import Channel, Language, Part, Role, Task
from data_schemas.utterance import Utterance

_DECIMALS = 7  # exact: a sample at 16 kHz is 0.0000625 s


class WordRow(Record):
    """A word as it is spoken ("two", not "2"), seconds from the start of the scene, from the engine that spoke it."""

    text: str
    start: float = Field(ge=0)
    stop: float


class SpeechSegment(Record):
    """One annotated stretch of the user's channel, seconds."""

    xmin: float = Field(ge=0)
    xmax: float = Field(gt=0)
    text: str = Field(min_length=1)
    speaker: str
    role: Role
    part: Part
    line: int
    #: what was spoken in full, in order; None where an engine does not tell
    words: tuple[WordRow, ...] | None = None


class AssistantSegment(Record):
    """What is heard of one reply (``text``) and what was planned, seconds."""

    xmin: float = Field(ge=0)
    xmax: float = Field(gt=0)
    text: str
    planned_text: str
    cut: bool
    part: Part
    line: int
    words: tuple[WordRow, ...] | None = None


class EventRow(Record):
    """Something that happens, seconds."""

    kind: str
    channel: Channel
    start: float
    stop: float
    latency: float | None
    #: which line of the script makes it, and which it is about; as in the segments
    line: int | None
    target: int | None


class FloorRow(Record):
    """Who had the floor, seconds."""

    holder: Channel
    start: float
    stop: float


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
    floor: tuple[FloorRow, ...] = ()
    microphone: Microphone | None = None
    #: parts of the user's channel where they were kept: name -> path
    stems: dict[str, str] = Field(default_factory=dict)
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
            line=segment.line,
            words=_words(item, _spoken_in(scene, Channel.USER, segment.line)),
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
            line=placement.line,
            words=_words(item, (placement,)),
        )
        for placement in sorted(scene.placements, key=lambda placement: placement.start)
        if placement.channel is Channel.ASSISTANT
    )


def _spoken_in(scene: Scene, channel: Channel, line: int) -> tuple[Placement, ...]:
    """The pieces of a line, ascending."""
    own = (placement for placement in scene.placements if placement.line == line and placement.channel is channel)
    return tuple(sorted(own, key=lambda placement: placement.start))


def _words(item: Item, placements: tuple[Placement, ...]) -> tuple[WordRow, ...] | None:
    """The words of all placements; None where one of their utterances has no word times."""
    utterances = {utterance.id: utterance for utterance in item.utterances}
    spoken = [(placement, utterances.get(placement.utterance_id)) for placement in placements]
    known = [(placement, utterance) for placement, utterance in spoken if utterance is not None and utterance.words]
    if not known or len(known) < len(spoken):
        return None
    return tuple(row for placement, utterance in known for row in _heard_words(scene_of(item), placement, utterance))


def _heard_words(scene: Scene, placement: Placement, utterance: Utterance) -> Iterator[WordRow]:
    """Words that were spoken in full: of a cut line those that ended before its fade, as in ``heard_text``."""
    begin = placement.source_start
    end = begin + placement.stop - placement.start - placement.fade_out * placement.cut
    offset = placement.start - begin
    for word in utterance.words:
        if begin <= word.start and word.stop <= end:
            yield WordRow(
                text=word.text, start=seconds(scene, offset + word.start), stop=seconds(scene, offset + word.stop)
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
            line=event.line,
            target=event.target,
        )
        for event in scene.events
    )


def floor_rows(item: Item) -> tuple[FloorRow, ...]:
    scene = scene_of(item)
    return tuple(
        FloorRow(holder=hold.holder, start=seconds(scene, hold.start), stop=seconds(scene, hold.stop))
        for hold in scene.floor
    )


def speakers(item: Item) -> dict[Role, str]:
    people = (item.plan.user, item.plan.assistant, item.plan.third_party)
    return {person.role: person.id for person in people if person is not None}


def sentence_json(item: Item) -> SentenceJson:
    scene = scene_of(item)
    return SentenceJson(final_duration=seconds(scene, scene.num_samples), speech_segments=speech_segments(item))
