"""Rules of full-duplex scripts: a reply long enough to be spoken into, events short enough to be events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from data_schemas.conversation import hosts
from data_schemas.script import Script
from data_schemas.speech_rate import spoken_seconds
from data_schemas.tasks import Part, Task
from validators.core.thresholds import Thresholds
from validators.text.problem import Problem
from validators.text.texts import Field, fields

#: Tasks without one line that the event is spoken into; those of a conversation follow from its lines.
_UNTOUCHED = frozenset({Task.PAUSE, Task.THIRD_PARTY_BEFORE, Task.CONVERSATION})


def spoken_into(task: Task) -> Part | None:
    """The reply during which the task's event happens (FORMATS.md B.3); None where there is none."""
    if task in _UNTOUCHED:
        return None
    return Part.SECOND_REPLY if task is Task.SPEECH_TO_OTHERS else Part.REPLY


def duplex_problems(script: Script, field: Field, thresholds: Thresholds) -> Iterator[Problem]:
    """Length of one line of a full-duplex script for the part it plays."""
    if field.part is None:
        return
    seconds = round(spoken_seconds(field.text, script.language), 1)
    if field.part is spoken_into(script.task) and seconds < thresholds.min_interrupted_reply_s:
        yield Problem(
            "SCRIPT.REPLY_SHORT",
            f"takes about {seconds} s to say; to be spoken into after some 5 s it needs "
            f"{thresholds.min_interrupted_reply_s:g} s",
            seconds,
            thresholds.min_interrupted_reply_s,
        )
    limits = {
        Part.INTERRUPTION: thresholds.max_interruption_s,
        Part.ASIDE: thresholds.max_interruption_s,
        Part.BACKCHANNEL: thresholds.max_backchannel_s,
    }
    limit = limits.get(field.part)
    if limit is not None and seconds > limit:
        yield Problem(
            "SCRIPT.EVENT_LONG",
            f"takes about {seconds} s to say; {limit:g} s at most for this part ({field.part})",
            seconds,
            limit,
        )


def conversation_problems(script: Script, thresholds: Thresholds) -> Iterator[tuple[str, Problem]]:
    """(where, problem): lines of a conversation too short for all that is spoken into them.

    Each backchannel and each interruption needs ``min_conversation_host_s`` of the line it falls into.
    """
    if script.task is not Task.CONVERSATION:
        return
    guests = Counter(host for host in hosts(script.planned_lines) if host is not None)
    for number, field in enumerate(fields(script), start=1):
        needed = guests[number] * thresholds.min_conversation_host_s
        seconds = round(spoken_seconds(field.text, script.language), 1)
        if seconds < needed:
            what = f"{guests[number]} line{'s' if guests[number] > 1 else ''} spoken into it"
            clause = f"takes about {seconds} s to say; with {what} it needs {needed:g} s"
            yield field.name, Problem("SCRIPT.REPLY_SHORT", clause, seconds, needed)
