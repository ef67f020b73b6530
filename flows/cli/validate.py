"""``humdial validate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.guard import at_stake
from flows.cli.options import AsJson, Workers, print_json, progress_screen, screen
from flows.common.errors import EXIT_FAILED

if TYPE_CHECKING:
    from rich.console import Console

    from flows.validation.run import Outcome

Judges = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="JUDGE", help="Ask this judge or group only (see `--list`). Repeatable."),
]


def validate(  # noqa: PLR0913, PLR0917 - one argument per option of the command
    root: Annotated[Path | None, typer.Argument(help="A release, or any directory in a supported layout.")] = None,
    only: Judges = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="JUDGE", help="Leave this judge or group out. Repeatable.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Only the quick judges, without models: short for `--only fast`.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Thresholds of this configuration [default: those of the release's lock]."),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Whose speech it is: some thresholds depend on it [default: the lock's].")
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option("--exclude", help="A data set, or a .jsonl or .txt of texts, that must not recur. Repeatable."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Findings of an earlier run: say and count only what is new.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the findings [default: ROOT.findings].")
    ] = None,
    data_docs: Annotated[
        Path | None, typer.Option("--data-docs", help="Also write the catalog suite's Data Docs (HTML) here.")
    ] = None,
    workers: Workers = None,
    list_judges: Annotated[bool, typer.Option("--list", help="Print the judges and groups, and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge a data set, ours or not; exits 1 when there are errors.

    Layouts: Track 1 (seed and later numbering) and Track 2. Findings, measures of every utterance and a summary
    are written beside the root. What models measured is kept there too: run the same command again after an
    interruption and it goes on where it was. The codes are explained in docs/findings.md.

    Examples:

      humdial validate out/quickstart

      humdial validate ~/HumDial --fast --skip lock

      humdial validate ~/HumDial --only transcript --baseline monday.findings
    """
    from flows.common.progress import progress_display
    from flows.validation.run import ValidateOptions
    from flows.validation.run import validate as judge

    if list_judges:
        print_judges(screen())
        return
    if root is None:
        raise typer.BadParameter("name the directory to judge", param_hint="ROOT")
    options = ValidateOptions(
        root=root,
        only=(*(only or ()), *(("fast",) if fast else ())),
        skip=tuple(skip or ()),
        config=config,
        engine=engine,
        exclude=tuple(exclude or ()),
        baseline=baseline,
        output=output,
        data_docs=data_docs,
        workers=workers or 0,
    )
    kept = (
        f"what models measured is kept in {options.folder}, and the findings there are those of earlier runs: run the "
        "same command again to go on where it was"
    )
    with at_stake(lambda: kept, "--output DIR"), progress_display(progress_screen(as_json)) as reporter:
        outcome = judge(options, reporter)
    if as_json:
        print_json(outcome_json(outcome))
    else:
        print_outcome(outcome, screen())
    if not outcome.ok:
        raise typer.Exit(EXIT_FAILED)


def print_judges(console: Console) -> None:
    """Every judge's name, level and subject, and the groups."""
    from rich.table import Table

    from validators.core.judges import GROUPS, JUDGES

    table = Table("judge", "looks at", "models", "what for")
    for info in JUDGES:
        table.add_row(info.name, info.level.value, ", ".join(info.models), info.summary)
    console.print(table)
    for name, members in GROUPS.items():
        listed = ", ".join(info.name for info in JUDGES if info.name in members)
        console.print(f"{name}: {listed}", markup=False)


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The counts of a run by severity and code, and where the rest is."""
    from validators.run.directory import count_findings

    counts = count_findings(outcome.shown)
    return {
        "ok": outcome.ok,
        "items": outcome.items,
        "counts": {severity.value: dict(sorted(codes.items())) for severity, codes in counts.items()},
        "known_from_baseline": len(outcome.findings) - len(outcome.shown),
        "kept_from_earlier_runs": list(outcome.whole.kept),
        "outdated": list(outcome.whole.outdated),
        "folder": str(outcome.folder),
    }


def print_outcome(outcome: Outcome, console: Console) -> None:
    """The worst findings of this run, counts, what is left of earlier runs, and where the rest is."""
    from data_schemas.finding import Severity
    from flows.cli.summary import print_findings
    from validators.run.directory import count_findings

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
