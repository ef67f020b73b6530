"""Tar shards: limits, groups, names, and members that say nothing of when and by whom."""

import tarfile
from pathlib import Path

import pytest

from flows.exports.writing.tar_shards import TarShards, write_shard_lists


def members(key: str, size: int = 1) -> list[tuple[str, bytes]]:
    return [(f"{key}.txt", "中".encode()), (f"{key}.wav", b"x" * size)]


def test_a_shard_is_closed_at_its_limit_and_between_groups(tmp_path: Path) -> None:
    with TarShards(tmp_path, "{group}-{index:06d}.tar", max_entries=2) as shards:
        for number, group in enumerate(["train"] * 3 + ["dev"] + ["train"]):
            shards.add(group, members(f"k{number}"))
    assert shards.written == [
        ("train", "train-000000.tar"),
        ("train", "train-000001.tar"),
        ("dev", "dev-000000.tar"),
        ("train", "train-000002.tar"),
    ]
    with tarfile.open(tmp_path / "train-000000.tar") as tar:
        assert tar.getnames() == ["k0.txt", "k0.wav", "k1.txt", "k1.wav"]


def test_a_thousand_and_one_entries_need_two_shards(tmp_path: Path) -> None:
    with TarShards(tmp_path / "shards", "shards_{total:09d}.tar", max_entries=1000) as shards:
        for number in range(1001):
            shards.add("train", members(f"k{number}"))
    counts = []
    for _, name in shards.written:
        with tarfile.open(tmp_path / "shards" / name) as tar:
            counts.append(len(tar.getnames()) // 2)
    assert counts == [1000, 1]
    write_shard_lists(tmp_path, "shards", shards.written)
    expected = "shards/shards_000000000.tar\nshards/shards_000000001.tar\n"
    for name in ("shards_list.txt", "shards_list_train.txt"):
        assert (tmp_path / name).read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(("size", "shards_needed"), [(10, 2), (60, 4), (500, 4)])
def test_bytes_are_limited_but_an_entry_is_never_split(tmp_path: Path, size: int, shards_needed: int) -> None:
    with TarShards(tmp_path, "{total}.tar", max_entries=2, max_bytes=100) as shards:
        for number in range(4):
            shards.add("dev", members(f"k{number}", size))
    assert len(shards.written) == shards_needed


def test_members_carry_no_time_and_no_owner(tmp_path: Path) -> None:
    with TarShards(tmp_path, "{total}.tar", max_entries=9) as shards:
        shards.add("dev", members("k"))
    with tarfile.open(tmp_path / "0.tar") as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
            assert member.mode == 0o644
            assert member.isreg()


def test_nothing_added_makes_no_shard_and_an_empty_list(tmp_path: Path) -> None:
    with TarShards(tmp_path / "shards", "{total}.tar", max_entries=9) as shards:
        pass
    write_shard_lists(tmp_path, "shards", shards.written)
    assert (tmp_path / "shards_list.txt").read_text(encoding="utf-8") == ""
    assert not (tmp_path / "shards").exists()
