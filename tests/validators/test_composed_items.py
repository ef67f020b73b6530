"""What the composer, the mixer and the layout make passes the judges: all ten sub-tasks, both languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_schemas.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.audio import Samples, write_wav
from data_schemas.finding import Severity
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item
from data_schemas.layouts.registry import layout
from data_schemas.layouts.writer import write_items
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import TRACK2_TASKS, Channel, Language, Task
from generators.scenes.composer import compose
from generators.scenes.mixer import clean_channel, render
from generators.scenes.settings import SceneSettings
from tests.support.scene_factory import make_plan, make_script, make_utterance
from validators.directory import validate_root
from validators.measure import spoken_units
from validators.thresholds import Thresholds

SECONDS_PER_UNIT = {Language.ZH: 0.25, Language.EN: 0.5}


def hum(length: int) -> Samples:
    time = np.arange(length) / RATE
    tone = sum(np.sin(2 * np.pi * 140.0 * k * time) / k for k in range(1, 12))
    fade = np.clip(np.minimum(time, time[::-1]) / 0.02, 0.0, 1.0)
    return (0.08 * tone * fade * (0.6 + 0.4 * np.sin(2 * np.pi * 2.0 * time))).astype(np.float32)


def lay_out(root: Path, task: Task, language: Language, seed: int) -> Item:
    script = make_script(task, language)
    plan = make_plan(script, plan_id=f"{task}-{language}-{seed}", index=seed + 1)
    utterances = []
    for number, line in enumerate(script.lines, start=1):
        pieces = [piece.strip() for piece in line.text.split(BREAK_TAG)]
        for k, piece in enumerate(pieces, start=1):
            name = f"{plan.id}/{number}" + (f".{k}" if len(pieces) > 1 else "")
            seconds = max(0.5, spoken_units(piece, language)[0] * SECONDS_PER_UNIT[language])
            utterances.append(make_utterance(name, line.role, piece, round(seconds * RATE), language, part=line.part))
    scene = compose(plan, script, tuple(utterances), SceneSettings(), seed)
    lengths = {utterance.id: utterance.num_samples for utterance in utterances}
    channels = render(scene, lambda utterance_id: hum(lengths[utterance_id]))
    staged = root.parent / "staged" / plan.id
    write_wav(staged / USER_WAV, channels[Channel.USER])
    write_wav(staged / ASSISTANT_WAV, channels[Channel.ASSISTANT])
    clean = clean_channel(scene, channels[Channel.USER])
    if clean is not None:
        write_wav(staged / CLEAN_WAV, clean)
    item = Item(plan=plan, script=script, utterances=tuple(utterances), scene=scene)
    write_items(root, layout("track2"), [(item, staged)])
    return item


@pytest.mark.parametrize("language", list(Language))
def test_composed_items_have_no_errors(tmp_path: Path, language: Language) -> None:
    for seed, task in enumerate(TRACK2_TASKS):
        lay_out(tmp_path / "set", task, language, seed)
    result = validate_root(tmp_path / "set", Thresholds())
    assert result.items == len(TRACK2_TASKS)
    assert [finding for finding in result.findings if finding.severity is Severity.ERROR] == []
    assert set(result.counts[Severity.WARNING]) <= {"T2.EVENT_GAP", "SET.DUPLICATE_TEXT"}
