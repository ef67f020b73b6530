from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.conversation import PlannedLine, check_conversation, conversation_turns, hosts
from data_schemas.emotions import DEEPDIALOGUE, Emotion
from data_schemas.foundation.base import RecordError
from data_schemas.item_code import MAX_INDEX, SESSION_STEP
from data_schemas.plan import QUESTION_TASKS, DialoguePlan, Outline, QuotaCell, check_trajectory
from data_schemas.script import Script
from data_schemas.speakers import Gender, Speaker
from data_schemas.tasks import TRACK1_TASKS, TURNS_OF_TASK, Language, Part, Role, Split, Task, Track
from generators.plans.conversation_lines import draw_lines
from generators.plans.describe import describe
from generators.plans.drawn import EVENT_SETS_THE_SCENE, DrawnOutlines
from generators.plans.outlines import ScriptOutlines
from generators.plans.planner import THIRD_PARTY_TASKS, each_plan, plan_items
from generators.plans.quotas import SPLITS_OF_TASK, QuotaImpossible, QuotaSpec, expand
from generators.plans.settings import PlanningSettings
from generators.plans.trajectories import EventKind, load_transitions, trajectory_kinds
from generators.plans.walks import Walks
from generators.scripts.packs import load_packs
from generators.scripts.settings import ScriptSettings
from tests.support.catalogue_factory import write_catalogue
from tests.support.script_factory import make_trajectory

#: Every (task, turns) there can be.
PLACES = [(task, turns) for task in Task for turns in TURNS_OF_TASK.get(task, (1,))]
SEEDS = st.integers(0, 2**31 - 1)
ORDINALS = st.integers(0, 20_000)
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


@pytest.fixture(scope="module")
def planning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanningSettings]:
    """With a small catalogue in place of the shipped one."""
    yield PlanningSettings(catalogue=str(write_catalogue(tmp_path_factory.mktemp("catalogue"))))


@pytest.fixture(scope="module")
def source(planning: PlanningSettings) -> DrawnOutlines:
    """For draws that one seed serves as well as any other."""
    return DrawnOutlines(7, planning)


def planned(
    quota: tuple[tuple[QuotaCell, int], ...], seed: int, planning: PlanningSettings
) -> tuple[DialoguePlan, ...]:
    return plan_items(quota, DrawnOutlines(seed, planning), cast(), seed, round=0, first_index={})


@pytest.mark.statistics
@settings(max_examples=60, deadline=None)
@given(cells(), SEEDS)
def test_quotas_are_exact_and_rules_hold(
    planning: PlanningSettings, quota: tuple[tuple[QuotaCell, int], ...], seed: int
) -> None:
    plans = planned(quota, seed, planning)
    assert Counter(plan.cell for plan in plans) == dict(quota)
    assert len({plan.id for plan in plans}) == len(plans)
    assert len({(plan.task.track, plan.language, plan.index) for plan in plans}) == len(plans)
    for plan in plans:
        if plan.task.track is Track.EMOTION:
            check_trajectory(plan.task, tuple(step.emotion for step in plan.outline.emotions))
        assert (plan.third_party is not None) == (plan.task in THIRD_PARTY_TASKS)
    assert plans == planned(quota, seed, planning)


@settings(max_examples=30, deadline=None)
@given(cells(), st.integers(0, 99))
def test_speakers_never_cross_splits_and_are_used_evenly(
    planning: PlanningSettings, quota: tuple[tuple[QuotaCell, int], ...], seed: int
) -> None:
    plans = planned(quota, seed, planning)
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


def test_small_cells_share_the_users_and_pairs_have_both_genders(planning: PlanningSettings) -> None:
    singles = tuple(
        (QuotaCell(task=task, language=Language.EN, turns=turns, split=Split.DEV), 1)
        for task in (Task.TRAJECTORY, Task.REASONING, Task.EMPATHY)
        for turns in TURNS_OF_TASK[task]
    )
    uses = Counter(plan.user.number for plan in planned(singles, 5, planning))
    assert len(uses) == 4
    assert max(uses.values()) - min(uses.values()) <= 1
    for cell, _ in singles:
        assert {plan.user.gender for plan in planned(((cell, 2),), 5, planning)} == set(GENDERS)


def test_changing_one_quota_moves_nobody_in_another_cell(planning: PlanningSettings) -> None:
    def users(count: int) -> list[int]:
        same_words = plan_items(
            ((TRAIN, count), (DEV, 3)), ScriptOutlines(scripts(8), 8), cast(), 8, round=0, first_index={}
        )
        drawn = planned(((TRAIN, count), (DEV.model_copy(update={"turns": 5}), 3)), 8, planning)
        return [plan.user.number for plan in (*same_words, *drawn) if plan.cell != TRAIN]

    assert users(1) == users(4)


def test_words_that_need_a_gender_get_it() -> None:
    source = ScriptOutlines(scripts(5, "male"), seed=3)
    plans = plan_items(((TRAIN, 5),), source, cast(), 3, round=0, first_index={})
    assert {plan.user.gender for plan in plans} == {"male"}
    women = tuple(one for one in cast() if one.role is not Role.USER or one.gender == "female")
    with pytest.raises(QuotaImpossible, match="male user"):
        plan_items(((TRAIN, 1),), ScriptOutlines(scripts(1, "male"), 3), women, 3, round=0, first_index={})


def test_nobody_beside_a_user_has_a_voice_that_is_heard_in_the_users(planning: PlanningSettings) -> None:
    """A mixture beside one of its parts, or two mixtures with a part in common, sound like one person."""

    def mixed(one: Speaker) -> Speaker:
        if one.role is Role.ASSISTANT or one.number % 3:
            return one
        return one.model_copy(update={"mixed_of": (f"{one.language}-{one.number - 2}", "共有")})

    people = tuple(mixed(one) for one in cast(6) if one.role is not Role.THIRD_PARTY)
    users = [one for one in people if one.role is Role.USER]
    people += tuple(one.model_copy(update={"role": Role.THIRD_PARTY, "number": one.number + 100}) for one in users)
    cell = QuotaCell(task=Task.THIRD_PARTY_BEFORE, language=Language.ZH, turns=1, split=Split.TRAIN)
    plans = plan_items(((cell, 60),), DrawnOutlines(3, planning), people, 3, round=0, first_index={})
    assert any(plan.user.mixed_of for plan in plans) and any(plan.third_party.mixed_of for plan in plans)
    for plan in plans:
        assert not plan.user.sounds_like(plan.third_party) and not plan.assistant.sounds_like(plan.third_party)


def test_item_numbers_go_beyond_four_digits_and_end(planning: PlanningSettings) -> None:
    def plans(first: int, people: tuple[Speaker, ...]) -> tuple[DialoguePlan, ...]:
        index = {(Track.EMOTION, Language.ZH): first}
        return plan_items(((TRAIN, 2),), DrawnOutlines(1, planning), people, 1, round=0, first_index=index)

    before, after = plans(9999, cast())
    assert (before.id[-5:], after.id[-8:]) == ("-9999", "-x010000")
    assert int(after.item_code[:4]) == after.user.number + SESSION_STEP
    with pytest.raises(QuotaImpossible, match="split the quota"):
        plans(MAX_INDEX, cast())
    many = tuple(one.model_copy(update={"number": one.number + SESSION_STEP}) for one in cast())
    assert plans(9998, many)[1].index == 9999
    with pytest.raises(QuotaImpossible, match="cast fewer voices"):
        plans(9999, many)


def test_plans_come_one_by_one(planning: PlanningSettings) -> None:
    """No cell is asked for before the plans of the one before it have been taken."""
    asked: list[QuotaCell] = []

    class Watched(DrawnOutlines):
        def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
            asked.append(cell)
            return super().take(cell, count)

    quota = tuple((TRAIN.model_copy(update={"turns": turns}), 2) for turns in (3, 4, 5))
    stream = each_plan(quota, Watched(1, planning), cast(), 1, round=0, first_index={})
    found = [next(stream), next(stream)]
    assert len(asked) == 1
    found += stream
    assert tuple(found) == plan_items(quota, DrawnOutlines(1, planning), cast(), 1, round=0, first_index={})


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


@st.composite
def draws(draw: st.DrawFn) -> tuple[Task, Language, int, int]:
    task, turns = draw(st.sampled_from(PLACES))
    return task, draw(st.sampled_from(list(Language))), turns, draw(ORDINALS)


@pytest.mark.statistics
@settings(max_examples=60, deadline=None)
@given(draws(), SEEDS)
def test_a_drawn_outline_has_all_a_writer_needs(
    planning: PlanningSettings, draw: tuple[Task, Language, int, int], seed: int
) -> None:
    source = DrawnOutlines(seed, planning)
    outline = source.draw(*draw)
    task, brief, catalogue = outline.task, outline.brief, source.catalogue(outline.language)
    assert (task, outline.language, outline.turns) == draw[:3]
    assert brief is not None
    assert outline.domain in catalogue.domains
    assert brief.opening in catalogue.openings
    assert (brief.question is not None) == (task in QUESTION_TASKS)
    assert (brief.cue is not None) == (task.track is Track.DUPLEX)
    assert (outline.root_cause is not None) == (task is Task.REASONING)
    assert (brief.theme is None) == (brief.counterpart is None)
    assert (brief.setting == "") == (task in EVENT_SETS_THE_SCENE or outline.is_conflict)
    if brief.theme is None:
        assert brief.setting in ("", *catalogue.domains[outline.domain].settings)
        assert outline.root_cause in (None, *catalogue.root_causes)
    else:
        theme = catalogue.themes[brief.theme]
        assert brief.setting in theme.settings
        assert brief.counterpart in theme.counterparts
        assert outline.root_cause in (None, *theme.root_causes)
        assert task in TRACK1_TASKS - {Task.RECOGNITION}
    if task.track is Track.DUPLEX:
        assert (outline.emotions, brief.events) == ((), ())
        assert brief.cue in catalogue.cues[task]
    else:
        check_trajectory(task, tuple(step.emotion for step in outline.emotions))
        assert len(brief.events) == outline.turns - (task in QUESTION_TASKS)
        assert outline.emotions[-1].fine_emotion is None or task not in QUESTION_TASKS
    assert outline.brief is not None and Outline.from_json_line(outline.to_json_line()) == outline


@pytest.mark.statistics
@settings(max_examples=60, deadline=None)
@given(draws(), SEEDS)
def test_the_persona_fits(planning: PlanningSettings, draw: tuple[Task, Language, int, int], seed: int) -> None:
    source = DrawnOutlines(seed, planning)
    outline = source.draw(*draw)
    assert outline.brief is not None
    persona, parts = outline.brief.persona, source.catalogue(outline.language).personas
    assert outline.user_gender == persona.gender
    assert persona.name in parts.names[persona.gender]
    assert persona.region in parts.regions
    for youngest, oldest in (
        next(job.ages for job in parts.jobs if job.name == persona.job),
        next(style.ages for style in parts.styles if style.text == persona.style),
    ):
        assert youngest <= persona.age <= oldest


@pytest.mark.statistics
@settings(max_examples=60, deadline=None)
@given(st.sampled_from([place for place in PLACES if place[0] in TRACK1_TASKS]), ORDINALS, SEEDS)
def test_events_are_plausible_and_none_comes_twice(
    planning: PlanningSettings, place: tuple[Task, int], ordinal: int, seed: int
) -> None:
    source, transitions = DrawnOutlines(seed, planning), load_transitions()
    outline = source.draw(place[0], Language.ZH, place[1], ordinal)
    assert outline.brief is not None
    events, catalogue = outline.brief.events, source.catalogue(Language.ZH)
    if outline.is_conflict:
        voice = outline.emotions[0]
        assert (voice.emotion, voice.text_emotion, *events) in {
            (one.emotion, one.text_emotion, one.situation) for one in catalogue.conflicts
        }
        return
    kind_of = {text: kind for kind in EventKind for text in catalogue.events[kind]}
    labels = tuple(step.emotion for step in outline.emotions)
    possible = trajectory_kinds(outline.task, labels, transitions)
    assert [bool(event) for event in events] == [bool(kinds) for kinds in possible]
    for event, kinds, step in zip(events, possible, outline.emotions, strict=False):
        assert not event or kind_of[event] in kinds
        assert event or step.fine_emotion is None
        if step.fine_emotion is not None:
            assert kind_of[event] in transitions.shades[step.fine_emotion]
    told = [event for event in events if event]
    assert len(set(told)) == len(told)
    if outline.task is Task.EMPATHY:
        assert len(told) == 2
        assert [bool(event) for event in events] == [not label.is_neutral for label in labels]


def test_kinds_of_events_follow_the_story() -> None:
    transitions = load_transitions()
    calm, fear, happy = Emotion.NEUTRAL, Emotion.FEAR, Emotion.HAPPY
    assert trajectory_kinds(Task.TRAJECTORY, (fear, happy, calm), transitions) == (
        transitions.kinds(None, fear),
        transitions.kinds(fear, happy),
    )
    assert trajectory_kinds(Task.EMPATHY, (calm, fear, calm, happy), transitions) == (
        (),
        transitions.kinds(calm, fear),
        (),
        transitions.kinds(fear, happy),
    )


@pytest.mark.statistics
@settings(max_examples=20, deadline=None)
@given(st.lists(draws(), min_size=2, max_size=6), SEEDS)
def test_no_draw_depends_on_another(
    planning: PlanningSettings, places: list[tuple[Task, Language, int, int]], seed: int
) -> None:
    one, other = DrawnOutlines(seed, planning), DrawnOutlines(seed, planning)
    forward = [one.draw(*place) for place in places]
    backward = [other.draw(*place) for place in reversed(places)]
    assert forward == backward[::-1]
    assert forward == [DrawnOutlines(seed, planning).draw(*place) for place in places]


def test_taking_is_drawing_by_number_over_both_splits(source: DrawnOutlines, planning: PlanningSettings) -> None:
    taking = DrawnOutlines(7, planning)
    taken = (*taking.take(TRAIN, 3), *taking.take(DEV, 2), *taking.take(TRAIN, 1))
    assert taken == tuple(source.draw(Task.TRAJECTORY, Language.ZH, 3, ordinal) for ordinal in range(6))


@pytest.mark.statistics
@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(PLACES), st.integers(0, 500))
def test_genders_are_those_of_the_voices_and_alternate(
    planning: PlanningSettings, seed: int, place: tuple[Task, int], ordinal: int
) -> None:
    both = DrawnOutlines(seed, planning, {Language.ZH: frozenset(("male",))})
    assert both.draw(place[0], Language.ZH, place[1], ordinal).user_gender == "male"
    pair = [both.draw(place[0], Language.EN, place[1], ordinal + more).user_gender for more in range(2)]
    assert sorted(map(str, pair)) == list(GENDERS)
    with pytest.raises(QuotaImpossible, match="no user voice"):
        DrawnOutlines(seed, planning, {Language.ZH: frozenset()}).draw(place[0], Language.ZH, place[1], ordinal)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(0, 50), st.floats(0, 1))
def test_single_turns_are_balanced(planning: PlanningSettings, seed: int, laps: int, share: float) -> None:
    source = DrawnOutlines(seed, planning.model_copy(update={"conflict_share": share}))
    count = 20 * 7
    outlines = [source.draw(Task.RECOGNITION, Language.ZH, 1, ordinal) for ordinal in range(count)]
    conflicts = [one for one in outlines if one.is_conflict]
    assert abs(len(conflicts) - count * share) <= 1
    labels = [one.emotions[0].emotion for one in outlines if not one.is_conflict]
    for start in range(0, len(labels) - 6, 7):
        assert set(labels[start : start + 7]) == set(Emotion)
    plain = DrawnOutlines(seed, planning.model_copy(update={"conflict_share": 0.0}))
    run = [plain.draw(Task.RECOGNITION, Language.ZH, 1, 7 * laps + more) for more in range(7)]
    assert {one.emotions[0].emotion for one in run} == set(Emotion)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(PLACES), st.integers(0, 100))
def test_lists_are_used_evenly(planning: PlanningSettings, seed: int, place: tuple[Task, int], lap: int) -> None:
    source = DrawnOutlines(seed, planning)
    catalogue = source.catalogue(Language.EN)
    domains, openings = len(catalogue.domains), len(catalogue.openings)
    size = domains * openings
    run = [source.draw(place[0], Language.EN, place[1], lap * size + more) for more in range(size)]
    assert set(Counter(one.domain for one in run).values()) == {openings}
    assert set(Counter(one.brief.opening for one in run if one.brief).values()) == {domains}
    for forms in ([one.brief.question for one in run if one.brief], [one.brief.cue for one in run if one.brief]):
        if forms[0] is not None:
            assert set(Counter(forms).values()) == {domains}


@pytest.mark.parametrize("share", [0.0, 0.35, 1.0])
def test_the_share_of_themes_is_met(planning: PlanningSettings, share: float) -> None:
    source = DrawnOutlines(3, planning.model_copy(update={"theme_share": share}))
    outlines = [source.draw(Task.EMPATHY, Language.ZH, 4, ordinal) for ordinal in range(400)]
    themes = Counter(one.brief.theme for one in outlines if one.brief and one.brief.theme)
    assert sum(themes.values()) == round(400 * share)
    assert max(themes.values(), default=0) - min(themes.values(), default=0) <= 1


def test_only_the_domains_asked_for_are_used(planning: PlanningSettings) -> None:
    some = planning.model_copy(update={"domains": ("law", "cars")})
    source = DrawnOutlines(3, some)
    assert {source.draw(Task.PAUSE, Language.ZH, 1, ordinal).domain for ordinal in range(4)} == {"law", "cars"}
    wrong = DrawnOutlines(3, planning.model_copy(update={"domains": ("carz",)}))
    with pytest.raises(RecordError, match=r"planning\.domains: 'carz' .* choose from art, cars"):
        wrong.draw(Task.PAUSE, Language.ZH, 1, 0)


def test_a_catalogue_is_found_beside_the_configuration(planning: PlanningSettings) -> None:
    directory = Path(str(planning.catalogue))
    beside = DrawnOutlines(7, PlanningSettings(catalogue=directory.name), base_dir=directory.parent)
    assert "law" in beside.catalogue(Language.ZH).domains


def test_all_twenty_fine_emotions_come_up_and_some_turns_have_none(source: DrawnOutlines) -> None:
    steps = [
        step for ordinal in range(600) for step in source.draw(Task.TRAJECTORY, Language.ZH, 5, ordinal).emotions[:-1]
    ]
    assert {step.fine_emotion for step in steps} == {None, *DEEPDIALOGUE}
    assert 0.2 < sum(step.fine_emotion is None for step in steps) / len(steps) < 0.35


def test_transitions_are_varied(source: DrawnOutlines) -> None:
    seen = {
        change
        for ordinal in range(600)
        for change in pairwise(
            step.emotion for step in source.draw(Task.REASONING, Language.EN, 5, ordinal).emotions[:-1]
        )
    }
    assert len(seen) == len(Emotion) ** 2


@pytest.mark.statistics
@pytest.mark.parametrize("language", Language)
def test_ten_thousand_outlines_of_one_place_all_differ(language: Language) -> None:
    """With the shipped catalogue; the three that carry a story are counted without the rest."""
    source = DrawnOutlines(20260, PlanningSettings())
    outlines = [source.draw(Task.TRAJECTORY, language, 3, ordinal) for ordinal in range(10_000)]
    assert len({one.to_json_line() for one in outlines}) == len(outlines)
    stories = Counter((one.brief.persona.name, one.brief.setting, one.brief.events) for one in outlines if one.brief)
    assert sum(count - 1 for count in stories.values()) <= 20


def test_an_outline_reads_well(source: DrawnOutlines) -> None:
    outline = source.draw(Task.REASONING, Language.ZH, 3, 4)
    text = describe(outline)
    assert outline.brief is not None
    assert text.startswith("reasoning, zh, 3 turns\n")
    for part in (outline.brief.persona.name, *outline.brief.events, outline.root_cause, outline.brief.question):
        assert part is not None and part in text
    assert max(map(len, text.splitlines())) < 160
    duplex = describe(source.draw(Task.PAUSE, Language.EN, 1, 0))
    assert duplex.startswith("pause, en, 1 turn\n") and "pause cue" in duplex
    plain = describe(scripts(1)[0].outline())
    assert "turn 1" in plain
    voices = [describe(source.draw(Task.RECOGNITION, Language.ZH, 1, ordinal)) for ordinal in range(20)]
    assert sum("words say" in voice for voice in voices) == 4


@given(
    turns=st.sampled_from(TURNS_OF_TASK[Task.CONVERSATION]),
    seed=SEEDS,
    ordinal=ORDINALS,
    shares=st.tuples(*[st.floats(0.0, 1.0)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_drawn_lines_are_a_conversation(
    turns: int, seed: int, ordinal: int, shares: tuple[float, float, float]
) -> None:
    names = ("barge_in_share", "user_backchannel_share", "assistant_backchannel_share")
    planning = PlanningSettings.model_validate(dict(zip(names, shares, strict=True)))
    lines = draw_lines(turns, planning, Walks(seed), "conversation", ordinal)
    check_conversation(lines)
    assert conversation_turns(lines) == turns
    guests = Counter(host for host in hosts(lines) if host is not None)
    assert all(guests[host] <= 2 for host in guests), "at most two lines fall into one"
    for number, line in enumerate(lines, start=1):
        if line == PlannedLine(role=Role.ASSISTANT, part=Part.BACKCHANNEL):
            assert lines[number - 2].part is Part.QUERY
    if shares[0] == 0.0:
        assert all(line.part is not Part.INTERRUPTION for line in lines)
    if shares[0] == 1.0:
        assert sum(line.part is Part.QUERY for line in lines) == 1


@pytest.mark.parametrize("language", Language)
def test_a_drawn_conversation_has_its_lines(
    source: DrawnOutlines, planning: PlanningSettings, language: Language
) -> None:
    for turns in TURNS_OF_TASK[Task.CONVERSATION]:
        for ordinal in range(5):
            outline = source.draw(Task.CONVERSATION, language, turns, ordinal)
            expected = draw_lines(turns, planning, Walks(7), f"conversation/{language}/{turns}", ordinal)
            assert outline.lines == expected
            assert outline.brief is not None
            assert outline.brief.cue is not None
            assert describe(outline).count("line ") >= len(expected)


@pytest.mark.parametrize("turns", TURNS_OF_TASK[Task.CONVERSATION])
def test_the_shares_of_a_conversation_are_met(turns: int) -> None:
    shares = PlanningSettings(barge_in_share=0.3, user_backchannel_share=0.65, assistant_backchannel_share=0.15)
    walks = Walks(3)
    outlines = [draw_lines(turns, shares, walks, "conversation", ordinal) for ordinal in range(1000)]
    assert all(lines[0].part is Part.QUERY for lines in outlines)
    parts = Counter((line.role, line.part) for lines in outlines for line in lines)
    assert parts[Role.USER, Part.INTERRUPTION] == round(0.3 * 1000 * (turns - 1))
    assert parts[Role.ASSISTANT, Part.REPLY] == 1000 * turns
    into = [
        (line.role, lines[host - 1].part, host, ordinal)
        for ordinal, lines in enumerate(outlines)
        for line, host in zip(lines, hosts(lines), strict=True)
        if line.part is Part.BACKCHANNEL and host is not None
    ]
    agreed = {(ordinal, host) for role, _, host, ordinal in into if role is Role.USER}
    assert len(agreed) == 650 * turns
    heard = [place for role, part, *place in into if role is Role.ASSISTANT and part is Part.QUERY]
    queries = parts[Role.USER, Part.QUERY]
    assert len(heard) == pytest.approx(0.15 * queries, rel=0.15)
    assert len(set(outlines)) > turns, "the orders of lines vary"


def test_a_conversation_has_two_to_six_turns(source: DrawnOutlines) -> None:
    for turns in (1, 7):
        with pytest.raises(ValueError, match="turns of the user"):
            source.draw(Task.CONVERSATION, Language.ZH, turns, 0)


@pytest.mark.parametrize("field", ["barge_in_share", "user_backchannel_share", "assistant_backchannel_share"])
@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_lie_between_none_and_all(field: str, share: float) -> None:
    with pytest.raises(ValidationError, match=field):
        PlanningSettings.model_validate({field: share})


def test_conversations_are_planned_from_the_pack() -> None:
    spec = QuotaSpec(task=Task.CONVERSATION, languages=tuple(Language), splits=(Split.TRAIN,), turns=(2, 3, 4), count=2)
    pack = load_packs(ScriptSettings(), Path.cwd())
    plans = plan_items(expand((spec,)), ScriptOutlines(pack, 5), cast(), 5, round=0, first_index={})
    assert Counter((plan.language, plan.cell.turns) for plan in plans) == {
        (language, turns): 2 for language in Language for turns in (2, 3, 4)
    }
    assert len({plan.id for plan in plans}) == len(plans)
    assert all(conversation_turns(plan.outline.lines) == plan.cell.turns for plan in plans)
