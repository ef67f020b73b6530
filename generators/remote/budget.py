"""Stop before a limit is passed: reserve before sending, settle afterwards. Knows amounts, not what they buy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from generators.remote.errors import BudgetSpent
from generators.remote.settings import Budget

__all__ = ["Amount", "BudgetKeeper", "BudgetSpent"]

_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True)
class Amount:
    """Tokens, and money in the currency of the prices."""

    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.cost - other.cost)


class BudgetKeeper:
    """The books of one run, used inside one event loop.

    Tokens and money: a question starts only while what was spent, what the ones under way may still cost and
    its own estimate fit the limit together. Where they do not, it waits for those under way (they mostly cost
    less than estimated) and is told `BudgetSpent` when it does not fit beside what was really spent. So with
    estimates that are upper bounds the limit is never passed.

    Minutes: counted by ``clock`` (seconds, any zero) from the first question on and until `pause`, then from the next
    one on; after them nothing new starts. What goes on without asking anybody, before, after and between, takes none.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._asked_s = 0.0
        #: clock time since which questions are asked; None while nobody asks
        self._asking_since: float | None = None
        self._reserved = Amount()
        self._under_way = 0
        self._waiting: list[asyncio.Future[None]] = []
        self.spent = Amount()

    async def reserve(self, estimate: Amount) -> None:
        """Wait until the estimate fits, and set it aside. Every reservation must be settled.

        Raises:
            BudgetSpent: it never will; the sentence says which limit, what was used, and how to go on.
        """
        if self._asking_since is None:
            self._asking_since = self._clock()
        while True:
            self.check_time()
            if self._exceeded(self.spent + self._reserved + estimate) is None:
                break
            limit = self._exceeded(self.spent + estimate)
            if limit is not None or self._under_way == 0:
                raise BudgetSpent(self._sentence(limit or "", estimate))
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        self._reserved += estimate
        self._under_way += 1

    def settle(self, estimate: Amount, used: Amount) -> None:
        """Replace a reservation by what was really used (nothing, if no answer came)."""
        self._under_way -= 1
        # back to exactly nothing, so that sums of floats leave no crumbs behind
        self._reserved = self._reserved - estimate if self._under_way else Amount()
        self.spent += used
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)

    def pause(self) -> None:
        """Nothing is asked from now on until the next `reserve`: the clock stands."""
        self._asked_s = self._asking_s()
        self._asking_since = None

    def check_time(self) -> None:
        """Raises BudgetSpent when the minutes are over."""
        minutes = self._budget.minutes
        used = self._asking_s() / _SECONDS_PER_MINUTE
        if minutes is not None and used >= minutes:
            raise BudgetSpent(
                f"the budget of {minutes:g} minutes is used up ({used:.1f} minutes, {self._used()}); what was "
                "answered is kept: run the same command again to go on, or raise budget.minutes"
            )

    def _asking_s(self) -> float:
        return self._asked_s + (0.0 if self._asking_since is None else self._clock() - self._asking_since)

    def _exceeded(self, amount: Amount) -> str | None:
        if self._budget.tokens is not None and amount.tokens > self._budget.tokens:
            return "tokens"
        if self._budget.cost is not None and amount.cost > self._budget.cost:
            return "cost"
        return None

    def _sentence(self, limit: str, estimate: Amount) -> str:
        if limit == "tokens":
            budget, next_one = f"{self._budget.tokens} tokens", f"{estimate.tokens} tokens"
        else:
            budget, next_one = f"{self._budget.cost:g} (cost)", f"{estimate.cost:.4f}"
        return (
            f"the budget of {budget} is used up: {self._used()}, and the next question may take up to {next_one}; what "
            f"was answered is kept: run the same command again to go on with a fresh budget, or raise budget.{limit}"
        )

    def _used(self) -> str:
        return f"used {self.spent.tokens} tokens, cost {self.spent.cost:.4f}"
