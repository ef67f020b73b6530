"""Easy-Turn (FORMATS.md C.1): what a turn detector is trained on, ``raw.list`` with ``wav/`` and tar shards.

Which utterance gets which class follows the HumDial baseline's recipe: the user's queries and interruptions are
COMPLETE, backchannels BACKCHANNEL; a query with hesitations is cut at its ``pause`` events, every piece that ends in
one INCOMPLETE, the last one COMPLETE. WAIT is never written: the recipe drops that class, so a "stop" of the silence
sub-task is COMPLETE like any interruption. A line that the user of a conversation breaks off when talked over
(``user_stop``) is INCOMPLETE. Speech that is not meant for the assistant (third party, asides) has no class and is
left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.base import Record, describe_validation_error, dump_json
from data_schemas.layouts.base import FoundItem
from data_schemas.scene import EventKind
from data_schemas.tags import BREAK_TAG, strip_tags
from data_schemas.tasks import Language, Part, Role, Task, Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource, row_of
from flows.exports.writing.common import TIME_DECIMALS, LineFiles, export_name, write_audio
from flows.exports.writing.tar_shards import Member, TarShards, write_shard_lists

T = TypeVar("T")

#: the prompt key of the loader: exact, blanks included
TASK = "<TRANSCRIBE> <BACKCHANNEL> <COMPLETE>"
COMPLETE, INCOMPLETE, BACKCHANNEL = "COMPLETE", "INCOMPLETE", "BACKCHANNEL"
#: FORMATS.md C.1; that much speech also stays well below the 360 tokens of the loader
LONGEST_S = 29.0
#: written where a release does not say
UNKNOWN = "<NONE>"
DATASET = "humdial_synth"
#: the value of the baseline's example row; no reader of it was found
STATE = "0"
UTTERANCES_PER_SHARD = 1000

LANG: dict[Language, str] = {Language.ZH: "<CN>", Language.EN: "<EN>"}
_CLASS_OF_PART: dict[str, str] = {
    Part.QUERY: COMPLETE,
    Part.SECOND_QUERY: COMPLETE,
    Part.INTERRUPTION: COMPLETE,
    Part.BACKCHANNEL: BACKCHANNEL,
}


class _Segment(Record):
    """What is read of a ``speech_segments`` entry, seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    xmin: float = Field(ge=0)
    xmax: float
    text: str
    role: str
    part: str
    line: int | None = None
    speaker: str = UNKNOWN


class _Event(Record):
    """What is read of an ``events`` entry, seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    kind: str
    start: float
    stop: float
    line: int | None = None


_SEGMENTS = TypeAdapter(tuple[_Segment, ...])
_EVENTS = TypeAdapter(tuple[_Event, ...])


@dataclass(frozen=True)
class _Piece:
    """One utterance to be: samples ``[start, stop)`` of the user's channel, its words and its class."""

    start: int
    stop: int
    text: str
    label: str
    part: str
    speaker: str


@dataclass(frozen=True)
class EasyTurn:
    """Cuts the user's utterances out of full-duplex scenes and says for each whether the turn is over."""

    name: str = "easy-turn"
    summary: str = "Easy-Turn (the Track 2 baseline): the user's utterances with a turn state, raw list and shards"
    tracks: frozenset[Track] = frozenset({Track.DUPLEX})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """Write ``raw.list``, ``wav/``, ``shards/`` and ``shards_list.txt``, and each list by split as well.

        Raises:
            ExportError: a row lacks its labels, or they do not fit the audio.
        """
        left_out: Counter[str] = Counter()
        items = entries = 0
        with (
            LineFiles(target) as lists,
            TarShards(target / "shards", "shards_{total:09d}.tar", UTTERANCES_PER_SHARD) as shards,
        ):
            for item in source.items():
                samples = source.samples(item, Role.USER)
                pieces = list(_pieces(item, len(samples), left_out))
                for number, piece in enumerate(pieces, start=1):
                    row = _row(item, piece, number)
                    wav = target / str(row["wav"])
                    write_audio(wav, samples[piece.start : piece.stop])
                    lists.write("raw.list", row)
                    lists.write(f"raw_{item.split}.list", row)
                    shards.add(item.split, _members(row, wav.read_bytes()))
                items += bool(pieces)
                entries += len(pieces)
                advance(1)
        write_shard_lists(target, "shards", shards.written)
        return ExportCount(items=items, entries=entries, left_out=dict(sorted(left_out.items())))


def _pieces(item: FoundItem, num_samples: int, left_out: Counter[str]) -> Iterator[_Piece]:
    """The utterances of a scene that have a class and that the loader can take."""
    for segment in _read(_SEGMENTS, item, "speech_segments"):
        label = _CLASS_OF_PART.get(segment.part) if segment.role == Role.USER else None
        if label is None:
            left_out[f"{segment.role} {segment.part}: no class in Easy-Turn"] += 1
            continue
        for piece in _cut(item, segment, INCOMPLETE if _broken_off(item, segment) else label):
            if not piece.start < piece.stop <= num_samples:
                raise ExportError(
                    f"{item.manifest}:{item.line}: {item.id} has labels for samples {piece.start} to {piece.stop}, but "
                    f"its user audio has {num_samples}; run humdial validate"
                )
            reason = _refused(piece)
            if reason is None:
                yield piece
            else:
                left_out[reason] += 1


def _broken_off(item: FoundItem, segment: _Segment) -> bool:
    """Whether the user gave way before the line was said. Only conversations have that."""
    return item.task is Task.CONVERSATION and any(
        event.kind == EventKind.USER_STOP and event.line is not None and event.line == segment.line
        for event in _read(_EVENTS, item, "events")
    )


def _refused(piece: _Piece) -> str | None:
    """Why the loader would drop or misread an utterance, or None."""
    if piece.stop - piece.start > LONGEST_S * SAMPLE_RATE_HZ:
        return f"longer than {LONGEST_S:g} s"
    if not piece.text:
        return "no words"
    if "<" in piece.text or ">" in piece.text:
        # the shard loader takes the class from the first "<" to the end of the line
        return "text holds < or >"
    return None


def _cut(item: FoundItem, segment: _Segment, label: str) -> Iterator[_Piece]:
    """The segment itself, or its pieces between the hesitations that ``[break]`` marks."""
    texts = segment.text.split(BREAK_TAG)
    pauses: list[_Event] = []
    if len(texts) > 1:
        pauses = sorted(
            (
                event
                for event in _read(_EVENTS, item, "events")
                if event.kind == EventKind.PAUSE and segment.xmin <= event.start < event.stop <= segment.xmax
            ),
            key=lambda event: event.start,
        )
        if len(pauses) != len(texts) - 1:
            raise ExportError(
                f"{item.manifest}:{item.line}: {item.id} has {len(texts) - 1} {BREAK_TAG} in a segment and "
                f"{len(pauses)} pause events inside it; easy-turn cuts there and needs one for each"
            )
    starts = [segment.xmin, *(pause.stop for pause in pauses)]
    stops = [*(pause.start for pause in pauses), segment.xmax]
    for position, (start, stop, text) in enumerate(zip(starts, stops, texts, strict=True), start=1):
        yield _Piece(
            start=round(start * SAMPLE_RATE_HZ),
            stop=round(stop * SAMPLE_RATE_HZ),
            text=" ".join(strip_tags(text).split()),
            label=label if position == len(texts) else INCOMPLETE,
            part=segment.part,
            speaker=segment.speaker,
        )


def _row(item: FoundItem, piece: _Piece, number: int) -> dict[str, object]:
    """The row of ``raw.list``."""
    key = f"{export_name(item)}_{number}"
    return {
        "task": TASK,
        "key": key,
        "wav": f"wav/{key}.wav",
        "txt": f"{piece.text}<{piece.label}>",
        "lang": LANG[item.language],
        "speaker": _ascii(piece.speaker),
        "emotion": UNKNOWN,
        "gender": UNKNOWN,
        "duration": round((piece.stop - piece.start) / SAMPLE_RATE_HZ, TIME_DECIMALS),
        "state": STATE,
        "extra": {
            "dataset": DATASET,
            "item": item.id,
            "split": item.split.value,
            "sub_task": item.task.value,
            "part": _ascii(piece.part),
        },
    }


def _members(row: dict[str, object], wav: bytes) -> list[Member]:
    """The shard members of one key, in the order of the baseline's writer."""
    key = row["key"]
    plain = ("task", "lang", "speaker", "emotion", "gender", "state", "duration")
    return [
        (f"{key}.txt", str(row["txt"]).encode()),
        (f"{key}.wav", wav),
        *((f"{key}.{field}", str(row[field]).encode("ascii")) for field in plain),
        (f"{key}.extra", dump_json(row["extra"]).encode("ascii")),
    ]


def _ascii(text: str) -> str:
    """The baseline's writer counts metadata in characters, so a wider one would be cut off."""
    return text.encode("ascii", "backslashreplace").decode("ascii") or UNKNOWN


def _read(adapter: TypeAdapter[T], item: FoundItem, field: str) -> T:
    if item.manifest is None:
        raise ExportError(
            f"{item.id} ({item.task}, {item.language}, {item.split}) has no row in a manifest, so nobody knows which "
            "utterance is what; add the row to the sub-task's .jsonl"
        )
    try:
        return adapter.validate_python(row_of(item, field))
    except ValidationError as error:
        raise ExportError(
            f"{item.manifest}:{item.line}: {item.id}, field {field}: {describe_validation_error(error)}; easy-turn "
            "cuts utterances by these labels"
        ) from error
