"""Settings of every test run: no telemetry, no hub, one thread per process, repeatable hypothesis."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from flows.orchestration import prepare_environment

_HERE = Path(__file__).parent
_SLOW = ("integration", "chaos")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
prepare_environment()

settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first; slow ones last, one after the other in a single worker.

    The folders ``integration`` and ``chaos`` carry the marker of their name. One xdist group for all
    slow tests: each loads models or starts a server, and two at once would fight for two cores.
    """
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0]
        if folder in _SLOW and item.get_closest_marker(folder) is None:
            item.add_marker(folder)
        if _is_slow(item):
            item.add_marker(pytest.mark.xdist_group("slow"))
    items.sort(key=_is_slow)


def _is_slow(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) is not None for name in _SLOW)
