"""Full-duplex scenes for measuring: all ten sub-tasks in both languages, few utterances, several seeds each.

The scripts are those of the quickstart pack. A script is spoken once per cast and composed once per seed: the words
and voices repeat, the timing does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from data_schemas.foundation.audio import Samples
from data_schemas.foundation.base import Record
from data_schemas.plan import DialoguePlan
from data_schemas.scene import Scene
from data_schemas.script import Script
from data_schemas.tasks import SUB_TASKS, Channel, Language, Split
from data_schemas.utterance import Utterance
from flows.common.progress import SilentReporter
from flows.config.build_config import BuildConfig
from flows.prepare.resolve import Prepared, prepare, resolve
from generators.scenes.duplex.composer import SceneImpossible, compose
from generators.scenes.microphone.draw import draw_microphone
from generators.scenes.microphone.responses import room_responses
from generators.scenes.microphone.settings import MicrophoneSettings
from generators.scenes.mixer import mix
from generators.scenes.settings import SceneSettings
from generators.speech.engine import SpeechEngine
from generators.speech.registry import create_engine
from generators.speech.requests import PlannedUtterance, utterance_requests
from generators.speech.speak import load_samples, speak
from generators.store import Store

WORKERS = 2
#: One script per sub-task, language and split; the splits share no voice.
SCRIPTS_PER_CELL = 1
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Spoken(Record):
    """An item with all it takes to compose it."""

    plan: DialoguePlan
    script: Script
    utterances: tuple[Utterance, ...]
    #: the seed that pieces, casting of fillers and timing are drawn with
    seed: int


class MixedScene(Record):
    """A scene and how to hear it."""

    scene: Scene
    spoken: Spoken
    store: str

    @property
    def name(self) -> str:
        return f"{self.spoken.script.script_id} {self.spoken.plan.cell.split} seed {self.spoken.seed}"

    @property
    def split(self) -> Split:
        return self.spoken.plan.cell.split

    def channels(self) -> dict[Channel, Samples]:
        return mixed(self.scene, self.spoken.utterances, Store(Path(self.store)))


def bench_config(folder: Path, engine: str) -> BuildConfig:
    """Every sub-task in both languages and both splits."""
    quotas = [
        {
            "task": task.value,
            "languages": [language.value for language in Language],
            "splits": [split.value for split in Split],
            "turns": [1],
            "count": SCRIPTS_PER_CELL,
        }
        for task in SUB_TASKS
    ]
    return BuildConfig.model_validate(
        {
            "name": f"bench-scenes-{engine}",
            "seed": 1,
            "release": str(folder / "release"),
            "work": str(folder / "work"),
            "quotas": quotas,
            "scripts": {"pack": ["quickstart"]},
            "speech": {"engine": engine},
            "validation": {"skip": ["slow"]},
        }
    )


def spoken_items(folder: Path, store: Path, engine: str, settings: SceneSettings, seeds: Sequence[int]) -> list[Spoken]:
    """Every script spoken once per seed; the store makes equal requests one piece of work."""
    config = bench_config(folder, engine)
    prepared: Prepared = prepare(config, folder, resolve(config), SilentReporter())
    orders = [
        (plan, prepared.writer.write(plan), seed, tuple(_requests(config, prepared, plan, settings, seed)))
        for plan in prepared.plans
        for seed in seeds
    ]
    distinct = {one.request.to_json_line(): one for *_, planned in orders for one in planned}
    with workers() as pool:
        list(pool.map(_speak, distinct.values(), [engine] * len(distinct), [store] * len(distinct)))
    speaker, kept = create_engine(engine), Store(store)
    return [
        Spoken(plan=plan, script=script, seed=seed, utterances=tuple(speak(one, speaker, kept) for one in planned))
        for plan, script, seed, planned in orders
    ]


def composed(items: Sequence[Spoken], settings: SceneSettings, store: Path) -> tuple[list[MixedScene], list[str]]:
    """The scenes, and why items gave none."""
    scenes: list[MixedScene] = []
    refused: list[str] = []
    for item in items:
        try:
            scene = composed_scene(item, settings)
        except SceneImpossible as error:
            refused.append(str(error))
            continue
        scenes.append(MixedScene(scene=scene, spoken=item, store=str(store)))
    return scenes, refused


def composed_scene(item: Spoken, settings: SceneSettings) -> Scene:
    """Place an item and draw its microphone, as a build does.

    Raises:
        SceneImpossible: the utterances do not fit the sub-task's rules.
    """
    scene = compose(item.plan, item.script, item.utterances, settings, item.seed)
    microphone = draw_microphone(item.plan.id, scene.placements, settings.microphone, item.seed, ())
    return scene.model_copy(update={"microphone": microphone})


def mixed(scene: Scene, utterances: Sequence[Utterance], store: Store) -> dict[Channel, Samples]:
    """Both channels of a scene; the one place that calls the mixer."""
    keys = {utterance.id: utterance.audio_key for utterance in utterances}
    return mix(scene, lambda utterance_id: load_samples(store, keys[utterance_id]), room_responses(store)).channels


@contextmanager
def workers(count: int = WORKERS) -> Iterator[ProcessPoolExecutor]:
    """Processes of one thread each."""
    kept = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            yield pool
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def in_workers(job: Callable[..., Any], scenes: Sequence[MixedScene]) -> list[Any]:
    """``job`` of every scene, in order."""
    with workers() as pool:
        return list(pool.map(job, scenes, chunksize=2))


def _requests(
    config: BuildConfig, prepared: Prepared, plan: DialoguePlan, settings: SceneSettings, seed: int
) -> tuple[PlannedUtterance, ...]:
    script = prepared.writer.write(plan)
    return utterance_requests(plan, script, config.speech, settings.hesitation, prepared.engine, seed)


@cache
def _engine(name: str) -> SpeechEngine:
    return create_engine(name)


def _speak(planned: PlannedUtterance, engine: str, store: Path) -> None:
    speak(planned, _engine(engine), Store(store))


def dry_settings() -> SceneSettings:
    """Scenes as they are placed: nothing between the speakers and the file, every other setting as it comes."""
    stages = ("room", "echo", "stationary", "babble", "telephone")
    return SceneSettings(microphone=MicrophoneSettings.model_validate({stage: {"use": "off"} for stage in stages}))
