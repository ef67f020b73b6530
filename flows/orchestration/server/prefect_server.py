"""The Prefect server of a build: the user's, or one of its own that lives as long as the build."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.orchestration.runners import server_gone
from flows.orchestration.server.address import check_address
from flows.orchestration.server.own_server import OwnServer
from flows.orchestration.server.stale import end_stale_servers

SERVERS_FILE = "prefect-servers.json"
SERVER_LOG = "prefect-server.log"
#: The own server's PREFECT_HOME, with its database; `PREFECT_HOME=WORK/prefect prefect server start` shows its runs.
SERVER_HOME = "prefect"


class PrefectServer:
    """The Prefect server of one build, which starts while the build prepares other things.

    Prefect would start one by itself, at the first flow: it imports the whole server into the build before
    (6 s), and then waits for it (6 s more). With ``PREFECT_API_URL`` set, or an address in the user's Prefect profile,
    that server is used and none is started.
    """

    def __init__(self, work_dir: Path, note: Callable[[str], None] = lambda _: None) -> None:
        """Nothing is started yet.

        Args:
            work_dir: folder for the server's log, its database and the note of its process.
            note: told, from threads too, in one sentence what became of the server.
        """
        self._work_dir = work_dir
        self._note = note
        self._own: OwnServer | None = None

    def __enter__(self) -> Self:
        """Start it, and return at once. A server that a killed build left here is ended first.

        Raises:
            ResourceError: the user names a server that does not answer as it should.
        """
        record = self._work_dir / SERVERS_FILE
        end_stale_servers(record, self._note)
        if not check_address():
            self._own = OwnServer(self._work_dir / SERVER_HOME, self._work_dir / SERVER_LOG, record, self._note)
            self._own.start()
        return self

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Wait until it answers; inside, flows talk to it. Leaving waits until it has taken what is queued for it.

        Raises:
            ResourceError: it ended, or does not answer in ``PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS``.
        """
        from prefect.settings import (
            PREFECT_API_URL,
            PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
            get_current_settings,
            temporary_settings,
        )

        from flows.orchestration.server.outbox import Outbox
        from flows.orchestration.server.unfinished import close_unfinished_runs

        if self._own is None:
            with Outbox(threading.Event(), self._note):
                yield
            return
        self._own.wait(get_current_settings().server.ephemeral.startup_timeout_seconds)
        # a client asks for a token first, which our server has not
        ours = {PREFECT_API_URL: self._own.url, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False}
        with temporary_settings(ours):
            if self._own.had_runs:
                close_unfinished_runs()
            box = Outbox(self._own.gone, self._note)
            token = server_gone.set(self._own.gone)
            try:
                with box:
                    yield
            finally:
                server_gone.reset(token)
                box.wait_until_recorded()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.end()
