"""Folders are whole or absent, whoever else wants the place and wherever the work was stopped."""

from __future__ import annotations

import errno
import multiprocessing
import shutil
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from flows.cli.guard import status_of
from flows.common import staging
from flows.common.errors import EXIT_USAGE, HumdialError, ResourceError, TargetError
from flows.common.staging import PARTIAL_MARK, Place, discard, fresh_folder, held, move_to, staged

RACERS, ROUNDS, FILES = 4, 5, 50


def place(target: Path, *renewed: str) -> Place:
    return Place(target, "export", "-o DIR", proof="完.json", renewed=renewed)


def visible(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".lock")


def test_it_appears_whole_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "深" / "出口"
    with staged(place(target)) as folder:
        assert visible(folder) == [PARTIAL_MARK] and not target.exists()
        (folder / "完.json").write_text("{}", encoding="utf-8")
    assert visible(target) == ["完.json"] and visible(target.parent) == ["出口"]


def test_an_empty_target_is_as_good_as_none_and_the_current_folder_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "出口").mkdir()
    with staged(place(tmp_path / "出口")) as folder:
        (folder / "a").touch()
    assert visible(tmp_path / "出口") == ["a"]
    (tmp_path / "空").mkdir()
    monkeypatch.chdir(tmp_path / "空")
    with staged(place(Path())) as folder:
        assert folder == tmp_path / ".空.partial"
        (folder / "b").touch()
    assert visible(tmp_path / "空") == ["b"]


@pytest.mark.parametrize("error", [RuntimeError("坏"), KeyboardInterrupt()])
def test_after_an_exception_nothing_is_left(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), staged(place(tmp_path / "出口")) as folder:
        (folder / "半").mkdir()
        raise error
    assert visible(tmp_path) == []


def test_what_was_put_at_the_target_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "出口"
    with pytest.raises(TargetError, match=r"was taken while it was made.*-o DIR"), staged(place(target)) as folder:
        (folder / "a").touch()
        target.mkdir()
        (target / "论文.txt").touch()
    assert visible(target) == ["论文.txt"] and visible(tmp_path) == ["出口"]


def _race(target: Path, start: Barrier, told: multiprocessing.SimpleQueue[int]) -> None:
    start.wait()
    try:
        with staged(place(target)) as folder:
            for number in range(FILES):
                (folder / f"{number}.txt").write_text("一样", encoding="utf-8")
    except HumdialError as refused:
        told.put(status_of(refused))
    else:
        told.put(0)


def test_of_all_who_want_a_place_one_gets_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for number in range(ROUNDS):
        start, told = context.Barrier(RACERS), context.SimpleQueue()
        target = tmp_path / str(number)
        racers = [context.Process(target=_race, args=(target, start, told)) for _ in range(RACERS)]
        for racer in racers:
            racer.start()
        statuses = sorted(told.get() for _ in racers)
        for racer in racers:
            racer.join()
        assert statuses == [0, *[EXIT_USAGE] * (RACERS - 1)]
        assert len(visible(target)) == FILES
    assert visible(tmp_path) == [str(number) for number in range(ROUNDS)]


def test_who_comes_while_it_is_made_is_refused(tmp_path: Path) -> None:
    with (
        staged(place(tmp_path / "出口")) as folder,
        pytest.raises(ResourceError, match=r"another process is writing .*出口.*-o DIR"),
        held(place(tmp_path / "出口")),
    ):
        pass
    assert visible(tmp_path) == ["出口"] and not folder.exists()


@pytest.mark.parametrize("left", [(), (PARTIAL_MARK,), (PARTIAL_MARK, "半.txt"), ("半.txt", "完.json")])
def test_what_a_killed_run_left_is_taken_over(tmp_path: Path, left: tuple[str, ...]) -> None:
    (tmp_path / ".出口.partial").mkdir()
    for name in left:
        (tmp_path / ".出口.partial" / name).touch()
    with staged(place(tmp_path / "出口")) as folder:
        assert visible(folder) == [PARTIAL_MARK]


@pytest.mark.parametrize("kind", ["partial", "probe"])
def test_what_is_not_ours_is_not_touched(tmp_path: Path, kind: str) -> None:
    mine = tmp_path / f".出口.{kind}" / "论文.txt"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(TargetError, match="not made by humdial"), staged(place(tmp_path / "出口")):
        pass
    assert mine.exists() and visible(tmp_path) == [f".出口.{kind}"]
    mine.parent.rename(tmp_path / "别处")
    (tmp_path / f".出口.{kind}").symlink_to(tmp_path / "别处")
    with pytest.raises(TargetError, match="not made by humdial"), staged(place(tmp_path / "出口")):
        pass
    assert visible(tmp_path / "别处") == ["论文.txt"]


def test_a_target_that_is_a_file_or_holds_something_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "文件").touch()
    with (
        pytest.raises(TargetError, match=r"is a file; name another place with -o DIR"),
        staged(place(tmp_path / "文件")),
    ):
        pass
    (tmp_path / "满").mkdir()
    (tmp_path / "满" / "论文.txt").touch()
    with pytest.raises(TargetError, match="is not empty"), staged(place(tmp_path / "满")):
        pass
    assert visible(tmp_path) == ["文件", "满"]


def test_files_of_an_earlier_run_are_renewed_beside_what_else_is_there(tmp_path: Path) -> None:
    target = tmp_path / "试音"
    for text in ("旧", "新"):
        with staged(place(target, "a.jsonl", "页.html")) as folder:
            for name in ("a.jsonl", "页.html"):
                (folder / name).write_text(text, encoding="utf-8")
        (target / "笔记.txt").touch()
    assert {(target / name).read_text(encoding="utf-8") for name in ("a.jsonl", "页.html")} == {"新"}
    assert visible(target) == ["a.jsonl", "笔记.txt", "页.html"] and visible(tmp_path) == ["试音"]
    (target / "a.jsonl").unlink()
    with pytest.raises(TargetError, match="is not empty"), staged(place(target, "a.jsonl", "页.html")):
        pass


def test_killed_while_it_is_removed_it_is_still_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fresh_folder(tmp_path / "草稿")
    for name in ("一", "二"):
        (folder / name).mkdir()
    removed = []

    def killed(path: Path) -> None:
        removed.append(path)
        if len(removed) == 2:
            raise KeyboardInterrupt
        shutil_rmtree(path)

    shutil_rmtree = shutil.rmtree
    monkeypatch.setattr(staging.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        discard(folder)
    assert PARTIAL_MARK in visible(folder)
    monkeypatch.undo()
    discard(folder)
    assert not folder.exists()


def test_a_rename_that_fails_leaves_the_target_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: Path, target: Path) -> None:
        if (folder / "a").exists():
            raise OSError(errno.EIO, "Input/output error")
        move_to(folder, target)

    monkeypatch.setattr(staging, "move_to", refused)
    with pytest.raises(TargetError, match="Input/output error"), staged(place(tmp_path / "出口")) as folder:
        (folder / "a").touch()
    assert visible(tmp_path) == []
