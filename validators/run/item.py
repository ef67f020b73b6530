"""`judge_item`: every judge that looks at one laid-out item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_schemas.acoustics import Microphone
from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from validators.core.clip_measures import ClipMeasures
from validators.core.clips import Clip, clips_of
from validators.core.codes import Judge
from validators.core.instruments import Instruments
from validators.core.judges import FORMAL
from validators.core.thresholds import Thresholds
from validators.files.audio import VALIDATOR as AUDIO
from validators.files.audio import Words, judge_audio
from validators.files.clean_file import judge_clean_file
from validators.rows.events import judge_events
from validators.rows.rows import AssistantRow, AssistantSegmentRow, DialogueRow, SentenceFile, existing_file, view
from validators.rows.track1 import judge_dialogue
from validators.rows.track2 import CLEAN_TASKS, judge_sample
from validators.scene.microphone import background, judge_microphone, leaves_user_as_spoken, read_microphone
from validators.scene.scene_judges import SceneParts, judge_scene
from validators.scene.timeline import (
    VALIDATOR as TIMELINE,
)
from validators.scene.timeline import (
    Channels,
    judge_assistant_channel,
    judge_user_channel,
)
from validators.voices.speakers import judge_item_speakers
from validators.words.language import VALIDATOR as LANGUAGE
from validators.words.language import judge_language


@dataclass(frozen=True)
class ItemVerdict:
    """Everything found on one item, and what was measured of each of its clips."""

    findings: tuple[Finding, ...]
    clips: tuple[ClipMeasures, ...] = ()
    #: figures about the scene as a whole, see `scene_judges.SceneVerdict`
    values: Mapping[str, float] = field(default_factory=dict)


def judge_item(
    found: FoundItem, root: Path, thresholds: Thresholds, instruments: Instruments | None = None
) -> ItemVerdict:
    """What the selected judges say of one item whose files lie under ``root``; without instruments those of form."""
    tools = instruments or Instruments(FORMAL)
    findings: list[Finding] = []
    if "language" in tools.selected:
        findings += judge_language(Judge(LANGUAGE, found.id, found.manifest), found, thresholds)
    if found.track is Track.EMOTION:
        return _dialogue(found, root, thresholds, tools, findings)
    return _sample(found, root, thresholds, tools, findings)


def _dialogue(
    found: FoundItem, root: Path, thresholds: Thresholds, tools: Instruments, findings: list[Finding]
) -> ItemVerdict:
    if "structure" in tools.selected:
        findings += judge_dialogue(found, root)
    row = view(DialogueRow, found.row)
    texts: dict[str, str] = {}
    for number, turn in enumerate(() if isinstance(row, str) else row.turns, start=1):
        texts |= {f"turn_{number}": turn.text, f"response_{number}": turn.response_text}
    samples: dict[str, Samples] = {}
    loudness_lufs: dict[str, float | None] = {}
    for role in sorted(found.files):
        path = existing_file(found, root, role)
        if path is None or path.suffix != ".wav":
            continue
        words = Words(texts[role], found.language) if role in texts else None
        verdict = judge_audio(Judge(AUDIO, found.id, found.files[role]), path, thresholds, words)
        findings += verdict.findings if "audio" in tools.selected else ()
        if verdict.samples is not None:
            samples[role], loudness_lufs[role] = verdict.samples, verdict.loudness_lufs
    clips = clips_of(found, samples, thresholds.sample_rate_hz, loudness_lufs=loudness_lufs)
    return _with_clips(findings, clips, thresholds, tools)


def _with_clips(
    findings: list[Finding], clips: tuple[Clip, ...], thresholds: Thresholds, tools: Instruments
) -> ItemVerdict:
    """The clip judges' findings and measures added."""
    measures: list[ClipMeasures] = []
    if tools.clip_judges:
        for clip in clips:
            said, measured = tools.examine(clip, thresholds)
            findings += said
            measures.append(measured)
    if "speakers" in tools.selected and measures:
        findings += judge_item_speakers(measures[0].item, measures, thresholds)
    return ItemVerdict(tuple(findings), tuple(measures))


def _sample(
    found: FoundItem, root: Path, thresholds: Thresholds, tools: Instruments, findings: list[Finding]
) -> ItemVerdict:
    labels = judge_sample(found, root, thresholds)
    microphone = read_microphone(Judge(TIMELINE, found.id), found)
    if "structure" in tools.selected:
        findings += labels.findings
        findings += judge_events(found, root, thresholds)
        findings += (microphone,) if isinstance(microphone, Finding) else ()
    if isinstance(microphone, Finding):
        microphone = None
    in_noise = microphone is not None and bool(microphone.noises)
    samples: dict[str, Samples] = {}
    for role in ("user", "assistant", "clean"):
        path = existing_file(found, root, role)
        if path is None:
            continue
        judge = Judge(AUDIO, found.id, found.files[role])
        verdict = judge_audio(judge, path, thresholds, copy=role == "clean", in_noise=in_noise and role == "user")
        findings += verdict.findings if "audio" in tools.selected else ()
        if verdict.samples is not None:
            samples[role] = verdict.samples
    values: Mapping[str, float] = {}
    if labels.sentence is not None and "user" in samples:
        rate = thresholds.sample_rate_hz
        channels = Channels(samples["user"], samples.get("assistant"), samples.get("clean"), rate)
        if "timeline" in tools.selected:
            findings += _timeline(found, labels.sentence, channels, microphone, thresholds)
        labelled = _assistant_segments(found)
        heard = judge_scene(
            SceneParts(found, labels.sentence, channels, None if isinstance(labelled, str) else labelled, microphone),
            thresholds,
            tools,
        )
        findings += heard.findings
        values = heard.values
    clips = clips_of(found, samples, thresholds.sample_rate_hz, microphone)
    return replace(_with_clips(findings, clips, thresholds, tools), values=values)


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
