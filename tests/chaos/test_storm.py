"""A small storm: every kind of victim, every phase, every kind of damage that comes up; the whole one is a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.storm import Victim, plan_storm, run_storm
from tests.chaos.storm_places import Phase

ITEMS, KILLS, SEED = 40, 10, 1


@pytest.mark.chaos
def test_nothing_comes_of_a_storm(tmp_path: Path) -> None:
    outcome = run_storm(tmp_path, ITEMS, KILLS, SEED, print)
    assert not outcome.violations
    assert outcome.kills == KILLS
    assert {blow.strike.phase for blow in outcome.blows} == set(Phase)
    assert {blow.victim for blow in outcome.blows} == set(Victim)
    assert outcome.undisturbed["rejects"].keys() >= {"AUDIO.TEXT_DURATION", "SET.DUPLICATE_AUDIO"}, "a tame build"


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_has_every_phase_and_victim(seed: int) -> None:
    plan = plan_storm(seed, KILLS)
    assert plan == plan_storm(seed, KILLS)
    assert {strike.phase for strike in plan} == set(Phase)
    assert {strike.victim for strike in plan} == set(Victim)
