"""``humdial publish``."""

from __future__ import annotations

from flows.cli.build import WRITES, release_state
from flows.cli.guard import at_stake
from flows.cli.options import AsJson, ConfigFile, Overrides, Workers, overrides_of, progress_screen, screen


def publish(config: ConfigFile, overrides: Overrides = None, workers: Workers = None, as_json: AsJson = False) -> None:
    """Judge the finished items of a configuration as a set, and publish them.

    Nothing is spoken, composed or judged but the set: `humdial items CONFIG` does that before.

    Example:

      humdial publish configs/quickstart.yaml --set release=out/second
    """
    from flows.build.phases import publish_items, published_already
    from flows.cli.phase import run_phase
    from flows.cli.summary import print_published
    from flows.config.build_config import load_config

    wanted = overrides_of(overrides, workers)
    settings = load_config(config, wanted)
    with at_stake(lambda: release_state(settings), WRITES):
        done = published_already(settings, config.parent) or run_phase(
            settings,
            config,
            progress_screen(as_json),
            lambda reporter: publish_items(config, wanted, reporter),
            "publish_flow",
            config_path=str(config),
            overrides=list(wanted),
        )
    print_published(done, config, screen(), as_json)
