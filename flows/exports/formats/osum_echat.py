"""OSUM-EChat (FORMATS.md C.2): Track 1 dialogues for an empathetic speech-to-speech model, ``data.list`` and shards.

Only the shards carry the earlier turns into training: OSUM's raw loader ignores them. ``speech_token`` lists are
empty, because the tokens (S3Tokenizer, vocabulary 4096) are a model's; until a user fills them, OSUM's loader trains no
speech output from these rows. They are made from spoken replies: where a release has these, they lie in ``reply/``, and
``extra`` names the file of each list (``reply_wav``, ``reply_wav_1`` ..), which the loader passes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from data_schemas.emotions import parse_emotion
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.base import Record, describe_validation_error, dump_json
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.track1_rows import DIALOGUE_ID
from data_schemas.tasks import Language, Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource, row_of
from flows.exports.writing.common import TIME_DECIMALS, LineFiles, export_name, write_audio
from flows.exports.writing.tar_shards import Member, TarShards, write_shard_lists

SINGLE_TURN = "<S2TCHAT> <TEXT2TOKEN>"
MULTI_TURN = "<S2TCHAT> <TEXT2TOKEN> <HISTORY>"
#: written where a release does not say
UNKNOWN = "<NONE>"
#: as Easy-Turn, from the same authors, writes it; OSUM's loader does not read it
LANG: dict[Language, str] = {Language.ZH: "<CN>", Language.EN: "<EN>"}
DIALOGUES_PER_SHARD = 1000


class _Turn(Record):
    """What is read of a turn."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    turn_id: int = Field(ge=1)
    response_text: str = Field(pattern=r"\S")
    emotion: str | None = None
    speaker: str | None = None


_TURNS = TypeAdapter(tuple[_Turn, ...])


@dataclass(frozen=True)
class OsumEchat:
    """Writes each dialogue once: the last turn is answered, the earlier ones are its history."""

    name: str = "osum-echat"
    summary: str = "OSUM-EChat (the Track 1 baseline): dialogues with their history, raw list and shards"
    tracks: frozenset[Track] = frozenset({Track.EMOTION})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """Write ``data.list``, ``wav/``, ``reply/``, ``shards/``, ``shards_list.txt``, and each list by split as well.

        Raises:
            ExportError: a dialogue has no replies or no audio.
        """
        items = 0
        with (
            LineFiles(target) as lists,
            TarShards(target / "shards", "shards_{total:09d}.tar", DIALOGUES_PER_SHARD) as shards,
        ):
            for item in source.items():
                turns = _turns(item)
                audio = [source.samples(item, f"turn_{turn.turn_id}") for turn in turns]
                key = _key(item)
                row = _row(item, key, turns, len(audio[-1]))
                for turn in turns:
                    if _has_reply(item, turn.turn_id):
                        reply = source.samples(item, f"response_{turn.turn_id}")
                        write_audio(target / _reply(key, turn.turn_id), reply)
                wavs = [target / _wav(key, turn.turn_id) for turn in turns]
                for wav, samples in zip(wavs, audio, strict=True):
                    write_audio(wav, samples)
                lists.write("data.list", row)
                lists.write(f"data_{item.split}.list", row)
                shards.add(item.split, _members(row, [wav.read_bytes() for wav in wavs]))
                items += 1
                advance(1)
        write_shard_lists(target, "shards", shards.written)
        return ExportCount(items=items, entries=items)


def _turns(item: FoundItem) -> tuple[_Turn, ...]:
    """The dialogue's turns, ascending."""
    try:
        turns = _TURNS.validate_python(row_of(item, "turns"))
    except ValidationError as error:
        raise ExportError(
            f"{item.manifest}:{item.line}: {item.id}, turns: {describe_validation_error(error)}; osum-echat needs the "
            "text of every reply"
        ) from error
    ordered = tuple(sorted(turns, key=lambda turn: turn.turn_id))
    if [turn.turn_id for turn in ordered] != list(range(1, len(ordered) + 1)) or not ordered:
        raise ExportError(f"{item.manifest}:{item.line}: {item.id}: turn_id must be 1..n without gaps")
    return ordered


def _key(item: FoundItem) -> str:
    """The dialogue id; short ids of foreign releases repeat between files, so they get a longer name."""
    return item.id if DIALOGUE_ID.match(item.id) else export_name(item)


def _wav(key: str, number: int) -> str:
    return f"wav/{key}_{number}.wav"


def _reply(key: str, number: int) -> str:
    return f"reply/{key}_{number}.wav"


def _has_reply(item: FoundItem, number: int) -> bool:
    """Whether the release has the reply to a turn as speech."""
    return f"response_{number}" in item.files


def _replies(item: FoundItem, key: str, numbers: Sequence[int]) -> dict[str, str]:
    """``reply_wav`` for the last turn, ``reply_wav_<n>`` for earlier ones, as their ``speech_token`` are called."""
    names = [*(f"reply_wav_{number}" for number in numbers[:-1]), "reply_wav"]
    return {name: _reply(key, number) for name, number in zip(names, numbers, strict=True) if _has_reply(item, number)}


def _row(item: FoundItem, key: str, turns: Sequence[_Turn], num_samples: int) -> dict[str, object]:
    """One line of ``data.list``. Pairs that do not exist are not named: an empty string would kill the shard writer."""
    last, number = turns[-1], len(turns)
    row: dict[str, object] = {"key": key, "wav": _wav(key, number), "txt": last.response_text.strip()}
    for turn in turns[:-1]:
        row[f"wav_{turn.turn_id}"] = _wav(key, turn.turn_id)
        row[f"txt_{turn.turn_id}"] = turn.response_text.strip()
    tokens = ["speech_token", *(f"speech_token_{turn.turn_id}" for turn in turns[:-1])]
    return row | {
        "extra": {name: [] for name in tokens} | _replies(item, key, [turn.turn_id for turn in turns]),
        "task": MULTI_TURN if number > 1 else SINGLE_TURN,
        "lang": LANG[item.language],
        "speaker": (last.speaker or "").encode("ascii", "backslashreplace").decode("ascii") or UNKNOWN,
        "emotion": _emotion(last.emotion),
        "gender": UNKNOWN,
        "duration": round(num_samples / SAMPLE_RATE_HZ, TIME_DECIMALS),
    }


def _emotion(label: str | None) -> str:
    """OSUM's tag of the user's emotion in the last turn."""
    try:
        return f"<{parse_emotion(label).upper()}>" if label else UNKNOWN
    except ValueError:
        return UNKNOWN


def _members(row: dict[str, object], wavs: Sequence[bytes]) -> list[Member]:
    """The shard members of one dialogue: the last turn, the earlier ones, then what is known about it."""
    key = row["key"]
    members = [(f"{key}.wav", wavs[-1]), (f"{key}.txt", str(row["txt"]).encode())]
    for number, wav in enumerate(wavs[:-1], start=1):
        members += [(f"{key}.wav_{number}", wav), (f"{key}.txt_{number}", str(row[f"txt_{number}"]).encode())]
    plain = ("task", "lang", "speaker", "emotion", "gender", "duration")
    members += [(f"{key}.{field}", str(row[field]).encode("ascii")) for field in plain]
    return [*members, (f"{key}.extra", dump_json(row["extra"]).encode("ascii"))]
