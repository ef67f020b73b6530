"""The judges of two-channel scenes that listen with models: overlap, segments, diarization. They share one reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from data_schemas.acoustics import Microphone
from data_schemas.finding import Finding
from data_schemas.foundation.base import dump_json
from data_schemas.layouts.base import FoundItem
from validators.core.instruments import Instruments
from validators.core.probe import Measurement
from validators.core.thresholds import Thresholds
from validators.rows.rows import AssistantSegmentRow, SentenceFile
from validators.scene.diarization import VALIDATOR as DIARIZATION
from validators.scene.diarization import judge_diarization, reference_talkers
from validators.scene.microphone import muddles_overlap
from validators.scene.overlap import VALIDATOR as OVERLAP
from validators.scene.overlap import balanced_mix, judge_overlap_scores
from validators.scene.segments import VALIDATOR as SEGMENTS
from validators.scene.segments import judge_voices
from validators.scene.timeline import Channels, planned_overlap

_FINDINGS = "findings"


@dataclass(frozen=True)
class SceneVerdict:
    """Findings on one scene, and its figures as `diarization.error_seconds` names them."""

    findings: tuple[Finding, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SceneParts:
    """What the scene judges look at. ``assistant`` is None where the row does not label that channel."""

    found: FoundItem
    sentence: SentenceFile
    channels: Channels
    assistant: tuple[AssistantSegmentRow, ...] | None
    microphone: Microphone | None


def judge_scene(parts: SceneParts, thresholds: Thresholds, tools: Instruments) -> SceneVerdict:
    """What the selected ones of the three judges say; a verdict that was kept is not worked out again."""
    if not tools.selected & {"overlap", "segments", "diarization"}:
        return SceneVerdict()
    key = _key(parts, thresholds, tools)
    known = tools.recall(key)
    if known is not None:
        findings = tuple(Finding.model_validate(one) for one in json.loads(known.texts[_FINDINGS]))
        return SceneVerdict(findings, known.values)
    verdict = _judge(parts, thresholds, tools)
    said = dump_json([finding.model_dump(mode="json") for finding in verdict.findings])
    tools.keep(key, Measurement(values=verdict.values, texts={_FINDINGS: said}))
    return verdict


def _judge(parts: SceneParts, thresholds: Thresholds, tools: Instruments) -> SceneVerdict:
    found, channels = parts.found, parts.channels
    findings: list[Finding] = []
    values: Mapping[str, float] = {}
    user = parts.sentence.speech_segments
    if "segments" in tools.selected:
        findings += judge_voices(
            found, user, parts.assistant, channels, parts.microphone, thresholds, tools.segmentation, tools.activity
        )
    mixed = tools.selected & {"overlap", "diarization"} and not muddles_overlap(parts.microphone)
    if mixed and channels.assistant is not None and parts.assistant is not None:
        mix = balanced_mix(channels.user, channels.assistant, [segment.span for segment in user], channels.rate)
        windows = tools.segmentation.windows(mix, channels.rate)
        if "overlap" in tools.selected:
            planned = planned_overlap(user, parts.assistant)
            findings += judge_overlap_scores(found.id, windows.second_highest(), planned, thresholds)
        if "diarization" in tools.selected:
            talkers = reference_talkers(
                user, parts.assistant, channels.user, channels.assistant, channels.rate, thresholds
            )
            said = judge_diarization(found.id, windows, mix, talkers, thresholds, tools.voices)
            findings += said.findings
            values = said.values
    return SceneVerdict(tuple(findings), values)


def _key(parts: SceneParts, thresholds: Thresholds, tools: Instruments) -> str:
    """All that the verdict depends on."""
    stated = [
        OVERLAP,
        SEGMENTS,
        DIARIZATION,
        sorted(tools.selected),
        tools.model_hashes,
        thresholds.model_dump(mode="json"),
        parts.found.model_dump(mode="json"),
        parts.sentence.model_dump(mode="json"),
        parts.channels.rate,
    ]
    digest = hashlib.sha256(json.dumps(stated, ensure_ascii=False, sort_keys=True).encode())
    for samples in (parts.channels.user, parts.channels.assistant):
        digest.update(b"|" if samples is None else np.ascontiguousarray(samples, dtype=np.float32).tobytes())
    return digest.hexdigest()
