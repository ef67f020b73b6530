"""The one composer: reads a sub-task's recipe and places every utterance to the sample.

Labels are computed here from what is placed, never from the audio afterwards. A segment and a
placement span exactly the utterance's samples, including the configured silence at its edges.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from data_schemas.audio import SAMPLE_RATE_HZ
from data_schemas.plan import DialoguePlan
from data_schemas.scene import EventKind, Placement, Scene, SceneEvent, Segment
from data_schemas.script import Script
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Channel, Part
from data_schemas.utterance import Utterance
from generators.scenes.errors import SceneImpossible
from generators.scenes.heard import heard_text, phrase_ends
from generators.scenes.recipes import RECIPES, Intrude, Say, Step
from generators.scenes.settings import SceneSettings
from generators.scenes.timeline import Clock, Draft, whole_milliseconds

__all__ = ["SceneImpossible", "compose", "utterances_by_part"]


def compose(
    plan: DialoguePlan,
    script: Script,
    utterances: tuple[Utterance, ...],
    settings: SceneSettings,
    seed: int,
) -> Scene:
    """Place the utterances of one full-duplex item.

    Args:
        utterances: in script line order, 16 kHz; line ``n`` (from 1) has the id
            ``<plan.id>/<n>``, or ``<plan.id>/<n>.<k>`` for the pieces around its ``[break]`` tags.
        seed: the build's seed; every draw is named by it, the plan's id and the step.

    Events: each one spans the line that makes it; ``pause`` spans the silence; ``assistant_stop``
    spans the fade, and its ``latency`` counts from the interruption's start to full silence.

    Raises:
        SceneImpossible: the utterances do not fit the sub-task's rules; the item is at fault.
        ValueError: the utterances are not those of the script; the caller is at fault.
    """
    if script.task not in RECIPES:
        raise ValueError(f"{plan.id}: {script.task} is no full-duplex task, there is no scene to compose")
    spoken = utterances_by_part(plan, script, utterances)
    lines = {line.part: line.text for line in script.lines}
    clock = Clock(settings, seed, plan.id, SAMPLE_RATE_HZ)
    draft = Draft()
    for step in RECIPES[script.task].steps:
        pieces = spoken[step.part]
        if isinstance(step, Say):
            start = _start_of_say(step, draft, clock)
        else:
            start, draft = _make_room(step, draft, pieces, clock, spoken)
        draft = _place_line(step, draft, pieces, start, lines[step.part], clock)
    return Scene(
        plan_id=plan.id,
        task=script.task,
        language=script.language,
        sample_rate=SAMPLE_RATE_HZ,
        num_samples=_scene_stop(draft, clock),
        placements=tuple(sorted(draft.placements, key=lambda placement: placement.start)),
        segments=draft.segments,
        events=tuple(sorted(draft.events, key=lambda event: event.start)),
    )


def utterances_by_part(
    plan: DialoguePlan, script: Script, utterances: tuple[Utterance, ...]
) -> Mapping[Part, tuple[Utterance, ...]]:
    """The pieces of each line, checked by id, number and sample rate.

    Raises:
        ValueError: an utterance is missing, superfluous, out of order or not 16 kHz.
    """
    expected: list[tuple[Part, str]] = []
    for number, line in enumerate(script.lines, start=1):
        pieces = line.text.count(BREAK_TAG) + 1
        names = [f"{plan.id}/{number}.{k}" for k in range(1, pieces + 1)] if pieces > 1 else [f"{plan.id}/{number}"]
        expected += [(line.part, name) for name in names]
    wanted = [name for _, name in expected]
    if [utterance.id for utterance in utterances] != wanted:
        raise ValueError(
            f"{plan.id}: script {script.script_id} needs the utterances {', '.join(wanted)}, "
            f"not {', '.join(utterance.id for utterance in utterances)}"
        )
    for utterance in utterances:
        if utterance.sample_rate != SAMPLE_RATE_HZ:
            raise ValueError(f"{utterance.id}: has {utterance.sample_rate} Hz and scenes have {SAMPLE_RATE_HZ} Hz")
    by_part: dict[Part, tuple[Utterance, ...]] = {}
    for (part, _), utterance in zip(expected, utterances, strict=True):
        by_part[part] = (*by_part.get(part, ()), utterance)
    return by_part


def _start_of_say(step: Say, draft: Draft, clock: Clock) -> int:
    """After the line before it, on a channel that is free, clear of the segment before it."""
    ended = 0 if step.after is None else draft.stop_of(step.after)
    start = max(ended, draft.channel_stop(step.channel)) + clock.draw(step.gap, step.part)
    return max(start, _segment_clear(step, draft, clock))


def _segment_clear(step: Step, draft: Draft, clock: Clock) -> int:
    """The first sample at which the user's channel may carry a new segment."""
    if step.channel is Channel.ASSISTANT or not draft.segments:
        return 0
    return draft.segments[-1].stop + clock.samples(clock.settings.min_segment_gap_s)


def _make_room(
    step: Intrude,
    draft: Draft,
    pieces: tuple[Utterance, ...],
    clock: Clock,
    spoken: Mapping[Part, tuple[Utterance, ...]],
) -> tuple[int, Draft]:
    """Where an intruding line starts, and the draft with its host cut if the line cuts it."""
    settings = clock.settings
    host = draft.host(step.into)
    latency = clock.draw_from(settings.stop_latency, f"stop_latency/{step.part}") if step.cuts else 0
    if step.cuts:
        needed = latency + clock.samples(settings.min_reply_unheard_s)
    else:
        needed = sum(piece.num_samples for piece in pieces) + clock.samples(settings.min_reply_rest_s)
    earliest = max(host.start + clock.samples(settings.min_reply_heard_s), _segment_clear(step, draft, clock))
    latest = host.stop - needed
    if latest < earliest:
        _refuse(step, clock, host, needed, earliest)
    counted_from = draft.stop_of(step.counted_from)
    start = min(max(counted_from + clock.draw(step.delay, step.part), earliest), latest)
    if step.at_phrase_end:
        delay = settings.timing(step.delay)
        low = max(earliest, min(start, counted_from + clock.samples(delay.lower_s)))
        high = min(latest, max(start, counted_from + clock.samples(delay.upper_s)))
        start = _at_phrase_end(start, low, high, host, spoken[step.into][-1], clock)
    if not step.cuts:
        return start, draft
    return start, _cut(draft, host, spoken[step.into][-1], start, latency, clock)


def _refuse(step: Intrude, clock: Clock, host: Placement, needed: int, earliest: int) -> None:
    rate = clock.sample_rate
    raise SceneImpossible(
        f"{clock.plan_id}: the {step.into} lasts {(host.stop - host.start) / rate:.2f} s; the {step.part} "
        f"may start {(earliest - host.start) / rate:.2f} s into it at the earliest and needs "
        f"{needed / rate:.2f} s of it from there; write a longer {step.into} or a shorter {step.part}"
    )


def _at_phrase_end(drawn: int, low: int, high: int, host: Placement, reply: Utterance, clock: Clock) -> int:
    """The end of a phrase of the reply nearest to ``drawn``, if one is in reach and within the bounds."""
    reach = clock.samples(clock.settings.phrase_reach_s)
    ends = [host.start + end for end in phrase_ends(reply)]
    allowed = [end for end in ends if low <= end <= high and abs(end - drawn) <= reach]
    return min(allowed, key=lambda end: abs(end - drawn), default=drawn)


def _cut(draft: Draft, host: Placement, reply: Utterance, start: int, latency: int, clock: Clock) -> Draft:
    """The reply goes on for the stop latency, fades at the end of it, and is silent."""
    fade = clock.samples(clock.settings.fade_out_ms / 1000.0)
    silent = start + latency
    cut = Placement.model_validate(
        {
            **host.model_dump(),
            "stop": silent,
            "fade_out": fade,
            "cut": True,
            "heard_text": heard_text(reply, silent - fade - host.start),
        }
    )
    stop = SceneEvent(
        kind=EventKind.ASSISTANT_STOP,
        channel=Channel.ASSISTANT,
        start=silent - fade,
        stop=silent,
        latency=latency,
    )
    return draft.replacing(host, cut).adding(events=(stop,))


def _place_line(step: Step, draft: Draft, pieces: tuple[Utterance, ...], start: int, text: str, clock: Clock) -> Draft:
    """Place a line's pieces one after the other, with a drawn pause between them."""
    placements: list[Placement] = []
    pauses: list[SceneEvent] = []
    position = start
    for number, piece in enumerate(pieces):
        if number:
            resume = position + clock.draw("pause", step.part, number)
            pauses.append(SceneEvent(kind=EventKind.PAUSE, channel=step.channel, start=position, stop=resume))
            position = resume
        placements.append(_placement(step, piece, position, clock.settings))
        position += piece.num_samples
    events = tuple(pauses)
    if step.event is not None:
        events += (SceneEvent(kind=step.event, channel=step.channel, start=start, stop=position),)
    segments: tuple[Segment, ...] = ()
    if step.channel is Channel.USER:
        shown = re.sub(rf"\s*{re.escape(BREAK_TAG)}\s*", f" {BREAK_TAG} ", text).strip()
        segments = (Segment(start=start, stop=position, text=shown, role=step.role, part=step.part),)
    return draft.adding(tuple(placements), segments, events)


def _placement(step: Step, piece: Utterance, start: int, settings: SceneSettings) -> Placement:
    return Placement(
        utterance_id=piece.id,
        channel=step.channel,
        role=step.role,
        part=step.part,
        start=start,
        stop=start + piece.num_samples,
        gain_db=getattr(settings, step.gain) if step.gain else 0.0,
        planned_text=piece.text,
        heard_text=piece.text,
    )


def _scene_stop(draft: Draft, clock: Clock) -> int:
    """Long enough for the tail after the last segment and for the assistant's last word."""
    tail = clock.draw_from(clock.settings.tail, "tail")
    closing = clock.samples(clock.settings.closing_silence_s)
    stop = max(draft.segments[-1].stop + tail, draft.channel_stop(Channel.ASSISTANT) + closing)
    return whole_milliseconds(stop, clock.sample_rate)
