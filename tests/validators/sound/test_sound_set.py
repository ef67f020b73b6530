"""Nothing wrong is found where nothing is wrong, whatever the number of workers."""

from __future__ import annotations

from pathlib import Path

from flows.common.workers import WorkerPool
from validators.core.thresholds import Thresholds
from validators.run.directory import validate_root


def test_the_sound_set_has_no_findings_at_all(sound_root: Path) -> None:
    result = validate_root(sound_root, Thresholds())
    assert result.items == 6
    assert result.findings == ()
    assert result.ok


def test_progress_counts_every_item(sound_root: Path) -> None:
    seen: list[tuple[int, int]] = []
    validate_root(sound_root, Thresholds(), report=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 6) for n in range(1, 7)]


def test_two_workers_say_the_same(sound_root: Path) -> None:
    strict = Thresholds(min_loudness_lufs=-13.0, max_loudness_lufs=-12.0)  # every file is wrong now
    one = validate_root(sound_root, strict)
    with WorkerPool(2) as pool:
        two = validate_root(sound_root, strict, executor=pool, workers=pool.workers)
    assert one.findings
    assert one == two
