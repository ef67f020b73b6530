"""Ids beyond four digits: the consumers' patterns hold, nothing comes twice, today's bytes stay."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.item_code import MAX_INDEX, SESSION_STEP, index_text, item_code, parse_item_code
from data_schemas.layouts.track1_rows import DIALOGUE_ID
from data_schemas.layouts.track2 import SCENE_ID
from data_schemas.tasks import Language
from tests.support.scene_factory import make_plan
from tests.support.script_factory import make_trajectory
from validators.rows.track1 import LONG_ID
from validators.rows.track2 import SAMPLE_ID
from validators.sets.dataset import _GROUP

SPEAKERS = st.integers(1, SESSION_STEP - 1)
INDICES = st.integers(1, MAX_INDEX)


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_the_first_session_is_numbered_as_it_always_was(speaker: int, index: int) -> None:
    assert item_code(speaker, index) == f"{speaker:04d}_{index:04d}"
    assert index_text(index) == f"{index:04d}"


@given(SPEAKERS, INDICES)
def test_codes_parse_back_and_keep_the_consumers_patterns(speaker: int, index: int) -> None:
    code = item_code(speaker, index)
    assert parse_item_code(code) == (speaker, index)
    for pattern in (SCENE_ID, SAMPLE_ID):
        assert pattern.fullmatch(code)
    for pattern in (DIALOGUE_ID, LONG_ID):
        assert pattern.fullmatch(f"task2_3_zh_{code}")


@given(SPEAKERS, SPEAKERS, INDICES, INDICES)
def test_no_two_items_share_a_code_and_no_two_speakers_a_group(one: int, other: int, first: int, second: int) -> None:
    """A group is one speaker's, so that none is in two splits."""
    codes = item_code(one, first), item_code(other, second)
    assert (codes[0] == codes[1]) == ((one, first) == (other, second))
    groups = [_GROUP.search(code) for code in codes]
    assert groups[0] is not None and groups[1] is not None
    if groups[0][1] == groups[1][1]:
        assert one == other


@given(SPEAKERS, INDICES, INDICES)
def test_text_order_is_the_order_of_indices(speaker: int, first: int, second: int) -> None:
    assert (index_text(first) < index_text(second)) == (first < second)
    assert (item_code(speaker, first) < item_code(speaker, second)) == (first < second)


def test_there_is_room_for_ten_times_the_challenge() -> None:
    assert MAX_INDEX >= 10 * 19_198


@pytest.mark.parametrize("speaker", [SESSION_STEP, 9999])
def test_a_speaker_whose_number_is_a_session_of_another_is_refused(speaker: int) -> None:
    assert item_code(speaker, 9999)
    with pytest.raises(ValueError, match=f"below {SESSION_STEP}"):
        item_code(speaker, 10_000)


def test_plans_carry_them() -> None:
    plan = make_plan(make_trajectory("zh-trajectory-3-01", Language.ZH), index=123_456)
    assert plan.item_code == "6001_3456" and re.fullmatch(r"\d{4}_\d{4}", plan.item_code)
