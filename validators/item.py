"""`judge_item`: every judge that looks at one laid-out item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_schemas.acoustics import Microphone
from data_schemas.audio import Samples
from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from validators.audio import VALIDATOR as AUDIO
from validators.audio import Words, judge_audio
from validators.clean_file import judge_clean_file
from validators.codes import Judge
from validators.events import judge_events
from validators.microphone import background, judge_microphone, leaves_user_as_spoken, muddles_overlap, read_microphone
from validators.overlap import OverlapDetector, balanced_mix, judge_overlap
from validators.rows import AssistantRow, AssistantSegmentRow, DialogueRow, SentenceFile, existing_file, view
from validators.structure_track1 import judge_dialogue
from validators.structure_track2 import CLEAN_TASKS, judge_sample
from validators.thresholds import Thresholds
from validators.timeline import (
    VALIDATOR as TIMELINE,
)
from validators.timeline import (
    Channels,
    judge_assistant_channel,
    judge_user_channel,
    planned_overlap,
)


def judge_item(
    found: FoundItem, root: Path, thresholds: Thresholds, overlap: OverlapDetector | None = None
) -> tuple[Finding, ...]:
    """All findings on one item whose files lie under ``root``.

    ``overlap`` is a detector to compare a full-duplex item's overlap with; None leaves that out.
    """
    if found.track is Track.EMOTION:
        return (*judge_dialogue(found, root), *_turn_files(found, root, thresholds))
    return tuple(_sample(found, root, thresholds, overlap))


def _turn_files(found: FoundItem, root: Path, thresholds: Thresholds) -> Iterator[Finding]:
    row = view(DialogueRow, found.row)
    texts = {} if isinstance(row, str) else {f"turn_{n}": turn.text for n, turn in enumerate(row.turns, start=1)}
    for role in sorted(found.files):
        path = existing_file(found, root, role)
        if path is None or path.suffix != ".wav":
            continue
        words = Words(texts[role], found.language) if role in texts else None
        judge = Judge(AUDIO, found.id, found.files[role])
        yield from judge_audio(judge, path, thresholds, words).findings


def _sample(found: FoundItem, root: Path, thresholds: Thresholds, overlap: OverlapDetector | None) -> Iterator[Finding]:
    labels = judge_sample(found, root, thresholds)
    yield from labels.findings
    yield from judge_events(found, root, thresholds)
    microphone = read_microphone(Judge(TIMELINE, found.id), found)
    if isinstance(microphone, Finding):
        yield microphone
        microphone = None
    in_noise = microphone is not None and bool(microphone.noises)
    samples: dict[str, Samples] = {}
    for role in ("user", "assistant", "clean"):
        path = existing_file(found, root, role)
        if path is None:
            continue
        judge = Judge(AUDIO, found.id, found.files[role])
        verdict = judge_audio(judge, path, thresholds, copy=role == "clean", in_noise=in_noise and role == "user")
        yield from verdict.findings
        if verdict.samples is not None:
            samples[role] = verdict.samples
    if labels.sentence is None or "user" not in samples:
        return
    channels = Channels(samples["user"], samples.get("assistant"), samples.get("clean"), thresholds.sample_rate_hz)
    yield from _timeline(found, labels.sentence, channels, microphone, thresholds)
    if overlap is not None and not muddles_overlap(microphone):
        yield from _overlap(found, labels.sentence, channels, thresholds, overlap)


def _timeline(
    found: FoundItem,
    sentence: SentenceFile,
    channels: Channels,
    microphone: Microphone | None,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    user = Judge(TIMELINE, found.id, found.files["user"])
    behind = background(microphone, channels.user, channels.rate, sentence.speech_segments, thresholds)
    yield from judge_user_channel(user, found.task, found.language, sentence, channels, thresholds, behind)
    assistant = user.about(found.files.get("assistant", ""))
    segments = _assistant_segments(found)
    if microphone is not None:
        labelled = None if isinstance(segments, str) else segments
        yield from judge_microphone(
            user, microphone, channels.user, channels.rate, sentence.speech_segments, labelled, thresholds
        )
    if found.task in CLEAN_TASKS:
        clean = user.about(found.files.get("clean", ""))
        as_spoken = leaves_user_as_spoken(microphone)
        yield from judge_clean_file(clean, found.task, sentence, channels, thresholds, as_spoken)
    if isinstance(segments, str):
        yield assistant.say("TIMELINE.ASSISTANT_FIELDS", f"line {found.line}: {segments}", file=found.manifest)
    else:
        yield from judge_assistant_channel(assistant, segments, channels, thresholds)


def _assistant_segments(found: FoundItem) -> tuple[AssistantSegmentRow, ...] | str | None:
    row = view(AssistantRow, found.row)
    return row if isinstance(row, str) else row.assistant_segments


def _overlap(
    found: FoundItem,
    sentence: SentenceFile,
    channels: Channels,
    thresholds: Thresholds,
    detector: OverlapDetector,
) -> Iterator[Finding]:
    assistant = _assistant_segments(found)
    if channels.assistant is None or assistant is None or isinstance(assistant, str):
        return
    spans = [segment.span for segment in sentence.speech_segments]
    mix = balanced_mix(channels.user, channels.assistant, spans, channels.rate)
    planned = planned_overlap(sentence.speech_segments, assistant)
    yield from judge_overlap(found.id, mix, planned, thresholds, detector)
