"""Side by side, but in order: many coroutines at a time, their results in the order of the work."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(
    jobs: Iterable[T],
    work: Callable[[T], Awaitable[R]],
    window: int,
    go_on: Callable[[], bool] = lambda: True,
) -> AsyncIterator[R]:
    """Results of ``work`` in the order of ``jobs``, at most ``window`` of them begun and not yet handed out.

    What is handed out does not depend on which coroutine was faster. Once ``go_on`` says no, nothing
    more is begun; what is running is still waited for. An exception of ``work`` ends the iteration
    and cancels the rest.
    """
    running: deque[asyncio.Task[R]] = deque()
    waiting = iter(jobs)
    exhausted = False
    try:
        while True:
            while not exhausted and len(running) < window and go_on():
                try:
                    job = next(waiting)
                except StopIteration:
                    exhausted = True
                    break
                running.append(asyncio.ensure_future(work(job)))
            if not running:
                return
            yield await running[0]
            running.popleft()
            await asyncio.sleep(0)  # a row of finished ones must not keep the others from sending
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
