"""Runs that a killed build left unfinished in the database of its own server."""

from __future__ import annotations

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

_UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED]
#: The API gives out so many at once; a build has as many tasks under way as threads.
_AT_ONCE = 200
_MESSAGE = "The build ended without a word (killed, or a power cut). The same command goes on where it stopped."


def close_unfinished_runs() -> int:
    """Mark every run that is not finished as crashed, and return how many there were.

    For a server that nobody else uses, before this build's own runs. What it refuses stays as it is.
    """
    with get_client(sync_client=True) as client:
        try:
            return _close_flow_runs(client) + _close_task_runs(client)
        except httpx.HTTPError:
            return 0


def _close_flow_runs(client: SyncPrefectClient) -> int:
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNFINISHED)))
    runs = client.read_flow_runs(flow_run_filter=wanted, limit=_AT_ONCE)
    for run in runs:
        client.set_flow_run_state(run.id, Crashed(message=_MESSAGE), force=True)
    return len(runs)


def _close_task_runs(client: SyncPrefectClient) -> int:
    wanted = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_UNFINISHED)))
    runs = client.read_task_runs(task_run_filter=wanted, limit=_AT_ONCE)
    for run in runs:
        client.set_task_run_state(run.id, Crashed(message=_MESSAGE), force=True)
    return len(runs)
