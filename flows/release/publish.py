"""Atomic publish: a release is staged beside its target, gated, locked and renamed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_schemas.finding import Severity, sort_findings
from data_schemas.foundation.base import RecordError, read_jsonl, write_jsonl
from data_schemas.item import Item
from data_schemas.layouts.base import Layout
from data_schemas.layouts.track2_rows import scene_of
from data_schemas.layouts.writer import write_items
from data_schemas.release import DatasetLock, FileEntry, LockedCount, read_lock, tree_sha256
from data_schemas.script import Script
from data_schemas.tasks import Track
from flows.common.atomic import sha256_of, write_text_atomic
from flows.common.code_version import code_version
from flows.common.errors import GateFailed, TargetError
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.prepare.identity import changes_since, locked_engine, locked_models, scripts_sha256, voices_sha256
from flows.prepare.resolve import Parts, Prepared
from flows.release.books import CellCount
from flows.release.card import dataset_card, resource_declaration
from flows.release.catalog import catalog_frame
from flows.release.speech_report import SPEECH_FILE, speech_report
from flows.release.stage import PARTIAL_MARK, fresh_staging, move_to
from flows.release.texts import ReleaseTexts, read_texts
from flows.shards.blame import Retake
from flows.shards.ledger import ItemOutcome
from flows.shards.steps import ITEM_FILE, MEASURES_FILE, STAGED
from flows.timing.distance import timing_json
from flows.timing.report import timing_report
from generators.scripts.packs import load_packs
from generators.scripts.script_file import write_script_file
from generators.speech.engine import SpeechEngine
from validators.files.lock import LOCK_FILE
from validators.run.tables import measures_frame, parquet_bytes, read_measures
from validators.sets.catalog import CatalogExpectations, DeclaredEngine, judge_catalog
from validators.sets.dataset import judge_dataset
from validators.sets.set_judges import judge_clips, judge_tables

#: the frozen scripts of the released items: with ``scripts.pack: [that file]`` they can be spoken again
SCRIPTS_FILE = "scripts.jsonl"
LOCK_FORMAT = 1


@dataclass(frozen=True)
class Accepted:
    """An accepted item and the directory of its work files."""

    outcome: ItemOutcome
    directory: Path

    def item(self) -> Item:
        return Item.model_validate_json((self.directory / ITEM_FILE).read_text(encoding="utf-8"))


def check_target(config: BuildConfig) -> DatasetLock | None:
    """The lock of a release of the same configuration and code at the target, or None when the target is free.

    Raises:
        TargetError: another release, or files that are not ours, lie there.
    """
    target = config.release_dir
    if not target.exists():
        return None
    if not target.is_dir():
        raise TargetError(f"release: {target} is a file; choose another place with --set release=DIR")
    if not any(target.iterdir()):
        return None
    lock_file = target / LOCK_FILE
    if not lock_file.exists():
        raise TargetError(
            f"release: {target} holds files that are not a release of ours; nothing was touched. "
            "Choose another place with --set release=DIR, or move them away"
        )
    lock = _lock_at_target(lock_file)
    if lock.config == config.recipe() and lock.code_version == code_version():
        return lock
    raise TargetError(
        f"release: {target} already holds release {lock.name!r} (tree {lock.tree_sha256[:12]}) made from another "
        "configuration or code version; nothing was touched. Choose another place with --set release=DIR, "
        "or remove it yourself"
    )


def check_same_inputs(config: BuildConfig, lock: DatasetLock, parts: Parts, base_dir: Path) -> None:
    """Whether a build would still be made from what the release at the target was made from; a pack is read for that.

    Raises:
        TargetError: it would not; the sentence says what has changed.
        RecordError: a pack is gone or broken.
    """
    scripts = load_packs(config.scripts, base_dir) if config.scripts.writer == "pack" else None
    changes = "; ".join(changes_since(lock, parts.engine, parts.models, parts.speakers, scripts))
    if changes:
        raise TargetError(
            f"release: {config.release_dir} already holds release {lock.name!r} (tree {lock.tree_sha256[:12]}) of this "
            f"configuration, and since it was made {changes}; nothing was touched. Choose another place with "
            "--set release=DIR, or remove it yourself"
        )


def _lock_at_target(lock_file: Path) -> DatasetLock:
    try:
        return read_lock(lock_file)
    except RecordError as error:
        raise TargetError(
            f"release: {error}; nothing was touched. Choose another place with --set release=DIR, or remove "
            f"{lock_file.parent} yourself"
        ) from error


def publish(
    config: BuildConfig,
    prepared: Prepared,
    accepted: Sequence[Accepted],
    counts: tuple[CellCount, ...],
    retakes: Sequence[Retake],
    reporter: Reporter,
) -> DatasetLock:
    """Stage, gate, lock and rename. ``retakes`` are those of all items, rejected ones too.

    Raises:
        GateFailed: set-level judges or the catalog's suite found errors; nothing was published.
        TargetError: something was put at the target meanwhile.
    """
    target = config.release_dir
    staging = fresh_staging(target)
    reporter.expect("publish", 4)
    layouts = _write_tree(config, accepted, staging)
    reporter.advance("publish")
    write_script_file(staging / SCRIPTS_FILE, _scripts(accepted))
    texts = read_texts(read_jsonl(staging / SCRIPTS_FILE, Script), config.validation)
    _gate(config, prepared, accepted, counts, layouts, texts, staging)
    spoken = speech_report((entry.item() for entry in accepted), retakes, config.speech.tries)
    write_text_atomic(staging / SPEECH_FILE, json.dumps(spoken, ensure_ascii=False, indent=1) + "\n")
    reporter.advance("publish")
    write_text_atomic(staging / "README.md", dataset_card(config, prepared, counts, accepted_seconds(accepted), texts))
    write_text_atomic(staging / "RESOURCES.md", resource_declaration(config, prepared, texts))
    lock = make_lock(config, prepared, counts, staging)
    reporter.advance("publish")
    write_text_atomic(
        staging / LOCK_FILE, json.dumps(lock.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
    )
    existing = check_target(config)
    if existing is not None:  # put there by hand meanwhile
        if existing.tree_sha256 != lock.tree_sha256:
            raise TargetError(
                f"release: {target} was filled with another release of this configuration while this one was made; run "
                "the same command again with --set release=DIR"
            )
        shutil.rmtree(staging)
        return existing
    (staging / PARTIAL_MARK).unlink()
    move_to(staging, target)
    reporter.advance("publish")
    return lock


def accepted_seconds(accepted: Sequence[Accepted]) -> dict[Track, float]:
    """Seconds of user-channel audio per track."""
    seconds = dict.fromkeys(Track, 0.0)
    for entry in accepted:
        seconds[entry.outcome.cell.task.track] += entry.outcome.audio_seconds
    return seconds


def _write_tree(config: BuildConfig, accepted: Sequence[Accepted], staging: Path) -> tuple[Layout, ...]:
    layouts = []
    for track in Track:
        mine = [entry for entry in accepted if entry.outcome.cell.task.track is track]
        if mine:
            layout = config.layout_of(track)
            write_items(staging, layout, ((entry.item(), entry.directory / STAGED) for entry in mine))
            layouts.append(layout)
    return tuple(layouts)


def _catalog_items(config: BuildConfig, accepted: Sequence[Accepted]) -> Iterator[tuple[Item, Layout]]:
    for entry in sorted(accepted, key=lambda entry: entry.outcome.plan_id):
        item = entry.item()
        yield item, config.layout_of(item.plan.task.track)


def _scripts(accepted: Sequence[Accepted]) -> Iterator[Script]:
    """By script id: which of two near-duplicates is named does not depend on the plans."""
    for entry in sorted(accepted, key=lambda entry: entry.outcome.script_id or ""):
        yield entry.item().script


def _gate(
    config: BuildConfig,
    prepared: Prepared,
    accepted: Sequence[Accepted],
    counts: tuple[CellCount, ...],
    layouts: tuple[Layout, ...],
    texts: ReleaseTexts,
    staging: Path,
) -> None:
    frame = catalog_frame(_catalog_items(config, accepted))
    (staging / "catalog.parquet").write_bytes(parquet_bytes(frame))
    report = judge_catalog(frame, catalog_expectations(config, prepared.engine, counts))
    item_findings = [finding for entry in accepted for finding in entry.outcome.findings]
    clips = [clip for entry in accepted for clip in read_measures(entry.directory / MEASURES_FILE)]
    thresholds, selected = config.validation.at(engine=config.speech.engine), config.validation.selected
    heard = judge_clips(config.name, clips, thresholds, selected)
    tables = judge_tables(staging, layouts, thresholds, selected - {"lock"})
    set_findings = [
        *judge_dataset(staging, layouts, thresholds),
        *report.findings,
        *texts.findings,
        *heard.findings,
        *tables.findings,
    ]
    validation = staging / "validation"
    validation.mkdir(exist_ok=True)
    (validation / "measures.parquet").write_bytes(parquet_bytes(measures_frame(clips)))
    for name, figures in {**heard.reports, **tables.reports}.items():
        write_text_atomic(validation / f"{name}.json", json.dumps(figures, ensure_ascii=False, indent=1) + "\n")
    write_jsonl(validation / "findings.jsonl", sort_findings([*item_findings, *set_findings]))
    write_text_atomic(validation / "catalog.json", json.dumps(report.results, ensure_ascii=False, indent=1) + "\n")
    duplex = [entry for entry in accepted if entry.outcome.cell.task.track is Track.DUPLEX]
    if duplex:
        timing = timing_report((scene_of(entry.item()) for entry in duplex), config.scenes, config.seed)
        write_text_atomic(
            validation / "timing.json", json.dumps(timing_json(timing), ensure_ascii=False, indent=1) + "\n"
        )
    write_text_atomic(
        validation / "diversity.json",
        json.dumps(texts.diversity.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n",
    )
    errors = [finding for finding in set_findings if finding.severity is Severity.ERROR]
    if errors or not report.success:
        kept = config.work_dir / "gate"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(validation, kept)
        first = errors[0] if errors else None
        detail = f"{first.code} {first.item}: {first.message}" if first else "the catalog's suite failed"
        raise GateFailed(
            f"the assembled set did not pass ({len(errors)} errors; first: {detail}); nothing was published. "
            f"All findings: {kept}"
        )


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


def make_lock(config: BuildConfig, prepared: Prepared, counts: tuple[CellCount, ...], root: Path) -> DatasetLock:
    """The lock of everything below ``root``. Holds no time and no place, so that a rebuild equals it."""
    entries = tuple(
        FileEntry(path=path.relative_to(root).as_posix(), sha256=sha256_of(path), bytes=path.stat().st_size)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path != root / PARTIAL_MARK
    )
    entries = tuple(sorted(entries, key=lambda entry: entry.path))
    return DatasetLock(
        format_version=LOCK_FORMAT,
        name=config.name,
        seed=config.seed,
        config=config.recipe(),
        code_version=prepared.code,
        engines=(locked_engine(prepared.engine),),
        models=locked_models(prepared.models),
        scripts_sha256=scripts_sha256(prepared.scripts) if config.scripts.writer == "pack" else None,
        voices_sha256=voices_sha256(prepared.engine, prepared.speakers),
        counts=tuple(LockedCount(**count.model_dump()) for count in counts),
        files=entries,
        tree_sha256=tree_sha256(entries),
    )
