"""`validate_root`: judge any data set in a layout we can read, ours or not."""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path

from data_schemas.base import Record
from data_schemas.finding import Finding, Severity
from data_schemas.layouts.base import FoundItem, Layout
from data_schemas.layouts.registry import detect_layouts
from validators.dataset import read_items, survey
from validators.item import judge_item
from validators.lock import judge_lock
from validators.overlap import OverlapDetector
from validators.thresholds import Thresholds

Progress = Callable[[int, int], None]

_BATCH_ITEMS = 16  # items per message to a worker: some seconds of work
_BATCHES_AHEAD = 3  # batches waiting per worker; keeps memory flat in data-set size


class ValidationResult(Record):
    """Everything found under one root; ``counts`` maps severity, then code, to how often."""

    items: int
    findings: tuple[Finding, ...]
    counts: dict[Severity, dict[str, int]]

    @property
    def ok(self) -> bool:
        """No errors."""
        return not self.counts[Severity.ERROR]


def validate_root(
    root: Path,
    thresholds: Thresholds,
    overlap: bool = False,
    report: Progress = lambda done, total: None,
    workers: int = 1,
) -> ValidationResult:
    """Judge every item below ``root``, then the set as a whole.

    Args:
        overlap: also run overlapped-speech detection on full-duplex items (needs its model).
        report: called with (items done, items in all) after every item.
        workers: processes; 1 works in this one. The result does not depend on it.

    Raises:
        data_schemas.models.ModelMissing: ``overlap`` is wanted and the model is not installed.
    """
    if overlap:
        _detector()  # says at once, in one sentence, when the model is missing
    layouts = detect_layouts(root)
    whole = survey(root, layouts, thresholds)
    findings = [*whole.findings, *judge_lock(root)]
    done = 0
    for judged in _judge_all(root, layouts, thresholds, overlap, workers):
        findings += judged
        done += 1
        report(done, whole.items)
    return ValidationResult(items=done, findings=tuple(findings), counts=count_findings(findings))


def count_findings(findings: Iterable[Finding]) -> dict[Severity, dict[str, int]]:
    """Number of findings per severity and code, codes in alphabetical order."""
    counts = Counter((finding.severity, finding.code) for finding in findings)
    return {
        severity: {code: number for (own, code), number in sorted(counts.items()) if own is severity}
        for severity in Severity
    }


@cache
def _detector() -> OverlapDetector:
    return OverlapDetector()


def _judge_batch(
    items: tuple[FoundItem, ...], root: Path, thresholds: Thresholds, overlap: bool
) -> list[tuple[Finding, ...]]:
    detector = _detector() if overlap else None
    return [judge_item(item, root, thresholds, detector) for item in items]


def _judge_all(
    root: Path, layouts: Sequence[Layout], thresholds: Thresholds, overlap: bool, workers: int
) -> Iterator[tuple[Finding, ...]]:
    """Findings per item, in reading order."""
    items = (entry for entry in read_items(root, layouts) if isinstance(entry, FoundItem))
    if workers <= 1:
        for item in items:
            yield from _judge_batch((item,), root, thresholds, overlap)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        waiting: deque[Future[list[tuple[Finding, ...]]]] = deque()
        for batch in iter(lambda: tuple(islice(items, _BATCH_ITEMS)), ()):
            waiting.append(pool.submit(_judge_batch, batch, root, thresholds, overlap))
            if len(waiting) >= workers * _BATCHES_AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
