"""Rehearsal scripts: any number of them, the same for ever, in keeping with the rules."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.emotions import NAMES, Emotion
from data_schemas.plan import QuotaCell
from data_schemas.script import REHEARSAL_WRITER, Script
from data_schemas.tasks import TURNS_OF_TASK, Language, Split, Task
from generators.plans.planner import plan_items
from generators.plans.quotas import SPLITS_OF_TASK, QuotaImpossible
from generators.scripts.rehearsal.frames import Spread, slots_of
from generators.scripts.rehearsal.source import MAX_SCRIPTS, RehearsalSource
from generators.scripts.rehearsal.wording import TOLD, wording
from generators.scripts.writer import ScriptError
from tests.generators.plans.test_plans import cast
from validators.core.thresholds import Thresholds
from validators.text.diversity import DiversityMeter, judge_collapse
from validators.text.near_duplicates import NEAR_FROM, NearDuplicates
from validators.text.rules import judge_scripts
from validators.text.texts import units

CELLS = [
    QuotaCell(task=task, language=language, turns=turns, split=split)
    for task in Task
    for language in Language
    for turns in TURNS_OF_TASK.get(task, (1,))
    for split in sorted(SPLITS_OF_TASK.get(task, frozenset(Split)))
]
SEEDS = st.integers(0, 2**31 - 1)
NUMBERS = st.integers(1, MAX_SCRIPTS)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CELLS), SEEDS, NUMBERS)
def test_any_script_keeps_the_rules(cell: QuotaCell, seed: int, number: int) -> None:
    script = RehearsalSource(seed).script(cell, number)
    assert judge_scripts((script,), Thresholds()) == ()
    assert script.provenance.is_rehearsal and script.provenance.writer == REHEARSAL_WRITER
    assert script.outline().turns == cell.turns


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CELLS), SEEDS, NUMBERS)
def test_a_script_is_a_function_of_seed_cell_and_number(cell: QuotaCell, seed: int, number: int) -> None:
    """Whatever was made before, in whichever order."""
    source = RehearsalSource(seed)
    source.script(CELLS[0], number)
    source.take(cell, 3)
    assert source.script(cell, number) == RehearsalSource(seed).script(cell, number)
    assert source.outline(cell, number) == source.script(cell, number).outline()


def test_a_set_has_no_two_alike() -> None:
    """Some hundreds of both splits and all tasks, by the judges that a release has to pass."""
    source, thresholds = RehearsalSource(20261121), Thresholds()
    near, meter = NearDuplicates(thresholds), DiversityMeter()
    scripts = [source.script(cell, number) for cell in CELLS for number in range(1, 13)]
    found = [*judge_scripts(scripts, thresholds)]
    for script in scripts:
        found += near.judge(script)
        near.add(script)
        meter.add(script)
    assert [*found, *judge_collapse(meter.report(), thresholds)] == []


def test_a_larger_quota_changes_no_script_here_or_elsewhere() -> None:
    small, large = RehearsalSource(1), RehearsalSource(1)
    train, dev = (QuotaCell(task=Task.TRAJECTORY, language=Language.ZH, turns=3, split=split) for split in Split)
    before = small.take(train, 2) + small.take(dev, 2)
    more = large.take(train, 5)
    after = more[:2] + large.take(dev, 2)
    assert before == after
    assert large.take(train, 1)[0] not in more, "a top-up gets others"


@pytest.mark.parametrize("language", Language)
def test_the_writer_gives_what_the_plan_was_made_from(language: Language) -> None:
    quota = tuple((cell, 1) for cell in CELLS if cell.language is language)
    source = RehearsalSource(3)
    plans = plan_items(quota, source, cast(), 3, round=0, first_index={})
    for plan in plans:
        assert RehearsalSource(3).write(plan).outline() == plan.outline
    foreign = plans[0].outline.model_copy(update={"script_id": "zh-别人的"})
    with pytest.raises(ScriptError, match="no rehearsal script"):
        source.write(plans[0].model_copy(update={"outline": foreign}))
    with pytest.raises(ScriptError, match="differs"):
        RehearsalSource(4).write(plans[0])


def test_ids_end_at_six_digits() -> None:
    source = RehearsalSource(1)
    cell = CELLS[0]
    with pytest.raises(QuotaImpossible, match="six digits"):
        source.take(cell, MAX_SCRIPTS + 1)


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 300), st.integers(-1000, 1000))
def test_every_lap_has_every_number_once(seed: int, size: int, lap: int) -> None:
    spread = Spread(seed)
    numbers = [spread.number("名字", size, lap * size + place) for place in range(size)]
    assert sorted(numbers) == list(range(size))


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(-5000, 5000))
def test_frames_and_words_come_back_only_after_all_combinations(seed: int, first: int) -> None:
    frames = ("{person}在{place}", "{place}有{thing}", "{person}说{thing}")
    words = {"person": ("甲", "乙", "丙"), "place": ("东", "西", "南", "北"), "thing": ("茶", "伞", "书", "灯", "笔")}
    spread = Spread(seed)
    count = len(frames) * 3 * 4  # the fewest combinations of a frame, for each of them
    filled = [spread.fill("句子", frames, words, first + step) for step in range(count)]
    said = Counter(frames[one.frame].format(**one.words) for one in filled)
    assert max(said.values()) <= 2, "a lap may begin in the middle"
    assert set(Counter(one.frame for one in filled).values()) == {count // len(frames)} or first % len(frames)


def _frames(language: Language) -> Iterator[str]:
    raw = wording(language).model_dump(exclude={"words", "forms"})

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for one in value.values():
                yield from walk(one)
        elif isinstance(value, tuple):
            for one in value:
                yield from walk(one)

    yield from walk(raw)


@pytest.mark.parametrize("language", Language)
def test_the_wording_is_whole(language: Language) -> None:
    """Every slot is filled, and what is told back names no emotion: the last reply names them one by one."""
    own = wording(language)
    given_slots = {"topic", "told", "feel", "cause", "item"}
    for frame in _frames(language):
        assert {*slots_of(frame)} <= own.words.keys() | given_slots, frame
    names = re.compile("|".join(name for emotion in Emotion for name in NAMES[language][emotion]), re.IGNORECASE)
    told = [event.split(TOLD)[1] for events in own.emotional.events.values() for event in events]
    said_last = (*told, *own.emotional.question_replies, *own.emotional.closings, *own.emotional.behind)
    asked = (*own.emotional.question_leads, *(one for forms in own.emotional.questions.values() for one in forms))
    for text in (*said_last, *asked, *own.words["person"], *own.words["thing"], *own.words["place"]):
        assert not names.search(text), text
    for name, words in own.words.items():
        assert len(set(words)) == len(words), name


@pytest.mark.parametrize("language", Language)
def test_interruptions_and_asides_are_too_short_to_be_alike(language: Language) -> None:
    """Two of one frame share most of their words; what is shorter than `NEAR_FROM` is only compared as a whole."""
    own = wording(language)
    longest = {slot: max(len(units(word, language)) for word in words) for slot, words in own.words.items()}
    for frame in (*own.duplex.second_queries, *(one for frames in own.duplex.events.values() for one in frames)):
        bare = len(units(re.sub(r"{\w+}", " ", frame), language))
        slots = re.findall(r"{(\w+)}", frame)
        assert bare + sum(longest[slot] for slot in slots) < NEAR_FROM[language], frame
        assert math.prod(len(own.words[slot]) for slot in slots_of(frame)) >= 1000, frame


def test_the_shipped_configuration_has_the_quotas_of_the_challenge() -> None:
    quotas = [
        yaml.safe_load(Path(f"configs/{name}.yaml").read_text(encoding="utf-8"))["quotas"]
        for name in ("humdial2026", "rehearsal")
    ]
    assert quotas[0] == quotas[1]


def test_a_script_survives_its_file() -> None:
    script = RehearsalSource(1).script(CELLS[0], 1)
    assert Script.from_json_line(script.to_json_line()) == script
