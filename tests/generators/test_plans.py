from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.plan import DialoguePlan, QuotaCell, check_trajectory
from data_schemas.script import Script
from data_schemas.speakers import Gender, Speaker
from data_schemas.tasks import TURNS_OF_TASK, Language, Role, Split, Task, Track
from generators.plans.outlines import DrawnOutlines, ScriptOutlines, load_transitions
from generators.plans.planner import MAX_INDEX, THIRD_PARTY_TASKS, plan_items
from generators.plans.quotas import SPLITS_OF_TASK, QuotaImpossible, QuotaSpec, expand
from tests.support.script_factory import make_trajectory

GENDERS: tuple[Gender, ...] = ("female", "male")


def cast(users: int = 4) -> tuple[Speaker, ...]:
    """Users, two assistants and a third party per language and split, every voice its own."""
    people = []
    for language in Language:
        roles = [Role.USER] * users + [Role.ASSISTANT] * 2 + [Role.THIRD_PARTY]
        for number, (split, role) in enumerate(((split, role) for split in Split for role in roles), start=1):
            people.append(
                Speaker(
                    number=number,
                    language=language,
                    gender=GENDERS[number % 2],
                    split=split,
                    role=role,
                    voice=f"{language}-{number}",
                )
            )
    return tuple(people)


@st.composite
def cells(draw: st.DrawFn) -> tuple[tuple[QuotaCell, int], ...]:
    specs: dict[QuotaCell, int] = {}
    for _ in range(draw(st.integers(1, 6))):
        task = draw(st.sampled_from(list(Task)))
        cell = QuotaCell(
            task=task,
            language=draw(st.sampled_from(list(Language))),
            turns=draw(st.sampled_from(TURNS_OF_TASK.get(task, (1,)))),
            split=draw(st.sampled_from(sorted(SPLITS_OF_TASK.get(task, frozenset(Split))))),
        )
        specs[cell] = draw(st.integers(1, 9))
    return tuple(specs.items())


def planned(quota: tuple[tuple[QuotaCell, int], ...], seed: int) -> tuple[DialoguePlan, ...]:
    return plan_items(quota, DrawnOutlines(seed), cast(), seed, round=0, first_index={})


@settings(max_examples=60)
@given(cells(), st.integers(0, 2**31 - 1))
def test_quotas_are_exact_and_rules_hold(quota: tuple[tuple[QuotaCell, int], ...], seed: int) -> None:
    plans = planned(quota, seed)
    assert Counter(plan.cell for plan in plans) == dict(quota)
    assert len({plan.id for plan in plans}) == len(plans)
    assert len({(plan.task.track, plan.language, plan.index) for plan in plans}) == len(plans)
    for plan in plans:
        if plan.task.track is Track.EMOTION:
            check_trajectory(plan.task, tuple(step.emotion for step in plan.outline.emotions))
        assert (plan.third_party is not None) == (plan.task in THIRD_PARTY_TASKS)
    assert plans == planned(quota, seed)


@settings(max_examples=30)
@given(cells(), st.integers(0, 99))
def test_speakers_never_cross_splits_and_are_used_evenly(quota: tuple[tuple[QuotaCell, int], ...], seed: int) -> None:
    plans = planned(quota, seed)
    voices: dict[Split, set[str]] = {split: set() for split in Split}
    for plan in plans:
        people = (plan.user, plan.assistant, plan.third_party)
        voices[plan.cell.split] |= {person.voice for person in people if person}
    assert not voices[Split.TRAIN] & voices[Split.DEV]
    for cell, _ in quota:
        uses = Counter(plan.user.number for plan in plans if plan.cell == cell)
        counts = [uses[speaker.number] for speaker in cast() if _is_user_of(speaker, cell)]
        assert max(counts) - min(counts) <= 1


def _is_user_of(speaker: Speaker, cell: QuotaCell) -> bool:
    return (speaker.role, speaker.language, speaker.split) == (Role.USER, cell.language, cell.split)


def scripts(count: int, gender: Gender | None = None) -> list[Script]:
    return [
        make_trajectory(f"zh-{number}", Language.ZH).model_copy(update={"user_gender": gender})
        for number in range(count)
    ]


TRAIN = QuotaCell(task=Task.TRAJECTORY, language=Language.ZH, turns=3, split=Split.TRAIN)
DEV = TRAIN.model_copy(update={"split": Split.DEV})


def test_train_and_dev_and_top_ups_share_no_script() -> None:
    source = ScriptOutlines(scripts(6), seed=1)
    first = plan_items(((TRAIN, 2), (DEV, 2)), source, cast(), 1, round=0, first_index={})
    more = plan_items(((TRAIN, 2),), source, cast(), 1, round=1, first_index={(Track.EMOTION, Language.ZH): 5})
    used = [plan.outline.script_id for plan in (*first, *more)]
    assert len(used) == len(set(used)) == 6
    assert [plan.index for plan in more] == [5, 6]
    with pytest.raises(QuotaImpossible, match="0 unused"):
        source.take(TRAIN, 1)


def test_the_order_of_the_file_does_not_decide_and_the_seed_does() -> None:
    pack = scripts(8)
    orders = {
        tuple(one.script_id for one in ScriptOutlines(given, seed).take(TRAIN, 8))
        for given, seed in ((pack, 1), (pack[::-1], 1), (pack, 2))
    }
    assert len(orders) == 2


def test_small_cells_share_the_users_and_pairs_have_both_genders() -> None:
    singles = tuple(
        (QuotaCell(task=task, language=Language.EN, turns=turns, split=Split.DEV), 1)
        for task in (Task.TRAJECTORY, Task.REASONING, Task.EMPATHY)
        for turns in TURNS_OF_TASK[task]
    )
    uses = Counter(plan.user.number for plan in planned(singles, 5))
    assert len(uses) == 4
    assert max(uses.values()) - min(uses.values()) <= 1
    for cell, _ in singles:
        assert {plan.user.gender for plan in planned(((cell, 2),), 5)} == set(GENDERS)


def test_changing_one_quota_moves_nobody_in_another_cell() -> None:
    def users(count: int) -> list[int]:
        quota = ((TRAIN, count), (DEV, 3), (TRAIN.model_copy(update={"turns": 5}), 3))
        return [plan.user.number for plan in planned(quota, 8) if plan.cell != TRAIN]

    assert users(1) == users(4)


def test_words_that_need_a_gender_get_it() -> None:
    source = ScriptOutlines(scripts(5, "male"), seed=3)
    plans = plan_items(((TRAIN, 5),), source, cast(), 3, round=0, first_index={})
    assert {plan.user.gender for plan in plans} == {"male"}
    women = tuple(one for one in cast() if one.role is not Role.USER or one.gender == "female")
    with pytest.raises(QuotaImpossible, match="male user"):
        plan_items(((TRAIN, 1),), ScriptOutlines(scripts(1, "male"), 3), women, 3, round=0, first_index={})


def test_item_numbers_end_at_four_digits() -> None:
    with pytest.raises(QuotaImpossible, match="four digits"):
        plan_items(
            ((TRAIN, 2),),
            DrawnOutlines(1),
            cast(),
            1,
            round=0,
            first_index={(Track.EMOTION, Language.ZH): MAX_INDEX},
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"turns": [2]}, "turns"),
        ({"count": 0}, "count"),
        ({"splits": ["test"]}, "splits"),
        ({"languages": ["zh", "zh"]}, "languages"),
        ({"task": "recognition", "turns": [1], "splits": ["dev"]}, "no dev folder"),
        ({"task": "empathy", "splits": ["train"]}, "no train folder"),
        ({"数量": 3}, "数量"),
    ],
)
def test_impossible_specifications_are_named(change: dict[str, object], words: str) -> None:
    raw = {"task": "trajectory", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 1}
    with pytest.raises(ValidationError, match=words):
        QuotaSpec.model_validate(raw | change)


def test_a_cell_asked_for_twice_is_refused() -> None:
    spec = QuotaSpec(task=Task.PAUSE, languages=(Language.EN,), splits=(Split.DEV,), count=1)
    with pytest.raises(QuotaImpossible, match=r"quotas\.1: pause/en/1/dev"):
        expand((spec, spec))
    assert expand((spec,))[0][1] == 1


def test_every_emotion_can_follow_some_other() -> None:
    transitions = load_transitions()
    for weights in transitions.values():
        assert set(weights) == set(transitions)
        assert sum(weight > 0 for weight in weights.values()) >= 2
