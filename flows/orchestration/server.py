"""How we live with Prefect: its settings, and no server of ours left behind after a kill."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from flows.common.atomic import write_text_atomic
from flows.common.errors import ResourceError
from flows.common.threads import THREAD_ENVIRONMENT

#: Environment a build sets before Prefect is imported, unless the user already did.
#: Reasons (measured, DESIGN.md "Orchestration"): the ephemeral server needs up to 24 s on a clean
#: home and gives up after 20 s by default; no telemetry; only real errors on the screen.
PREFECT_ENVIRONMENT: dict[str, str] = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
}

SERVERS_FILE = "prefect-servers.json"
SERVER_LOG = "prefect-server.log"
_SERVER_MARK = "prefect.server"
_SERVER_APP = "prefect.server.api.server:create_app"
#: What Prefect sets for a temporary server of its own: no pages, and only the services a single run needs.
#: Triggers serve automations, which such a server cannot have, and take 0.4 % of a core as long as a build lasts.
_SERVER_ENVIRONMENT = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "0",
}
_HOST = "127.0.0.1"
_ASK_EVERY_S = 0.05
_ANSWER_WITHIN_S = 2.0
_END_WITHIN_S = 5.0
#: Another program may take the free port before the server does.
_PORTS_TRIED = 3


def prepare_environment() -> None:
    """Fill in defaults for Prefect, thread pools and Great Expectations; never overrides the user's.

    Adds the loopback address to ``no_proxy``.
    """
    for name, value in (PREFECT_ENVIRONMENT | THREAD_ENVIRONMENT | {"GX_ANALYTICS_ENABLED": "false"}).items():
        os.environ.setdefault(name, value)
    # Prefect's client and `_answers` heed proxies, and none reaches this machine's own loopback address
    direct = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    hosts = [host.strip() for host in direct.split(",") if host.strip()]
    if _HOST not in hosts and "*" not in hosts:
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*hosts, _HOST])


class PrefectServer:
    """The Prefect server of one build, which starts while the build prepares other things.

    Prefect would start one by itself, at the first flow: it imports the whole server into the build before
    (6 s), and then waits for it (6 s more). With ``PREFECT_API_URL`` set, or an address in the user's Prefect profile,
    that server is used and none is started.
    """

    def __init__(self, work_dir: Path) -> None:
        self._record = work_dir / SERVERS_FILE
        self._log = work_dir / SERVER_LOG
        self._process: subprocess.Popen[bytes] | None = None
        self._url: str | None = None

    def __enter__(self) -> Self:
        """Start it; returns at once. A server that a killed build left here is ended first."""
        from prefect.settings import get_current_settings

        end_stale_servers(self._record)
        if get_current_settings().api.url is None:
            self._start()
        return self

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Wait until it answers; inside, flows talk to it.

        Raises:
            ResourceError: it ended, or does not answer in ``PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS``.
        """
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with ExitStack() as stack:
            if self._process is not None:
                self._wait()
                stack.enter_context(temporary_settings({PREFECT_API_URL: self._url}))
            yield

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._record.unlink(missing_ok=True)

    def _start(self) -> None:
        import prefect
        from prefect.settings import get_current_settings

        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            port = probe.getsockname()[1]
        folder = str(Path(prefect.__file__).parent)
        command = [sys.executable, "-m", "uvicorn", "--app-dir", folder, "--factory", _SERVER_APP]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--host", _HOST, "--port", str(port), "--log-level", "error", "--lifespan", "on"],
                env=os.environ
                | _SERVER_ENVIRONMENT
                | get_current_settings().to_environment_variables(exclude_unset=True),
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the build, which has to tell the server that it was stopped, and then ends it
                start_new_session=True,
            )
        self._url = f"http://{_HOST}:{port}/api"
        record_servers(self._record)

    def _wait(self) -> None:
        from prefect.settings import get_current_settings

        patience_s = get_current_settings().server.ephemeral.startup_timeout_seconds
        started, ports = time.monotonic(), 1
        while not self._answers():
            ended = self._process is None or self._process.poll() is not None
            if (ended and ports == _PORTS_TRIED) or time.monotonic() - started > patience_s:
                what = "ended at once" if ended else f"did not answer within {patience_s} s"
                raise ResourceError(
                    f"Prefect's server {what}; its words are in {self._log}. Run the same command again; set "
                    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS higher on a slow machine, or PREFECT_API_URL "
                    "to a server that runs already"
                )
            if ended:
                ports += 1
                self._start()
            time.sleep(_ASK_EVERY_S)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self._url}/health", timeout=_ANSWER_WITHIN_S) as answer:  # our own, on the loopback
                return bool(answer.status == 200)  # noqa: PLR2004
        except (URLError, OSError):
            return False

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def record_servers(file: Path) -> None:
    """Remember the Prefect servers this process started (pid and start time)."""
    servers = [
        {"pid": child.pid, "created": child.create_time()}
        for child in psutil.Process().children(recursive=True)
        if _is_prefect_server(child)
    ]
    write_text_atomic(file, json.dumps(servers))


def end_stale_servers(file: Path) -> int:
    """End servers that a killed build of ours recorded in ``file``; returns how many were ended.

    A process is only touched when id, start time and command line all agree.
    """
    if not file.exists():
        return 0
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        recorded = []
    ended = 0
    for entry in recorded:
        try:
            process = psutil.Process(int(entry["pid"]))
            if abs(process.create_time() - float(entry["created"])) > 1.0 or not _is_prefect_server(process):
                continue
            process.terminate()
            process.wait(timeout=10)
            ended += 1
        except psutil.NoSuchProcess:
            continue
        except psutil.TimeoutExpired:
            process.kill()
            ended += 1
    file.unlink(missing_ok=True)
    return ended


def _is_prefect_server(process: psutil.Process) -> bool:
    try:
        return any(_SERVER_MARK in argument for argument in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False
