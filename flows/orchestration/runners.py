"""Running a flow so that its own result or exception is what the caller gets, whatever Prefect's server does."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from flows.common.errors import ResourceError

if TYPE_CHECKING:
    from prefect import Flow

P = ParamSpec("P")
R = TypeVar("R")

#: Set in it: the server of this context will not come back. Its owner (``PrefectServer.ready``) says so.
server_gone: ContextVar[threading.Event | None] = ContextVar("server_gone", default=None)

#: For a server that is being started again, before a flow begins or ends without it.
_PATIENCE_S = 60.0
_ASK_AGAIN_S = 0.5


class _Outcome:
    """What became of the last call of a function."""

    def __init__(self, closing: ExitStack) -> None:
        self._closing = closing
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
                if not isinstance(self.error, KeyboardInterrupt) and not _comes_back():
                    self._ask_nothing_twice()
            return cast("R", self.result)

        return call

    def _ask_nothing_twice(self) -> None:
        """Prefect's engine asks a server that is away for the last state, and then for the state of that failure."""
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        self._closing.enter_context(temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}))

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

    with ExitStack() as closing:
        outcome = _Outcome(closing)
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
    """Whether the server answers, now or within a minute."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    gone = server_gone.get()
    deadline = time.monotonic() + _PATIENCE_S
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        client = get_client(sync_client=True)
        while client.api_healthcheck() is not None:
            if time.monotonic() > deadline or (gone is not None and gone.is_set()):
                return False
            time.sleep(_ASK_AGAIN_S)
    return True


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
