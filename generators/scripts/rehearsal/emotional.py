"""Rehearsal scripts of Track 1: what happened, how it felt, and a reply that names the feelings in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from data_schemas.emotions import NAMES, Emotion
from data_schemas.plan import QUESTION_TASKS, EmotionStep, Outline
from data_schemas.script import ScriptTurn
from data_schemas.tasks import TRACK1_TASKS, TURNS_OF_TASK, Task
from generators.scripts.rehearsal.teller import Teller
from generators.scripts.rehearsal.wording import TOLD, WHAT, WHO

#: Every turn in which something is told, of every task: their ordinals are interleaved, so that no two of them tell
#: an event with the same words.
_SITES = tuple(
    (task, turns, turn)
    for task in Task
    if task in TRACK1_TASKS
    for turns in TURNS_OF_TASK[task]
    for turn in range(1, turns + (task not in QUESTION_TASKS))
)
#: One line in so many carries a vocal tag (CHOICE).
_TAG_EVERY = 8
_TAGS = {Emotion.SAD: "[sigh]", Emotion.HAPPY: "[laughter]", Emotion.NEUTRAL: "[clears throat]"}


class _Event(NamedTuple):
    """What happened in one turn."""

    said: str
    told: str
    person: str
    thing: str


def write_turns(teller: Teller, outline: Outline, setting: str) -> tuple[ScriptTurn, ...]:
    """A turn for every emotion of the outline.

    Args:
        setting: place and moment of the first turn.
    """
    asks = outline.task in QUESTION_TASKS
    steps = outline.emotions[:-1] if asks else outline.emotions
    told = tuple(enumerate(steps, start=1))
    events = [_event(teller, outline, turn, step) for turn, step in told]
    turns = [_turn(teller, turn, step, event, setting) for (turn, step), event in zip(told, events, strict=True)]
    if asks:
        question = teller.say("question-lead", teller.wording.emotional.question_leads) + teller.say(
            f"question/{outline.turns}",
            teller.wording.emotional.questions[outline.task],
            thing=events[0].thing,
            person=events[1].person,
            item=events[1].thing,
        )
        last = outline.emotions[-1]
        turns.append(
            ScriptTurn(
                text=teller.sentence(question),
                emotion=last.emotion,
                intensity=last.intensity,
                cause=teller.wording.forms.question_cause,
                response_text=_answer(teller, outline, steps, events),
            )
        )
    return tuple(turns)


def _event(teller: Teller, outline: Outline, turn: int, step: EmotionStep) -> _Event:
    emotion = _in_words(step)
    frames = teller.wording.emotional.events[emotion]
    site = _SITES.index((outline.task, outline.turns, turn))
    filled = teller.fill(f"event/{emotion}", frames, teller.ordinal * len(_SITES) + site)
    said, _, told = frames[filled.frame].partition(TOLD)
    words = filled.words
    return _Event(said.format(**words), told.format(**words), words[WHO], words[WHAT])


def _turn(teller: Teller, turn: int, step: EmotionStep, event: _Event, setting: str) -> ScriptTurn:
    return ScriptTurn(
        text=_line(teller, turn, step, event, setting),
        emotion=step.emotion,
        intensity=step.intensity,
        cause=event.told,
        response_text=_reply(teller, turn, step, event),
        fine_emotion=step.fine_emotion,
        text_emotion=step.text_emotion,
    )


def _line(teller: Teller, turn: int, step: EmotionStep, event: _Event, setting: str) -> str:
    own, forms = teller.wording.emotional, teller.wording.forms
    emotion = _in_words(step)
    aside = teller.say(f"aside/{turn}", own.asides)
    reaction = teller.say(f"reaction/{turn}/{emotion}", own.reactions[emotion])
    if turn == 1:
        opener = teller.say("opener", own.openers)
        text = forms.first_line.format(opener=opener, setting=setting, event=event.said, aside=aside, reaction=reaction)
    else:
        link = teller.say(f"link/{turn}", own.links)
        text = forms.later_line.format(link=link, event=event.said, aside=aside, reaction=reaction)
    tag = _TAGS.get(step.emotion)
    tagged = tag is not None and teller.one(f"tag/{turn}", range(_TAG_EVERY)) == 0
    return teller.sentence(text) + (f"{forms.gap}{tag}" if tagged else "")


def _reply(teller: Teller, turn: int, step: EmotionStep, event: _Event) -> str:
    own = teller.wording.emotional
    emotion = _in_words(step)
    comfort = teller.say(f"comfort/{turn}/{emotion}", own.comfort[emotion], told=event.told)
    return teller.sentence(teller.wording.forms.gap.join((comfort, teller.say(f"ask/{turn}", own.asks))))


def _in_words(step: EmotionStep) -> Emotion:
    """What the words say, whatever the voice does."""
    return step.text_emotion or step.emotion


def _answer(teller: Teller, outline: Outline, steps: Sequence[EmotionStep], events: Sequence[_Event]) -> str:
    """The last reply: every feeling by its name, in order, and what is behind it where that is asked."""
    own = teller.wording.emotional
    parts = [teller.say("answer", own.question_replies)]
    for number, (step, event) in enumerate(zip(steps, events, strict=True)):
        frames = own.next_steps if number else own.first_steps
        feel = NAMES[outline.language][step.emotion][0]
        parts.append(teller.say(f"step/{number}", frames, told=event.told, feel=feel))
    if outline.root_cause is not None:
        parts.append(teller.say("behind", own.behind, cause=outline.root_cause))
    else:
        parts.append(teller.say("closing", own.closings))
    return teller.sentence(teller.wording.forms.gap.join(parts))
