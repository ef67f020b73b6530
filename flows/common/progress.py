"""Live progress per stage: rich bars on a terminal, plain lines otherwise."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

STAGES: tuple[str, ...] = ("script", "plan", "speak", "judge", "publish")
#: where notes go besides the screen: the work directory's log file, and Prefect's UI where a flow runs
LOGGER = "humdial"
PLAIN_INTERVAL_SECONDS = 5.0


class Reporter(Protocol):
    """Told by every stage how much there is and how much is done; safe to call from threads."""

    def expect(self, stage: str, more: int) -> None: ...

    def advance(self, stage: str, done: int = 1) -> None: ...

    def note(self, text: str) -> None: ...


class RichReporter:
    """One bar per stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def _bar(self, stage: str) -> TaskID:
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=0)
        return self._bars[stage]

    def expect(self, stage: str, more: int) -> None:
        with self._lock:
            bar = self._bar(stage)
            total = self._progress.tasks[self._progress.task_ids.index(bar)].total or 0
            self._progress.update(bar, total=total + more)

    def advance(self, stage: str, done: int = 1) -> None:
        with self._lock:
            self._progress.advance(self._bar(stage), done)

    def note(self, text: str) -> None:
        logging.getLogger(LOGGER).info("%s", text)
        self._progress.console.print(text, markup=False)


class PlainReporter:
    """A line per stage when it ends and every few seconds in between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._last = 0.0
        self._lock = threading.Lock()

    def expect(self, stage: str, more: int) -> None:
        with self._lock:
            self._total[stage] = self._total.get(stage, 0) + more

    def advance(self, stage: str, done: int = 1) -> None:
        with self._lock:
            self._done[stage] = self._done.get(stage, 0) + done
            now = time.monotonic()
            complete = self._done[stage] >= self._total.get(stage, 0)
            if complete or now - self._last >= PLAIN_INTERVAL_SECONDS:
                self._last = now
                self._console.print(f"{stage}: {self._done[stage]}/{self._total.get(stage, 0)}", markup=False)

    def note(self, text: str) -> None:
        logging.getLogger(LOGGER).info("%s", text)
        with self._lock:
            self._console.print(text, markup=False)


class LogReporter:
    """Notes, and every stage's end, as lines of the log."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()

    def expect(self, stage: str, more: int) -> None:
        with self._lock:
            self._left[stage] = self._left.get(stage, 0) + more

    def advance(self, stage: str, done: int = 1) -> None:
        with self._lock:
            self._left[stage] = left = self._left.get(stage, 0) - done
        if not left:
            self.note(f"{stage}: done")

    def note(self, text: str) -> None:
        logging.getLogger(LOGGER).info("%s", text)


class SilentReporter:
    """For callers that show nothing."""

    def expect(self, stage: str, more: int) -> None: ...

    def advance(self, stage: str, done: int = 1) -> None: ...

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
        TimeRemainingColumn(),
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
