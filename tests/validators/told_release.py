"""A tiny release that is told in full: rows, sound, catalog, scripts and lock, in both languages and tracks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_schemas.foundation.base import write_jsonl
from data_schemas.item import Item
from data_schemas.layouts.base import Layout
from data_schemas.layouts.registry import layout
from data_schemas.layouts.writer import write_items
from data_schemas.plan import QuotaCell
from data_schemas.release import DatasetLock, FileEntry, LockedCount, LockedEngine
from data_schemas.tasks import Language, Task, Track
from flows.common.atomic import sha256_of
from flows.shards.catalog import catalog_frame
from tests.support.spoken_release import make_conversation_item, make_dialogue_item, make_scene_item, staged

TRACK1, TRACK2 = "track1-seed", "track2"


def make_told_release(root: Path) -> Path:
    """Five items; returns ``root``."""
    made = [
        make_dialogue_item(Language.ZH, 3, 1),
        make_dialogue_item(Language.EN, 4, 1),
        make_scene_item(Task.PAUSE, Language.ZH, 7),
        make_scene_item(Task.FOLLOW_UP, Language.EN, 7),
        make_conversation_item(Language.ZH, 8),
    ]
    items = [_with_own_speakers(item) for item in made]
    placed = [(item, layout(TRACK1 if item.plan.task.track is Track.EMOTION else TRACK2)) for item in items]
    for name in (TRACK1, TRACK2):
        write_items(root, layout(name), staged([item for item, own in placed if own.name == name], root))
    catalog_frame(placed).write_parquet(root / "catalog.parquet")
    write_jsonl(root / "scripts.jsonl", [item.script for item in items])
    write_lock(root, placed)
    return root


def _with_own_speakers(item: Item) -> Item:
    """The utterances are the plan's people's, as a build makes them."""
    own = {one.id: one.model_copy(update={"speaker": item.plan.speaker(one.role).id}) for one in item.utterances}
    return item.model_copy(update={"utterances": tuple(own.values())})


def write_lock(root: Path, placed: list[tuple[Item, Layout]]) -> None:
    cells: dict[str, list[QuotaCell]] = {}
    for item, _ in placed:
        cells.setdefault(item.plan.cell.key, []).append(item.plan.cell)
    engine = placed[0][0].utterances[0].provenance
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    lock = DatasetLock(
        format_version=1,
        name="tiny",
        seed=1,
        config={"validation": {"max_dc_offset": 0.02}, "speech": {"loudness_lufs": -23.0}},
        code_version="0",
        engines=(
            LockedEngine(
                name=engine.engine,
                version=engine.engine_version,
                weights_sha256=engine.weights_sha256,
                license=engine.license,
            ),
        ),
        models=(),
        counts=tuple(
            LockedCount(
                cell=same[0], quota=len(same), planned=len(same), topped_up=0, released=len(same), quarantined=0
            )
            for same in cells.values()
        ),
        files=tuple(
            FileEntry(path=path.relative_to(root).as_posix(), sha256=sha256_of(path), bytes=path.stat().st_size)
            for path in files
        ),
        tree_sha256="0" * 64,
    )
    (root / "dataset.lock.json").write_text(json.dumps(lock.model_dump(mode="json"), ensure_ascii=False))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
