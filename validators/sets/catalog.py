"""The release gate on the merged catalog: a Great Expectations suite generated from expectations.

Great Expectations takes whole pandas frames, so it never sees the catalog. Small tables are derived from it (polars,
lazily, from the parquet file) and each gets its suite: the facts of all rows, of the utterances and of the turns (one
row each: how many values break each rule), the quota cells, the speakers, the dialogues by number of turns, and the
means of each language. None of them grows with the release. The result is a plain dict without times, ids or paths,
so that it is published with the release and equal after a rebuild.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

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
#: Means over the utterances of one language that are not cut; the name goes on with the language.
MEANS = "means_"
_SECONDS_PER_UNIT = "seconds_per_unit"
#: Words or characters from which an utterance's rate counts: shorter ones are mostly edges.
_MIN_RATE_UNITS = 5
#: Means are sums of whole numbers (millionths), so that they do not depend on the order of adding.
_MILLION = 1_000_000

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

CatalogSource = Path | polars.LazyFrame | polars.DataFrame

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


def judge_catalog(catalog: CatalogSource, expectations: CatalogExpectations) -> CatalogReport:
    """Run the suites on a catalog with the columns of ``CATALOG_SCHEMA``: its parquet file, or a frame.

    Memory: a batch of rows, and eight bytes for each item and utterance.

    Raises:
        polars.exceptions.PolarsError, OSError: the file cannot be read.
    """
    judge = Judge(VALIDATOR, CATALOG_FILE, CATALOG_FILE)
    rows = _lazy(catalog)
    wrong = _wrong_columns(rows)
    if wrong:
        finding = judge.say("CATALOG.COLUMNS", f"columns differ from data_schemas.catalog: {wrong[:_SHOWN_VALUES]}")
        return CatalogReport(success=False, results={"success": False, "tables": {}}, findings=(finding,))
    context = _context()
    tables: dict[str, list[dict[str, Any]]] = {}
    findings: list[Finding] = []
    derived = derived_tables(rows, expectations)
    for name, table in derived.items():
        results = tuple(_validate(context, name, table, _suite(name, expectations)))
        tables[name] = [plain for plain, _ in results]
        for plain, meta in results:
            if not plain["success"]:
                findings.append(_finding(judge, name, meta, plain, _examples(rows, name, meta, expectations)))
    success = not findings
    results_dict = {"success": success, "rows": int(derived[ROWS]["rows"][0]), "tables": tables}
    return CatalogReport(success=success, results=results_dict, findings=tuple(findings))


def write_data_docs(catalog: CatalogSource, expectations: CatalogExpectations, target: Path) -> Path:
    """Great Expectations' own pages about the same suites, to look at; returns the index page.

    Built without a network; the pages load their style sheets and scripts from public CDNs when they are opened,
    and carry the time of the run, so they are no part of a release.

    Raises:
        ValueError: it has other columns than a catalog.
        FileExistsError: ``target`` exists and is not an empty directory.
    """
    rows = _lazy(catalog)
    if _wrong_columns(rows):
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
    for name, table in derived_tables(rows, expectations).items():
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


class _Rule(NamedTuple):
    """A rule of single rows: ``wrong`` is true where a row breaks it, and null counts as kept."""

    code: str
    column: str
    what: str  # "null", "out of range": for messages
    wrong: polars.Expr
    breaks: polars.Expr | None = None  # how many; None: the number of rows that are wrong

    @property
    def name(self) -> str:
        """Column of the table of facts, which holds how many rows break the rule."""
        return f"{self.column}.{self.what}"


def _lazy(catalog: CatalogSource) -> polars.LazyFrame:
    return polars.scan_parquet(catalog) if isinstance(catalog, Path) else catalog.lazy()


def _wrong_columns(rows: polars.LazyFrame) -> list[object]:
    """Columns that only one side has, or in another type, and all of them in order where only the order differs."""
    found = dict(rows.collect_schema())
    differing = sorted(set(found.items()) ^ set(CATALOG_SCHEMA.items()), key=str)
    return [*differing] if differing or list(found) == list(CATALOG_SCHEMA) else [*found]


def derived_tables(catalog: CatalogSource, expectations: CatalogExpectations) -> dict[str, polars.DataFrame]:
    """What the suites run on, by name; only tables with rows, but for all rows and the quota cells."""
    rows = _lazy(catalog)
    utterances = _part_of(rows, UTTERANCES)
    parts = {name: _facts(_part_of(rows, name), _rules(name, expectations)) for name in (ROWS, UTTERANCES, TURNS)}
    lazily = [
        *parts.values(),
        _cells(rows, expectations),
        utterances.group_by("language", "role", "speaker")
        .agg(polars.col("split").n_unique().cast(polars.Int64).alias("splits"))
        .sort("language", "role", "speaker"),
        _dialogues(_part_of(rows, TURNS)),
    ]
    names = (*parts, CELLS, SPEAKERS, DIALOGUES)
    tables = {name: table.collect(engine="streaming") for name, table in zip(names, lazily, strict=True)}
    means = _means(utterances, expectations).collect(engine="streaming")
    tables |= {f"{MEANS}{language}": means.filter(language=language) for language in means["language"]}
    for name in (UTTERANCES, TURNS):
        if not tables[name]["rows"][0]:
            del tables[name]
    return {name: table for name, table in tables.items() if table.height or name == CELLS}


def _part_of(rows: polars.LazyFrame, table: str) -> polars.LazyFrame:
    """The rows a table of facts speaks of; turns are the user's of Track 1, without the voiced replies."""
    if table == ROWS:
        return rows
    utterances = rows.filter(polars.col("kind") == UTTERANCE)
    if table == UTTERANCES:
        return utterances
    return utterances.filter((polars.col("track") == Track.EMOTION.value) & (polars.col("role") == Role.USER.value))


def _facts(rows: polars.LazyFrame, rules: tuple[_Rule, ...]) -> polars.LazyFrame:
    """One row: the number of rows, and per rule how many break it."""
    counts = [rule.wrong.fill_null(False).sum() if rule.breaks is None else rule.breaks for rule in rules]
    facts = [count.cast(polars.Int64).alias(rule.name) for rule, count in zip(rules, counts, strict=True)]
    return rows.select(polars.len().cast(polars.Int64).alias("rows"), *facts)


def _rules(table: str, expectations: CatalogExpectations) -> tuple[_Rule, ...]:
    """The rules of single rows of a table of facts."""
    limits = expectations.thresholds
    rules = [
        _Rule("CATALOG.NULL", column, "null", polars.col(column).is_null()) for column in _NEVER_NULL.get(table, ())
    ]
    values = {name: tuple(member.value for member in kind) for name, kind in _VALUES.get(table, {}).items()}
    bands: dict[str, tuple[float, float]] = {}
    if table == ROWS:
        values["kind"] = (EVENT, UTTERANCE)
        # latencies are judged item by item: that of a talk-over is negative
        bands = {
            "distance_m": (0, math.inf),
            "rt60_s": (0, math.inf),
            "echo_db": (-math.inf, 0),
            "turns": (1, _MOST_TURNS),
            "start_s": (0, math.inf),
            "stop_s": (-math.inf, limits.max_duration_s),
        }
        before = polars.col("stop_s") < polars.col("start_s")
        rules.append(_Rule("CATALOG.RANGE", "stop_s", "before start_s", before))
    elif table == UTTERANCES:
        bands = {
            "loudness_lufs": (limits.min_loudness_lufs, limits.max_loudness_lufs),
            "duration_s": (limits.min_duration_s, limits.max_duration_s),
            "peak_dbfs": (-math.inf, 0),
            "intensity": (0, 3),
        }
        rules.append(_value_rule("CATALOG.LICENSE", "license", limits.allowed_licenses))
        name = polars.col("utterance_id")
        again = name.count().cast(polars.Int64) - _distinct("utterance_id")
        rules.append(_Rule("CATALOG.DUPLICATE", "utterance_id", "listed again", name.is_duplicated(), again))
        rules += _engine_rules(expectations.engines)
    rules += [_value_rule("CATALOG.VALUE", column, allowed) for column, allowed in values.items()]
    rules += [_band_rule(column, low, high) for column, (low, high) in bands.items()]
    return tuple(rules)


def _value_rule(code: str, column: str, allowed: Iterable[str]) -> _Rule:
    return _Rule(code, column, "of another value", ~polars.col(column).is_in(sorted(allowed)))


def _band_rule(column: str, low: float, high: float) -> _Rule:
    value = polars.col(column)
    return _Rule("CATALOG.RANGE", column, "out of range", (value < low) | (value > high))


def _engine_rules(engines: tuple[DeclaredEngine, ...]) -> Iterator[_Rule]:
    if engines:
        declared = [
            (polars.col("engine") == engine.name) & (polars.col("weights_sha256") == engine.weights_sha256)
            for engine in engines
        ]
        undeclared = ~polars.any_horizontal(declared)
        yield _Rule("CATALOG.ENGINE", "engine", "not declared", undeclared)


def _distinct(column: str) -> polars.Expr:
    """How many different values, by 64-bit hashes: of a million two coincide once in 40 million releases."""
    return polars.col(column).drop_nulls().hash().n_unique().cast(polars.Int64)


def _cells(rows: polars.LazyFrame, expectations: CatalogExpectations) -> polars.LazyFrame:
    planned = expectations.items_per_cell
    counted = rows.group_by("cell").agg(_distinct("item_id").alias("items"))
    wanted = polars.LazyFrame(
        {"cell": list(planned), "planned": list(planned.values())},
        schema={"cell": polars.String, "planned": polars.Int64},
    )
    cells = wanted.join(counted, on="cell", how="full", coalesce=True)
    return cells.with_columns(polars.col("items", "planned").fill_null(0)).sort("cell")


def _dialogues(turns: polars.LazyFrame) -> polars.LazyFrame:
    """How many dialogues there are by their number of turns and of utterances."""
    rows = polars.len().cast(polars.Int64)
    dialogues = turns.group_by("language", polars.col("item_id").hash().alias("item")).agg(
        polars.col("turns").min(), rows.alias("utterances")
    )
    shapes = dialogues.group_by("turns", "utterances").agg(rows.alias("dialogues"))
    return shapes.sort("turns", "utterances")


def _means(utterances: polars.LazyFrame, expectations: CatalogExpectations) -> polars.LazyFrame:
    """Per language with enough of them: means over its utterances that are not cut.

    ``loudness_lufs`` is without what emotion was meant to add to it.
    """
    target = expectations.loudness_lufs
    added = polars.lit(0.0) if target is None else (polars.col("target_lufs") - target).fill_null(0.0)
    told = utterances.filter(~polars.col("cut").fill_null(False) & polars.col("text").is_not_null())
    counts = polars.struct("language", "text").map_batches(_units, return_dtype=polars.Int64, is_elementwise=True)
    rated = told.select(
        "language",
        "duration_s",
        loudness_lufs=polars.col("loudness_lufs") - added,
        units=counts,
    ).with_columns(
        polars.when(polars.col("units") >= _MIN_RATE_UNITS)
        .then(polars.col("duration_s") / polars.col("units"))
        .alias(_SECONDS_PER_UNIT)
    )
    means = rated.group_by("language").agg(
        polars.len().cast(polars.Int64).alias("utterances"),
        *(_mean(column) for column in ("duration_s", "loudness_lufs", _SECONDS_PER_UNIT)),
    )
    known = polars.col("language").is_in([language.value for language in Language])
    enough = polars.col("utterances") >= expectations.thresholds.min_mean_count
    return means.filter(known & enough).sort("language")


def _units(rows: polars.Series) -> polars.Series:
    """Words or characters of each text."""
    known = {language.value: language for language in Language}
    counts = [len(units(row["text"], known[row["language"]])) if row["language"] in known else 0 for row in rows]
    return polars.Series(counts, dtype=polars.Int64)


def _mean(column: str) -> polars.Expr:
    value = polars.col(column)
    whole = (value * _MILLION).round().cast(polars.Int64, strict=False)
    return (whole.sum() / whole.count() / _MILLION).alias(column)


def _suite(table: str, expectations: CatalogExpectations) -> Iterator[Any]:
    """The expectations of one table, each with its finding code in ``meta``."""
    gxe = _expectations()
    if table in (ROWS, UTTERANCES, TURNS):
        for rule in _rules(table, expectations):
            yield gxe.ExpectColumnValuesToBeInSet(column=rule.name, value_set=[0], meta=_meta(rule.code, rule))
    elif table == DIALOGUES:
        yield gxe.ExpectColumnPairValuesToBeEqual(column_A="utterances", column_B="turns", meta=_meta("CATALOG.TURNS"))
    elif table.startswith(MEANS):
        yield from _mean_suite(Language(table.removeprefix(MEANS)), expectations)
    elif table == CELLS:
        yield gxe.ExpectColumnPairValuesToBeEqual(column_A="items", column_B="planned", meta=_meta("CATALOG.QUOTA"))
    elif table == SPEAKERS:
        yield gxe.ExpectColumnValuesToBeBetween(column="splits", max_value=1, meta=_meta("CATALOG.SPLIT_LEAK"))


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
            column=column, min_value=low, max_value=high, meta=_meta("CATALOG.MEAN")
        )


def _examples(
    rows: polars.LazyFrame, table: str, meta: dict[str, str], expectations: CatalogExpectations
) -> tuple[str, ...]:
    """The first items with a row that breaks a rule."""
    broken = [rule for rule in _rules(table, expectations) if rule.name == meta.get("rule")]
    if not broken:
        return ()
    found = _part_of(rows, table).filter(broken[0].wrong.fill_null(False)).select("item_id").head(_SHOWN_VALUES)
    return tuple(str(item) for item in found.collect(engine="streaming")["item_id"])


def _meta(code: str, rule: _Rule | None = None) -> dict[str, str]:
    return {"code": code} if rule is None else {"code": code, "rule": rule.name}


def _validate(
    context: Any, name: str, table: polars.DataFrame, expectations: Iterable[Any]
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """One (plain result, ``meta`` of the expectation) per expectation, in a fixed order."""
    import great_expectations

    suite = great_expectations.ExpectationSuite(name=name, expectations=list(expectations))
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe(name).get_batch({"dataframe": table.to_pandas()})
    answers = [(_plain(result), dict(result.expectation_config.meta)) for result in batch.validate(suite).results]
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


def _finding(
    judge: Judge, table: str, meta: dict[str, str], plain: dict[str, Any], examples: tuple[str, ...]
) -> Finding:
    """``table.column: what is wrong``, with the first items for rules of single rows."""
    result = plain["result"]
    column = plain["arguments"].get("column", plain["arguments"].get("column_A", ""))
    unexpected = result.get("partial_unexpected_list", [])[:_SHOWN_VALUES]
    if "rule" in meta and unexpected:
        column, _, wrong = meta["rule"].partition(".")
        value, detail = unexpected[0], f"{unexpected[0]} {wrong}, such as {', '.join(examples)}"
    elif "unexpected_count" in result:
        value, detail = result["unexpected_count"], f"{result['unexpected_count']} unexpected, such as {unexpected}"
    else:
        value, detail = result.get("observed_value"), f"observed {result.get('observed_value')}"
    detail = result.get("exception") or detail
    return judge.say(
        meta["code"],
        f"{table}.{column}: {plain['expectation']} fails: {detail}",
        value=value if isinstance(value, int | float) else None,
    )
