"""What a shard is asked for and what it answers: all that is ever pickled between conductor, tasks and workers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from data_schemas.finding import Finding, Severity
from data_schemas.foundation.base import Record
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.script import Script
from data_schemas.speakers import Speaker
from flows.common.atomic import write_text_atomic
from flows.config.build_config import BuildConfig
from flows.shards.blame import Retake

CONTEXTS = "contexts"
#: who says findings of codes ``BUILD.*``, and of texts before anything is made; published since the first release
BUILD_VALIDATOR = "flows.make_shard/1"


class BuildContext(Record):
    """What all shards of a build share. Workers read it from a file once each, see `ContextRef`."""

    config: BuildConfig
    speakers: tuple[Speaker, ...]


class ContextRef(Record):
    """Where the context lies: what jobs carry instead of the context itself."""

    path: Path

    def load(self) -> BuildContext:
        """The context; read and validated once per process."""
        return _load_context(self.path)


def keep_context(context: BuildContext) -> ContextRef:
    """Write a context into its work directory, named by its content; what does not hold it is written again."""
    text = context.to_json_line() + "\n"
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    path = context.config.work_dir / CONTEXTS / f"{name}.json"
    if not (path.is_file() and path.read_bytes() == text.encode()):
        write_text_atomic(path, text)
    return ContextRef(path=path)


@lru_cache(maxsize=4)
def _load_context(path: Path) -> BuildContext:
    return BuildContext.model_validate_json(path.read_bytes())


class Refused(Record):
    """Why nothing is made of a plan: there are no words for it, or they are not fit to be spoken."""

    findings: tuple[Finding, ...]


class PlannedItem(Record):
    """A plan and its words, as they stand in the plan book."""

    plan: DialoguePlan
    words: Script | Refused


class ShardJob(Record):
    """A group of items to be made."""

    #: place among the shards of the build, from 0
    number: int
    key: str
    items: tuple[PlannedItem, ...]


class CellTally(Record):
    """What became of the items of one cell in one shard."""

    cell: QuotaCell
    released: int
    quarantined: int


class ShardSummary(Record):
    """What the conductor keeps of a finished shard (about 500 bytes)."""

    key: str
    cells: tuple[CellTally, ...]
    #: codes of the errors of rejected items, and of the warnings of accepted ones
    rejects: dict[str, int]
    warnings: dict[str, int]
    #: seconds on the user's channel of the accepted items
    audio_seconds: float
    spoken_again: int = 0
    mended: int = 0


class ItemOutcome(Record):
    """What became of one plan."""

    plan_id: str
    cell: QuotaCell
    script_id: str | None
    accepted: bool
    findings: tuple[Finding, ...]
    audio_seconds: float = 0.0
    #: utterances that were spoken more than once
    retakes: tuple[Retake, ...] = ()
    #: of its scene; None: it came to an end before there was one
    scene_key: str | None = None
    verdict_key: str | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def summarise(key: str, outcomes: Iterable[ItemOutcome]) -> ShardSummary:
    """Count what a shard holds."""
    released: Counter[QuotaCell] = Counter()
    quarantined: Counter[QuotaCell] = Counter()
    rejects: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    seconds = 0.0
    retakes: list[Retake] = []
    for outcome in outcomes:
        (released if outcome.accepted else quarantined)[outcome.cell] += 1
        retakes += outcome.retakes
        if outcome.accepted:
            seconds += outcome.audio_seconds
            warnings.update(found.code for found in outcome.findings if found.severity is Severity.WARNING)
        else:
            rejects.update(found.code for found in outcome.errors)
    cells = sorted(released.keys() | quarantined.keys(), key=lambda cell: cell.key)
    return ShardSummary(
        key=key,
        cells=tuple(CellTally(cell=cell, released=released[cell], quarantined=quarantined[cell]) for cell in cells),
        rejects=dict(sorted(rejects.items())),
        warnings=dict(sorted(warnings.items())),
        audio_seconds=seconds,
        spoken_again=len(retakes),
        mended=sum(retake.mended for retake in retakes),
    )
