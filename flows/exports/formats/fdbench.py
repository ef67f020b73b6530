"""``fdbench``: the layout of the public HumDial full-duplex benchmark (FORMATS.md B.7)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from data_schemas.foundation.base import dump_json
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.track2 import NO_CLEAN, SCENE_ID
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Task, Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource
from flows.exports.reading.user_speech import UserSpeech, chunks, user_samples, user_speech
from flows.exports.reading.word_times import WordTimesNote
from flows.exports.writing.common import write_audio, write_text

FOLDER_OF_LANGUAGE = MappingProxyType({Language.EN: "en_test_nondev", Language.ZH: "cn_test_nondev"})

CATEGORY_OF_TASK = MappingProxyType(
    {
        Task.FOLLOW_UP: "ask",
        Task.NEGATION: "deny",
        Task.REPETITION: "repeat",
        Task.TOPIC_SWITCH: "shift",
        Task.SILENCE: "wait",
        Task.BACKCHANNEL: "backchannel",
        Task.PAUSE: "pause",
        Task.THIRD_PARTY_BEFORE: "others_talk_to_user_before",
        Task.THIRD_PARTY_AFTER: "others_talk_to_user_after",
        Task.SPEECH_TO_OTHERS: "talk_to_others",
    }
)

#: What the label files cannot say without a key that no reader knows.
NOTES_FILE = "NOTES.json"
WORD_TIMES_IN = "*_timestamp.json"
NO_CATEGORY = "the benchmark has no category of conversations"


@dataclass(frozen=True)
class FdBench:
    """``test/{en,cn}_test_nondev/<category>/``: recording, labels, word times and clean recording, flat."""

    name: str = "fdbench"
    summary: str = "HumDial-FDBench's own folders, for tools that read the public benchmark (all sub-tasks)"
    tracks: frozenset[Track] = frozenset({Track.DUPLEX})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """One recording per scene of a sub-task; conversations are left out. The layout has no place for a split.

        Raises:
            ExportError: two scenes would get one name, or labels or audio cannot be used.
        """
        items, left_out, note = 0, Counter[str](), WordTimesNote()
        for item in source.items():
            advance(1)
            if item.task not in CATEGORY_OF_TASK:
                left_out[NO_CATEGORY] += 1
                continue
            for segment in _write_scene(source, item, target).speech_segments:
                note.add(item.language, segment.words is not None)
            items += 1
        write_text(target / NOTES_FILE, dump_json({"word_times": note.told(), "word_times_in": WORD_TIMES_IN}) + "\n")
        return ExportCount(items=items, entries=items, left_out=dict(left_out))


def _write_scene(source: ReleaseSource, item: FoundItem, target: Path) -> UserSpeech:
    if not SCENE_ID.match(item.id):
        raise ExportError(f"{item.id}: must look like 0001_0002 to be a file name; run humdial validate {source.root}")
    folder = target / "test" / FOLDER_OF_LANGUAGE[item.language] / CATEGORY_OF_TASK[item.task]
    recording = folder / f"{item.id}.wav"
    if recording.exists():
        raise ExportError(f"{item.id}: stands in both splits of {item.task}; export one of them with --split")
    speech = user_speech(source, item)
    write_audio(recording, user_samples(source, item, speech))
    if item.task not in NO_CLEAN:
        write_audio(folder / f"clean_{item.id}.wav", source.samples(item, "clean"))
    write_text(folder / f"{item.id}.json", dump_json(_labels(speech)) + "\n")
    write_text(folder / f"{item.id}_timestamp.json", dump_json(_transcript(speech)) + "\n")
    return speech


def _labels(speech: UserSpeech) -> dict[str, object]:
    return {
        "final_duration": speech.final_duration,
        "speech_segments": [{"xmin": one.xmin, "xmax": one.xmax, "text": one.text} for one in speech.speech_segments],
    }


def _transcript(speech: UserSpeech) -> dict[str, object]:
    return {
        "text": " ".join(strip_tags(segment.text) for segment in speech.speech_segments),
        "chunks": [chunk for segment in speech.speech_segments for chunk in chunks(speech.words(segment))],
    }
