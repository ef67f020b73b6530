"""What a build tells the person who started it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data_schemas.finding import Finding, Severity
from flows.build.phases import Published
from flows.build.report import BuildReport
from flows.cli.options import print_json
from flows.release.books import summary_rows
from flows.release.speech_report import SPEECH_FILE

SHOWN_FINDINGS = 20


def print_published(done: BuildReport | Published, config: Path, console: Console, as_json: bool) -> None:
    """What a build or publish came to; with ``as_json`` its record, whose ``outcome`` says which of both it is."""
    if as_json:
        outcome = "already_published" if isinstance(done, Published) else "published"
        print_json({"outcome": outcome, **done.model_dump(mode="json")})
    elif isinstance(done, Published):
        console.print(
            f"{done.release} already holds this very release (same configuration, code, scripts and voices); "
            f"nothing to do.\ntree sha256: {done.tree_sha256}",
            markup=False,
            soft_wrap=True,
        )
        print_next_commands(done.release, config, console)
    else:
        print_report(done, config, console)


def print_report(report: BuildReport, config: Path, console: Console) -> None:
    """A table per track, language and split, then totals, place and next commands."""
    table = Table(title=f"{report.name}: what was made")
    for heading in ("track", "task", "language", "split", "planned", "topped up", "released", "rejected"):
        table.add_column(heading, justify="left" if heading in {"track", "task"} else "right")
    for row in summary_rows(report.counts):
        table.add_row(*(str(value) for value in row))
    console.print(table)
    console.print(
        f"{report.released} items, {report.audio_hours * 60:.1f} minutes of audio, "
        f"{report.quarantined} rejected, in {report.wall_seconds / 60:.1f} minutes",
        markup=False,
    )
    for title, codes in (
        ("rejected because of", report.rejects),
        ("released with warnings", report.warnings),
    ):
        if codes:
            console.print(f"{title}: " + ", ".join(f"{code} x{n}" for code, n in codes.items()), markup=False)
    if report.spoken_again:
        console.print(
            f"spoken again: {report.spoken_again} utterances, {report.mended} of them passed then "
            f"({report.release}/{SPEECH_FILE})",
            markup=False,
            soft_wrap=True,
        )
    if report.quarantined:
        console.print(f"rejected items with their findings: {report.work}/quarantine", markup=False)
    console.print(f"release: {report.release}\ntree sha256: {report.tree_sha256}", markup=False, soft_wrap=True)
    print_next_commands(report.release, config, console)


def _as_typed() -> str:
    """How this process was started: ``python -m flows`` has a file in ``argv`` that nobody can run."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return f"{os.path.relpath(sys.executable)} -m {started.parent.name}"
    return os.path.relpath(started)


def print_next_commands(release: str, config: Path, console: Console) -> None:
    """The two or three commands a person would want next, as they can be typed here."""
    program = "humdial" if shutil.which("humdial") else _as_typed()
    place = os.path.relpath(release) if Path(release).is_relative_to(Path.cwd()) else release
    console.print("next:", markup=False)
    for command in (
        f"{program} validate {place}",
        f"less {place}/README.md",
        f"{program} build {config} --set seed=2 --set release=out/second",
    ):
        console.print(f"  {command}", markup=False, soft_wrap=True)


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """The worst findings, one a line, and how many more there are."""
    order = list(Severity)
    for finding in sorted(findings, key=lambda finding: order.index(finding.severity))[:SHOWN_FINDINGS]:
        console.print(
            f"{finding.severity.value:<8}{finding.code:<28}{finding.item}: {finding.message}",
            markup=False,
            soft_wrap=True,
        )
    if len(findings) > SHOWN_FINDINGS:
        console.print(f"... and {len(findings) - SHOWN_FINDINGS} more", markup=False)
