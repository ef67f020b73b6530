"""``humdial scripts``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from flows.cli.guard import at_stake
from flows.cli.options import Overrides, overrides_of, screen
from flows.common.errors import EXIT_FAILED, ConfigError

if TYPE_CHECKING:
    from data_schemas.plan import Place
    from flows.common.progress import Reporter
    from flows.config.build_config import BuildConfig
    from flows.scripts.factory import ScriptFactory
    from generators.remote.structured import Mode


class DefaultCommand(TyperGroup):
    """A group whose first command runs when none is named: ``humdial scripts CONFIG`` is ``... write CONFIG``."""

    default = "write"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in {"--help", "-h"}:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=DefaultCommand,
    no_args_is_help=True,
    help="Have a language model write the scripts, and freeze them to a file to read, edit and replay.\n\n"
    "`humdial scripts CONFIG -o FILE` is short for `humdial scripts write CONFIG -o FILE`.",
)
Config = Annotated[
    Path, typer.Argument(help="YAML configuration with scripts.writer: llm, e.g. configs/local-llm.yaml")
]
WRITES = "-o or --set work=DIR"


@app.command("write")
def scripts_write(
    config: Config,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The frozen script file [default: in the work directory].")
    ] = None,
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print dialogues, turns, hours, tokens and cost; ask nothing.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again what an endpoint refused or did not answer earlier.")
    ] = False,
) -> None:
    """Write, read and freeze the scripts a configuration needs.

    Every answer is kept in the work directory: run the same command again after a Ctrl-C, a spent
    budget or a changed limit, and only what is missing is asked for. Keys are read from the
    environment variables that the configuration names.

    Examples:

      humdial scripts configs/local-llm.yaml -o scripts.jsonl

      humdial scripts configs/humdial2026.yaml --dry-run
    """
    from flows.build.phases import make_scripts
    from flows.common.progress import progress_display
    from flows.config.build_config import load_config
    from flows.prepare.resolve import resolve
    from flows.scripts.phase import SCRIPTS_FOLDER
    from flows.scripts.report import REPORT_FILE, print_diversity, print_script_report
    from flows.scripts.settings import llm_settings

    settings = load_config(config, overrides_of(overrides))
    llm_settings(settings)
    if dry_run:
        resolve(settings, need_models=False)
        _dry_run(settings, config)
        return
    console = screen()
    with at_stake(lambda: answers_kept(settings), WRITES), progress_display(console) as reporter:
        written = make_scripts(config, overrides_of(overrides), output, reporter, retry_failed)
    print_script_report(written.report, console)
    print_diversity(written.report.diversity, console)
    report_file = settings.work_dir / SCRIPTS_FOLDER / REPORT_FILE
    console.print(f"{written.scripts} scripts: {written.file}\nreport: {report_file}", markup=False, soft_wrap=True)
    if written.short:
        console.print(f"humdial: {written.short}", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_FAILED)
    place = Path(written.file).resolve()
    console.print(
        f"next:\n  humdial build {config} --set scripts.writer=pack --set scripts.pack=[{place}]",
        markup=False,
        soft_wrap=True,
    )


@app.command("check")
def scripts_check(
    files: Annotated[list[Path], typer.Argument(help="Script files (.jsonl) or directories of them.")],
    exclude: Annotated[
        list[Path] | None, typer.Option("--exclude", help="Texts that must not come back, e.g. a published test set.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write all findings here, one JSON per line.")
    ] = None,
) -> None:
    """Read script files as strictly as a model's: rules, near-duplicates, diversity; exits 1 on errors."""
    from data_schemas.finding import Severity
    from data_schemas.foundation.base import write_jsonl
    from flows.cli.summary import print_findings
    from flows.scripts.check import check_files
    from flows.scripts.report import print_diversity

    console = screen()
    with at_stake(lambda: "nothing was written", "-o FILE"):
        count, findings, diversity = check_files(tuple(files), tuple(exclude or ()))
        if output is not None:
            write_jsonl(output, findings)
    print_findings(findings, console)
    print_diversity(diversity, console)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    console.print(f"{count} scripts read: {errors} errors, {len(findings) - errors} warnings and notes", markup=False)
    if errors:
        raise typer.Exit(EXIT_FAILED)


@app.command("export-batch")
def scripts_export_batch(
    config: Config,
    folder: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for the batch files, one or more per model.")
    ],
    overrides: Overrides = None,
) -> None:
    """Write the open questions as OpenAI batch JSONL (vLLM's run-batch reads it too) instead of asking them."""
    from flows.common.progress import progress_display
    from flows.config.build_config import load_config
    from flows.config.work_dir import work_lock
    from flows.scripts.batches import write_batches

    settings = load_config(config, overrides_of(overrides))
    console = screen()
    with (
        at_stake(lambda: f"batch files in {folder}, if any, are not complete: remove them", "-o DIR"),
        work_lock(settings.work_dir),
        progress_display(console) as reporter,
        closing(_factory(settings, config, reporter)) as factory,
    ):
        requests = factory.collect(_wanted(settings))
        if requests and folder.exists() and any(folder.glob("*.jsonl")):
            raise ConfigError(
                f"{folder} already holds batch files; import their answers first, or name another directory with -o"
            )
        questions = tuple(requests.values())
        modes = {request.alias: batch_mode(settings, request.alias) for request in questions}
        files = write_batches(questions, folder, modes)
    if not requests:
        console.print(
            f"nothing to ask: every answer is here. Next:\n  humdial scripts {config} -o scripts.jsonl", markup=False
        )
        return
    for file in files:
        console.print(str(file), markup=False, soft_wrap=True)
    console.print(
        f"{len(requests)} questions in {len(files)} files. Have them answered (OpenAI batch API, or "
        f"vllm run-batch -i FILE -o OUT --model MODEL), then:\n  humdial scripts import-batch {config} OUT...\n"
        "and export again: judgements and rewrites can only be asked for once the first answers are here",
        markup=False,
        soft_wrap=True,
    )


@app.command("import-batch")
def scripts_import_batch(
    config: Config,
    files: Annotated[list[Path], typer.Argument(help="Output files of the batch.")],
    overrides: Overrides = None,
) -> None:
    """Take in the answers of a batch."""
    from flows.common.progress import progress_display
    from flows.config.build_config import load_config
    from flows.config.work_dir import work_lock
    from flows.scripts.batches import import_answers

    settings = load_config(config, overrides_of(overrides))
    console = screen()
    with (
        at_stake(lambda: answers_kept(settings), "--set work=DIR"),
        work_lock(settings.work_dir),
        progress_display(console) as reporter,
        closing(_factory(settings, config, reporter)) as factory,
    ):
        asked = factory.collect(_wanted(settings))
        imported = import_answers(tuple(files), asked, factory.store)
    console.print(
        f"{imported.stored} answers stored, {imported.failed} failed, {imported.unknown} belong to no open question",
        markup=False,
    )
    if imported.first_problem:
        console.print(f"first problem: {imported.first_problem}", markup=False, soft_wrap=True)
    console.print(f"next:\n  humdial scripts export-batch {config} -o NEXT_DIR", markup=False, soft_wrap=True)
    if imported.failed and not imported.stored:
        raise typer.Exit(EXIT_FAILED)


def answers_kept(config: BuildConfig) -> str:
    """What is so when writing is stopped."""
    return (
        f"the answers so far are kept in {config.work_dir}: run the same command again and only what is missing is "
        "asked for"
    )


def batch_mode(config: BuildConfig, alias: str) -> Mode:
    """How a batch tells a model which JSON is wanted: as configured, ``json_schema`` where that is ``auto``."""
    from flows.scripts.settings import llm_settings

    settings = llm_settings(config)
    mode = settings.endpoints[settings.models[alias].endpoint].structured
    return "json_schema" if mode == "auto" else mode


def _dry_run(config: BuildConfig, path: Path) -> None:
    from flows.prepare.estimate import print_estimate
    from flows.prepare.resolve import resolve
    from flows.scripts.settings import llm_settings
    from flows.scripts.wanted import draw_outlines, wanted_scripts
    from generators.plans.describe import describe

    console, parts = screen(), resolve(config, need_models=False)
    print_estimate(config, parts, path.parent, console)
    place = min(wanted_scripts(parts.quota, llm_settings(config).spares))
    outline = draw_outlines(config, parts.speakers, path.parent).draw(*place, 0)
    console.print(f"\na plan, as an example:\n{describe(outline)}", markup=False, soft_wrap=True)


def _wanted(config: BuildConfig) -> dict[Place, int]:
    from flows.prepare.resolve import resolve
    from flows.scripts.settings import llm_settings
    from flows.scripts.wanted import wanted_scripts

    return wanted_scripts(resolve(config, need_models=False).quota, llm_settings(config).spares)


def _factory(config: BuildConfig, path: Path, reporter: Reporter) -> ScriptFactory:
    from flows.prepare.resolve import resolve
    from flows.scripts.phase import open_factory

    return open_factory(config, resolve(config, need_models=False).speakers, path.parent, reporter)
