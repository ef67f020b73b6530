"""What `flows.prepare.resolve` and the build still call by former names; to be deleted with their next version."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data_schemas.plan import Outline, QuotaCell
from data_schemas.script import Script
from data_schemas.speakers import Speaker
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.scripts import replay
from flows.scripts.phase import ScriptPhase, short_of_scripts
from flows.scripts.report import REPORT_FILE, ScriptReport
from flows.scripts.wanted import wanted_scripts

__all__ = ["WrittenScripts", "keep_report", "open_factory", "short_of_scripts", "wanted_scripts"]


class WrittenScripts(replay.WrittenScripts):
    @property
    def scripts(self) -> tuple[Script, ...]:
        return tuple(self.frozen.values())

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        self.have_ready(cell, count, 0)
        return super().take(cell, count)


def open_factory(config: BuildConfig, speakers: Iterable[Speaker], base_dir: Path, reporter: Reporter) -> ScriptPhase:
    return ScriptPhase(config, base_dir, speakers, reporter)


def keep_report(config: BuildConfig, report: ScriptReport) -> Path:
    del report
    return config.work_dir / "scripts" / REPORT_FILE
