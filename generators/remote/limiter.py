"""How many questions a server gets at a time: found out by pushing until it pushes back, as TCP does."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Window:
    """The control law alone: no clock, no waiting.

    Slow start (+1 per success, so it doubles per round) until the first push-back, then additive increase
    (+1 per round) and multiplicative decrease (half, never under 1). Chiu & Jain 1989; RFC 5681.

    A question counts only if it began after the last cut: the others tell of the old size. So one round
    trip halves at most once, however many of its questions are refused.
    """

    def __init__(self, start: int, maximum: int) -> None:
        if maximum < 1:
            raise ValueError(f"maximum is {maximum}; at least one question must be allowed at a time")
        self._maximum = maximum
        self._size = min(max(start, 1), maximum)
        self._slow_start = True
        self._successes = 0  # since the last step
        self._began = 0
        self._last_cut = -1

    @property
    def size(self) -> int:
        """Questions allowed at a time, 1 to ``maximum``."""
        return self._size

    def begin(self) -> int:
        """Number of a question that starts now; hand it back with its outcome."""
        self._began += 1
        return self._began

    def succeeded(self, number: int, full: bool) -> None:
        """An answer came. ``full``: the window was used up, so the success says something about its size."""
        if number <= self._last_cut or not full:
            return
        self._successes += 1
        if self._slow_start or self._successes >= self._size:
            self._size = min(self._size + 1, self._maximum)
            self._successes = 0

    def pushed_back(self, number: int) -> None:
        """The server refused for load (429), or did not answer in time."""
        if number <= self._last_cut:
            return
        self._slow_start = False
        self._last_cut = self._began
        self._successes = 0
        self._size = max(1, self._size // 2)


class AdaptiveLimiter:
    """Slots of one endpoint, used inside one event loop::

        async with limiter.slot() as slot:
            ...send...
            slot.succeeded()  # or slot.pushed_back(retry_after_s)

    Waiting questions start in the order they came, retries (``urgent``) before new ones. A slot that is left
    without either word (a 500, a lost connection) changes nothing.
    """

    def __init__(self, start: int, maximum: int) -> None:
        self.window = Window(start, maximum)
        self._in_flight = 0
        self._most_in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0  # in the event loop's time, seconds
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        return self.window.size

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def most_in_flight(self) -> int:
        """Highest number seen so far."""
        return self._most_in_flight

    def slot(self, urgent: bool = False) -> Slot:
        return Slot(self, urgent)

    def pause(self, seconds: float) -> None:
        """Start nothing new for that long; a longer pause that is running stays."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    async def _acquire(self, urgent: bool) -> None:
        if not self._waiting and self._may_start():
            self._take()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if urgent:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot had just been given
                self._release()
            raise

    def _release(self) -> None:
        self._in_flight -= 1
        self._wake()

    def _is_full(self) -> bool:
        return self._in_flight >= self.window.size or bool(self._waiting)

    def _may_start(self) -> bool:
        return self._in_flight < self.window.size and asyncio.get_running_loop().time() >= self._paused_until

    def _take(self) -> None:
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def _wake(self) -> None:
        while self._waiting and self._may_start():
            turn = self._waiting.popleft()
            if not turn.done():
                self._take()
                turn.set_result(None)
        loop = asyncio.get_running_loop()
        if self._waiting and self._timer is None and loop.time() < self._paused_until:
            self._timer = loop.call_at(self._paused_until, self._pause_is_over)

    def _pause_is_over(self) -> None:
        self._timer = None
        self._wake()


class Slot:
    """One question under way."""

    def __init__(self, limiter: AdaptiveLimiter, urgent: bool) -> None:
        self._limiter = limiter
        self._urgent = urgent
        self._number = 0

    async def __aenter__(self) -> Self:
        await self._limiter._acquire(self._urgent)
        self._number = self._limiter.window.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter._release()

    def succeeded(self) -> None:
        self._limiter.window.succeeded(self._number, self._limiter._is_full())

    def pushed_back(self, pause_s: float = 0.0) -> None:
        """The server has too much; with ``pause_s`` nothing new is sent to it for that long."""
        self._limiter.window.pushed_back(self._number)
        if pause_s > 0:
            self._limiter.pause(pause_s)
