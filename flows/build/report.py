"""What a build reports: to the person who started it, and as ``build-report.json`` in the work directory."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field

from data_schemas.foundation.base import Record
from flows.common.atomic import write_text_atomic
from flows.release.books import CellCount

#: in the work directory
REPORT_FILE = "build-report.json"


class BuildReport(Record):
    """The figures of a finished build."""

    name: str
    release: str
    work: str
    counts: tuple[CellCount, ...]
    audio_hours: float
    rejects: dict[str, int]
    warnings: dict[str, int]
    #: utterances that judges sent back to the engine, and those that passed then
    spoken_again: int
    mended: int
    wall_seconds: float
    tree_sha256: str
    #: wall time of the phases (``plan``, ``items``, ``publish``); work of all processes (``compose``, ``judge``); time
    #: that shards waited for speech and for their tables (``speak``, ``bind``)
    stage_seconds: dict[str, float] = Field(default_factory=dict)

    @property
    def released(self) -> int:
        return sum(count.released for count in self.counts)

    @property
    def quarantined(self) -> int:
        return sum(count.quarantined for count in self.counts)


def write_report(work_dir: Path, report: BuildReport) -> Path:
    """Write ``build-report.json``; returns where."""
    place = work_dir / REPORT_FILE
    body = report.model_dump(mode="json")
    write_text_atomic(place, json.dumps(body, ensure_ascii=False, indent=1) + "\n")
    return place
