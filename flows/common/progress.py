"""Live progress per stage: rich bars on a terminal, plain lines otherwise."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from flows.common.pace import StageProgress, Tally

#: where notes go besides the screen: the work directory's log file, and Prefect's UI where a flow runs
LOGGER = "humdial"
PLAIN_INTERVAL_SECONDS = 5.0
#: Dialogues a second can be too many to draw a bar for each.
_REDRAW_SECONDS = 0.1


class Reporter(Protocol):
    """Told by every stage how much there is and how much is done; safe to call from threads."""

    def expect(self, stage: str, more: int) -> None:
        """There are ``more`` items to do than was said; a negative number takes some back."""
        ...

    def advance(self, stage: str, done: int = 1) -> None:
        """``done`` items were made."""
        ...

    def found(self, stage: str, done: int) -> None:
        """``done`` items are finished since an earlier run, or are another's: they say nothing about the pace."""
        ...

    def note(self, text: str) -> None: ...


class _Counting:
    """What the displays share: counts, and a moment at which one stage is shown anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tally = Tally(clock)
        self._lock = threading.Lock()

    def expect(self, stage: str, more: int) -> None:
        with self._lock:
            self._show(self._tally.expect(stage, more))

    def advance(self, stage: str, done: int = 1) -> None:
        with self._lock:
            self._show(self._tally.advance(stage, done))

    def found(self, stage: str, done: int) -> None:
        with self._lock:
            self._show(self._tally.advance(stage, done, found=True))

    def note(self, text: str) -> None:
        logging.getLogger(LOGGER).info("%s", text)
        with self._lock:
            self._say(text)

    def _show(self, now: StageProgress) -> None: ...

    def _say(self, text: str) -> None: ...


class RichReporter(_Counting):
    """One bar per stage."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._shown: dict[str, float] = {}

    def _show(self, now: StageProgress) -> None:
        if now.stage not in self._bars:
            self._bars[now.stage] = self._progress.add_task(now.stage, total=0, pace="")
        at = self._clock()
        if now.is_complete or at - self._shown.get(now.stage, 0.0) >= _REDRAW_SECONDS:
            self._shown[now.stage] = at
            self._progress.update(self._bars[now.stage], total=now.total, completed=now.done, pace=now.pace)

    def _say(self, text: str) -> None:
        self._progress.console.print(text, markup=False)


class PlainReporter(_Counting):
    """A line per stage when it begins and when it ends, and every few seconds in between."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._console = console
        self._told_at: dict[str, float] = {}
        self._told: dict[str, tuple[int, int]] = {}

    def _show(self, now: StageProgress) -> None:
        last = now.is_complete and now.done > 0
        due = self._clock() - self._told_at.get(now.stage, float("-inf")) >= PLAIN_INTERVAL_SECONDS
        if not now.total or not (last or due) or self._told.get(now.stage) == (now.done, now.total):
            return
        self._told_at[now.stage], self._told[now.stage] = self._clock(), (now.done, now.total)
        self._say(str(now))

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


class LogReporter(_Counting):
    """Notes, and every stage's end, as lines of the log."""

    def _show(self, now: StageProgress) -> None:
        if now.is_complete and now.done:
            logging.getLogger(LOGGER).info("%s: done", now.stage)


class SilentReporter:
    """For callers that show nothing."""

    def expect(self, stage: str, more: int) -> None: ...

    def advance(self, stage: str, done: int = 1) -> None: ...

    def found(self, stage: str, done: int) -> None: ...

    def note(self, text: str) -> None: ...


@contextmanager
def progress_display(console: Console) -> Iterator[Reporter]:
    """Bars when ``console`` is a terminal, lines when it is a pipe or a file."""
    if not console.is_terminal:
        yield PlainReporter(console)
        return
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield RichReporter(progress)


_CURRENT: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting(reporter: Reporter) -> Iterator[Reporter]:
    """Inside, flows that are called tell ``reporter`` what they do."""
    token = _CURRENT.set(reporter)
    try:
        yield reporter
    finally:
        _CURRENT.reset(token)


def current_reporter() -> Reporter:
    """The reporter of whoever called the flow; of a scheduled one, the log alone."""
    return _CURRENT.get() or LogReporter()
