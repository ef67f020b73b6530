"""Who speaks when in a Track 2 scene: its row, read leniently, and its two channels."""

from __future__ import annotations

import itertools
from typing import Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import Record, describe_validation_error
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Channel, Role
from flows.exports.base import ExportError, ReleaseSource, row_of
from flows.exports.reading.word_times import WordMarks, check_words, words_in
from flows.exports.writing.common import Span, Word

_PAUSE = "pause"


class _Lenient(Record):
    """Rows of other people may hold more than ours."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Line(_Lenient):
    """One stretch of speech, seconds. What nobody says is None."""

    xmin: float = Field(ge=0)
    xmax: float
    #: what is heard; may be empty for a reply that was cut at once
    text: str
    role: Role
    part: str | None = None
    speaker: str | None = None
    #: only replies of the assistant have these
    planned_text: str | None = None
    cut: bool | None = None
    #: when each word was spoken, where the engine knew
    words: WordMarks = None

    @model_validator(mode="after")
    def _words_inside(self) -> Self:
        check_words(self.words, self.span)
        return self

    @property
    def span(self) -> Span:
        return Span(self.xmin, self.xmax)


class EventMark(_Lenient):
    """Something that happens, seconds."""

    kind: str
    channel: Channel
    start: float = Field(ge=0)
    stop: float
    latency: float | None = None


class FloorMark(_Lenient):
    """Who had the floor, seconds."""

    holder: Channel
    start: float = Field(ge=0)
    stop: float


class Timeline(_Lenient):
    """The labels of a scene; lines ascending. Lines of different roles may overlap, those of one role do not."""

    duration: float = Field(gt=0)
    lines: tuple[Line, ...]
    events: tuple[EventMark, ...] = ()
    floor: tuple[FloorMark, ...] = ()
    speakers: dict[Role, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for line in self.lines:
            if not line.xmin < line.xmax <= self.duration:
                raise ValueError(f"{line.role} speech {line.xmin}..{line.xmax} s is not inside 0..{self.duration} s")
        for event in self.events:
            if not event.start <= event.stop <= self.duration:
                raise ValueError(f"event {event.kind} {event.start}..{event.stop} s is not inside the scene")
        reached = 0.0
        for hold in self.floor:
            if not reached <= hold.start < hold.stop <= self.duration:
                raise ValueError(
                    f"floor {hold.start}..{hold.stop} s begins before {reached} s or is not inside the scene"
                )
            reached = hold.stop
        for role in Role:
            for one, other in itertools.pairwise(self.lines_of(role)):
                if other.xmin < one.xmax:
                    raise ValueError(f"{role} speech at {other.xmin} s begins before the one at {one.xmin} s ends")
        return self

    def lines_of(self, role: Role) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.role is role)

    def words_of(self, line: Line) -> tuple[Word, ...]:
        """The words of a line: the engine's times where the row has them, else proportional ones."""
        return words_in(line.text, line.span, self.pauses_in(line), line.words)

    def pauses_in(self, line: Line) -> tuple[Span, ...]:
        """Hesitations inside a line of the user."""
        return tuple(
            Span(event.start, event.stop)
            for event in self.events
            if event.kind == _PAUSE
            and event.channel is Channel.USER
            and line.role is Role.USER
            and line.xmin < event.start < event.stop < line.xmax
        )


def timeline_of(item: FoundItem) -> Timeline:
    """The labels of a Track 2 item. ``events``, ``speakers``, ``part``, ``cut`` may be missing, the rest not.

    Raises:
        ExportError: the item has no row in a manifest, or the row's labels cannot be used.
        RecordError: the row lacks a field.
    """
    if item.manifest is None:
        raise ExportError(
            f"{item.id} ({item.task}, {item.language}, {item.split}) has no row in a manifest, so nobody knows who "
            f"speaks when; add the row to the sub-task's .jsonl"
        )
    speech, replies = _objects(item, "speech_segments"), _objects(item, "assistant_segments")
    lines = [*speech, *({**reply, "role": Role.ASSISTANT} for reply in replies)]
    speakers = item.row.get("speakers")
    if isinstance(speakers, dict):
        lines = [{"speaker": speakers.get(line.get("role")), **line} for line in lines]
    try:
        read = Timeline.model_validate(
            {
                "duration": row_of(item, "final_duration"),
                "lines": sorted((Line.model_validate(line) for line in lines), key=lambda line: (line.span, line.role)),
                "events": item.row.get("events") or (),
                "floor": item.row.get("floor") or (),
                "speakers": speakers or {},
            }
        )
    except ValidationError as error:
        raise ExportError(
            f"{item.manifest}:{item.line}: {item.id}: {describe_validation_error(error)}; correct the row"
        ) from error
    return read


def _objects(item: FoundItem, name: str) -> list[dict[str, object]]:
    value = row_of(item, name)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ExportError(f"{item.manifest}:{item.line}: {item.id}: {name} must be a list of objects; correct the row")
    return value


def two_channels(source: ReleaseSource, item: FoundItem, timeline: Timeline) -> tuple[Samples, Samples]:
    """The user's and the assistant's channel, ``[n]`` each, equally long, at 16 kHz.

    Raises:
        ExportError: one is missing, or as long as neither the other nor the row.
    """
    user, assistant = source.samples(item, Channel.USER), source.samples(item, Channel.ASSISTANT)
    stated = round(timeline.duration * SAMPLE_RATE_HZ)
    if len(user) != len(assistant) or abs(len(user) - stated) > 1:
        raise ExportError(
            f"{item.id}: the user's channel has {len(user)} samples, the assistant's {len(assistant)}, the row says "
            f"{stated}; all three must agree, run humdial validate {source.root}"
        )
    return user, assistant
