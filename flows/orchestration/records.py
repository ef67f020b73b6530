"""What Prefect's pages show of a run beside its states: progress and tables. A server that is away costs nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

from flows.common.progress import Reporter

#: The stage that comes last for every item.
_SHOWN_STAGE = "judge"
#: A call of the API takes 25 to 40 ms.
_AT_MOST_EVERY_S = 5.0


class ProgressRecord:
    """A progress bar on the page of the run it is made in; safe to call from threads.

    Args:
        key: lower-case letters, digits and dashes.
        total: how much there is to do; ``expect`` adds to it.
        description: one line, Markdown.
    """

    def __init__(self, key: str, total: int, description: str) -> None:
        self._key = key
        self._description = description
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._told_at = float("-inf")
        self._artifact: UUID | None = None

    def expect(self, more: int) -> None:
        """There is more to do than was said."""
        self._total += more

    def advance(self, done: int = 1) -> None:
        """So much more is done; told to the server every few seconds, and at the end."""
        with self._lock:
            self._done += done
            now = time.monotonic()
            if now - self._told_at < _AT_MOST_EVERY_S and self._done < self._total:
                return
            self._told_at = now
            self._tell(min(100.0, 100.0 * self._done / max(1, self._total)))

    def _tell(self, percent: float) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        with _if_the_server_answers():
            if self._artifact is None:
                made = create_progress_artifact(progress=percent, key=self._key, description=self._description)
                self._artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(self._artifact, progress=percent)


class _Recorded:
    """A reporter that shows the items judged on the page of the run, and tells everything to another one."""

    def __init__(self, inner: Reporter) -> None:
        self._inner = inner
        self._record = ProgressRecord("items", 0, "items judged")

    def expect(self, stage: str, more: int) -> None:
        if stage == _SHOWN_STAGE:
            self._record.expect(more)
        self._inner.expect(stage, more)

    def advance(self, stage: str, done: int = 1) -> None:
        if stage == _SHOWN_STAGE:
            self._record.advance(done)
        self._inner.advance(stage, done)

    def found(self, stage: str, done: int) -> None:
        if stage == _SHOWN_STAGE:
            self._record.advance(done)
        self._inner.found(stage, done)

    def note(self, text: str) -> None:
        self._inner.note(text)


def recorded_progress(reporter: Reporter) -> Reporter:
    """Inside a flow: a reporter whose progress is a bar on the page of the run, too."""
    return _Recorded(reporter)


def show_table(key: str, rows: Sequence[dict[str, Any]], description: str) -> None:
    """A table on the page of the run; ``key`` as for ``ProgressRecord``."""
    from prefect.artifacts import create_table_artifact

    with _if_the_server_answers():
        create_table_artifact(table=list(rows), key=key, description=description)


@contextmanager
def _if_the_server_answers() -> Iterator[None]:
    import httpx
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), suppress(httpx.HTTPError):
        yield
