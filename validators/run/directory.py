"""`validate_root`: judge any data set in a layout we can read, ours or not."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

from data_schemas.finding import Finding, Severity
from data_schemas.layouts.base import FoundItem, Layout
from data_schemas.layouts.registry import detect_layouts
from validators.core.clip_measures import ClipMeasures
from validators.core.instruments import Instruments
from validators.core.judges import FORMAL, Selection
from validators.core.thresholds import Thresholds
from validators.files.lock import judge_lock
from validators.run.item import ItemVerdict, judge_item
from validators.scene.diarization import pooled_error_rate
from validators.sets.dataset import Survey, read_items, survey
from validators.sets.exclusion import Exclusion, excluded_texts, read_exclusion
from validators.sets.set_judges import judge_clips, judge_tables

Progress = Callable[[int, int], None]

_BATCH_ITEMS = 4  # items per message to a worker: with every model some seconds of work
_BATCHES_AHEAD = 3  # batches waiting per worker


@dataclass(frozen=True)
class JudgeOrder:
    """What to judge with. Goes to worker processes."""

    settings: Thresholds = field(default_factory=Thresholds)
    selected: Selection = FORMAL
    engine: str | None = None  # whose speech it is, where that is known: some thresholds depend on it
    kept: Path | None = None  # file in which measurements are kept
    excluded: tuple[Path, ...] = ()  # data sets and texts that must not come back

    def thresholds(self, layout: str | None = None) -> Thresholds:
        """What holds for items of a layout."""
        return self.settings.at(layout, self.engine)


@dataclass(frozen=True)
class ValidationResult:
    """Everything found under one root; ``counts`` maps severity, then code, to how often."""

    items: int
    findings: tuple[Finding, ...]
    counts: Mapping[Severity, Mapping[str, int]]
    clips: tuple[ClipMeasures, ...] = ()
    #: by judge: figures about the whole set, plain JSON
    reports: Mapping[str, object] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """No errors."""
        return not self.counts[Severity.ERROR]


def validate_root(
    root: Path,
    order: JudgeOrder | Thresholds,
    report: Progress = lambda done, total: None,
    executor: Executor | None = None,
    workers: int = 1,
) -> ValidationResult:
    """Judge every item below ``root``, then the set as a whole.

    Args:
        order: what to judge with; bare thresholds ask the judges of form only.
        report: called with (items done, items in all) after every item.
        executor: who judges the items; None works in this process. The result does not depend on it.
        workers: of the executor, how many there are: so many batches wait for it at most, times a few.

    Memory grows with the number of utterances, about 2 kB each with all judges, not with the audio.

    Raises:
        data_schemas.foundation.models.ModelMissing: a judge's model is not installed.
    """
    if isinstance(order, Thresholds):
        order = JudgeOrder(settings=order)
    Instruments(order.selected).require_models()  # says at once, in one sentence, when one is missing
    layouts = detect_layouts(root)
    whole = survey(root, layouts, order.thresholds())
    verdicts: list[ItemVerdict] = []
    for verdict in _judge_all(root, layouts, order, executor, workers):
        verdicts.append(verdict)
        report(len(verdicts), whole.items)
    return conclude(root, order, whole, verdicts)


def conclude(root: Path, order: JudgeOrder, whole: Survey, verdicts: Sequence[ItemVerdict]) -> ValidationResult:
    """The verdicts on all items of ``root``, and what the judges of the whole set add."""
    layouts, thresholds = detect_layouts(root), order.thresholds()
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    clips = [clip for verdict in verdicts for clip in verdict.clips]
    findings += whole.findings if "set" in order.selected else ()
    findings += judge_lock(root) if "lock" in order.selected else ()
    exclusions = read_exclusions(order)
    heard = judge_clips(root.name, clips, thresholds, order.selected, fingerprints_of(exclusions, order))
    tables = judge_tables(root, layouts, thresholds, order.selected, excluded_texts(exclusions))
    findings += (*heard.findings, *tables.findings)
    return ValidationResult(
        items=len(verdicts),
        findings=tuple(findings),
        counts=count_findings(findings),
        clips=tuple(clips),
        reports={**_diarization(verdicts), **heard.reports, **tables.reports},
    )


def _diarization(verdicts: Iterable[ItemVerdict]) -> dict[str, object]:
    """The diarization error rate of all scenes together, where it was measured."""
    scored = [verdict.values for verdict in verdicts if "der" in verdict.values]
    rate = pooled_error_rate(scored)
    return {} if rate is None else {"diarization": {"scenes": len(scored), "error_rate": round(rate, 4)}}


def read_exclusions(order: JudgeOrder) -> tuple[Exclusion, ...]:
    """The excluded sets, read once.

    Raises:
        RecordError: one of them holds neither items nor texts.
    """
    return tuple(read_exclusion(path) for path in order.excluded)


def fingerprints_of(exclusions: Iterable[Exclusion], order: JudgeOrder) -> tuple[ClipMeasures, ...]:
    """Fingerprints of all utterances of the excluded data sets."""
    if "fingerprint" not in order.selected:
        return ()
    tools = Instruments(frozenset({"fingerprint"}), order.kept)
    return tuple(
        clip
        for exclusion in exclusions
        for found in exclusion.items
        for clip in judge_item(found, exclusion.root, order.thresholds(found.layout), tools).clips
    )


def count_findings(findings: Iterable[Finding]) -> dict[Severity, dict[str, int]]:
    """Number of findings per severity and code, codes in alphabetical order."""
    counts = Counter((finding.severity, finding.code) for finding in findings)
    return {
        severity: {code: number for (own, code), number in sorted(counts.items()) if own is severity}
        for severity in Severity
    }


@cache
def _instruments(selected: Selection, kept: Path | None) -> Instruments:
    return Instruments(selected, kept)


def _judge_batch(items: tuple[FoundItem, ...], root: Path, order: JudgeOrder) -> list[ItemVerdict]:
    tools = _instruments(order.selected, order.kept)
    return [judge_item(item, root, order.thresholds(item.layout), tools) for item in items]


def _judge_all(
    root: Path, layouts: Sequence[Layout], order: JudgeOrder, executor: Executor | None, workers: int
) -> Iterator[ItemVerdict]:
    """Verdicts per item, in reading order."""
    items = (entry for entry in read_items(root, layouts) if isinstance(entry, FoundItem))
    if executor is None:
        for item in items:
            yield from _judge_batch((item,), root, order)
        return
    waiting: deque[Future[list[ItemVerdict]]] = deque()
    for batch in iter(lambda: tuple(islice(items, _BATCH_ITEMS)), ()):
        waiting.append(executor.submit(_judge_batch, batch, root, order))
        if len(waiting) >= workers * _BATCHES_AHEAD:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()
