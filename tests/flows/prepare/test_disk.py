"""Room on the disk: what is asked for, what is already there, and that the dry run says the same."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from flows.common.errors import ResourceError, TargetError
from flows.config.build_config import BuildConfig, load_config
from flows.config.work_dir import check_place
from flows.prepare import disk
from flows.prepare.disk import RESERVE_BYTES, check_disk, disk_needs
from flows.prepare.estimate import Estimate, estimate
from flows.prepare.resolve import resolve
from tests.support.builds import draft_config
from tests.support.cli import invoke

RELEASE_BYTES, WORK_BYTES = 3_000, 500
FIGURES = Estimate(
    dialogues=1,
    turns=1,
    utterances=1,
    speech_seconds=1.0,
    audio_seconds=1.0,
    release_bytes=RELEASE_BYTES,
    work_bytes=WORK_BYTES,
    build_seconds=1.0,
)


class Usage(NamedTuple):
    free: int


@pytest.fixture
def config(tmp_path: Path) -> BuildConfig:
    return load_config(draft_config(tmp_path / "构建"))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the free bytes of every disk."""
    return lambda number: monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(number))


def test_what_is_made_is_asked_for_no_more(config: BuildConfig, free: Callable[[int], None]) -> None:
    """Stopped anywhere, a build that was let start is let start again."""
    start = RELEASE_BYTES + WORK_BYTES + RESERVE_BYTES
    free(start - 1)
    with pytest.raises(ResourceError, match="MB free and the build may need"):
        check_disk(config, FIGURES)
    free(start)
    check_disk(config, FIGURES)
    made = 0
    for name, size in (("store/aa/语音.wav", 400), ("shards/k/staged/user.wav", 2_000), ("store/b.wav", 900)):
        path = config.work_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        os.link(path, path.with_suffix(".link"))
        made += size
        free(start - made)
        check_disk(config, FIGURES)
        assert disk_needs(config, FIGURES)[0].bytes == start - made


def test_a_release_on_another_disk_needs_its_own_room(config: BuildConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(disk_needs(config, FIGURES)) == 1
    config.work_dir.mkdir()
    monkeypatch.setattr(disk, "_device", lambda path: int(path == config.work_dir))
    release = config.release_dir
    assert [need.bytes - RESERVE_BYTES for need in disk_needs(config, FIGURES)] == [3_500, 3_000]
    (release.parent / f".{release.name}.partial").mkdir()
    (release.parent / f".{release.name}.partial" / "user.wav").write_bytes(bytes(1_000))
    assert [need.bytes - RESERVE_BYTES for need in disk_needs(config, FIGURES)] == [3_500, 2_000]


def test_the_dry_run_says_what_the_build_demands(tmp_path: Path, free: Callable[[int], None]) -> None:
    path = draft_config(tmp_path)
    config = load_config(path)
    need = disk_needs(config, estimate(config, resolve(config), tmp_path))[0].bytes
    _, said, _ = invoke("build", str(path), "--dry-run")
    assert f"a build needs {need / 1e6:.0f} MB free at {tmp_path}" in said
    free(need - 1)
    _, _, error = invoke("build", str(path))
    assert isinstance(error, ResourceError)
    assert re.search(rf"may need {need / 1e6:.0f} MB more", str(error))
    assert not config.work_dir.exists()


def test_a_place_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_place("work", tmp_path / "还没有" / "w")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(TargetError, match=r"read-only disk.*--set work=DIR"):
        check_place("work", tmp_path / "还没有" / "w")
