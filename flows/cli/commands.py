"""What each command of the CLI does, once its arguments are read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table

from data_schemas.tasks import Language, Split
from flows.cli.summary import print_next_commands, print_report
from flows.common.errors import EXIT_FAILED, ConfigError
from flows.common.progress import progress_display
from flows.release.stage import release_place, work_lock
from flows.validation.run import ValidateOptions

E = TypeVar("E", bound=StrEnum)


def build_command(path: Path, overrides: tuple[str, ...], dry_run: bool, console: Console) -> None:
    """``humdial build``."""
    from flows.config.build_config import load_config
    from flows.orchestration.build import Build
    from flows.prepare.disk import check_disk, check_place
    from flows.prepare.estimate import estimate, print_estimate
    from flows.prepare.resolve import prepare, resolve
    from flows.release.publish import check_same_inputs, check_target

    config = load_config(path, overrides)
    if dry_run:
        print_estimate(config, resolve(config, need_models=False), path.parent, console)
        return
    existing = check_target(config)
    if existing is not None:
        check_same_inputs(config, existing, resolve(config, need_models=False), path.parent)
        console.print(
            f"{config.release_dir} already holds this very release (same configuration, code, scripts and voices); "
            "nothing to do.\n"
            f"tree sha256: {existing.tree_sha256}",
            markup=False,
            soft_wrap=True,
        )
        print_next_commands(str(config.release_dir), path, console)
        return
    check_place("work", config.work_dir)
    check_place("release", config.release_dir.parent)
    parts = resolve(config)
    check_disk(config, estimate(config, parts, path.parent))
    with work_lock(config.work_dir), release_place(config.release_dir), progress_display(console) as reporter:
        prepared = prepare(config, path.parent, parts, reporter)
        reporter.expect("plan", len(prepared.plans))
        reporter.advance("plan", len(prepared.plans))
        reporter.note("starting Prefect (5 to 20 seconds) ...")
        report = Build(config, prepared, reporter).run()
    print_report(report, path, console)


def validate_command(options: ValidateOptions, console: Console) -> None:
    """``humdial validate``."""
    from flows.validation.run import validate

    if not validate(options, console):
        raise typer.Exit(EXIT_FAILED)


def export_command(
    root: Path, to: str, output: Path | None, languages: tuple[str, ...], splits: tuple[str, ...], console: Console
) -> None:
    """``humdial export``."""
    from flows.exports.registry import EXPORTERS, exporter_named
    from flows.exports.run import ExportJob, is_rehearsal, run_export

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
    rehearsal = is_rehearsal(root)
    with progress_display(console) as reporter:
        note = run_export(job, reporter)
    if rehearsal:
        console.print(
            f"warning: {root} is a rehearsal (scripts filled in by rule): not for training, not to be released",
            markup=False,
            soft_wrap=True,
        )
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

    speech = None if config is None else load_config(config, overrides).speech
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
