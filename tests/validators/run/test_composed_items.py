"""What the composer, the mixer and the layout make passes the judges: every sub-task and conversations, zh and en."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.finding import Severity
from data_schemas.tasks import SUB_TASKS, Language, Task
from tests.support.conversation_factory import USUAL, make_conversation
from tests.support.scene_factory import make_script
from tests.validators.composed import found_item, lay_out, make_item
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.rows.events import judge_row
from validators.run.directory import validate_root

JUDGE = Judge("test/1", "0001_0001")


@pytest.mark.parametrize("language", list(Language))
def test_composed_items_have_no_errors(tmp_path: Path, language: Language) -> None:
    items = [make_item(make_script(task, language), seed) for seed, task in enumerate(SUB_TASKS)]
    items += [make_item(make_conversation(language), seed) for seed in range(4)]
    lay_out(tmp_path / "set", *items)
    result = validate_root(tmp_path / "set", Thresholds())
    assert result.items == len(items)
    assert [finding for finding in result.findings if finding.severity is Severity.ERROR] == []
    assert set(result.counts[Severity.WARNING]) <= {"T2.EVENT_GAP", "SET.DUPLICATE_TEXT"}


@given(st.sampled_from(SUB_TASKS), st.sampled_from(list(Language)), st.integers(0, 9_000))
@settings(max_examples=60, deadline=None)
def test_rows_of_sub_tasks_agree_with_themselves(task: Task, language: Language, seed: int) -> None:
    found = found_item(make_item(make_script(task, language), seed))
    assert found.row["events"] or task is Task.PAUSE
    assert list(judge_row(JUDGE, found, Thresholds())) == []


@given(
    st.sampled_from([USUAL, "qrqr", "qllrbbqrir", "qriririririr", "qrqlrb"]),
    st.sampled_from(list(Language)),
    st.integers(0, 9_000),
)
@settings(max_examples=60, deadline=None)
def test_rows_of_conversations_agree_with_themselves(lines: str, language: Language, seed: int) -> None:
    found = found_item(make_item(make_conversation(language, lines), seed))
    assert list(judge_row(JUDGE, found, Thresholds())) == []
