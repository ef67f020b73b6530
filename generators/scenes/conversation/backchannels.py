"""Backchannels of a conversation: where in the other party's turn they may be, and where they are put.

The rule is that of Ward & Tsukahara (2000): at the end of a phrase, after enough of the other's
speech, and not too soon after the last one. Of the phrase ends that allow it one is drawn. Where
none does, the backchannel comes anywhere in the turn that keeps the other two rules, and its event
has no latency. Where the turn has no room at all, the item is impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from data_schemas.scene import EventKind, SceneEvent
from generators.scenes.errors import SceneImpossible
from generators.scenes.heard import phrase_ends
from generators.scenes.lines import SpokenLine, channel_of, line_samples, place_pieces
from generators.scenes.timeline import Clock, Draft, line_name


@dataclass(frozen=True)
class Turn:
    """A line that takes the floor, and the other party's backchannels into it."""

    line: SpokenLine
    backchannels: tuple[SpokenLine, ...] = ()


@dataclass(frozen=True)
class _Slot:
    """A backchannel with its start, and the end of the phrase it answers to (None: of none)."""

    line: SpokenLine
    start: int
    stop: int
    cue: int | None


#: Which of the phrase ends in reach a backchannel takes, or where in ``[earliest, latest]`` it starts without
#: one: ``(line, how many phrase ends) -> index`` and ``(line, how many samples) -> offset``.
_Pick = Callable[[SpokenLine, int], int]


def clear_of_own(draft: Draft, line: SpokenLine, clock: Clock) -> int:
    """The first sample at which the party of ``line`` may speak again."""
    stop = draft.channel_stop(channel_of(line.role))
    return stop + clock.samples(clock.settings.conversation.own_channel_gap_s) if stop else 0


def room_for_backchannels(turn: Turn, clock: Clock) -> int:
    """Samples that the backchannels take at the least, from the moment their party is silent; 0 without any."""
    if not turn.backchannels:
        return 0
    rules = clock.settings.conversation
    spoken = sum(line_samples(line, line_name(line.number), clock) for line in turn.backchannels)
    between = clock.samples(rules.backchannel_refractory_s) * (len(turn.backchannels) - 1)
    return clock.samples(rules.own_channel_gap_s) + spoken + between


def backchannels_over(draft: Draft, turn: Turn, before: int, clock: Clock) -> int:
    """When the last backchannel into a placed turn is over at the earliest; 0 without any.

    Phrase ends are waited for where ``before`` leaves the time.

    Raises:
        SceneImpossible: they do not fit between the turn's start and ``before``.
    """
    slots = _slots(draft, turn, before, clock, lambda line, choices: 0)
    return slots[-1].stop if slots else 0


def place_backchannels(draft: Draft, turn: Turn, before: int, clock: Clock) -> Draft:
    """The draft with the backchannels into a placed turn; they have ended by sample ``before``.

    Events: ``backchannel`` spans the line; its ``latency`` counts from the end of the phrase, if it has one.

    Raises:
        SceneImpossible: they do not fit between the turn's start and ``before``.
    """

    def drawn(line: SpokenLine, choices: int) -> int:
        return int(clock.chance(f"backchannel/{line_name(line.number)}") * choices)

    for slot in _slots(draft, turn, before, clock, drawn):
        channel = channel_of(slot.line.role)
        draft = place_pieces(draft, slot.line, channel, slot.start, 0.0, clock, line_name(slot.line.number))
        event = SceneEvent(
            kind=EventKind.BACKCHANNEL,
            channel=channel,
            start=slot.start,
            stop=slot.stop,
            line=slot.line.number,
            target=turn.line.number,
            latency=None if slot.cue is None else slot.start - slot.cue,
        )
        draft = draft.adding(events=(event,))
    return draft


def _slots(draft: Draft, turn: Turn, before: int, clock: Clock, pick: _Pick) -> tuple[_Slot, ...]:
    """The backchannels one after the other, each leaving room for those behind it."""
    if not turn.backchannels:
        return ()
    rules = clock.settings.conversation
    before = min(before, draft.line_stop(turn.line.number) - clock.samples(rules.backchannel_rest_s))
    refractory = clock.samples(rules.backchannel_refractory_s)
    enough = _spoken_until(draft, turn.line, clock.samples(rules.backchannel_after_speech_s))
    cues = [end for end in _phrase_ends(draft, turn.line) if end >= enough]
    lengths = [line_samples(line, line_name(line.number), clock) for line in turn.backchannels]
    earliest = max(enough, clear_of_own(draft, turn.backchannels[0], clock))
    slots: list[_Slot] = []
    for place, line in enumerate(turn.backchannels):
        behind = len(lengths) - place - 1
        latest = before - sum(lengths[place:]) - behind * refractory
        if latest < earliest:
            _refuse(draft, turn, before, earliest, clock)
        start, cue = _start(line, cues, (earliest, latest), behind, clock, pick)
        slots.append(_Slot(line=line, start=start, stop=start + lengths[place], cue=cue))
        earliest = slots[-1].stop + refractory
    return tuple(slots)


def _start(
    line: SpokenLine, cues: Sequence[int], bounds: tuple[int, int], behind: int, clock: Clock, pick: _Pick
) -> tuple[int, int | None]:
    """Start and cue: at a phrase end if one is in reach (leaving one to each line behind), else in between."""
    earliest, latest = bounds
    delay = clock.draw_from(
        clock.settings.conversation.backchannel_delay, f"backchannel_delay/{line_name(line.number)}"
    )
    reach = [cue for cue in cues if earliest <= cue + delay <= latest]
    if not reach:
        return earliest + pick(line, latest - earliest + 1), None
    cue = reach[pick(line, max(len(reach) - behind, 1))]
    return cue + delay, cue


def _spoken_until(draft: Draft, line: SpokenLine, samples: int) -> int:
    """When that much of a placed line was spoken, pauses not counted; beyond its end if it is shorter."""
    for placement in draft.of_line(line.number):
        length = placement.stop - placement.start
        if samples <= length:
            return placement.start + samples
        samples -= length
    return draft.line_stop(line.number) + samples


def _phrase_ends(draft: Draft, line: SpokenLine) -> tuple[int, ...]:
    """Scene samples at which a phrase of a placed line ends: inside its pieces, and before its pauses."""
    placed = draft.of_line(line.number)
    ends = {
        placement.start + end
        for placement, utterance in zip(placed, line.utterances, strict=True)
        for end in phrase_ends(utterance)
        if placement.start + end < placement.stop
    }
    pauses = {
        placement.stop for placement, behind in zip(placed, line.pieces[1:], strict=False) if behind.after == "break"
    }
    return tuple(sorted(ends | pauses))


def _refuse(draft: Draft, turn: Turn, before: int, earliest: int, clock: Clock) -> None:
    rate, start = clock.sample_rate, draft.line_start(turn.line.number)
    numbers = ", ".join(str(line.number) for line in turn.backchannels)
    needed = room_for_backchannels(turn, clock)
    raise SceneImpossible(
        f"{clock.plan_id}: the {turn.line.part} of line {turn.line.number} has room for backchannels from "
        f"{(earliest - start) / rate:.2f} s to {(before - start) / rate:.2f} s of it, and line {numbers} needs "
        f"{needed / rate:.2f} s; write a longer {turn.line.part} or fewer and shorter backchannels"
    )
