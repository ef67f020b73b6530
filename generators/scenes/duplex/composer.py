"""The composer: reads a sub-task's recipe and places every utterance to the sample.

Conversations have no recipe; `generators.scenes.conversation.conversation` composes them.

Labels are computed here from what is placed, never from the audio afterwards. A segment and a
placement span exactly the utterance's samples, including the configured silence at its edges.
"""

from __future__ import annotations

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.plan import DialoguePlan
from data_schemas.scene import Placement, Scene, SceneEvent, Segment
from data_schemas.script import Script
from data_schemas.tasks import Channel, Task
from data_schemas.utterance import Utterance
from generators.scenes.conversation.conversation import compose_conversation
from generators.scenes.duplex.recipes import RECIPES, Intrude, Say, Step
from generators.scenes.errors import SceneImpossible
from generators.scenes.heard import phrase_ends
from generators.scenes.hesitation import shown_text
from generators.scenes.lines import SpokenLine, cut_short, place_pieces, spoken_lines
from generators.scenes.settings import SceneSettings
from generators.scenes.timeline import Clock, Draft, floor_holds, whole_milliseconds

__all__ = ["SceneImpossible", "compose"]


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
    if script.task is Task.CONVERSATION:
        return compose_conversation(plan, script, utterances, settings, seed)
    if script.task not in RECIPES:
        raise ValueError(f"{plan.id}: {script.task} is no full-duplex task, there is no scene to compose")
    clock = Clock(settings, seed, plan.id, SAMPLE_RATE_HZ)
    spoken = {line.part: line for line in spoken_lines(plan, script, utterances, settings, seed)}
    draft = Draft()
    for step in RECIPES[script.task].steps:
        line = spoken[step.part]
        if isinstance(step, Say):
            start = _start_of_say(step, draft, clock)
        else:
            start, draft = _make_room(step, draft, line, clock, spoken[step.into])
        draft = _place_line(step, draft, line, start, clock)
    return Scene(
        plan_id=plan.id,
        task=script.task,
        language=script.language,
        sample_rate=SAMPLE_RATE_HZ,
        num_samples=_scene_stop(draft, clock),
        placements=tuple(sorted(draft.placements, key=lambda placement: placement.start)),
        segments=draft.segments,
        events=tuple(sorted(draft.events, key=lambda event: event.start)),
        floor=floor_holds(draft.placements),
    )


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


def _make_room(step: Intrude, draft: Draft, line: SpokenLine, clock: Clock, into: SpokenLine) -> tuple[int, Draft]:
    """Where an intruding line starts, and the draft with its host cut if the line cuts it."""
    settings = clock.settings
    host = draft.host(step.into)
    latency = clock.draw_from(settings.stop_latency, f"stop_latency/{step.part}") if step.cuts else 0
    if step.cuts:
        needed = latency + clock.samples(settings.min_reply_unheard_s)
    else:
        needed = sum(utterance.num_samples for utterance in line.utterances) + clock.samples(settings.min_reply_rest_s)
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
        start = _at_phrase_end(start, low, high, host, into.utterances[-1], clock)
    if not step.cuts:
        return start, draft
    return start, cut_short(draft, host, into.utterances[-1], line.number, start, latency, clock)


def _refuse(step: Intrude, clock: Clock, host: Placement, needed: int, earliest: int) -> None:
    rate = clock.sample_rate
    way_out = f"write a longer {step.into}" + ("" if step.cuts else f" or a shorter {step.part}")
    raise SceneImpossible(
        f"{clock.plan_id}: the {step.into} lasts {(host.stop - host.start) / rate:.2f} s; the {step.part} "
        f"may start {(earliest - host.start) / rate:.2f} s into it at the earliest and needs "
        f"{needed / rate:.2f} s of it from there; {way_out}"
    )


def _at_phrase_end(drawn: int, low: int, high: int, host: Placement, reply: Utterance, clock: Clock) -> int:
    """The end of a phrase of the reply nearest to ``drawn``, if one is in reach and within the bounds."""
    reach = clock.samples(clock.settings.phrase_reach_s)
    ends = [host.start + end for end in phrase_ends(reply)]
    allowed = [end for end in ends if low <= end <= high and abs(end - drawn) <= reach]
    return min(allowed, key=lambda end: abs(end - drawn), default=drawn)


def _place_line(step: Step, draft: Draft, line: SpokenLine, start: int, clock: Clock) -> Draft:
    """Place a line's pieces one after the other, with the drawn silences between them."""
    level_db = clock.level_db(getattr(clock.settings, step.level), f"{step.level}/{step.part}") if step.level else 0.0
    draft = place_pieces(draft, line, step.channel, start, level_db, clock, line.part)
    stop = draft.stop_of(step.part)
    events: tuple[SceneEvent, ...] = ()
    if step.event is not None:
        target = draft.host(step.into).line if isinstance(step, Intrude) else None
        events = (
            SceneEvent(kind=step.event, channel=step.channel, start=start, stop=stop, line=line.number, target=target),
        )
    segments: tuple[Segment, ...] = ()
    if step.channel is Channel.USER:
        segments = (
            Segment(
                line=line.number, start=start, stop=stop, text=shown_text(line.pieces), role=step.role, part=step.part
            ),
        )
    return draft.adding(segments=segments, events=events)


def _scene_stop(draft: Draft, clock: Clock) -> int:
    """Long enough for the tail after the last segment and for the assistant's last word."""
    tail = clock.draw_from(clock.settings.tail, "tail")
    closing = clock.samples(clock.settings.closing_silence_s)
    stop = max(draft.segments[-1].stop + tail, draft.channel_stop(Channel.ASSISTANT) + closing)
    return whole_milliseconds(stop, clock.sample_rate)
