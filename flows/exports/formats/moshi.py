"""``moshi``: what moshi-finetune trains on (FORMATS.md C.4): stereo scenes and the words of the assistant."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import dump_json
from data_schemas.tasks import Channel, Role, Track
from flows.exports.base import ExportCount, Progress, ReleaseSource
from flows.exports.reading.timeline import Timeline, timeline_of, two_channels
from flows.exports.reading.word_times import WordTimesNote
from flows.exports.writing.common import LineFiles, export_name, write_audio, write_text

#: The rate of the Mimi codec; the loader would resample anything else at every epoch
MOSHI_RATE_HZ = 24_000
#: The label of the model's own words; the trainer drops the words of anybody else
SPEAKER = "SPEAKER_MAIN"
AUDIO = "data_stereo"
NO_REPLIES = "no assistant audio"
#: What side-cars cannot say
NOTES_FILE = "NOTES.json"


@dataclass(frozen=True)
class MoshiExporter:
    """``<split>_<language>.jsonl`` beside ``data_stereo/<name>.wav`` and ``<name>.json``.

    The left channel is the assistant, the right one the user's microphone with whatever a third party says into it.
    Paths are relative to the manifest (as ``sphn`` reads it); several manifests go into one training with
    ``data.train_data: a.jsonl,b.jsonl``. Words are the assistant's that were really heard: of a reply that was
    stopped, those before the stop; backchannels too. Their times are the engine's where the row has them, else a
    line's time is shared among its words by their letters (a Chinese character is a word); ``NOTES.json`` says which.
    """

    name: str = "moshi"
    summary: str = "moshi-finetune: Track 2 in 24 kHz stereo (left assistant, right user) with the assistant's words"
    tracks: frozenset[Track] = frozenset({Track.DUPLEX})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """See `Exporter.write`; an entry is a row of a manifest. A scene without the assistant's channel is left out.

        Raises:
            ExportError: a row has no usable timeline, audio is missing or does not fit it.
            RecordError: a row lacks a field.
        """
        items, left_out, note = 0, Counter[str](), WordTimesNote()
        with LineFiles(target) as manifests:
            for item in source.items():
                advance(1)
                if Channel.ASSISTANT not in item.files:
                    left_out[NO_REPLIES] += 1
                    continue
                stem, timeline = f"{AUDIO}/{export_name(item)}", timeline_of(item)
                user, assistant = two_channels(source, item, timeline)
                stereo = _at_moshi_rate(np.stack([assistant, user], axis=1))
                duration = len(stereo) / MOSHI_RATE_HZ
                write_audio(target / f"{stem}.wav", stereo, MOSHI_RATE_HZ)
                for line in timeline.lines_of(Role.ASSISTANT):
                    note.add(item.language, line.words is not None)
                sidecar = {"alignments": _alignments(timeline, duration), "text_conditions": None}
                write_text(target / f"{stem}.json", dump_json(sidecar) + "\n")
                manifests.write(f"{item.split}_{item.language}.jsonl", {"path": f"{stem}.wav", "duration": duration})
                items += 1
        write_text(
            target / NOTES_FILE, dump_json({"word_times": note.told(), "word_times_in": f"{AUDIO}/*.json"}) + "\n"
        )
        return ExportCount(items=items, entries=items, left_out=dict(left_out))


def _at_moshi_rate(stereo: Samples) -> Samples:
    """``[n, 2]`` at 16 kHz to ``[ceil(1.5 n), 2]`` at 24 kHz."""
    import soxr

    return np.asarray(soxr.resample(stereo, SAMPLE_RATE_HZ, MOSHI_RATE_HZ, quality="HQ"), dtype=np.float32)


def _alignments(timeline: Timeline, duration: float) -> list[tuple[str, tuple[float, float], str]]:
    """Words by start, in the loader's form; it searches them by bisection."""
    return [
        (word.text, (word.start, min(word.stop, duration)), SPEAKER)
        for line in timeline.lines_of(Role.ASSISTANT)
        for word in timeline.words_of(line)
    ]
