"""The script factory: orders are written, read, sent back with reasons, accepted or put in quarantine.

Requests run side by side; every decision that looks at more than one script (near-duplicates,
openings) is made in the order of the orders, so the same answers give the same scripts. All state
that costs money is the answer store's: a rerun replays it and asks nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from data_schemas.chat import ChatAnswer, ChatRequest
from data_schemas.finding import Severity
from data_schemas.plan import Place
from flows.common.progress import Reporter
from flows.common.windowed import in_order
from flows.config.build_config import BuildConfig
from flows.scripts.order import OrderDesk, OrderState, Pending, Stop
from flows.scripts.progress import FillNotes
from flows.scripts.reading import Reader
from flows.scripts.report import Books, ScriptReport, UsageLedger, make_report, write_report
from flows.scripts.settings import llm_settings
from flows.scripts.spool import ScriptSpool
from generators.plans.drawn import DrawnOutlines
from generators.remote.answers import AnswerStore, request_key
from generators.remote.budget import BudgetKeeper
from generators.remote.chat import ChatClient, ModelRoute
from generators.remote.errors import EndpointError, NoAnswer
from generators.scripts.frozen import FrozenScripts
from generators.scripts.llm.llm_writer import Ask, LlmWriter, Order

#: Orders begun and not yet decided, per question in flight: large enough that one slow order holds nobody up,
#: small enough that memory does not grow with the number of orders.
WINDOW_PER_QUESTION = 8
STAGE = "script"


@dataclass(frozen=True)
class FactoryParts:
    """What a factory works with."""

    outlines: DrawnOutlines
    writer: LlmWriter
    reader: Reader
    spool: ScriptSpool
    store: AnswerStore


class ScriptFactory:
    """Makes scripts for places until they are full. One object per run; `fill` can be called again for more.

    Between two calls no file is open and no clock runs. What is held then is what further scripts are compared with,
    1.4 kB a script: to know it anew, 20,000 orders would have to be replayed from kept answers (75 CPU seconds).
    """

    def __init__(
        self, config: BuildConfig, base_dir: Path, parts: FactoryParts, reporter: Reporter, retry_failed: bool = False
    ) -> None:
        self._settings = llm_settings(config)
        self._seed = config.seed
        self._rounds = config.top_up.rounds
        self._base_dir = base_dir
        self._outlines = parts.outlines
        self._reader = parts.reader
        self._spool = parts.spool
        self.store = parts.store
        self._reporter = reporter
        self._retry_failed = retry_failed
        self._books = Books()
        self._usage = UsageLedger(self._settings)
        self._desk = OrderDesk(self._settings, parts.writer, parts.reader, self._usage.add, self._stop_at)
        self._budget = BudgetKeeper(self._settings.budget, time.monotonic)
        self._stop: Stop | None = None
        #: orders that are not decided
        self._left_over: Iterator[OrderState] = iter(())
        self._is_last_round = False
        self._is_first_fill = True
        self.requests_sent = 0

    # -- asking ---------------------------------------------------------------------------------

    def fill(self, more: Mapping[Place, int]) -> ScriptReport:
        """Write until every place has ``more`` scripts more than were asked for before, or nothing helps.

        A spent budget ends it early with what was accepted; the report says so. When it ends, whatever the reason,
        what was accepted and rejected is in its files, and but for a crash or Ctrl-C the report is beside them.

        Raises:
            EndpointError, ConfigProblem: a server is wrong or away; what was answered is in the store.
        """
        self._books.wanted.update(more)
        self._stop = None
        self._announce(sum(more.values()))
        try:
            with self._spool.writing():
                asyncio.run(self._ask_for_all())
        finally:
            self._budget.pause()
            self.store.close()
        report = self.report()
        write_report(self._spool.folder, report)
        if isinstance(self._stop, EndpointError):
            raise self._stop
        return report

    def collect(self, more: Mapping[Place, int]) -> dict[str, ChatRequest]:
        """The questions that can be asked now and have no answer yet, by their key; nothing is sent."""
        wanted: dict[str, ChatRequest] = {}

        async def note(request: ChatRequest) -> ChatAnswer:
            answer = self._stored(request)
            if answer is None:
                wanted.setdefault(request_key(request), request)
                raise Pending
            return answer

        self._books.wanted.update(more)
        self._announce(sum(more.values()))
        with self._spool.writing():
            asyncio.run(self._all_rounds(note))
        return wanted

    def close(self) -> None:
        """Give the store back."""
        self.store.close()

    async def _ask_for_all(self) -> None:
        notes = FillNotes(self._reporter, self._books, self.store.path, time.monotonic)
        async with ChatClient(
            self._settings.endpoints,
            {
                name: ModelRoute(endpoint=model.endpoint, price=model.price)
                for name, model in self._settings.models.items()
            },
            self.store,
            self._budget,
            self._seed,
            self._base_dir,
            retry_failed=self._retry_failed,
            on_open=notes.opened,
        ) as client:

            async def ask(request: ChatRequest) -> ChatAnswer:
                answer = await client.ask(request)
                notes.tell_rate(client)
                return answer

            await self._all_rounds(ask)
            self.requests_sent += client.sent
            notes.tell_end(client)

    @property
    def accepted_ids(self) -> tuple[str, ...]:
        return self._spool.accepted_ids

    def freeze(self, target: Path) -> FrozenScripts:
        """Write all accepted scripts to one file, to be read from there."""
        return self._spool.freeze(target)

    def still_owed(self, place: Place) -> int:
        """How many of the scripts that were asked for a place does not have."""
        return self._books.wanted[place] - self._books.accepted[place]

    def is_short(self, place: Place) -> bool:
        """Whether a place has fewer scripts than it was asked for."""
        return self.still_owed(place) > 0

    def report(self) -> ScriptReport:
        """The books as they stand."""
        return make_report(
            self._books,
            self._usage,
            self._reader.diversity(),
            self.requests_sent,
            str(self._stop) if self._stop else "",
        )

    # -- rounds ---------------------------------------------------------------------------------

    def _announce(self, count: int) -> None:
        """The bar is for what the plan wants; what a top-up wants later is told, so that the bar never grows."""
        if self._is_first_fill:
            self._reporter.expect(STAGE, count)
        elif count:
            self._reporter.note(f"scripts, for items to be replaced: {count} more to write")

    async def _all_rounds(self, ask: Ask) -> None:
        for number in range(self._rounds + 1):
            missing = self._missing()
            if not missing and not self._books.undecided:
                break
            self._is_last_round = number == self._rounds
            if number:
                count = sum(len(ordinals) for ordinals in missing.values())
                self._reporter.note(f"scripts, top-up round {number}: {count} to replace")
            states: Iterator[OrderState] = chain(self._left_over, self._orders(missing))
            while await self._pass(states, ask):
                states = self._left_over
            if self._books.undecided:
                break
        self._is_first_fill = False

    def _missing(self) -> dict[Place, range]:
        """Ordinals of the new orders that each place needs, numbered on from the last one."""
        books = self._books
        missing = {}
        for place in sorted(books.wanted):
            first = books.ordered[place]
            count = books.wanted[place] + books.rejected[place] - first
            if count > 0:
                missing[place] = range(first, first + count)
                books.ordered[place] += count
        return missing

    def _orders(self, missing: Mapping[Place, range]) -> Iterator[OrderState]:
        for place, ordinals in missing.items():
            for ordinal in ordinals:
                yield OrderState(
                    Order(
                        id=f"{place.language}-{place.task}-{place.turns}-{ordinal:05d}-s{self._seed}",
                        outline=self._outlines.draw(place.task, place.language, place.turns, ordinal),
                    )
                )

    async def _pass(self, states: Iterator[OrderState], ask: Ask) -> bool:
        """One pass over orders; whether another one is due, over those that were sent back.

        Those are left over, and in a run that is stopped also what waits for its answer and what was not begun.
        """
        window = WINDOW_PER_QUESTION * sum(endpoint.max_in_flight for endpoint in self._settings.endpoints.values())
        pending: list[OrderState] = []
        back: list[OrderState] = []
        async for state in in_order(
            states, lambda state: self._desk.write(state, ask), window, lambda: self._stop is None
        ):
            if state.pending:
                pending.append(replace(state, pending=False))
                continue
            again = self._decide(state)
            if again is not None:
                back.append(again)
        self._left_over = chain(pending, back, states)
        return bool(back) and not pending and self._stop is None

    def _decide(self, state: OrderState) -> OrderState | None:
        """Accept, put in quarantine, or (third way) hand back to be written again."""
        if not state.done and state.script is not None:
            state = self._desk.judged(state, self._reader.read_in_set(state.script, self._books.wanted))
            if not state.done and state.reasons:
                return state
        if state.done:
            self._books.rejected[state.place] += 1
            self._books.codes.update({f.code for f in state.findings if f.severity is Severity.ERROR})
            self._spool.reject(state.rejected())
        elif state.script is not None:
            self._books.accepted[state.place] += 1
            self._books.attempts[state.attempt] += 1
            self._reader.accept(state.script)
            self._spool.accept(state.script, self._usage.accept(state.order.id, state.attempt, state.usage))
        if self._is_first_fill and (not state.done or self._is_last_round):  # else another order takes its place
            self._reporter.advance(STAGE)
        return None

    def _stop_at(self, stop: Stop) -> None:
        self._stop = self._stop or stop

    def _stored(self, request: ChatRequest) -> ChatAnswer | None:
        key = request_key(request)
        reason = self.store.failure(key)
        if reason is not None and not self._retry_failed:
            raise NoAnswer(reason)
        return self.store.get(key)
