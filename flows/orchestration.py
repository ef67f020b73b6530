"""How we live with Prefect: its settings, and no server of ours left behind after a kill."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil

from flows.atomic import write_text_atomic

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

#: One thread per worker process: the same bytes under any load, and the fastest use of few cores.
THREAD_ENVIRONMENT: dict[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}

_SERVER_MARK = "prefect.server"


def prepare_environment() -> None:
    """Fill in defaults for Prefect, thread pools and Great Expectations; never overrides the user's."""
    for name, value in (PREFECT_ENVIRONMENT | THREAD_ENVIRONMENT | {"GX_ANALYTICS_ENABLED": "false"}).items():
        os.environ.setdefault(name, value)


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
