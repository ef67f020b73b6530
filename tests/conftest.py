"""Settings of every test run: no telemetry, no hub, one thread per process, repeatable hypothesis."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from flows.orchestration.environment import prepare_environment

_HERE = Path(__file__).parent
_SLOW = ("integration", "chaos")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
# many builds start on an empty home, two at a time
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "900")
prepare_environment()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # `make test &`: what tests start would never hear a Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first, then statistics, slow ones last; folders ``integration`` and ``chaos`` mark what they hold."""
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0]
        if folder in _SLOW and item.get_closest_marker(folder) is None:
            item.add_marker(folder)
    items.sort(key=_rank)


class SlowFilesTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Slow tests of one file go to one worker: what a file sets up (a build, models) is set up once.

    xdist's own groups (``--dist loadgroup``) go by a suffix of test ids that pytest 9.2 no longer hands on.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if any(folder in Path(path).parts for folder in _SLOW) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SlowFilesTogether:
    return SlowFilesTogether(config, log)


def _rank(item: pytest.Item) -> int:
    if any(item.get_closest_marker(name) is not None for name in _SLOW):
        return 2
    return int(item.get_closest_marker("statistics") is not None)
