"""Conversations of many turns on two channels: gaps and overlaps, barge-ins, backchannels, talking over.

A turn follows the one before it after a gap, or overlaps its end; the user may barge into a reply,
and the assistant may talk over a user. How deep an overlap goes is bounded by both turns, by what
its speaker said last, and by what is still to be spoken into either. Where the bound is
below the shortest overlap, the turn comes after a gap instead. Every draw is named by the number of its
line, so no line's draws depend on another line.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from data_schemas.conversation import hosts
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.plan import DialoguePlan
from data_schemas.scene import EventKind, Placement, Scene, SceneEvent, Segment
from data_schemas.script import Script
from data_schemas.tasks import Part, Role
from data_schemas.utterance import Utterance
from generators.scenes.conversation.backchannels import (
    Turn,
    backchannels_over,
    clear_of_own,
    place_backchannels,
    room_for_backchannels,
)
from generators.scenes.errors import SceneImpossible
from generators.scenes.heard import heard_text
from generators.scenes.hesitation import shown_text
from generators.scenes.lines import SpokenLine, channel_of, cut_short, line_samples, place_pieces, spoken_lines
from generators.scenes.settings import SceneSettings
from generators.scenes.timeline import Clock, Draft, floor_holds, line_name, whole_milliseconds


def compose_conversation(
    plan: DialoguePlan,
    script: Script,
    utterances: tuple[Utterance, ...],
    settings: SceneSettings,
    seed: int,
) -> Scene:
    """Place the utterances of one conversation. Arguments and errors as of `generators.scenes.duplex.composer.compose`.

    Every line of the user is one segment; those of the assistant have none. Events, each with the line
    that makes it and the line it is about (``target``):

    - ``overlap``: the joint speech of a turn with the end of the one before it;
    - ``talk_over``: the same, where the assistant begins well before the user's end. Its ``latency`` counts
      from the end the user would have come to, so it is negative;
    - ``user_stop``, ``assistant_stop``: the fade of who gives way; ``latency`` from the newcomer's start to silence;
    - ``barge_in``, ``backchannel``: the whole line. A backchannel's ``latency`` counts from the end of the
      phrase it follows; None where it follows none;
    - ``pause``: the silence at a ``[break]``.
    """
    clock = Clock(settings, seed, plan.id, SAMPLE_RATE_HZ)
    spoken = spoken_lines(plan, script, utterances, settings, seed)
    turns = _turns(script, spoken)
    first = turns[0].line
    draft = _say(Draft(), first, clock.draw("leading_silence", line_name(first.number)), clock)
    for place, (holder, taker) in enumerate(pairwise(turns)):
        if taker.line.part is Part.INTERRUPTION:
            draft = _barge_in(draft, holder, taker, clock)
        else:
            interrupted = any(turn.line.part is Part.INTERRUPTION for turn in turns[place + 2 : place + 3])
            draft = _take_floor(draft, holder, taker, interrupted, clock)
    draft = place_backchannels(draft, turns[-1], draft.line_stop(turns[-1].line.number), clock)
    draft = draft.adding(events=_barge_ins(draft, turns))
    last = max(placement.stop for placement in draft.placements)
    return Scene(
        plan_id=plan.id,
        task=script.task,
        language=script.language,
        sample_rate=SAMPLE_RATE_HZ,
        num_samples=whole_milliseconds(last + clock.draw_from(settings.conversation.tail, "tail"), SAMPLE_RATE_HZ),
        placements=tuple(sorted(draft.placements, key=lambda placement: placement.start)),
        segments=_segments(draft, spoken),
        events=tuple(sorted(draft.events, key=lambda event: event.start)),
        floor=floor_holds(draft.placements),
    )


def _turns(script: Script, spoken: Sequence[SpokenLine]) -> tuple[Turn, ...]:
    """The lines that take the floor, each with the backchannels into it."""
    into = hosts(script.planned_lines)
    return tuple(
        Turn(
            line=line,
            backchannels=tuple(
                other
                for other, host in zip(spoken, into, strict=True)
                if other.part is Part.BACKCHANNEL and host == line.number
            ),
        )
        for line in spoken
        if line.part is not Part.BACKCHANNEL
    )


def _say(draft: Draft, line: SpokenLine, start: int, clock: Clock) -> Draft:
    return place_pieces(draft, line, channel_of(line.role), start, 0.0, clock, line_name(line.number))


def _barge_in(draft: Draft, holder: Turn, taker: Turn, clock: Clock) -> Draft:
    """The user's turn inside the reply before it, which is cut."""
    settings, name = clock.settings, line_name(taker.line.number)
    host = draft.of_line(holder.line.number)[-1]
    began = draft.line_start(holder.line.number)
    latency = clock.draw_from(settings.stop_latency, f"stop_latency/{name}")
    latest = host.stop - latency - clock.samples(settings.min_reply_unheard_s)
    earliest = max(
        began + clock.samples(settings.min_reply_heard_s), host.start, clear_of_own(draft, taker.line, clock)
    )
    if latest < earliest:
        raise SceneImpossible(
            f"{clock.plan_id}: the reply of line {holder.line.number} lasts "
            f"{(host.stop - began) / clock.sample_rate:.2f} s; the interruption of line {taker.line.number} may start "
            f"{(earliest - began) / clock.sample_rate:.2f} s into it at the earliest and needs "
            f"{(host.stop - latest) / clock.sample_rate:.2f} s of it from there; write a longer reply"
        )
    gap = clock.samples(settings.conversation.own_channel_gap_s)
    if holder.backchannels:
        earliest = max(earliest, backchannels_over(draft, holder, latest - gap, clock) + gap)
    drawn = began + clock.draw_from(settings.conversation.barge_in, f"barge_in/{name}")
    start = min(max(drawn, earliest), latest)
    draft = place_backchannels(draft, holder, start - gap, clock)
    draft = cut_short(draft, host, holder.line.utterances[-1], taker.line.number, start, latency, clock)
    return _say(draft, taker.line, start, clock)


def _take_floor(draft: Draft, holder: Turn, taker: Turn, interrupted: bool, clock: Clock) -> Draft:
    """A turn after a gap or an overlap; ``interrupted``: the user will barge into it."""
    gap = clock.samples(clock.settings.conversation.own_channel_gap_s)
    kind, depth = _overlap(draft, holder, taker, interrupted, clock)
    ended = draft.line_stop(holder.line.number)
    if kind is None:
        draft = place_backchannels(draft, holder, ended, clock)
        drawn = ended + clock.draw("floor_transfer", line_name(taker.line.number))
        return _say(draft, taker.line, max(drawn, clear_of_own(draft, taker.line, clock)), clock)
    start = ended - depth
    draft = place_backchannels(draft, holder, start - gap, clock)
    if kind is EventKind.TALK_OVER:
        draft = _give_way(draft, holder, taker, start, clock)
    draft = _say(draft, taker.line, start, clock)
    latency = -depth if kind is EventKind.TALK_OVER else None
    return draft.adding(events=(_event(kind, draft, taker, holder, draft.line_stop(holder.line.number), latency),))


def _overlap(draft: Draft, holder: Turn, taker: Turn, interrupted: bool, clock: Clock) -> tuple[EventKind | None, int]:
    """How the taker overlaps the holder, and how long before the holder's end it begins; (None, 0) if not at all."""
    rules, name = clock.settings.conversation, line_name(taker.line.number)
    deepest = _deepest(draft, holder, taker, interrupted, clock)
    talks_over = taker.line.role is Role.ASSISTANT and clock.chance(f"talk_over_share/{name}") < rules.talk_over_share
    if talks_over and deepest >= clock.samples(rules.talk_over.lower_s):
        return EventKind.TALK_OVER, min(clock.draw_from(rules.talk_over, f"talk_over/{name}"), deepest)
    overlaps = clock.chance(f"overlap_share/{name}") < rules.overlap_share
    if overlaps and deepest >= clock.samples(rules.overlap.lower_s):
        return EventKind.OVERLAP, min(clock.draw_from(rules.overlap, f"overlap/{name}"), deepest)
    return None, 0


def _deepest(draft: Draft, holder: Turn, taker: Turn, interrupted: bool, clock: Clock) -> int:
    """The longest overlap that both turns, their speakers and what is spoken into them bear; may be below 0."""
    rules = clock.settings.conversation
    gap = clock.samples(rules.own_channel_gap_s)
    host = draft.of_line(holder.line.number)[-1]
    alone = draft.line_start(holder.line.number) + clock.samples(rules.min_alone_s)
    earliest = max(alone, clear_of_own(draft, taker.line, clock))
    if holder.backchannels:
        earliest = max(earliest, backchannels_over(draft, holder, host.stop, clock) + gap)
    length = line_samples(taker.line, line_name(taker.line.number), clock)
    shorter = min(length, host.stop - host.start)
    needed = _needed_after(taker, interrupted, clock)
    return min(int(rules.max_overlap_part * shorter), length - needed, host.stop - earliest)


def _needed_after(taker: Turn, interrupted: bool, clock: Clock) -> int:
    """How much of a turn must come after the other party's end, for what that party says into it."""
    settings, rules = clock.settings, clock.settings.conversation
    room = room_for_backchannels(taker, clock)
    if interrupted:
        seconds = (rules.own_channel_gap_s, settings.stop_latency.upper_s, settings.min_reply_unheard_s)
        return room + sum(clock.samples(each) for each in seconds)
    return room + clock.samples(rules.backchannel_rest_s) if room else 0


def _give_way(draft: Draft, holder: Turn, taker: Turn, start: int, clock: Clock) -> Draft:
    """The draft with the talked-over user cut, if the user yields, was heard, and had more to say."""
    settings, name = clock.settings, line_name(taker.line.number)
    if clock.chance(f"user_yields_share/{name}") >= settings.conversation.user_yields_share:
        return draft
    host, utterance = draft.of_line(holder.line.number)[-1], holder.line.utterances[-1]
    latency = clock.draw_from(settings.stop_latency, f"stop_latency/{name}")
    silent = start + latency
    if silent + clock.samples(settings.min_reply_unheard_s) > host.stop:
        return draft
    if not heard_text(utterance, silent - clock.samples(settings.fade_out_ms / 1000.0) - host.start):
        return draft
    return cut_short(draft, host, utterance, taker.line.number, start, latency, clock, EventKind.USER_STOP)


def _event(
    kind: EventKind, draft: Draft, taker: Turn, holder: Turn, stop: int, latency: int | None = None
) -> SceneEvent:
    return SceneEvent(
        kind=kind,
        channel=channel_of(taker.line.role),
        start=draft.line_start(taker.line.number),
        stop=stop,
        line=taker.line.number,
        target=holder.line.number,
        latency=latency,
    )


def _barge_ins(draft: Draft, turns: Sequence[Turn]) -> tuple[SceneEvent, ...]:
    """One event per interruption, over what is heard of it: the assistant may have talked over it since."""
    return tuple(
        _event(EventKind.BARGE_IN, draft, taker, holder, draft.line_stop(taker.line.number))
        for holder, taker in pairwise(turns)
        if taker.line.part is Part.INTERRUPTION
    )


def _segments(draft: Draft, spoken: Sequence[SpokenLine]) -> tuple[Segment, ...]:
    """One per line of the user, with the words that are heard."""
    segments = [_segment(line, draft.of_line(line.number)) for line in spoken if line.role is Role.USER]
    return tuple(sorted(segments, key=lambda segment: segment.start))


def _segment(line: SpokenLine, placed: tuple[Placement, ...]) -> Segment:
    heard = tuple(
        piece.model_copy(update={"text": placement.heard_text}) if placement.cut else piece
        for piece, placement in zip(line.pieces, placed, strict=True)
    )
    return Segment(
        line=line.number,
        start=placed[0].start,
        stop=placed[-1].stop,
        text=shown_text(heard),
        role=line.role,
        part=line.part,
    )
