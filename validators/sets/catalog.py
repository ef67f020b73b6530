"""The release gate on the merged catalog: a Great Expectations suite generated from expectations.

Tables are derived from the catalog (polars) and each gets its suite: all rows, the utterances, the
turns of dialogues, the dialogues, the quota cells, the speakers, and for means the utterances of each language. The
result is a plain dict without times, ids or paths, so that it is published with the release and equal after a
rebuild.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars

from data_schemas.acoustics import Coding
from data_schemas.catalog import CATALOG_SCHEMA, EVENT, UTTERANCE
from data_schemas.emotions import Emotion
from data_schemas.finding import Finding
from data_schemas.foundation.base import Record
from data_schemas.release import DatasetLock
from data_schemas.scene import EventKind
from data_schemas.tasks import TURNS_OF_TASK, Channel, Language, Part, Role, Split, Task, Track
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.text.texts import units

VALIDATOR = "catalog/2"
CATALOG_FILE = "catalog.parquet"

#: Tables the suites run on.
ROWS, UTTERANCES, TURNS, CELLS, SPEAKERS = "rows", "utterances", "turns", "cells", "speakers"
DIALOGUES = "dialogues"
#: Utterances of one language that are not cut; the name goes on with the language.
MEANS = "means_"
_SECONDS_PER_UNIT = "seconds_per_unit"
#: Words or characters from which an utterance's rate counts: shorter ones are mostly edges.
_MIN_RATE_UNITS = 5

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
#: Significant digits of published numbers: the last ones of a mean depend on the order a processor adds in.
_DIGITS = 9
_SITE = "humdial"


class DeclaredEngine(Record):
    """A speech engine the release declares."""

    name: str
    weights_sha256: str


class CatalogExpectations(Record):
    """What the catalog must hold: items per quota cell (``QuotaCell.key``), and the thresholds.

    Without ``engines`` any engine with an allowed licence may have spoken; without ``loudness_lufs`` the mean
    loudness is held to the band of single utterances.
    """

    items_per_cell: dict[str, int]
    thresholds: Thresholds = Thresholds()
    engines: tuple[DeclaredEngine, ...] = ()
    loudness_lufs: float | None = None  # what the build normalises speech to


class CatalogReport(Record):
    """Whether the gate opens, every expectation's result as plain JSON values, and the findings."""

    success: bool
    results: dict[str, Any]
    findings: tuple[Finding, ...]


def expectations_from_lock(lock: DatasetLock, thresholds: Thresholds | None = None) -> CatalogExpectations:
    """What the build that wrote this lock expected of its catalog.

    ``thresholds`` replaces those of the recipe in the lock; of these only fields that this version knows are taken.

    Raises:
        pydantic.ValidationError: the recipe's thresholds are out of range.
    """
    if thresholds is None:
        stated = lock.config.get("validation")
        known = {name: value for name, value in (stated or {}).items() if name in Thresholds.model_fields}
        thresholds = Thresholds.model_validate(known)
    speech = lock.config.get("speech")
    loudness = speech.get("loudness_lufs") if isinstance(speech, dict) else None
    return CatalogExpectations(
        items_per_cell={count.cell.key: count.released for count in lock.counts},
        thresholds=thresholds,
        engines=tuple(
            DeclaredEngine(name=engine.name, weights_sha256=engine.weights_sha256) for engine in lock.engines
        ),
        loudness_lufs=loudness if isinstance(loudness, int | float) else None,
    )


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
        suite = tuple(_suite(name, expectations))
        results = tuple(_validate(context, name, table, suite))
        tables[name] = [plain for plain, _ in results]
        findings += [_finding(judge, name, code, plain) for plain, code in results if not plain["success"]]
    success = not findings
    results_dict = {"success": success, "rows": frame.height, "tables": tables}
    return CatalogReport(success=success, results=results_dict, findings=tuple(findings))


def write_data_docs(frame: polars.DataFrame, expectations: CatalogExpectations, target: Path) -> Path:
    """Great Expectations' own pages about the same suites, to look at; returns the index page.

    Built without a network; the pages load their style sheets and scripts from public CDNs when they are opened,
    and carry the time of the run, so they are no part of a release.

    Raises:
        ValueError: the frame has other columns than a catalog.
        FileExistsError: ``target`` exists and is not an empty directory.
    """
    if dict(frame.schema) != CATALOG_SCHEMA:
        raise ValueError("Data Docs need a catalog with the columns of data_schemas.catalog")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} is not empty; name a new folder for the Data Docs")
    import great_expectations

    context = _context()
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(target.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": backend}
    for name in list(context.get_site_names()):
        context.delete_data_docs_site(name)
    context.add_data_docs_site(site_name=_SITE, site_config=site)
    definitions, parameters = [], {}
    for name, table in _tables(frame, expectations).items():
        suite = great_expectations.ExpectationSuite(name=name, expectations=list(_suite(name, expectations)))
        asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
        batch = asset.add_batch_definition_whole_dataframe(name)
        definition = great_expectations.ValidationDefinition(name=name, data=batch, suite=context.suites.add(suite))
        definitions.append(context.validation_definitions.add(definition))
        parameters[name] = {"dataframe": table.to_pandas()}
    for definition in definitions:
        definition.run(batch_parameters=parameters[definition.name])
    context.build_data_docs(site_names=[_SITE])
    return target / "index.html"


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
        TURNS: _turns(utterances),
        SPEAKERS: speakers,
        DIALOGUES: _dialogues(utterances),
    }
    tables |= dict(_means(utterances, expectations))
    kept = {name: table for name, table in tables.items() if table.height or name == ROWS}
    return kept | {CELLS: cells.with_columns(polars.col("items", "planned").fill_null(0))}


def _turns(utterances: polars.DataFrame) -> polars.DataFrame:
    """The user's turns of Track 1, without the voiced replies."""
    return utterances.filter((polars.col("track") == Track.EMOTION.value) & (polars.col("role") == Role.USER.value))


def _dialogues(utterances: polars.DataFrame) -> polars.DataFrame:
    """Per Track 1 item its turns and how many utterances it has."""
    spoken = _turns(utterances)
    rows = polars.len().cast(polars.Int64).alias("utterances")
    return spoken.group_by("language", "item_id").agg(polars.col("turns").min(), rows).sort("language", "item_id")


def _means(utterances: polars.DataFrame, expectations: CatalogExpectations) -> Iterator[tuple[str, polars.DataFrame]]:
    """Per language with enough of them: its utterances that are not cut, with their rates.

    ``loudness_lufs`` is without what emotion was meant to add to it.
    """
    target = expectations.loudness_lufs
    if target is not None and "target_lufs" in utterances.columns:
        added = (polars.col("target_lufs") - target).fill_null(0.0)
        utterances = utterances.with_columns(polars.col("loudness_lufs") - added)
    for language in Language:
        own = utterances.filter(
            (polars.col("language") == language.value)
            & ~polars.col("cut").fill_null(False)
            & polars.col("text").is_not_null()
        ).select("text", "duration_s", "loudness_lufs")
        if own.height < expectations.thresholds.min_mean_count:
            continue
        counts = polars.Series("units", [len(units(text, language)) for text in own["text"]], dtype=polars.Int64)
        rate = polars.when(counts >= _MIN_RATE_UNITS).then(polars.col("duration_s") / counts)
        yield f"{MEANS}{language}", own.with_columns(rate.alias(_SECONDS_PER_UNIT))


def _suite(table: str, expectations: CatalogExpectations) -> Iterator[Any]:
    """The expectations of one table, each with its finding code in ``meta``."""
    gxe = _expectations()
    thresholds = expectations.thresholds
    for column in _NEVER_NULL.get(table, ()):
        yield gxe.ExpectColumnValuesToNotBeNull(column=column, meta=_code("CATALOG.NULL"))
    for column, values in _VALUES.get(table, {}).items():
        allowed = sorted(member.value for member in values)
        yield gxe.ExpectColumnValuesToBeInSet(column=column, value_set=allowed, meta=_code("CATALOG.VALUE"))
    if table == ROWS:
        yield from _row_suite(thresholds)
    elif table == UTTERANCES:
        yield from _utterance_suite(thresholds)
        yield from _engine_suite(expectations.engines)
    elif table == DIALOGUES:
        yield gxe.ExpectColumnPairValuesToBeEqual(column_A="utterances", column_B="turns", meta=_code("CATALOG.TURNS"))
    elif table.startswith(MEANS):
        yield from _mean_suite(Language(table.removeprefix(MEANS)), expectations)
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


def _engine_suite(engines: tuple[DeclaredEngine, ...]) -> Iterator[Any]:
    if engines:
        declared = [(engine.name, engine.weights_sha256) for engine in engines]
        yield _expectations().ExpectColumnPairValuesToBeInSet(
            column_A="engine", column_B="weights_sha256", value_pairs_set=declared, meta=_code("CATALOG.ENGINE")
        )


def _mean_suite(language: Language, expectations: CatalogExpectations) -> Iterator[Any]:
    limits, target = expectations.thresholds, expectations.loudness_lufs
    error = limits.max_mean_loudness_error_db
    loudness = (limits.min_loudness_lufs, limits.max_loudness_lufs)
    rates = {
        Language.ZH: (limits.min_mean_seconds_per_zh_char, limits.max_mean_seconds_per_zh_char),
        Language.EN: (limits.min_mean_seconds_per_en_word, limits.max_mean_seconds_per_en_word),
    }
    bands = {
        "duration_s": (limits.min_mean_duration_s, limits.max_mean_duration_s),
        "loudness_lufs": loudness if target is None else (target - error, target + error),
        _SECONDS_PER_UNIT: rates[language],
    }
    for column, (low, high) in bands.items():
        yield _expectations().ExpectColumnMeanToBeBetween(
            column=column, min_value=low, max_value=high, meta=_code("CATALOG.MEAN")
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
    if isinstance(plain, float):
        return float(f"{plain:.{_DIGITS}g}") if math.isfinite(plain) else None
    return plain if plain is None or isinstance(plain, str | int | float | bool) else str(plain)


def _finding(judge: Judge, table: str, code: str, plain: dict[str, Any]) -> Finding:
    result = plain["result"]
    column = plain["arguments"].get("column", plain["arguments"].get("column_A", ""))
    examples = result.get("partial_unexpected_list", [])[:_SHOWN_VALUES]
    if "unexpected_count" in result:
        value, detail = result["unexpected_count"], f"{result['unexpected_count']} unexpected, such as {examples}"
    else:
        value, detail = result.get("observed_value"), f"observed {result.get('observed_value')}"
    detail = result.get("exception") or detail
    return judge.say(
        code,
        f"{table}.{column}: {plain['expectation']} fails: {detail}",
        value=value if isinstance(value, int | float) else None,
    )
