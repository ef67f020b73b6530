"""What worker processes do: speak one utterance, compose one item, judge one item.

Every job is a pure function of its arguments and the files they name. Models are loaded
on first use, once per process.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from functools import cache
from pathlib import Path

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, write_wav
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item, response_wav, stem_wav, turn_wav
from data_schemas.layouts.track2_rows import scene_of
from data_schemas.layouts.writer import write_items
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.tasks import Channel, Track
from data_schemas.utterance import Utterance
from flows.common.atomic import write_text_atomic
from flows.config.build_config import BuildConfig
from generators.scenes.duplex.composer import compose
from generators.scenes.microphone.draw import draw_microphone
from generators.scenes.microphone.responses import room_responses
from generators.scenes.mixer import DRY_USER, clean_channel, mix
from generators.speech.engine import RawSpeech, SpeechEngine
from generators.speech.registry import create_engine
from generators.speech.requests import PlannedUtterance, is_reply
from generators.speech.settings import SpeechSettings
from generators.speech.speak import keep, load_samples, speak
from generators.store import Store
from validators.core.instruments import Instruments
from validators.core.judges import Selection
from validators.run.item import judge_item
from validators.run.tables import write_measures

_PARENT_CHECK_SECONDS = 1.0

ITEM_FILE = "item.json"
#: beside it: what the judges measured of its utterances
MEASURES_FILE = "measures.jsonl"
#: in the work directory: measurements by the sound they were made of
MEASURED = "measured.sqlite"
STAGED = "staged"
LAID_OUT = "root"


def initialise_worker(parent: int) -> None:
    """Run once in every worker process: end when the build's process is gone (``kill -9``).

    Ctrl-C reaches the workers too: it is for the build, which ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@cache
def _engine(settings: str) -> SpeechEngine:
    """One per process and settings (as JSON, which has a hash)."""
    chosen = SpeechSettings.model_validate_json(settings)
    return create_engine(chosen.engine, chosen)


@cache
def _instruments(selected: Selection, kept: Path) -> Instruments:
    return Instruments(selected, kept)


def speak_job(planned: PlannedUtterance, settings: SpeechSettings, store_root: Path) -> Utterance:
    """Say one utterance, or find it in the store."""
    return speak(planned, _engine(settings.model_dump_json()), Store(store_root))


def keep_job(
    planned: PlannedUtterance, raws: tuple[RawSpeech, ...], settings: SpeechSettings, store_root: Path
) -> Utterance:
    """Finish what a server spoke, and keep it."""
    return keep(planned, raws, _engine(settings.model_dump_json()), Store(store_root))


def compose_job(
    config: BuildConfig,
    plan: DialoguePlan,
    script: Script,
    utterances: tuple[Utterance, ...],
    background: tuple[Utterance, ...],
    directory: Path,
) -> float:
    """Build the item, write its audio and lay it out alone below ``directory``.

    Returns:
        Seconds of audio on the user's channel.
    """
    shutil.rmtree(directory, ignore_errors=True)  # of the try before
    staged = directory / STAGED
    if plan.task.track is Track.EMOTION:
        store = Store(config.work_dir / "store")
        turns = tuple(utterance for utterance in utterances if not is_reply(utterance.id))
        replies = tuple(utterance for utterance in utterances if is_reply(utterance.id))
        item = Item(plan=plan, script=script, utterances=turns, responses=replies)
        for name, spoken in ((turn_wav, turns), (response_wav, replies)):
            for turn_id, utterance in enumerate(spoken, start=1):
                write_wav(staged / name(turn_id), load_samples(store, utterance.audio_key))
        seconds = sum(utterance.duration for utterance in turns)
    else:
        item = _scene_item(config, plan, script, utterances, background, staged)
        seconds = scene_of(item).num_samples / SAMPLE_RATE_HZ
    write_text_atomic(directory / ITEM_FILE, item.to_json_line() + "\n")
    write_items(directory / LAID_OUT, config.layout_of(plan.task.track), [(item, staged)])
    return seconds


def _scene_item(
    config: BuildConfig,
    plan: DialoguePlan,
    script: Script,
    utterances: tuple[Utterance, ...],
    background: tuple[Utterance, ...],
    staged: Path,
) -> Item:
    """Compose, mix, and write what is heard into ``staged``."""
    store = Store(config.work_dir / "store")
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


def judge_job(config: BuildConfig, track: Track, directory: Path) -> tuple[Finding, ...]:
    """Every per-item judge on the item as it will be published."""
    root = directory / LAID_OUT
    found = tuple(config.layout_of(track).read(root))
    if len(found) != 1:
        raise RuntimeError(f"{root}: one item was laid out and {len(found)} were read back")
    settings = config.validation
    tools = _instruments(settings.selected, config.work_dir / MEASURED)
    verdict = judge_item(found[0], root, settings.at(found[0].layout, config.speech.engine), tools)
    write_measures(directory / MEASURES_FILE, verdict.clips)
    return verdict.findings
