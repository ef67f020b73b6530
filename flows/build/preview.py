"""A preview: a few items of what a configuration makes, spread over its tasks, before hours are spent.

Items have the plans and seeds that the build gives them, so what is spoken, composed and judged here is found again by
the build. (Where a model writes, it is asked for these scripts alone, and items may get other numbers in the build.)
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from data_schemas.finding import Finding
from data_schemas.foundation.base import Record
from data_schemas.layouts.writer import link_or_copy
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.script import Script
from data_schemas.tasks import Language, Track
from flows.common.atomic import write_text_atomic
from flows.common.progress import Reporter
from flows.common.workers import WorkerPool, default_workers
from flows.config.build_config import BuildConfig, load_config
from flows.config.work_dir import check_place, work_lock
from flows.prepare.estimate import FIXED_SECONDS, Estimate, estimate, mean_size, size_of, spoken_size, typical_scripts
from flows.prepare.resolve import Parts, Prepared, prepare, resolve
from flows.prepare.text_gate import TextGate
from flows.shards import steps
from flows.shards.job import BuildContext, ContextRef, PlannedItem, Refused, ShardJob, keep_context
from flows.shards.kept import SCENES, STAGED, KeptScenes
from flows.shards.keys import shard_basis, shard_key
from flows.shards.ledger import SHARDS, ShardLedger
from flows.shards.make import Bench, make_shard
from flows.shards.speech import SpeechWork
from flows.shards.tables import FINDINGS_TABLE, ITEMS_TABLE, findings_of, read_table
from generators.scenes.errors import SceneImpossible
from generators.speech.engine import EngineError, RemoteEngine
from generators.speech.requests import plain_request
from generators.speech.speak import find
from generators.speech.text.normalise import normalise
from generators.store import Store

T = TypeVar("T")

#: below the work directory
PREVIEW = "preview"
PREVIEW_FILE = "preview.json"
_GREETING = {Language.ZH: "你好，今天天气不错。", Language.EN: "Hello, it is a nice day."}


class PreviewItem(Record):
    """One item: what is said in it, where to hear it, and what the judges say."""

    plan_id: str
    key: str
    task: str
    track: Track
    language: Language
    split: str
    #: ``speaker: text``, in the order they are said
    lines: tuple[str, ...]
    #: files to listen to
    audio: tuple[str, ...]
    audio_seconds: float
    accepted: bool
    findings: tuple[Finding, ...]
    #: of work by stage, models loaded before; empty where some of it was there already
    seconds: dict[str, float]
    #: of speech, as an estimate counts it
    speech_seconds: float


class Preview(Record):
    """What a preview made, and what the whole build would take at its pace."""

    name: str
    folder: str
    items: tuple[PreviewItem, ...]
    #: of the whole configuration
    build_items: int
    workers: int
    #: speech, scenes and judging of the whole build
    build_seconds: float
    #: False: nothing was made anew, and the time is that of the dry run
    measured: bool
    #: for a model to write all scripts, as the dry run has it; 0: they are written
    writing_seconds: float
    load_seconds: float


def make_preview(path: Path, overrides: tuple[str, ...], count: int, reporter: Reporter) -> Preview:
    """Speak, compose and judge ``count`` items into ``work/preview``. One worker process makes them, one by one.

    Raises:
        ConfigError, TargetError, ResourceError, EngineError, ModelMissing: refused before any work.
        QuotaShort, EndpointError: a model did not write their scripts.
        EngineUnusable: nothing can be spoken.
    """
    config = load_config(path, overrides)
    check_place("work", config.work_dir)
    parts = resolve(config)
    with work_lock(config.work_dir):
        prepared = _prepared(config, path.parent, parts, count, reporter)
        gate = TextGate(config, prepared.writer)
        plans = tuple(prepared.plans)
        planned = [gate.look_at(plan) for plan in spread(plans, count, lambda plan: plan.cell)]
        timed = {item.key: item.seconds for item in _earlier(config)}
        with _Maker(config, prepared, reporter) as maker:
            items, load_seconds = maker.make_all(planned, timed)
        return _kept(config, path.parent, parts, items, load_seconds, estimate(config, parts, path.parent))


def spread(things: Sequence[T], count: int, cell_of: Callable[[T], QuotaCell]) -> tuple[T, ...]:
    """``count`` of them as unlike as they can be: by track first, then by language, task, split and number of turns."""
    chosen: list[T] = []
    used: Counter[tuple[str, object]] = Counter()
    left = list(things)
    while left and len(chosen) < count:
        best = min(left, key=lambda one: tuple(used[mark] for mark in _marks(cell_of(one))))
        left.remove(best)
        chosen.append(best)
        used.update(_marks(cell_of(best)))
    return tuple(chosen)


def _marks(cell: QuotaCell) -> tuple[tuple[str, object], ...]:
    return (
        ("track", cell.task.track),
        ("language", cell.language),
        ("track and language", (cell.task.track, cell.language)),
        ("task", cell.task),
        ("task and language", (cell.task, cell.language)),
        ("split", cell.split),
        ("turns", cell.turns),
    )


def _prepared(config: BuildConfig, base_dir: Path, parts: Parts, count: int, reporter: Reporter) -> Prepared:
    """All plans of the build; where a model writes, one for each of as many cells as items are wanted."""
    if config.scripts.writer == "llm":
        cells = spread([cell for cell, _ in parts.quota], count, lambda cell: cell)
        parts = replace(parts, quota=tuple((cell, 1) for cell, _ in parts.quota if cell in cells))
    return prepare(config, base_dir, parts, reporter)


class _Maker:
    """One worker process that makes items as a build would, each a shard of its own, and how long each took."""

    def __init__(self, config: BuildConfig, prepared: Prepared, reporter: Reporter) -> None:
        self._config = config
        self._reporter = reporter
        context = BuildContext(config=config, speakers=prepared.speakers)
        self._basis = shard_basis(context, prepared.engine)
        self._pool = WorkerPool(1)
        self._speech = SpeechWork(config, prepared.engine, self._pool)
        self._ledger = ShardLedger(config.work_dir / SHARDS, KeptScenes(config.work_dir / SCENES))
        self._bench = Bench(
            context=keep_context(context),
            engine=prepared.engine,
            seed=config.seed,
            tries=config.speech.tries,
            run=self._pool,
            speech=self._speech,
            reporter=reporter,
            cancelled=threading.Event(),
        )

    def __enter__(self) -> _Maker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._bench.cancelled.set()
        self._pool.stop(wait=kind is None)
        self._speech.close()

    def make_all(
        self, planned: Sequence[PlannedItem], timed: Mapping[str, Mapping[str, float]]
    ) -> tuple[tuple[PreviewItem, ...], float]:
        """All items, and the seconds that loading took.

        Args:
            timed: key -> seconds by stage, of items that an earlier preview made.
        """
        keys = [shard_key(self._basis, (item,)) for item in planned]
        new = [item for item, key in zip(planned, keys, strict=True) if not self._is_made(key)]
        load_seconds = self._load(new)
        for stage in ("speak", "judge"):
            self._reporter.expect(stage, len(new))
        made = []
        for item, key in zip(planned, keys, strict=True):
            seconds = self._make(item, key) if item in new else timed.get(key, {})
            made.append(self._laid_out(item, key, seconds))
        return tuple(made), load_seconds

    def _is_made(self, key: str) -> bool:
        done = self._ledger.result(key)
        return done is not None and self._ledger.first_changed(done) is None

    def _load(self, items: Sequence[PlannedItem]) -> float:
        """Have the worker load what speaks and judges: what is timed after that is the pace of a long build."""
        if not items:
            return 0.0
        self._reporter.note("loading what speaks and judges ...")
        started = time.monotonic()
        plans = {item.plan.language: item.plan for item in items}
        scenes = any(item.plan.task.track is Track.DUPLEX for item in items)
        self._pool.submit(load_step, self._bench.context, tuple(plans.values()), scenes).result()
        return time.monotonic() - started

    def _make(self, item: PlannedItem, key: str) -> Mapping[str, float]:
        """Speak, compose and judge; seconds of work by stage, or nothing where they would say nothing."""
        was_spoken = self._is_partly_spoken(item)
        done = make_shard(ShardJob(number=0, key=key, items=(item,)), self._bench)
        return {} if was_spoken else done.seconds

    def _is_partly_spoken(self, item: PlannedItem) -> bool:
        if isinstance(item.words, Refused):
            return True
        try:
            wanted = steps.plan_step(self._bench.context, item.plan, item.words)
        except (EngineError, SceneImpossible):  # a finding of the item
            return True
        store = Store(self._config.work_dir / steps.STORE)
        return any(find(one, self._bench.engine, store) is not None for one in (*wanted.planned, *wanted.background))

    def _laid_out(self, item: PlannedItem, key: str, seconds: Mapping[str, float]) -> PreviewItem:
        """The item, and its audio where it can be listened to."""
        row = read_table(self._ledger.folder(key) / ITEMS_TABLE).row(0, named=True)
        plan, place = item.plan, self._config.work_dir / PREVIEW / item.plan.id
        shutil.rmtree(place, ignore_errors=True)
        audio: list[str] = []
        if row["scene_key"] is not None:
            place.mkdir(parents=True)
            for file in sorted((self._ledger.scenes.folder(row["scene_key"]) / STAGED).glob("*.wav")):
                link_or_copy(file, place / file.name)
                audio.append(str(place / file.name))
        script = None if isinstance(item.words, Refused) else item.words
        return PreviewItem(
            plan_id=plan.id,
            key=key,
            task=plan.task.value,
            track=plan.task.track,
            language=plan.language,
            split=plan.cell.split.value,
            lines=() if script is None else lines_of(script),
            audio=tuple(audio),
            audio_seconds=row["audio_seconds"],
            accepted=row["accepted"],
            findings=tuple(findings_of(read_table(self._ledger.folder(key) / FINDINGS_TABLE))),
            seconds=dict(seconds),
            speech_seconds=0.0 if script is None else size_of(script, _voiced(self._config)).speech_seconds,
        )


def load_step(context: ContextRef, plans: Sequence[DialoguePlan], scenes: bool) -> None:
    """In a worker: load the engine and the models of the judges, by having them speak and hear a greeting."""
    import soxr

    from data_schemas.foundation.audio import SAMPLE_RATE_HZ
    from validators.core.clips import Clip

    config = context.load().config
    engine, tools = steps.tools_of(context.load())
    for plan in () if isinstance(engine, RemoteEngine) else plans:
        text = normalise(_GREETING[plan.language], plan.language)
        raw = engine.synthesise(plain_request(engine, config.speech, plan.user.voice, plan.language, text))
        samples = soxr.resample(raw.samples, raw.sample_rate, SAMPLE_RATE_HZ)
        clip = Clip(
            item=plan.id,
            name="greeting",
            file="greeting.wav",
            span=(0.0, len(samples) / SAMPLE_RATE_HZ),
            rate=SAMPLE_RATE_HZ,
            samples=samples,
            layout=config.layout_of(plan.task.track).name,
            language=plan.language,
            split=plan.cell.split,
            role=plan.user.role,
            text=_GREETING[plan.language],
        )
        for judge in tools.clip_judges:
            if judge.probe is not None:
                judge.probe.measure(clip)
        if scenes and tools.selected & {"overlap", "segments", "diarization"}:
            tools.segmentation.windows(samples)
            tools.activity.speech_spans(samples)
            tools.voices.measure(clip)


def lines_of(script: Script) -> tuple[str, ...]:
    """``user: 你好``: what is said, in its order."""
    turns = [line for turn in script.turns for line in (f"user: {turn.text}", f"assistant: {turn.response_text}")]
    return (*turns, *(f"{line.role.value}: {line.text}" for line in script.lines))


def _voiced(config: BuildConfig) -> bool:
    return config.speech.responses == "voiced"


def _kept(
    config: BuildConfig,
    base_dir: Path,
    parts: Parts,
    items: tuple[PreviewItem, ...],
    load_seconds: float,
    figures: Estimate,
) -> Preview:
    workers = config.execution.workers or default_workers()
    measured = build_seconds(items, speech_by_track(config, base_dir, parts), workers)
    folder = config.work_dir / PREVIEW
    preview = Preview(
        name=config.name,
        folder=str(folder),
        items=items,
        build_items=sum(count for _, count in parts.quota),
        workers=workers,
        build_seconds=figures.build_seconds if measured is None else measured,
        measured=measured is not None,
        writing_seconds=0.0 if figures.scripts is None else figures.scripts.seconds,
        load_seconds=load_seconds,
    )
    current = {item.plan_id for item in items}
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.is_dir() and entry.name not in current:
            shutil.rmtree(entry)
    body = json.dumps(preview.model_dump(mode="json"), ensure_ascii=False, indent=1)
    write_text_atomic(folder / PREVIEW_FILE, body + "\n")
    return preview


def build_seconds(items: Iterable[PreviewItem], speech: Mapping[Track, float], workers: int) -> float | None:
    """Time of a build whose items take as long per second of speech as these; None where none was timed.

    Args:
        speech: seconds of speech of the whole build, by track.
    """
    timed = [item for item in items if item.seconds and item.speech_seconds]
    if not timed:
        return None
    total = 0.0
    for track, seconds in speech.items():
        alike = [item for item in timed if item.track is track] or timed
        pace = sum(sum(item.seconds.values()) for item in alike) / sum(item.speech_seconds for item in alike)
        total += pace * seconds
    return FIXED_SECONDS + total / workers


def speech_by_track(config: BuildConfig, base_dir: Path, parts: Parts) -> dict[Track, float]:
    """Seconds of speech of the whole build: of its scripts, or of typical ones where a model is to write them."""
    speech: dict[Track, float] = defaultdict(float)
    if config.scripts.writer == "llm":
        typical = typical_scripts(cell.place for cell, _ in parts.quota)
        for cell, count in parts.quota:
            speech[cell.task.track] += count * mean_size(typical[cell.place], _voiced(config)).speech_seconds
    else:
        for track in Track:
            own = tuple((cell, count) for cell, count in parts.quota if cell.task.track is track)
            if own:
                of_track = replace(parts, quota=own)
                speech[track] = spoken_size(config, base_dir, of_track, _voiced(config)).speech_seconds
    return dict(speech)


def _earlier(config: BuildConfig) -> tuple[PreviewItem, ...]:
    """What an earlier preview made; nothing where it was of another version."""
    try:
        text = (config.work_dir / PREVIEW / PREVIEW_FILE).read_text(encoding="utf-8")
        return Preview.model_validate_json(text).items
    except (OSError, ValueError):
        return ()
