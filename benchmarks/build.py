"""Whole builds against a bare loop of the speech engine: time, audio per second, memory.

Three questions of DESIGN.md "Numbers to hold":

* time a build adds to the speech engine's own time (whole build against a bare loop over the same requests);
* how much audio is published per second when all speech is in the store;
* peak memory of the build's processes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from data_schemas.tasks import Language, Split, Task
from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.prepare.resolve import prepare, resolve
from generators.speech.requests import utterance_requests
from generators.speech.speak import speak
from generators.store import Store

SAMPLING_SECONDS = 0.2
READING = """\
Some 12 to 15 s of every build are start-up and gate (Prefect's server, imports, Great Expectations), so such small
builds do not show the goals of 5 % added time (see Speech) and 1000 x real time per core; that takes the rehearsal at
full quotas. Overlap detection is off here; it costs 0.04 to 0.06 x the length of a scene.
"""


@dataclass(frozen=True)
class Run:
    """One timed command."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    peak_processes: int


def timed_build(config: Path, log: Path) -> Run:
    """Run ``humdial build`` and follow the memory of its whole process tree."""
    before = os.times()
    started = time.monotonic()
    with log.open("wb") as handle:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows", "build", str(config)], stdout=handle, stderr=subprocess.STDOUT
        )
    peak, peak_count = 0, 0
    while process.poll() is None:
        total, count = tree_memory(process.pid)
        if total > peak:
            peak, peak_count = total, count
        time.sleep(SAMPLING_SECONDS)
    if process.returncode:
        raise SystemExit(f"the build failed:\n{log.read_text(encoding='utf-8')}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(time.monotonic() - started, cpu, peak, peak_count)


def tree_memory(pid: int) -> tuple[int, int]:
    """Resident bytes and number of processes of a process and its children."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0
    total = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total, len(family)


def bare_loop(config_path: Path, store: Path) -> tuple[float, float]:
    """Speak every utterance of a configuration in one plain loop; wall seconds and seconds of speech."""
    config = load_config(config_path)
    prepared = prepare(config, config_path.parent, resolve(config), SilentReporter())
    requests = [
        planned
        for plan in prepared.plans
        for planned in utterance_requests(
            plan, prepared.writer.write(plan), config.speech, config.scenes.hesitation, prepared.engine, config.seed
        )
    ]
    target = Store(store)
    started = time.monotonic()
    seconds = sum(speak(planned, prepared.engine, target).duration for planned in requests)
    return time.monotonic() - started, seconds


def write_config(folder: Path, engine: str, count: int) -> Path:
    """A build of both languages and both tracks."""
    languages = [language.value for language in Language]
    quotas = [
        {
            "task": task.value,
            "languages": languages,
            "splits": [Split.TRAIN.value],
            "turns": turns,
            "count": count,
        }
        for task, turns in (
            (Task.TRAJECTORY, [3]),
            (Task.REASONING, [3]),
            (Task.FOLLOW_UP, [1]),
            (Task.BACKCHANNEL, [1]),
            (Task.PAUSE, [1]),
        )
    ]
    raw = {
        "name": f"bench-{engine}",
        "seed": 1,
        "release": str(folder / "release"),
        "work": str(folder / "work"),
        "quotas": quotas,
        "scripts": {"pack": ["quickstart"]},
        "speech": {"engine": engine},
        "validation": {"skip": ["slow"]},
        "execution": {"workers": 1},
    }
    path = folder / "bench.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def released_hours(release: Path) -> float:
    """Hours in all wav files of a release, from their sizes (16 kHz PCM16 mono)."""
    lock = json.loads((release / "dataset.lock.json").read_text(encoding="utf-8"))
    size: int = sum(entry["bytes"] for entry in lock["files"] if entry["path"].endswith(".wav"))
    return size / 2 / 16_000 / 3600


def measure_engine(engine: str, count: int, folder: Path) -> list[str]:
    """Bare loop, first build, build with cached speech; rows of the table."""
    config = write_config(folder, engine, count)
    loop_seconds, speech_seconds = bare_loop(config, folder / "bare")
    first = timed_build(config, folder / "first.log")
    hours = released_hours(folder / "release")
    shutil.rmtree(folder / "release")
    shutil.rmtree(folder / "work" / "shards")
    cached = timed_build(config, folder / "second.log")
    return [
        f"| {engine}: bare loop | {loop_seconds:.1f} s for {speech_seconds:.0f} s of speech "
        f"(real-time factor {loop_seconds / speech_seconds:.3f}) |",
        f"| {engine}: whole build, 1 worker, empty store | {first.wall_seconds:.1f} s wall, "
        f"{first.cpu_seconds:.1f} s cpu, ratio to bare loop {first.wall_seconds / loop_seconds:.2f} |",
        f"| {engine}: whole build, 1 worker, speech in the store | {cached.wall_seconds:.1f} s wall, "
        f"{hours * 3600:.0f} s of audio files: {hours * 3600 / cached.wall_seconds:.0f} x real time, "
        "start-up included |",
        f"| {engine}: peak resident memory, all {first.peak_processes} processes | "
        f"{first.peak_bytes / 2**30:.2f} GiB |",
    ]


def measure(engines: Sequence[str], count: int) -> list[str]:
    """All engines, each in a folder of its own; rows of the table. ``count``: items per quota cell."""
    rows: list[str] = []
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="humdial-bench-") as folder:
            rows += measure_engine(engine, count, Path(folder))
    return rows
