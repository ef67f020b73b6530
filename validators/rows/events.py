"""Events and the floor of a full-duplex row against its lines, to the sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem
from data_schemas.scene import EventKind, FloorHold
from data_schemas.tasks import Channel, Part, Role, Task
from validators.core.codes import Judge
from validators.core.measure import Span
from validators.core.thresholds import Thresholds
from validators.rows.lines import Line, judge_lines, lines_of, read_lines
from validators.rows.rows import EventRow, FloorRow, existing_file

VALIDATOR = "events/1"

#: Parts that are spoken without taking the floor; see `FloorHold`.
_FLOORLESS = frozenset({Part.BACKCHANNEL, Part.ASIDE})
#: Kinds that span the whole line that makes them.
_WHOLE_LINE = frozenset({EventKind.BARGE_IN, EventKind.BACKCHANNEL, EventKind.THIRD_PARTY, EventKind.ASIDE})
#: Kinds whose line is spoken wholly while its target sounds. A third party may also speak before everybody else.
_WITHIN_TARGET = frozenset({EventKind.BACKCHANNEL, EventKind.THIRD_PARTY, EventKind.ASIDE})
_LATER_THAN_TARGET = frozenset({EventKind.BARGE_IN, EventKind.OVERLAP, EventKind.TALK_OVER})
#: Kinds that span what two lines say at once.
_JOINT_SPEECH = frozenset({EventKind.OVERLAP, EventKind.TALK_OVER})
_STOPS = frozenset({EventKind.ASSISTANT_STOP, EventKind.USER_STOP})
#: Kinds that are about two lines, one of each party.
_PAIRS = _STOPS | {EventKind.BARGE_IN, EventKind.BACKCHANNEL, EventKind.OVERLAP, EventKind.TALK_OVER}
_SECONDS_DIGITS = 6  # places compare equal to the microsecond: far below one sample


def judge_events(found: FoundItem, root: Path, thresholds: Thresholds) -> Iterator[Finding]:
    """Lines, events and floor of the manifest's row; nothing about a row that has no such things."""
    judge = Judge(VALIDATOR, found.id, found.manifest)
    if found.task is Task.CONVERSATION and existing_file(found, root, "assistant") is None:
        yield judge.say("T2.ASSISTANT_LABELS", "the assistant's channel of a conversation does not exist")
    yield from judge_row(judge, found, thresholds)


def judge_row(judge: Judge, found: FoundItem, thresholds: Thresholds) -> Iterator[Finding]:
    """The same without looking for files."""
    row = read_lines(judge, found)
    if row is None or isinstance(row, Finding):
        yield from () if row is None else (row,)
        return
    lines = lines_of(row, thresholds.sample_rate_hz)
    wrong = tuple(judge_lines(judge, found.task, lines))
    yield from wrong
    if wrong:
        return  # what follows goes by these numbers
    if row.events is not None:
        bench = _Bench(judge, thresholds, {line.number: line for line in lines})
        for event in row.events:
            yield from bench.judge_event(event)
        yield from bench.judge_missing(row.events)
    if row.floor is not None:
        yield from judge_floor(judge, row.floor, lines, thresholds.sample_rate_hz)


@dataclass(frozen=True)
class _Bench:
    """The lines of one row, by number."""

    judge: Judge
    thresholds: Thresholds
    lines: Mapping[int, Line]

    def judge_event(self, event: EventRow) -> Iterator[Finding]:
        """Whether its lines exist and are of the right kind; if so, where it is and how long it took."""
        line, target = self.lines.get(event.line), self.lines.get(event.target or 0)
        wrong = _wrong_lines(event, line, target)
        if line is None or wrong is not None:
            yield self._say("T2.EVENT_LINES", event, str(wrong))
            return
        start, stop = self._samples(event.start), self._samples(event.stop)
        misplaced = _misplaced(event.kind, start, stop, line, target)
        if misplaced is not None:
            yield self._say("T2.EVENT_PLACE", event, misplaced)
        if target is not None:
            yield from self._latency(event, line, target)

    def _latency(self, event: EventRow, line: Line, target: Line) -> Iterator[Finding]:
        """How long after the start of an interruption the interrupted line ends."""
        limit = self.thresholds.max_stop_latency_s
        if event.kind is EventKind.BARGE_IN:
            silent_after = (target.stop - line.start) / self.thresholds.sample_rate_hz
            if not 0.0 <= silent_after <= limit:
                what = f"line {target.number} ends {silent_after:.4f} s after line {line.number} barges in"
                yield self._say("T2.EVENT_LATENCY", event, what, value=silent_after, threshold=limit)
        if event.kind in _STOPS:
            real = line.stop - target.start
            if event.latency is None or self._samples(event.latency) != real:
                real_s = real / self.thresholds.sample_rate_hz
                what = (
                    f"latency is {event.latency} s; line {line.number} ends {real_s:.7f} s after line {target.number}"
                )
                yield self._say("T2.EVENT_LATENCY", event, f"{what} begins", value=event.latency, threshold=real_s)

    def judge_missing(self, events: Sequence[EventRow]) -> Iterator[Finding]:
        """Lines that make an event, and lines that sound together, of which no event tells."""
        told = {(event.kind, event.line) for event in events}
        for line in self.lines.values():
            for kind in _events_made_by(line):
                if (kind, line.number) not in told:
                    yield self._missing(line, f"line {line.number} ({line.role}/{line.part}) makes no {kind} event")
            pauses = sum((event.kind, event.line) == (EventKind.PAUSE, line.number) for event in events)
            if line.channel is Channel.USER and pauses != line.breaks:
                yield self._missing(line, f"line {line.number} has {line.breaks} [break] and {pauses} pause events")
        pairs = {frozenset((event.line, event.target)) for event in events}
        for user in self.lines.values():
            for other in self.lines.values():
                if user.channel is not Channel.USER or other.channel is not Channel.ASSISTANT:
                    continue
                if user.meets(other) and frozenset((user.number, other.number)) not in pairs:
                    what = f"lines {user.number} and {other.number} sound together and no event tells of it"
                    yield self._missing(user, what)

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.thresholds.sample_rate_hz)

    def _say(
        self, code: str, event: EventRow, message: str, value: float | None = None, threshold: float | None = None
    ) -> Finding:
        span: Span = (event.start, event.stop)
        return self.judge.say(code, f"{event.kind}: {message}", span=span, value=value, threshold=threshold)

    def _missing(self, line: Line, message: str) -> Finding:
        rate = self.thresholds.sample_rate_hz
        return self.judge.say("T2.EVENT_MISSING", message, span=(line.start / rate, line.stop / rate))


def _wrong_lines(event: EventRow, line: Line | None, target: Line | None) -> str | None:
    """Why these lines cannot be part of such an event."""
    if line is None:
        return f"there is no line {event.line}"
    if event.target is not None and target is None:
        return f"there is no line {event.target} to be the target"
    if line.channel is not event.channel:
        return f"is on the {event.channel} channel and line {line.number} is not"
    if event.kind in _PAIRS and (target is None or target.channel is line.channel):
        return f"needs a line of the other party as its target, not {event.target}"
    if not _can_make(event.kind, line):
        return f"line {line.number} ({line.role}/{line.part}) cannot make it"
    if event.kind is EventKind.BARGE_IN and target is not None and not target.cut:
        return f"line {target.number}, which it interrupts, is not cut"
    return None


def _can_make(kind: EventKind, line: Line) -> bool:
    takes_floor = line.part not in _FLOORLESS and line.role is not Role.THIRD_PARTY
    rules = {
        EventKind.BARGE_IN: (line.role, line.part) == (Role.USER, Part.INTERRUPTION),
        EventKind.BACKCHANNEL: line.part is Part.BACKCHANNEL,
        EventKind.THIRD_PARTY: line.role is Role.THIRD_PARTY,
        EventKind.ASIDE: (line.role, line.part) == (Role.USER, Part.ASIDE),
        EventKind.ASSISTANT_STOP: line.role is Role.ASSISTANT and line.cut,
        EventKind.USER_STOP: line.role is Role.USER,
        EventKind.TALK_OVER: line.role is Role.ASSISTANT and takes_floor,
        EventKind.OVERLAP: takes_floor,
    }
    return rules.get(kind, True)


def _misplaced(kind: EventKind, start: int, stop: int, line: Line, target: Line | None) -> str | None:
    """Why an event of this kind cannot lie at samples ``[start, stop)``."""
    if kind in _WHOLE_LINE and (start, stop) != (line.start, line.stop):
        return f"does not span line {line.number}"
    if kind in _STOPS and not line.start < start < stop == line.stop:
        return f"does not end with line {line.number}"
    if kind in (EventKind.PAUSE, EventKind.FILLER) and not (start < stop and line.contains(start, stop)):
        return f"is not inside line {line.number}"
    return None if target is None else _misplaced_on(kind, start, stop, line, target)


def _misplaced_on(kind: EventKind, start: int, stop: int, line: Line, target: Line) -> str | None:
    """Why it cannot lie there on this target."""
    if kind in _WITHIN_TARGET and not target.contains(line.start, line.stop):
        return f"line {line.number} is not spoken while line {target.number} sounds"
    if kind in _LATER_THAN_TARGET and not target.start < line.start:
        return f"line {line.number} does not begin after line {target.number}"
    if kind in _JOINT_SPEECH and line.meets(target) != (start, stop):
        return f"is not where lines {line.number} and {target.number} sound together"
    return None


def _events_made_by(line: Line) -> tuple[EventKind, ...]:
    """Events that such a line always makes."""
    if line.cut:
        return (EventKind.ASSISTANT_STOP,)
    if line.part is Part.INTERRUPTION:
        return (EventKind.BARGE_IN,)
    if line.part is Part.BACKCHANNEL:
        return (EventKind.BACKCHANNEL,)
    if line.part is Part.ASIDE:
        return (EventKind.THIRD_PARTY if line.role is Role.THIRD_PARTY else EventKind.ASIDE,)
    return ()


def floor_of(lines: Sequence[Line]) -> tuple[FloorHold, ...]:
    """Who has the floor by the rule of `FloorHold`, worked out from the lines alone; samples, ascending."""
    takes = [line for line in lines if line.part not in _FLOORLESS and line.role is not Role.THIRD_PARTY]
    holds: list[FloorHold] = []
    for line in sorted(takes, key=lambda line: (line.start, line.stop)):
        free_from = holds[-1].stop if holds else 0
        if line.stop > free_from:
            holds.append(FloorHold(holder=line.channel, start=max(line.start, free_from), stop=line.stop))
    return tuple(holds)


def judge_floor(judge: Judge, floor: Sequence[FloorRow], lines: Sequence[Line], rate: int) -> Iterator[Finding]:
    """The row's floor: ascending and disjoint, and to the microsecond what the lines give."""
    for hold in floor:
        if not 0.0 <= hold.start < hold.stop:
            yield judge.say("T2.FLOOR", f"{hold.holder} holds the floor for no time", span=(hold.start, hold.stop))
            return
    for before, after in pairwise(floor):
        if after.start < before.stop:
            what = f"{before.holder} holds the floor until {before.stop} s and {after.holder} from {after.start} s"
            yield judge.say("T2.FLOOR", what, span=(after.start, before.stop))
            return
    have = [(hold.holder, round(hold.start, _SECONDS_DIGITS), round(hold.stop, _SECONDS_DIGITS)) for hold in floor]
    want = [
        (hold.holder, round(hold.start / rate, _SECONDS_DIGITS), round(hold.stop / rate, _SECONDS_DIGITS))
        for hold in floor_of(lines)
    ]
    if have == want:
        return
    number = next(
        (n for n, (own, other) in enumerate(zip(have, want, strict=False)) if own != other), min(len(have), len(want))
    )
    stated, right = _hold(have, number), _hold(want, number)
    yield judge.say("T2.FLOOR", f"hold {number} is {stated}; by the segments it is {right}")


def _hold(holds: Sequence[tuple[Channel, float, float]], number: int) -> str:
    if number >= len(holds):
        return "missing"
    holder, start, stop = holds[number]
    return f"{holder} {start} to {stop} s"
