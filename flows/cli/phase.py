"""Runs a phase of a build as its configuration says: as a flow of Prefect's, or as the plain function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flows.common.progress import Reporter, progress_display, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from flows.config.build_config import BuildConfig

T = TypeVar("T")


def run_phase(
    config: BuildConfig,
    path: Path,
    console: Console,
    plain: Callable[[Reporter], T],
    flow: str,
    **parameters: Any,
) -> T:
    """What ``plain`` returns.

    Args:
        console: where progress is shown.
        plain: the phase, called as it is with ``execution.orchestrator: none``.
        flow: the name of the same in `flows.orchestration.flows`.
        parameters: the flow's.
    """
    with progress_display(console) as reporter, reporting(reporter):
        if config.execution.orchestrator == "none":
            return plain(reporter)
        return cast("T", _with_prefect(config, path, reporter, flow, parameters))


def _with_prefect(config: BuildConfig, path: Path, reporter: Reporter, flow: str, parameters: dict[str, Any]) -> Any:
    from flows.build.phases import checked_parts
    from flows.orchestration.server.prefect_server import PrefectServer

    checked_parts(config, path.parent)  # what can be refused is refused before anything is started
    config.work_dir.mkdir(parents=True, exist_ok=True)
    reporter.note("starting Prefect (5 to 20 seconds) ...")
    with PrefectServer(config.work_dir, reporter.note) as server:
        from flows.orchestration import flows
        from flows.orchestration.runners import run_flow

        with server.ready():
            return run_flow(getattr(flows, flow), **parameters)
