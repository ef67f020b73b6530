"""Who held the floor: gaps, overlaps, pauses, backchannels and turns of two-speaker talk.

The definitions are those of Heldner & Edlund (2010), "Pauses, gaps and overlaps in conversations".
At every instant one speaker, the other, both or nobody speaks. Seen from the instants of
solo speech around it,

- silence between two speakers is a **gap**, silence within one speaker's talk a **pause**;
- joint speech between two speakers is a **between-speaker overlap** (the second took the floor
  before the first stopped), joint speech with the same speaker alone before and after it a
  **within-speaker overlap** (the other said something and left the floor where it was);
- the **floor transfer offset** is a gap's length, an overlap's length with a minus sign, and 0
  where one stops as the other starts (Levinson & Torreira 2015).

Where both start or both stop at the same instant, next to a silence, nobody alone held the
floor on that side: such silences and joint speech are in none of the lists and counted as ``unclear``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import groupby, pairwise

from data_schemas.foundation.base import Record
from generators.scenes.timing.corpus import Conversation, CorpusError, Interval

#: Pieces of one speaker up to this far apart are one utterance: the silence of a long plosive is no
#: pause. CHOICE, the usual order of magnitude of pause thresholds (180 to 200 ms).
MERGE_GAP_S = 0.18
#: An utterance is like a backchannel when it lasts at most this long, the same speaker is silent this
#: long before and after it, and the other one has the floor on both sides. Isolated shortness is how
#: voice-activity-projection work finds backchannels (Ekstedt & Skantze 2022); the numbers are a CHOICE.
BACKCHANNEL_MAX_S = 1.0
BACKCHANNEL_ALONE_BEFORE_S = 1.0
BACKCHANNEL_ALONE_AFTER_S = 2.0

_US = 1_000_000  # whole microseconds: 1.1 + 0.2 and 1.3 must be one instant
_PAIR = 2
_SORTED_BY_STATE = ("floor_transfer", "gap", "overlap", "within_overlap", "pause")


class FloorTiming(Record):
    """Durations in seconds, each list in order of time, conversation after conversation."""

    conversations: int = 0
    speech_s: float = 0.0
    #: gaps as positive, between-speaker overlaps as negative numbers
    floor_transfer: tuple[float, ...] = ()
    gap: tuple[float, ...] = ()
    overlap: tuple[float, ...] = ()
    within_overlap: tuple[float, ...] = ()
    pause: tuple[float, ...] = ()
    backchannel: tuple[float, ...] = ()
    turn: tuple[float, ...] = ()
    #: silences and joint speech next to a simultaneous start or stop, see the module
    unclear: int = 0


class _State(Enum):
    NOBODY = 0
    FIRST = 1
    SECOND = 2
    BOTH = 3


_SOLO = (_State.FIRST, _State.SECOND)


class _Stretch(Record):
    """Microseconds ``[start, stop)`` of one speaker."""

    speaker: str
    start: int
    stop: int


def measure(conversations: Iterable[Conversation], merge_gap_s: float = MERGE_GAP_S) -> FloorTiming:
    """The timing of all conversations together.

    Raises:
        CorpusError: a conversation has not exactly two speakers; named with them.
    """
    parts = [_measure_one(conversation, merge_gap_s) for conversation in conversations]
    lists = (*_SORTED_BY_STATE, "backchannel", "turn")
    return FloorTiming(
        conversations=len(parts),
        speech_s=sum(part.speech_s for part in parts),
        unclear=sum(part.unclear for part in parts),
        **{name: tuple(value for part in parts for value in getattr(part, name)) for name in lists},
    )


def _measure_one(conversation: Conversation, merge_gap_s: float) -> FloorTiming:
    speakers = conversation.speakers
    if len(speakers) != _PAIR:
        raise CorpusError(
            f"{conversation.name}: has {len(speakers)} speaker{'' if len(speakers) == 1 else 's'} "
            f"({', '.join(speakers) or 'none'}) and the timing is that of two; "
            "leave this recording out, or name the two speakers to measure"
        )
    by_speaker = tuple(_merged(conversation.intervals, speaker, merge_gap_s) for speaker in speakers)
    found: dict[str, list[float]] = {
        name: [] for name in ("floor_transfer", "gap", "overlap", "within_overlap", "pause")
    }
    unclear = _walk(_states(*by_speaker), found)
    backchannels = _backchannels(by_speaker)
    return FloorTiming(
        conversations=1,
        speech_s=sum(each.stop - each.start for own in by_speaker for each in own) / _US,
        **{name: tuple(values) for name, values in found.items()},
        backchannel=tuple((each.stop - each.start) / _US for each in backchannels),
        turn=_turns(by_speaker, frozenset(backchannels)),
        unclear=unclear,
    )


def _merged(intervals: Sequence[Interval], speaker: str, merge_gap_s: float) -> tuple[_Stretch, ...]:
    """A speaker's utterances: ascending, disjoint, more than ``merge_gap_s`` apart."""
    own = sorted((round(i.start_s * _US), round(i.stop_s * _US)) for i in intervals if i.speaker == speaker)
    merged: list[tuple[int, int]] = []
    for start, stop in own:
        if merged and start - merged[-1][1] <= round(merge_gap_s * _US):
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        elif stop > start:
            merged.append((start, stop))
    return tuple(_Stretch(speaker=speaker, start=start, stop=stop) for start, stop in merged)


def _states(first: Sequence[_Stretch], second: Sequence[_Stretch]) -> list[tuple[_State, int]]:
    """What happened for how many microseconds, from the first word to the last; neighbours differ."""
    changes: dict[int, int] = {}
    for own, bit in ((first, _State.FIRST.value), (second, _State.SECOND.value)):
        for each in own:
            changes[each.start] = changes.get(each.start, 0) ^ bit
            changes[each.stop] = changes.get(each.stop, 0) ^ bit
    state, states = 0, []
    for start, stop in pairwise(sorted(changes)):
        state ^= changes[start]
        states.append((_State(state), stop - start))
    return states


def _walk(states: Sequence[tuple[_State, int]], found: dict[str, list[float]]) -> int:
    """Sort every silence and joint speech into its list; returns how many were unclear."""
    unclear = 0
    for index, (state, length) in enumerate(states):
        seconds = length / _US
        before = states[index - 1][0] if index else _State.NOBODY
        after = states[index + 1][0] if index + 1 < len(states) else _State.NOBODY
        if state in _SOLO:
            if before in _SOLO:  # one stopped as the other started
                found["floor_transfer"].append(0.0)
        elif before not in _SOLO or after not in _SOLO:
            unclear += 1
        elif state is _State.NOBODY and before is after:
            found["pause"].append(seconds)
        elif state is _State.NOBODY:
            found["gap"].append(seconds)
            found["floor_transfer"].append(seconds)
        elif before is after:
            found["within_overlap"].append(seconds)
        else:
            found["overlap"].append(seconds)
            found["floor_transfer"].append(-seconds)
    return unclear


def _backchannels(by_speaker: tuple[tuple[_Stretch, ...], ...]) -> tuple[_Stretch, ...]:
    found: list[_Stretch] = []
    for own, other in (by_speaker, by_speaker[::-1]):
        for index, each in enumerate(own):
            short = each.stop - each.start <= BACKCHANNEL_MAX_S * _US
            early = index == 0 or each.start - own[index - 1].stop >= BACKCHANNEL_ALONE_BEFORE_S * _US
            late = index + 1 == len(own) or own[index + 1].start - each.stop >= BACKCHANNEL_ALONE_AFTER_S * _US
            if short and early and late and _other_has_the_floor(each, own, index, other):
                found.append(each)
    return tuple(sorted(found, key=lambda each: each.start))


def _other_has_the_floor(each: _Stretch, own: Sequence[_Stretch], index: int, other: Sequence[_Stretch]) -> bool:
    """The other speaker is heard between this utterance and its speaker's neighbours, on both sides."""
    previous = own[index - 1].stop if index else -1
    following = own[index + 1].start if index + 1 < len(own) else None
    heard = bisect_left(other, each.start, key=lambda o: o.start)  # began before this utterance
    to_come = bisect_right(other, each.stop, key=lambda o: o.stop)  # the first to end after it
    before = heard > 0 and other[heard - 1].stop > previous
    after = to_come < len(other) and (following is None or other[to_come].start < following)
    return before and after


def _inside(each: _Stretch, other: Sequence[_Stretch]) -> bool:
    """Whether an utterance of the other speaker begins before this one and ends after it."""
    heard = bisect_left(other, each.start, key=lambda o: o.start)
    return heard > 0 and other[heard - 1].stop > each.stop


def _turns(by_speaker: tuple[tuple[_Stretch, ...], ...], backchannels: frozenset[_Stretch]) -> tuple[float, ...]:
    """From a speaker's first to last word before the other takes the floor, pauses included.

    Backchannel-like utterances, and utterances wholly inside one of the other's, take no floor.
    """
    first, second = by_speaker
    takes = [
        each
        for own, other in ((first, second), (second, first))
        for each in own
        if each not in backchannels and not _inside(each, other)
    ]
    takes.sort(key=lambda each: (each.start, each.stop, each.speaker))
    turns = [tuple(run) for _, run in groupby(takes, key=lambda each: each.speaker)]
    return tuple((run[-1].stop - run[0].start) / _US for run in turns)
