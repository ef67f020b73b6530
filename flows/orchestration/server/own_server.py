"""A Prefect server of a build's own: started beside it, watched, started again when it dies, ended with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import flows
from flows.common.errors import ResourceError
from flows.orchestration.environment import LOOPBACK
from flows.orchestration.server.own_home import keep_template, prepare_home, set_database_aside
from flows.orchestration.server.server_process import SERVER_APP
from flows.orchestration.server.stale import SERVER_MODULE, record_server

#: All of Prefect's settings that the server gets: none of the user's, which may name another database, another path of
#: the API, a login, a broker. No pages, no blocks, and only the services that a single run needs: triggers serve
#: automations, which such a server cannot have, and take 0.4 % of a core as long as a build lasts.
_SERVER_ENVIRONMENT = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "0",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
}
_ASK_EVERY_S = 0.05
_ANSWER_WITHIN_S = 2.0
_END_WITHIN_S = 5.0
#: Another program may take the free port before the server does, or the database may be one it cannot use.
_STARTS_TRIED = 3
#: How often in a row a server that was running is started again.
_DEATHS_BORNE = 3
_STEADY_AFTER_S = 60.0
_WATCH_EVERY_S = 1.0
_ASK_WELL_EVERY_S = 10.0
#: A server that runs and answers nothing for so long is ended, and started again.
_HANGS_AFTER_S = 60.0
#: uvicorn's status when the application could not start, as with a database it cannot use.
_STARTUP_FAILED = 3


class OwnServer:
    """One server on one port of the loopback address; see the module.

    Attributes:
        gone: set when it will not be started again.
    """

    def __init__(self, home: Path, log: Path, record: Path, note: Callable[[str], None]) -> None:
        self.gone = threading.Event()
        self.had_runs = False
        self._home = home
        self._log = log
        self._record = record
        self._note = note
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._watch_thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}/api"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it on a free port; returns at once."""
        self.had_runs = prepare_home(self._home)
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            self._port = probe.getsockname()[1]
        self._log.unlink(missing_ok=True)
        self._launch()

    def wait(self, patience_s: float) -> None:
        """Wait until it answers for the first time, and watch it from then on.

        Raises:
            ResourceError: it ended every time it was started, or does not answer within ``patience_s``.
        """
        started, starts = time.monotonic(), 1
        while not self._answers():
            ended = self._process is None or self._process.poll() is not None
            if (ended and starts == _STARTS_TRIED) or time.monotonic() - started > patience_s:
                what = "ended at once" if ended else f"did not answer within {patience_s:.0f} s"
                raise ResourceError(
                    f"Prefect's server {what}; its words are in {self._log}. Run the same command again; set "
                    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS higher on a slow machine, or PREFECT_API_URL "
                    "to a server that runs already"
                )
            if ended:
                starts += 1
                self._start_again()
            time.sleep(_ASK_EVERY_S)
        if not self.had_runs:
            keep_template(self._home)
        self._watch_thread = threading.Thread(target=self._watch, name="prefect-server-watch", daemon=True)
        self._watch_thread.start()

    def end(self) -> None:
        """End it, if need be by force."""
        self._ending.set()
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._watch_thread is not None:
            self._watch_thread.join()
        self._record.unlink(missing_ok=True)

    def _launch(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        code = str(Path(flows.__file__).parents[1])
        environment["PYTHONPATH"] = os.pathsep.join([code, *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", SERVER_MODULE, "--parent", str(os.getpid()), "--port", str(self._port)]
        with self._lock, self._log.open("ab") as log:
            if self._ending.is_set():
                return
            self._process = subprocess.Popen(
                [*command, "--app", SERVER_APP],
                env=environment | _SERVER_ENVIRONMENT | {"PREFECT_HOME": str(self._home.absolute())},
                cwd=self._home,  # Prefect reads prefect.toml, pyproject.toml and .env of the folder it is started in
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the build, which has to tell the server that it was stopped, and then ends it
                start_new_session=True,
            )
            record_server(self._record, self._process.pid)

    def _start_again(self) -> None:
        """After a start that failed: another port, and another database if it was that."""
        if self._process is not None and self._process.returncode == _STARTUP_FAILED:
            broken = set_database_aside(self._home)
            self._note(f"Prefect's server cannot use the database of builds before; it was set aside as {broken}")
        log = self._log.read_bytes()
        self.start()
        self._log.write_bytes(log + self._log.read_bytes())

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/health", timeout=_ANSWER_WITHIN_S) as answer:  # our own, on the loopback
                return bool(answer.status == 200)  # noqa: PLR2004
        except OSError:
            return False

    # -- the watch --------------------------------------------------------------------------

    def _watch(self) -> None:
        deaths = 0
        while not self._ending.is_set():
            since = time.monotonic()
            status = self._until_it_ends()
            if status is None:
                return
            deaths = 1 if time.monotonic() - since > _STEADY_AFTER_S else deaths + 1
            if deaths > _DEATHS_BORNE:
                self._note(
                    f"Prefect's server ended {deaths} times in a row and is not started again; its record of this run "
                    f"ends here, the build goes on. Its words are in {self._log}"
                )
                self.gone.set()
                return
            self._note(f"Prefect's server {_ended(status)} and is started again; the build goes on")
            self._launch()

    def _until_it_ends(self) -> int | None:
        """Its status when it has ended, None when we end it."""
        process = self._process
        well = asked = time.monotonic()
        while process is not None and not self._ending.wait(_WATCH_EVERY_S):
            status = process.poll()
            if status is not None:
                return status
            now = time.monotonic()
            if now - asked >= _ASK_WELL_EVERY_S:
                asked = now
                if self._answers():
                    well = time.monotonic()
                elif now - well > _HANGS_AFTER_S:
                    process.kill()
        return None


def _ended(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
