"""Files that are either whole or absent, and that others may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.common.atomic import atomic_file, write_text_atomic


@pytest.fixture(params=[0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int) -> None:
    write_text_atomic(tmp_path / "说明.md", "数据集\n")
    plain = tmp_path / "plain"
    plain.touch()
    mode = stat.S_IMODE((tmp_path / "说明.md").stat().st_mode)
    assert mode == stat.S_IMODE(plain.stat().st_mode) == 0o666 & ~umask


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "锁.json"
    write_text_atomic(file, "旧")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomic(file, "新\ud800")
    assert file.read_text(encoding="utf-8") == "旧"
    assert list(tmp_path.iterdir()) == [file]


def test_two_who_write_one_file_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "脚本.jsonl"
    with atomic_file(file) as one:
        one.write("一\n".encode())
        with atomic_file(file) as two:
            two.write("二\n".encode() * 2)
        assert file.read_text(encoding="utf-8") == "二\n二\n"
        one.write("一\n".encode())
    assert file.read_text(encoding="utf-8") == "一\n一\n"
    assert list(tmp_path.iterdir()) == [file]
