"""Running a flow so that its own result or exception is what the caller gets, whatever Prefect's server does."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from flows.common.errors import ResourceError

if TYPE_CHECKING:
    from prefect import Flow

P = ParamSpec("P")
R = TypeVar("R")

#: For a server that is being started again, before a flow is let begin without it.
_PATIENCE_S = 60.0
_ASK_AGAIN_S = 0.5


class _Outcome:
    """What became of the last call of a function."""

    def __init__(self) -> None:
        self.begun = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.ended = False

    def of(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            self.begun, self.ended, self.error = True, False, None
            try:
                self.result = function(*args, **kwargs)
            except BaseException as error:
                self.error = error
                raise
            finally:
                self.ended = True
            return cast("R", self.result)

        return call

    def settle(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


def run_flow(flow: Flow[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a flow, in its thread, to the end of its function.

    A server that dies meanwhile, cannot write any more or refuses the last state costs its record and nothing else. One
    that is away when the flow is to begin is waited for; if it stays away a subflow runs inside its parent's run,
    without one of its own.

    Raises:
        ResourceError: the server stays away and there is no parent to run in.
        BaseException: whatever the flow's function raises, as it was raised, and what Prefect says of its parameters.
    """
    from prefect.exceptions import PrefectSignal

    outcome = _Outcome()
    recorded = flow.with_options()
    recorded.fn = outcome.of(flow.fn)
    while True:
        try:
            return recorded(*args, **kwargs)
        except (Exception, PrefectSignal) as error:
            if outcome.ended:
                return cast("R", outcome.settle())
            if outcome.begun or not _is_away(error):
                raise
            if not _comes_back():
                return _without_server(flow, error, *args, **kwargs)


def _is_away(error: BaseException) -> bool:
    """Whether Prefect could not reach its server, or was told by it that it is not well."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return isinstance(error, (httpx.TransportError, RuntimeError)) and (
        isinstance(error, httpx.TransportError) or isinstance(error.__cause__, httpx.HTTPError)
    )


def _comes_back() -> bool:
    from prefect.client.orchestration import get_client

    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if get_client(sync_client=True).api_healthcheck() is None:
            return True
        time.sleep(_ASK_AGAIN_S)
    return False


def _without_server(flow: Flow[P, R], error: BaseException, *args: P.args, **kwargs: P.kwargs) -> R:
    from prefect.context import FlowRunContext
    from prefect.utilities.callables import get_call_parameters

    if FlowRunContext.get() is None:
        raise ResourceError(
            f"Prefect's server went away before {flow.name} could begin ({error}). Run the same command again: what "
            "is made so far is kept"
        ) from error
    parameters = flow.validate_parameters(get_call_parameters(flow.fn, args, kwargs))
    return cast("Callable[..., R]", flow.fn)(**parameters)
