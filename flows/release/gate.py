"""The gate: what the judges of a whole set say of a staged release, and about whom."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars
import pyarrow.parquet

from data_schemas.catalog import CATALOG_SCHEMA
from data_schemas.finding import Finding, sort_findings
from data_schemas.foundation.base import read_jsonl, write_jsonl
from data_schemas.scene import Scene
from data_schemas.script import Script
from data_schemas.tasks import Language, Track
from flows.common.atomic import write_text_atomic
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.release.books import CellCount
from flows.release.shelf import CATALOG_TABLE, FINDINGS_TABLE, ITEMS_TABLE, MEASURES_TABLE, Shelf
from flows.release.texts import ReleaseTexts, read_texts
from flows.shards.tables import findings_of
from flows.timing.distance import timing_json
from flows.timing.report import timing_report
from generators.speech.engine import SpeechEngine
from validators.core.clip_measures import ClipMeasures
from validators.run.tables import decode_measures, measures_frame
from validators.sets.blame import ItemName, blamed_items, unblamed
from validators.sets.catalog import CatalogExpectations, DeclaredEngine, judge_catalog
from validators.sets.dataset import judge_dataset
from validators.sets.set_judges import judge_clips, judge_tables

CATALOG_FILE = "catalog.parquet"
SCRIPTS_FILE = "scripts.jsonl"
VALIDATION = "validation"
#: in the work directory: what the gate found, of a release that did not pass
GATE = "gate"


@dataclass(frozen=True)
class GateVerdict:
    """What the set's judges found: errors about items, by plan id, and errors about nobody in particular."""

    blamed: Mapping[str, tuple[Finding, ...]]
    about_nobody: tuple[Finding, ...]
    texts: ReleaseTexts


def judge_release(
    config: BuildConfig,
    engine: SpeechEngine,
    shelf: Shelf,
    counts: tuple[CellCount, ...],
    staging: Path,
    reporter: Reporter,
) -> GateVerdict:
    """Write catalog, scripts and ``validation/`` of a staged tree, and judge the whole."""
    layouts = tuple(config.layout_of(track) for track in Track if track.value in set(shelf.accepted["track"]))
    write_catalog(shelf, staging / CATALOG_FILE)
    with (staging / SCRIPTS_FILE).open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(line + "\n" for line in shelf.scripts())
    texts = read_texts(read_jsonl(staging / SCRIPTS_FILE, Script), config.validation)
    thresholds, selected = config.validation.at(engine=config.speech.engine), config.validation.selected
    report = judge_catalog(staging / CATALOG_FILE, catalog_expectations(config, engine, counts))
    names = MeasureNames()
    heard = judge_clips(config.name, names.of(_clips(shelf)), thresholds, selected)
    tables = judge_tables(staging, layouts, thresholds, selected - {"lock"})
    survey = judge_dataset(staging, layouts, thresholds)
    found = (*survey, *report.findings, *texts.findings, *heard.findings, *tables.findings)
    validation = staging / VALIDATION
    validation.mkdir(exist_ok=True)
    write_measures(shelf, validation / "measures.parquet", names)
    _write_findings(validation / "findings.jsonl", shelf, found)
    for name, figures in {**heard.reports, **tables.reports, "catalog": report.results}.items():
        _write_json(validation / f"{name}.json", figures)
    _write_json(validation / "diversity.json", texts.diversity.model_dump(mode="json"))
    if Track.DUPLEX.value in set(shelf.accepted["track"]):
        timing = timing_report(_scenes(shelf), config.scenes, config.seed)
        _write_json(validation / "timing.json", timing_json(timing))
    return _verdict(found, report.success, shelf, texts)


def write_catalog(shelf: Shelf, path: Path) -> None:
    """All rows of all accepted items, cell by cell: one row group each, whatever the shards were."""
    write_groups(path, CATALOG_SCHEMA, shelf.by_cell(CATALOG_TABLE))


def write_measures(shelf: Shelf, path: Path, names: MeasureNames) -> None:
    """What was measured of every clip of accepted items, a row each, cell by cell."""
    empty = measures_frame(())
    schema = {**empty.schema, **dict.fromkeys(sorted(names.texts), polars.String)}
    schema |= dict.fromkeys(sorted(names.values), polars.Float64)
    frames = (
        measures_frame([decode_measures(body) for body in frame["body"]]) for frame in shelf.by_cell(MEASURES_TABLE)
    )
    write_groups(path, schema, frames)


def write_groups(path: Path, schema: Mapping[str, Any], frames: Iterable[polars.DataFrame]) -> None:
    """A parquet file with a row group per frame; columns that a frame lacks are null there."""
    empty = polars.DataFrame(schema=schema)
    with pyarrow.parquet.ParquetWriter(path, empty.to_arrow().schema, compression="zstd") as writer:
        for frame in frames:
            if len(frame):
                whole = polars.concat([empty, frame], how="diagonal")
                writer.write_table(whole.to_arrow(), row_group_size=len(whole))


@dataclass
class MeasureNames:
    """Names of all texts and numbers that were measured of clips passing through."""

    texts: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)

    def of(self, clips: Iterable[ClipMeasures]) -> Iterator[ClipMeasures]:
        for clip in clips:
            self.texts |= clip.texts.keys()
            self.values |= clip.values.keys()
            yield clip


def catalog_expectations(
    config: BuildConfig, engine: SpeechEngine, counts: tuple[CellCount, ...]
) -> CatalogExpectations:
    """What the catalog must hold, from the configuration, the engine and the books."""
    return CatalogExpectations(
        items_per_cell={count.cell.key: count.released for count in counts},
        thresholds=config.validation.at(engine=engine.name),
        engines=(DeclaredEngine(name=engine.name, weights_sha256=engine.weights_sha256),),
        loudness_lufs=config.speech.loudness_lufs,
    )


def keep_gate_findings(staging: Path, work_dir: Path) -> Path:
    """Keep ``validation/`` of a release that did not pass; returns where."""
    kept = work_dir / GATE
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(staging / VALIDATION, kept)
    return kept


def _verdict(found: Sequence[Finding], suite_passed: bool, shelf: Shelf, texts: ReleaseTexts) -> GateVerdict:
    accepted = shelf.accepted
    plan_of = {
        ItemName(Language(cell.split("/")[1]), item, script): plan
        for plan, cell, item, script in accepted.select("plan_id", "cell", "item_id", "script_id").iter_rows()
    }
    blamed = {plan_of[item]: said for item, said in blamed_items(found, plan_of).items()}
    about_nobody = unblamed(found, plan_of)
    if not suite_passed and not about_nobody and not blamed:
        raise RuntimeError("the catalog's suite failed and named no expectation: a defect of ours")
    return GateVerdict(blamed, about_nobody, texts)


def _clips(shelf: Shelf) -> Iterator[ClipMeasures]:
    for frame in shelf.by_shard(MEASURES_TABLE):
        yield from (decode_measures(body) for body in frame["body"])


def _scenes(shelf: Shelf) -> Iterator[Scene]:
    for frame in shelf.by_shard(ITEMS_TABLE, ("scene",)):
        yield from (Scene.model_validate_json(scene) for scene in frame["scene"] if scene is not None)


def _write_findings(path: Path, shelf: Shelf, found: Iterable[Finding]) -> None:
    own = (finding for frame in shelf.by_shard(FINDINGS_TABLE) for finding in findings_of(frame))
    write_jsonl(path, sort_findings([*own, *found]))


def _write_json(path: Path, figures: Any) -> None:
    write_text_atomic(path, json.dumps(figures, ensure_ascii=False, indent=1) + "\n")
