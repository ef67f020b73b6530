"""What earlier runs found of a data set that has not changed since, beside what a narrower run finds now.

Pure functions. A part of the outcome (the findings of one validator, a report, columns of measures) belongs to judges:
it is replaced by a run that asked all the judges it was made by, and stays otherwise.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars

from data_schemas.finding import Finding, sort_findings
from data_schemas.foundation.base import Record, dump_json
from validators.core.judges import Selection
from validators.core.settings import ValidationSettings
from validators.run.directory import JudgeOrder, ValidationResult
from validators.run.tables import measures_frame

_DIGITS = 12
#: what a row of measures is known by
_ROW = ("item", "clip", "file", "start_s")

_STRUCTURE, _CATALOG, _SET = frozenset({"structure"}), frozenset({"catalog"}), frozenset({"set"})
#: prosody alone tells less of it than both
_RECOVERY = frozenset({"prosody", "emotion"})
#: by validator (a finding's, without its version): the judges that people choose it by
OWNERS: Mapping[str, Selection] = {
    "structure_track1": _STRUCTURE,
    "structure_track2": _STRUCTURE,
    "events": _STRUCTURE,
    "manifests": _SET,
    "dataset": _SET,
    "set_texts": frozenset({"texts"}),
    "agreement": _CATALOG,
    "emotion_directions": frozenset({"prosody"}),
    "emotion_recovery": _RECOVERY,
} | {
    name: frozenset({name})
    for name in (
        *("audio", "language", "timeline", "overlap", "segments", "diarization", "sound", "quality", "transcript"),
        *("speakers", "fingerprint", "balance", "catalog", "lock"),
    )
}
#: said by the judge of rows in the name of the timeline
_BY_CODE = {"T2.MICROPHONE": _STRUCTURE}
_REPORTS = {"emotion": _RECOVERY}


class JudgeRun(Record):
    """One judge's last run."""

    #: ISO 8601, UTC
    at: str
    code_version: str
    #: of thresholds, engine and excluded sets
    settings: str


class Judged(Record):
    """``judged.json``: which judges the files beside it are of."""

    #: `data_state` of the data set
    data: str
    runs: dict[str, JudgeRun]
    reports: tuple[str, ...]
    #: sha256 of the tables: those of a run that was killed while it wrote belong to no judges
    tables: dict[str, str]


@dataclass(frozen=True)
class Earlier:
    """What the folder held before."""

    judged: Judged
    findings: tuple[Finding, ...]
    measures: polars.DataFrame


@dataclass(frozen=True)
class Whole:
    """What the folder holds after a run."""

    findings: tuple[Finding, ...]
    measures: polars.DataFrame
    runs: Mapping[str, JudgeRun]
    #: reports to be written, and those that stay as they are
    reports: Mapping[str, object]
    kept_reports: tuple[str, ...]
    #: judges whose part is an earlier run's
    kept: tuple[str, ...] = ()
    #: judges that were not asked now, and whose earlier part is of other data
    outdated: tuple[str, ...] = ()

    def kept_findings(self) -> int:
        """How many are an earlier run's."""
        return sum(bool(owners_of(finding) & set(self.kept)) for finding in self.findings)


def data_state(root: Path, without: Path) -> str:
    """Digest over path, size and time of every file below ``root``, but for what lies in ``without``; opens none."""
    digest = hashlib.sha256()
    visited = {without.resolve()}
    for folder, folders, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            seen = path.stat() if path.exists() else path.lstat()  # a link to nowhere is the judges' to tell
            place = os.fsencode(path.relative_to(root).as_posix())
            digest.update(b"%s\0%d\0%d\n" % (place, seen.st_size, seen.st_mtime_ns))
    return digest.hexdigest()


def settings_digest(order: JudgeOrder) -> str:
    """Of what decides findings besides the data: thresholds, engine, excluded sets."""
    settings = order.settings
    skipped = {"skip"} if isinstance(settings, ValidationSettings) else None
    excluded = sorted(str(path) for path in order.excluded)
    text = dump_json([settings.model_dump(mode="json", exclude=skipped), order.engine, excluded])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def owners_of(finding: Finding) -> Selection:
    """The judges that said it; none where this version does not know."""
    return _BY_CODE.get(finding.code) or OWNERS.get(finding.validator.partition("/")[0], frozenset())


def stays(owners: Selection, before: Selection, now: Selection) -> bool:
    """Whether a part of an earlier run that asked ``before`` outlives one that asks ``now``.

    >>> stays(frozenset({"quality"}), frozenset({"quality", "lock"}), frozenset({"lock"}))
    True
    >>> stays(frozenset({"prosody", "emotion"}), frozenset({"prosody", "emotion"}), frozenset({"prosody"}))
    True
    >>> stays(frozenset({"prosody", "emotion"}), frozenset({"prosody"}), frozenset({"emotion"}))
    False
    """
    return owners & before > owners & now


def together(earlier: Earlier | None, result: ValidationResult, data: str, selected: Selection, run: JudgeRun) -> Whole:
    """What ``selected`` found now, and what others found before of the same data."""
    measures = measures_frame(result.clips)
    runs = dict.fromkeys(sorted(selected), run)
    before = frozenset(() if earlier is None else earlier.judged.runs)
    if earlier is None or earlier.judged.data != data:
        outdated = tuple(sorted(before - selected))
        return Whole(tuple(sort_findings(result.findings)), measures, runs, result.reports, (), outdated=outdated)
    old = [finding for finding in earlier.findings if stays(owners_of(finding), before, selected)]
    new = [finding for finding in result.findings if not stays(owners_of(finding), before, selected)]
    kept_reports = tuple(name for name in earlier.judged.reports if stays(_report_owners(name), before, selected))
    kept = tuple(sorted(before - selected))
    return Whole(
        findings=tuple(sort_findings([*old, *new])),
        measures=_joined(measures, earlier.measures),
        runs=dict(sorted((runs | {name: earlier.judged.runs[name] for name in kept}).items())),
        reports={name: figures for name, figures in result.reports.items() if name not in kept_reports},
        kept_reports=kept_reports,
        kept=kept,
    )


def _report_owners(name: str) -> Selection:
    return _REPORTS.get(name, frozenset({name}))


def _joined(now: polars.DataFrame, before: polars.DataFrame) -> polars.DataFrame:
    """Columns of both, of the same utterances; what was measured in both is now's."""
    if now.is_empty() or before.is_empty():
        return before if now.is_empty() else now
    others = [name for name in before.columns if name not in now.columns]
    found = now.join(before.select(*_ROW, *others), on=_ROW, how="left", maintain_order="left")
    labels = len(measures_frame(()).columns)
    texts = sorted(name for name in found.columns[labels:] if found.schema[name] == polars.String)
    numbers = sorted(name for name in found.columns[labels:] if found.schema[name] != polars.String)
    return found.select(*found.columns[:labels], *texts, *numbers)
