"""``opens2s``: instruction data of OpenS2S (FORMATS.md C.3): Track 1, user audio in, reply text out.

Where a release has spoken replies, they go along for the tokenizer.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource, row_of
from flows.exports.writing.common import LineFiles, export_name

#: The loader drops a row when one of its recordings has fewer samples
MIN_SAMPLES = 8000
TOO_SHORT = f"a turn has fewer than {MIN_SAMPLES} samples, which OpenS2S drops"


@dataclass(frozen=True)
class OpenS2SExporter:
    """``<split>_<language>.jsonl`` beside ``wav/``: one dialogue a row, nothing in it but ``messages``.

    The loader opens audio paths as they stand, so run it in the export's directory (``--dataroot "$PWD"
    --manifest_files train_zh.jsonl,train_en.jsonl``; `datasets` refuses ``.`` for a root). Every item of ``content``
    holds all four keys as strings, else the columns would change their type from row to row. ``speech_units`` and
    ``spk_emb`` stay empty: the GLM-4-Voice tokenizer and a speaker encoder make them from reply audio. Without them the
    text of the replies is what is learnt. Spoken replies lie in ``reply/``; ``replies.jsonl`` says which message of
    which row (both from 0) each belongs to, since the loader takes audio of the user alone.
    """

    name: str = "opens2s"
    summary: str = "OpenS2S: Track 1 dialogues as messages, user audio in, reply text out"
    tracks: frozenset[Track] = frozenset({Track.EMOTION})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """See `Exporter.write`; an entry is a row. A dialogue with a turn the loader would refuse is left out.

        Raises:
            ExportError: audio is missing or not 16 kHz mono, a turn has no reply, an id stands twice.
            RecordError: a row lacks a field.
        """
        items, left_out, rows = 0, Counter[str](), Counter[str]()
        with LineFiles(target) as manifests:
            for item in source.items():
                advance(1)
                turns = _turns(item)
                if any(len(source.samples(item, f"turn_{number}")) < MIN_SAMPLES for number, _ in turns):
                    left_out[TOO_SHORT] += 1
                    continue
                messages: list[dict[str, object]] = []
                for number, reply in turns:
                    relative = f"wav/{export_name(item)}_{number}.wav"
                    _copy(source.path(item, f"turn_{number}"), target / relative)
                    messages.append({"role": "user", "content": [_content(audio=relative)]})
                    messages.append({"role": "assistant", "content": [_content(text=reply)]})
                manifest = f"{item.split}_{item.language}.jsonl"
                for message, (number, _) in enumerate(turns):
                    if f"response_{number}" in item.files:
                        spoken = f"reply/{export_name(item)}_{number}.wav"
                        _copy(source.path(item, f"response_{number}"), target / spoken)
                        place = {"manifest": manifest, "row": rows[manifest], "message": 2 * message + 1}
                        manifests.write("replies.jsonl", place | {"audio": spoken})
                manifests.write(manifest, {"messages": messages})
                rows[manifest] += 1
                items += 1
        return ExportCount(items=items, entries=items, left_out=dict(left_out))


def _content(text: str = "", audio: str = "") -> dict[str, str]:
    return {"text": text, "audio": audio, "speech_units": "", "spk_emb": ""}


def _turns(item: FoundItem) -> list[tuple[int, str]]:
    """(turn id, reply), ascending."""
    where = f"{item.manifest}:{item.line}: {item.id}"
    turns = row_of(item, "turns")
    if not isinstance(turns, list) or not turns:
        raise ExportError(f"{where}: turns must be a list with at least one turn; correct the row")
    found: list[tuple[int, str]] = []
    for position, turn in enumerate(turns, start=1):
        number, reply = (turn.get(key) if isinstance(turn, dict) else None for key in ("turn_id", "response_text"))
        if not isinstance(number, int) or not isinstance(reply, str) or not reply.strip():
            raise ExportError(
                f"{where}: turn {position} needs turn_id and response_text, the replies are what OpenS2S learns"
            )
        found.append((number, reply))
    return sorted(found)


def _copy(recording: Path, wav: Path) -> None:
    if wav.exists():
        raise ExportError(f"{wav.stem} stands twice in the release; ids and turn_ids are unique, so rename one of them")
    wav.parent.mkdir(exist_ok=True)
    shutil.copyfile(recording, wav)
