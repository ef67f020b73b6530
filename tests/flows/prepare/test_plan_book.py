"""Plans on disk: read back in groups, in order, whatever the size of a group."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.prepare.plan_book import PlanBook
from flows.prepare.resolve import prepare, resolve
from flows.shards.job import PlannedItem
from tests.support.builds import draft_config


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[PlannedItem]:
    folder = tmp_path_factory.mktemp("plans")
    config = load_config(draft_config(folder))
    prepared = prepare(config, folder, resolve(config), SilentReporter())
    return [PlannedItem(plan=plan, words=prepared.writer.write(plan)) for plan in prepared.plans]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_groups_hold_every_plan_once_in_order(tmp_path: Path, items: list[PlannedItem], size: int) -> None:
    with PlanBook(tmp_path / "plans.jsonl") as book:
        for item in items[:4]:
            book.add(item)
        first = list(book.groups(0, size))
        for item in items[4:]:
            book.add(item)
        more = list(book.groups(4, size))
        assert len(book) == len(items)
    assert all(1 <= len(group) <= size for group in (*first, *more))
    assert [item for group in (*first, *more) for item in group] == items


def test_nothing_lies_behind_the_last(tmp_path: Path) -> None:
    with PlanBook(tmp_path / "plans.jsonl") as book:
        assert book.read(0, 8) == ()
        assert list(book.groups(0, 8)) == []
