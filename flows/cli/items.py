"""``humdial items``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.guard import at_stake
from flows.cli.options import AsJson, ConfigFile, Overrides, Workers, overrides_of, print_json, progress_screen, screen

if TYPE_CHECKING:
    from rich.console import Console

    from flows.build.phases import ItemsReport
    from flows.shards.steps import Stage


def items(
    config: ConfigFile,
    steps: Annotated[
        list[str] | None,
        typer.Option("--steps", metavar="STEP", help="speak, compose, judge [default: all]. Repeatable, or a,b."),
    ] = None,
    part: Annotated[
        str, typer.Option("--part", metavar="K/N", help="Only every N-th group of items, from the K-th on.")
    ] = "1/1",
    overrides: Overrides = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Speak, compose and judge the items of a configuration, or some of these steps; nothing is published.

    What is done already stays done: judge again with other thresholds, and nothing is composed or spoken.

    Examples:

      humdial items configs/quickstart.yaml --steps speak

      humdial items configs/quickstart.yaml --steps judge --set validation.max_unheard_zh=0.3

      humdial items configs/quickstart.yaml --part 2/4
    """
    from flows.build.phases import make_items, parse_part
    from flows.cli.phase import run_phase
    from flows.config.build_config import load_config

    wanted = overrides_of(overrides, workers)
    settings = load_config(config, wanted)
    stages, chosen = chosen_steps(steps or ()), parse_part(part)
    kept = f"what was made is kept in {settings.work_dir}: run the same command again to go on where it was"
    with at_stake(lambda: kept, "--set work=DIR"):
        done = run_phase(
            settings,
            config,
            progress_screen(as_json),
            lambda reporter: make_items(config, wanted, stages, chosen, reporter),
            "items_flow",
            config_path=str(config),
            overrides=list(wanted),
            steps=sorted(stages),
            part=part,
        )
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        print_items(done, screen())


def chosen_steps(names: Sequence[str]) -> frozenset[Stage]:
    """Steps by name, each repeated or with commas; all of them where none is named.

    Raises:
        ConfigError: there is no such step.
    """
    from flows.common.errors import ConfigError
    from flows.shards.steps import Stage

    wanted = [name.strip() for text in names for name in text.split(",")]
    for name in wanted:
        if name not in list(Stage):
            raise ConfigError(f"--steps {name}: choose from {', '.join(Stage)}")
    return frozenset(map(Stage, wanted)) or frozenset(Stage)


def print_items(done: ItemsReport, console: Console) -> None:
    """What a run over the items came to."""
    from flows.common.pace import duration

    k, n = done.part
    which = "" if n == 1 else f" of part {k}/{n}"
    console.print(
        f"{', '.join(done.stages)}{which}: {done.released} items passed, {done.quarantined} rejected, in "
        f"{duration(done.wall_seconds)}",
        markup=False,
    )
    if done.rejects:
        console.print("rejected because of: " + ", ".join(f"{code} x{n}" for code, n in done.rejects.items()))
    console.print(f"kept in {done.work}; nothing was published", markup=False, soft_wrap=True)
