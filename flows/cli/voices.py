"""``humdial voices``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.guard import at_stake
from flows.cli.options import AsJson, ConfigFile, Overrides, Workers, overrides_of, print_json, progress_screen, screen

if TYPE_CHECKING:
    from rich.console import Console

    from flows.voices.audition import CastPool


def voices(
    config: ConfigFile,
    overrides: Overrides = None,
    audition: Annotated[
        Path | None,
        typer.Option("--audition", metavar="FOLDER", help="Let every voice speak and write a page to listen to there."),
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """List who may speak: voice, gender, age, licence, split and role; exits 2 when a build would refuse them.

    With --audition every voice says two sentences; the page has the samples with measured pitch, pace, perceived
    quality, errors and the nearest other voice. What is spoken is kept in the work directory.

    Examples:

      humdial voices configs/quickstart.yaml

      humdial voices configs/quickstart.yaml --audition out/audition
    """
    from flows.common.progress import progress_display
    from flows.config.build_config import load_config
    from flows.prepare.resolve import resolve
    from flows.voices.audition import ROWS, cast_pool
    from flows.voices.audition import audition as hear

    settings = load_config(config, overrides_of(overrides, workers))
    pool = cast_pool(settings)
    page = None
    if audition is not None:
        kept = f"no page was written, and what was spoken is kept in {settings.work_dir}"
        with (
            at_stake(lambda: kept, "--audition FOLDER or --set work=DIR"),
            progress_display(progress_screen(as_json)) as reporter,
        ):
            page = hear(settings, audition, reporter)
    if as_json:
        listed = [voice.model_dump(mode="json") for voice in pool.voices]
        print_json({"voices": listed, "notes": list(pool.notes), "page": None if page is None else str(page)})
    elif page is None:
        print_pool(pool, screen())
    else:
        screen().print(f"listen: {page}\nnumbers: {page.parent / ROWS}", markup=False, soft_wrap=True)
    resolve(settings, need_models=False)  # whatever a build would say against these voices


def print_pool(pool: CastPool, console: Console) -> None:
    """A table: voice, language, gender, age, licence, split, roles; then the notes."""
    from rich.table import Table

    table = Table()
    for heading in ("voice", "language", "gender", "age", "licence", "split", "roles"):
        table.add_column(heading, overflow="fold")
    for one in pool.voices:
        age = "" if one.age is None else one.age.value
        table.add_row(one.voice, one.language, one.gender, age, one.license, one.split or "not cast", one.roles)
    console.print(table)
    for note in pool.notes:
        console.print(note, markup=False, soft_wrap=True)
