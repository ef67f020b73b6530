"""Judging script files that exist: hand-edited, frozen, or from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_schemas.finding import Finding, sort_findings
from data_schemas.foundation.base import RecordError
from generators.scripts.packs import SCRIPT_SUFFIX
from generators.scripts.script_file import read_script_files
from validators.core.thresholds import Thresholds
from validators.text.diversity import DiversityMeter, DiversityReport, judge_collapse
from validators.text.exclusions import read_exclusions
from validators.text.near_duplicates import NearDuplicates
from validators.text.rules import judge_scripts


def check_files(
    files: Sequence[Path], exclude: Sequence[Path], thresholds: Thresholds | None = None
) -> tuple[int, tuple[Finding, ...], DiversityReport]:
    """Number of scripts, everything wrong with them, and how varied they are.

    Raises:
        RecordError: a file cannot be read as scripts; names file, line and field.
    """
    limits = thresholds or Thresholds()
    scripts = read_script_files(path for file in files for path in _script_files(file))
    near = NearDuplicates(limits)
    for place, text in read_exclusions(exclude):
        near.exclude(place, text)
    meter = DiversityMeter()
    findings = list(judge_scripts(scripts, limits))
    for script in scripts:
        findings += near.judge(script)
        near.add(script)
        meter.add(script)
    report = meter.report()
    findings += judge_collapse(report, limits)
    return len(scripts), tuple(sort_findings(findings)), report


def _script_files(place: Path) -> tuple[Path, ...]:
    files = (place,) if place.is_file() else tuple(sorted(place.glob(f"*{SCRIPT_SUFFIX}")))
    if not files:
        what = f"the directory holds no {SCRIPT_SUFFIX} file" if place.is_dir() else "no such file or directory"
        raise RecordError(f"{place}: {what}; name script files ({SCRIPT_SUFFIX}) or directories of them")
    return files
