"""The release gate on the merged catalog: a Great Expectations suite generated from expectations.

Four tables are derived from the catalog (polars) and each gets its suite: all rows, the
utterances, the quota cells and the speakers. The result is a plain dict without times, ids or
paths, so that it is published with the release and equal after a rebuild.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from typing import Any

import polars

from data_schemas.acoustics import Coding
from data_schemas.base import Record
from data_schemas.catalog import CATALOG_SCHEMA, EVENT, UTTERANCE
from data_schemas.emotions import Emotion
from data_schemas.finding import Finding
from data_schemas.scene import EventKind
from data_schemas.tasks import TURNS_OF_TASK, Channel, Language, Part, Role, Split, Task, Track
from validators.codes import Judge
from validators.thresholds import Thresholds

VALIDATOR = "catalog/1"
CATALOG_FILE = "catalog.parquet"

#: Tables the suites run on.
ROWS, UTTERANCES, TURNS, CELLS, SPEAKERS = "rows", "utterances", "turns", "cells", "speakers"

_NEVER_NULL = {
    ROWS: (
        "item_id", "plan_id", "track", "task", "language", "split", "turns", "cell", "script_id",
        "kind", "file", "start_s", "stop_s", "duration_s",
    ),
    UTTERANCES: (
        "utterance_id", "role", "speaker", "voice", "engine", "engine_version", "weights_sha256",
        "license", "text", "spoken_text", "audio_key", "loudness_lufs", "peak_dbfs",
    ),
    TURNS: ("turn_id", "emotion", "intensity", "response_text"),
}  # fmt: skip

_VALUES: dict[str, dict[str, type[Any]]] = {
    ROWS: {
        "track": Track,
        "task": Task,
        "language": Language,
        "split": Split,
        "channel": Channel,
        "event_kind": EventKind,
        "telephone": Coding,
    },
    UTTERANCES: {"role": Role, "part": Part, "emotion": Emotion},
}

_MOST_TURNS = max(max(counts) for counts in TURNS_OF_TASK.values())

#: Keys of a Great Expectations result that are the same in every run.
_KEPT_RESULTS = ("observed_value", "element_count", "unexpected_count", "partial_unexpected_list")
_RUN_KEYS = frozenset({"batch_id"})
_SHOWN_VALUES = 5


class CatalogExpectations(Record):
    """What the catalog must hold: items per quota cell (``QuotaCell.key``), and the thresholds."""

    items_per_cell: dict[str, int]
    thresholds: Thresholds = Thresholds()


class CatalogReport(Record):
    """Whether the gate opens, every expectation's result as plain JSON values, and the findings."""

    success: bool
    results: dict[str, Any]
    findings: tuple[Finding, ...]


def judge_catalog(frame: polars.DataFrame, expectations: CatalogExpectations) -> CatalogReport:
    """Run the suites on a catalog with the columns of ``CATALOG_SCHEMA``."""
    judge = Judge(VALIDATOR, CATALOG_FILE, CATALOG_FILE)
    if dict(frame.schema) != CATALOG_SCHEMA:
        wrong = sorted(set(frame.schema.items()) ^ set(CATALOG_SCHEMA.items()), key=str)
        finding = judge.say("CATALOG.COLUMNS", f"columns differ from data_schemas.catalog: {wrong[:_SHOWN_VALUES]}")
        return CatalogReport(success=False, results={"success": False, "tables": {}}, findings=(finding,))
    context = _context()
    tables: dict[str, list[dict[str, Any]]] = {}
    findings: list[Finding] = []
    for name, table in _tables(frame, expectations).items():
        suite = tuple(_suite(name, expectations.thresholds))
        results = tuple(_validate(context, name, table, suite))
        tables[name] = [plain for plain, _ in results]
        findings += [_finding(judge, name, code, plain) for plain, code in results if not plain["success"]]
    success = not findings
    results_dict = {"success": success, "rows": frame.height, "tables": tables}
    return CatalogReport(success=success, results=results_dict, findings=tuple(findings))


def _context() -> Any:
    """An ephemeral context that neither reports home nor draws bars."""
    import os

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # this module sets its own logger to INFO on import and then announces a temporary directory
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _expectations() -> Any:
    """The module of expectation classes; they are made at import, unseen by type checkers."""
    import great_expectations.expectations

    return great_expectations.expectations


def _tables(frame: polars.DataFrame, expectations: CatalogExpectations) -> dict[str, polars.DataFrame]:
    """The catalog and what is derived from it; only tables with rows, but for the quota cells."""
    utterances = frame.filter(polars.col("kind") == UTTERANCE)
    planned = expectations.items_per_cell
    counted = frame.group_by("cell").agg(
        polars.col("item_id").drop_nulls().n_unique().cast(polars.Int64).alias("items")
    )
    wanted = polars.DataFrame(
        {"cell": list(planned), "planned": list(planned.values())},
        schema={"cell": polars.String, "planned": polars.Int64},
    )
    cells = wanted.join(counted, on="cell", how="full", coalesce=True).sort("cell")
    speakers = (
        utterances.group_by("language", "role", "speaker")
        .agg(polars.col("split").n_unique().cast(polars.Int64).alias("splits"))
        .sort("language", "role", "speaker")
    )
    tables = {
        ROWS: frame,
        UTTERANCES: utterances,
        TURNS: utterances.filter(polars.col("track") == Track.EMOTION.value),
        SPEAKERS: speakers,
    }
    kept = {name: table for name, table in tables.items() if table.height or name == ROWS}
    return kept | {CELLS: cells.with_columns(polars.col("items", "planned").fill_null(0))}


def _suite(table: str, thresholds: Thresholds) -> Iterator[Any]:
    """The expectations of one table, each with its finding code in ``meta``."""
    gxe = _expectations()
    for column in _NEVER_NULL.get(table, ()):
        yield gxe.ExpectColumnValuesToNotBeNull(column=column, meta=_code("CATALOG.NULL"))
    for column, values in _VALUES.get(table, {}).items():
        allowed = sorted(member.value for member in values)
        yield gxe.ExpectColumnValuesToBeInSet(column=column, value_set=allowed, meta=_code("CATALOG.VALUE"))
    if table == ROWS:
        yield from _row_suite(thresholds)
    elif table == UTTERANCES:
        yield from _utterance_suite(thresholds)
    elif table == CELLS:
        yield gxe.ExpectColumnPairValuesToBeEqual(column_A="items", column_B="planned", meta=_code("CATALOG.QUOTA"))
    elif table == SPEAKERS:
        yield gxe.ExpectColumnValuesToBeBetween(column="splits", max_value=1, meta=_code("CATALOG.SPLIT_LEAK"))


def _row_suite(thresholds: Thresholds) -> Iterator[Any]:
    gxe = _expectations()
    yield gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(CATALOG_SCHEMA), meta=_code("CATALOG.COLUMNS"))
    kinds = [EVENT, UTTERANCE]
    yield gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=kinds, meta=_code("CATALOG.VALUE"))
    # latencies are judged item by item: that of a talk-over is negative
    for column in ("distance_m", "rt60_s"):
        yield gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, meta=_code("CATALOG.RANGE"))
    yield gxe.ExpectColumnValuesToBeBetween(column="echo_db", max_value=0, meta=_code("CATALOG.RANGE"))
    yield gxe.ExpectColumnValuesToBeBetween(
        column="turns", min_value=1, max_value=_MOST_TURNS, meta=_code("CATALOG.RANGE")
    )
    yield gxe.ExpectColumnValuesToBeBetween(column="start_s", min_value=0, meta=_code("CATALOG.RANGE"))
    yield gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="stop_s", column_B="start_s", or_equal=True, meta=_code("CATALOG.RANGE")
    )
    yield gxe.ExpectColumnValuesToBeBetween(
        column="stop_s", max_value=thresholds.max_duration_s, meta=_code("CATALOG.RANGE")
    )


def _utterance_suite(thresholds: Thresholds) -> Iterator[Any]:
    gxe = _expectations()
    bands: dict[str, tuple[float, float]] = {
        "loudness_lufs": (thresholds.min_loudness_lufs, thresholds.max_loudness_lufs),
        "duration_s": (thresholds.min_duration_s, thresholds.max_duration_s),
        "peak_dbfs": (-math.inf, 0.0),
        "intensity": (0, 3),
    }
    for column, (low, high) in bands.items():
        limits = {"max_value": high} if math.isinf(low) else {"min_value": low, "max_value": high}
        yield gxe.ExpectColumnValuesToBeBetween(column=column, meta=_code("CATALOG.RANGE"), **limits)
    yield gxe.ExpectColumnValuesToBeUnique(column="utterance_id", meta=_code("CATALOG.DUPLICATE"))
    yield gxe.ExpectColumnValuesToBeInSet(
        column="license", value_set=sorted(thresholds.allowed_licenses), meta=_code("CATALOG.LICENSE")
    )


def _code(code: str) -> dict[str, str]:
    return {"code": code}


def _validate(
    context: Any, name: str, table: polars.DataFrame, expectations: Iterable[Any]
) -> Iterator[tuple[dict[str, Any], str]]:
    """One (plain result, finding code) per expectation, in a fixed order."""
    import great_expectations

    suite = great_expectations.ExpectationSuite(name=name, expectations=list(expectations))
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe(name).get_batch({"dataframe": table.to_pandas()})
    answers = [
        (_plain(result), str(result.expectation_config.meta["code"])) for result in batch.validate(suite).results
    ]
    yield from sorted(answers, key=lambda answer: (answer[0]["expectation"], str(answer[0]["arguments"])))


def _plain(result: Any) -> dict[str, Any]:
    """What of a result is the same in every run, as JSON values."""
    config = result.expectation_config
    details = {key: _json(result.result[key]) for key in _KEPT_RESULTS if key in result.result}
    raised = (result.exception_info or {}).get("exception_message")
    return {
        "expectation": config.type,
        "arguments": {key: _json(config.kwargs[key]) for key in sorted(config.kwargs) if key not in _RUN_KEYS},
        "success": bool(result.success),
        "result": details | ({"exception": str(raised)} if raised else {}),
    }


def _json(value: Any) -> Any:
    """Numbers of numpy and pandas to Python's; what JSON cannot say (NaN, NA) to None."""
    if isinstance(value, dict):
        return {str(key): _json(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_json(each) for each in value]
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    return plain if plain is None or isinstance(plain, str | int | float | bool) else str(plain)


def _finding(judge: Judge, table: str, code: str, plain: dict[str, Any]) -> Finding:
    result = plain["result"]
    column = plain["arguments"].get("column", plain["arguments"].get("column_A", ""))
    examples = result.get("partial_unexpected_list", [])[:_SHOWN_VALUES]
    detail = result.get("exception") or f"{result.get('unexpected_count', '')} unexpected, such as {examples}"
    return judge.say(
        code,
        f"{table}.{column}: {plain['expectation']} fails: {detail}",
        value=result.get("unexpected_count"),
    )
