"""What a person is told while scripts are written: who is asked, how fast it goes, what came from the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from flows.common.progress import Reporter
from flows.scripts.report import Books

#: Seconds between two lines about the rate.
RATE_INTERVAL_S = 30.0
_SECONDS_PER_MINUTE = 60.0


class AskCounts(Protocol):
    """What the client counts."""

    @property
    def sent(self) -> int: ...

    @property
    def replayed(self) -> int: ...


class FillNotes:
    """The lines of one `ScriptFactory.fill`; ``clock`` gives seconds, from any zero."""

    def __init__(self, reporter: Reporter, books: Books, store: Path, clock: Callable[[], float]) -> None:
        self._reporter = reporter
        self._books = books
        self._store = store
        self._clock = clock
        self._last = clock()
        self._sent_before = 0
        self._first_sent: float | None = None

    def opened(self, name: str, where: str) -> None:
        """The first question for an endpoint is about to be sent."""
        if self._first_sent is None:
            self._first_sent = self._last = self._clock()
        self._reporter.note(f"scripts: asking endpoint {name!r} ({where})")

    def tell_rate(self, counts: AskCounts) -> None:
        """A line, if the last one is `RATE_INTERVAL_S` old."""
        now = self._clock()
        if now - self._last < RATE_INTERVAL_S:
            return
        rate = (counts.sent - self._sent_before) / (now - self._last)
        self._last, self._sent_before = now, counts.sent
        if counts.sent == 0:
            how = f"all from kept answers ({self._store}); nothing was asked so far"
        else:
            how = f"{counts.sent} questions sent in this run, {rate:.1f} a second now"
        self._reporter.note(f"scripts: {self._accepted()}, {how}")

    def tell_end(self, counts: AskCounts) -> None:
        """The line at the end; none where no answer was needed, or none came."""
        if counts.sent:
            seconds = self._clock() - (self._first_sent or 0.0)
            pace = f", {counts.sent / seconds:.1f} a second" if seconds > 0 else ""
            how = (
                f"{counts.sent} questions sent in {seconds / _SECONDS_PER_MINUTE:.1f} minutes{pace}; "
                f"{counts.replayed} answers were kept from earlier ({self._store})"
            )
        elif counts.replayed:
            how = f"all from answers kept by earlier runs ({self._store}); nothing was asked"
        else:
            return
        self._reporter.note(f"scripts: {self._accepted()}, {how}")

    def _accepted(self) -> str:
        return f"{self._books.accepted.total()} of {self._books.wanted.total()} accepted"
