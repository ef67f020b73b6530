"""``lhotse``: recordings and supervisions of both tracks (FORMATS.md C.5). Lhotse itself is not needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.base import Record, describe_validation_error
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Channel, Role, Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource, row_of
from flows.exports.reading.timeline import Line, Timeline, timeline_of, two_channels
from flows.exports.writing.common import LineFiles, export_name, length, write_audio

#: Kinds of the alignment of Track 2: times of the engine, which Lhotse calls "word", or a guess
ALIGNMENT = "word"
GUESSED_ALIGNMENT = "word_proportional"
_CHANNEL_OF_ROLE = {Role.USER: 0, Role.THIRD_PARTY: 0, Role.ASSISTANT: 1}


class _Turn(Record):
    """What a turn of Track 1 must and may hold; rows of other people may hold more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    turn_id: int = Field(ge=1)
    text: str = Field(min_length=1)
    emotion: str
    intensity: int | None = None
    cause: str | None = None
    response_text: str | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class LhotseExporter:
    """``<track>/<split>/recordings.jsonl.gz`` and ``supervisions.jsonl.gz``, audio in ``wav/`` beside them.

    Track 1: one recording per turn, one supervision over all of it, with ``custom`` emotion, intensity, cause,
    response_text, dialogue_id, turn_id. Track 2: one recording per scene of two mono sources, channel 0 the
    user's microphone (third party included), channel 1 the assistant; a supervision per utterance, with
    ``custom`` role, part, cut, planned_text, and word times as alignment ``word`` where the engine knew them, else
    ``word_proportional``. Every supervision has ``custom`` split and task. What the release does not say is left out.

    Sources are relative to the directory of the export: load from there, or call
    ``recordings.with_path_prefix(DIRECTORY)``.
    """

    name: str = "lhotse"
    summary: str = "Lhotse recordings and supervisions of both tracks; Track 2 as two-channel recordings"
    tracks: frozenset[Track] = frozenset(Track)

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """See `Exporter.write`; an entry is a recording.

        Raises:
            ExportError: a row cannot be used, audio is missing or does not fit it, or two items have one name.
            RecordError: a row lacks a field.
        """
        items = entries = 0
        with LineFiles(target) as manifests:
            for item in source.items():
                folder = f"{item.track}/{item.split}"
                entry = _dialogue if item.track is Track.EMOTION else _scene
                for recording, supervisions in entry(source, target, item, folder):
                    manifests.write(f"{folder}/recordings.jsonl.gz", recording)
                    for supervision in supervisions:
                        manifests.write(f"{folder}/supervisions.jsonl.gz", supervision)
                    entries += 1
                items += 1
                advance(1)
        return ExportCount(items=items, entries=entries)


_Json = dict[str, object]
_Entry = tuple[_Json, list[_Json]]


def _dialogue(source: ReleaseSource, target: Path, item: FoundItem, folder: str) -> Iterator[_Entry]:
    """A recording per turn."""
    name = export_name(item)
    for turn in _turns(item):
        samples = source.samples(item, f"turn_{turn.turn_id}")
        identity = f"{name}_{turn.turn_id}"
        wav = f"{folder}/wav/{identity}.wav"
        write_audio(target / wav, samples)
        custom = {
            "emotion": turn.emotion,
            "intensity": turn.intensity,
            "cause": turn.cause,
            "response_text": turn.response_text,
            "dialogue_id": item.id,
            "turn_id": turn.turn_id,
        }
        supervision = {
            "id": f"{identity}-1",
            "recording_id": identity,
            "start": 0.0,
            "duration": len(samples) / SAMPLE_RATE_HZ,
            "channel": 0,
            "text": turn.text,
            "language": item.language,
            "speaker": turn.speaker,
            "custom": _known(custom) | _origin(item),
        }
        yield _recording(identity, [wav], len(samples)), [_known(supervision)]


def _scene(source: ReleaseSource, target: Path, item: FoundItem, folder: str) -> Iterator[_Entry]:
    """One recording of two channels."""
    name, timeline = export_name(item), timeline_of(item)
    channels = two_channels(source, item, timeline)
    wavs = [f"{folder}/wav/{name}_{channel}.wav" for channel in (Channel.USER, Channel.ASSISTANT)]
    for wav, samples in zip(wavs, channels, strict=True):
        write_audio(target / wav, samples)
    supervisions = [
        _utterance(name, number, item, timeline, line) for number, line in enumerate(timeline.lines, start=1)
    ]
    yield _recording(name, wavs, len(channels[0])), supervisions


def _utterance(name: str, number: int, item: FoundItem, timeline: Timeline, line: Line) -> _Json:
    words = timeline.words_of(line)
    kind = GUESSED_ALIGNMENT if line.words is None else ALIGNMENT
    custom = {"role": line.role, "part": line.part, "cut": line.cut, "planned_text": line.planned_text}
    return _known(
        {
            "id": f"{name}-{number}",
            "recording_id": name,
            "start": line.xmin,
            "duration": length(*line.span),
            "channel": _CHANNEL_OF_ROLE[line.role],
            "text": line.text,
            "language": item.language,
            "speaker": line.speaker,
            "custom": _known(custom) | _origin(item),
            "alignment": {kind: [[word.text, word.start, length(word.start, word.stop), None] for word in words]}
            if words
            else None,
        }
    )


def _recording(identity: str, wavs: Iterable[str], num_samples: int) -> _Json:
    sources = [{"type": "file", "channels": [channel], "source": wav} for channel, wav in enumerate(wavs)]
    return {
        "id": identity,
        "sources": sources,
        "sampling_rate": SAMPLE_RATE_HZ,
        "num_samples": num_samples,
        "duration": num_samples / SAMPLE_RATE_HZ,
        "channel_ids": list(range(len(sources))),
    }


def _turns(item: FoundItem) -> Iterator[_Turn]:
    turns = row_of(item, "turns")
    if not isinstance(turns, list) or not turns:
        raise ExportError(f"{item.manifest}:{item.line}: {item.id}: turns must be a list of objects; correct the row")
    for number, turn in enumerate(turns, start=1):
        try:
            yield _Turn.model_validate({"turn_id": number, **turn} if isinstance(turn, dict) else turn)
        except ValidationError as error:
            raise ExportError(
                f"{item.manifest}:{item.line}: {item.id}: turn {number}: {describe_validation_error(error)}; "
                "correct the row"
            ) from error


def _known(values: Mapping[str, object]) -> _Json:
    return {key: value for key, value in values.items() if value is not None}


def _origin(item: FoundItem) -> _Json:
    return {"split": item.split, "task": item.task}
