"""Composed full-duplex items of a hum, laid out as a build does it, and their rows without any audio."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_schemas.acoustics import Microphone
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples, write_wav
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import layout
from data_schemas.layouts.track2 import NO_CLEAN
from data_schemas.layouts.writer import write_items
from data_schemas.script import Script
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Channel, Language
from data_schemas.utterance import Utterance
from generators.scenes.duplex.composer import compose
from generators.scenes.microphone.responses import Respond
from generators.scenes.mixer import DRY_USER, clean_channel, mix
from generators.scenes.settings import SceneSettings
from tests.support.scene_factory import make_plan, make_utterance
from validators.core.measure import spoken_units

SECONDS_PER_UNIT = {Language.ZH: 0.25, Language.EN: 0.5}


def hum(length: int) -> Samples:
    """Voiced, with syllables, faded at both ends, ``[length]``."""
    time = np.arange(length) / RATE
    tone = sum(np.sin(2 * np.pi * 140.0 * k * time) / k for k in range(1, 12))
    fade = np.clip(np.minimum(time, time[::-1]) / 0.02, 0.0, 1.0)
    return (0.08 * tone * fade * (0.6 + 0.4 * np.sin(2 * np.pi * 2.0 * time))).astype(np.float32)


def make_item(script: Script, seed: int, settings: SceneSettings | None = None) -> Item:
    """A composed item, utterances as long as their words need.

    Raises:
        SceneImpossible: as `compose`.
    """
    language = script.language
    plan = make_plan(script, plan_id=f"{script.task}-{language}-{seed}", index=seed + 1)
    utterances: list[Utterance] = []
    for number, line in enumerate(script.lines, start=1):
        pieces = [piece.strip() for piece in line.text.split(BREAK_TAG)]
        for k, piece in enumerate(pieces, start=1):
            name = f"{plan.id}/{number}" + (f".{k}" if len(pieces) > 1 else "")
            seconds = max(0.5, spoken_units(piece, language)[0] * SECONDS_PER_UNIT[language])
            utterances.append(make_utterance(name, line.role, piece, round(seconds * RATE), language, part=line.part))
    scene = compose(plan, script, tuple(utterances), settings or SceneSettings(), seed)
    return Item(plan=plan, script=script, utterances=tuple(utterances), scene=scene)


def lay_out(root: Path, *items: Item) -> None:
    """Mix and write items below ``root``, without a microphone; staged audio lies beside it."""
    write_items(root, layout("track2"), [stage(root.parent / "staged" / item.plan.id, item) for item in items])


def stage(
    folder: Path,
    item: Item,
    microphone: Microphone | None = None,
    respond: Respond | None = None,
    babble: Callable[[str], Samples] | None = None,
) -> tuple[Item, Path]:
    """Mix an item into ``folder``; returns it with its scene as mixed."""
    lengths = {utterance.id: utterance.num_samples for utterance in item.utterances}

    def load(utterance_id: str) -> Samples:
        return hum(lengths[utterance_id]) if utterance_id in lengths or babble is None else babble(utterance_id)

    assert item.scene is not None
    mixed = mix(item.scene.model_copy(update={"microphone": microphone}), load, respond)
    write_wav(folder / USER_WAV, mixed.channels[Channel.USER])
    write_wav(folder / ASSISTANT_WAV, mixed.channels[Channel.ASSISTANT])
    if item.plan.task not in NO_CLEAN:
        clean = clean_channel(mixed.scene, mixed.stems[DRY_USER])
        assert clean is not None
        write_wav(folder / CLEAN_WAV, clean)
    return item.model_copy(update={"scene": mixed.scene}), folder


def found_item(item: Item) -> FoundItem:
    """What a reader would find of an item, without files."""
    row = json.loads(layout("track2").row(item).to_json_line())
    plan = item.plan
    return FoundItem(
        id=plan.item_code,
        layout="track2",
        track=plan.task.track,
        task=plan.task,
        language=plan.language,
        split=plan.cell.split,
        manifest="track2/row.jsonl",
        line=1,
        row=row,
        files={},
    )


def samples_of(seconds: float) -> int:
    return round(seconds * RATE)
