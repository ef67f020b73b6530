"""How much of a stage is done, how fast it goes lately, and what is left at that pace."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from data_schemas.foundation.base import Record

#: The rate is that of the last ten minutes: a build's first items wait for models, and items differ in length.
WINDOW_S = 600.0
_SAMPLE_S = 5.0
#: Below these a rate is a guess, and is not said.
_LEAST_S, _LEAST_MADE = 5.0, 2
_MINUTE_S, _MINUTES, _HOUR_S = 60.0, 60, 3600.0
#: From here on minutes are left out of hours, and seconds of minutes.
_ROUND_HOURS, _ROUND_MINUTES = 3, 2


class StageProgress(Record):
    """One stage at one moment. ``done`` never exceeds ``total``."""

    stage: str
    total: int
    done: int
    #: of ``done``: found from an earlier run, which says nothing about the pace
    found: int
    #: in the last ten minutes; None: too little was made to say
    items_per_minute: float | None

    @property
    def is_complete(self) -> bool:
        return self.done >= self.total

    @property
    def seconds_left(self) -> float | None:
        """At the pace of the last ten minutes; None where there is none."""
        if self.is_complete:
            return 0.0
        return (self.total - self.done) / self.items_per_minute * _MINUTE_S if self.items_per_minute else None

    def __str__(self) -> str:
        """``speak: 272/3986, 12 items a minute, about 5 h left``."""
        pace = self.pace
        return f"{self.counts}, {pace}" if pace else self.counts

    @property
    def counts(self) -> str:
        """``speak: 272/3986``."""
        return f"{self.stage}: {self.done}/{self.total}"

    @property
    def pace(self) -> str:
        """``12 items a minute, about 5 h left``; empty where that is not known, or nothing is left."""
        left = self.seconds_left
        if not left or not self.items_per_minute:
            return ""
        return f"{_rate(self.items_per_minute)}, about {duration(left)} left"


class Tally:
    """Counts stages as they go. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stages: dict[str, _Stage] = {}

    def expect(self, stage: str, more: int) -> StageProgress:
        """There are ``more`` items to do than was known; less where it is negative."""
        with self._lock:
            counted = self._stages.setdefault(stage, _Stage(stage, self._clock()))
            counted.total += more
            return counted.now(self._clock())

    def advance(self, stage: str, done: int, found: bool = False) -> StageProgress:
        """``done`` more items are finished, or were ``found`` finished."""
        with self._lock:
            counted = self._stages.setdefault(stage, _Stage(stage, self._clock()))
            counted.advance(done, found, self._clock())
            return counted.now(self._clock())

    def stages(self) -> Mapping[str, StageProgress]:
        """All of them, in the order they were heard of."""
        with self._lock:
            return {name: counted.now(self._clock()) for name, counted in self._stages.items()}


class _Stage:
    def __init__(self, name: str, started: float) -> None:
        self._name = name
        self.total = 0
        self._done = 0
        self._found = 0
        #: (when, how many had been made then), five seconds apart; the first lies at the window's edge
        self._made: deque[tuple[float, int]] = deque([(started, 0)])

    def advance(self, done: int, found: bool, now: float) -> None:
        if found and self._done == self._found:  # nothing was made so far: the clock starts with what is
            self._made = deque([(now, 0)])
        done = max(0, min(done, self.total - self._done))  # a shard that is made again tells of its items twice
        self._done += done
        self._found += done if found else 0
        if not found and now - self._made[-1][0] >= _SAMPLE_S:
            self._made.append((now, self._done - self._found))
        while len(self._made) > 1 and self._made[1][0] <= now - WINDOW_S:
            self._made.popleft()

    def now(self, now: float) -> StageProgress:
        since, before = self._made[0]
        made, took = self._done - self._found - before, now - since
        return StageProgress(
            stage=self._name,
            total=self.total,
            done=min(self._done, self.total),
            found=self._found,
            items_per_minute=made / took * _MINUTE_S if made >= _LEAST_MADE and took >= _LEAST_S else None,
        )


def duration(seconds: float) -> str:
    """A time as a person says it, rounded as an estimate is.

    >>> duration(40), duration(100), duration(1500), duration(8000), duration(18_500)
    ('40 s', '1 min 40 s', '25 min', '2 h 13 min', '5 h')
    """
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        minutes, rest = divmod(round(seconds), int(_MINUTE_S))
        return f"{minutes} min {rest} s" if minutes < _ROUND_MINUTES and rest else f"{seconds / _MINUTE_S:.0f} min"
    hours, minutes = divmod(round(seconds / _MINUTE_S), int(_MINUTE_S))
    return f"{hours} h {minutes} min" if hours < _ROUND_HOURS and minutes else f"{seconds / _HOUR_S:.0f} h"


def _rate(per_minute: float) -> str:
    hourly = per_minute < _ROUND_MINUTES
    return f"{per_minute * _MINUTES:.0f} items an hour" if hourly else f"{per_minute:.0f} items a minute"
