"""What a build would make and take, before it is made."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from data_schemas.base import Record
from data_schemas.script import Script
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Track
from flows.config import BuildConfig
from flows.pool import default_workers
from flows.prepare import Prepared

#: Speech rates, calibrated on the 164 utterances of the quickstart in Kokoro speech (characters with
#: punctuation; edge silences included).
HAN_CHARACTERS_PER_SECOND = 5.8
ENGLISH_WORDS_PER_SECOND = 3.4
#: Real-time factor per worker process (measured on 2 cores, DESIGN.md "Speech").
REAL_TIME_FACTOR = {"kokoro": 0.79, "espeak": 0.003}
UNKNOWN_ENGINE_FACTOR = 1.0
#: Scene time that is not the user's speech: lead-in, waiting for the event, tail (FORMATS.md B.6).
DUPLEX_SILENCE_SECONDS = 17.0
#: Start-up of orchestration and model loading in each build.
FIXED_SECONDS = 45.0
JUDGE_SECONDS_PER_SCENE = 1.5
BYTES_PER_SECOND = 32_000
FILES_PER_SCENE_SECOND = 3  # user, assistant and clean channel


class Estimate(Record):
    """Expected size and cost of a build."""

    items: int
    utterances: int
    speech_seconds: float
    audio_seconds: float
    release_bytes: int
    build_seconds: float
    tokens: int
    cost: float


def estimate(config: BuildConfig, prepared: Prepared) -> Estimate:
    """Derive the figures from the scripts that would be spoken; nothing is made."""
    script_of = {script.script_id: script for script in prepared.scripts}
    utterances = 0
    speech = 0.0
    audio = 0.0
    scenes = 0
    for plan in prepared.plans:
        lines = spoken_lines(script_of[plan.outline.script_id or ""])
        seconds = [spoken_seconds(line, plan.language) for line in lines]
        utterances += len(lines)
        speech += sum(seconds)
        is_scene = plan.task.track is Track.DUPLEX
        scenes += is_scene
        audio += FILES_PER_SCENE_SECOND * (DUPLEX_SILENCE_SECONDS + sum(seconds)) if is_scene else sum(seconds)
    workers = config.execution.workers or default_workers()
    factor = REAL_TIME_FACTOR.get(config.speech.engine, UNKNOWN_ENGINE_FACTOR)
    judging = JUDGE_SECONDS_PER_SCENE * scenes * config.overlap_detection
    return Estimate(
        items=len(prepared.plans),
        utterances=utterances,
        speech_seconds=speech,
        audio_seconds=audio,
        release_bytes=int(audio * BYTES_PER_SECOND),
        build_seconds=FIXED_SECONDS + (speech * factor + judging) / workers,
        tokens=0,
        cost=0.0,
    )


def spoken_lines(script: Script) -> list[str]:
    """Everything of a script that is spoken: user turns, or all lines of a scene."""
    return [turn.text for turn in script.turns] or [line.text for line in script.lines]


def spoken_seconds(text: str, language: Language) -> float:
    plain = strip_tags(text)
    if language is Language.ZH:
        return len(plain) / HAN_CHARACTERS_PER_SECOND
    return len(plain.split()) / ENGLISH_WORDS_PER_SECOND


def print_estimate(config: BuildConfig, prepared: Prepared, console: Console) -> None:
    """Quota table and totals for ``--dry-run``."""
    table = Table(title=f"{config.name}: what would be made")
    for heading in ("task", "language", "split", "turns", "items"):
        table.add_column(heading)
    planned = Counter(plan.cell for plan in prepared.plans)
    for cell, count in prepared.quota:
        if planned[cell] != count:
            raise RuntimeError(f"{cell.key}: {planned[cell]} plans for a quota of {count}")
        table.add_row(cell.task, cell.language, cell.split, str(cell.turns), str(count))
    console.print(table)
    figures = estimate(config, prepared)
    console.print(
        f"{figures.items} items, {figures.utterances} utterances, about {figures.speech_seconds / 60:.0f} minutes of "
        f"speech; {figures.audio_seconds / 3600:.2f} hours of audio in files, {figures.release_bytes / 1e6:.0f} MB; "
        f"about {figures.build_seconds / 60:.0f} minutes with engine {config.speech.engine}; "
        f"{figures.tokens} LLM tokens, cost {figures.cost:.2f} (frozen scripts cost nothing). Nothing was made.",
        markup=False,
    )
