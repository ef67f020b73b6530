"""The lines of a full-duplex row by number, in samples, and whether they are those of the sub-task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data_schemas.conversation import PlannedLine, check_conversation, conversation_turns
from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import LINES_OF_TASK, TURNS_OF_TASK, Channel, Part, Role, Task
from validators.core.codes import Judge
from validators.rows.rows import AssistantLineRow, LinesRow, UserLineRow, view


@dataclass(frozen=True)
class Line:
    """One line of the script as it is heard: samples ``[start, stop)``, pauses included."""

    number: int
    channel: Channel
    role: Role
    part: Part
    start: int
    stop: int
    cut: bool = False  # known of the assistant's lines
    breaks: int = 0

    def contains(self, start: int, stop: int) -> bool:
        return self.start <= start <= stop <= self.stop

    def meets(self, other: Line) -> tuple[int, int] | None:
        """The samples in which both sound, if there are any."""
        start, stop = max(self.start, other.start), min(self.stop, other.stop)
        return (start, stop) if start < stop else None


def read_lines(judge: Judge, found: FoundItem) -> LinesRow | Finding | None:
    """Lines, events and floor of the row; None where the row numbers no lines (data sets that are not ours)."""
    if found.task is Task.CONVERSATION and not found.row.get("assistant_segments"):
        return judge.say("T2.ASSISTANT_LABELS", f"line {found.line}: the row labels nothing the assistant says")
    if not (_are_numbered(found.row.get("speech_segments")) or found.task is Task.CONVERSATION):
        return None
    row = view(LinesRow, found.row)
    return judge.say("T2.EVENT_FIELDS", f"line {found.line}: {row}") if isinstance(row, str) else row


def _are_numbered(segments: object) -> bool:
    return isinstance(segments, list) and any(isinstance(each, dict) and "line" in each for each in segments)


def lines_of(row: LinesRow, rate: int) -> tuple[Line, ...]:
    """In order of their numbers; pieces of one line of the assistant that follow each other are one."""
    lines = [_user_line(segment, rate) for segment in row.speech_segments]
    for segment in row.assistant_segments:
        line = _assistant_line(segment, rate)
        before = lines[-1]
        same = (before.channel, before.number, before.part) == (line.channel, line.number, line.part)
        if same and line.start >= before.stop and not before.cut:
            lines[-1] = Line(line.number, line.channel, line.role, line.part, before.start, line.stop, line.cut)
        else:
            lines.append(line)
    return tuple(sorted(lines, key=lambda line: (line.number, line.start)))


def _user_line(segment: UserLineRow, rate: int) -> Line:
    return Line(
        number=segment.line,
        channel=Channel.USER,
        role=segment.role,
        part=segment.part,
        start=round(segment.xmin * rate),
        stop=round(segment.xmax * rate),
        breaks=segment.text.count(BREAK_TAG),
    )


def _assistant_line(segment: AssistantLineRow, rate: int) -> Line:
    return Line(
        number=segment.line,
        channel=Channel.ASSISTANT,
        role=Role.ASSISTANT,
        part=segment.part,
        start=round(segment.xmin * rate),
        stop=round(segment.xmax * rate),
        cut=segment.cut,
    )


def judge_lines(judge: Judge, task: Task, lines: Sequence[Line]) -> Iterator[Finding]:
    """Every line once, and such lines as the sub-task's scripts have."""
    numbers = [line.number for line in lines]
    if numbers != list(range(1, len(lines) + 1)):
        yield judge.say("T2.LINES", f"lines are numbered {', '.join(map(str, numbers))}; each must be there once")
        return
    planned = [PlannedLine(role=line.role, part=line.part) for line in lines]
    if task is not Task.CONVERSATION:
        if tuple((line.role, line.part) for line in lines) != LINES_OF_TASK[task]:
            have = ", ".join(f"{line.role}/{line.part}" for line in lines)
            yield judge.say("T2.LINES", f"lines are {have}; {task} has others")
        return
    turns, allowed = conversation_turns(planned), TURNS_OF_TASK[task]
    if turns not in allowed:
        yield judge.say(
            "T2.TURN_COUNT",
            f"the user takes the floor {turns} times; {min(allowed)} to {max(allowed)} are a conversation",
            value=turns,
            threshold=min(allowed) if turns < min(allowed) else max(allowed),
        )
    try:
        check_conversation(planned)
    except ValueError as error:
        yield judge.say("T2.LINES", str(error))
