"""The ``humdial`` command, put together. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from flows.cli import build, doctor, export, items, models, preview, publish, scripts, status, timing, validate, voices
from flows.cli.guard import run_guarded
from flows.common.code_version import VERSION
from flows.orchestration.environment import prepare_environment

app = typer.Typer(
    name="humdial",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Plans, speaks, judges and publishes human-like spoken dialogue (zh and en).\n\n"
    "First run: `humdial doctor`, `humdial models fetch`, `humdial build configs/quickstart.yaml`.",
)
app.command()(build.build)
app.command()(preview.preview)
app.command()(status.status)
app.command()(items.items)
app.command()(publish.publish)
app.add_typer(scripts.app, name="scripts")
app.command()(validate.validate)
app.command()(export.export)
app.command()(voices.voices)
app.add_typer(timing.app, name="timing")
app.command()(doctor.doctor)
app.add_typer(models.app, name="models")


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


def main() -> None:
    """Entry point: known errors become one sentence on standard error and an exit status."""
    prepare_environment()
    for polite in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(polite) is not signal.SIG_IGN:  # nohup
            signal.signal(polite, _interrupt)
    sys.exit(run_guarded(app))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill, or a terminal that is closed, is a Ctrl-C."""
    del number, frame
    raise KeyboardInterrupt
