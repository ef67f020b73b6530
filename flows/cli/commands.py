"""What each command of the CLI does, once its arguments are read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from data_schemas.tasks import Language, Split
from flows.cli.summary import print_next_commands, print_report
from flows.common.errors import EXIT_FAILED, ConfigError
from flows.common.progress import Reporter, progress_display, reporting
from flows.validation.run import ValidateOptions

if TYPE_CHECKING:
    from flows.build.phases import Published
    from flows.build.report import BuildReport
    from flows.config.build_config import BuildConfig

E = TypeVar("E", bound=StrEnum)


def build_command(path: Path, overrides: tuple[str, ...], dry_run: bool, console: Console) -> None:
    """``humdial build``."""
    from flows.build.phases import Published, build_release, published_already
    from flows.config.build_config import load_config
    from flows.prepare.estimate import print_estimate
    from flows.prepare.resolve import resolve

    config = load_config(path, overrides)
    if dry_run:
        print_estimate(config, resolve(config, need_models=False), path.parent, console)
        return
    there = published_already(config, path.parent)
    if there is not None:
        _say_published(there, path, console)
        return
    done: BuildReport | Published
    with progress_display(console) as reporter, reporting(reporter):
        if config.execution.orchestrator == "none":
            done = build_release(path, overrides, reporter)
        else:
            done = _with_prefect(config, path, overrides, reporter)
    if isinstance(done, Published):
        _say_published(done, path, console)
    else:
        print_report(done, path, console)


def _say_published(there: Published, path: Path, console: Console) -> None:
    console.print(
        f"{there.release} already holds this very release (same configuration, code, scripts and voices); "
        f"nothing to do.\ntree sha256: {there.tree_sha256}",
        markup=False,
        soft_wrap=True,
    )
    print_next_commands(there.release, path, console)


def _with_prefect(config: BuildConfig, path: Path, overrides: tuple[str, ...], reporter: Reporter) -> Any:
    from flows.build.phases import checked_parts
    from flows.orchestration.server import PrefectServer

    checked_parts(config, path.parent)  # what can be refused is refused before anything is started
    config.work_dir.mkdir(parents=True, exist_ok=True)
    reporter.note("starting Prefect (5 to 20 seconds) ...")
    with PrefectServer(config.work_dir, reporter.note) as server:
        from flows.orchestration.flows import build_flow
        from flows.orchestration.runners import run_flow

        with server.ready():
            return run_flow(build_flow, str(path), list(overrides))


def validate_command(options: ValidateOptions, console: Console) -> None:
    """``humdial validate``."""
    from flows.cli.validation import print_outcome
    from flows.validation.run import validate

    with progress_display(console) as reporter:
        outcome = validate(options, reporter)
    print_outcome(outcome, console)
    if not outcome.ok:
        raise typer.Exit(EXIT_FAILED)


def export_command(
    root: Path, to: str, output: Path | None, languages: tuple[str, ...], splits: tuple[str, ...], console: Console
) -> None:
    """``humdial export``."""
    from flows.exports.registry import EXPORTERS, exporter_named
    from flows.exports.run import ExportJob, run_export

    if to == "list":
        table = Table("format", "tracks", "what for")
        for known in EXPORTERS:
            table.add_row(known.name, ", ".join(sorted(known.tracks)), known.summary)
        console.print(table)
        return
    exporter = exporter_named(to)
    target = output or root.resolve().parent / f"{root.resolve().name}-{exporter.name}"
    job = ExportJob(
        root=root,
        exporter=exporter,
        target=target,
        languages=_chosen(Language, languages, "--language"),
        splits=_chosen(Split, splits, "--split"),
    )
    with progress_display(console) as reporter:
        note = run_export(job, reporter)
    console.print(
        f"{note.count.items} items, {note.count.entries} entries in {exporter.name} format: {target}",
        markup=False,
        soft_wrap=True,
    )
    for reason, count in sorted(note.count.left_out.items()):
        console.print(f"left out: {count} x {reason}", markup=False, soft_wrap=True)


def _chosen(kind: type[E], names: tuple[str, ...], option: str) -> frozenset[E]:
    """Members of an enumeration by value; all of them where none is named."""
    known = [member.value for member in kind]
    for name in names:
        if name not in known:
            raise ConfigError(f"{option} {name}: choose from {', '.join(known)}")
    return frozenset(kind(name) for name in names) or frozenset(kind)


def doctor_command(config: Path | None, overrides: tuple[str, ...], console: Console) -> None:
    """``humdial doctor [CONFIG]``."""
    from flows.config.build_config import load_config
    from flows.doctor.checks import run_checks
    from flows.doctor.speech import speech_checks

    speech = None if config is None else load_config(config, overrides, need_engine=False).speech
    checks = (*run_checks(), *(() if speech is None else speech_checks(speech)))
    for check in checks:
        console.print(
            f"{'ok     ' if check.ok else 'MISSING'} {check.name}: {check.detail}",
            markup=False,
            soft_wrap=True,
        )
        if not check.ok and check.fix:
            console.print(f"        fix: {check.fix}", markup=False, soft_wrap=True)
    if not all(check.ok for check in checks):
        raise typer.Exit(EXIT_FAILED)


def models_list_command(console: Console) -> None:
    """``humdial models list``."""
    from flows.models.fetch import list_models

    table = Table()
    for heading in ("name", "licence", "used by", "MB", "state"):
        table.add_column(heading)
    for status in list_models():
        table.add_row(status.name, status.license, ", ".join(status.used_by), f"{status.bytes / 1e6:.1f}", status.state)
    console.print(table)


def models_fetch_command(names: tuple[str, ...], console: Console) -> None:
    """``humdial models fetch``."""
    from flows.models.fetch import fetch_models

    fetch_models(names, lambda text: console.print(text, markup=False, soft_wrap=True))


def models_verify_command(names: tuple[str, ...], console: Console) -> None:
    """``humdial models verify``."""
    from flows.models.fetch import verify_models

    problems = verify_models(names)
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(EXIT_FAILED)
    console.print("every file has the pinned hash", markup=False)
