"""How many at a time: doubles, then creeps, halves once per round trip, and keeps still when told to."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.remote.limiter import AdaptiveLimiter, Window


def a_round(window: Window) -> None:
    numbers = [window.begin() for _ in range(window.size)]
    for number in numbers:
        window.succeeded(number, full=True)


def test_it_doubles_per_round_until_the_first_push_back_and_creeps_after_it() -> None:
    window = Window(start=2, maximum=64)
    sizes = []
    for _ in range(3):
        a_round(window)
        sizes.append(window.size)
    assert sizes == [4, 8, 16]
    window.pushed_back(window.begin())
    assert window.size == 8
    sizes = []
    for _ in range(4):
        a_round(window)
        sizes.append(window.size)
    assert sizes == [9, 10, 11, 12]


def test_one_round_trip_halves_once_however_many_are_refused() -> None:
    window = Window(start=16, maximum=64)
    numbers = [window.begin() for _ in range(16)]
    for number in numbers:
        window.pushed_back(number)
    assert window.size == 8
    window.pushed_back(window.begin())
    assert window.size == 4


def test_successes_of_questions_from_before_the_cut_say_nothing() -> None:
    window = Window(start=4, maximum=64)
    early = window.begin()
    window.pushed_back(window.begin())
    window.succeeded(early, full=True)
    assert window.size == 2


def test_it_does_not_grow_while_it_is_not_used_up() -> None:
    window = Window(start=4, maximum=64)
    for _ in range(100):
        window.succeeded(window.begin(), full=False)
    assert window.size == 4


@given(
    start=st.integers(1, 100), maximum=st.integers(1, 100), outcomes=st.lists(st.tuples(st.booleans(), st.booleans()))
)
def test_it_stays_between_one_and_the_maximum(start: int, maximum: int, outcomes: list[tuple[bool, bool]]) -> None:
    window = Window(start, maximum)
    for good, full in outcomes:
        before = window.size
        number = window.begin()
        if good:
            window.succeeded(number, full)
            assert before <= window.size <= 2 * before
        else:
            window.pushed_back(number)
            assert window.size <= before
        assert 1 <= window.size <= maximum


def test_a_maximum_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Window(1, 0)


@given(st.lists(st.sampled_from(["good", "push back", "lost", "cancel"]), max_size=60), st.integers(1, 8))
def test_no_slot_is_lost_and_never_too_many_are_given(outcomes: list[str], start: int) -> None:
    async def main() -> None:
        limiter = AdaptiveLimiter(start, 8)

        async def one(outcome: str) -> None:
            async with limiter.slot(urgent=outcome == "lost") as slot:
                assert limiter.in_flight <= 8
                await asyncio.sleep(0)
                if outcome == "good":
                    slot.succeeded()
                elif outcome == "push back":
                    slot.pushed_back()

        tasks = [asyncio.create_task(one(outcome)) for outcome in outcomes]
        await asyncio.sleep(0)
        for task, outcome in zip(tasks, outcomes, strict=True):
            if outcome == "cancel":
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task, outcome in zip(tasks, outcomes, strict=True):
            assert outcome == "cancel" or task.exception() is None
        assert limiter.in_flight == 0
        assert limiter.most_in_flight <= 8

    asyncio.run(main())


def test_a_pause_holds_back_everything_new_and_retries_go_first() -> None:
    async def main() -> list[str]:
        limiter = AdaptiveLimiter(1, 1)
        order: list[str] = []
        loop = asyncio.get_running_loop()

        async def one(name: str, urgent: bool = False) -> None:
            async with limiter.slot(urgent):
                order.append(name)
                assert loop.time() >= ends - 1e-6

        async with limiter.slot() as slot:
            ends = loop.time() + 0.05
            slot.pushed_back(pause_s=0.05)
            tasks = [asyncio.create_task(one(name)) for name in "ab"]
            await asyncio.sleep(0)
            tasks.append(asyncio.create_task(one("retry", urgent=True)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(main()) == ["retry", "a", "b"]


def test_questions_start_in_the_order_they_came() -> None:
    async def main() -> list[int]:
        limiter = AdaptiveLimiter(2, 2)
        order: list[int] = []

        async def one(number: int) -> None:
            async with limiter.slot():
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(one(number) for number in range(20)))
        return order

    order = asyncio.run(main())
    assert all(first < second for first, second in itertools.pairwise(order))
