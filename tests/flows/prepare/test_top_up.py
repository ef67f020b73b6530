"""Top-up uses up what it plans and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.plan import QuotaCell
from data_schemas.script import Script
from data_schemas.speakers import Gender, Speaker
from data_schemas.tasks import Language, Role, Split, Task, Track
from flows.prepare.top_up import plan_top_up
from generators.plans.outlines import ScriptOutlines
from generators.plans.planner import MAX_INDEX, plan_items
from tests.support.script_factory import make_trajectory

CELL = QuotaCell(task=Task.TRAJECTORY, language=Language.ZH, turns=3, split=Split.DEV)
TRAIN = CELL.model_copy(update={"split": Split.TRAIN})
PLACE = (Track.EMOTION, Language.ZH)
SEED = 4


def people(users: str = "ff", assistants: int = 2, split: Split = Split.DEV) -> tuple[Speaker, ...]:
    """Users of the genders spelled out, then assistants."""
    genders: list[tuple[Role, Gender]] = [(Role.USER, "female" if letter == "f" else "male") for letter in users]
    genders += [(Role.ASSISTANT, "female")] * assistants
    return tuple(
        Speaker(number=number, language=Language.ZH, gender=gender, split=split, role=role, voice=f"zh-{number}")
        for number, (role, gender) in enumerate(genders, start=1)
    )


def scripts(genders: Sequence[Gender | None]) -> list[Script]:
    return [
        make_trajectory(f"zh-{number:02d}", Language.ZH).model_copy(update={"user_gender": gender})
        for number, gender in enumerate(genders)
    ]


def left(source: ScriptOutlines) -> list[str | None]:
    """The scripts that wait, in their order; the source is used up."""
    return [one.script_id for one in source.take(CELL, source.waiting(CELL.place))]


def test_scripts_that_nobody_can_speak_are_passed_over_and_kept() -> None:
    """Three tries of the former way used up six of eight scripts and planned nothing."""
    pack = scripts(["male", "male", "female", "male", "male", None, "female", "male"])
    gender_of = {script.script_id: script.user_gender for script in pack}
    order = left(ScriptOutlines(pack, SEED))
    source = ScriptOutlines(pack, SEED)
    plans, note = plan_top_up(CELL, 3, source, people(), SEED, 1, {})
    fit = [name for name in order if gender_of[name or ""] != "male"]
    assert [plan.outline.script_id for plan in plans] == fit
    assert note is None
    assert left(source) == [name for name in order if name not in fit], "the others wait where they stood"


def test_fewer_plans_come_with_a_reason() -> None:
    source = ScriptOutlines(scripts(["male", "female", "male"]), SEED)
    plans, note = plan_top_up(CELL, 3, source, people(), SEED, 1, {})
    assert len(plans) == 1
    assert note is not None and "needs a male user" in note
    assert source.waiting(CELL.place) == 2
    men = ScriptOutlines(scripts(["male"]), SEED)
    plans, note = plan_top_up(CELL, 2, men, people("m"), SEED, 1, {})
    assert len(plans) == 1
    assert note is not None and "needs 2 more scripts and the pack has 1 unused" in note


@pytest.mark.parametrize(("free", "count"), [(0, 3), (1, 3), (2, 3), (3, 3), (5, 3), (2, 9)])
def test_numbers_that_run_out_use_up_no_script(free: int, count: int) -> None:
    source = ScriptOutlines(scripts([None] * count), SEED)
    order = left(ScriptOutlines(scripts([None] * count), SEED))
    first = {PLACE: MAX_INDEX - free + 1}
    plans, note = plan_top_up(CELL, count, source, people(), SEED, 1, first)
    assert len(plans) == min(free, count)
    assert [plan.outline.script_id for plan in plans] == order[: len(plans)]
    assert left(source) == order[len(plans) :]
    assert (note is None) == (len(plans) == count)
    if note is not None:
        assert str(MAX_INDEX) in note


@pytest.mark.parametrize("cast", [people("f", assistants=0), people("f", split=Split.TRAIN)])
def test_without_the_people_every_script_stays(cast: tuple[Speaker, ...]) -> None:
    source = ScriptOutlines(scripts([None] * 4), SEED)
    plans, note = plan_top_up(CELL, 2, source, cast, SEED, 1, {})
    assert plans == ()
    assert note is not None and note.startswith("speech.casting:")
    assert "\n" not in note
    assert source.waiting(CELL.place) == 4


def test_what_one_split_cannot_speak_another_can() -> None:
    source = ScriptOutlines(scripts(["male"] * 2), SEED)
    assert plan_top_up(CELL, 2, source, people("f"), SEED, 1, {})[0] == ()
    plans, note = plan_top_up(TRAIN, 2, source, people("m", split=Split.TRAIN), SEED, 1, {})
    assert (len(plans), note) == (2, None)


@given(st.lists(st.sampled_from(["male", "female", None]), max_size=12), st.integers(1, 12), st.integers(0, 12))
def test_nothing_is_lost_and_as_much_is_planned_as_can_be(genders: list[Gender | None], count: int, free: int) -> None:
    pack = scripts(genders)
    source, order = ScriptOutlines(pack, SEED), left(ScriptOutlines(pack, SEED))
    first = {PLACE: MAX_INDEX - free + 1}
    plans, note = plan_top_up(CELL, count, source, people("ff"), SEED, 2, first)
    used = [plan.outline.script_id for plan in plans]
    fit = [name for name in order if next(s for s in pack if s.script_id == name).user_gender != "male"]
    assert used == fit[: min(count, free)]
    assert left(source) == [name for name in order if name not in used]
    assert (note is None) == (len(plans) == count)


def test_where_nothing_is_short_the_plans_are_those_of_the_planner() -> None:
    pack = scripts([None, "female", None, "male", None, "male"])
    plans, _ = plan_top_up(CELL, 4, ScriptOutlines(pack, SEED), people("fmf"), SEED, 3, {PLACE: 17})
    wanted = ((CELL, 4),)
    same = plan_items(wanted, ScriptOutlines(pack, SEED), people("fmf"), SEED, round=3, first_index={PLACE: 17})
    assert plans == same
