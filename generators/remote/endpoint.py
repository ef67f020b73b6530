"""One server as all questions share it: slots, retries, the budget, and the verdict that it is down.

Knows nothing about what is asked, so an HTTP speech engine can use it as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from generators.remote.budget import Amount, BudgetKeeper
from generators.remote.errors import EndpointError, RemoteError
from generators.remote.keys import redact
from generators.remote.limiter import AdaptiveLimiter
from generators.remote.retry import RETRY_AFTER_CAP, Failure, Verdict, backoff_s, judge_error
from generators.remote.settings import EndpointSettings

T = TypeVar("T")

#: questions that used up their retries, one after the other without any success: the server is down
_DOWN_AFTER = 3
_MOST_WORDS = 300
_UNAUTHORISED = (401, 403)


class Refused(RemoteError):
    """The server will not answer this question (400, 422)."""


class Exhausted(RemoteError):
    """All tries of this question failed while the server answers others."""


class Endpoint:
    """Sends questions to one server, used inside one event loop.

    ``where`` is how sentences name the server, ``address`` what its base_url looks like; ``forget`` is told the keys of
    questions that were called `Exhausted` before it turned out that the server was down.
    """

    def __init__(
        self,
        name: str,
        where: str,
        settings: EndpointSettings,
        budget: BudgetKeeper,
        seed: int,
        secrets: Sequence[str] = (),
        forget: Callable[[list[str]], object] = lambda keys: None,
        address: str = "it mostly ends in /v1",
    ) -> None:
        self.name = name
        self.where = where
        self.settings = settings
        self.limiter = AdaptiveLimiter(settings.start_in_flight, settings.max_in_flight)
        self.secrets = tuple(secrets)
        self._budget = budget
        self._seed = seed
        self._forget = forget
        self._address = address
        self._down: str | None = None
        self._active = 0
        self._streak: list[str] = []
        self._undecided: list[asyncio.Future[None]] = []

    async def call(
        self, key: str, subject: str, estimate: Amount, send: Callable[[], Awaitable[tuple[T, Amount]]]
    ) -> T:
        """Send until there is an answer.

        ``send`` sends once and returns its result with what it used; it is called inside a slot, within the
        budget and the endpoint's time limit. ``key`` names the question (it seeds the jitter), ``subject``
        says in sentences what was asked for, e.g. ``model 'x'``.

        Raises:
            EndpointError: nobody's question would get through; the sentence names endpoint and way out.
            Refused, Exhausted: only this question got no answer; the text says why, without keys.
            BudgetSpent: a (further) try would pass a limit.
        """
        self._active += 1
        try:
            failure: Failure | None = None
            for attempt in range(self.settings.retries + 1):
                if failure is not None:
                    await asyncio.sleep(self._wait_s(key, attempt, failure))
                done, failure = await self._try(estimate, send, urgent=attempt > 0)
                if done is not None:
                    return done[0]
                if failure is not None and failure.verdict is Verdict.FATAL:
                    raise self._gives_up(self._fatal_sentence(failure, subject))
                if failure is not None and failure.verdict is Verdict.REFUSED:
                    self._answered()
                    raise Refused(f"endpoint {self.name!r} refused the question ({self._words(failure)})")
            assert failure is not None
            tries = self.settings.retries + 1
            if failure.unreachable:
                raise self._gives_up(
                    f"{self._named()} cannot be reached ({self._words(failure)}, {tries} tries); start the server or "
                    "correct base_url, then run the same command again: what was answered is kept"
                )
            undecided = self._count_exhausted(key, failure)
        finally:
            self._active -= 1
            if self._active == 0:  # nobody left whose success or failure could tell
                self._decide()
        await undecided
        self._raise_if_down()
        raise Exhausted(
            f"endpoint {self.name!r} gave no answer in {tries} {'try' if tries == 1 else 'tries'}, "
            f"the last time: {self._words(failure)}"
        )

    async def _try(
        self, estimate: Amount, send: Callable[[], Awaitable[tuple[T, Amount]]], urgent: bool
    ) -> tuple[tuple[T] | None, Failure | None]:
        async with self.limiter.slot(urgent) as slot:
            self._raise_if_down()
            await self._budget.reserve(estimate)
            used = Amount()
            try:
                async with asyncio.timeout(self.settings.timeout_s):
                    done, used = await send()
            except Exception as error:
                failure = judge_error(error)
                if failure is None:
                    raise
            else:
                slot.succeeded()
                self._answered()
                return (done,), None
            finally:
                self._budget.settle(estimate, used)
            # outside of the except block: what we raise must not carry the library's error, its text may hold a key
            pause_s = self._obeyed(failure)
            if failure.verdict is Verdict.PUSH_BACK:
                slot.pushed_back(pause_s)
            elif pause_s > 0:
                self.limiter.pause(pause_s)
            return None, failure

    def _obeyed(self, failure: Failure) -> float:
        return min(failure.retry_after_s or 0.0, RETRY_AFTER_CAP * self.settings.max_backoff_s)

    def _wait_s(self, key: str, attempt: int, failure: Failure) -> float:
        jitter = backoff_s(self._seed, key, attempt, self.settings.backoff_s, self.settings.max_backoff_s)
        return self._obeyed(failure) + jitter

    # -- is the server down? ----------------------------------------------------------------------

    def _answered(self) -> None:
        self._streak.clear()
        self._decide()

    def _count_exhausted(self, key: str, failure: Failure) -> asyncio.Future[None]:
        """A question that used up its tries waits until a success of another one, or a third failure, tells
        whether it or the server is to blame."""
        undecided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._undecided.append(undecided)
        self._streak.append(key)
        if len(self._streak) >= _DOWN_AFTER:
            self._down = self._down or (
                f"{self._named()} is down: {len(self._streak)} questions in a row got no answer, each in "
                f"{self.settings.retries + 1} tries, the last time: {self._words(failure)}; look at the server's log, "
                "then run the same command again: what was answered is kept, and nothing was recorded as failed"
            )
            self._forget(list(self._streak))
            self._decide()
        return undecided

    def _decide(self) -> None:
        undecided, self._undecided = self._undecided, []
        for future in undecided:
            if not future.done():
                future.set_result(None)

    def _raise_if_down(self) -> None:
        if self._down is not None:
            raise EndpointError(self._down)

    def _gives_up(self, sentence: str) -> EndpointError:
        self._down = self._down or sentence
        self._forget(list(self._streak))
        self._decide()
        return EndpointError(self._down)

    # -- words --------------------------------------------------------------------------------------

    def _named(self) -> str:
        return f"endpoint {self.name!r} ({self.where})"

    def _words(self, failure: Failure) -> str:
        return self._shortened(failure.reason)

    def _shortened(self, words: str) -> str:
        words = redact(words, self.secrets)
        return words if len(words) <= _MOST_WORDS else words[:_MOST_WORDS] + "…"

    def _fatal_sentence(self, failure: Failure, subject: str) -> str:
        if failure.status in _UNAUTHORISED:  # without the server's words: they like to quote keys
            variable = self.settings.api_key_env
            what = f"the key in {variable}" if variable else "a question without a key"
            way_out = (
                f"set {variable} to a valid key" if variable else "name the variable that holds its key in api_key_env"
            )
            return (
                f"{self._named()} does not accept {what} for {subject} (status {failure.status}); {way_out}, "
                "then run the same command again"
            )
        if failure.moved_to is not None:
            return (
                f"{self._named()} redirects to {self._shortened(failure.moved_to)} (status {failure.status}), which is "
                "not followed; correct base_url, then run the same command again"
            )
        return (
            f"{self._named()} cannot answer for {subject} ({self._words(failure)}); check base_url "
            f"({self._address}), the model's name and the account, then run the same command again"
        )
