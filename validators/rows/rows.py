"""Typed views of a found item's raw row: only what consumers read, extra keys ignored."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from data_schemas.acoustics import Microphone
from data_schemas.foundation.base import RecordError, describe_validation_error
from data_schemas.layouts.base import FoundItem, inside
from data_schemas.scene import EventKind
from data_schemas.tasks import Channel, Part, Role


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class TurnRow(_View):
    """One turn of a Track 1 row (FORMATS.md A.4)."""

    turn_id: int
    text: str
    emotion: str
    split_audio_file: str
    response_text: str
    response_audio: str | None = None


class DialogueRow(_View):
    """A Track 1 row."""

    dialogue_id: str
    turns: tuple[TurnRow, ...]


class SegmentRow(_View):
    """A labelled stretch of one channel, in seconds (FORMATS.md B.2)."""

    xmin: float
    xmax: float
    text: str
    role: str | None = None

    @property
    def span(self) -> tuple[float, float]:
        return self.xmin, self.xmax


class AssistantSegmentRow(SegmentRow):
    """What is heard of one reply. ``cut`` says that the user's interruption ended it."""

    cut: bool = False


class SentenceFile(_View):
    """``<id>_sentence.json``."""

    final_duration: float
    speech_segments: tuple[SegmentRow, ...]


class AssistantRow(_View):
    """The assistant's side of a Track 2 manifest row; None in data sets that do not label it."""

    assistant_segments: tuple[AssistantSegmentRow, ...] | None = None


class SpokenTurnRow(_View):
    """A turn of a Track 1 row with what our rows add; None where a data set does not tell."""

    text: str
    emotion: str
    speaker: str | None = None
    intensity: int | None = None
    response_text: str | None = None
    response_speaker: str | None = None


class SpokenDialogueRow(_View):
    """A Track 1 row as speech: words, labels and speakers."""

    turns: tuple[SpokenTurnRow, ...]


class SpokenSegmentRow(SegmentRow):
    """A user segment and, in our rows, who says it."""

    speaker: str | None = None


class SpokenScene(_View):
    """The user's side of a Track 2 manifest row as speech."""

    speech_segments: tuple[SpokenSegmentRow, ...]


class AssistantSpeechRow(AssistantRow):
    """The assistant's side of a Track 2 manifest row as speech; ``speakers`` maps a role to a speaker id."""

    speakers: dict[str, str] = {}


class UserLineRow(_View):
    """A user segment of a row that says which line of the script it is."""

    xmin: float
    xmax: float
    text: str
    role: Role
    part: Part
    line: int


class AssistantLineRow(_View):
    """An assistant segment of such a row."""

    xmin: float
    xmax: float
    cut: bool
    part: Part
    line: int


class EventRow(_View):
    """Something that happens, seconds; ``line`` makes it, ``target`` is what it is about."""

    kind: EventKind
    channel: Channel
    start: float
    stop: float
    latency: float | None = None
    line: int
    target: int | None = None


class FloorRow(_View):
    """Who had the floor, seconds."""

    holder: Channel
    start: float
    stop: float


class LinesRow(_View):
    """What a manifest row says about lines, events and the floor; None where it says nothing."""

    speech_segments: tuple[UserLineRow, ...]
    assistant_segments: tuple[AssistantLineRow, ...]
    events: tuple[EventRow, ...] | None = None
    floor: tuple[FloorRow, ...] | None = None


class MicrophoneRow(_View):
    """The microphone of a manifest row; None for a dry scene and for data sets that have no such thing."""

    microphone: Microphone | None = None


V = TypeVar("V", bound=BaseModel)


def view(kind: type[V], row: object) -> V | str:
    """The typed view of a raw JSON value, or one sentence that says what is wrong with it.

    Numbers beyond a float's range, NaN and infinities are no numbers.
    """
    try:
        return kind.model_validate_json(json.dumps(row))
    except ValidationError as error:
        return describe_validation_error(error)
    except (ValueError, RecursionError) as error:
        return f"cannot be read as a row: {error}"


def read_json(path: Path) -> object:
    """Any JSON value of a UTF-8 file, as strict as the strictest of its readers.

    Raises:
        OSError: the file cannot be read.
        ValueError: not UTF-8, not JSON (NaN and infinities are not), a key twice, or half of a surrogate pair.
    """
    raw = path.read_bytes()
    if raw.startswith(BOM_UTF8):
        raise ValueError("starts with a byte-order mark; save the file as UTF-8 without BOM")
    return strict_json(raw.decode("utf-8"))


def strict_json(text: str) -> object:
    """A JSON value as RFC 8259 has it.

    Raises:
        ValueError: one clause that says what is wrong.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair, which is no character") from error
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"holds {name}, which is no JSON number")


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise ValueError(f"holds the key {twice!r} twice, of which readers see one")
    return found


def existing_file(found: FoundItem, root: Path, role: str) -> Path | None:
    """The item's file of this role, if the item has one, it lies inside the root and we may look at it."""
    relative = found.files.get(role)
    if relative is None:
        return None
    try:
        path = inside(root, relative)
        return path if path.is_file() else None
    except (RecordError, RuntimeError, OSError):  # RuntimeError: links that lead to themselves, until Python 3.13
        return None


def beside_manifest(found: FoundItem, name: str) -> str:
    """A path from a row, relative to the root: rows count from the folder that holds the manifest."""
    parent = Path(found.manifest).parent.as_posix() if found.manifest else "."
    return name if parent == "." else f"{parent}/{name}"
