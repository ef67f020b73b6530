"""Files of the items in a release: audio by hard link or copy, side-cars, manifests; and what is known of each file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import polars

from data_schemas.layouts.base import inside
from data_schemas.layouts.writer import link_or_copy
from data_schemas.release import FileEntry
from flows.common.atomic import sha256_of
from flows.common.progress import Reporter
from flows.release.shelf import FILES_TABLE, Shelf

#: Columns of what is known of a release's files.
ENTRY_SCHEMA: dict[str, type[polars.DataType]] = {
    "path": polars.String,
    "sha256": polars.String,
    "bytes": polars.Int64,
}


def write_tree(shelf: Shelf, staging: Path, reporter: Reporter) -> polars.DataFrame:
    """Put the files of all accepted items into ``staging``; returns path, hash and size of each.

    Hashes of audio are those of the ledger, which were compared with the files when the shard was taken over.

    Raises:
        FileExistsError: two items claim one path.
        RecordError: a path leaves the release.
    """
    known = [polars.DataFrame(schema=ENTRY_SCHEMA)]
    folder_of = {
        plan_id: shelf.scenes.folder(key)
        for plan_id, key in zip(shelf.accepted["plan_id"], shelf.accepted["scene_key"], strict=True)
    }
    for frame in shelf.by_shard(FILES_TABLE):
        for row in frame.iter_rows(named=True):
            target = inside(staging, row["path"])
            if row["source"] is None:
                _write_new(target, row["text"].encode())
            elif target.exists():
                raise FileExistsError(f"{target} already exists; nothing is overwritten")
            else:
                link_or_copy(folder_of[row["plan_id"]] / row["source"], target)
        known.append(frame.select(list(ENTRY_SCHEMA)))
        reporter.advance("publish", frame["plan_id"].n_unique())
    manifests = []
    for manifest, rows in shelf.by_manifest():
        twice = rows.filter(rows["item_id"].is_duplicated())
        if len(twice):
            raise FileExistsError(f"{staging / manifest}: id {twice['item_id'][0]} stands twice")
        content = "".join(row + "\n" for row in rows["row"]).encode()
        _write_new(inside(staging, manifest), content)
        manifests.append((manifest, hashlib.sha256(content).hexdigest(), len(content)))
    known.append(polars.DataFrame(manifests, schema=ENTRY_SCHEMA, orient="row"))
    return polars.concat(known)


def with_others(known: polars.DataFrame, root: Path, left_out: Iterable[Path]) -> polars.DataFrame:
    """What is known of all files below ``root``, sorted by path: those that are not known yet are read."""
    named, passed_over = set(known["path"]), set(left_out)
    others = [
        (path.relative_to(root).as_posix(), sha256_of(path), path.stat().st_size)
        for path in root.rglob("*")
        if path.is_file() and path not in passed_over and path.relative_to(root).as_posix() not in named
    ]
    return polars.concat([known, polars.DataFrame(others, schema=ENTRY_SCHEMA, orient="row")]).sort("path")


def entries_of(files: polars.DataFrame) -> Iterable[FileEntry]:
    """The same as records, one at a time."""
    return (FileEntry(**row) for row in files.iter_rows(named=True))


def _write_new(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as handle:
        handle.write(content)
