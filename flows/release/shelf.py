"""The finished shards of a build as publishing sees them: tables, read group by group, never all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars

from flows.shards.kept import KeptScenes
from flows.shards.ledger import ShardLedger
from flows.shards.tables import (
    CATALOG_TABLE,
    FILES_TABLE,
    FINDINGS_TABLE,
    ITEMS_SCHEMA,
    ITEMS_TABLE,
    MEASURES_TABLE,
    read_table,
)

#: Columns of the index: what is held of every item (about 250 bytes).
_INDEX = ("plan_id", "cell", "track", "accepted", "audio_seconds", "script_id", "item_id", "manifest", "scene_key")
#: Scripts read at a time.
_SCRIPTS_AT_ONCE = 512


class Shelf:
    """The items of finished shards, in the order of their plans; ``blamed`` ones count as rejected."""

    def __init__(self, ledger: ShardLedger, keys: Sequence[str], blamed: Iterable[str] = ()) -> None:
        self._ledger = ledger
        self._keys = tuple(keys)
        self.blamed = frozenset(blamed)
        frames = [
            read_table(ledger.folder(key) / ITEMS_TABLE, _INDEX).with_columns(
                polars.lit(number, dtype=polars.Int32).alias("shard")
            )
            for number, key in enumerate(self._keys)
        ]
        empty = polars.DataFrame(schema={**{name: ITEMS_SCHEMA[name] for name in _INDEX}, "shard": polars.Int32})
        index = polars.concat([empty, *frames], rechunk=True)
        passed = polars.col("accepted") & ~polars.col("plan_id").is_in(sorted(self.blamed))
        #: one row per item: ``_INDEX`` and the number of its ``shard``
        self.index = index.with_columns(passed.alias("accepted"))

    @property
    def scenes(self) -> KeptScenes:
        return self._ledger.scenes

    @property
    def accepted(self) -> polars.DataFrame:
        return self.index.filter(polars.col("accepted"))

    def plan_of(self) -> dict[str, str]:
        """Plan id of every accepted item by its id in the release."""
        frame = self.accepted
        return dict(zip(frame["item_id"], frame["plan_id"], strict=True))

    def by_cell(self, table: str, columns: Sequence[str] | None = None) -> Iterator[polars.DataFrame]:
        """Rows of accepted items sorted by plan id, a frame per cell (ids begin with the cell's name)."""
        beginning = polars.col("plan_id").str.replace(r"\d+$", "").alias("beginning")
        ordered = self.accepted.with_columns(beginning).sort("beginning", maintain_order=True)
        for _, group in ordered.group_by("beginning", maintain_order=True):
            yield self._read(table, columns, group).sort("plan_id", maintain_order=True)

    def by_manifest(self) -> Iterator[tuple[str, polars.DataFrame]]:
        """Path of each manifest, and (``item_id``, ``row``) of its items sorted by id."""
        groups = self.accepted.sort("manifest", maintain_order=True).group_by("manifest", maintain_order=True)
        for (manifest,), group in groups:
            yield str(manifest), self._read(ITEMS_TABLE, ("plan_id", "item_id", "row"), group).sort("item_id")

    def by_shard(self, table: str, columns: Sequence[str] | None = None) -> Iterator[polars.DataFrame]:
        """Rows of accepted items, shard by shard."""
        for _, group in self.accepted.group_by("shard", maintain_order=True):
            yield self._read(table, columns, group)

    def all_by_shard(self, table: str, columns: Sequence[str]) -> Iterator[polars.DataFrame]:
        """Rows of all items, rejected ones too, shard by shard."""
        for number in range(len(self._keys)):
            yield self._table(number, table, columns)

    def rejected(self) -> Iterator[tuple[str, Path | None, polars.DataFrame]]:
        """Every rejected item: plan id, folder of what was made of it, and its findings."""
        rejected = self.index.filter(~polars.col("accepted"))
        for (number,), group in rejected.group_by("shard", maintain_order=True):
            findings = self._table(int(str(number)), FINDINGS_TABLE)
            for row in group.iter_rows(named=True):
                folder = None if row["scene_key"] is None else self.scenes.folder(row["scene_key"])
                yield row["plan_id"], folder, findings.filter(polars.col("plan_id") == row["plan_id"])

    def scripts(self) -> Iterator[str]:
        """JSON lines of the scripts of accepted items, by script id."""
        ordered = self.accepted.sort("script_id", maintain_order=True)
        for start in range(0, len(ordered), _SCRIPTS_AT_ONCE):
            chunk = ordered.slice(start, _SCRIPTS_AT_ONCE)
            yield from self._read(ITEMS_TABLE, ("plan_id", "script_id", "script"), chunk).sort(
                "script_id", maintain_order=True
            )["script"]

    def _read(self, table: str, columns: Sequence[str] | None, items: polars.DataFrame) -> polars.DataFrame:
        """Rows of ``items`` (rows of the index) in one table."""
        wanted = None if columns is None else tuple(dict.fromkeys(("plan_id", *columns)))
        frames = [self._table(number, table, wanted) for number in items["shard"].unique(maintain_order=True)]
        return polars.concat(frames).filter(polars.col("plan_id").is_in(items["plan_id"].to_list()))

    def _table(self, shard: int, table: str, columns: Sequence[str] | None = None) -> polars.DataFrame:
        return read_table(self._ledger.folder(self._keys[shard]) / table, columns)


__all__ = ["CATALOG_TABLE", "FILES_TABLE", "FINDINGS_TABLE", "ITEMS_TABLE", "MEASURES_TABLE", "Shelf"]
