"""What Prefect sends in the background, the states of tasks and the lines of logs, and how long a build waits for it.

Prefect's own sender gives a server 7 s per event and then loses it, without end (16 hours for 2,400 shards). Here one
thread sends everything in order, waits while the server does not answer, and lets all of it go when it will not.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Literal, Self, cast
from uuid import UUID

import httpx
from prefect._internal.concurrency.services import QueueService
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events.clients import RETRYABLE_EXCEPTIONS, PrefectEventsClient
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker, ProcessPoolForwardingEventsClient
from prefect.exceptions import ObjectNotFound
from prefect.logging.handlers import set_api_log_sink
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from websockets.exceptions import WebSocketException

#: How long leaving waits for a server that takes nothing any more.
_PATIENCE_S = 30.0
_WRITTEN_WITHIN_S = 15.0
_ASK_AGAIN_S = 0.5
#: Lines of logs go together: so many, or those of so long.
_LINES_AT_ONCE = 200
_LINES_EVERY_S = 1.0
#: Prefect's note to its own sender in a line; the server does not know it.
_SIZE = "__payload_size__"
_TASK_RUN = "prefect.task-run."
_AWAY: tuple[type[Exception], ...] = (*RETRYABLE_EXCEPTIONS, WebSocketException, httpx.HTTPError, RuntimeError)

Item = tuple[Literal["event"], Event] | tuple[Literal["line"], dict[str, Any]] | tuple[Literal["end"], None]


class Outbox:
    """A build's background sender, in place of Prefect's own between entering and leaving.

    Args:
        gone: set by whoever knows that the server will not come back; everything queued is dropped then.
        note: told when something was dropped on leaving.
    """

    def __init__(self, gone: threading.Event, note: Callable[[str], None]) -> None:
        self._gone = gone
        self._note = note
        self._queue: queue.Queue[Item] = queue.Queue()
        self._last: Event | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        # Prefect's way to hand events from its process pool to the process above, which it allows itself alone
        EventsWorker.set_client_override(ProcessPoolForwardingEventsClient, event_queue=self)
        set_api_log_sink(self._put_line)
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(asyncio.run, self._send()), name="prefect-outbox", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is queued, for half a minute at most if the server takes nothing."""
        try:
            left = self._drain()
        finally:
            EventsWorker.set_client_override(None)
            set_api_log_sink(None)
        if left and not self._gone.is_set():
            self._note(
                f"Prefect's server took nothing for {_PATIENCE_S:.0f} s: its record of this run ends early. "
                "The release does not depend on it"
            )
            self._gone.set()

    def put(self, item: tuple[str, Event]) -> None:
        """Called by Prefect with each event."""
        event = item[1]
        if event.resource.id.startswith(_TASK_RUN):
            self._last = event
        self._queue.put(("event", event))

    def _put_line(self, line: dict[str, Any]) -> None:
        self._queue.put(("line", {name: value for name, value in line.items() if name != _SIZE}))

    def wait_until_recorded(self) -> None:
        """Wait until the server has written what it took: it writes tasks from memory, and ends without doing so."""
        if self._last is None or self._gone.is_set():
            return
        task_run = UUID(self._last.resource.id.removeprefix(_TASK_RUN))
        state = self._last.resource["prefect.state-type"]
        deadline = time.monotonic() + _WRITTEN_WITHIN_S
        with suppress(httpx.HTTPError, RuntimeError), get_client(sync_client=True) as client:
            while time.monotonic() < deadline:
                with suppress(ObjectNotFound):
                    if client.read_task_run(task_run).state_type == state:
                        return
                time.sleep(_ASK_AGAIN_S / 5)

    def _drain(self) -> bool:
        """Whether something was left."""
        deadline = time.monotonic() + _PATIENCE_S
        pending = cast("tuple[set[Future[bool]], ...]", QueueService.drain_all(timeout=_PATIENCE_S))[1]
        self._queue.put(("end", None))
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
            return bool(pending) or self._thread.is_alive()
        return bool(pending)

    # -- the thread -------------------------------------------------------------------------

    async def _send(self) -> None:
        lines: list[dict[str, Any]] = []
        sent = time.monotonic()
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            async with AsyncExitStack() as stack:
                api = await self._patiently(lambda: stack.enter_async_context(get_client()))
                events = await self._patiently(lambda: stack.enter_async_context(_Events(self._gone)))
                while api is not None and events is not None and not self._gone.is_set():
                    try:
                        kind, item = await asyncio.to_thread(self._queue.get, timeout=_LINES_EVERY_S)
                    except queue.Empty:
                        kind, item = None, None
                    if isinstance(item, Event):
                        await events.emit(item)
                    elif item is not None:
                        lines.append(item)
                    due = kind == "end" or time.monotonic() - sent > _LINES_EVERY_S
                    if lines and (due or len(lines) >= _LINES_AT_ONCE):
                        await self._send_lines(api, lines)
                        lines, sent = [], time.monotonic()
                    if kind == "end":
                        return

    async def _patiently(self, make: Callable[[], Any]) -> Any:
        while not self._gone.is_set():
            try:
                return await make()
            except _AWAY:
                await asyncio.sleep(_ASK_AGAIN_S)
        return None

    async def _send_lines(self, api: PrefectClient, lines: list[dict[str, Any]]) -> None:
        while not self._gone.is_set():
            try:
                await api.create_logs(lines)
                return
            except httpx.HTTPStatusError as error:
                if error.response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return  # it does not want these lines, and never will
            except httpx.TransportError:
                pass
            await asyncio.sleep(_ASK_AGAIN_S)


class _Events(PrefectEventsClient):
    """Sends events in order and waits while the server does not answer, until ``gone`` is set."""

    def __init__(self, gone: threading.Event) -> None:
        super().__init__(reconnection_attempts=0)
        self._gone = gone

    async def _emit(self, event: Event) -> None:
        if self._gone.is_set():
            return
        try:
            await super()._emit(event)
            return
        except _AWAY:
            pass  # it stands among the unconfirmed now, which a new connection sends first
        while not self._gone.is_set():
            await asyncio.sleep(_ASK_AGAIN_S)
            try:
                await self._reconnect()
                return
            except _AWAY:
                continue
