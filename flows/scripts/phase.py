"""The scripts phase: all scripts that a configuration needs, frozen to one file that is replayed like a pack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_schemas.plan import Place, QuotaCell
from data_schemas.speakers import Speaker
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.scripts.factory import FactoryParts, ScriptFactory
from flows.scripts.reading import Reader
from flows.scripts.report import ScriptReport
from flows.scripts.settings import llm_settings
from flows.scripts.spool import QUARANTINE_FILE, ScriptSpool
from flows.scripts.wanted import draw_outlines, wanted_scripts
from generators.remote.answers import AnswerStore
from generators.remote.errors import EndpointError
from generators.scripts.frozen import FrozenScripts
from generators.scripts.llm.llm_writer import LlmWriter

SCRIPTS_FOLDER = "scripts"
ANSWERS_FILE = "answers.sqlite3"
FROZEN_FILE = "scripts.jsonl"
SHOWN_CODES = 6


@dataclass(frozen=True)
class ScriptsOnDisk:
    """What a scripts phase leaves."""

    #: the frozen file, sorted by id
    path: Path
    #: its scripts, each read when it is asked for
    scripts: FrozenScripts
    report: ScriptReport

    @property
    def counts(self) -> Counter[Place]:
        """Scripts per place."""
        return self.scripts.counts()


class ScriptPhase:
    """Writes scripts to ``target`` (``work/<name>/scripts/scripts.jsonl`` by default), and more of them for top-ups.

    Every call of `write` leaves whole files behind and holds none open.

    Raises:
        RecordError: a catalogue or an exclusion file cannot be read.
    """

    def __init__(
        self,
        config: BuildConfig,
        base_dir: Path,
        speakers: Iterable[Speaker],
        reporter: Reporter,
        target: Path | None = None,
        retry_failed: bool = False,
    ) -> None:
        self.folder = config.work_dir / SCRIPTS_FOLDER
        self._target = target or self.folder / FROZEN_FILE
        self._factory = open_factory(config, speakers, base_dir, reporter, retry_failed)
        self._has_written = False

    def write(self, more: Mapping[Place, int]) -> ScriptsOnDisk:
        """Have ``more`` scripts written per place than were asked for before; all there are then stand in the file.

        Where scripts have been written before, a server that is away is told by ``report.stopped``.

        Raises:
            EndpointError: it is away and nothing was frozen before; the report is written all the same.
        """
        try:
            report = self._factory.fill(more)
        except EndpointError:
            if not self._has_written:
                raise
            report = self._factory.report()
        scripts = self._factory.freeze(self._target)
        self._has_written = True
        return ScriptsOnDisk(self._target, scripts, report)

    def still_owed(self, place: Place) -> int:
        """How many of the scripts that were asked for a place does not have."""
        return self._factory.still_owed(place)


def write_scripts(
    config: BuildConfig,
    base_dir: Path,
    speakers: Iterable[Speaker],
    quota: Sequence[tuple[QuotaCell, int]],
    reporter: Reporter,
    more: Mapping[Place, int] | None = None,
) -> ScriptsOnDisk:
    """The scripts that a quota needs with its spares, then ``more``: written, or found among kept answers.

    Raises:
        EndpointError: see `ScriptPhase.write`.
    """
    phase = ScriptPhase(config, base_dir, speakers, reporter)
    written = phase.write(wanted_scripts(quota, llm_settings(config).spares))
    return phase.write(more) if more else written


def open_factory(
    config: BuildConfig,
    speakers: Iterable[Speaker],
    base_dir: Path,
    reporter: Reporter,
    retry_failed: bool = False,
) -> ScriptFactory:
    """The factory of a configuration; its answers are those of every earlier run in the same work directory.

    Raises:
        RecordError: a catalogue or an exclusion file cannot be read.
    """
    settings = llm_settings(config)
    outlines = draw_outlines(config, speakers, base_dir)
    languages = {language for spec in config.quotas for language in spec.languages}
    catalogues = {language: outlines.catalogue(language) for language in sorted(languages)}
    parts = FactoryParts(
        outlines=outlines,
        writer=LlmWriter(settings, catalogues, config.seed),
        reader=Reader(settings, config.validation, config.seed, base_dir),
        spool=ScriptSpool(config.work_dir / SCRIPTS_FOLDER),
        store=AnswerStore(config.work_dir / "store" / ANSWERS_FILE),
    )
    return ScriptFactory(config, base_dir, parts, reporter, retry_failed)


def short_of_scripts(config: BuildConfig, report: ScriptReport) -> str:
    """The sentence for a run that ended with too few scripts."""
    if report.stopped:
        return report.stopped
    short = [
        f"{place.place} {place.accepted}/{place.wanted}" for place in report.places if place.accepted < place.wanted
    ]
    reasons = ", ".join(f"{code} x{count}" for code, count in list(report.rejected_because.items())[:SHOWN_CODES])
    return (
        f"too few scripts passed after {config.top_up.rounds} top-up rounds: {', '.join(short)} (rejected because of: "
        f"{reasons}). The rejected ones and why are in {config.work_dir / SCRIPTS_FOLDER / QUARANTINE_FILE}; use a "
        "stronger model, loosen the limits in validation, raise top_up.rounds or lower the quota"
    )
