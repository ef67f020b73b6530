"""Outlines drawn from the transition model and the catalogue, for writers that write to order.

An outline is a pure function of (seed, task, language, turns, ordinal). What must be spread evenly
(domains, emotions of single turns, openings, questions, cues, names, jobs, genders) walks through
seeded orders by ordinal; the rest is drawn freely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from data_schemas.conversation import PlannedLine
from data_schemas.emotions import Emotion
from data_schemas.foundation.base import RecordError
from data_schemas.foundation.problems import did_you_mean
from data_schemas.foundation.randomness import named_generator
from data_schemas.plan import QUESTION_TASKS, Brief, EmotionStep, Outline, Persona, QuotaCell
from data_schemas.speakers import Gender
from data_schemas.tasks import Language, Task, Track
from generators.plans.catalogue import Catalogue, Domain, Theme, load_catalogue
from generators.plans.conversation_lines import draw_lines
from generators.plans.quotas import QuotaImpossible
from generators.plans.settings import PlanningSettings
from generators.plans.trajectories import (
    EventKind,
    draw_intensity,
    draw_trajectory,
    load_transitions,
    shades_of,
    trajectory_kinds,
)
from generators.plans.walks import Walks

BOTH_GENDERS: frozenset[Gender] = frozenset(("female", "male"))
#: Share of turns with an event whose shade is left to the writer (CHOICE).
NO_SHADE_SHARE = 0.25
#: Tasks whose cue brings a place of its own (a driver asks, a waiter calls); so does a conflict item's situation.
EVENT_SETS_THE_SCENE = frozenset({Task.THIRD_PARTY_BEFORE, Task.THIRD_PARTY_AFTER, Task.SPEECH_TO_OTHERS})

T = TypeVar("T")


class _Place(NamedTuple):
    """What one draw is about, and the names of its walks and random draws."""

    task: Task
    language: Language
    turns: int
    ordinal: int
    walk: str
    name: str


class _Story(NamedTuple):
    """The emotions of an outline and what brings them about."""

    steps: tuple[EmotionStep, ...]
    events: tuple[str, ...]


class _Scene(NamedTuple):
    """Where a dialogue happens and between whom."""

    domain: str
    setting: str
    theme: str | None = None
    counterpart: str | None = None


class DrawnOutlines:
    """An `OutlineSource` that never runs out.

    Train and dev never share an outline: ordinals are counted over both splits.

    Args:
        genders: the genders that user voices have, per language; a language that is missing has both.
        base_dir: directory that ``planning.catalogue`` is relative to.
    """

    def __init__(
        self,
        seed: int,
        planning: PlanningSettings,
        genders: Mapping[Language, frozenset[Gender]] | None = None,
        base_dir: Path = Path(),
    ) -> None:
        self._seed = seed
        self._walks = Walks(seed)
        self._planning = planning
        self._genders = dict(genders or {})
        self._directory = None if planning.catalogue is None else base_dir / planning.catalogue
        self._transitions = load_transitions()
        self._catalogues: dict[Language, Catalogue] = {}
        self._taken: dict[tuple[Task, Language, int], int] = {}

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        place = (cell.task, cell.language, cell.turns)
        first = self._taken.get(place, 0)
        self._taken[place] = first + count
        return tuple(self.draw(*place, ordinal) for ordinal in range(first, first + count))

    def catalogue(self, language: Language) -> Catalogue:
        """The catalogue of a language, read once.

        Raises:
            RecordError: the file is wrong, or lacks a domain that ``planning.domains`` names.
        """
        if language not in self._catalogues:
            catalogue = load_catalogue(language, self._directory)
            for domain in self._planning.domains:
                if domain not in catalogue.domains:
                    raise RecordError(
                        f"planning.domains: {domain!r} is not in the {language} catalogue"
                        f"{did_you_mean(domain, catalogue.domains) or ';'} "
                        f"choose from {', '.join(sorted(catalogue.domains))}"
                    )
            self._catalogues[language] = catalogue
        return self._catalogues[language]

    def draw(self, task: Task, language: Language, turns: int, ordinal: int) -> Outline:
        """The outline number ``ordinal`` (from 0) of a task, language and number of turns.

        Raises:
            RecordError: see `catalogue`.
            QuotaImpossible: ``genders`` has none for the language.
            ValueError: the task cannot have so many turns.
        """
        walk = f"{task}/{language}/{turns}"
        place = _Place(task, language, turns, ordinal, walk, f"{walk}/{ordinal}")
        catalogue = self.catalogue(language)
        persona = self._persona(place, catalogue)
        scene = self._scene(place, catalogue)
        story = self._story(place, catalogue)
        return Outline(
            task=task,
            language=language,
            turns=turns,
            domain=scene.domain,
            emotions=story.steps,
            lines=self._lines(place),
            root_cause=self._root_cause(place, scene.theme, catalogue) if task is Task.REASONING else None,
            user_gender=persona.gender,
            brief=Brief(
                persona=persona,
                theme=scene.theme,
                counterpart=scene.counterpart,
                setting=""
                if task in EVENT_SETS_THE_SCENE or any(s.text_emotion for s in story.steps)
                else scene.setting,
                events=story.events,
                opening=self._step(catalogue.openings, place, "opening"),
                question=self._question(place, catalogue),
                cue=self._step(catalogue.cues[task], place, "cue") if task.track is Track.DUPLEX else None,
            ),
        )

    def _persona(self, place: _Place, catalogue: Catalogue) -> Persona:
        parts, rng = catalogue.personas, self._rng(place, "persona")
        genders = sorted(self._genders.get(place.language, BOTH_GENDERS))
        if not genders:
            raise QuotaImpossible(f"speech.casting: no user voice for {place.language}; give the engine at least one")
        # Strictly alternating, so that any run of outlines asks for both genders equally often.
        start = self._walks.step(range(len(genders)), f"{place.walk}/first-gender", 0)
        gender = genders[(start + place.ordinal) % len(genders)]
        job = self._step(parts.jobs, place, "job")
        age = int(rng.integers(job.ages[0], job.ages[1] + 1))
        styles = [style.text for style in parts.styles if style.ages[0] <= age <= style.ages[1]]
        return Persona(
            name=self._step(parts.names[gender], place, f"{gender}-name", place.ordinal // len(genders)),
            gender=gender,
            age=age,
            job=job.name,
            region=self._step(parts.regions, place, "region"),
            style=_pick(styles, rng),
        )

    def _scene(self, place: _Place, catalogue: Catalogue) -> _Scene:
        rng = self._rng(place, "scene")
        name = self._step(self._planning.domains or sorted(catalogue.domains), place, "domain")
        scene: Theme | Domain = catalogue.domains[name]
        if place.task.track is Track.DUPLEX or place.task is Task.RECOGNITION:
            return _Scene(name, _pick(scene.settings, rng))
        themed = self._walks.portion(self._planning.theme_share, f"{place.walk}/themed", place.ordinal)
        if not themed.inside:
            return _Scene(name, _pick(scene.settings, rng))
        theme_name = self._step(sorted(catalogue.themes), place, "theme", themed.rank)
        theme = catalogue.themes[theme_name]
        return _Scene(name, _pick(theme.settings, rng), theme_name, _pick(theme.counterparts, rng))

    def _root_cause(self, place: _Place, theme: str | None, catalogue: Catalogue) -> str:
        causes = catalogue.root_causes if theme is None else catalogue.themes[theme].root_causes
        return _pick(causes, self._rng(place, "root-cause"))

    def _question(self, place: _Place, catalogue: Catalogue) -> str | None:
        if place.task not in QUESTION_TASKS:
            return None
        forms = catalogue.questions
        return self._step(forms.reasoning if place.task is Task.REASONING else forms.trajectory, place, "question")

    def _lines(self, place: _Place) -> tuple[PlannedLine, ...]:
        if place.task is not Task.CONVERSATION:
            return ()
        return draw_lines(place.turns, self._planning, self._walks, place.walk, place.ordinal)

    def _story(self, place: _Place, catalogue: Catalogue) -> _Story:
        if place.task.track is Track.DUPLEX:
            return _Story((), ())
        rng = self._rng(place, "story")
        if place.task is Task.RECOGNITION:
            conflict = self._walks.portion(self._planning.conflict_share, f"{place.walk}/is-conflict", place.ordinal)
            if conflict.inside:
                entry = self._step(catalogue.conflicts, place, "conflict", conflict.rank)
                emotion = entry.emotion
                voice = EmotionStep(
                    emotion=emotion, intensity=draw_intensity(emotion, rng), text_emotion=entry.text_emotion
                )
                return _Story((voice,), (entry.situation,))
            emotions: tuple[Emotion, ...] = (self._step(tuple(Emotion), place, "emotion", conflict.rank),)
        else:
            emotions = draw_trajectory(place.task, place.turns, self._transitions, rng)
        happenings = _draw_events(trajectory_kinds(place.task, emotions, self._transitions), catalogue, rng)
        steps = []
        for turn, emotion in enumerate(emotions):
            told = turn < len(happenings)  # the final question has no shade
            fine = self._shade(emotion, happenings[turn][0], rng) if told else None
            steps.append(EmotionStep(emotion=emotion, intensity=draw_intensity(emotion, rng), fine_emotion=fine))
        return _Story(tuple(steps), tuple(text for _, text in happenings))

    def _shade(self, emotion: Emotion, kind: EventKind | None, rng: np.random.Generator) -> str | None:
        shades = shades_of(emotion, kind, self._transitions) if kind is not None else ()
        if not shades or rng.random() < NO_SHADE_SHARE:
            return None
        return _pick(shades, rng)

    def _step(self, entries: Sequence[T], place: _Place, what: str, ordinal: int | None = None) -> T:
        return self._walks.step(entries, f"{place.walk}/{what}", place.ordinal if ordinal is None else ordinal)

    def _rng(self, place: _Place, stage: str) -> np.random.Generator:
        return named_generator(self._seed, place.name, stage)


def _draw_events(
    kinds: Sequence[tuple[EventKind, ...]], catalogue: Catalogue, rng: np.random.Generator
) -> tuple[tuple[EventKind | None, str], ...]:
    """A kind and text per turn, no text twice; (None, "") where nothing happens or a small catalogue has no more."""
    used: set[str] = set()
    happenings: list[tuple[EventKind | None, str]] = []
    for possible in kinds:
        waiting = {kind: [text for text in catalogue.events[kind] if text not in used] for kind in possible}
        waiting = {kind: texts for kind, texts in waiting.items() if texts}
        if not waiting:
            happenings.append((None, ""))
            continue
        kind = _pick(tuple(waiting), rng)
        text = _pick(waiting[kind], rng)
        used.add(text)
        happenings.append((kind, text))
    return tuple(happenings)


def _pick(entries: Sequence[T], rng: np.random.Generator) -> T:
    return entries[int(rng.integers(len(entries)))]
