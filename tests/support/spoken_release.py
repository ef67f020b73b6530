"""A tiny release with sound at every labelled place: both tracks, both languages, cuts, pauses, third parties.

Conversations overlap and have backchannels of both parties. English scenes have word times, Mandarin ones have not.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, write_wav
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item, turn_wav
from data_schemas.layouts.registry import layout
from data_schemas.layouts.track2 import NO_CLEAN
from data_schemas.layouts.writer import write_items
from data_schemas.scene import EventKind, Placement, Scene, SceneEvent, Segment
from data_schemas.script import Script, ScriptLine
from data_schemas.tasks import INTERRUPTION_TASKS, SUB_TASKS, Channel, Language, Part, Role, Task
from data_schemas.utterance import Utterance, WordTiming
from generators.scenes.conversation.settings import ConversationSettings
from generators.scenes.duplex.composer import compose
from generators.scenes.heard import heard_text
from generators.scenes.settings import SceneSettings
from tests.support.scene_factory import TEXTS, make_plan, make_script, make_utterance, make_utterances, noise_burst
from tests.support.script_factory import make_trajectory

GAP = 8_001  # samples between two lines; odd, so that times have many decimals
STOP_LATENCY = 4_003
PAUSE = 20_005
TAIL = 16_000
#: Sub-tasks and conversations, in two languages
SCENES = 22
_CONVERSATION = (
    (Role.USER, Part.QUERY),
    (Role.ASSISTANT, Part.BACKCHANNEL),
    (Role.ASSISTANT, Part.REPLY),
    (Role.USER, Part.BACKCHANNEL),
    (Role.USER, Part.INTERRUPTION),
    (Role.ASSISTANT, Part.REPLY),
    (Role.USER, Part.QUERY),
    (Role.ASSISTANT, Part.REPLY),
)
_DURING_REPLY = frozenset({Part.INTERRUPTION, Part.BACKCHANNEL})


def make_dialogue_item(language: Language, turns: int, index: int) -> Item:
    """A trajectory of 3 or 5 turns, 0.5 s of noise each."""
    script = make_trajectory(f"{language}-trajectory-{turns}-{index:02d}", language)
    told, question = script.turns[:2], script.turns[2:]
    script = Script.model_validate({**script.model_dump(), "turns": (told * 2)[: turns - 1] + question})
    plan = make_plan(script, plan_id=f"d-{language}-{index}", index=index)
    spoken = tuple(
        make_utterance(f"{plan.id}/{number}", Role.USER, turn.text, 8_000 + number, language)
        for number, turn in enumerate(script.turns, start=1)
    )
    return Item(plan=plan, script=script, utterances=spoken)


def make_conversation_item(language: Language, index: int, settings: ConversationSettings | None = None) -> Item:
    """Three turns of the user, composed."""
    base = make_script(Task.FOLLOW_UP, language)
    texts = TEXTS[language]
    lines = [ScriptLine(role=role, part=part, text=texts[part]) for role, part in _CONVERSATION]
    for place, part in ((5, Part.SECOND_REPLY), (6, Part.SECOND_QUERY)):  # nothing is said twice
        lines[place] = lines[place].model_copy(update={"text": texts[part]})
    script = Script.model_validate({**base.model_dump(), "task": Task.CONVERSATION, "lines": lines})
    plan = make_plan(script, plan_id=f"s-conversation-{language}-{index}", index=index)
    lengths = {Part.REPLY: 96_001, Part.BACKCHANNEL: 6_403}
    spoken = with_words(make_utterances(plan, script, lambda part, piece: lengths.get(part, 64_003)))
    scene = compose(plan, script, spoken, SceneSettings(conversation=settings or ConversationSettings()), seed=1)
    return Item(plan=plan, script=script, utterances=spoken, scene=scene)


def with_words(utterances: tuple[Utterance, ...]) -> tuple[Utterance, ...]:
    """English ones with equally long words that fill them, as espeak gives them: without punctuation."""
    return tuple(one if one.request.language is Language.ZH else _with_words(one) for one in utterances)


def _with_words(utterance: Utterance) -> Utterance:
    words = [word.strip(",.?!") for word in utterance.text.split()]
    edges = [utterance.num_samples * place // len(words) for place in range(len(words) + 1)]
    timings = tuple(
        WordTiming(text=word, start=start, stop=stop)
        for word, start, stop in zip(words, edges, edges[1:], strict=False)
    )
    return utterance.model_copy(update={"words": timings})


def make_scene_item(task: Task, language: Language, index: int) -> Item:
    """Line after line with gaps; what belongs into a reply starts 1 s into it, and an interruption cuts it."""
    script = make_script(task, language)
    plan = make_plan(script, plan_id=f"s-{task}-{language}-{index}", index=index)
    spoken = with_words(make_utterances(plan, script, lambda part, piece: 64_000 if "reply" in part else 24_003))
    placements: list[Placement] = []
    segments: list[Segment] = []
    events: list[SceneEvent] = []
    clock = GAP
    for number, line in enumerate(script.lines, start=1):
        host = placements[-1] if placements else None
        inside = line.part in _DURING_REPLY or (line.part is Part.ASIDE and host is not None)
        start = host.start + SAMPLE_RATE_HZ if inside and host else clock
        first = start
        for utterance in (one for one in spoken if one.part is line.part and one.role is line.role):
            if first != start:
                events.append(SceneEvent(kind=EventKind.PAUSE, channel=Channel.USER, start=first, stop=first + PAUSE))
                first += PAUSE
            placements.append(
                _placement(utterance.id, number, line.role, line.part, first, utterance.num_samples, utterance.text)
            )
            first += utterance.num_samples
        if line.role is not Role.ASSISTANT:
            segments.append(
                Segment(line=number, start=start, stop=first, text=line.text, role=line.role, part=line.part)
            )
        if inside and host and task in INTERRUPTION_TASKS:
            stop = start + STOP_LATENCY
            (said,) = (one for one in spoken if one.id == host.utterance_id)
            heard = heard_text(said, stop - host.start)
            placements[-2] = host.model_copy(update={"stop": stop, "heard_text": heard, "cut": True})
            events.append(SceneEvent(kind=EventKind.BARGE_IN, channel=Channel.USER, start=start, stop=first))
            events.append(
                SceneEvent(
                    kind=EventKind.ASSISTANT_STOP,
                    channel=Channel.ASSISTANT,
                    start=start,
                    stop=stop,
                    latency=STOP_LATENCY,
                )
            )
        clock = max(one.stop for one in placements) + GAP
    scene = Scene(
        plan_id=plan.id,
        task=task,
        language=language,
        sample_rate=SAMPLE_RATE_HZ,
        num_samples=clock + TAIL,
        placements=tuple(placements),
        segments=tuple(segments),
        events=tuple(events),
    )
    return Item(plan=plan, script=script, utterances=spoken, scene=scene)


def make_release(root: Path, peak: float = 0.4) -> Path:
    """3- and 5-turn dialogues, every full-duplex task and a conversation in zh and en; ``peak`` of each channel."""
    dialogues = [make_dialogue_item(language, turns, turns) for language in Language for turns in (3, 5)]
    scenes = [make_scene_item(task, language, 7) for task in SUB_TASKS for language in Language]
    scenes += [make_conversation_item(language, 7) for language in Language]
    write_items(root, layout("track1-seed"), staged(dialogues, root, peak))
    write_items(root, layout("track2"), staged(scenes, root, peak))
    return root


def _placement(identity: str, line: int, role: Role, part: Part, start: int, num_samples: int, text: str) -> Placement:
    return Placement(
        utterance_id=identity,
        line=line,
        channel=Channel.ASSISTANT if role is Role.ASSISTANT else Channel.USER,
        role=role,
        part=part,
        start=start,
        stop=start + num_samples,
        planned_text=text,
        heard_text=text,
    )


def staged(items: Iterable[Item], root: Path, peak: float = 0.4) -> Iterable[tuple[Item, Path]]:
    """Items with their audio written beside ``root``."""
    for item in items:
        folder = root.parent / "staged" / item.plan.id
        for number, utterance in enumerate(item.utterances, start=1):
            write_wav(folder / turn_wav(number), noise_burst(utterance, peak))
        if item.scene is not None:
            bursts = {utterance.id: noise_burst(utterance, peak) for utterance in item.utterances}
            for channel, name in ((Channel.USER, USER_WAV), (Channel.ASSISTANT, ASSISTANT_WAV)):
                samples = np.zeros(item.scene.num_samples, dtype=np.float32)
                for one in item.scene.placements:
                    if one.channel is channel:
                        samples[one.start : one.stop] = bursts[one.utterance_id][: one.stop - one.start]
                write_wav(folder / name, samples)
            if item.plan.task not in NO_CLEAN:
                write_wav(folder / CLEAN_WAV, samples)
        yield item, folder
