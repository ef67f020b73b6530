"""``humdial build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.guard import at_stake
from flows.cli.options import AsJson, ConfigFile, Overrides, Workers, overrides_of, print_json, progress_screen, screen

if TYPE_CHECKING:
    from flows.config.build_config import BuildConfig

WRITES = "--set work=DIR or --set release=DIR"


def build(
    config: ConfigFile,
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print quotas, hours, cost and time; make nothing.")
    ] = False,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Make a release: plan, write, speak, compose, judge, publish.

    Stop it with Ctrl-C or kill it: run the same command again and it goes on where it was.
    Nothing appears at the release directory before everything in it has passed.
    `humdial status CONFIG` says how far it is.

    Examples:

      humdial build configs/quickstart.yaml --dry-run

      humdial build configs/quickstart.yaml --set speech.engine=espeak --set release=out/draft
    """
    from flows.build.phases import build_release, published_already
    from flows.cli.phase import run_phase
    from flows.cli.summary import print_published
    from flows.config.build_config import load_config

    wanted = overrides_of(overrides, workers)
    settings = load_config(config, wanted)
    if dry_run:
        _dry_run(settings, config, as_json)
        return
    with at_stake(lambda: release_state(settings), WRITES):
        done = published_already(settings, config.parent) or run_phase(
            settings,
            config,
            progress_screen(as_json),
            lambda reporter: build_release(config, wanted, reporter),
            "build_flow",
            config_path=str(config),
            overrides=list(wanted),
        )
    print_published(done, config, screen(), as_json)


def release_state(config: BuildConfig) -> str:
    """What is so of the release and of what was made for it. The target was free when the command began."""
    from validators.files.lock import LOCK_FILE

    if (config.release_dir / LOCK_FILE).is_file():
        return f"the release is published: {config.release_dir} is whole"
    return (
        f"nothing was published, and what was made is kept in {config.work_dir}: run the same command again to go on "
        "where it was"
    )


def _dry_run(config: BuildConfig, path: Path, as_json: bool) -> None:
    """Everything that a build refuses but weights that are not installed, and the estimate."""
    from flows.build.phases import published_already
    from flows.common.errors import ResourceError
    from flows.config.work_dir import check_place
    from flows.prepare.disk import check_disk, disk_needs
    from flows.prepare.estimate import estimate, print_estimate
    from flows.prepare.resolve import resolve
    from flows.release.stage import check_release_place

    with at_stake(lambda: "nothing was made", WRITES):
        there = published_already(config, path.parent)
        check_place("work", config.work_dir)
        check_place("release", config.release_dir.parent)
        if there is None:
            check_release_place(config.release_dir)
        parts = resolve(config, need_models=False)
        figures = estimate(config, parts, path.parent)
    if as_json:
        quotas = [{**cell.model_dump(mode="json"), "items": count} for cell, count in parts.quota]
        needs = [{"place": str(need.place), "bytes": need.bytes} for need in disk_needs(config, figures)]
        print_json({"name": config.name, "quotas": quotas, **figures.model_dump(mode="json"), "disk_needs": needs})
        return
    console = screen()
    print_estimate(config, parts, path.parent, console, figures)
    try:
        check_disk(config, figures)
    except ResourceError as error:
        console.print(f"as things are the build would refuse to start: {error}", markup=False, soft_wrap=True)
    if there is not None:
        console.print(
            f"{there.release} already holds this very release: a build would do nothing", markup=False, soft_wrap=True
        )
