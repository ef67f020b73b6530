"""Which user speaks a script: gender first, then age, then who was heard least."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.plan import Brief, Outline, Persona, QuotaCell
from data_schemas.speakers import AgeBand, Gender, Speaker
from data_schemas.tasks import Language, Role, Split, Task
from generators.plans.planner import choose_users
from generators.plans.quotas import QuotaImpossible

CELL = QuotaCell(task=Task.PAUSE, language=Language.ZH, turns=1, split=Split.TRAIN)
GENDERS: tuple[Gender, ...] = ("female", "male")
BANDS = list(AgeBand)
AGES = st.one_of(st.none(), st.integers(6, 99))


def outline(gender: Gender | None = None, age: int | None = None) -> Outline:
    persona = (
        None if age is None else Persona(name="小满", gender="female", age=age, job="学生", region="成都", style="慢")
    )
    brief = None if persona is None else Brief(persona=persona, setting="清晨的菜市场", opening="先打招呼")
    return Outline(task=CELL.task, language=CELL.language, turns=1, domain="购物", user_gender=gender, brief=brief)


def users(*kinds: tuple[Gender, AgeBand | None]) -> tuple[Speaker, ...]:
    return tuple(
        Speaker(
            number=number,
            language=CELL.language,
            gender=gender,
            split=CELL.split,
            role=Role.USER,
            voice=f"voice-{number}",
            age=age,
        )
        for number, (gender, age) in enumerate(kinds, start=1)
    )


def bands_away(user: Speaker, age: int | None) -> int:
    """What is not known fits."""
    return 0 if age is None or user.age is None else abs(BANDS.index(AgeBand.of(age)) - BANDS.index(user.age))


BOTH_GENDERS = st.lists(st.sampled_from(GENDERS), min_size=2, max_size=9).filter(lambda own: len(set(own)) == 2)
KINDS = st.lists(
    st.tuples(st.sampled_from(GENDERS), st.one_of(st.none(), st.sampled_from(BANDS))), min_size=2, max_size=9
).filter(lambda own: len({gender for gender, _ in own}) == 2)


@settings(max_examples=50, deadline=None)
@given(BOTH_GENDERS, st.lists(AGES, min_size=1, max_size=40), st.integers(0, 99), st.integers(0, 3))
def test_where_no_voice_has_an_age_everybody_is_heard_as_often(
    genders: list[Gender], ages: list[int | None], seed: int, round: int
) -> None:
    pool = users(*((gender, None) for gender in genders))
    chosen = choose_users(CELL, [outline(age=age) for age in ages], pool, seed, round)
    uses = Counter(one.number for one in chosen)
    counts = [uses[one.number] for one in pool]
    assert sum(counts) == len(ages) and max(counts) - min(counts) <= 1


@settings(max_examples=50, deadline=None)
@given(
    KINDS,
    st.lists(st.tuples(st.one_of(st.none(), st.sampled_from(GENDERS)), AGES), min_size=1, max_size=40),
    st.integers(0, 99),
)
def test_gender_and_age_fit_and_equals_are_heard_as_often(
    kinds: list[tuple[Gender, AgeBand | None]], wishes: list[tuple[Gender | None, int | None]], seed: int
) -> None:
    pool = users(*kinds)
    outlines = [outline(*wish) for wish in wishes]
    chosen = choose_users(CELL, outlines, pool, seed, 0)
    assert chosen == choose_users(CELL, outlines, pool[::-1], seed, 0)
    for (gender, age), one in zip(wishes, chosen, strict=True):
        fitting = [other for other in pool if gender in (None, other.gender)]
        assert one in fitting
        assert bands_away(one, age) == min(bands_away(other, age) for other in fitting)
    uses = Counter(one.number for one in chosen)
    for first, second in combinations(pool, 2):
        if (first.gender, first.age) == (second.gender, second.age):
            assert abs(uses[first.number] - uses[second.number]) <= 1


def test_the_nearest_age_speaks_where_the_right_one_is_missing() -> None:
    pool = users(("female", AgeBand.YOUNG), ("male", AgeBand.OLD))
    chosen = choose_users(CELL, [outline(age=age) for age in (8, 30, 45, 61)], pool, 1, 0)
    assert [one.age for one in chosen[:2]] == [AgeBand.YOUNG] * 2 and chosen[3].age is AgeBand.OLD


def test_voices_of_unknown_age_fit_everybody_and_even_the_use_out() -> None:
    pool = users(("female", AgeBand.YOUNG), ("female", None), ("male", AgeBand.OLD))
    chosen = choose_users(CELL, [outline(age=20)] * 8 + [outline()] * 4, pool, 1, 0)
    assert Counter(one.number for one in chosen) == {1: 4, 2: 4, 3: 4}


def test_a_gender_that_nobody_has_is_refused() -> None:
    with pytest.raises(QuotaImpossible, match="needs a male user"):
        choose_users(CELL, [outline("male")], users(("female", None)), 1, 0)
