"""``humdial export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from flows.cli.guard import at_stake
from flows.cli.options import screen

E = TypeVar("E", bound=StrEnum)
LIST = "list"


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
    from data_schemas.tasks import Language, Split
    from flows.common.progress import progress_display
    from flows.exports.registry import exporter_named
    from flows.exports.run import NOTE_FILE, ExportJob, is_rehearsal, run_export

    console = screen()
    if to == LIST:
        _print_formats()
        return
    exporter = exporter_named(to)
    target = output or root.resolve().parent / f"{root.resolve().name}-{exporter.name}"
    job = ExportJob(
        root=root,
        exporter=exporter,
        target=target,
        languages=_chosen(Language, language or (), "--language"),
        splits=_chosen(Split, split or (), "--split"),
    )

    def state() -> str:
        return f"the export is whole: {target}" if (target / NOTE_FILE).is_file() else "nothing was written"

    with at_stake(state, "-o DIR"), progress_display(console) as reporter:
        rehearsal = is_rehearsal(root)
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


def _print_formats() -> None:
    from rich.table import Table

    from flows.exports.registry import EXPORTERS

    table = Table("format", "tracks", "what for")
    for known in EXPORTERS:
        table.add_row(known.name, ", ".join(sorted(known.tracks)), known.summary)
    screen().print(table)


def _chosen(kind: type[E], names: list[str] | tuple[()], option: str) -> frozenset[E]:
    """Members of an enumeration by value; all of them where none is named."""
    from flows.common.errors import ConfigError

    known = [member.value for member in kind]
    for name in names:
        if name not in known:
            raise ConfigError(f"{option} {name}: choose from {', '.join(known)}")
    return frozenset(kind(name) for name in names) or frozenset(kind)
