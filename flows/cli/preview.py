"""``humdial preview``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.guard import at_stake
from flows.cli.options import AsJson, ConfigFile, Overrides, overrides_of, print_json, progress_screen, screen

if TYPE_CHECKING:
    from rich.console import Console

    from flows.build.preview import Preview, PreviewItem


def preview(
    config: ConfigFile,
    count: Annotated[int, typer.Option("--number", "-n", min=1, max=100, help="How many items.")] = 3,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Make a few items of what a configuration makes, to listen to before hours are spent.

    They are spread over tracks, languages and tasks, spoken, composed and judged as the build would, and kept for it.
    Prints where the audio lies, what is said, what the judges found, and how long the whole build would take at this
    pace. Nothing is published.

    Example:

      humdial preview configs/quickstart.yaml -n 3
    """
    from flows.build.preview import make_preview
    from flows.common.progress import progress_display
    from flows.config.build_config import load_config

    wanted = overrides_of(overrides)
    settings = load_config(config, wanted)
    kept = f"what was spoken is kept in {settings.work_dir}, for the build too"
    with (
        at_stake(lambda: kept, "--set work=DIR"),
        progress_display(progress_screen(as_json)) as reporter,
    ):
        made = make_preview(config, wanted, count, reporter)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        print_preview(made, screen())


def print_preview(made: Preview, console: Console) -> None:
    """Item by item: where it is, what is said, what was found; then what the whole would take."""
    from flows.common.pace import duration

    for item in made.items:
        _print_item(item, console)
    basis = "at the pace of these items" if made.measured else "by the dry run's figures (nothing was made anew)"
    writing = f", after about {duration(made.writing_seconds)} of writing" if made.writing_seconds else ""
    console.print(
        f"\nthe whole build: {made.build_items} items, about {duration(made.build_seconds)} with {made.workers} "
        f"workers {basis}{writing}",
        markup=False,
        soft_wrap=True,
    )
    console.print(f"listen: {made.folder}", markup=False, soft_wrap=True)


def _print_item(item: PreviewItem, console: Console) -> None:
    verdict = "passed" if item.accepted else "REJECTED: a build replaces it"
    console.print(
        f"\n{item.plan_id} ({item.task}, {item.language.value}, {item.split}): {item.audio_seconds:.1f} s, {verdict}",
        markup=False,
        soft_wrap=True,
    )
    for file in item.audio:
        console.print(f"  {file}", markup=False, soft_wrap=True)
    for line in item.lines:
        console.print(f"    {line}", markup=False, soft_wrap=True)
    for finding in item.findings:
        console.print(f"  {finding.severity.value} {finding.code}: {finding.message}", markup=False, soft_wrap=True)
