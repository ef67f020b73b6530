"""The judges of a whole set: over what was measured of every utterance, and over rows, texts and tables."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars

from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem, Layout
from data_schemas.release import read_lock
from validators.core.clip_measures import ClipMeasures
from validators.core.judges import Selection
from validators.core.thresholds import Thresholds
from validators.emotion.acoustic_features import VECTOR as EGEMAPS
from validators.emotion.directions import judge_prosody
from validators.emotion.recovery import judge_recovery, recover_emotions
from validators.files.lock import LOCK_FILE
from validators.sets.agreement import judge_agreement
from validators.sets.balance import judge_balance
from validators.sets.catalog import CATALOG_FILE, CatalogReport, expectations_from_lock, judge_catalog
from validators.sets.dataset import read_items
from validators.sets.fingerprint import judge_duplicate_audio
from validators.sets.set_texts import ExcludedTexts, judge_texts, texts_of
from validators.voices.speaker_encoder import SECONDS as SPEAKER_SECONDS
from validators.voices.speaker_encoder import VECTOR as SPEAKER
from validators.voices.speakers import judge_set_speakers


@dataclass(frozen=True)
class SetVerdict:
    """Findings, and figures about the whole set by judge (plain JSON)."""

    findings: tuple[Finding, ...] = ()
    reports: Mapping[str, object] = field(default_factory=dict)


def judge_clips(
    name: str,
    clips: Iterable[ClipMeasures],
    thresholds: Thresholds,
    selected: Selection,
    excluded: Iterable[ClipMeasures] = (),
) -> SetVerdict:
    """What the selected judges say of all utterances of the data set ``name`` together.

    ``clips`` are read once. Of each only what its judges compare is kept: labels, its voice (1 kB), the numbers of an
    emotional utterance, and 20 bytes per 24 ms of sound.
    """
    findings: list[Finding] = []
    reports: dict[str, object] = {}
    voiced: list[ClipMeasures] = []
    emotional: list[ClipMeasures] = []

    def passing() -> Iterator[ClipMeasures]:
        for clip in clips:
            if "speakers" in selected and SPEAKER in clip.vectors and clip.speaker is not None:
                voiced.append(_with(clip, vectors=(SPEAKER,), values=(SPEAKER_SECONDS,)))
            if selected & {"prosody", "emotion"} and clip.emotion is not None and clip.is_dry:
                emotional.append(_with(clip, vectors=(EGEMAPS,), values=clip.values))
            yield clip

    if "fingerprint" in selected:
        heard = judge_duplicate_audio(passing(), thresholds, excluded)
    else:
        heard = ()
        deque(passing(), maxlen=0)
    if "speakers" in selected:
        findings += judge_set_speakers(voiced, thresholds)
    findings += heard
    if "prosody" in selected:
        said, report = judge_prosody(emotional, thresholds)
        findings += said
        reports["prosody"] = report.model_dump(mode="json")
    if selected & {"prosody", "emotion"}:
        recovery = recover_emotions(emotional)
        findings += judge_recovery(recovery, thresholds, name)
        reports["emotion"] = recovery.model_dump(mode="json")
    return SetVerdict(tuple(findings), reports)


def _with(clip: ClipMeasures, vectors: Iterable[str], values: Iterable[str]) -> ClipMeasures:
    """The clip with these of its vectors and numbers alone."""
    return replace(
        clip,
        values={sys.intern(name): clip.values[name] for name in values if name in clip.values},
        texts={},
        vectors={name: clip.vectors[name] for name in vectors if name in clip.vectors},
    )


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
    except (OSError, ValueError):
        return None
    try:
        return judge_catalog(root / CATALOG_FILE, expectations_from_lock(lock, thresholds))
    except (OSError, polars.exceptions.PolarsError):
        return None
