"""Composing and mixing against Lhotse's `ConversationalMeetingSimulator`: the same utterances, one core each.

All are timed in one process that is bound to one core, one after the other and again, after a round that is not
counted. Each writes WAV, 16 kHz, 16 bit, and its labels. Lhotse's simulator runs twice: asked for a number of meetings
it fills a shuffle buffer of 20,000 cuts per speaker from the endlessly repeated pool first, which costs more than the
meetings do; asked for a number of repeats of the pool it shuffles only those.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.scene_pool import Spoken, composed_scene, mixed, workers
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, write_wav
from data_schemas.foundation.base import Record
from generators.scenes.duplex.composer import SceneImpossible
from generators.scenes.settings import SceneSettings
from generators.store import Store

#: Hours of dialogue that each side makes in a round, and rounds that count.
HOURS = 1.0
ROUNDS = 3
_SECONDS_PER_HOUR = 3600.0
OURS = "compose, mix, write both channels: ours"
LHOTSE_REPEATS = "Lhotse, pool repeated (num_repeats)"
LHOTSE_MEETINGS = "Lhotse, so many meetings (num_meetings)"


class Round(Record):
    """One timed round of one side."""

    wall_seconds: float
    cpu_seconds: float
    #: hours of dialogue, and of all files that were written
    dialogue_hours: float
    file_hours: float
    #: utterances' seconds that were mixed
    speech_seconds: float


#: Rounds that count, by side, in the order in which they were run.
Race = dict[str, list[Round]]
Side = Callable[[Path], tuple[float, float]]


def measure(items: Sequence[Spoken], settings: SceneSettings, store: Path) -> Race:
    """The race in a process of its own."""
    with workers(1) as pool:
        return pool.submit(_race, list(items), settings, store).result()


def _race(items: list[Spoken], settings: SceneSettings, store: Path) -> Race:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sides: dict[str, Side] = {OURS: partial(_ours, items, settings, store), **_meetings(items, store)}
    rounds: Race = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        for name, side in sides.items():
            taken = _timed(side)
            if number:
                rounds[name].append(taken)
    return rounds


def _timed(side: Side) -> Round:
    folder = Path(tempfile.mkdtemp(prefix="humdial-bench-"))
    try:
        cpu, began = time.process_time(), time.perf_counter()
        dialogue_s, speech_s = side(folder)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        frames = sum(soundfile.info(path).frames for path in folder.glob("*.wav"))
        return Round(
            wall_seconds=wall,
            cpu_seconds=cpu,
            dialogue_hours=dialogue_s / _SECONDS_PER_HOUR,
            file_hours=frames / SAMPLE_RATE_HZ / _SECONDS_PER_HOUR,
            speech_seconds=speech_s,
        )
    finally:
        shutil.rmtree(folder)


def _ours(items: Sequence[Spoken], settings: SceneSettings, store: Path, out: Path) -> tuple[float, float]:
    """Compose, mix, and write both channels and the scene; seconds of dialogue and of speech."""
    kept = Store(store)
    dialogue = speech = 0.0
    count = 0
    with (out / "scenes.jsonl").open("w", encoding="utf-8") as labels:
        while dialogue < HOURS * _SECONDS_PER_HOUR:
            item = items[count % len(items)]
            count += 1
            try:
                scene = composed_scene(item, settings)
            except SceneImpossible:
                continue
            for channel, samples in mixed(scene, item.utterances, kept).items():
                write_wav(out / f"{count}-{channel}.wav", samples)
            labels.write(scene.to_json_line() + "\n")
            dialogue += scene.seconds(scene.num_samples)
            speech += sum(scene.seconds(placement.stop - placement.start) for placement in scene.placements)
    return dialogue, speech


def _meetings(items: Sequence[Spoken], store: Path) -> dict[str, Side]:
    """Lhotse's sides over the same utterances; recordings and supervisions are made before the clock runs."""
    pool = _cuts(items, store)
    seconds_per_repeat = sum(meeting.duration for meeting in _simulated(pool, num_repeats=1))
    repeats = round(HOURS * _SECONDS_PER_HOUR / seconds_per_repeat) or 1
    trial = list(_simulated(pool, num_repeats=repeats))
    meetings = round(HOURS * _SECONDS_PER_HOUR / statistics.mean(meeting.duration for meeting in trial)) or 1

    return {
        LHOTSE_REPEATS: partial(_written, pool, {"num_repeats": repeats}),
        LHOTSE_MEETINGS: partial(_written, pool, {"num_meetings": meetings}),
    }


def _cuts(items: Sequence[Spoken], store: Path) -> Any:
    """The utterances as a CutSet, each with its voice as the speaker."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    cuts = {}
    for utterance in (utterance for item in items for utterance in item.utterances):
        key = utterance.audio_key
        recording = Recording.from_file(Store(store).wav_path(key), recording_id=key)
        speech = SupervisionSegment(
            id=key,
            recording_id=key,
            start=0.0,
            duration=recording.duration,
            text=utterance.text,
            speaker=utterance.request.voice,
            language=utterance.request.language.value,
        )
        cuts[key] = MonoCut(
            id=key, start=0.0, duration=recording.duration, channel=0, recording=recording, supervisions=[speech]
        )
    return CutSet.from_cuts(list(cuts.values()))


def _simulated(pool: Any, **how_many: int) -> Any:
    from lhotse.workflows.meeting_simulation import ConversationalMeetingSimulator

    simulator = ConversationalMeetingSimulator()
    simulator.fit()
    # its distributions draw from numpy's global generator and its ids from Python's
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    with open(os.devnull, "w", encoding="utf-8") as quiet, contextlib.redirect_stderr(quiet):
        return simulator.simulate(pool, num_speakers_per_meeting=2, seed=0, **how_many)


def _written(pool: Any, how_many: dict[str, int], out: Path) -> tuple[float, float]:
    """Simulate, mix, and write the audio and the cuts; seconds of dialogue and of speech."""
    from lhotse import CutSet

    meetings = list(_simulated(pool, **how_many))
    for number, meeting in enumerate(meetings):
        meeting.save_audio(out / f"{number}.wav")
    CutSet.from_cuts(meetings).to_file(out / "cuts.jsonl")
    spoken = sum(one.duration for meeting in meetings for one in meeting.supervisions)
    return sum(meeting.duration for meeting in meetings), spoken


def rows(race: Race) -> list[str]:
    """Lines of the table."""
    table = []
    for name, rounds in race.items():
        hours = statistics.mean(one.dialogue_hours for one in rounds)
        dense = statistics.mean(one.speech_seconds / one.dialogue_hours for one in rounds) / _SECONDS_PER_HOUR
        files = statistics.mean(one.file_hours for one in rounds)
        table.append(
            f"| {name} | {hours:.2f} h of dialogue, {files:.2f} h in files, "
            f"{dense:.2f} s of utterances per second; per hour in files wall "
            f"{_each(one.wall_seconds / one.file_hours for one in rounds)} s, cpu "
            f"{_each(one.cpu_seconds / one.file_hours for one in rounds)} s; per hour of dialogue wall "
            f"{_each(one.wall_seconds / one.dialogue_hours for one in rounds)} s |"
        )
    for name in (LHOTSE_REPEATS, LHOTSE_MEETINGS):
        pairs = list(zip(race[OURS], race[name], strict=True))
        table.append(
            f"| {name}: its time over ours, rounds in pairs | per hour in files wall "
            f"{_each(b.wall_seconds / a.wall_seconds * a.file_hours / b.file_hours for a, b in pairs)}, cpu "
            f"{_each(b.cpu_seconds / a.cpu_seconds * a.file_hours / b.file_hours for a, b in pairs)}; per hour of "
            "dialogue wall "
            f"{_each(b.wall_seconds / a.wall_seconds * a.dialogue_hours / b.dialogue_hours for a, b in pairs)}"
            f", cpu {_each(b.cpu_seconds / a.cpu_seconds * a.dialogue_hours / b.dialogue_hours for a, b in pairs)} |"
        )
    return table


def _each(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)
