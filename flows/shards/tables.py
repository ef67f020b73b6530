"""The tables of a finished shard: everything publishing needs of its items, in columns, computed beside the items.

Publishing reads these tables, shard after shard; it opens no item.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars

from data_schemas.catalog import CATALOG_SCHEMA
from data_schemas.finding import Finding
from data_schemas.item import Item
from data_schemas.layouts.base import Layout
from flows.shards.catalog import catalog_rows
from flows.shards.job import ItemOutcome
from flows.shards.kept import STAGED, SceneFacts
from validators.run.tables import FINDING_SCHEMA, parquet_bytes

ITEMS_TABLE = "items.parquet"
FILES_TABLE = "files.parquet"
CATALOG_TABLE = "catalog.parquet"
FINDINGS_TABLE = "findings.parquet"
MEASURES_TABLE = "measures.parquet"
TABLES = (ITEMS_TABLE, FILES_TABLE, CATALOG_TABLE, FINDINGS_TABLE, MEASURES_TABLE)

Schema = dict[str, type[polars.DataType]]

#: One row per plan, rejected ones too.
ITEMS_SCHEMA: Schema = {
    "plan_id": polars.String,
    "cell": polars.String,
    "track": polars.String,
    "accepted": polars.Boolean,
    "audio_seconds": polars.Float64,
    "script_id": polars.String,
    "script": polars.String,  # JSON line, as in scripts.jsonl
    "item_id": polars.String,  # in the layout; null where there is no item
    "manifest": polars.String,
    "row": polars.String,  # JSON line of that manifest
    "scene_key": polars.String,
    "scene": polars.String,  # full duplex: the timeline as JSON
    "retakes": polars.String,  # JSON list of `Retake`
}
#: One row per file an item puts into a release: audio by its place among the kept items, texts as they are.
FILES_SCHEMA: Schema = {
    "plan_id": polars.String,
    "path": polars.String,
    "source": polars.String,  # below the item's folder; null for a text
    "text": polars.String,
    "sha256": polars.String,
    "bytes": polars.Int64,
}
FINDINGS_SCHEMA: Schema = {"plan_id": polars.String, **FINDING_SCHEMA}
#: One row per clip: `validators.run.tables.encode_measures`.
MEASURES_SCHEMA: Schema = {"plan_id": polars.String, "body": polars.String}


@dataclass(frozen=True)
class Bound:
    """One plan of a shard and all that became of it; ``item`` and ``facts`` are None where nothing was composed."""

    outcome: ItemOutcome
    item: Item | None
    facts: SceneFacts | None
    measures: tuple[str, ...]


def shard_tables(entries: Sequence[Bound], layout_of: Any) -> Iterator[tuple[str, bytes]]:
    """Name and content of each table; ``layout_of`` gives the layout of a track."""
    items: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    catalog: list[dict[str, Any]] = []
    for entry in entries:
        layout = layout_of(entry.outcome.cell.task.track)
        items.append(_item_row(entry, layout))
        if entry.item is not None and entry.facts is not None:
            files += _file_rows(entry.outcome.plan_id, entry.item, entry.facts, layout)
            catalog += catalog_rows(entry.item, layout)
    findings = [
        {"plan_id": entry.outcome.plan_id, **finding.model_dump(mode="json")}
        for entry in entries
        for finding in entry.outcome.findings
    ]
    measures = [{"plan_id": entry.outcome.plan_id, "body": body} for entry in entries for body in entry.measures]
    yield ITEMS_TABLE, _table(items, ITEMS_SCHEMA)
    yield FILES_TABLE, _table(files, FILES_SCHEMA)
    yield CATALOG_TABLE, _table(catalog, CATALOG_SCHEMA)
    yield FINDINGS_TABLE, _table(findings, FINDINGS_SCHEMA)
    yield MEASURES_TABLE, _table(measures, MEASURES_SCHEMA)


def read_table(path: Path, columns: Sequence[str] | None = None) -> polars.DataFrame:
    """One table of a shard, or some of its columns."""
    return polars.read_parquet(path, columns=None if columns is None else list(columns), memory_map=False)


def findings_of(frame: polars.DataFrame) -> Iterator[Finding]:
    """Findings of a ``findings.parquet``, in its order."""
    for row in frame.drop("plan_id").iter_rows(named=True):
        yield Finding.model_validate(row)


def _item_row(entry: Bound, layout: Layout) -> dict[str, Any]:
    outcome, item = entry.outcome, entry.item
    row: dict[str, Any] = {
        "plan_id": outcome.plan_id,
        "cell": outcome.cell.key,
        "track": outcome.cell.task.track.value,
        "accepted": outcome.accepted,
        "audio_seconds": outcome.audio_seconds,
        "script_id": outcome.script_id,
        "scene_key": outcome.scene_key,
        "retakes": json.dumps([retake.model_dump(mode="json") for retake in outcome.retakes], ensure_ascii=False),
    }
    if item is None:
        return row
    return row | {
        "script": item.script.to_json_line(),
        "item_id": layout.item_id(item),
        "manifest": layout.manifest(item),
        "row": layout.row(item).to_json_line(),
        "scene": None if item.scene is None else item.scene.to_json_line(),
    }


def _file_rows(plan_id: str, item: Item, facts: SceneFacts, layout: Layout) -> Iterator[dict[str, Any]]:
    known = {entry.path: entry for entry in facts.files}
    for staged, path in layout.audio_files(item).items():
        entry = known[f"{STAGED}/{staged}"]
        yield {
            "plan_id": plan_id,
            "path": path,
            "source": entry.path,
            "text": None,
            "sha256": entry.sha256,
            "bytes": entry.bytes,
        }
    for path, text in layout.text_files(item).items():
        content = text.encode()
        yield {
            "plan_id": plan_id,
            "path": path,
            "source": None,
            "text": text,
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }


def _table(rows: Iterable[dict[str, Any]], schema: Schema) -> bytes:
    columns: dict[str, list[Any]] = {name: [] for name in schema}
    for row in rows:
        for name, values in columns.items():
            values.append(row.get(name))
    return parquet_bytes(polars.DataFrame(columns, schema=schema))
