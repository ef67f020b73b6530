"""Where each moment of changed speech lies in the speech as it was spoken."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from data_schemas.utterance import WordTiming

#: A frame this far under the loudest one is silent, as `generators.speech.finish` has it.
_SILENCE_BELOW_PEAK_DB = 45.0
#: Silence inside an utterance is a pause from here on; shorter ones are closures of plosives, which take 40 to 120 ms
#: (CHOICE; pauses are counted from 180 ms in DESIGN.md, and engines pause a little shorter at a comma).
_MIN_PAUSE_S = 0.15

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimeMap:
    """``places`` ``[frames out]``: frame of the original for each frame; ``arrival`` ``[frames in]``: the way back."""

    places: _Floats
    arrival: _Floats
    frame_s: float

    @classmethod
    def of(cls, levels_db: _Floats, frame_s: float, tempo: float, pauses: float) -> TimeMap:
        """Sound runs ``tempo`` times as fast, inner pauses last ``pauses`` times as long, silence at the edges stays.

        ``levels_db`` ``[frames]`` are levels to any reference.
        """
        lengths = _lengths(levels_db, frame_s, tempo, pauses)
        arrival = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
        places = np.interp(np.arange(int(arrival[-1]) + 1, dtype=np.float64), arrival, np.arange(len(arrival)))
        return cls(places, arrival, frame_s)

    def moved_s(self, seconds: float) -> float:
        """When a moment of the original is heard; beyond the end time runs on as before."""
        place = seconds / self.frame_s
        last = len(self.arrival) - 1
        there = float(np.interp(place, np.arange(len(self.arrival)), self.arrival))
        return (there + max(0.0, place - last)) * self.frame_s


def moved_words(words: tuple[WordTiming, ...], times: TimeMap, rate: int) -> tuple[WordTiming, ...]:
    """Sample positions of the words after the change; every word keeps a sample at least."""
    moved = []
    for word in words:
        start, stop = (round(times.moved_s(place / rate) * rate) for place in (word.start, word.stop))
        moved.append(WordTiming(text=word.text, start=start, stop=max(stop, start + 1)))
    return tuple(moved)


def _lengths(levels_db: _Floats, frame_s: float, tempo: float, pauses: float) -> _Floats:
    """How many frames each frame becomes."""
    lengths = np.full(len(levels_db), 1.0 / tempo)
    silent = levels_db < float(np.max(levels_db)) - _SILENCE_BELOW_PEAK_DB
    place = 0
    for is_silent, run in groupby(silent):
        start, place = place, place + len(list(run))
        if is_silent and (start == 0 or place == len(silent)):
            lengths[start:place] = 1.0
        elif is_silent and (place - start) * frame_s >= _MIN_PAUSE_S:
            lengths[start:place] = pauses
    return lengths
