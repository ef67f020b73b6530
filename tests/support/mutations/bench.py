"""Judging damaged copies cheaply: what did not change keeps the verdict of the clean run.

`judge_item` is a pure function of an item's row and files, so only items whose row differs or whose files were
touched are judged again; measurements of clips are kept by their samples. The judges of the whole set see everything
anew, but the catalog's suite, which reads `catalog.parquet` and the lock alone, only where these changed; and where
nothing but sound changed, those that never open a sound file are left out: they would say what they said.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from data_schemas.finding import Finding, Severity
from data_schemas.foundation.audio import Samples
from data_schemas.foundation.randomness import named_generator
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import detect_layouts
from data_schemas.tasks import Language, Track
from tests.support.mutations.planting import Copy, Kind, Planted
from validators.core.instruments import Instruments
from validators.files.lock import LOCK_FILE
from validators.run.directory import JudgeOrder, conclude
from validators.run.item import ItemVerdict, judge_item
from validators.scene.speech_activity import SegmentationModel
from validators.scene.voice_activity import VoiceActivityDetector
from validators.sets.agreement import judge_agreement
from validators.sets.catalog import CATALOG_FILE
from validators.sets.dataset import read_items, survey
from validators.voices.speaker_encoder import SpeakerEncoder

SEED = 20261121
#: judges of rows, texts and tables, which open no sound
_TABLES = frozenset({"texts", "balance", "catalog"})
_LOCK = frozenset({"lock"})
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Clean:
    """A clean release, and what the judges said of it. Goes to worker processes."""

    root: Path
    order: JudgeOrder
    items: tuple[FoundItem, ...]
    verdicts: tuple[ItemVerdict, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


@dataclass(frozen=True)
class Outcome:
    """What came of one case."""

    kind: str
    item: str
    found: bool
    #: codes of other errors at the same place
    also: tuple[str, ...] = ()
    #: errors at the same place that no consequence of the defect explains, and errors elsewhere
    unexplained: tuple[str, ...] = ()
    false_alarms: tuple[str, ...] = ()


class RememberingInstruments(Instruments):
    """The same models, asked once for the same samples: most defects change one channel of an item, or none."""

    @cached_property
    def segmentation(self) -> SegmentationModel:
        model = super().segmentation
        model.voice = _remembered(model.voice)  # type: ignore[method-assign]
        model.windows = _remembered(model.windows)  # type: ignore[method-assign]
        return model

    @cached_property
    def activity(self) -> VoiceActivityDetector:
        detector = super().activity
        detector.speech_spans = _remembered(detector.speech_spans)  # type: ignore[method-assign]
        return detector

    @cached_property
    def voices(self) -> SpeakerEncoder:
        encoder = super().voices
        encoder.embed = _remembered(encoder.embed)  # type: ignore[method-assign]
        return encoder


def _remembered(measure: Callable[..., Answer]) -> Callable[..., Answer]:
    """A pure function of samples ``[n]`` (and plain values) that works out each answer once."""
    known: dict[tuple[object, ...], Answer] = {}

    def remembered(samples: Samples, *others: object, **named: object) -> Answer:
        digest = hashlib.sha256(np.ascontiguousarray(samples, dtype=np.float32).tobytes()).digest()
        key = (digest, *others, *sorted(named.items()))
        if key not in known:
            known[key] = measure(samples, *others, **named)
        return known[key]

    return remembered


@dataclass
class Bench:
    """Plants and judges; one per process, so that models are loaded once."""

    clean: Clean
    scratch: Path
    spares: Mapping[str, Path]
    tools: RememberingInstruments

    def __post_init__(self) -> None:
        self._known = {(item.manifest, item.id): number for number, item in enumerate(self.clean.items)}

    def run(self, kind: Kind, found: FoundItem) -> Outcome:
        """One defect of this kind in that item."""
        target = self.scratch / f"{re.sub('[^a-z0-9]+', '-', kind.name.lower())}-{found.language}-{found.id}"
        copy = Copy.of(self.clean.root, target, self.clean.items, self.spares)
        try:
            planted = kind.plant(copy, found, named_generator(SEED, found.id, kind.name))
            asked = kind.asks | (_LOCK if kind.with_lock else frozenset())
            told = self.judge(copy, planted, asked)
            return outcome(kind, found, planted, told, self._baseline(found, kind.asks))
        finally:
            shutil.rmtree(target)

    def judge(self, copy: Copy, planted: Planted, asked: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
        """Everything the judges say of the copy; ``asked`` are judges besides those of the clean run."""
        selected = self.clean.order.selected | asked
        asked_tables = selected & _TABLES
        if not copy.text_changed:
            selected -= _TABLES
        elif not copy.touched & {CATALOG_FILE, LOCK_FILE}:
            selected -= {"catalog"}
        order = replace(self.clean.order, selected=selected, excluded=planted.excluded)
        layouts = detect_layouts(copy.root)
        whole = survey(copy.root, layouts, order.thresholds())
        items = read(copy.root)
        tools = self._with(asked - _LOCK)
        verdicts = [self._verdict(item, copy, tools) for item in items]
        findings = conclude(copy.root, order, whole, verdicts).findings
        if copy.text_changed and "catalog" in asked_tables - selected:
            findings += judge_agreement(copy.root, items)
        return findings

    def _baseline(self, found: FoundItem, asked: frozenset[str]) -> Clean:
        """The clean run, and what the judges that are asked for this kind only say of the clean item."""
        if not asked:
            return self.clean
        thresholds = self.clean.order.thresholds(found.layout)
        more = judge_item(found, self.clean.root, thresholds, self._with(asked)).findings
        return replace(self.clean, findings=(*self.clean.findings, *more))

    def _with(self, asked: frozenset[str]) -> Instruments:
        """The instruments of the clean run, or such as have more judges."""
        return RememberingInstruments(self.tools.selected | asked, self.clean.order.kept) if asked else self.tools

    def _verdict(self, item: FoundItem, copy: Copy, tools: Instruments) -> ItemVerdict:
        number = self._known.get((item.manifest, item.id))
        if number is not None and _same(item, self.clean.items[number]) and not _touched(item, copy):
            return self.clean.verdicts[number]
        return judge_item(item, copy.root, self.clean.order.thresholds(item.layout), tools)


def read(root: Path) -> tuple[FoundItem, ...]:
    """All items that can be read, in the judges' order."""
    entries = read_items(root, detect_layouts(root))
    return tuple(entry for entry in entries if isinstance(entry, FoundItem))


def conclude_clean(
    root: Path, order: JudgeOrder, items: tuple[FoundItem, ...], verdicts: tuple[ItemVerdict, ...]
) -> Clean:
    """The clean release with the verdicts on its items; here the lock is asked too."""
    whole = survey(root, detect_layouts(root), order.thresholds())
    locked = replace(order, selected=order.selected | _LOCK)
    return Clean(root, order, items, verdicts, conclude(root, locked, whole, verdicts).findings)


def cases(kind: Kind, items: tuple[FoundItem, ...], most: int | None = None) -> tuple[FoundItem, ...]:
    """Items to plant this kind in: in turn of each language and track that it applies to, drawn by name.

    ``kind.cases`` of them, or ``most``; more are the same and others.
    """
    wanted = kind.cases if most is None else min(kind.cases, most)
    shelves: dict[tuple[Track, Language], list[FoundItem]] = {}
    for item in items:
        if kind.applies(item) and kind.fits(item, items):
            shelves.setdefault((item.track, item.language), []).append(item)
    for shelf in shelves.values():
        named_generator(SEED, kind.name, "cases").shuffle(shelf)
    chosen: list[FoundItem] = []
    while len(chosen) < wanted and any(shelves.values()):
        for key in sorted(shelves):
            if shelves[key] and len(chosen) < wanted:
                chosen.append(shelves[key].pop())
    return tuple(chosen)


def outcome(kind: Kind, found: FoundItem, planted: Planted, findings: Iterable[Finding], clean: Clean) -> Outcome:
    """Which findings are the defect's own, which follow from it, and which are neither."""
    known = {_identity(finding) for finding in clean.findings}
    fresh = [finding for finding in findings if _identity(finding) not in known]
    elsewhere = _files_of_namesakes(planted, found, clean)
    here = [finding for finding in fresh if finding.item in planted.names and finding.file not in elsewhere]
    errors = [finding for finding in fresh if finding.severity is Severity.ERROR]
    there = [
        finding
        for finding in errors
        if finding not in here and not (finding.item in planted.partners and finding.code in kind.follows)
    ]
    return Outcome(
        kind=kind.name,
        item=found.id,
        found=any(finding.code == kind.code for finding in here),
        also=tuple(sorted({finding.code for finding in here if finding.code != kind.code})),
        unexplained=tuple(
            _told(finding)
            for finding in here
            if finding.severity is Severity.ERROR and finding.code not in kind.follows | {kind.code}
        ),
        false_alarms=tuple(_told(finding) for finding in there),
    )


def _same(item: FoundItem, clean: FoundItem) -> bool:
    return item.row == clean.row and item.files == clean.files


def _touched(item: FoundItem, copy: Copy) -> bool:
    return any(path in copy.touched for path in item.files.values())


def _files_of_namesakes(planted: Planted, found: FoundItem, clean: Clean) -> frozenset[str]:
    """Files of other items that happen to have the same id (they are unique per track and language)."""
    return frozenset(
        path
        for item in clean.items
        if item.id in planted.names and item.language is not found.language
        for path in (*item.files.values(), item.manifest)
        if path is not None
    )


def _identity(finding: Finding) -> tuple[object, ...]:
    return finding.code, finding.item, finding.file, finding.start


def _told(finding: Finding) -> str:
    measured = "" if finding.value is None else f" [{finding.value:g} against {finding.threshold}]"
    return f"{finding.code} {finding.item}: {finding.message}{measured}"
