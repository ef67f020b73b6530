"""Praat TextGrid (long text format, UTF-8): utterances, events and words of a scene."""

from __future__ import annotations

from collections.abc import Sequence

from data_schemas.tasks import Role
from flows.exports.reading.timeline import Timeline
from flows.exports.writing.common import TIME_DECIMALS, Word

EVENTS = "events"
FLOOR = "floor"


def words_tier(role: Role, measured: bool) -> str:
    """The tier's name says whether its times are the engine's or a guess."""
    return f"{role} words" if measured else f"{role} words (proportional)"


def textgrid(timeline: Timeline) -> str:
    """Interval tiers ``user``, ``assistant``, ``third_party``, a point tier ``events``, word tiers, ``floor``.

    A role has a tier ``<role> words`` where its lines have the engine's word times and ``<role> words
    (proportional)`` for lines that have none (an empty one where it says nothing). ``floor`` holds who had it.

    Utterances hold the text as it stands in the row, tags included; a cut reply holds what is heard.
    Events are points, since they may overlap: ``barge_in user start`` and ``barge_in user stop``, with
    ``latency=S`` (seconds) where it is known; marks of one moment are joined by ``; ``.
    """
    tiers = [
        _intervals(role, [Word(line.text, *line.span) for line in timeline.lines_of(role)], timeline.duration)
        for role in Role
    ]
    tiers.append(_points(EVENTS, _event_marks(timeline), timeline.duration))
    for role in Role:
        for measured in _kinds_of_words(timeline, role):
            words = [
                word
                for line in timeline.lines_of(role)
                if (line.words is not None) is measured
                for word in timeline.words_of(line)
                if word.start < word.stop
            ]
            tiers.append(_intervals(words_tier(role, measured), words, timeline.duration))
    if timeline.floor:
        held = [Word(hold.holder, hold.start, hold.stop) for hold in timeline.floor]
        tiers.append(_intervals(FLOOR, held, timeline.duration))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_number(timeline.duration)}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, tier in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", *(f"        {line}" for line in tier)]
    return "\n".join(lines) + "\n"


def _kinds_of_words(timeline: Timeline, role: Role) -> tuple[bool, ...]:
    """Whether there are measured words, and whether there are others."""
    kinds = {line.words is not None for line in timeline.lines_of(role)} or {False}
    return tuple(sorted(kinds, reverse=True))


def _event_marks(timeline: Timeline) -> dict[float, str]:
    """Moment -> mark, ascending."""
    marks: dict[float, list[str]] = {}
    for event in timeline.events:
        latency = "" if event.latency is None else f" latency={_number(event.latency)}"
        what = f"{event.kind} {event.channel}"
        if event.start == event.stop:
            marks.setdefault(event.start, []).append(f"{what}{latency}")
        else:
            marks.setdefault(event.start, []).append(f"{what} start")
            marks.setdefault(event.stop, []).append(f"{what} stop{latency}")
    return {moment: "; ".join(marks[moment]) for moment in sorted(marks)}


def _intervals(name: str, labels: Sequence[Word], duration: float) -> list[str]:
    """A tier from 0 to ``duration`` without holes: what lies between two labels is an empty interval."""
    filled: list[Word] = []
    reached = 0.0
    for label in labels:
        if label.start > reached:
            filled.append(Word("", reached, label.start))
        filled.append(label)
        reached = label.stop
    if reached < duration:
        filled.append(Word("", reached, duration))
    lines = _head("IntervalTier", name, duration, f"intervals: size = {len(filled)}")
    for number, label in enumerate(filled, start=1):
        lines += [
            f"intervals [{number}]:",
            f"    xmin = {_number(label.start)}",
            f"    xmax = {_number(label.stop)}",
            f"    text = {_quoted(label.text)}",
        ]
    return lines


def _points(name: str, marks: dict[float, str], duration: float) -> list[str]:
    lines = _head("TextTier", name, duration, f"points: size = {len(marks)}")
    for number, (moment, mark) in enumerate(marks.items(), start=1):
        lines += [f"points [{number}]:", f"    number = {_number(moment)}", f"    mark = {_quoted(mark)}"]
    return lines


def _head(kind: str, name: str, duration: float, size: str) -> list[str]:
    return [f'class = "{kind}"', f"name = {_quoted(name)}", "xmin = 0", f"xmax = {_number(duration)}", size]


def _number(value: float) -> str:
    """
    >>> _number(26.035), _number(3.0)
    ('26.035', '3')
    """
    return f"{value:.{TIME_DECIMALS}f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    """Praat doubles quotes; a line break would end the entry for many readers.

    >>> _quoted('say "hi"')
    '"say ""hi\"""'
    """
    return '"' + " ".join(text.split()).replace('"', '""') + '"'
