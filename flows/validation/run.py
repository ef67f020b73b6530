"""Judge a directory, and leave what was found in the folder beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from data_schemas.finding import Finding, Severity, sort_findings
from data_schemas.foundation.base import RecordError
from data_schemas.layouts.registry import LAYOUTS, detect_layouts
from data_schemas.release import DatasetLock, read_lock
from flows.common.code_version import code_version
from flows.common.errors import ConfigError, TargetError
from flows.common.progress import Reporter
from flows.common.staging import Place, alone, staged
from flows.common.threads import limit_threads
from flows.common.workers import WorkerPool, default_workers
from flows.config.build_config import load_config
from flows.validation.earlier import Earlier, JudgeRun, Whole, data_state, settings_digest, together
from flows.validation.folder import (
    LOCK,
    MEASURED,
    check_folder,
    identity,
    is_own,
    read_baseline,
    read_earlier,
    write_outcome,
)
from flows.validation.summary import summary
from validators.core.judges import select
from validators.core.settings import ValidationSettings
from validators.files.lock import LOCK_FILE
from validators.run.directory import JudgeOrder, ValidationResult, validate_root


@dataclass(frozen=True)
class ValidateOptions:
    """What the command line says."""

    root: Path
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    config: Path | None = None
    engine: str | None = None
    exclude: tuple[Path, ...] = ()
    baseline: Path | None = None
    output: Path | None = None
    data_docs: Path | None = None
    workers: int = 0

    @property
    def folder(self) -> Path:
        """Where findings go: ``ROOT.findings`` beside the root, unless it was named."""
        resolved = self.root.resolve()
        return self.output or resolved.parent / f"{resolved.name}.findings"


@dataclass(frozen=True)
class Outcome:
    """What a run found, and what its folder holds now."""

    folder: Path
    items: int
    #: of the judges that were asked, in order
    findings: tuple[Finding, ...]
    #: those of them that the baseline does not have; None without one
    new: tuple[Finding, ...] | None
    whole: Whole

    @property
    def shown(self) -> tuple[Finding, ...]:
        return self.findings if self.new is None else self.new

    @property
    def ok(self) -> bool:
        """Whether there is no (new) error."""
        return all(finding.severity is not Severity.ERROR for finding in self.shown)


def validate(options: ValidateOptions, reporter: Reporter) -> Outcome:
    """Judge and write. This process has one thread from then on, as its workers have.

    Raises:
        TargetError, ConfigError: what was named cannot be used.
        ResourceError: another process is writing the findings.
        data_schemas.foundation.models.ModelMissing: a judge's model is not installed.
    """
    limit_threads()
    _check_root(options.root)
    order = judge_order(options)
    refusal = f"another validate is writing {options.folder}; wait for it, or name another folder with --output DIR"
    with ExitStack() as stack:
        stack.enter_context(alone(options.folder / LOCK, refusal))
        docs = stack.enter_context(_data_docs(options, order))
        data = data_state(options.root, options.folder)
        earlier = read_earlier(options.folder)
        known = None if options.baseline is None else read_baseline(options.baseline, options.folder)
        _check_baseline_stays(options, order, earlier, data)
        result = judge(options.root, order, options.workers, reporter)
        run = JudgeRun(
            at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            code_version=code_version(),
            settings=settings_digest(order),
        )
        whole = together(earlier, result, data, order.selected, run)
        new = None if known is None else _unknown(whole.findings, known)
        write_outcome(options.folder, whole, new, summary(whole, new, result.items, run), data, earlier)
        docs()
    findings = tuple(sort_findings(result.findings))
    return Outcome(
        folder=options.folder,
        items=result.items,
        findings=findings,
        new=None if known is None else _unknown(findings, known),
        whole=whole,
    )


def judge(root: Path, order: JudgeOrder, workers: int, reporter: Reporter) -> ValidationResult:
    """Ask the judges, in worker processes (0: one per core) or for 1 in this one."""
    workers = workers or default_workers()
    if workers == 1:
        return validate_root(root, order, _advance(reporter))
    with WorkerPool(workers) as pool:
        return validate_root(root, order, _advance(reporter), pool, workers)


def judge_order(options: ValidateOptions) -> JudgeOrder:
    """Which judges with which thresholds: of the named configuration, else of the release's own, else the defaults.

    Raises:
        ConfigError: a judge nobody knows, or a configuration that cannot be read.
        TargetError: the findings cannot be written where they should go.
    """
    lock = _lock(options.root)
    settings = ValidationSettings()
    if options.config is not None:
        settings = load_config(options.config, need_engine=False).validation
    elif lock is not None:
        settings = _settings_of(lock)
    try:
        selected = select(options.only, (*options.skip, *(() if options.only else settings.skip)))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    engine = options.engine or (lock.engines[0].name if lock is not None and len(lock.engines) == 1 else None)
    check_folder(options.folder)
    for path in options.exclude:
        if not path.exists():
            raise TargetError(f"--exclude {path}: no such file or directory")
    return JudgeOrder(
        settings=settings,
        selected=selected,
        engine=engine,
        kept=options.folder / MEASURED,
        excluded=tuple(path.resolve() for path in options.exclude),
    )


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise TargetError(f"{root}: no such directory")
    if not detect_layouts(root):
        raise TargetError(
            f"{root} holds no data set in a layout we know ({', '.join(known.name for known in LAYOUTS)}); give the "
            "directory that holds track1/, HD-Track1/ or track2/, or what is inside one of them"
        )


def _check_baseline_stays(options: ValidateOptions, order: JudgeOrder, earlier: Earlier | None, data: str) -> None:
    """A baseline in the folder that is written loses no judge's part."""
    if options.baseline is None or earlier is None or not is_own(options.baseline, options.folder):
        return
    lost = sorted(set(earlier.judged.runs) - order.selected)
    if lost and earlier.judged.data != data:
        raise TargetError(
            f"--baseline: {options.root} has changed, and this run would take the findings of {', '.join(lost)} out of "
            f"its own baseline {options.folder}; ask these judges too, or write elsewhere with --output DIR"
        )


def _advance(reporter: Reporter) -> Callable[[int, int], None]:
    seen = 0

    def progress(done: int, total: int) -> None:
        nonlocal seen
        if not seen:
            reporter.expect("judge", total)
        reporter.advance("judge", done - seen)
        seen = done

    return progress


def _unknown(findings: tuple[Finding, ...], known: frozenset[tuple[object, ...]]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if identity(finding) not in known)


def _lock(root: Path) -> DatasetLock | None:
    """The root's lock, where it has one that can be read; the judge ``lock`` says what is wrong with others."""
    try:
        return read_lock(root / LOCK_FILE)
    except (OSError, RecordError):
        return None


def _settings_of(lock: DatasetLock) -> ValidationSettings:
    try:
        return ValidationSettings.model_validate(lock.config.get("validation", {}))
    except ValidationError:  # an older or newer version's
        return ValidationSettings()


@contextmanager
def _data_docs(options: ValidateOptions, order: JudgeOrder) -> Iterator[Callable[[], None]]:
    """Whether the Data Docs that are asked for can be built, before the work; then a function that builds them.

    Raises:
        TargetError: the root is no release of ours (it has no lock or no catalog), or their folder is not free.
        ResourceError: another process is writing there.
    """
    from validators.sets.catalog import CATALOG_FILE

    if options.data_docs is None:
        yield lambda: None
        return
    catalog, lock = options.root / CATALOG_FILE, _lock(options.root)
    if lock is None or not catalog.is_file():
        raise TargetError(
            f"--data-docs: {options.root} has no {LOCK_FILE} or no {CATALOG_FILE}; only our releases have a suite"
        )
    with staged(Place(options.data_docs, "Data Docs", "--data-docs DIR", proof=_DOCS_PAGE)) as staging:
        yield lambda: _write_data_docs(catalog, lock, order, staging)


_DOCS_PAGE = "index.html"


def _write_data_docs(catalog: Path, lock: DatasetLock, order: JudgeOrder, staging: Path) -> None:
    import polars

    from validators.sets.catalog import expectations_from_lock, write_data_docs

    site = staging / "site"
    try:
        write_data_docs(polars.read_parquet(catalog), expectations_from_lock(lock, order.thresholds()), site)
    except (ValueError, polars.exceptions.PolarsError) as error:
        raise TargetError(f"--data-docs: {catalog}: {error}") from error
    for entry in sorted(site.iterdir(), key=lambda entry: entry.name == _DOCS_PAGE):
        entry.rename(staging / entry.name)
    site.rmdir()
