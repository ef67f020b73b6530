"""What worker processes do: plan what an item says, speak one utterance, compose and judge one item, bind a shard.

Every step is a pure function of its arguments and the files they name. Contexts, engines and models are loaded on
first use, once per process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, write_wav
from data_schemas.foundation.base import Record
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item, response_wav, stem_wav, turn_wav
from data_schemas.layouts.track2_rows import scene_of
from data_schemas.layouts.writer import write_items
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.tasks import Channel, Track
from data_schemas.utterance import Utterance
from flows.config.build_config import BuildConfig
from flows.shards.blame import misspoken
from flows.shards.job import BuildContext, ContextRef, ItemOutcome, ShardSummary, summarise
from flows.shards.kept import ITEM_FILE, SCENES, STAGED, KeptScenes, SceneFacts, Verdict
from flows.shards.keys import scene_key, verdict_basis, verdict_key
from flows.shards.ledger import SHARDS, ShardLedger
from flows.shards.tables import Bound, shard_tables
from generators.scenes.duplex.composer import compose
from generators.scenes.microphone.babble import babble_requests
from generators.scenes.microphone.draw import draw_microphone
from generators.scenes.microphone.responses import room_responses
from generators.scenes.mixer import DRY_USER, clean_channel, mix
from generators.speech.engine import RawSpeech, SpeechEngine
from generators.speech.registry import create_engine
from generators.speech.requests import PlannedUtterance, is_reply, utterance_requests
from generators.speech.settings import SpeechSettings
from generators.speech.speak import find, keep, load_samples, speak
from generators.store import Store
from validators.core.instruments import Instruments
from validators.core.judges import Selection
from validators.run.item import judge_item
from validators.run.tables import encode_measures

#: in the work directory: speech by what was asked for, and measurements by the sound they were made of
STORE = "store"
MEASURED = "measured.sqlite"


class Stage(StrEnum):
    """What may be done to items; results that are there already are used whichever is chosen."""

    SPEAK = "speak"
    COMPOSE = "compose"
    JUDGE = "judge"


ALL_STAGES = frozenset(Stage)


class NotMade(Exception):
    """What a chosen stage needs is not there, and the stage that makes it was not chosen."""

    def __init__(self, stage: Stage, plan_id: str) -> None:
        super().__init__(stage, plan_id)
        self.stage, self.plan_id = stage, plan_id


class Wanted(Record):
    """What an item has to say, and what is said behind its back."""

    planned: tuple[PlannedUtterance, ...]
    background: tuple[PlannedUtterance, ...] = ()


class Examined(Record):
    """What became of an item that was composed. ``verdict_key`` is None where it was not to be judged."""

    scene_key: str
    verdict_key: str | None
    audio_seconds: float
    findings: tuple[Finding, ...]
    #: utterances to be spoken again, with the codes that say so
    misspoken: dict[str, tuple[str, ...]]
    #: of work, by stage
    seconds: dict[str, float]


@cache
def _engine(settings: str) -> SpeechEngine:
    """One per process and settings (as JSON, which has a hash)."""
    chosen = SpeechSettings.model_validate_json(settings)
    return create_engine(chosen.engine, chosen)


@cache
def _instruments(selected: Selection, kept: Path) -> Instruments:
    return Instruments(selected, kept)


@cache
def _verdict_basis(context: ContextRef, track: Track) -> str:
    return verdict_basis(context.load().config, track)


def _engine_of(context: BuildContext) -> SpeechEngine:
    return _engine(context.config.speech.model_dump_json())


def tools_of(context: BuildContext) -> tuple[SpeechEngine, Instruments]:
    """What speaks and what judges in this process: one each, loaded on first use."""
    config = context.config
    return _engine_of(context), _instruments(config.validation.selected, config.work_dir / MEASURED)


def plan_step(context: ContextRef, plan: DialoguePlan, script: Script) -> Wanted:
    """Everything an item has to say.

    Raises:
        EngineError: a line holds nothing that can be spoken.
        SceneImpossible: nobody is left for its babble.
    """
    build = context.load()
    config, engine = build.config, _engine_of(build)
    planned = utterance_requests(plan, script, config.speech, config.scenes.hesitation, engine, config.seed)
    if plan.task.track is not Track.DUPLEX:
        return Wanted(planned=planned)
    background = babble_requests(plan, build.speakers, config.scenes.microphone, config.speech, engine, config.seed)
    return Wanted(planned=planned, background=background)


def speak_step(planned: PlannedUtterance, settings: SpeechSettings, store_root: Path) -> Utterance:
    """Say one utterance, or find it in the store."""
    return speak(planned, _engine(settings.model_dump_json()), Store(store_root))


def find_step(planned: PlannedUtterance, settings: SpeechSettings, store_root: Path) -> Utterance:
    """Find one utterance in the store.

    Raises:
        NotMade: it was not spoken yet.
    """
    found = find(planned, _engine(settings.model_dump_json()), Store(store_root))
    if found is None:
        raise NotMade(Stage.SPEAK, planned.id)
    return found


def keep_step(
    planned: PlannedUtterance, raws: tuple[RawSpeech, ...], settings: SpeechSettings, store_root: Path
) -> Utterance:
    """Finish what a server spoke, and keep it."""
    return keep(planned, raws, _engine(settings.model_dump_json()), Store(store_root))


def examine_step(
    context: ContextRef,
    plan: DialoguePlan,
    script: Script,
    said: tuple[Utterance, ...],
    background: tuple[Utterance, ...],
    stages: frozenset[Stage],
) -> Examined:
    """Compose an item and judge it, as far as that is not kept already.

    Raises:
        SceneImpossible: its utterances cannot be placed.
        NotMade: it is not composed, and that is not among ``stages``.
    """
    config = context.load().config
    scenes = KeptScenes(config.work_dir / SCENES)
    started = time.monotonic()
    key = scene_key(config, plan, script, said, background)
    facts = scenes.get(key)
    if facts is None:
        if Stage.COMPOSE not in stages:
            raise NotMade(Stage.COMPOSE, plan.id)
        facts = _compose(config, plan, script, said, background, scenes, key)
    composed = time.monotonic()
    examined = Examined(
        scene_key=key,
        verdict_key=None,
        audio_seconds=facts.audio_seconds,
        findings=(),
        misspoken={},
        seconds={"compose": composed - started},
    )
    if Stage.JUDGE not in stages:
        return examined
    judged = verdict_key(_verdict_basis(context, plan.task.track), key)
    verdict = scenes.verdict(key, judged)
    item = _item_of(scenes, facts)
    if verdict is None:
        verdict = _judge(config, item, scenes, key, judged)
        scenes.keep_verdict(key, verdict)
    update = {
        "verdict_key": judged,
        "findings": verdict.findings,
        "misspoken": misspoken(item, config.layout_of(plan.task.track), verdict.findings),
        "seconds": {"compose": composed - started, "judge": time.monotonic() - composed},
    }
    return examined.model_copy(update=update)


def bind_step(context: ContextRef, key: str, outcomes: Sequence[ItemOutcome]) -> ShardSummary:
    """Write the tables of a shard whose items are all decided, and make it a finished one."""
    config = context.load().config
    scenes = KeptScenes(config.work_dir / SCENES)
    ledger = ShardLedger(config.work_dir / SHARDS, scenes)
    entries = [_bound(scenes, outcome) for outcome in outcomes]
    summary = summarise(key, outcomes)
    composed = [outcome.scene_key for outcome in outcomes if outcome.scene_key is not None]
    with ledger.attempt(key) as attempt:
        ledger.keep(attempt, summary, dict(shard_tables(entries, config.layout_of)), composed)
    return summary


def _bound(scenes: KeptScenes, outcome: ItemOutcome) -> Bound:
    if outcome.scene_key is None or outcome.verdict_key is None:
        return Bound(outcome, None, None, ())
    facts, verdict = scenes.get(outcome.scene_key), scenes.verdict(outcome.scene_key, outcome.verdict_key)
    if facts is None or verdict is None:
        raise OSError(f"{scenes.folder(outcome.scene_key)} was changed while its shard was made; run the command again")
    return Bound(outcome, _item_of(scenes, facts), facts, verdict.measures)


def _item_of(scenes: KeptScenes, facts: SceneFacts) -> Item:
    return Item.model_validate_json((scenes.folder(facts.key) / ITEM_FILE).read_bytes())


def _compose(
    config: BuildConfig,
    plan: DialoguePlan,
    script: Script,
    said: tuple[Utterance, ...],
    background: tuple[Utterance, ...],
    scenes: KeptScenes,
    key: str,
) -> SceneFacts:
    """Build the item and write its audio."""
    with scenes.making(key) as attempt:
        staged = attempt / STAGED
        if plan.task.track is Track.EMOTION:
            item = _dialogue_item(config, plan, script, said, staged)
            seconds = sum(utterance.duration for utterance in item.utterances)
        else:
            item = _scene_item(config, plan, script, said, background, staged)
            seconds = scene_of(item).num_samples / SAMPLE_RATE_HZ
        (attempt / ITEM_FILE).write_text(item.to_json_line() + "\n", encoding="utf-8", newline="\n")
        return scenes.keep(key, attempt, seconds)


def _dialogue_item(
    config: BuildConfig, plan: DialoguePlan, script: Script, said: tuple[Utterance, ...], staged: Path
) -> Item:
    """Write every turn, and every voiced reply, into ``staged``."""
    store = Store(config.work_dir / STORE)
    turns = tuple(utterance for utterance in said if not is_reply(utterance.id))
    replies = tuple(utterance for utterance in said if is_reply(utterance.id))
    for name, spoken in ((turn_wav, turns), (response_wav, replies)):
        for turn_id, utterance in enumerate(spoken, start=1):
            write_wav(staged / name(turn_id), load_samples(store, utterance.audio_key))
    return Item(plan=plan, script=script, utterances=turns, responses=replies)


def _scene_item(
    config: BuildConfig,
    plan: DialoguePlan,
    script: Script,
    utterances: tuple[Utterance, ...],
    background: tuple[Utterance, ...],
    staged: Path,
) -> Item:
    """Compose, mix, and write what is heard into ``staged``."""
    store = Store(config.work_dir / STORE)
    key_of = {utterance.id: utterance.audio_key for utterance in (*utterances, *background)}
    scene = compose(plan, script, utterances, config.scenes, config.seed)
    microphone = draw_microphone(
        plan.id, scene.placements, config.scenes.microphone, config.seed, tuple(one.id for one in background)
    )
    mixed = mix(
        scene.model_copy(update={"microphone": microphone}),
        lambda utterance_id: load_samples(store, key_of[utterance_id]),
        room_responses(store),
    )
    write_wav(staged / USER_WAV, mixed.channels[Channel.USER])
    write_wav(staged / ASSISTANT_WAV, mixed.channels[Channel.ASSISTANT])
    clean = clean_channel(mixed.scene, mixed.stems[DRY_USER])
    if clean is not None:
        write_wav(staged / CLEAN_WAV, clean)
    kept = tuple(sorted(mixed.stems)) if config.scenes.microphone.keep_stems else ()
    for stem in kept:
        write_wav(staged / stem_wav(stem), mixed.stems[stem])
    return Item(plan=plan, script=script, utterances=utterances, scene=mixed.scene, background=background, stems=kept)


def _judge(config: BuildConfig, item: Item, scenes: KeptScenes, scene: str, key: str) -> Verdict:
    """Every judge of items and clips on the item as it will be published: laid out alone, and read back."""
    layout = config.layout_of(item.plan.task.track)
    with scenes.making(f"{scene}-laid-out") as root:
        write_items(root, layout, [(item, scenes.folder(scene) / STAGED)])
        found = tuple(layout.read(root))
        if len(found) != 1:
            raise RuntimeError(f"{scenes.folder(scene)}: one item was laid out and {len(found)} were read back")
        settings = config.validation
        tools = _instruments(settings.selected, config.work_dir / MEASURED)
        verdict = judge_item(found[0], root, settings.at(found[0].layout, config.speech.engine), tools)
    return Verdict(key=key, findings=verdict.findings, measures=tuple(encode_measures(clip) for clip in verdict.clips))
