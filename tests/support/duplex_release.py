"""A tiny Track 2 release of noise, composed and laid out as a build does it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, write_wav
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item
from data_schemas.layouts.registry import layout
from data_schemas.layouts.track2_rows import scene_of
from data_schemas.layouts.writer import write_items
from data_schemas.tasks import SUB_TASKS, Channel, Language, Part, Task
from generators.scenes.duplex.composer import compose
from generators.scenes.mixer import clean_channel, render
from generators.scenes.settings import SceneSettings
from tests.support.scene_factory import make_plan, make_script, make_utterances, noise_loader
from tests.support.spoken_release import make_conversation_item

_SECONDS = {Part.QUERY: 1.1, Part.REPLY: 9.3, Part.SECOND_REPLY: 8.2, Part.BACKCHANNEL: 0.4}


def write_duplex_release(
    root: Path, tasks: Iterable[Task] = SUB_TASKS, languages: Iterable[Language] = tuple(Language)
) -> Path:
    """One dev scene of each task and language at ``root``; staged audio lies beside it."""
    staged = []
    for task in tasks:
        for language in languages:
            item = make_conversation_item(language, 7) if task is Task.CONVERSATION else _sub_task(task, language)
            scene = scene_of(item)
            channels = render(scene, noise_loader(item.utterances))
            clean = clean_channel(scene, channels[Channel.USER])
            folder = root.parent / "staged" / item.plan.id
            write_wav(folder / USER_WAV, channels[Channel.USER])
            write_wav(folder / ASSISTANT_WAV, channels[Channel.ASSISTANT])
            if clean is not None:
                write_wav(folder / CLEAN_WAV, clean)
            staged.append((item, folder))
    write_items(root, layout("track2"), staged)
    return root


def _sub_task(task: Task, language: Language) -> Item:
    script = make_script(task, language)
    plan = make_plan(script, plan_id=f"{language}-{task}", index=7)
    spoken = make_utterances(plan, script, lambda part, piece: round(_SECONDS.get(part, 1.5) * SAMPLE_RATE_HZ) + 5)
    scene = compose(plan, script, spoken, SceneSettings(), seed=3)
    return Item(plan=plan, script=script, utterances=spoken, scene=scene)
