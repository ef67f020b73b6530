"""``catalog.parquet``: licences, engines, missing and doubled rows, values out of range."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars

from data_schemas.layouts.base import FoundItem
from tests.support.mutations.kinds.common import BOOKS, is_dialogue
from tests.support.mutations.planting import Copy, Kind, Planted, at

GROUP = "catalog"
CATALOG = "catalog.parquet"
Change = Callable[[polars.DataFrame, polars.Expr], polars.DataFrame]


def _table(change: Change) -> Callable[..., Planted]:
    """``change(frame, own)``: ``own`` chooses one utterance of the item."""

    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        frame = polars.read_parquet(copy.root / CATALOG)
        utterances = frame.filter(
            (polars.col("item_id") == found.id)
            & (polars.col("language") == found.language.value)
            & (polars.col("track") == found.track.value)
            & (polars.col("kind") == "utterance")
        )["utterance_id"].to_list()
        own = polars.col("utterance_id").eq_missing(polars.lit(utterances[int(rng.integers(len(utterances)))])) & (
            polars.col("kind") == "utterance"
        )
        (copy.root / CATALOG).unlink()  # the link only
        change(frame, own).write_parquet(copy.root / CATALOG)
        copy.touched.add(CATALOG)
        return at(found, CATALOG)

    return plant


def _put(column: str, value: object) -> Change:
    def change(frame: polars.DataFrame, own: polars.Expr) -> polars.DataFrame:
        kept = frame.schema[column]
        fresh = polars.lit(value, dtype=kept)
        return frame.with_columns(polars.when(own).then(fresh).otherwise(polars.col(column)).alias(column))

    return change


def _without(frame: polars.DataFrame, own: polars.Expr) -> polars.DataFrame:
    return frame.filter(~own)


def _doubled(frame: polars.DataFrame, own: polars.Expr) -> polars.DataFrame:
    return polars.concat([frame, frame.filter(own)])


def _kind(name: str, code: str, change: Change, *follows: str) -> Kind:
    allowed = BOOKS | {"CATALOG.ENGINE", "CATALOG.QUOTA", "CATALOG.TURNS", *follows}
    return Kind(name, GROUP, code, _table(change), is_dialogue, frozenset(allowed))


KINDS: tuple[Kind, ...] = (
    _kind("licence that is not allowed", "CATALOG.LICENSE", _put("license", "Proprietary")),
    _kind("engine the release does not declare", "CATALOG.ENGINE", _put("weights_sha256", "0" * 64)),
    _kind("catalog row missing", "SET.CATALOG_AGREES", _without),
    _kind("catalog row twice", "CATALOG.DUPLICATE", _doubled),
    _kind("catalog without a voice", "CATALOG.NULL", _put("voice", None)),
    _kind("emotion nobody knows in the catalog", "CATALOG.VALUE", _put("emotion", "平静")),
    _kind("loudness out of range in the catalog", "CATALOG.RANGE", _put("loudness_lufs", 4.0), "CATALOG.MEAN"),
    _kind("another text in the catalog", "SET.CATALOG_AGREES", _put("text", "完全不同的话。")),
)
