"""What a process of ours sets before Prefect and the libraries that count in threads are imported."""

from __future__ import annotations

import os
from pathlib import Path

from flows.common.threads import THREAD_ENVIRONMENT

#: Environment a build sets before Prefect is imported, unless the user already did.
#: - Start: a server needs up to 24 s on a slow machine (measured, DESIGN.md "Orchestration"); Prefect gives it 20 s.
#: - No telemetry.
#: - Logs go to Prefect's pages, see ``logging.yaml``; outside a run there is no page, and nothing to warn of.
#: - A server that is away is asked again after 2 and 4 s and not for 62 s (``run_flow`` waits for one that starts
#:   again), and one that hangs gets 20 s for an answer instead of 60.
PREFECT_ENVIRONMENT: dict[str, str] = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).with_name("logging.yaml")),
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_CLIENT_MAX_RETRIES": "2",
    "PREFECT_API_REQUEST_TIMEOUT": "20",
}

#: Where a server of ours listens.
LOOPBACK = "127.0.0.1"


def prepare_environment() -> None:
    """Fill in defaults for Prefect and Great Expectations, where the user did not; one thread per process, by force.

    Adds the loopback address to ``no_proxy``.
    """
    for name, value in (PREFECT_ENVIRONMENT | {"GX_ANALYTICS_ENABLED": "false"}).items():
        os.environ.setdefault(name, value)
    os.environ.update(THREAD_ENVIRONMENT)
    # Prefect's client heeds proxies, and none reaches this machine's own loopback address
    direct = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    hosts = [host.strip() for host in direct.split(",") if host.strip()]
    if LOOPBACK not in hosts and "*" not in hosts:
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*hosts, LOOPBACK])
