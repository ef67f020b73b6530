"""Tar shards written one after another: members of one key together, the same bytes for the same release."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.exports.writing.common import write_text

#: (name in the archive, content)
Member = tuple[str, bytes]

_MODE = 0o644


class TarShards:
    """Shards below a folder. A shard holds entries of one group (a split, a language ...) up to its limits.

    ``template`` names the files: ``{total}`` counts all shards from 0, ``{index}`` those of a ``{group}``.
    ``written`` lists (group, file name) in order.
    """

    def __init__(self, folder: Path, template: str, max_entries: int, max_bytes: int | None = None) -> None:
        self.written: list[tuple[str, str]] = []
        self._folder, self._template = folder, template
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._tar: tarfile.TarFile | None = None
        self._group, self._entries, self._bytes = "", 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def add(self, group: str, members: Sequence[Member]) -> None:
        """Write the members of one entry, side by side, in the order given."""
        size = sum(len(content) for _, content in members)
        tar = self._tar
        if tar is None or group != self._group or self._is_full(size):
            tar = self._open(group)
        for name, content in members:
            tar.addfile(_header(name, len(content)), io.BytesIO(content))
        self._entries += 1
        self._bytes += size

    def _is_full(self, size: int) -> bool:
        return self._entries >= self._max_entries or (
            self._max_bytes is not None and self._entries > 0 and self._bytes + size > self._max_bytes
        )

    def _open(self, group: str) -> tarfile.TarFile:
        self._close()
        index = sum(1 for other, _ in self.written if other == group)
        name = self._template.format(total=len(self.written), group=group, index=index)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tar = tarfile.open(self._folder / name, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115 - closed by _close
        self._group, self._entries, self._bytes = group, 0, 0
        self.written.append((group, name))
        return self._tar

    def _close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None


def _header(name: str, size: int) -> tarfile.TarInfo:
    """No time, no owner: nothing that differs between two runs."""
    header = tarfile.TarInfo(name)
    header.size, header.mode, header.mtime = size, _MODE, 0
    return header


def write_shard_lists(target: Path, folder: str, written: Sequence[tuple[str, str]]) -> None:
    """``shards_list.txt``, one path a line, and ``shards_list_GROUP.txt`` for every group."""
    for name in ("", *dict.fromkeys(group for group, _ in written)):
        lines = [f"{folder}/{file}\n" for group, file in written if name in ("", group)]
        write_text(target / (f"shards_list_{name}.txt" if name else "shards_list.txt"), "".join(lines))
