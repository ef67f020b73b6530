"""Code of a stage that gives other results under the same version would meet work that the older code left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows.shards.keys import STAGE_VERSIONS
from tests.flows.shards.golden import GOLDEN, digests, machine, results

RAISE = (
    "raise its version in flows.shards.keys.STAGE_VERSIONS (unless the change was not meant), then run "
    ".venv/bin/python -m tests.flows.shards.golden"
)


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return results()


@pytest.mark.parametrize("stage", STAGE_VERSIONS)
def test_a_stage_gives_what_its_version_gave(golden: dict[str, Any], made: dict[str, Any], stage: str) -> None:
    assert golden["versions"][stage] == STAGE_VERSIONS[stage], "write golden.json anew"
    different = list(differences(golden["results"][stage], made[stage], stage))
    assert not different, f"stage {stage} gives other results: {different[:5]}; {RAISE}"
    if golden["machine"] == machine():  # on another kind of processor the last bits may differ
        assert golden["digests"][stage] == digests(made)[stage], f"stage {stage} gives other results; {RAISE}"


def test_a_difference_is_seen() -> None:
    """The comparison can fail: another word, a level, a position, one more entry."""
    before = {"文": "好", "levels": [-23.0, -40.0], "start": 16000, "more": [1]}
    for changed in (
        {**before, "文": "坏"},
        {**before, "levels": [-23.0, -38.0]},
        {**before, "start": 17000},
        {**before, "more": [1, 2]},
        {key: value for key, value in before.items() if key != "start"},
    ):
        assert list(differences(before, changed, "x"))
    assert not list(differences(before, {**before, "start": 16001, "levels": [-23.1, -40.0]}, "x"))


def differences(before: Any, now: Any, where: str) -> Any:
    """Places where two JSON values differ: texts exactly, numbers by more than 0.3 and 0.2 %."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() | now.keys():
            if key in before and key in now:
                yield from differences(before[key], now[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}"
    elif isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            yield f"{where}: {len(before)} or {len(now)} entries"
        for place, (old, new) in enumerate(zip(before, now, strict=False)):
            yield from differences(old, new, f"{where}[{place}]")
    elif isinstance(before, int | float) and isinstance(now, int | float) and not isinstance(before, bool):
        if abs(before - now) > 0.3 + 0.002 * abs(before):
            yield f"{where}: {before} or {now}"
    elif before != now:
        yield f"{where}: {before!r} or {now!r}"
