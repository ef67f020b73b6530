"""The places of a build: one build each, and known to be fit before the work starts."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from flows.common.errors import ResourceError, TargetError
from flows.config.work_dir import work_lock
from flows.release.stage import PARTIAL_MARK, fresh_staging, release_place
from validators.files.lock import LOCK_FILE


def visible(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".lock")


def test_two_builds_with_one_release_are_told_apart(tmp_path: Path) -> None:
    target = tmp_path / "发布"
    with release_place(target), pytest.raises(ResourceError, match="--set release=DIR"), release_place(target):
        pass
    with release_place(target):
        pass


def test_two_builds_with_one_work_folder_hear_of_the_release_too(tmp_path: Path) -> None:
    work = tmp_path / "工作"
    with work_lock(work), pytest.raises(ResourceError, match="--set work=DIR --set release=DIR"), work_lock(work):
        pass


@pytest.mark.parametrize("existed", [True, False])
def test_a_place_that_was_tried_is_as_it_was(tmp_path: Path, existed: bool) -> None:
    target = tmp_path / "out" / "发布"
    if existed:
        target.mkdir(parents=True)
    with release_place(target):
        assert target.exists() is existed
        assert visible(target.parent) == (["发布"] if existed else [])


def test_a_mount_point_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "发布"
    target.mkdir()

    def busy(self: Path) -> None:
        if self == target:
            raise OSError(errno.EBUSY, "Device or resource busy", str(self))
        remove(self)

    remove = Path.rmdir
    monkeypatch.setattr(Path, "rmdir", busy)
    with pytest.raises(TargetError, match=r"Device or resource busy.*mount point.*--set release=DIR"):
        release_place(target).__enter__()
    assert visible(tmp_path) == ["发布"]


def test_a_place_nothing_can_be_written_beside_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "文件").touch()
    with pytest.raises(TargetError, match="must be writable"):
        release_place(tmp_path / "文件" / "发布").__enter__()


def test_what_is_in_the_way_of_the_staging_is_said_before_the_work(tmp_path: Path) -> None:
    mine = tmp_path / ".发布.partial" / "论文.txt"
    mine.parent.mkdir()
    mine.write_text("重要", encoding="utf-8")
    with pytest.raises(TargetError, match="not made by humdial"):
        release_place(tmp_path / "发布").__enter__()
    assert mine.read_text(encoding="utf-8") == "重要"


@pytest.mark.parametrize("left", [(), (PARTIAL_MARK,), (PARTIAL_MARK, LOCK_FILE), (LOCK_FILE,)])
def test_a_staging_is_known_again_wherever_its_build_was_stopped(tmp_path: Path, left: tuple[str, ...]) -> None:
    staging = tmp_path / ".发布.partial"
    (staging / "track1" if left else staging).mkdir(parents=True)
    for name in left:
        (staging / name).touch()
    with release_place(tmp_path / "发布"):
        assert fresh_staging(tmp_path / "发布") == staging
    assert visible(staging) == [PARTIAL_MARK]
