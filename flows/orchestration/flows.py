"""The flows: each is a function of this module with typed parameters, deployable, and a command of ``humdial``.

They take the path of a configuration and overrides, as a person would type them, and return plain figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.build.phases import build_release, make_items, parse_part, publish_items
from flows.common.progress import current_reporter
from flows.orchestration.tasks import PrefectRunner
from flows.shards.steps import Stage


@flow(name="humdial-build", flow_run_name="build {config_path}", persist_result=False)
def build_flow(config_path: str, overrides: list[str] | None = None) -> Any:
    """Plan, write, speak, compose, judge and publish a release.

    Args:
        config_path: YAML configuration, for example configs/quickstart.yaml.
        overrides: keys set on top of it, for example ``speech.engine=espeak``.
    """
    return build_release(Path(config_path), tuple(overrides or ()), current_reporter(), PrefectRunner)


@flow(name="humdial-items", flow_run_name="items {config_path} {part}", persist_result=False)
def items_flow(
    config_path: str,
    overrides: list[str] | None = None,
    steps: list[str] | None = None,
    part: str = "1/1",
) -> Any:
    """Speak, compose and judge the items of a configuration, or some of these steps; nothing is published.

    Args:
        config_path: YAML configuration.
        overrides: keys set on top of it.
        steps: ``speak``, ``compose``, ``judge``; all of them without any.
        part: ``k/n``: only every n-th shard, from the k-th on.
    """
    stages = frozenset(Stage(step) for step in steps or Stage)
    return make_items(
        Path(config_path), tuple(overrides or ()), stages, parse_part(part), current_reporter(), PrefectRunner
    )


@flow(name="humdial-publish", flow_run_name="publish {config_path}", persist_result=False)
def publish_flow(config_path: str, overrides: list[str] | None = None) -> Any:
    """Judge the finished items of a configuration as a set and publish them.

    Args:
        config_path: YAML configuration.
        overrides: keys set on top of it.
    """
    return publish_items(Path(config_path), tuple(overrides or ()), current_reporter(), PrefectRunner)
