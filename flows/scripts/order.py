"""One order: written, read, and written again with the reasons, until it passes or its attempts are used up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from data_schemas.chat import ChatAnswer, ChatRequest, Usage
from data_schemas.finding import Finding, Severity
from data_schemas.foundation.base import Record
from data_schemas.plan import Place
from data_schemas.script import Script
from flows.scripts.reading import JUDGE_UNREADABLE, Reader
from generators.remote.errors import BudgetSpent, EndpointError, NoAnswer
from generators.scripts.llm.llm_writer import Ask, Draft, LlmWriter, Order
from generators.scripts.settings import LlmSettings
from validators.text.answers import no_answer, truncated, unreadable

#: what keeps a question from being asked, for the whole run
Stop = BudgetSpent | EndpointError


class Rejected(Record):
    """An order that goes to quarantine: what was written last and what was wrong each time."""

    order: Order
    script: Script | None
    answer: str
    attempts: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class OrderState:
    """An order and how far it has got."""

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

    def rejected(self) -> Rejected:
        """The line of the quarantine."""
        return Rejected(
            order=self.order,
            script=self.script,
            answer=self.answer,
            attempts=self.attempt,
            findings=self.findings,
        )


class Pending(Exception):
    """The answer is not in the store and nothing may be asked now."""


class OrderDesk:
    """Brings single orders as far as they get without being compared with others.

    Args:
        answered: told every answer, with its question.
        stopped: told what keeps any question from being asked.
    """

    def __init__(
        self,
        settings: LlmSettings,
        writer: LlmWriter,
        reader: Reader,
        answered: Callable[[ChatRequest, ChatAnswer], None],
        stopped: Callable[[Stop], None],
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._reader = reader
        self._answered = answered
        self._stopped = stopped

    async def write(self, state: OrderState, ask: Ask) -> OrderState:
        """Write and read until the script passes on its own, or the attempts are used up."""
        usage = dict(state.usage)

        async def counted(request: ChatRequest) -> ChatAnswer:
            answer = await ask(request)
            usage[request.alias] = usage.get(request.alias, Usage()) + answer.usage
            self._answered(request, answer)
            return answer

        try:
            while not state.done:
                state = await self._attempt(state, counted)
                if state.script is not None and not state.reasons:
                    break
        except Pending:
            state = replace(state, pending=True)
        except (BudgetSpent, EndpointError) as stop:
            self._stopped(stop)
            state = replace(state, pending=True)
        return replace(state, usage=usage)

    def judged(self, state: OrderState, found: tuple[Finding, ...]) -> OrderState:
        """The order after an attempt was read: passed, to be written again, or done with."""
        errors = [finding for finding in found if finding.severity is Severity.ERROR]
        state = replace(state, findings=(*state.findings, *found))
        if not errors:
            return replace(state, reasons="")
        unread = any(finding.code == JUDGE_UNREADABLE for finding in errors)  # no fault of the writer's
        if unread or state.attempt > self._settings.reading.rewrites:
            return replace(state, done=True)
        reasons = "\n".join(f"- {reason}" for reason in dict.fromkeys(finding.message for finding in errors))
        return replace(state, attempt=state.attempt + 1, reasons=reasons)

    async def _attempt(self, state: OrderState, ask: Ask) -> OrderState:
        try:
            draft = await self._writer.write(state.order, state.attempt, state.answer, state.reasons, ask)
        except NoAnswer as error:
            return replace(state, done=True, findings=(*state.findings, no_answer(state.order.id, error.reason)))
        if draft.script is None:
            found: tuple[Finding, ...] = (self._no_script(state.order, draft),)
        else:
            found = await self._reader.read(draft.script, ask)
        return self.judged(replace(state, script=draft.script, answer=draft.answer), found)

    def _no_script(self, order: Order, draft: Draft) -> Finding:
        if not draft.truncated:
            return unreadable(order.id, draft.problem)
        team = self._writer.team(order)
        models = (self._settings.models[team.user], self._settings.models[team.assistant])
        return truncated(order.id, max(model.sampling.max_tokens for model in models))
