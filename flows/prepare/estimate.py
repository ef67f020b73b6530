"""What a build would make and take, before it is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data_schemas.foundation.base import Record
from data_schemas.plan import Place
from data_schemas.script import Script
from data_schemas.speech_rate import spoken_seconds
from data_schemas.tasks import Task, Track
from flows.common.progress import SilentReporter
from flows.common.workers import default_workers
from flows.config.build_config import BuildConfig
from flows.prepare.disk import disk_needs
from flows.prepare.resolve import Parts, prepare
from flows.prepare.script_estimate import ScriptEstimate, estimate_scripts
from generators.scripts.packs import load_packs
from generators.scripts.settings import ScriptSettings
from generators.speech.engine import Control

#: Real-time factor per worker process (measured on 2 cores, DESIGN.md "Speech").
REAL_TIME_FACTOR = {"kokoro": 0.79, "espeak": 0.003}
UNKNOWN_ENGINE_FACTOR = 1.0
#: Seconds of one core per second of Track 1 speech that goes through the prosody step (docs/expressive-speech.md).
EXPRESSION_FACTOR = 0.12
#: Scene time that is not the user's speech: lead-in, waiting for the event, tail (FORMATS.md B.6).
DUPLEX_SILENCE_SECONDS = 17.0
#: The same for a conversation: lead-in, gaps, a short end.
CONVERSATION_SILENCE_SECONDS = 3.0
#: Scripts of a cell that stand for all of them.
REHEARSAL_SAMPLE = 12
#: Start-up of orchestration and model loading in each build.
FIXED_SECONDS = 45.0
#: Seconds of one core per second of speech (utterance judges), or of two-channel scene (the others): `make bench`.
JUDGE_FACTOR = {
    "transcript": 0.2,
    "quality": 0.16,
    "speakers": 0.02,
    "prosody": 0.02,
    "emotion": 0.03,
}
SCENE_JUDGE_FACTOR = {"overlap": 0.05, "segments": 0.03, "diarization": 0.05}
BYTES_PER_SECOND = 32_000
#: What is kept of an utterance besides its sound: JSON, rows, measurements of all judges (measured: 25 kB).
BYTES_KEPT_PER_UTTERANCE = 30_000
#: Kept questions and answers, UTF-8: 1.5 Chinese or 4.2 English characters a token, and their JSON.
BYTES_PER_TOKEN = 6
FILES_PER_SCENE_SECOND = 3  # user, assistant and clean channel
FILES_PER_CONVERSATION_SECOND = 2


class Estimate(Record):
    """Expected size and cost of a build."""

    dialogues: int
    turns: int
    utterances: int
    speech_seconds: float
    audio_seconds: float
    release_bytes: int
    #: what the work directory holds besides the release's audio: speech, measurements, a model's answers
    work_bytes: int
    build_seconds: float
    scripts: ScriptEstimate | None = None


class Size(Record):
    """What some scripts come to; adds up."""

    items: float = 0.0
    turns: float = 0.0
    utterances: float = 0.0
    scenes: float = 0.0
    speech_seconds: float = 0.0
    #: of these in Track 1
    emotional_seconds: float = 0.0
    audio_seconds: float = 0.0

    def plus(self, other: Size, times: float = 1.0) -> Size:
        return Size(**{name: getattr(self, name) + times * getattr(other, name) for name in Size.model_fields})


def size_of(script: Script, voiced: bool = False) -> Size:
    """The figures of one script; ``voiced``: the replies of Track 1 are spoken too."""
    lines = spoken_lines(script, voiced)
    speech = sum(spoken_seconds(line, script.language) for line in lines)
    is_scene = script.task.track is Track.DUPLEX
    return Size(
        items=1,
        turns=script.outline().turns,
        utterances=len(lines),
        scenes=is_scene,
        speech_seconds=speech,
        emotional_seconds=0.0 if is_scene else speech,
        audio_seconds=_scene_seconds(script, speech) if is_scene else speech,
    )


def _scene_seconds(script: Script, speech: float) -> float:
    if script.task is Task.CONVERSATION:
        return FILES_PER_CONVERSATION_SECOND * (CONVERSATION_SILENCE_SECONDS + speech)
    return FILES_PER_SCENE_SECOND * (DUPLEX_SILENCE_SECONDS + speech)


def mean_size(scripts: Iterable[Script], voiced: bool = False) -> Size:
    """The figures of an average script."""
    total = Size()
    for script in scripts:
        total = total.plus(size_of(script, voiced))
    return Size().plus(total, 1.0 / total.items)


def spoken_size(config: BuildConfig, base_dir: Path, parts: Parts, voiced: bool) -> Size:
    """Of all scripts of a pack; of a rehearsal, whose scripts are alike, from the first of every cell."""
    most = REHEARSAL_SAMPLE if config.scripts.writer == "rehearsal" else max(count for _, count in parts.quota)
    sample = replace(parts, quota=tuple((cell, min(count, most)) for cell, count in parts.quota))
    prepared = prepare(config, base_dir, sample, SilentReporter())
    times = {cell: count / min(count, most) for cell, count in parts.quota}
    size = Size()
    for plan in prepared.plans:
        size = size.plus(size_of(prepared.writer.write(plan), voiced), times[plan.cell])
    return size


def estimate(config: BuildConfig, parts: Parts, base_dir: Path) -> Estimate:
    """From the scripts that would be spoken, or, where a model is to write them, from typical ones; nothing is made."""
    written = None
    size = Size()
    voiced = config.speech.responses == "voiced"
    if config.scripts.writer == "llm":
        typical = typical_scripts(cell.place for cell, _ in parts.quota)
        written = estimate_scripts(config, parts, base_dir, typical)
        for cell, count in parts.quota:
            size = size.plus(mean_size(typical[cell.place], voiced), count)
    else:
        size = spoken_size(config, base_dir, parts, voiced)
    workers = config.execution.workers or default_workers()
    factor = REAL_TIME_FACTOR.get(config.speech.engine, UNKNOWN_ENGINE_FACTOR)
    speaking = size.speech_seconds * factor
    if config.speech.expression == "prosody" and Control.EMOTION not in parts.engine.controls:
        speaking += size.emotional_seconds * EXPRESSION_FACTOR
    judging = judging_seconds(config, size.speech_seconds, size.audio_seconds)
    return Estimate(
        dialogues=round(size.items),
        turns=round(size.turns),
        utterances=round(size.utterances),
        speech_seconds=size.speech_seconds,
        audio_seconds=size.audio_seconds,
        release_bytes=int(size.audio_seconds * BYTES_PER_SECOND),
        work_bytes=int(
            size.speech_seconds * BYTES_PER_SECOND
            + size.utterances * BYTES_KEPT_PER_UTTERANCE
            + (written.tokens if written else 0) * BYTES_PER_TOKEN
        ),
        build_seconds=FIXED_SECONDS + (speaking + judging) / workers,
        scripts=written,
    )


def judging_seconds(config: BuildConfig, speech_seconds: float, audio_seconds: float) -> float:
    """Seconds of one core that the judges' models take."""
    selected = config.validation.selected
    spoken = sum(factor for name, factor in JUDGE_FACTOR.items() if name in selected)
    scenes = sum(factor for name, factor in SCENE_JUDGE_FACTOR.items() if name in selected)
    return speech_seconds * spoken + audio_seconds * scenes


def typical_scripts(places: Iterable[Place]) -> dict[Place, tuple[Script, ...]]:
    """Hand-written scripts of the shipped pack for each place."""
    pack = load_packs(ScriptSettings(), Path())
    found: dict[Place, tuple[Script, ...]] = {}
    for place in places:
        same = [one for one in pack if (one.task, one.language) == (place.task, place.language)]
        exact = [one for one in same if one.outline().turns == place.turns]
        found[place] = tuple(exact or same)
    return found


def spoken_lines(script: Script, voiced: bool = False) -> list[str]:
    """Everything of a script that is spoken: user turns, with their replies if ``voiced``, or all lines of a scene."""
    replies = [turn.response_text for turn in script.turns] if voiced else []
    return [turn.text for turn in script.turns] + replies or [line.text for line in script.lines]


def print_estimate(
    config: BuildConfig, parts: Parts, base_dir: Path, console: Console, figures: Estimate | None = None
) -> None:
    """Quota table and totals for ``--dry-run``; ``figures`` where they are known already."""
    figures = figures or estimate(config, parts, base_dir)
    table = Table(title=f"{config.name}: what would be made")
    for heading in ("task", "language", "split", "turns", "items"):
        table.add_column(heading)
    for cell, count in parts.quota:
        table.add_row(cell.task, cell.language, cell.split, str(cell.turns), str(count))
    console.print(table)
    if figures.scripts is not None:
        print_script_estimate(figures.scripts, console)
    for need in disk_needs(config, figures):
        console.print(
            f"a build needs {need.bytes / 1e6:.0f} MB free at {need.place} (beyond what is there already)",
            markup=False,
            soft_wrap=True,
        )
    console.print(
        f"{figures.dialogues} dialogues and scenes, {figures.turns} turns, {figures.utterances} utterances, about "
        f"{figures.speech_seconds / 3600:.1f} hours of speech; {figures.audio_seconds / 3600:.1f} hours of audio in "
        f"files, {figures.release_bytes / 1e6:.0f} MB; about {duration(figures.build_seconds)} with engine "
        f"{config.speech.engine}; "
        + ("LLM as above" if figures.scripts else "0 LLM tokens, cost 0.00 (frozen scripts cost nothing)")
        + ". Nothing was made.",
        markup=False,
        soft_wrap=True,
    )


def print_script_estimate(scripts: ScriptEstimate, console: Console) -> None:
    """Requests, tokens and money per model."""
    table = Table(title=f"{scripts.scripts} scripts to be written")
    for heading in ("model", "name at the server", "requests", "prompt tokens", "answer tokens", "cost"):
        table.add_column(heading, justify="left" if heading in {"model", "name at the server"} else "right")
    for model in scripts.models:
        table.add_row(
            model.alias,
            model.model,
            f"{model.requests:,}",
            f"{model.prompt_tokens:,}",
            f"{model.completion_tokens:,}",
            f"{model.cost:.2f}",
        )
    console.print(table)
    console.print(
        f"{scripts.tokens:,} LLM tokens in all, cost {scripts.cost:.2f} (at the prices of the configuration), about "
        f"{duration(scripts.seconds)} with every endpoint at its max_in_flight; 1.3 attempts per script assumed",
        markup=False,
        soft_wrap=True,
    )


def duration(seconds: float) -> str:
    """Minutes below two hours, else hours.

    >>> duration(600), duration(36_000)
    ('10 minutes', '10.0 hours')
    """
    return f"{seconds / 60:.0f} minutes" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} hours"
