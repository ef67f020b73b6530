"""``full-duplex-bench``: folders that the evaluation of Full-Duplex-Bench v1.0 and v1.5 walks (FORMATS.md E)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import dump_json
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.track2 import SCENE_ID
from data_schemas.tags import strip_tags
from data_schemas.tasks import INTERRUPTION_TASKS, Task, Track
from flows.exports.base import ExportCount, ExportError, Progress, ReleaseSource
from flows.exports.reading.user_speech import Segment, UserSpeech, chunks, sample_at, user_samples, user_speech
from flows.exports.reading.word_times import WordTimesNote
from flows.exports.writing.common import write_audio, write_text

V15 = "v1_5"
V10 = "v1_0"
INTERRUPTION = f"{V10}/synthetic_user_interruption"
PAUSE = f"{V10}/synthetic_pause_handling"
TURN_TAKING = f"{V10}/candor_turn_taking"

#: The overlap task of v1.5 that a sub-task belongs to.
OVERLAP_OF_TASK = MappingProxyType(
    {
        **dict.fromkeys(sorted(INTERRUPTION_TASKS), "user_interruption"),
        Task.BACKCHANNEL: "user_backchannel",
        Task.THIRD_PARTY_AFTER: "background_speech",
        Task.SPEECH_TO_OTHERS: "talking_to_other",
    }
)
#: v1.0 counts a missing or short answer to an interruption as a failure, and whoever is asked to be
#: quiet should give just that.
ANSWERED_INTERRUPTIONS = INTERRUPTION_TASKS - {Task.SILENCE}

#: The published v1.5 data names the text of the overlap after the task in two of the four folders.
_TEXT_ALIAS = MappingProxyType({"user_backchannel": "backchannel_text", "background_speech": "background_text"})

NO_HOME = "Full-Duplex-Bench has no task with third-party speech before the request"
NO_CONVERSATIONS = "Full-Duplex-Bench v1 has no task with conversations of several turns"
NO_PAUSE = "the release does not say where the pause is"
NOTES_FILE = "NOTES.json"
WORD_TIMES_IN = "*/transcription.json"

_MS_PER_S = 1000
_PER_MS = SAMPLE_RATE_HZ // _MS_PER_S
_EVENT = 2  # segments a scene must have: the request and what happens during the reply


@dataclass(frozen=True)
class FullDuplexBench:
    """``<language>/v1_0/<task>/<ID>/`` and ``<language>/v1_5/<task>/<ID>/``, nothing else below a task."""

    name: str = "full-duplex-bench"
    summary: str = "Full-Duplex-Bench v1.0 and v1.5 task folders, for its evaluation scripts (most full-duplex scenes)"
    tracks: frozenset[Track] = frozenset({Track.DUPLEX})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """A scene may stand in more than one task; ``entries`` counts the ID folders.

        Raises:
            ExportError: two scenes would get one name, or labels or audio cannot be used.
        """
        items = entries = 0
        left_out, note = Counter[str](), WordTimesNote()
        for item in source.items():
            root = target / item.language
            if item.task is Task.THIRD_PARTY_BEFORE:
                left_out[NO_HOME] += 1
            elif item.task is Task.CONVERSATION:
                left_out[NO_CONVERSATIONS] += 1
            elif item.task is Task.PAUSE:
                written = _write_pause(source, item, root, note)
                left_out.update([] if written else [NO_PAUSE])
                items, entries = items + written, entries + written
            else:
                items, entries = items + 1, entries + _write_overlap(source, item, root, note)
            advance(1)
        _write_json(target / NOTES_FILE, {"word_times": note.told(), "word_times_in": WORD_TIMES_IN})
        return ExportCount(items=items, entries=entries, left_out=dict(sorted(left_out.items())))


def _write_overlap(source: ReleaseSource, item: FoundItem, root: Path, note: WordTimesNote) -> int:
    """The v1.5 folder of a scene and the v1.0 folders it fits; returns how many."""
    last = item.task is Task.SPEECH_TO_OTHERS
    speech = user_speech(source, item, segments=_EVENT + last)
    samples, clean = user_samples(source, item, speech), source.samples(item, "clean")
    context, event = speech.speech_segments[last : last + _EVENT]
    if last:
        samples, context, event = _without_first_request(samples, speech)
    if len(clean) != len(samples):
        raise ExportError(
            f"{item.id}: {item.files['clean']} has {len(clean)} samples instead of {len(samples)}; "
            f"run humdial validate {source.root}"
        )
    task = OVERLAP_OF_TASK[item.task]
    folder = _new_folder(source, item, root / V15 / task)
    write_audio(folder / "input.wav", samples)
    write_audio(folder / "clean_input.wav", clean)
    texts = {"context_text": context.text, "current_turn_text": event.text}
    if task in _TEXT_ALIAS:
        texts[_TEXT_ALIAS[task]] = event.text
    _write_json(folder / "metadata.json", {**texts, "timestamps": list(event.span)})
    if last:
        return 1
    if item.task not in ANSWERED_INTERRUPTIONS:
        return 1 + _write_turn_taking(source, item, root, speech, clean, note)
    _write_interruption(source, item, root, speech, samples)
    return 2 + _write_turn_taking(source, item, root, speech, clean, note)


def _write_interruption(
    source: ReleaseSource, item: FoundItem, root: Path, speech: UserSpeech, samples: Samples
) -> None:
    context, event = speech.speech_segments[:_EVENT]
    folder = _new_folder(source, item, root / INTERRUPTION)
    write_audio(folder / "input.wav", samples)
    write_audio(folder / "context.wav", samples[: sample_at(context.xmax)])
    write_audio(folder / "interrupt.wav", samples[sample_at(event.xmin) : sample_at(event.xmax)])
    _write_json(
        folder / "interrupt.json",
        [{"context": context.text, "interrupt": event.text, "timestamp": list(event.span)}],
    )


def _write_turn_taking(
    source: ReleaseSource, item: FoundItem, root: Path, speech: UserSpeech, clean: Samples, note: WordTimesNote
) -> int:
    """The clean recording: a finished request, then silence in which an answer belongs."""
    request = speech.speech_segments[0]
    folder = _new_folder(source, item, root / TURN_TAKING)
    write_audio(folder / "input.wav", clean)
    taken = _reply_start(item, speech)
    _write_json(folder / "turn_taking.json", [{"text": "[TURN-TAKING]", "timestamp": [request.xmax, taken]}])
    _write_transcription(folder, item, speech, request, note)
    return 1


def _write_pause(source: ReleaseSource, item: FoundItem, root: Path, note: WordTimesNote) -> bool:
    """Up to the end of the request: v1.0 counts every answer in the recording as taking the turn too early."""
    speech = user_speech(source, item)
    request = speech.speech_segments[0]
    pauses = speech.pauses_in(request)
    if not pauses:
        return False
    folder = _new_folder(source, item, root / PAUSE)
    write_audio(folder / "input.wav", user_samples(source, item, speech)[: sample_at(request.xmax)])
    _write_json(folder / "pause.json", [{"text": "[PAUSE]", "timestamp": list(span)} for span in pauses])
    _write_transcription(folder, item, speech, request, note)
    return True


def _without_first_request(samples: Samples, speech: UserSpeech) -> tuple[Samples, Segment, Segment]:
    """Samples and segments 1 and 2 after the cut of FORMATS.md B.4: ``[seg0.xmin, seg1.xmin)``, whole milliseconds."""
    first, second, aside = speech.speech_segments[:3]
    start, stop = (round(one.xmin * _MS_PER_S) * _PER_MS for one in (first, second))
    shifted = [
        Segment(
            xmin=max(0, sample_at(one.xmin) - stop + start) / SAMPLE_RATE_HZ,
            xmax=(sample_at(one.xmax) - stop + start) / SAMPLE_RATE_HZ,
            text=one.text,
        )
        for one in (second, aside)
    ]
    return np.concatenate([samples[:start], samples[stop:]]), shifted[0], shifted[1]


def _reply_start(item: FoundItem, speech: UserSpeech) -> float:
    """Where the assistant of the release answers; where nobody knows, the end of the request."""
    request = speech.speech_segments[0]
    replies = item.row.get("assistant_segments")
    first = replies[0] if isinstance(replies, list) and replies else None
    start = first.get("xmin") if isinstance(first, dict) else None
    if isinstance(start, int | float) and request.xmax <= start <= speech.final_duration:
        return float(start)
    return request.xmax


def _new_folder(source: ReleaseSource, item: FoundItem, parent: Path) -> Path:
    """``<sub-task>_<id>`` below a task's folder.

    Raises:
        ExportError: the id is no name, or the folder is there already.
    """
    if not SCENE_ID.match(item.id):
        raise ExportError(f"{item.id}: must look like 0001_0002 to be a folder; run humdial validate {source.root}")
    folder = parent / f"{item.task}_{item.id}"
    if folder.exists():
        raise ExportError(f"{item.id}: stands in both splits of {item.task}; export one of them with --split")
    folder.mkdir(parents=True)
    return folder


def _write_transcription(
    folder: Path, item: FoundItem, speech: UserSpeech, segment: Segment, note: WordTimesNote
) -> None:
    """Speaker, then its words; text and timestamp of the whole for readers of the flat form."""
    note.add(item.language, segment.words is not None)
    _write_json(
        folder / "transcription.json",
        [
            {
                "speaker": 0,
                "text": strip_tags(segment.text),
                "timestamp": list(segment.span),
                "item": chunks(speech.words(segment)),
            }
        ],
    )


def _write_json(path: Path, value: object) -> None:
    write_text(path, dump_json(value) + "\n")
