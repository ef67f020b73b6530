"""What became of the orders, what it took, and how varied the scripts are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data_schemas.chat import ChatAnswer, ChatRequest, Usage
from data_schemas.foundation.base import Record
from data_schemas.plan import Place
from flows.common.atomic import write_text_atomic
from generators.remote.ledger import cost_of
from generators.scripts.settings import LlmSettings
from validators.text.diversity import DiversityReport

REPORT_FILE = "report.json"
SHOWN_OPENINGS = 3


class PlaceCount(Record):
    """The books of one place: every order is accepted, rejected, or open (the run was stopped)."""

    place: str
    wanted: int
    accepted: int
    rejected: int


class ModelTotals(Record):
    """What one model was asked for these scripts, in this run and in earlier ones."""

    alias: str
    model: str
    answers: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


class ScriptUsage(Record):
    """One line of ``work/scripts/usage.jsonl``: what one accepted script took, all its attempts and judgements."""

    script_id: str
    attempts: int
    #: by the model's name in the configuration
    models: dict[str, Usage]
    cost: float


class ScriptReport(Record):
    """``work/scripts/report.json``."""

    places: tuple[PlaceCount, ...]
    #: how many rejected orders had each code at least once
    rejected_because: dict[str, int]
    #: how many accepted scripts took 1, 2, .. attempts
    attempts: dict[str, int]
    models: tuple[ModelTotals, ...]
    #: tokens and cost of everything asked, divided by the accepted scripts
    tokens_per_accepted: float
    cost_per_accepted: float
    #: tokens of the accepted scripts' own requests, without those of rejected orders
    own_tokens_per_accepted: float
    diversity: DiversityReport
    #: questions sent to a server in this run; the other answers came from the store
    requests_sent: int
    #: the sentence of the budget or server that ended the run early, or ""
    stopped: str

    @property
    def wanted(self) -> int:
        return sum(place.wanted for place in self.places)

    @property
    def accepted(self) -> int:
        return sum(place.accepted for place in self.places)

    @property
    def rejected(self) -> int:
        return sum(place.rejected for place in self.places)

    @property
    def cost(self) -> float:
        return sum(model.cost for model in self.models)

    @property
    def is_full(self) -> bool:
        return all(place.accepted >= place.wanted for place in self.places)


class UsageLedger:
    """Tokens and money per model and per accepted script."""

    def __init__(self, settings: LlmSettings) -> None:
        self._models = settings.models
        self._answers: Counter[str] = Counter()
        self._usage: dict[str, Usage] = {}
        self._accepted = 0
        self._own_tokens = 0

    def add(self, request: ChatRequest, answer: ChatAnswer) -> None:
        self._answers[request.alias] += 1
        self._usage[request.alias] = self._usage.get(request.alias, Usage()) + answer.usage

    def accept(self, script_id: str, attempts: int, usage: Mapping[str, Usage]) -> ScriptUsage:
        """Count an accepted script; returns the line that is kept about it."""
        self._accepted += 1
        self._own_tokens += sum(one.total_tokens for one in usage.values())
        return ScriptUsage(
            script_id=script_id,
            attempts=attempts,
            models=dict(sorted(usage.items())),
            cost=sum(cost_of(one, self._models[alias].price) for alias, one in usage.items()),
        )

    def rows(self) -> tuple[ModelTotals, ...]:
        return tuple(
            ModelTotals(
                alias=alias,
                model=self._models[alias].model,
                answers=self._answers[alias],
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cost=cost_of(usage, self._models[alias].price),
            )
            for alias, usage in sorted(self._usage.items())
        )

    def own_tokens_per_accepted(self) -> float:
        return self._own_tokens / self._accepted if self._accepted else 0.0


@dataclass
class Books:
    """What was wanted and decided so far, per place."""

    wanted: Counter[Place] = field(default_factory=Counter)
    ordered: Counter[Place] = field(default_factory=Counter)
    accepted: Counter[Place] = field(default_factory=Counter)
    rejected: Counter[Place] = field(default_factory=Counter)
    #: rejected orders that had a code at least once
    codes: Counter[str] = field(default_factory=Counter)
    #: accepted scripts by the number of attempts they took
    attempts: Counter[int] = field(default_factory=Counter)

    @property
    def undecided(self) -> int:
        """Orders that are neither accepted nor rejected."""
        return self.ordered.total() - self.accepted.total() - self.rejected.total()


def make_report(
    books: Books, usage: UsageLedger, diversity: DiversityReport, requests_sent: int, stopped: str
) -> ScriptReport:
    """The report of the books as they stand."""
    models = usage.rows()
    scripts = books.accepted.total()
    tokens = sum(model.prompt_tokens + model.completion_tokens for model in models)
    return ScriptReport(
        places=tuple(
            PlaceCount(
                place=place.key,
                wanted=books.wanted[place],
                accepted=books.accepted[place],
                rejected=books.rejected[place],
            )
            for place in sorted(books.wanted)
        ),
        rejected_because=dict(sorted(books.codes.items(), key=lambda entry: (-entry[1], entry[0]))),
        attempts={str(number): books.attempts[number] for number in sorted(books.attempts)},
        models=models,
        tokens_per_accepted=tokens / scripts if scripts else 0.0,
        cost_per_accepted=sum(model.cost for model in models) / scripts if scripts else 0.0,
        own_tokens_per_accepted=usage.own_tokens_per_accepted(),
        diversity=diversity,
        requests_sent=requests_sent,
        stopped=stopped,
    )


def write_report(folder: Path, report: ScriptReport) -> Path:
    """Write the report beside the quarantine; returns where."""
    place = folder / REPORT_FILE
    write_text_atomic(place, json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n")
    return place


def print_script_report(report: ScriptReport, console: Console) -> None:
    """Books per place, models, diversity."""
    table = Table(title="scripts")
    for heading in ("task / language / turns", "wanted", "accepted", "rejected"):
        table.add_column(heading, justify="left" if heading.startswith("task") else "right")
    for place in report.places:
        table.add_row(place.place, str(place.wanted), str(place.accepted), str(place.rejected))
    console.print(table)
    for model in report.models:
        console.print(
            f"{model.alias} ({model.model}): {model.answers} answers, {model.prompt_tokens} + "
            f"{model.completion_tokens} tokens, cost {model.cost:.4f}",
            markup=False,
            soft_wrap=True,
        )
    console.print(
        f"{report.accepted} of {report.wanted} scripts accepted, {report.rejected} orders rejected; "
        f"{report.tokens_per_accepted:.0f} tokens and {report.cost_per_accepted:.4f} money per accepted script; "
        f"{report.requests_sent} questions sent in this run",
        markup=False,
        soft_wrap=True,
    )
    if report.attempts:
        tries = ", ".join(f"{count} at attempt {number}" for number, count in report.attempts.items())
        console.print(f"accepted: {tries}", markup=False)
    if report.rejected_because:
        reasons = ", ".join(f"{code} x{count}" for code, count in report.rejected_because.items())
        console.print(f"rejected because of: {reasons}", markup=False, soft_wrap=True)


def print_diversity(diversity: DiversityReport, console: Console) -> None:
    """One paragraph per language; the full histograms are in the report file."""
    for language, figures in diversity.languages.items():
        openings = figures.openings["all"]
        most = ", ".join(f"{opening!r} x{count}" for opening, count in openings.top[:SHOWN_OPENINGS])
        bleu = "-" if figures.self_bleu is None else f"{figures.self_bleu:.1f}"
        console.print(
            f"{language}: {figures.scripts} scripts, {len(figures.domains)} domains, distinct-1/2/3 "
            f"{'/'.join(f'{value:.2f}' for value in figures.distinct)}, self-BLEU {bleu}; first lines begin most often "
            f"with {most}",
            markup=False,
            soft_wrap=True,
        )
