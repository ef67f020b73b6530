"""Options that several commands share, and where commands print."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

ConfigFile = Annotated[Path, typer.Argument(help="YAML configuration, e.g. configs/quickstart.yaml")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key, e.g. `--set speech.engine=espeak`. Repeatable."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Worker processes [default: one per core]. Never changes the result.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on standard output.")]


def overrides_of(overrides: list[str] | None, workers: int | None = None) -> tuple[str, ...]:
    """What ``--set`` and ``--workers`` say, as overrides of a configuration."""
    return (*(overrides or ()), *((f"execution.workers={workers}",) if workers else ()))


def screen() -> Console:
    """Standard output; a pipe gets wide plain text."""
    plain_width = None if sys.stdout.isatty() else max(shutil.get_terminal_size().columns, 120)
    return Console(width=plain_width, highlight=False)


def progress_screen(as_json: bool) -> Console:
    """Where progress and notes go: standard output, or standard error where a machine reads that."""
    return Console(stderr=True, highlight=False) if as_json else screen()


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False))
