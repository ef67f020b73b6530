"""``humdial timing``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.guard import at_stake
from flows.cli.options import screen

app = typer.Typer(no_args_is_help=True, help="The timing of full-duplex scenes: learn it from a real corpus.")


@app.command("fit")
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

    with at_stake(lambda: "nothing was written", "-o FILE"):
        timing_fit_command(tuple(files), output, screen(), tuple(speaker or ()))
