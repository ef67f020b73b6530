"""An outline as a person reads it."""

from __future__ import annotations

from data_schemas.conversation import hosts
from data_schemas.plan import QUESTION_TASKS, EmotionStep, Outline

_LABEL_WIDTH = 10


def describe(outline: Outline) -> str:
    """A few lines of text: what it is about, who talks, turn by turn. No line break at the end."""
    lines = [f"{outline.task}, {outline.language}, {outline.turns} turn{'s' if outline.turns > 1 else ''}"]
    lines.append(_line("about", outline.domain))
    brief = outline.brief
    if brief is not None:
        who = brief.persona
        lines.append(_line("who", f"{who.name}, {who.gender}, {who.age}, {who.job}, {who.region}; {who.style}"))
        if brief.theme is not None:
            lines.append(_line("theme", f"{brief.theme}: {brief.counterpart}"))
        lines += [_line("where", brief.setting), _line("opens", brief.opening)]
    events = brief.events if brief is not None else ()
    for turn, step in enumerate(outline.emotions, start=1):
        if outline.task in QUESTION_TASKS and turn == outline.turns:
            lines.append(_line(f"turn {turn}", "the question" + (f": {brief.question}" if brief else "")))
            continue
        event = events[turn - 1] if turn <= len(events) else ""
        lines.append(_line(f"turn {turn}", _emotion(step) + (f": {event}" if event else "")))
    into = hosts(outline.lines)
    for number, line in enumerate(outline.lines, start=1):
        said = f"{line.role} {line.part}" + (f" into line {into[number - 1]}" if into[number - 1] else "")
        lines.append(_line(f"line {number}", said))
    if outline.root_cause is not None:
        lines.append(_line("behind it", outline.root_cause))
    if brief is not None and brief.cue is not None:
        lines.append(_line("cue", brief.cue))
    return "\n".join(lines)


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL_WIDTH}}{text}"


def _emotion(step: EmotionStep) -> str:
    text = str(step.emotion)
    if step.intensity:
        text += f" {step.intensity}"
    if step.fine_emotion is not None and step.fine_emotion != step.emotion:
        text += f" ({step.fine_emotion})"
    if step.text_emotion is not None:
        text += f", words say {step.text_emotion}"
    return text
