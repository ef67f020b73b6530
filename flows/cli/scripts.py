"""What ``humdial scripts`` and its sub-commands do, once their arguments are read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import typer
from rich.console import Console

from data_schemas.finding import Severity
from data_schemas.plan import Place
from flows.cli.summary import print_findings
from flows.common.errors import EXIT_FAILED, ConfigError
from flows.common.progress import Reporter, progress_display
from flows.config.build_config import BuildConfig, load_config
from flows.config.work_dir import work_lock
from flows.prepare.estimate import print_estimate
from flows.prepare.resolve import resolve
from flows.scripts.batches import import_answers, write_batches
from flows.scripts.factory import ScriptFactory
from flows.scripts.phase import FROZEN_FILE, SCRIPTS_FOLDER, ScriptPhase, open_factory, short_of_scripts
from flows.scripts.report import REPORT_FILE, print_diversity, print_script_report
from flows.scripts.settings import llm_settings
from flows.scripts.wanted import draw_outlines, wanted_scripts
from generators.plans.describe import describe
from generators.remote.structured import Mode


def scripts_command(
    path: Path,
    overrides: tuple[str, ...],
    output: Path | None,
    dry_run: bool,
    retry_failed: bool,
    console: Console,
) -> None:
    """``humdial scripts CONFIG``."""
    config = load_config(path, overrides)
    settings = llm_settings(config)
    parts = resolve(config, need_models=False)
    if dry_run:
        print_estimate(config, parts, path.parent, console)
        place = min(wanted_scripts(parts.quota, settings.spares))
        outline = draw_outlines(config, parts.speakers, path.parent).draw(*place, 0)
        console.print(f"\na plan, as an example:\n{describe(outline)}", markup=False, soft_wrap=True)
        return
    target = output or config.work_dir / SCRIPTS_FOLDER / FROZEN_FILE
    if target.is_dir():
        raise ConfigError(f"{target} is a directory; name a file with -o, e.g. -o {target / FROZEN_FILE}")
    with work_lock(config.work_dir), progress_display(console) as reporter:
        phase = ScriptPhase(config, path.parent, parts.speakers, reporter, target, retry_failed)
        written = phase.write(wanted_scripts(parts.quota, settings.spares))
    report = written.report
    print_script_report(report, console)
    print_diversity(report.diversity, console)
    console.print(
        f"{len(written.scripts)} scripts: {target}\nreport: {phase.folder / REPORT_FILE}", markup=False, soft_wrap=True
    )
    if not report.is_full:
        console.print(f"humdial: {short_of_scripts(config, report)}", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_FAILED)
    console.print(
        f"next:\n  humdial build {path} --set scripts.writer=pack --set scripts.pack=[{target.resolve()}]",
        markup=False,
        soft_wrap=True,
    )


def export_batch_command(path: Path, overrides: tuple[str, ...], folder: Path, console: Console) -> None:
    """``humdial scripts export-batch``."""
    config = load_config(path, overrides)
    with work_lock(config.work_dir), progress_display(console) as reporter:
        factory = _factory(config, path, reporter)
        with closing(factory):
            requests = factory.collect(_wanted(config))
            if requests and folder.exists() and any(folder.glob("*.jsonl")):
                raise ConfigError(
                    f"{folder} already holds batch files; import their answers first, or name another directory with -o"
                )
            questions = tuple(requests.values())
            modes = {request.alias: batch_mode(config, request.alias) for request in questions}
            files = write_batches(questions, folder, modes)
    if not requests:
        console.print(
            f"nothing to ask: every answer is here. Next:\n  humdial scripts {path} -o scripts.jsonl", markup=False
        )
        return
    for file in files:
        console.print(str(file), markup=False, soft_wrap=True)
    console.print(
        f"{len(requests)} questions in {len(files)} files. Have them answered (OpenAI batch API, or "
        f"vllm run-batch -i FILE -o OUT --model MODEL), then:\n  humdial scripts import-batch {path} OUT...\n"
        "and export again: judgements and rewrites can only be asked for once the first answers are here",
        markup=False,
        soft_wrap=True,
    )


def import_batch_command(path: Path, overrides: tuple[str, ...], files: Sequence[Path], console: Console) -> None:
    """``humdial scripts import-batch``."""
    config = load_config(path, overrides)
    with work_lock(config.work_dir), progress_display(console) as reporter:
        factory = _factory(config, path, reporter)
        with closing(factory):
            asked = factory.collect(_wanted(config))
            imported = import_answers(files, asked, factory.store)
    console.print(
        f"{imported.stored} answers stored, {imported.failed} failed, {imported.unknown} belong to no open question",
        markup=False,
    )
    if imported.first_problem:
        console.print(f"first problem: {imported.first_problem}", markup=False, soft_wrap=True)
    console.print(f"next:\n  humdial scripts export-batch {path} -o NEXT_DIR", markup=False, soft_wrap=True)
    if imported.failed and not imported.stored:
        raise typer.Exit(EXIT_FAILED)


def check_command(files: Sequence[Path], exclude: Sequence[Path], output: Path | None, console: Console) -> None:
    """``humdial scripts check``."""
    from data_schemas.foundation.base import write_jsonl
    from flows.scripts.check import check_files

    count, findings, diversity = check_files(files, exclude)
    if output is not None:
        write_jsonl(output, findings)
    print_findings(findings, console)
    print_diversity(diversity, console)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    console.print(f"{count} scripts read: {errors} errors, {len(findings) - errors} warnings and notes", markup=False)
    if errors:
        raise typer.Exit(EXIT_FAILED)


def batch_mode(config: BuildConfig, alias: str) -> Mode:
    """How a batch tells a model which JSON is wanted: as configured, ``json_schema`` where that is ``auto``."""
    settings = llm_settings(config)
    mode = settings.endpoints[settings.models[alias].endpoint].structured
    return "json_schema" if mode == "auto" else mode


def _wanted(config: BuildConfig) -> dict[Place, int]:
    return wanted_scripts(resolve(config, need_models=False).quota, llm_settings(config).spares)


def _factory(config: BuildConfig, path: Path, reporter: Reporter) -> ScriptFactory:
    return open_factory(config, resolve(config, need_models=False).speakers, path.parent, reporter)
