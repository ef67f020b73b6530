"""Conversations beyond the test format: which lines may follow which.

    query -> [assistant's backchannels] -> reply -> [user's backchannels] -> query | interruption | end

A `query` takes the floor when the reply before it has ended, an `interruption` barges into it; both
are answered by a `reply`. Backchannels are spoken while the other party's line before them sounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from data_schemas.foundation.base import Record
from data_schemas.tasks import Part, Role


class PlannedLine(Record):
    """Who speaks, and what for."""

    role: Role
    part: Part


#: Lines of the user that take the floor: each is one turn.
USER_TURNS: frozenset[Part] = frozenset({Part.QUERY, Part.INTERRUPTION})
_USER = tuple((Role.USER, part) for part in (Part.QUERY, Part.INTERRUPTION))
_REPLY = (Role.ASSISTANT, Part.REPLY)
_LISTENS = (Role.ASSISTANT, Part.BACKCHANNEL)
_AGREES = (Role.USER, Part.BACKCHANNEL)


def conversation_turns(lines: Sequence[PlannedLine]) -> int:
    """How often the user takes the floor."""
    return sum(line.part in USER_TURNS for line in lines)


def check_conversation(lines: Sequence[PlannedLine]) -> None:
    """That the lines are a conversation.

    Raises:
        ValueError: naming the first line that cannot stand where it does.
    """
    allowed: tuple[tuple[Role, Part], ...] = ((Role.USER, Part.QUERY),)
    for number, line in enumerate(lines, start=1):
        have = (line.role, line.part)
        if have not in allowed:
            names = " or ".join(f"{role}/{part}" for role, part in allowed)
            raise ValueError(f"line {number} of a conversation is {line.role}/{line.part} and must be {names}")
        to_be_answered = have in _USER or have == _LISTENS
        allowed = (_LISTENS, _REPLY) if to_be_answered else (_AGREES, *_USER)
    if len(lines) == 0 or _REPLY in allowed:
        raise ValueError("a conversation ends with a reply of the assistant (backchannels may follow it)")


def hosts(lines: Sequence[PlannedLine]) -> tuple[int | None, ...]:
    """For every line the number (from 1) of the line it is spoken into: backchannels and interruptions; else None."""
    found: list[int | None] = []
    floor = 0
    for number, line in enumerate(lines, start=1):
        into = line.part in (Part.BACKCHANNEL, Part.INTERRUPTION)
        found.append(floor if into else None)
        if line.part is not Part.BACKCHANNEL:
            floor = number
    return tuple(found)
