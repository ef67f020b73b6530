"""What judging costs: every judge alone with its model loaded, all together, on one and on two workers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import soundfile
import yaml

from benchmarks.build import timed_build
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import detect_layouts
from data_schemas.tasks import SUB_TASKS, Language, Split, Task
from flows.common.workers import WorkerPool
from validators.core.instruments import Instruments
from validators.core.judges import ALL, JUDGES, Level, Selection
from validators.core.settings import ValidationSettings
from validators.run.directory import JudgeOrder, validate_root
from validators.run.item import judge_item

FOLDER = Path("work/bench-judges")
ENGINE = "kokoro"
_WARM_UP_ITEMS = 1

READING = """\
Release: one item per sub-task of Track 2 and four dialogues of Track 1, zh and en, in Kokoro's voices. A real-time
factor is time over seconds of audio on user channels and of turns; a scene has an assistant channel as long beside it.

A judge alone: one thread, its model loaded before the clock starts, the cost of reading files (the judge `structure`)
taken off. All together: `validate_root` as `humdial validate` calls it, model loading and set-level judges included, no
measurement kept from before. "Again" is the second run, with all measurements kept: what a changed threshold costs.
`emotion` (openSMILE) is not in a build unless asked for.
"""


def measure() -> list[str]:
    """Rows of the table."""
    root = _release()
    items = [found for layout in detect_layouts(root) for found in layout.read(root)]
    audio_s = sum(_seconds(root, items))
    reading_s = _alone(root, items, frozenset({"structure"}))
    rows = [f"| release | {len(items)} items, {audio_s / 60:.1f} minutes of audio |"]
    models_s = 0.0
    for info in JUDGES:
        if info.level is Level.SET or info.name == "structure":
            continue
        spent = max(0.0, _alone(root, items, frozenset({info.name})) - reading_s)
        models_s += spent if info.models else 0.0
        rows.append(f"| `{info.name}` alone | real-time factor {spent / audio_s:.4f} |")
    rows.append(f"| sum of the judges that have models | real-time factor {models_s / audio_s:.3f} |")
    for workers in (1, 2):
        for again in (False, True):
            spent = _together(root, workers, again)
            word = ", again" if again else ""
            rows.append(
                f"| all judges, {workers} worker{'s' * (workers > 1)}{word} | {spent:.1f} s, real-time factor "
                f"{spent / audio_s:.3f}: an hour of audio in {spent / audio_s * 60:.1f} minutes; "
                f"{spent / models_s:.2f} times the models alone |"
            )
    return rows


def _release() -> Path:
    """The release to judge, built once; its speech is kept, so that a new code version costs little."""
    release = FOLDER / "release"
    shutil.rmtree(release, ignore_errors=True)
    shutil.rmtree(FOLDER / "work" / "shards", ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    languages = [language.value for language in Language]
    quotas = [
        {
            "task": task.value,
            "languages": [languages[number % len(languages)]],
            "splits": [Split.DEV.value],
            "turns": [1],
            "count": 1,
        }
        for number, task in enumerate(SUB_TASKS)
    ] + [
        {"task": task.value, "languages": languages, "splits": [Split.TRAIN.value], "turns": [3], "count": 1}
        for task in (Task.TRAJECTORY, Task.REASONING)
    ]
    raw = {
        "name": "bench-judges",
        "seed": 1,
        "release": str(release),
        "work": str(FOLDER / "work"),
        "quotas": quotas,
        "scripts": {"pack": ["quickstart"]},
        "speech": {"engine": ENGINE},
        "validation": {"skip": ["slow"]},
    }
    config = FOLDER / "bench.yaml"
    config.write_text(yaml.safe_dump(raw), encoding="utf-8")
    timed_build(config, FOLDER / "build.log")
    return release


def _seconds(root: Path, items: list[FoundItem]) -> Iterator[float]:
    for found in items:
        for role, name in found.files.items():
            if role == "user" or role.startswith("turn_"):
                yield float(soundfile.info(root / name).duration)


def _alone(root: Path, items: list[FoundItem], selected: Selection) -> float:
    """Seconds one judge takes for all items once it is warm."""
    tools = Instruments(selected)
    thresholds = ValidationSettings().at(engine=ENGINE)
    for found in (*items[:_WARM_UP_ITEMS], *items[-_WARM_UP_ITEMS:]):
        judge_item(found, root, thresholds, tools)
    started = time.perf_counter()
    for found in items:
        judge_item(found, root, thresholds, tools)
    return time.perf_counter() - started


_KEPT = FOLDER / "kept"


def _together(root: Path, workers: int, again: bool) -> float:
    """Seconds of a whole run; ``again`` keeps what the run before it measured."""
    if not again:
        shutil.rmtree(_KEPT, ignore_errors=True)
    order = JudgeOrder(settings=ValidationSettings(), selected=ALL, engine=ENGINE, kept=_KEPT / f"{workers}.sqlite")
    started = time.perf_counter()
    with WorkerPool(workers) as pool:
        validate_root(root, order, executor=pool if workers > 1 else None, workers=workers)
    return time.perf_counter() - started
