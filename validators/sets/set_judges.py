"""The judges of a whole set: over what was measured of every utterance, and over rows, texts and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars

from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem, Layout
from data_schemas.release import read_lock
from validators.core.clip_measures import ClipMeasures
from validators.core.judges import Selection
from validators.core.thresholds import Thresholds
from validators.emotion.directions import judge_prosody
from validators.emotion.recovery import judge_recovery, recover_emotions
from validators.files.lock import LOCK_FILE
from validators.sets.agreement import judge_agreement
from validators.sets.balance import judge_balance
from validators.sets.catalog import CATALOG_FILE, CatalogReport, expectations_from_lock, judge_catalog
from validators.sets.dataset import read_items
from validators.sets.fingerprint import judge_duplicate_audio
from validators.sets.set_texts import ExcludedTexts, judge_texts, texts_of
from validators.voices.speakers import judge_set_speakers


@dataclass(frozen=True)
class SetVerdict:
    """Findings, and figures about the whole set by judge (plain JSON)."""

    findings: tuple[Finding, ...] = ()
    reports: Mapping[str, object] = field(default_factory=dict)


def judge_clips(
    name: str,
    clips: Sequence[ClipMeasures],
    thresholds: Thresholds,
    selected: Selection,
    excluded: Sequence[ClipMeasures] = (),
) -> SetVerdict:
    """What the selected judges say of all utterances of the data set ``name`` together."""
    findings: list[Finding] = []
    reports: dict[str, object] = {}
    if "speakers" in selected:
        findings += judge_set_speakers(clips, thresholds)
    if "fingerprint" in selected:
        findings += judge_duplicate_audio(clips, thresholds, excluded)
    if "prosody" in selected:
        said, report = judge_prosody(clips, thresholds)
        findings += said
        reports["prosody"] = report.model_dump(mode="json")
    if selected & {"prosody", "emotion"}:
        recovery = recover_emotions(clips)
        findings += judge_recovery(recovery, thresholds, name)
        reports["emotion"] = recovery.model_dump(mode="json")
    return SetVerdict(tuple(findings), reports)


def judge_tables(
    root: Path,
    layouts: Sequence[Layout],
    thresholds: Thresholds,
    selected: Selection,
    excluded: ExcludedTexts | None = None,
) -> SetVerdict:
    """What the selected judges say of rows, texts, catalog and lock together; audio is not opened."""

    def items() -> Iterator[FoundItem]:
        return (entry for entry in read_items(root, layouts) if isinstance(entry, FoundItem))

    findings: list[Finding] = []
    reports: dict[str, object] = {}
    if "texts" in selected:
        findings += judge_texts(((found, texts_of(found, root)) for found in items()), thresholds, excluded)
    if "balance" in selected:
        findings += judge_balance(root, items(), thresholds)
    if "catalog" in selected:
        findings += judge_agreement(root, items())
        report = judge_stored_catalog(root, thresholds)
        if report is not None:
            findings += report.findings
            reports["catalog"] = report.results
    return SetVerdict(tuple(findings), reports)


def judge_stored_catalog(root: Path, thresholds: Thresholds) -> CatalogReport | None:
    """The suite that the release's own lock asks for, on its own catalog; None without a lock or a catalog.

    A catalog or lock that cannot be read is reported by the judges ``catalog`` (agreement) and ``lock``.
    """
    try:
        lock = read_lock(root / LOCK_FILE)
        frame = polars.read_parquet(root / CATALOG_FILE)
    except (OSError, ValueError, polars.exceptions.PolarsError):
        return None
    return judge_catalog(frame, expectations_from_lock(lock, thresholds))
