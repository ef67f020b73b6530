"""What a build adds to the speech engine's own time, and what the store saves: Kokoro on two workers."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks.build import timed_build
from data_schemas.tasks import Language, Split, Task, Track
from flows.common.progress import SilentReporter
from flows.common.workers import WorkerPool
from flows.config.build_config import load_config
from flows.prepare.resolve import prepare, resolve
from generators.speech.engine import SpeechEngine
from generators.speech.expression.world import express
from generators.speech.finish import finish
from generators.speech.registry import create_engine
from generators.speech.requests import PlannedUtterance, utterance_requests
from generators.speech.sounds.join import pieces_to_speak, with_sounds

ENGINE = "kokoro"
WORKERS = 2
#: one-turn scripts of each task and language in the quickstart pack
TRACK2_COUNT_MAX = 6
READING = """\
The same requests, each spoken once, in two processes that do nothing else, models loaded within the time. Every
utterance needs the prosody step, resampling and loudness after the engine; what these took is clocked apart, and the
*bare loop* is the loop without it. Then a whole build, start-up of Prefect and the gate included, with the judges that
need no model; the same build again; and again with nothing kept but speech, all items composed and judged anew. What
the second build takes too (start-up, gate, publishing) hardly grows with the speech: an hour of it spreads it thin.
"""


class Spent(NamedTuple):
    """Seconds of speech, and of one core after the engine."""

    speech_s: float
    after_s: float


def measure(count: int = 8) -> list[str]:
    """Rows of the table; ``count``: items per quota cell, of one-turn scenes as many as the pack has."""
    with tempfile.TemporaryDirectory(prefix="humdial-bench-") as name:
        folder = Path(name)
        config = _config(folder, count)
        requests = _requests(config)
        whole_s, spent = _loop(requests)
        first = timed_build(config, folder / "first.log")
        shutil.rmtree(folder / "release")
        second = timed_build(config, folder / "second.log")
        shutil.rmtree(folder / "release")
        shutil.rmtree(folder / "work" / "shards")
        again = timed_build(config, folder / "again.log")
    bare_s = whole_s - spent.after_s / WORKERS
    first_s, second_s, again_s = first.wall_seconds, second.wall_seconds, again.wall_seconds
    return [
        f"| {ENGINE}, {WORKERS} processes | {len(requests)} utterances, {spent.speech_s / 60:.1f} minutes of speech |",
        f"| bare loop | {bare_s:.1f} s, real-time factor {bare_s / spent.speech_s:.3f} |",
        f"| loop with prosody step and finishing | {whole_s:.1f} s, {whole_s / bare_s:.3f} times the bare loop |",
        f"| whole build, empty store | {first_s:.1f} s, {first_s / whole_s:.3f} times that loop, "
        f"{first_s / bare_s:.3f} times the bare one |",
        f"| of it, beyond what the second takes too | {first_s - second_s:.1f} s, {(first_s - second_s) / whole_s:.3f} "
        "times that loop |",
        f"| the same build a second time | {second_s:.1f} s, {first_s / second_s:.1f} times faster |",
        f"| a build with its speech in the store only | {again_s:.1f} s, {first_s / again_s:.1f} times faster |",
    ]


def _config(folder: Path, count: int) -> Path:
    """Both languages, both tracks."""
    languages = [language.value for language in Language]
    tasks = ((Task.TRAJECTORY, [3, 4, 5]), (Task.REASONING, [3, 4, 5]), (Task.FOLLOW_UP, [1]), (Task.BACKCHANNEL, [1]))
    raw = {
        "name": "bench-speech",
        "seed": 1,
        "release": str(folder / "release"),
        "work": str(folder / "work"),
        "quotas": [
            {"task": task.value, "languages": languages, "splits": [Split.TRAIN.value], "turns": turns}
            | {"count": count if task.track is Track.EMOTION else min(count, TRACK2_COUNT_MAX)}
            for task, turns in tasks
        ],
        "scripts": {"pack": ["quickstart"]},
        "speech": {"engine": ENGINE},
        "validation": {"skip": ["slow"]},
        "execution": {"workers": WORKERS},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def _requests(path: Path) -> list[PlannedUtterance]:
    config = load_config(path)
    prepared = prepare(config, path.parent, resolve(config), SilentReporter())
    planned = [
        one
        for plan in prepared.plans
        for one in utterance_requests(
            plan, prepared.writer.write(plan), config.speech, config.scenes.hesitation, prepared.engine, config.seed
        )
    ]
    return list({one.request.model_dump_json(): one for one in planned}.values())


def _loop(requests: list[PlannedUtterance]) -> tuple[float, Spent]:
    """Wall seconds of the whole loop, and the sums."""
    started = time.monotonic()
    with WorkerPool(WORKERS) as pool:
        spent = list(pool.map(_speak, requests))
    return time.monotonic() - started, Spent(*(sum(column) for column in zip(*spent, strict=True)))


@cache
def _engine() -> SpeechEngine:
    return create_engine(ENGINE)


def _speak(planned: PlannedUtterance) -> Spent:
    request = planned.request
    raws = [_engine().synthesise(piece) for piece in pieces_to_speak(request)]
    speech_s = sum(len(raw.samples) / raw.sample_rate for raw in raws)
    started = time.monotonic()
    if request.expression is not None:
        raws = [express(raw, request.expression, planned.id) for raw in raws]
    finish(with_sounds(tuple(raws), request), request)
    return Spent(speech_s, time.monotonic() - started)
