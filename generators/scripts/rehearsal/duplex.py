"""Rehearsal scripts of Track 2: a question on a topic, an answer long enough to be spoken into, and an event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data_schemas.conversation import USER_TURNS
from data_schemas.plan import Outline
from data_schemas.script import ScriptLine
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import LINES_OF_TASK, SUB_TASKS, TURNS_OF_TASK, Part, Role, Task
from generators.scripts.rehearsal.teller import Teller

#: What draws queries and replies from the same pools: the sub-tasks, and the second reply of one of them. Their
#: ordinals are interleaved, so that no two of them say the same.
_SITES = (*SUB_TASKS, Part.SECOND_REPLY)
#: How a user takes the floor after the first turn of a conversation.
_BARGES = (Task.FOLLOW_UP, Task.NEGATION, Task.REPETITION, Task.TOPIC_SWITCH)
#: Where such an interruption comes: in its own sub-task (None), and as which of how many turns of a conversation.
_BARGE_SITES = (None, *((turns, turn) for turns in TURNS_OF_TASK[Task.CONVERSATION] for turn in range(2, turns + 1)))


def write_lines(teller: Teller, outline: Outline, topics: Sequence[str]) -> tuple[ScriptLine, ...]:
    """The lines of a full-duplex script.

    Args:
        topics: what people talk about in the outline's domain.
    """
    topic = teller.one("topic", topics)
    if outline.task is Task.CONVERSATION:
        return tuple(_conversation(teller, outline, topics))
    return tuple(
        ScriptLine(role=role, part=part, text=_text(teller, outline.task, role, part, topic))
        for role, part in LINES_OF_TASK[outline.task]
    )


def _text(teller: Teller, task: Task, role: Role, part: Part, topic: str) -> str:
    own = teller.wording.duplex
    if part is Part.QUERY:
        text = _pause(teller, topic) if task is Task.PAUSE else _query(teller, task, topic)
    elif part is Part.REPLY:
        text = _reply(teller, task, topic)
    elif part is Part.SECOND_QUERY:
        text = teller.say("second-query", own.second_queries)
    elif part is Part.SECOND_REPLY:
        text = _second_reply(teller, task, topic)
    elif part is Part.BACKCHANNEL:
        text = teller.one("backchannel", own.backchannels)
    elif task in _BARGES:
        text = _barge(teller, task, None)
    else:
        text = teller.say("event", own.events[task])
    return teller.sentence(text)


def _barge(teller: Teller, task: Task, site: tuple[int, int] | None) -> str:
    ordinal = teller.ordinal * len(_BARGE_SITES) + _BARGE_SITES.index(site)
    return teller.say(f"event/{task}", teller.wording.duplex.events[task], ordinal)


def _own(teller: Teller, site: Task | Part) -> int:
    return teller.ordinal * len(_SITES) + _SITES.index(site)


def _query(teller: Teller, site: Task, topic: str) -> str:
    own = teller.wording.duplex
    context = teller.say("context", own.contexts, _own(teller, site))
    return _asked(teller, context, teller.say("ask", own.asks, topic=topic), teller.say("urge", own.urges))


def _asked(teller: Teller, context: str, ask: str, urge: str) -> str:
    return f"{context}{ask}{teller.wording.forms.gap}{urge}"


def _pause(teller: Teller, topic: str) -> str:
    own = teller.wording.duplex
    tail = teller.say("pause-tail", own.pause_tails, topic=topic)
    return f"{teller.say('pause-head', own.pause_heads)} {BREAK_TAG} {tail}"


def _reply(teller: Teller, site: Task | Part, topic: str) -> str:
    own, ordinal = teller.wording.duplex, _own(teller, site)
    tips = (("tip-a", own.tips_a), ("tip-b", own.tips_b), ("tip-c", own.tips_c))
    lead = teller.say(f"lead/{site}", own.leads, topic=topic)
    return lead + "".join(teller.say(name, frames, ordinal) for name, frames in tips)


def _second_reply(teller: Teller, task: Task, topic: str) -> str:
    own = teller.wording.duplex
    if task is Task.SILENCE:
        return teller.say("stop", own.stops)
    if task is Task.SPEECH_TO_OTHERS:
        return _reply(teller, Part.SECOND_REPLY, topic)
    return teller.say("second-lead", own.second_leads[task]) + teller.say("hint", own.hints)


def _conversation(teller: Teller, outline: Outline, topics: Sequence[str]) -> Iterator[ScriptLine]:
    own = teller.wording.duplex
    turn = 0
    for number, line in enumerate(outline.lines, start=1):
        turn += line.part in USER_TURNS
        topic = teller.one(f"topic/{number}", topics)
        if line.part is Part.BACKCHANNEL:
            pool = own.backchannels if line.role is Role.USER else own.assistant_backchannels
            text = teller.one(f"backchannel/{number}", pool)
        elif line.part is Part.INTERRUPTION:
            barge = teller.one(f"barge/{number}", _BARGES)
            text = _barge(teller, barge, (outline.turns, turn))
        elif line.part is Part.REPLY:
            pools = (own.leads, own.tips_a, own.tips_b, own.tips_c)
            text = "".join(teller.say(f"reply/{number}/{at}", pool, topic=topic) for at, pool in enumerate(pools))
        else:
            context = teller.say(f"context/{number}", own.contexts)
            ask = teller.say(f"ask/{number}", own.asks, topic=topic)
            text = _asked(teller, context, ask, teller.say(f"urge/{number}", own.urges))
        yield ScriptLine(role=line.role, part=line.part, text=teller.sentence(text))
