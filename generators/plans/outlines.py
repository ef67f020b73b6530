"""Two sources of outlines: drawn by a transition model, or read off frozen scripts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Protocol

import numpy as np
import yaml

from data_schemas.emotions import Emotion
from data_schemas.plan import EMPATHY_NON_NEUTRAL_TURNS, QUESTION_TASKS, EmotionStep, Outline, QuotaCell
from data_schemas.randomness import named_generator
from data_schemas.script import Script
from data_schemas.tasks import Language, Task, Track
from generators.plans.quotas import QuotaImpossible

Transitions = dict[Emotion, dict[Emotion, float]]

#: Relative weights of intensities 1, 2 and 3: stories are told about middling to strong feelings (CHOICE).
INTENSITY_WEIGHTS: tuple[float, ...] = (0.2, 0.45, 0.35)
#: First-turn weight of neutral; every other emotion weighs 1 (CHOICE: one story in seven opens calmly).
OPENING_NEUTRAL_WEIGHT = 1.0

DEFAULT_DOMAINS: tuple[str, ...] = (
    "workplace",
    "family",
    "travel",
    "school",
    "food",
    "health",
    "sports",
    "shopping",
    "pets",
    "housing",
)


class OutlineSource(Protocol):
    """Hands out outlines; never the same one twice over the life of the source."""

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        """``count`` new outlines for a cell.

        Raises:
            QuotaImpossible: the source has too few left.
        """
        ...


class ScriptOutlines:
    """Each frozen script at most once, over all splits and rounds.

    What is handed out is a pure function of (scripts, seed, the requests so far).
    """

    def __init__(self, scripts: Sequence[Script], seed: int) -> None:
        self._waiting: dict[tuple[Task, Language, int], list[Outline]] = {}
        for script in scripts:
            outline = script.outline()
            self._waiting.setdefault((outline.task, outline.language, outline.turns), []).append(outline)
        self._held = {place: len(outlines) for place, outlines in self._waiting.items()}
        for (task, language, turns), outlines in self._waiting.items():
            outlines.sort(key=lambda outline: outline.script_id or "")
            named_generator(seed, f"{task}/{language}/{turns}", "script-order").shuffle(outlines)

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        place = (cell.task, cell.language, cell.turns)
        waiting = self._waiting.get(place, [])
        if len(waiting) < count:
            raise QuotaImpossible(
                f"quotas: {cell.key} needs {count} more scripts and the pack has {len(waiting)} unused "
                f"(of {self._held.get(place, 0)} {cell.task} scripts in {cell.language} with {cell.turns} turns, "
                "shared by all splits); lower the count or add scripts to the pack"
            )
        taken = tuple(waiting[:count])
        del waiting[:count]
        return taken


class DrawnOutlines:
    """Outlines drawn from the transition model, for writers that write to order."""

    def __init__(self, seed: int, domains: Sequence[str] = DEFAULT_DOMAINS) -> None:
        self._seed = seed
        self._domains = tuple(domains)
        self._transitions = load_transitions()
        self._taken: dict[QuotaCell, int] = {}

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        first = self._taken.get(cell, 0)
        self._taken[cell] = first + count
        return tuple(self._draw(cell, ordinal) for ordinal in range(first, first + count))

    def _draw(self, cell: QuotaCell, ordinal: int) -> Outline:
        rng = named_generator(self._seed, f"{cell.key}/{ordinal}", "outline")
        emotions: tuple[EmotionStep, ...] = ()
        if cell.task.track is Track.EMOTION:
            labels = draw_trajectory(cell.task, cell.turns, self._transitions, rng)
            emotions = tuple(EmotionStep(emotion=label, intensity=draw_intensity(label, rng)) for label in labels)
        return Outline(
            task=cell.task,
            language=cell.language,
            turns=cell.turns,
            domain=str(rng.choice(self._domains)),
            emotions=emotions,
        )


def load_transitions() -> Transitions:
    """The shipped weights, every emotion present."""
    raw = yaml.safe_load(files("generators.plans").joinpath("transitions.yaml").read_text(encoding="utf-8"))
    return {
        Emotion(before): {Emotion(after): float(weight) for after, weight in weights.items()}
        for before, weights in raw.items()
    }


def draw_trajectory(task: Task, turns: int, transitions: Transitions, rng: np.random.Generator) -> tuple[Emotion, ...]:
    """Emotions of ``turns`` turns that obey FORMATS.md A.5."""
    if task is Task.RECOGNITION:
        return (_choose(dict.fromkeys(Emotion, 1.0), rng),)
    if task is Task.EMPATHY:
        return _draw_empathy(turns, transitions, rng)
    if task not in QUESTION_TASKS:
        raise ValueError(f"{task} has no emotion trajectory")
    told = [_choose(_opening_weights(), rng)]
    while len(told) < turns - 1:
        weights = dict(transitions[told[-1]])
        if len(told) == turns - 2 and len(set(told)) == 1:
            weights[told[-1]] = 0.0  # the last chance for the one change the task asks about
        told.append(_choose(weights, rng))
    return (*told, Emotion.NEUTRAL)


def _draw_empathy(turns: int, transitions: Transitions, rng: np.random.Generator) -> tuple[Emotion, ...]:
    """Exactly two non-neutral turns, the second among the last two."""
    second = int(rng.integers(max(1, turns - 2), turns))
    first = int(rng.integers(0, second))
    opening = {e: w for e, w in _opening_weights().items() if not e.is_neutral}
    feeling = _choose(opening, rng)
    next_feeling = _choose({e: w for e, w in transitions[feeling].items() if not e.is_neutral}, rng)
    labels = [Emotion.NEUTRAL] * turns
    labels[first], labels[second] = feeling, next_feeling
    if sum(not label.is_neutral for label in labels) != EMPATHY_NON_NEUTRAL_TURNS:
        raise RuntimeError("an empathy trajectory was drawn wrongly")
    return tuple(labels)


def draw_intensity(emotion: Emotion, rng: np.random.Generator) -> int:
    """0 for neutral, else 1 to 3."""
    if emotion.is_neutral:
        return 0
    return 1 + int(rng.choice(len(INTENSITY_WEIGHTS), p=INTENSITY_WEIGHTS))


def _opening_weights() -> dict[Emotion, float]:
    return dict.fromkeys(Emotion, 1.0) | {Emotion.NEUTRAL: OPENING_NEUTRAL_WEIGHT}


def _choose(weights: dict[Emotion, float], rng: np.random.Generator) -> Emotion:
    labels = sorted(weights)
    share = np.array([weights[label] for label in labels], dtype=np.float64)
    return labels[int(rng.choice(len(labels), p=share / share.sum()))]
