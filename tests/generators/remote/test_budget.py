"""No question starts beyond a limit; those under way finish."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.remote.budget import Amount, BudgetKeeper
from generators.remote.errors import BudgetSpent
from generators.remote.settings import Budget


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def keeper(**limits: float) -> tuple[BudgetKeeper, Clock]:
    clock = Clock()
    return BudgetKeeper(Budget.model_validate(limits), clock), clock


def test_without_limits_everything_may_start() -> None:
    books, clock = keeper()
    asyncio.run(books.reserve(Amount(10**12, 1e9)))
    clock.now += 1e9
    asyncio.run(books.reserve(Amount(10**12, 1e9)))
    tight, _ = keeper(tokens=1)
    with pytest.raises(BudgetSpent):  # the same question, with a limit
        asyncio.run(tight.reserve(Amount(10**12, 1e9)))


def test_tokens_that_do_not_fit_are_refused_with_a_sentence() -> None:
    books, _ = keeper(tokens=100)

    async def main() -> None:
        await books.reserve(Amount(60))
        books.settle(Amount(60), Amount(50))
        with pytest.raises(BudgetSpent) as told:
            await books.reserve(Amount(60))
        for words in ("100 tokens", "used 50 tokens", "up to 60 tokens", "raise budget.tokens", "run the same command"):
            assert words in str(told.value)
        await books.reserve(Amount(50))  # a smaller one still fits

    asyncio.run(main())


def test_money() -> None:
    books, _ = keeper(cost=1.5)

    async def main() -> None:
        await books.reserve(Amount(10, 1.0))
        books.settle(Amount(10, 1.0), Amount(10, 1.0))
        with pytest.raises(BudgetSpent, match=r"1\.5 \(cost\).*cost 1\.0000.*raise budget\.cost"):
            await books.reserve(Amount(10, 0.6))

    asyncio.run(main())


def test_minutes() -> None:
    books, clock = keeper(minutes=2)
    asyncio.run(books.reserve(Amount(1)))
    clock.now += 119
    books.check_time()
    clock.now += 1
    with pytest.raises(BudgetSpent, match=r"2 minutes is used up \(2\.0 minutes.*raise budget\.minutes"):
        asyncio.run(books.reserve(Amount(1)))
    books.settle(Amount(1), Amount(1))  # the one under way finishes
    assert books.spent == Amount(1)


def test_minutes_in_which_nobody_asks_are_not_counted() -> None:
    """Kept answers are replayed before the first question, and speech is made for hours between two fills."""
    books, clock = keeper(minutes=2)
    for _ in range(2):
        clock.now += 3600  # replay, speech
        asyncio.run(books.reserve(Amount(1)))
        clock.now += 50
        books.settle(Amount(1), Amount(1))
        books.pause()
        books.pause()
    clock.now += 3600
    books.check_time()
    asyncio.run(books.reserve(Amount(1)))
    clock.now += 20
    with pytest.raises(BudgetSpent, match=r"2\.0 minutes"):
        asyncio.run(books.reserve(Amount(1)))


def test_a_question_waits_for_those_under_way_when_they_may_leave_room() -> None:
    books, _ = keeper(tokens=100)

    async def main() -> None:
        await books.reserve(Amount(80))
        second = asyncio.create_task(books.reserve(Amount(80)))
        await asyncio.sleep(0)
        assert not second.done()
        books.settle(Amount(80), Amount(20))
        await second
        third = asyncio.create_task(books.reserve(Amount(10)))
        await asyncio.sleep(0)
        books.settle(Amount(80), Amount(80))
        with pytest.raises(BudgetSpent):
            await third

    asyncio.run(main())


@given(
    limit=st.integers(1, 500),
    questions=st.lists(st.tuples(st.integers(1, 100), st.floats(0, 1)), max_size=40),
)
def test_with_upper_bounds_as_estimates_the_limit_holds(limit: int, questions: list[tuple[int, float]]) -> None:
    books, _ = keeper(tokens=limit)

    async def one(estimate: int, share: float) -> bool:
        try:
            await books.reserve(Amount(estimate))
        except BudgetSpent:
            return False
        await asyncio.sleep(0)
        books.settle(Amount(estimate), Amount(int(estimate * share)))
        return True

    async def main() -> list[bool]:
        return await asyncio.gather(*(one(*question) for question in questions))

    done = asyncio.run(main())
    assert books.spent.tokens <= limit
    if sum(estimate for estimate, _ in questions) <= limit:
        assert all(done)
