"""Counts, paces and times left, by a clock that the test turns."""

from __future__ import annotations

import pytest

from flows.common.pace import WINDOW_S, Tally, duration


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_time_left_is_what_is_left_at_the_pace_of_late(clock: Clock) -> None:
    tally = Tally(clock)
    tally.expect("speak", 1000)
    for _ in range(100):  # an item a minute
        clock.now += 60
        slow = tally.advance("speak", 1)
    assert slow.items_per_minute == pytest.approx(1.0, rel=0.02)
    for _ in range(400):  # then one every two seconds
        clock.now += 2
        fast = tally.advance("speak", 1)
    assert fast.items_per_minute == pytest.approx(30.0, rel=0.02)
    assert fast.seconds_left == pytest.approx(500 * 2, rel=0.02)


def test_a_pace_falls_while_nothing_is_made(clock: Clock) -> None:
    tally = Tally(clock)
    tally.expect("speak", 100)
    for _ in range(30):
        clock.now += 10
        made = tally.advance("speak", 1)
    clock.now += WINDOW_S
    assert made.items_per_minute is not None
    assert (tally.stages()["speak"].items_per_minute or 0.0) < made.items_per_minute / 2


def test_what_was_there_already_is_done_and_says_nothing_about_the_pace(clock: Clock) -> None:
    tally = Tally(clock)
    tally.expect("speak", 3986)
    clock.now += 8
    found = tally.advance("speak", 3000, found=True)
    assert (found.done, found.items_per_minute, found.pace) == (3000, None, "")
    for _ in range(6):
        clock.now += 10
        made = tally.advance("speak", 1)
    assert made.items_per_minute == pytest.approx(6.0)
    assert str(made) == "speak: 3006/3986, 6 items a minute, about 2 h 43 min left"


def test_more_is_never_done_than_there_is(clock: Clock) -> None:
    tally = Tally(clock)
    tally.expect("judge", 5)
    tally.advance("judge", 4)
    assert tally.advance("judge", 4).done == 5  # a shard that was made again
    assert tally.advance("judge", 1, found=True).done == 5
    grown = tally.expect("judge", 2)  # top-up
    assert (grown.done, grown.total, grown.is_complete) == (5, 7, False)
    taken_back = tally.expect("judge", -4)
    assert (taken_back.done, taken_back.total, taken_back.is_complete) == (3, 3, True)
    assert taken_back.seconds_left == 0.0


@pytest.mark.parametrize(
    ("seconds", "said"), [(59, "59 s"), (60, "1 min"), (90, "1 min 30 s"), (7200, "2 h"), (10_740, "2 h 59 min")]
)
def test_times_are_rounded_as_a_person_would(seconds: float, said: str) -> None:
    assert duration(seconds) == said
