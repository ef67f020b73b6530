"""Atomic publish: a release is staged beside its target, judged, locked and renamed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars

from data_schemas.foundation.base import RecordError
from data_schemas.release import DatasetLock, read_lock
from data_schemas.tasks import Track
from flows.common.atomic import write_text_atomic
from flows.common.code_version import code_version
from flows.common.errors import GateFailed, TargetError
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.prepare.identity import changes_since
from flows.prepare.resolve import Parts, Prepared
from flows.release.books import CellCount
from flows.release.card import dataset_card, resource_declaration
from flows.release.gate import GateVerdict, judge_release, keep_gate_findings
from flows.release.lock import lock_head, write_lock
from flows.release.quarantine import QUARANTINE
from flows.release.shelf import Shelf
from flows.release.speech_report import SPEECH_FILE, speech_report
from flows.release.stage import PARTIAL_MARK, fresh_staging, move_to
from flows.release.tree import with_others, write_tree
from generators.scripts.packs import load_packs
from validators.files.lock import LOCK_FILE

#: Rounds over all items that publishing takes, as its progress is told.
PASSES = 3


@dataclass(frozen=True)
class Staged:
    """A release that is made and judged, and not yet there."""

    folder: Path
    files: polars.DataFrame
    verdict: GateVerdict


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


def stage(
    config: BuildConfig, prepared: Prepared, shelf: Shelf, counts: tuple[CellCount, ...], reporter: Reporter
) -> Staged:
    """Lay out all accepted items beside the target and have the set's judges look at them.

    Raises:
        TargetError: something that no build made is in the way.
        GateFailed: errors about nobody in particular; nothing was published.
    """
    staging = fresh_staging(config.release_dir)
    items = len(shelf.accepted)
    reporter.expect("publish", PASSES * items)
    files = write_tree(shelf, staging, reporter)
    verdict = judge_release(config, prepared.engine, shelf, counts, staging, reporter)
    reporter.advance("publish", items)
    if verdict.about_nobody:
        kept = keep_gate_findings(staging, config.work_dir)
        first = verdict.about_nobody[0]
        codes = Counter(found.code for found in verdict.about_nobody)
        raise GateFailed(
            f"the assembled set did not pass: {', '.join(f'{code} x{count}' for code, count in codes.most_common())}, "
            f"about no item in particular (first: {first.code} {first.item}: {first.message}). Nothing was published; "
            f"all findings are in {kept}, rejected items in {config.work_dir / QUARANTINE}"
        )
    return Staged(staging, files, verdict)


def finish(
    config: BuildConfig,
    prepared: Prepared,
    staged: Staged,
    shelf: Shelf,
    counts: tuple[CellCount, ...],
    reporter: Reporter,
) -> DatasetLock:
    """Write card, papers and lock of a staged release that passed, and move it to its target.

    Returns:
        The lock without its list of files.

    Raises:
        TargetError: something was put at the target meanwhile.
    """
    staging, target, texts = staged.folder, config.release_dir, staged.verdict.texts
    spoken = speech_report(shelf, config.speech.tries)
    write_text_atomic(staging / SPEECH_FILE, json.dumps(spoken, ensure_ascii=False, indent=1) + "\n")
    write_text_atomic(staging / "README.md", dataset_card(config, prepared, counts, accepted_seconds(shelf), texts))
    write_text_atomic(staging / "RESOURCES.md", resource_declaration(config, prepared, texts))
    files = with_others(staged.files, staging, left_out=(staging / PARTIAL_MARK,))
    head = lock_head(config, prepared, counts, files)
    write_lock(staging, head, files)
    existing = check_target(config)
    if existing is not None:  # put there by hand meanwhile
        if existing.tree_sha256 != head.tree_sha256:
            raise TargetError(
                f"release: {target} was filled with another release of this configuration while this one was made; run "
                "the same command again with --set release=DIR"
            )
        shutil.rmtree(staging)
    else:
        (staging / PARTIAL_MARK).unlink()
        move_to(staging, target)
    reporter.advance("publish", len(shelf.accepted))
    return head


def accepted_seconds(shelf: Shelf) -> dict[Track, float]:
    """Seconds of user-channel audio per track, in the order of the items."""
    seconds = dict.fromkeys(Track, 0.0)
    for track, value in zip(shelf.accepted["track"], shelf.accepted["audio_seconds"], strict=True):
        seconds[Track(track)] += value
    return seconds
