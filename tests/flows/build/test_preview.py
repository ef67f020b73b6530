"""Which items a preview makes, and what it says of the whole."""

from __future__ import annotations

from itertools import pairwise

import pytest

from data_schemas.plan import QuotaCell
from data_schemas.tasks import Language, Split, Task, Track
from flows.build.preview import PreviewItem, build_seconds, spread
from flows.prepare.estimate import FIXED_SECONDS


def cell(task: Task, language: Language, split: Split = Split.TRAIN, turns: int = 1) -> QuotaCell:
    return QuotaCell(task=task, language=language, split=split, turns=turns)


CELLS = [
    cell(task, language, split)
    for task in (Task.RECOGNITION, Task.TRAJECTORY, Task.PAUSE, Task.BACKCHANNEL)
    for language in Language
    for split in Split
    for _ in range(20)
]


def test_items_are_spread_over_tracks_languages_and_tasks() -> None:
    three = spread(CELLS, 3, lambda one: one)
    assert {one.task.track for one in three} == set(Track) and {one.language for one in three} == set(Language)
    eight = spread(CELLS, 8, lambda one: one)
    assert len({(one.task, one.language) for one in eight}) == 8
    assert {one.split for one in eight} == set(Split)
    for few, more in pairwise(spread(CELLS, count, lambda one: one) for count in range(1, 9)):
        assert more[: len(few)] == few  # asking for more adds to what was heard


def test_nobody_gets_more_than_there_is() -> None:
    assert len(spread(CELLS[:2], 5, lambda one: one)) == 2
    assert spread([], 3, lambda one: one) == ()


def item(track: Track, seconds: dict[str, float], speech_seconds: float) -> PreviewItem:
    return PreviewItem(
        plan_id="zh-pause-1-dev-0001",
        key="键",
        task="pause",
        track=track,
        language=Language.ZH,
        split="dev",
        lines=("user: 你好",),
        audio=(),
        audio_seconds=20.0,
        accepted=True,
        findings=(),
        seconds=seconds,
        speech_seconds=speech_seconds,
    )


def test_each_track_of_the_build_goes_at_the_pace_of_its_own_items() -> None:
    items = (
        item(Track.EMOTION, {"speak": 8.0, "judge": 2.0}, 10.0),  # as long as it sounds
        item(Track.DUPLEX, {"speak": 10.0, "compose": 1.0, "judge": 9.0}, 10.0),  # twice that
    )
    speech = {Track.EMOTION: 3600.0, Track.DUPLEX: 1800.0}
    assert build_seconds(items, speech, 2) == pytest.approx(FIXED_SECONDS + (3600.0 + 2 * 1800.0) / 2)
    assert build_seconds(items[:1], speech, 2) == pytest.approx(FIXED_SECONDS + 5400.0 / 2)


def test_what_was_there_already_gives_no_pace() -> None:
    assert build_seconds((item(Track.EMOTION, {}, 10.0),), {Track.EMOTION: 3600.0}, 2) is None
