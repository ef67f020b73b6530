"""``hf``: Hugging Face `datasets`, parquet shards with the audio inside, one config per track."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.base import dump_json
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Split, Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource, row_of
from flows.exports.writing.hf_card import card
from flows.exports.writing.hf_features import arrow_schema, features_of, fitted
from flows.exports.writing.hf_shards import ShardWriter
from validators.files.lock import LOCK_FILE

CARD_FILE = "README.md"
_MIB = 1 << 20


@dataclass(frozen=True)
class HuggingFaceExporter:
    """``data/<track>/<split>-00000-of-0000N.parquet`` and ``README.md``: `datasets.load_dataset(DIR, "track1")`.

    A row is a whole dialogue (Track 1) or scene (Track 2): shuffling keeps dialogues together. Audio is the release's
    own WAV bytes. Row groups are small so that a streaming reader need not hold much; so is what is held here.
    """

    name: str = "hf"
    summary: str = "Hugging Face datasets: both tracks as parquet with audio, loads and streams with load_dataset"
    tracks: frozenset[Track] = frozenset(Track)
    #: of audio, before compression
    group_bytes: int = 16 * _MIB
    shard_bytes: int = 480 * _MIB

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """See `Exporter.write`; an entry is a row. Nothing is left out: what a release does not know is null.

        Raises:
            ExportError: audio is missing or not 16 kHz mono, or a field is of another kind than its column.
            RecordError: a row lacks its turns or segments.
        """
        writers: dict[tuple[Track, Split], ShardWriter] = {}
        counts: Counter[tuple[Track, Split, Language]] = Counter()
        try:
            for item in source.items():
                key = (item.track, item.split)
                if key not in writers:
                    writers[key] = self._writer(target, *key)
                row, audio_bytes = _row(source, item)
                writers[key].add(row, audio_bytes)
                counts[item.track, item.split, item.language] += 1
                advance(1)
            for writer in writers.values():
                writer.finish()
        finally:
            for writer in writers.values():
                writer.abandon()
        (target / CARD_FILE).write_text(
            card(counts, (source.root / LOCK_FILE).is_file()), encoding="utf-8", newline="\n"
        )
        return ExportCount(items=counts.total(), entries=counts.total())

    def _writer(self, target: Path, track: Track, split: Split) -> ShardWriter:
        schema = arrow_schema(features_of(track))
        return ShardWriter(target / "data" / track, split, schema, self.group_bytes, self.shard_bytes)


def _row(source: ReleaseSource, item: FoundItem) -> tuple[dict[str, object], int]:
    """A row and how many bytes of audio it holds."""
    audio: dict[str, dict[str, object]] = {}
    given: dict[str, object] = dict(item.row)
    if item.track is Track.EMOTION:
        given["turns"] = [
            {**turn, "audio": audio.setdefault(role, _audio(source, item, role))} for role, turn in _turns(item)
        ]
    else:
        given["microphone"] = _as_json(item.row.get("microphone"))
        if item.manifest is None:
            raise ExportError(
                f"{item.id} ({item.task}, {item.language}, {item.split}) has no row in a manifest; add it to the "
                "sub-task's .jsonl"
            )
        given["speech_segments"] = row_of(item, "speech_segments")
        for role in ("user", "assistant", "clean"):
            # a sub-task without a clean file and a release without replies are both in order
            if role == "user" or role in item.files:
                given[f"{role}_audio"] = audio.setdefault(role, _audio(source, item, role))
    given |= {"id": item.id, "task": str(item.task), "language": str(item.language)}
    where = f"{item.manifest}:{item.line}: {item.id}: "
    row = {name: fitted(given.get(name), one, f"{where}{name}") for name, one in features_of(item.track).items()}
    return row, sum(len(one["bytes"]) for one in audio.values() if isinstance(one["bytes"], bytes))


def _as_json(value: object) -> str | None:
    """Nested as it is, and of a kind that each item may differ in: one string for all rows."""
    return None if value is None else dump_json(value)


def _turns(item: FoundItem) -> list[tuple[str, dict[str, object]]]:
    """(audio role, turn) in the row's order."""
    turns = row_of(item, "turns")
    where = f"{item.manifest}:{item.line}: {item.id}"
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, dict) for turn in turns):
        raise ExportError(f"{where}: turns must be a list of at least one object; correct the row")
    roles = [f"turn_{turn.get('turn_id', position)}" for position, turn in enumerate(turns, start=1)]
    if len(set(roles)) != len(roles):
        raise ExportError(f"{where}: a turn_id stands twice; number the turns 1 to {len(turns)}")
    return list(zip(roles, turns, strict=True))


def _audio(source: ReleaseSource, item: FoundItem, role: str) -> dict[str, object]:
    """The file's bytes and its path in the release."""
    import soundfile

    path = source.path(item, role)
    content = path.read_bytes()
    try:
        info = soundfile.info(io.BytesIO(content))
    except soundfile.LibsndfileError as error:
        raise ExportError(f"{item.id}: {path} is no audio file: {error}") from error
    if info.samplerate != SAMPLE_RATE_HZ or info.channels != 1:
        raise ExportError(
            f"{item.id}: {path} has {info.samplerate} Hz and {info.channels} channels; exports read 16 kHz mono"
        )
    return {"bytes": content, "path": item.files[role]}
