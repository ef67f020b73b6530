"""What progress looks like on a pipe and on a terminal."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from flows.common.progress import PLAIN_INTERVAL_SECONDS, PlainReporter, progress_display
from tests.flows.common.test_pace import Clock


def test_plain_lines_come_first_last_and_not_too_often_for_each_stage() -> None:
    out, clock = io.StringIO(), Clock()
    reporter = PlainReporter(Console(file=out, width=200), clock)
    reporter.expect("speak", 1000)
    reporter.expect("judge", 1000)
    for number in range(1000):
        clock.now += 0.1
        reporter.advance("speak")
        reporter.advance("judge")
        if number == 500:
            reporter.note("top-up round 1: 2 items to replace")
    lines = out.getvalue().splitlines()
    for stage in ("speak", "judge"):
        own = [line for line in lines if line.startswith(stage)]
        assert own[0] == f"{stage}: 0/1000" and own[-1] == f"{stage}: 1000/1000"
        assert len(own) <= 2 + 100 / PLAIN_INTERVAL_SECONDS
        assert re.fullmatch(rf"{stage}: \d+/1000, \d+ items a minute, about .* left", own[len(own) // 2])
    assert "top-up round 1: 2 items to replace" in lines


def test_no_line_says_more_than_there_is_whoever_tells_it() -> None:
    out = io.StringIO()
    reporter = PlainReporter(Console(file=out, width=200), Clock())
    reporter.expect("judge", 100)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: reporter.advance("judge"), range(150)))
    counts = [tuple(map(int, found)) for found in re.findall(r"judge: (\d+)/(\d+)", out.getvalue())]
    assert counts[-1] == (100, 100) and all(done <= total for done, total in counts)


def test_a_terminal_gets_bars_with_the_time_left() -> None:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True)
    with progress_display(console) as reporter:
        reporter.expect("speak", 3)
        reporter.found("speak", 2)
        reporter.note("上次做好的还在")
        reporter.advance("speak")
    assert "speak" in out.getvalue() and "3/3" in out.getvalue() and "上次做好的还在" in out.getvalue()
