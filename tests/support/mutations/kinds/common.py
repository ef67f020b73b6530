"""What several groups of kinds share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from tests.support.mutations.planting import Copy, Kind, Planted, Wave, at
from tests.support.mutations.spots import Spot, sentences
from tests.support.mutations.spots import spots as all_spots

#: a changed user channel no longer has the clean file that the sub-task's rule gives
CLEAN_FILE = frozenset({"T2.CLEAN_FILE"})
#: catalog, scripts and lock still tell what the rows told before
BOOKS = frozenset({"SET.CATALOG_AGREES", "SET.COUNTS"})
#: other words than the text's
OTHER_WORDS = frozenset(
    {
        "TRANSCRIPT.ERRORS",
        "TRANSCRIPT.START",
        "TRANSCRIPT.END",
        "TRANSCRIPT.GAP",
        "TRANSCRIPT.EXTRA",
        "AUDIO.TEXT_DURATION",
    }
)
#: the label's bounds are no longer the sound's
BOUNDS = frozenset({"SCENE.SEGMENT_SHIFTED", "TIMELINE.INNER_SILENCE"})
#: another voice
OTHER_VOICE = frozenset({"SPEAKER.CHANGED", "SPEAKER.SAME"})
#: the same sound twice
SAME_SOUND = frozenset({"SET.DUPLICATE_AUDIO", "SET.AUDIO_LEAK"})

_FADE = 80  # 5 ms
_LOUD = 0.01
T = TypeVar("T")

Spots = Callable[[FoundItem], Sequence[Spot]]
Change = Callable[[Wave, np.random.Generator], Wave]


def is_dialogue(found: FoundItem) -> bool:
    return found.track is Track.EMOTION


def is_scene(found: FoundItem) -> bool:
    return found.track is Track.DUPLEX


def one(choices: Sequence[T], rng: np.random.Generator) -> T:
    """One of them."""
    return choices[int(rng.integers(len(choices)))]


def sounding(wave: Wave) -> tuple[int, int]:
    """First and last sample that can be heard."""
    loud = np.flatnonzero(np.abs(wave) > _LOUD)
    return int(loud[0]), int(loud[-1]) + 1


def faded(wave: Wave) -> Wave:
    """The same with both ends brought to zero, so that cutting it makes no click."""
    edge = np.ones(len(wave))
    ramp = np.linspace(0.0, 1.0, min(_FADE, len(wave) // 2))
    edge[: len(ramp)], edge[len(edge) - len(ramp) :] = ramp, ramp[::-1]
    return wave * edge


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE))


def level(wave: Wave) -> float:
    """Root mean square of what sounds."""
    first, last = sounding(wave)
    return float(np.sqrt(np.mean(wave[first:last] ** 2)))


def sound_kind(
    name: str,
    group: str,
    code: str,
    change: Change,
    spots: Spots = sentences,
    follows: frozenset[str] = frozenset(),
    cases: int = 3,
    asks: frozenset[str] = frozenset(),
) -> Kind:
    """A kind that changes the sound of one utterance."""

    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        spot = one(spots(found), rng)
        copy.put(spot, change(copy.heard(spot), rng))
        return at(found)

    return Kind(name, group, code, plant, lambda found: bool(spots(found)), follows | CLEAN_FILE, cases, asks=asks)


def owner(copy: Copy, spot: Spot) -> FoundItem:
    """The clean item an utterance is of."""
    return next(item for item in copy.items if spot in all_spots(item))


def near_in_length(copy: Copy, found: FoundItem, spot: Spot, rng: np.random.Generator, same_speaker: bool) -> Spot:
    """An utterance of another item, same language and split, of nearly the same length.

    By the same speaker, or by another one, where there is such an utterance.
    """
    others = [
        other
        for item in copy.items
        if item.id != found.id and item.language is found.language and item.split is found.split
        for other in sentences(item)
    ]
    wanted = [other for other in others if (other.speaker == spot.speaker) is same_speaker]
    return min(wanted or others, key=lambda other: (abs(other.seconds - spot.seconds), rng.random()))
