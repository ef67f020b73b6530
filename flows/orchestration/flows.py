"""The flows: each is a function of this module with typed parameters, deployable, and a command of ``humdial``.

They take the path of a configuration and overrides, as a person would type them, and return plain figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from data_schemas.finding import Severity
from flows.build.phases import Published, build_release, make_items, make_scripts, parse_part, publish_items
from flows.build.report import BuildReport
from flows.common.errors import ErrorsFound
from flows.common.progress import current_reporter
from flows.orchestration.records import recorded_progress, show_table
from flows.orchestration.tasks import PrefectRunner
from flows.release.books import summary_rows
from flows.shards.steps import Stage
from flows.validation.run import ValidateOptions, validate


@flow(name="humdial-scripts", flow_run_name="scripts {config_path}", persist_result=False)
def scripts_flow(config_path: str, overrides: list[str] | None = None, output: str | None = None) -> Any:
    """Have a model write the scripts of a configuration, and freeze them to a file.

    Args:
        config_path: YAML configuration with ``scripts.writer: llm``.
        overrides: keys set on top of it.
        output: the frozen script file; in the work directory without one.
    """
    place = None if output is None else Path(output)
    return make_scripts(Path(config_path), tuple(overrides or ()), place, current_reporter())


@flow(name="humdial-build", flow_run_name="build {config_path}", persist_result=False)
def build_flow(config_path: str, overrides: list[str] | None = None) -> Any:
    """Plan, write, speak, compose, judge and publish a release.

    Args:
        config_path: YAML configuration, for example configs/quickstart.yaml.
        overrides: keys set on top of it, for example ``speech.engine=espeak``.
    """
    reporter = recorded_progress(current_reporter())
    done = build_release(Path(config_path), tuple(overrides or ()), reporter, PrefectRunner)
    _show_books(done)
    return done


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
    reporter = recorded_progress(current_reporter())
    return make_items(Path(config_path), tuple(overrides or ()), stages, parse_part(part), reporter, PrefectRunner)


@flow(name="humdial-publish", flow_run_name="publish {config_path}", persist_result=False)
def publish_flow(config_path: str, overrides: list[str] | None = None) -> Any:
    """Judge the finished items of a configuration as a set and publish them.

    Args:
        config_path: YAML configuration.
        overrides: keys set on top of it.
    """
    reporter = recorded_progress(current_reporter())
    done = publish_items(Path(config_path), tuple(overrides or ()), reporter, PrefectRunner)
    _show_books(done)
    return done


@flow(name="humdial-validate", flow_run_name="validate {root}", persist_result=False)
def validate_flow(root: str, only: list[str] | None = None, skip: list[str] | None = None, workers: int = 0) -> Any:
    """Judge a data set; the run fails when errors are found.

    Args:
        root: a release, or any directory in a supported layout.
        only: judges or groups to ask; all without any.
        skip: judges or groups to leave out.
        workers: worker processes; one per core at 0.
    """
    options = ValidateOptions(root=Path(root), only=tuple(only or ()), skip=tuple(skip or ()), workers=workers)
    outcome = validate(options, current_reporter())
    if not outcome.ok:
        errors = sum(finding.severity is Severity.ERROR for finding in outcome.findings)
        raise ErrorsFound(f"{root}: {errors} errors; all findings are in {outcome.folder}")
    return {"items": outcome.items, "findings": len(outcome.findings), "folder": str(outcome.folder)}


def _show_books(done: BuildReport | Published) -> None:
    if isinstance(done, BuildReport):
        headings = ("track", "task", "language", "split", "planned", "topped up", "released", "rejected")
        rows = [dict(zip(headings, map(str, row), strict=True)) for row in summary_rows(done.counts)]
        show_table("books", rows, f"{done.name}: planned + topped up = released + rejected")
