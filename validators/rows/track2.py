"""Structure and cross-field rules of Track 2 items (FORMATS.md B.1 to B.4, B.6), audio aside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem
from data_schemas.tags import BREAK_TAG, VOCAL_TAGS, strip_tags, tags_in
from data_schemas.tasks import INTERRUPTION_TASKS, Language, Role, Task
from validators.core.codes import Judge
from validators.core.measure import is_in_language
from validators.core.thresholds import Thresholds
from validators.rows.rows import SegmentRow, SentenceFile, beside_manifest, existing_file, read_json, view

VALIDATOR = "structure_track2/1"

SAMPLE_ID = re.compile(r"^\d{4}_\d{4}(_add)?$")
#: Tasks that come with clean_<id>.wav (FORMATS.md B.4).
FIRST_SEGMENT_CLEAN = INTERRUPTION_TASKS | {Task.BACKCHANNEL, Task.THIRD_PARTY_AFTER}
CLEAN_TASKS = FIRST_SEGMENT_CLEAN | {Task.SPEECH_TO_OTHERS}
#: Tasks with exactly this many segments; every other one has two or more (FORMATS.md B.3).
EXACT_SEGMENTS = {Task.PAUSE: 1, Task.SPEECH_TO_OTHERS: 3}
_LEAST_SEGMENTS = 2
#: Who speaks the first segments, where it is not the user all along (FORMATS.md B.3).
_FIRST_ROLES = {
    Task.THIRD_PARTY_BEFORE: (Role.THIRD_PARTY, Role.USER),
    Task.THIRD_PARTY_AFTER: (Role.USER, Role.THIRD_PARTY),
}
_SECONDS_DIGITS = 6  # labels compare equal to the microsecond: far below one sample


@dataclass(frozen=True)
class SampleLabels:
    """What the label file says, if it could be read, and what is wrong with it."""

    sentence: SentenceFile | None
    findings: tuple[Finding, ...]


def judge_sample(found: FoundItem, root: Path, thresholds: Thresholds) -> SampleLabels:
    """All rules that need only labels, row and file names."""
    judge = Judge(VALIDATOR, found.id, found.files.get("user"))
    findings = [*_names(judge, found, root)]
    sentence = _read_sentence(judge, found, root)
    if isinstance(sentence, Finding):
        return SampleLabels(None, (*findings, sentence))
    labels = judge.about(found.files["sentence"])
    segments = sentence.speech_segments
    findings += _row_agrees(labels, found, sentence)
    findings += _count(labels, found.task, segments)
    findings += _texts(labels, found, segments)
    order = tuple(_order(labels, sentence))
    findings += order
    if not order and found.task is not Task.CONVERSATION:
        findings += _distances(labels, found.task, sentence, thresholds)
    return SampleLabels(sentence, tuple(findings))


def _names(judge: Judge, found: FoundItem, root: Path) -> Iterator[Finding]:
    if not SAMPLE_ID.match(found.id):
        yield judge.say("T2.ID_FORMAT", f"{found.id!r} does not match {SAMPLE_ID.pattern}")
    user = found.files.get("user", f"{found.id}.wav")
    if existing_file(found, root, "user") is None:
        yield judge.say("T2.AUDIO_MISSING", f"{user} does not exist", file=user)
    else:
        yield from _manifest_row(judge, found, root)
    named = found.row.get("assistant_wav")
    if isinstance(named, str) and existing_file(found, root, "assistant") is None:
        relative = beside_manifest(found, named)
        yield judge.say("T2.AUDIO_MISSING", f"{relative} does not exist", file=relative)
    clean = existing_file(found, root, "clean")
    if clean is None and found.task in CLEAN_TASKS:
        yield judge.say("T2.CLEAN_MISSING", f"clean_{found.id}.wav does not exist", file=found.files.get("clean"))
    beside = PurePosixPath(user).with_name(f"clean_{found.id}.wav").as_posix()
    if found.task not in CLEAN_TASKS and (root / beside).is_file():
        yield judge.say("T2.CLEAN_UNEXPECTED", f"{found.task} has no clean file", file=beside)


def _manifest_row(judge: Judge, found: FoundItem, root: Path) -> Iterator[Finding]:
    """Data sets without manifests are fine; a manifest that leaves a sample out is not."""
    manifest = PurePosixPath(found.files["user"]).parent.with_suffix(".jsonl").as_posix()
    if found.manifest is None and (root / manifest).is_file():
        yield judge.say("T2.ROW_MISSING", f"{manifest} has no row for {found.id}", file=manifest)


def _read_sentence(judge: Judge, found: FoundItem, root: Path) -> SentenceFile | Finding:
    path = existing_file(found, root, "sentence")
    name = found.files.get("sentence", f"{found.id}_sentence.json")
    if path is None:
        return judge.say("T2.SENTENCE_MISSING", f"{name} does not exist", file=name)
    try:
        sentence = view(SentenceFile, read_json(path))
    except (OSError, ValueError) as error:
        return judge.say("T2.SENTENCE_FIELDS", f"{name} is not UTF-8 JSON: {error}", file=name)
    if isinstance(sentence, str):
        return judge.say("T2.SENTENCE_FIELDS", f"{name}: {sentence}", file=name)
    return sentence


def _row_agrees(judge: Judge, found: FoundItem, sentence: SentenceFile) -> Iterator[Finding]:
    if "speech_segments" not in found.row and "final_duration" not in found.row:
        return  # a data set without manifests, or with another kind of row
    row = view(SentenceFile, found.row)
    if isinstance(row, str):
        yield judge.say("T2.ROW_AGREES", f"line {found.line}: {row}", file=found.manifest)
        return
    if _comparable(row) != _comparable(sentence):
        yield judge.say("T2.ROW_AGREES", f"line {found.line} of {found.manifest} has other labels", file=found.manifest)


def _comparable(sentence: SentenceFile) -> tuple[object, ...]:
    segments = tuple(
        (round(each.xmin, _SECONDS_DIGITS), round(each.xmax, _SECONDS_DIGITS), each.text)
        for each in sentence.speech_segments
    )
    return (round(sentence.final_duration, _SECONDS_DIGITS), segments)


def _count(judge: Judge, task: Task, segments: tuple[SegmentRow, ...]) -> Iterator[Finding]:
    exact = EXACT_SEGMENTS.get(task)
    if exact is not None and len(segments) != exact:
        yield judge.say(
            "T2.SEGMENT_COUNT",
            f"has {len(segments)} segments; {task} has exactly {exact}",
            value=len(segments),
        )
    if exact is None and len(segments) < _LEAST_SEGMENTS:
        yield judge.say(
            "T2.SEGMENT_COUNT", f"has {len(segments)} segments; {task} has two or more", value=len(segments)
        )
    if any(segment.role is None for segment in segments) or len(segments) < _LEAST_SEGMENTS:
        return
    if task is Task.CONVERSATION:
        strangers = sorted({str(segment.role) for segment in segments if segment.role != Role.USER})
        if strangers:
            yield judge.say("T2.SEGMENT_ROLES", f"segments are of {', '.join(strangers)}; {task} has the user's only")
        return
    first = _FIRST_ROLES.get(task, (Role.USER, Role.USER))
    roles = tuple(segment.role for segment in segments[:_LEAST_SEGMENTS])
    if roles != first:
        yield judge.say(
            "T2.SEGMENT_ROLES", f"segments are of {', '.join(map(str, roles))}; {task} has {', '.join(first)}"
        )


def _texts(judge: Judge, found: FoundItem, segments: tuple[SegmentRow, ...]) -> Iterator[Finding]:
    for number, segment in enumerate(segments):
        problem = _text_problem(segment.text, found.language)
        if problem:
            yield judge.say("T2.SEGMENT_TEXT", f"segment {number}: {problem}", span=segment.span)
    breaks = sum(segment.text.count(BREAK_TAG) for segment in segments)
    if found.task is not Task.CONVERSATION and (breaks > 0) != (found.task is Task.PAUSE):
        yield judge.say("T2.PAUSE_BREAK", f"{breaks} {BREAK_TAG} in an item of {found.task}", value=breaks)


def _text_problem(text: str, language: Language) -> str | None:
    spoken = strip_tags(text)
    if not spoken:
        return f"text {text!r} has no words"
    unknown = [tag for tag in tags_in(text) if tag not in (*VOCAL_TAGS, BREAK_TAG)]
    if unknown:
        return f"{unknown[0]} is not one of {', '.join((*VOCAL_TAGS, BREAK_TAG))}"
    return None if is_in_language(spoken, language) else f"{spoken[:40]!r} is not {language}"


def _order(judge: Judge, sentence: SentenceFile) -> Iterator[Finding]:
    previous = 0.0
    for number, segment in enumerate(sentence.speech_segments):
        if not previous <= segment.xmin < segment.xmax <= sentence.final_duration:
            yield judge.say(
                "T2.SEGMENT_ORDER",
                f"segment {number} [{segment.xmin}, {segment.xmax}] after {previous} s in a file of "
                f"{sentence.final_duration} s",
                span=segment.span,
            )
        previous = max(previous, segment.xmax)


def _distances(judge: Judge, task: Task, sentence: SentenceFile, thresholds: Thresholds) -> Iterator[Finding]:
    segments = sentence.speech_segments
    for before, after in pairwise(segments):
        gap = after.xmin - before.xmax
        if gap <= thresholds.min_segment_gap_s:
            yield judge.say(
                "T2.SEGMENT_GAP",
                f"{gap:.3f} s between two segments; detectors fuse them",
                span=(before.xmax, after.xmin),
                value=gap,
                threshold=thresholds.min_segment_gap_s,
            )
    if segments:
        tail = sentence.final_duration - segments[-1].xmax
        if tail < thresholds.min_tail_s:
            yield judge.say(
                "T2.TAIL", f"{tail:.2f} s after the last segment", value=tail, threshold=thresholds.min_tail_s
            )
    yield from _event_gap(judge, task, segments, thresholds)


def _event_gap(judge: Judge, task: Task, segments: tuple[SegmentRow, ...], thresholds: Thresholds) -> Iterator[Finding]:
    first = 1 if task is Task.SPEECH_TO_OTHERS else 0
    if len(segments) < first + _LEAST_SEGMENTS:
        return
    gap = segments[first + 1].xmin - segments[first].xmax
    low, high = thresholds.min_event_gap_s, thresholds.max_event_gap_s
    if task is Task.THIRD_PARTY_BEFORE:
        low, high = thresholds.min_before_gap_s, thresholds.max_before_gap_s
    if gap > thresholds.min_segment_gap_s and not low <= gap <= high:
        yield judge.say(
            "T2.EVENT_GAP",
            f"{gap:.2f} s from segment {first} to the next; usual are {low} to {high} s",
            span=(segments[first].xmax, segments[first + 1].xmin),
            value=gap,
            threshold=low if gap < low else high,
        )
