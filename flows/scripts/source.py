"""Scripts for a build: the factory of a configuration, and its scripts as a source that can be asked for more."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data_schemas.plan import DialoguePlan, Outline, Place, QuotaCell
from data_schemas.script import Script
from data_schemas.speakers import Gender, Speaker
from data_schemas.tasks import Language, Role
from flows.common.atomic import write_text_atomic
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.scripts.factory import ScriptFactory, Tools
from flows.scripts.reading import Reader
from flows.scripts.report import ScriptReport
from flows.scripts.settings import llm_settings
from flows.scripts.spool import ScriptSpool
from generators.plans.drawn import DrawnOutlines
from generators.plans.outlines import ScriptOutlines
from generators.plans.quotas import QuotaImpossible
from generators.remote.answers import AnswerStore
from generators.scripts.llm.llm_writer import LlmWriter
from generators.scripts.pack import PackWriter

SCRIPTS_FOLDER = "scripts"
ANSWERS_FILE = "answers.sqlite3"
REPORT_FILE = "report.json"
FROZEN_FILE = "scripts.jsonl"
SHOWN_CODES = 6


def draw_outlines(config: BuildConfig, speakers: Iterable[Speaker], base_dir: Path) -> DrawnOutlines:
    """Outlines for voices that exist: a language whose splits lack a gender gets no such personas."""
    return DrawnOutlines(config.seed, llm_settings(config).planning, user_genders(speakers), base_dir)


def user_genders(speakers: Iterable[Speaker]) -> dict[Language, frozenset[Gender]]:
    """The genders that the users of every split of a language have."""
    found: dict[tuple[Language, str], set[Gender]] = {}
    for speaker in speakers:
        if speaker.role is Role.USER:
            found.setdefault((speaker.language, speaker.split), set()).add(speaker.gender)
    shared: dict[Language, frozenset[Gender]] = {}
    for (language, _), genders in found.items():
        shared[language] = shared.get(language, frozenset(genders)) & frozenset(genders)
    return shared


def wanted_scripts(quota: Sequence[tuple[QuotaCell, int]], spares: float) -> dict[Place, int]:
    """Scripts per place: all splits together, and the spares."""
    counts: Counter[Place] = Counter()
    for cell, count in quota:
        counts[cell.place] += count
    return {place: count + math.ceil(count * spares) for place, count in counts.items()}


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
    tools = Tools(
        outlines=outlines,
        writer=LlmWriter(settings, catalogues, config.seed),
        reader=Reader(settings, config.validation, config.seed, base_dir),
        spool=ScriptSpool(config.work_dir / SCRIPTS_FOLDER),
        store=AnswerStore(config.work_dir / "store" / ANSWERS_FILE),
    )
    return ScriptFactory(config, base_dir, tools, reporter, retry_failed)


def keep_report(config: BuildConfig, report: ScriptReport) -> Path:
    """Write the report beside the quarantine; returns where."""
    place = config.work_dir / SCRIPTS_FOLDER / REPORT_FILE
    write_text_atomic(place, json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n")
    return place


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
        f"{reasons}). The rejected ones and why are in {config.work_dir / SCRIPTS_FOLDER / 'quarantine.jsonl'}; use a "
        "stronger model, loosen the limits in validation, raise top_up.rounds or lower the quota"
    )


class WrittenScripts:
    """The scripts a factory made, as outlines to plan from and as a writer; writes more when they run out.

    What was made first is handed out exactly as the frozen file of the same scripts would be.
    """

    def __init__(self, factory: ScriptFactory, seed: int) -> None:
        self._factory = factory
        self._seed = seed
        self._scripts: dict[str, Script] = {}
        self._outlines = ScriptOutlines((), seed)
        self._exhausted: set[Place] = set()

    @property
    def scripts(self) -> tuple[Script, ...]:
        return tuple(self._scripts.values())

    def fill(self, wanted: Mapping[Place, int]) -> ScriptReport:
        """Have scripts written, and take them in."""
        report = self._factory.fill(wanted)
        new = [self._factory.script(key) for key in self._factory.accepted_ids if key not in self._scripts]
        self._scripts |= {script.script_id: script for script in new}
        self._outlines.add(new)
        self._exhausted |= {place for place in wanted if self._factory.is_short(place)}
        return report

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        """``count`` outlines of scripts that nobody has yet.

        Raises:
            QuotaImpossible: the writer could not fill the place.
        """
        missing = count - self._outlines.waiting(cell.place)
        if missing > 0 and cell.place not in self._exhausted:
            self.fill({cell.place: missing})
        if missing > 0 and self._outlines.waiting(cell.place) < count:
            raise QuotaImpossible(
                f"quotas: {cell.key} needs {count} more scripts and the writer made "
                f"{self._outlines.waiting(cell.place)}; what was rejected and why is in the work directory's "
                f"{SCRIPTS_FOLDER}/quarantine.jsonl"
            )
        return self._outlines.take(cell, count)

    def available(self, quota: Sequence[tuple[QuotaCell, int]]) -> tuple[tuple[QuotaCell, int], ...]:
        """The part of a quota that can be planned with the scripts there are."""
        left = {cell.place: self._outlines.waiting(cell.place) for cell, _ in quota}
        possible = []
        for cell, count in quota:
            granted = min(count, left[cell.place])
            left[cell.place] -= granted
            possible.append((cell, granted))
        return tuple(possible)

    def write(self, plan: DialoguePlan) -> Script:
        """The script that a plan names; see `PackWriter.write`."""
        script = self._scripts.get(plan.outline.script_id or "")
        return PackWriter(() if script is None else (script,)).write(plan)
