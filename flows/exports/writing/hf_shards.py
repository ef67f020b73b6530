"""``hf``: parquet shards written row group by row group, named as the Hub names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_SMALL_COLUMNS = ["id", "task", "language"]


@dataclass
class ShardWriter:
    """Rows of one split of one config: ``<folder>/<split>-00000-of-00003.parquet``.

    Holds at most ``group_bytes`` of audio; a shard is closed once it has ``shard_bytes``.
    """

    folder: Path
    split: str
    schema: pa.Schema
    group_bytes: int
    shard_bytes: int
    rows: int = 0
    _pending: list[dict[str, Any]] = field(default_factory=list)
    _pending_bytes: int = 0
    _shard_bytes: int = 0
    _writer: pq.ParquetWriter | None = None
    _paths: list[Path] = field(default_factory=list)

    def add(self, row: dict[str, Any], audio_bytes: int) -> None:
        self.rows += 1
        self._pending.append(row)
        self._pending_bytes += audio_bytes
        if self._pending_bytes >= self.group_bytes:
            self._write_group()
        if self._shard_bytes >= self.shard_bytes:
            self._close_shard()

    def finish(self) -> None:
        """Write what is left and give the shards their final names."""
        self._write_group()
        self._close_shard()
        for number, path in enumerate(self._paths):
            path.rename(self.folder / f"{self.split}-{number:05d}-of-{len(self._paths):05d}.parquet")

    def abandon(self) -> None:
        """Let go of the open file after an error."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_group(self) -> None:
        import pyarrow as pa

        if not self._pending:
            return
        table = pa.Table.from_pylist(self._pending, schema=self.schema)
        self._open().write_table(table, row_group_size=len(self._pending))
        self._shard_bytes += self._pending_bytes
        self._pending, self._pending_bytes = [], 0

    def _open(self) -> pq.ParquetWriter:
        import pyarrow.parquet as pq

        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{self.split}-{len(self._paths):05d}.parquet"
            self._paths.append(path)
            # zstd: silent stretches of the two channels nearly vanish
            self._writer = pq.ParquetWriter(
                path, self.schema, compression="zstd", use_dictionary=False, write_statistics=_SMALL_COLUMNS
            )
        return self._writer

    def _close_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer, self._shard_bytes = None, 0
