"""The transition model: which emotion follows which, how strongly, and by what kind of event."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from data_schemas.emotions import DEEPDIALOGUE, Emotion
from data_schemas.foundation.base import Record
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.plan import EMPATHY_NON_NEUTRAL_TURNS, QUESTION_TASKS
from data_schemas.tasks import Task

#: Relative weights of intensities 1, 2 and 3: stories are told about middling to strong feelings (CHOICE).
INTENSITY_WEIGHTS: tuple[float, ...] = (0.2, 0.45, 0.35)


class EventKind(StrEnum):
    """What happens to a person between one emotion and the next."""

    GAIN = "gain"
    LOSS = "loss"
    THREAT = "threat"
    RELIEF = "relief"
    INJUSTICE = "injustice"
    BETRAYAL = "betrayal"
    REVELATION = "revelation"
    MISTAKE = "mistake"
    HELP = "help"
    DISAPPOINTMENT = "disappointment"
    REPULSION = "repulsion"
    MEMORY = "memory"
    QUARREL = "quarrel"
    CALM = "calm"


class Change(NamedTuple):
    """How often an emotion comes next, relative to the others of its row, and what can bring it about."""

    weight: float
    kinds: tuple[EventKind, ...]


Row = dict[Emotion, Change]


class Transitions(Record):
    """The whole model; every row holds all seven emotions."""

    #: the first turn of a story
    opening: Row
    #: by the emotion before
    after: dict[Emotion, Row]
    #: which kinds of event go with each of the twenty fine emotions
    shades: dict[str, tuple[EventKind, ...]]

    def kinds(self, before: Emotion | None, after: Emotion) -> tuple[EventKind, ...]:
        """What can bring about ``after``; ``before`` is None for the opening turn."""
        return (self.opening if before is None else self.after[before])[after].kinds


@cache
def load_transitions() -> Transitions:
    """The shipped model."""
    raw = load_yaml(
        files("generators.plans").joinpath("transitions.yaml").read_text(encoding="utf-8"), "transitions.yaml"
    )
    return Transitions(
        opening=raw["opening"], shades=raw["shades"], after={emotion: raw[emotion.value] for emotion in Emotion}
    )


def draw_trajectory(task: Task, turns: int, transitions: Transitions, rng: np.random.Generator) -> tuple[Emotion, ...]:
    """Emotions of ``turns`` turns that obey FORMATS.md A.5."""
    if task is Task.RECOGNITION:
        return (_choose(dict.fromkeys(Emotion, 1.0), rng),)
    if task is Task.EMPATHY:
        return _draw_empathy(turns, transitions, rng)
    if task not in QUESTION_TASKS:
        raise ValueError(f"{task} has no emotion trajectory")
    told = [_choose(_weights(transitions.opening), rng)]
    while len(told) < turns - 1:
        weights = _weights(transitions.after[told[-1]])
        if len(told) == turns - 2 and len(set(told)) == 1:
            weights[told[-1]] = 0.0  # the last chance for the one change the task asks about
        told.append(_choose(weights, rng))
    return (*told, Emotion.NEUTRAL)


def trajectory_kinds(
    task: Task, emotions: tuple[Emotion, ...], transitions: Transitions
) -> tuple[tuple[EventKind, ...], ...]:
    """What can happen in each told turn; () where nothing does.

    In empathy dialogues only the two emotional turns have events, and the second follows from the
    first over the neutral turns between them.
    """
    if task is Task.EMPATHY:
        return _empathy_kinds(emotions, transitions)
    told = emotions[:-1] if task in QUESTION_TASKS else emotions
    return tuple(transitions.kinds(told[turn - 1] if turn else None, now) for turn, now in enumerate(told))


def draw_intensity(emotion: Emotion, rng: np.random.Generator) -> int:
    """0 for neutral, else 1 to 3."""
    if emotion.is_neutral:
        return 0
    return 1 + _weighted(INTENSITY_WEIGHTS, rng)


def shades_of(emotion: Emotion, kind: EventKind, transitions: Transitions) -> tuple[str, ...]:
    """The fine emotions of a label that go with an event; can be empty."""
    return tuple(fine for fine, label in DEEPDIALOGUE.items() if label is emotion and kind in transitions.shades[fine])


def _draw_empathy(turns: int, transitions: Transitions, rng: np.random.Generator) -> tuple[Emotion, ...]:
    """Exactly two non-neutral turns, the second among the last two."""
    second = int(rng.integers(max(1, turns - 2), turns))
    first = int(rng.integers(0, second))
    feeling = _choose(_weights(transitions.opening) | {Emotion.NEUTRAL: 0.0}, rng)
    next_feeling = _choose(_weights(transitions.after[feeling]) | {Emotion.NEUTRAL: 0.0}, rng)
    labels = [Emotion.NEUTRAL] * turns
    labels[first], labels[second] = feeling, next_feeling
    if sum(not label.is_neutral for label in labels) != EMPATHY_NON_NEUTRAL_TURNS:
        raise RuntimeError("an empathy trajectory was drawn wrongly")
    return tuple(labels)


def _empathy_kinds(emotions: tuple[Emotion, ...], transitions: Transitions) -> tuple[tuple[EventKind, ...], ...]:
    before: Emotion | None = None
    kinds: list[tuple[EventKind, ...]] = []
    for turn, emotion in enumerate(emotions):
        if emotion.is_neutral:
            kinds.append(())
            continue
        calm_start = Emotion.NEUTRAL if turn and before is None else before
        kinds.append(transitions.kinds(calm_start, emotion))
        before = emotion
    return tuple(kinds)


def _weights(row: Row) -> dict[Emotion, float]:
    return {emotion: change.weight for emotion, change in row.items()}


def _choose(weights: dict[Emotion, float], rng: np.random.Generator) -> Emotion:
    labels = sorted(label for label, weight in weights.items() if weight > 0)
    return labels[_weighted([weights[label] for label in labels], rng)]


def _weighted(weights: Sequence[float], rng: np.random.Generator) -> int:
    """A place in ``weights`` (all above 0); ten times as fast as ``rng.choice`` for a handful of them."""
    target = rng.random() * sum(weights)
    return min(bisect_right(list(accumulate(weights)), target), len(weights) - 1)
