"""The gate: what the judges of a whole set say of a staged release, and about whom."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars
import pyarrow.parquet

from data_schemas.finding import Finding, Severity, sort_findings
from data_schemas.foundation.base import read_jsonl, write_jsonl
from data_schemas.scene import Scene
from data_schemas.script import Script
from data_schemas.tasks import Track
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
from validators.run.tables import decode_measures, measures_frame, parquet_bytes
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
    (staging / SCRIPTS_FILE).write_text("", encoding="utf-8")
    with (staging / SCRIPTS_FILE).open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(line + "\n" for line in shelf.scripts())
    texts = read_texts(read_jsonl(staging / SCRIPTS_FILE, Script), config.validation)
    thresholds, selected = config.validation.at(engine=config.speech.engine), config.validation.selected
    report = judge_catalog(polars.read_parquet(staging / CATALOG_FILE), catalog_expectations(config, engine, counts))
    clips = list(_clips(shelf))
    heard = judge_clips(config.name, clips, thresholds, selected)
    tables = judge_tables(staging, layouts, thresholds, selected - {"lock"})
    survey = judge_dataset(staging, layouts, thresholds)
    found = (*survey, *report.findings, *texts.findings, *heard.findings, *tables.findings)
    validation = staging / VALIDATION
    validation.mkdir(exist_ok=True)
    (validation / "measures.parquet").write_bytes(parquet_bytes(measures_frame(clips)))
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
    writer = None
    try:
        for frame in shelf.by_cell(CATALOG_TABLE):
            table = frame.to_arrow()
            if writer is None:
                writer = pyarrow.parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=len(frame))
    finally:
        if writer is not None:
            writer.close()


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


def _verdict(found: Iterable[Finding], suite_passed: bool, shelf: Shelf, texts: ReleaseTexts) -> GateVerdict:
    plan_of = shelf.plan_of()
    of_script = dict(zip(shelf.accepted["script_id"], shelf.accepted["plan_id"], strict=True))
    blamed: dict[str, list[Finding]] = {}
    about_nobody = []
    for finding in found:
        if finding.severity is not Severity.ERROR:
            continue
        plan_id = plan_of.get(finding.item) or of_script.get(finding.item)
        if plan_id is None:
            about_nobody.append(finding)
        else:
            blamed.setdefault(plan_id, []).append(finding)
    if not suite_passed and not about_nobody and not blamed:
        raise RuntimeError("the catalog's suite failed and named no expectation: a defect of ours")
    return GateVerdict({plan: tuple(said) for plan, said in sorted(blamed.items())}, tuple(about_nobody), texts)


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
