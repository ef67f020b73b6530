"""What ``humdial validate`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from data_schemas.finding import Severity
from flows.cli.summary import print_findings
from flows.validation.run import Outcome
from validators.core.judges import GROUPS, JUDGES
from validators.run.directory import count_findings


def print_judges(console: Console) -> None:
    """Every judge's name, level and subject, and the groups."""
    table = Table("judge", "looks at", "models", "what for")
    for info in JUDGES:
        table.add_row(info.name, info.level.value, ", ".join(info.models), info.summary)
    console.print(table)
    for name, members in GROUPS.items():
        listed = ", ".join(info.name for info in JUDGES if info.name in members)
        console.print(f"{name}: {listed}", markup=False)


def print_outcome(outcome: Outcome, console: Console) -> None:
    """The worst findings of this run, counts, what is left of earlier runs, and where the rest is."""
    findings, baseline = outcome.shown, outcome.new is not None
    print_findings(findings, console)
    errors = sum(count_findings(findings)[Severity.ERROR].values())
    console.print(
        f"{outcome.items} items judged: {errors}{' new' if baseline else ''} errors, "
        f"{len(findings) - errors} warnings and notes"
        + (f"; {len(outcome.findings) - len(findings)} known from the baseline" if baseline else ""),
        markup=False,
    )
    whole = outcome.whole
    if whole.kept:
        console.print(
            f"kept from earlier runs on the same data: {whole.kept_findings()} findings of {', '.join(whole.kept)}",
            markup=False,
            soft_wrap=True,
        )
    if whole.outdated:
        console.print(
            f"the data set has changed since {', '.join(whole.outdated)} were asked: what they found was taken out; "
            "run them again",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"all of it: {outcome.folder}/summary.md, findings.parquet, measures.parquet", soft_wrap=True)
