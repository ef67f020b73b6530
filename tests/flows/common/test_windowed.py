"""`flows.common.windowed`: many at a time, handed out in order, whoever was faster."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.common.windowed import in_order

DELAYS = st.lists(st.integers(0, 4), max_size=40)
WINDOWS = st.integers(1, 12)


async def _steps(count: int) -> None:
    """Let the others run ``count`` times: a wait without a clock."""
    for _ in range(count):
        await asyncio.sleep(0)


@settings(max_examples=150, deadline=None)
@given(DELAYS, WINDOWS, st.integers(0, 3))
def test_results_come_in_order_and_the_window_holds(delays: list[int], window: int, consumer_delay: int) -> None:
    begun = 0
    handed = 0
    most = 0

    async def work(job: tuple[int, int]) -> int:
        nonlocal begun, most
        begun += 1
        most = max(most, begun - handed)
        await _steps(job[1])
        return job[0]

    async def run() -> list[int]:
        nonlocal handed
        found = []
        async for result in in_order(enumerate(delays), work, window):
            await _steps(consumer_delay)
            found.append(result)
            handed += 1
        return found

    assert asyncio.run(run()) == list(range(len(delays)))
    assert begun == len(delays)
    assert most <= window


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=3, max_size=30), WINDOWS)
def test_the_window_is_used(delays: list[int], window: int) -> None:
    running = 0
    most = 0

    async def work(delay: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await _steps(delay + 1)
        running -= 1

    async def run() -> None:
        async for _ in in_order(delays, work, window):
            pass

    asyncio.run(run())
    assert most == min(window, len(delays))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), WINDOWS, st.data())
def test_an_exception_ends_it_and_cancels_the_rest(delays: list[int], window: int, data: st.DataObject) -> None:
    broken = data.draw(st.integers(0, len(delays) - 1))
    begun: set[int] = set()
    over: set[int] = set()

    async def work(job: tuple[int, int]) -> int:
        begun.add(job[0])
        try:
            await _steps(job[1])
            if job[0] == broken:
                raise ValueError(f"第 {broken} 个坏了")
            return job[0]
        finally:
            over.add(job[0])

    async def run() -> list[int]:
        found = []
        with pytest.raises(ValueError, match="坏了"):
            async for result in in_order(enumerate(delays), work, window):
                found.append(result)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, "a task outlived the iteration"
        return found

    assert asyncio.run(run()) == list(range(broken))
    assert begun == over
    assert max(begun) < broken + window


@settings(max_examples=100, deadline=None)
@given(DELAYS, WINDOWS, st.integers(0, 40))
def test_once_told_to_stop_nothing_more_is_begun(delays: list[int], window: int, after: int) -> None:
    begun: list[int] = []

    async def work(job: tuple[int, int]) -> int:
        begun.append(job[0])
        await _steps(job[1])
        return job[0]

    async def run() -> list[int]:
        return [result async for result in in_order(enumerate(delays), work, window, lambda: len(begun) < after)]

    found = asyncio.run(run())
    assert found == list(range(len(found)))
    assert found == begun, "what was begun is waited for, and nothing else was begun"
    assert len(begun) <= after + window
    if after == 0:
        assert found == []


def test_the_jobs_are_not_read_ahead() -> None:
    drawn = 0

    def endless() -> object:
        nonlocal drawn
        while True:
            drawn += 1
            yield drawn

    async def work(job: int) -> int:
        return job

    async def run() -> list[int]:
        found: list[int] = []
        results = in_order(endless(), work, 3)  # type: ignore[arg-type]
        async for result in results:
            found.append(result)
            if len(found) == 5:
                break
        await results.aclose()  # type: ignore[attr-defined]
        return found

    assert asyncio.run(run()) == [1, 2, 3, 4, 5]
    assert drawn <= 5 + 3


def test_a_cancelled_reader_cancels_the_work() -> None:
    cancelled: list[int] = []

    async def work(job: int) -> int:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(job)
            raise
        return job

    async def read() -> None:
        async for _ in in_order(range(4), work, 4):
            pass

    async def run() -> None:
        reader = asyncio.ensure_future(read())
        await asyncio.sleep(0.01)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    asyncio.run(run())
    assert sorted(cancelled) == [0, 1, 2, 3]
