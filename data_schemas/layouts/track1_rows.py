"""Rows of a Track 1 manifest (FORMATS.md A.4), as we write them. Readers keep the raw row."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.item import Item, response_wav, turn_wav
from data_schemas.tasks import Task

#: task digit, turns, language, group, index
DIALOGUE_ID = re.compile(r"^task(\d)_(\d)_(zh|en)_(\d{4})_(\d{4})$")
#: the short form of the README samples: accepted when reading, never written
SHORT_DIALOGUE_ID = re.compile(r"^(zh|en)_(\d{4})_(\d{4})$")

_DECIMALS = 7  # exact: a sample at 16 kHz is 0.0000625 s


class Track1Turn(Record):
    """One turn: the fields consumers read, then provenance they ignore; the last three where the reply is voiced."""

    turn_id: int = Field(ge=1)
    text: str = Field(min_length=1)
    emotion: Emotion
    split_audio_file: str
    response_text: str = Field(min_length=1)
    speaker: str
    intensity: int = Field(ge=0, le=3)
    cause: str
    duration: float = Field(gt=0)  # seconds
    response_audio: str | None = None
    response_speaker: str | None = None
    response_duration: float | None = Field(default=None, gt=0)  # seconds

    @model_validator(mode="after")
    def _voiced_or_not(self) -> Self:
        if len({value is None for value in (self.response_audio, self.response_speaker, self.response_duration)}) > 1:
            raise ValueError("response_audio, response_speaker and response_duration stand together or not at all")
        return self

    @model_serializer(mode="wrap")
    def _without_absent_reply(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A reply that is text has no keys of audio: consumers ask whether they are there."""
        plain: dict[str, Any] = handler(self)
        return {key: value for key, value in plain.items() if value is not None}


class Track1Row(Record):
    """One dialogue, one line."""

    dialogue_id: str = Field(pattern=DIALOGUE_ID.pattern)
    turns: tuple[Track1Turn, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if [turn.turn_id for turn in self.turns] != list(range(1, len(self.turns) + 1)):
            raise ValueError("turn_id must be 1..n, ascending: the eval scripts use list order")
        return self


def dialogue_id(item: Item, digit: int) -> str:
    """``task<digit>_<turns>_<language>_<group>_<index>``."""
    cell = item.plan.cell
    return f"task{digit}_{cell.turns}_{cell.language}_{item.plan.item_code}"


def track1_row(item: Item, identity: str, folder: str) -> Track1Row:
    """The row of an item whose audio lies in ``folder`` beside the manifest."""
    return Track1Row(
        dialogue_id=identity,
        turns=tuple(
            Track1Turn(
                turn_id=turn_id,
                text=turn.text,
                emotion=turn.emotion,
                split_audio_file=f"{folder}/{identity}_{turn_id}.wav",
                response_text=turn.response_text,
                speaker=utterance.speaker,
                intensity=turn.intensity,
                cause=turn.cause,
                duration=round(utterance.duration, _DECIMALS),
                **_response(item, turn_id, f"{response_folder(folder)}/{identity}_{turn_id}_response.wav"),
            )
            for turn_id, (turn, utterance) in enumerate(zip(item.script.turns, item.utterances, strict=True), 1)
        ),
    )


def response_folder(folder: str) -> str:
    """Where replies to the turns in ``folder`` lie (FORMATS.md A.4)."""
    return f"{folder}_model"


def _response(item: Item, turn_id: int, path: str) -> dict[str, Any]:
    """What a turn's row says of its voiced reply; nothing where replies are text."""
    if not item.responses:
        return {}
    spoken = item.responses[turn_id - 1]
    return {
        "response_audio": path,
        "response_speaker": spoken.speaker,
        "response_duration": round(spoken.duration, _DECIMALS),
    }


def track1_audio(item: Item, identity: str, directory: str) -> dict[str, str]:
    """Staged name -> release path for every turn and reply; ``directory`` is the turns' folder in the release."""
    turns = {
        turn_wav(turn_id): f"{directory}/{identity}_{turn_id}.wav" for turn_id in range(1, len(item.utterances) + 1)
    }
    replies = response_folder(directory)
    return turns | {
        response_wav(turn_id): f"{replies}/{identity}_{turn_id}_response.wav"
        for turn_id in range(1, len(item.responses) + 1)
    }


def folder_name(digit: int, turns: int, mixed: bool) -> str:
    """``task2_3`` for a folder of three-turn dialogues, ``task2`` for a mixed or single-turn one."""
    return f"task{digit}" if mixed else f"task{digit}_{turns}"


def parse_folder(name: str, task_of_digit: dict[int, Task]) -> Task | None:
    """The task a folder or manifest name stands for, or None when it is not one of ours."""
    match = re.fullmatch(r"task(\d)(?:_(\d))?", name)
    return task_of_digit.get(int(match.group(1))) if match else None


def audio_roles(row: dict[str, object], parent: str) -> dict[str, str]:
    """``turn_<id>`` and ``response_<id>`` -> path relative to the root, for every turn and reply that names a file."""
    roles: dict[str, str] = {}
    turns = row.get("turns")
    for position, turn in enumerate(turns if isinstance(turns, list) else [], start=1):
        if not isinstance(turn, dict):
            continue
        turn_id = turn.get("turn_id", position)
        for role, field in (("turn", "split_audio_file"), ("response", "response_audio")):
            if isinstance(turn.get(field), str) and turn[field]:
                roles[f"{role}_{turn_id}"] = f"{parent}/{turn[field]}" if parent else turn[field]
    return roles
