"""The phases of a build, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.build import phases
from flows.common.progress import SilentReporter
from flows.common.workers import SerialExecutor
from tests.support.builds import draft_config

QUOTAS: list[dict[str, Any]] = [
    {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 1}
]


def test_killed_once_there_is_a_release_it_has_swept_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run only says that the release is there."""
    work = tmp_path / "work"
    left = [
        work / "scenes" / "ab" / "abcd.making.1.0f" / "staged" / "turn-1.wav",
        work / "shards" / "abcd.0f" / "items.parquet",
        work / "store" / "ab" / ".语音.wav.999999999-0123456789abcdef.partial",
    ]
    for path in left:
        path.parent.mkdir(parents=True)
        path.touch()
    finish = phases.finish

    def killed_after_it(*arguments: Any) -> Any:
        finish(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(phases, "finish", killed_after_it)
    monkeypatch.setattr(phases, "WorkerPool", lambda workers: SerialExecutor())
    config = draft_config(tmp_path, quotas=QUOTAS)
    with pytest.raises(KeyboardInterrupt):
        phases.build_release(config, (), SilentReporter())
    assert (tmp_path / "release" / "dataset.lock.json").exists()
    assert not [path for path in left if path.exists()]
    there = phases.build_release(config, (), SilentReporter())
    assert isinstance(there, phases.Published)
