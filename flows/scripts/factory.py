"""The script factory: orders are written, read, sent back with reasons, accepted or put in quarantine.

Requests run side by side; every decision that looks at more than one script (near-duplicates,
openings) is made in the order of the orders, so the same answers give the same scripts. All state
that costs money is the answer store's: a rerun replays it and asks nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_schemas.chat import ChatAnswer, ChatRequest, Usage
from data_schemas.finding import Finding, Severity
from data_schemas.foundation.base import Record
from data_schemas.plan import Place
from data_schemas.script import Script
from flows.common.progress import Reporter
from flows.common.windowed import in_order
from flows.config.build_config import BuildConfig
from flows.scripts.reading import JUDGE_UNREADABLE, Reader
from flows.scripts.report import Books, ScriptReport, UsageLedger, make_report
from flows.scripts.settings import llm_settings
from flows.scripts.spool import ScriptSpool
from generators.plans.drawn import DrawnOutlines
from generators.remote.answers import AnswerStore, request_key
from generators.remote.budget import BudgetKeeper
from generators.remote.chat import ChatClient, ModelRoute
from generators.remote.errors import BudgetSpent, EndpointError, NoAnswer
from generators.scripts.llm.llm_writer import Ask, Draft, LlmWriter, Order
from validators.text.answers import no_answer, truncated, unreadable

#: Orders begun and not yet decided, per question in flight: large enough that one slow order holds nobody up,
#: small enough that memory does not grow with the number of orders.
WINDOW_PER_QUESTION = 8


class Rejected(Record):
    """An order that goes to quarantine: what was written last and what was wrong each time."""

    order: Order
    script: Script | None
    answer: str
    attempts: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Job:
    """An order and where it stands."""

    order: Order
    attempt: int = 1
    answer: str = ""
    reasons: str = ""
    findings: tuple[Finding, ...] = ()
    script: Script | None = None
    usage: Mapping[str, Usage] = field(default_factory=dict)  # by the model's name in the configuration
    done: bool = False  # nothing more can be tried
    pending: bool = False  # its answer is to come (offline batch), or the run was stopped

    @property
    def place(self) -> Place:
        outline = self.order.outline
        return Place(outline.task, outline.language, outline.turns)


class Pending(Exception):
    """The answer is not in the store and nothing may be asked now."""


@dataclass(frozen=True)
class Tools:
    """What a factory works with."""

    outlines: DrawnOutlines
    writer: LlmWriter
    reader: Reader
    spool: ScriptSpool
    store: AnswerStore


class ScriptFactory:
    """Makes scripts for places until they are full. One object per run; `fill` can be called again for more."""

    def __init__(
        self, config: BuildConfig, base_dir: Path, tools: Tools, reporter: Reporter, retry_failed: bool = False
    ) -> None:
        self._settings = llm_settings(config)
        self._seed = config.seed
        self._rounds = config.top_up.rounds
        self._base_dir = base_dir
        self._outlines = tools.outlines
        self._writer = tools.writer
        self._reader = tools.reader
        self._spool = tools.spool
        self.store = tools.store
        self._reporter = reporter
        self._retry_failed = retry_failed
        self._books = Books()
        self._usage = UsageLedger(self._settings)
        self._budget = BudgetKeeper(self._settings.budget, time.monotonic)
        self._stop: BudgetSpent | EndpointError | None = None
        self.requests_sent = 0

    # -- asking ---------------------------------------------------------------------------------

    def fill(self, more: Mapping[Place, int]) -> ScriptReport:
        """Write until every place has ``more`` scripts more than were asked for before, or nothing helps.

        A spent budget ends it early with what was accepted; the report says so.

        Raises:
            EndpointError, ConfigProblem: a server is wrong or away; what was answered is in the store.
        """
        return asyncio.run(self._fill(more))

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
        asyncio.run(self._all_rounds(note))
        return wanted

    def close(self) -> None:
        """Give the files back."""
        self._spool.close()
        self.store.close()

    async def _fill(self, more: Mapping[Place, int]) -> ScriptReport:
        self._books.wanted.update(more)
        self._stop = None
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
        ) as client:
            await self._all_rounds(client.ask)
            self.requests_sent += client.sent
        if isinstance(self._stop, EndpointError):
            raise self._stop
        return self.report()

    @property
    def accepted_ids(self) -> tuple[str, ...]:
        return self._spool.accepted_ids

    def script(self, script_id: str) -> Script:
        """An accepted script."""
        return self._spool.script(script_id)

    def freeze(self, target: Path) -> int:
        """Write all accepted scripts to one file; returns how many."""
        return self._spool.freeze(target)

    def is_short(self, place: Place) -> bool:
        """Whether a place has fewer scripts than it was asked for."""
        return self._books.accepted[place] < self._books.wanted[place]

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

    async def _all_rounds(self, ask: Ask) -> None:
        for number in range(self._rounds + 1):
            missing = self._missing()
            if not missing:
                return
            count = sum(len(ordinals) for ordinals in missing.values())
            if number:
                self._reporter.note(f"scripts, top-up round {number}: {count} to replace")
            self._reporter.expect("script", count)
            jobs: Iterable[Job] = self._jobs(missing)
            while True:
                back, complete = await self._pass(jobs, ask)
                if not complete:
                    return
                if not back:
                    break
                jobs = back

    def _missing(self) -> dict[Place, range]:
        """Ordinals of the new orders that each place needs, numbered on from the last one."""
        missing = {}
        for place in sorted(self._books.wanted):
            first = self._books.ordered[place]
            count = self._books.wanted[place] - self._books.accepted[place]
            if count > 0:
                missing[place] = range(first, first + count)
                self._books.ordered[place] += count
        return missing

    def _jobs(self, missing: Mapping[Place, range]) -> Iterator[Job]:
        for place, ordinals in missing.items():
            for ordinal in ordinals:
                yield Job(
                    Order(
                        id=f"{place.language}-{place.task}-{place.turns}-{ordinal:05d}-s{self._seed}",
                        outline=self._outlines.draw(place.task, place.language, place.turns, ordinal),
                    )
                )

    async def _pass(self, jobs: Iterable[Job], ask: Ask) -> tuple[list[Job], bool]:
        """One pass over ``jobs``; returns those that were sent back, and whether all were decided."""
        window = WINDOW_PER_QUESTION * sum(endpoint.max_in_flight for endpoint in self._settings.endpoints.values())
        back: list[Job] = []
        complete = True
        async for job in in_order(jobs, lambda job: self._write(job, ask), window, lambda: self._stop is None):
            if job.pending:
                complete = False
                continue
            again = self._decide(job)
            if again is not None:
                back.append(again)
        return back, complete and self._stop is None

    # -- one order ------------------------------------------------------------------------------

    async def _write(self, job: Job, ask: Ask) -> Job:
        """Write and read until the script passes on its own, or the attempts are used up."""
        usage = dict(job.usage)

        async def counted(request: ChatRequest) -> ChatAnswer:
            answer = await ask(request)
            usage[request.alias] = usage.get(request.alias, Usage()) + answer.usage
            self._usage.add(request, answer)
            return answer

        try:
            while not job.done:
                job = await self._attempt(job, counted)
                if job.script is not None and not job.reasons:
                    break
        except Pending:
            job = replace(job, pending=True)
        except (BudgetSpent, EndpointError) as stop:
            self._stop = self._stop or stop
            job = replace(job, pending=True)
        return replace(job, usage=usage)

    async def _attempt(self, job: Job, ask: Ask) -> Job:
        try:
            draft = await self._writer.write(job.order, job.attempt, job.answer, job.reasons, ask)
        except NoAnswer as error:
            return replace(job, done=True, findings=(*job.findings, no_answer(job.order.id, error.reason)))
        if draft.script is None:
            found: tuple[Finding, ...] = (self._no_script(job.order, draft),)
        else:
            found = await self._reader.read(draft.script, ask)
        return self._judged(replace(job, script=draft.script, answer=draft.answer), found)

    def _no_script(self, order: Order, draft: Draft) -> Finding:
        if not draft.truncated:
            return unreadable(order.id, draft.problem)
        team = self._writer.team(order)
        models = (self._settings.models[team.user], self._settings.models[team.assistant])
        return truncated(order.id, max(model.sampling.max_tokens for model in models))

    def _judged(self, job: Job, found: tuple[Finding, ...]) -> Job:
        """The job after an attempt was read: passed, to be written again, or done with."""
        errors = [finding for finding in found if finding.severity is Severity.ERROR]
        job = replace(job, findings=(*job.findings, *found))
        if not errors:
            return replace(job, reasons="")
        unread = any(finding.code == JUDGE_UNREADABLE for finding in errors)  # no fault of the writer's
        if unread or job.attempt > self._settings.reading.rewrites:
            return replace(job, done=True)
        reasons = "\n".join(f"- {reason}" for reason in dict.fromkeys(finding.message for finding in errors))
        return replace(job, attempt=job.attempt + 1, reasons=reasons)

    def _decide(self, job: Job) -> Job | None:
        """Accept, put in quarantine, or (third way) hand back to be written again."""
        if not job.done and job.script is not None:
            found = self._reader.read_in_set(job.script, self._books.wanted)
            job = self._judged(job, found)
            if not job.done and job.reasons:
                return job
        if job.done:
            self._books.rejected[job.place] += 1
            self._books.codes.update({f.code for f in job.findings if f.severity is Severity.ERROR})
            self._spool.reject(
                Rejected(
                    order=job.order,
                    script=job.script,
                    answer=job.answer,
                    attempts=job.attempt,
                    findings=job.findings,
                )
            )
        elif job.script is not None:
            self._books.accepted[job.place] += 1
            self._books.attempts[job.attempt] += 1
            self._reader.accept(job.script)
            self._spool.accept(job.script, self._usage.accept(job.order.id, job.attempt, job.usage))
        self._reporter.advance("script")
        return None

    def _stored(self, request: ChatRequest) -> ChatAnswer | None:
        key = request_key(request)
        reason = self.store.failure(key)
        if reason is not None and not self._retry_failed:
            raise NoAnswer(reason)
        return self.store.get(key)
