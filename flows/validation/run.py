"""``humdial validate``: judge a directory, write what was found, say it in a screenful."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from data_schemas.finding import Finding, Severity, sort_findings
from data_schemas.foundation.base import RecordError, write_jsonl
from data_schemas.layouts.registry import LAYOUTS, detect_layouts
from data_schemas.release import DatasetLock, read_lock
from flows.cli.summary import print_findings
from flows.common.atomic import write_text_atomic
from flows.common.errors import ConfigError, TargetError
from flows.common.progress import Reporter, progress_display
from flows.config.build_config import load_config
from flows.shards.workers import default_workers
from validators.core.codes import CODES
from validators.core.judges import GROUPS, JUDGES, select
from validators.core.settings import ValidationSettings
from validators.files.lock import LOCK_FILE
from validators.run.directory import JudgeOrder, ValidationResult, count_findings, validate_root
from validators.run.tables import (
    FINDINGS_TABLE,
    NEW_FINDINGS_TABLE,
    findings_frame,
    measures_frame,
    parquet_bytes,
    read_findings,
)

EXAMPLES = 3
MEASURED = "measured.sqlite"


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


def validate(options: ValidateOptions, console: Console) -> bool:
    """Judge, write, print; whether there is no (new) error.

    Raises:
        TargetError, ConfigError: what was named cannot be used.
        data_schemas.foundation.models.ModelMissing: a judge's model is not installed.
    """
    _check_root(options.root)
    known = _baseline(options)
    order = judge_order(options)
    with progress_display(console) as reporter:
        result = validate_root(options.root, order, _advance(reporter), options.workers or default_workers())
    findings = sort_findings(result.findings)
    new = None if known is None else [finding for finding in findings if _identity(finding) not in known]
    write_outcome(options.folder, findings, new, result)
    if options.data_docs is not None:
        _data_docs(options.root, _lock(options.root), order, options.data_docs)
    shown = findings if new is None else new
    print_outcome(options, shown, result, len(findings) - len(shown), console)
    return all(finding.severity is not Severity.ERROR for finding in shown)


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
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(
            f"{options.folder} cannot be made ({error.strerror}); name another with --output DIR"
        ) from None
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


def print_judges(console: Console) -> None:
    """Every judge's name, level and subject, and the groups."""
    table = Table("judge", "looks at", "models", "what for")
    for info in JUDGES:
        table.add_row(info.name, info.level.value, ", ".join(info.models), info.summary)
    console.print(table)
    for name, members in GROUPS.items():
        listed = ", ".join(info.name for info in JUDGES if info.name in members)
        console.print(f"{name}: {listed}", markup=False)


def write_outcome(
    folder: Path, findings: Sequence[Finding], new: Sequence[Finding] | None, result: ValidationResult
) -> None:
    """All ``findings`` and, with a baseline, the ``new`` ones as ``.parquet`` and ``.jsonl``; measures and reports.

    The new ones first: a baseline in this folder is told by both, also after a kill in between.
    """
    for name, table in ((NEW_FINDINGS_TABLE, new), (FINDINGS_TABLE, findings)):
        lines = (folder / name).with_suffix(".jsonl")
        if table is None:
            (folder / name).unlink(missing_ok=True)
            lines.unlink(missing_ok=True)
            continue
        (folder / name).write_bytes(parquet_bytes(findings_frame(table)))
        write_jsonl(lines, table)
    (folder / "measures.parquet").write_bytes(parquet_bytes(measures_frame(result.clips)))
    for name, figures in result.reports.items():
        write_text_atomic(folder / f"{name}.json", json.dumps(figures, ensure_ascii=False, indent=1) + "\n")
    write_text_atomic(folder / "summary.md", summary(findings, new, result))


def summary(findings: Sequence[Finding], new: Sequence[Finding] | None, result: ValidationResult) -> str:
    """Markdown for people: counts by code with their meaning, and the first examples of each, new ones before known."""
    counts, new_counts = count_findings(findings), count_findings(new or ())
    fresh = frozenset(new or ())
    with_baseline = new is not None
    lines = [
        f"# {result.items} items, {len(result.clips)} utterances judged: {_errors_and_warnings(counts)}"
        + (f"; new since the baseline: {_errors_and_warnings(new_counts)}" if with_baseline else ""),
        "",
        f"| code | severity | times |{' new |' if with_baseline else ''} items | meaning |",
        f"|---|---|---|{'---|' if with_baseline else ''}---|---|",
    ]
    for severity in Severity:
        for code, number in counts[severity].items():
            items = len({finding.item for finding in findings if finding.code == code})
            new_number = f" {new_counts[severity].get(code, 0)} |" if with_baseline else ""
            lines.append(f"| `{code}` | {severity.value} | {number} |{new_number} {items} | {CODES[code].meaning} |")
    for severity in Severity:
        for code in counts[severity]:
            own = sorted((one for one in findings if one.code == code), key=lambda one: one not in fresh)
            lines += ["", f"## {code}", ""]
            lines += [
                f"- {'new: ' if finding in fresh else ''}{finding.item}: {finding.message}"
                for finding in own[:EXAMPLES]
            ]
            lines += [f"- and {len(own) - EXAMPLES} more"] if len(own) > EXAMPLES else []
    lines += ["", f"Figures about the whole set: {', '.join(f'`{name}.json`' for name in result.reports) or 'none'}."]
    return "\n".join(lines) + "\n"


def _errors_and_warnings(counts: Mapping[Severity, Mapping[str, int]]) -> str:
    errors, warnings = (sum(counts[severity].values()) for severity in (Severity.ERROR, Severity.WARNING))
    return f"{errors} errors, {warnings} warnings"


def print_outcome(
    options: ValidateOptions, findings: Sequence[Finding], result: ValidationResult, old: int, console: Console
) -> None:
    """The worst findings, counts, and where the rest is."""
    print_findings(findings, console)
    counts = count_findings(findings)
    errors = sum(counts[Severity.ERROR].values())
    console.print(
        f"{result.items} items judged: {errors}{' new' if options.baseline else ''} errors, "
        f"{len(findings) - errors} warnings and notes"
        + (f"; {old} known from the baseline" if options.baseline else ""),
        markup=False,
    )
    console.print(f"all of it: {options.folder}/summary.md, findings.parquet, measures.parquet", soft_wrap=True)


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise TargetError(f"{root}: no such directory")
    if not detect_layouts(root):
        raise TargetError(
            f"{root} holds no data set in a layout we know ({', '.join(known.name for known in LAYOUTS)}); give the "
            "directory that holds track1/, HD-Track1/ or track2/, or what is inside one of them"
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


def _baseline(options: ValidateOptions) -> frozenset[tuple[object, ...]] | None:
    """Identities of the baseline's findings; None without one.

    Where this run writes over its own baseline, what an earlier run of the kind found new is no part of it: the
    same command says the same again.
    """
    path = options.baseline
    if path is None:
        return None
    try:
        known = frozenset(_identity(finding) for finding in read_findings(path))
        folder = path if path.is_dir() else path.parent
        new = folder / NEW_FINDINGS_TABLE
        if folder.resolve() != options.folder.resolve() or not new.exists():
            return known
        return known - {_identity(finding) for finding in read_findings(new)}
    except RecordError as error:
        raise TargetError(f"--baseline: {error}") from None


def _identity(finding: Finding) -> tuple[object, ...]:
    """What makes a finding the same in two runs: not what was measured, which may move a little."""
    return finding.code, finding.item, finding.file, None if finding.start is None else round(finding.start, 1)


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


def _data_docs(root: Path, lock: DatasetLock | None, order: JudgeOrder, target: Path) -> None:
    """Build the Data Docs of the release's catalog suite.

    Raises:
        TargetError: the root is no release of ours: it has no lock or no catalog.
    """
    import polars

    from validators.sets.catalog import CATALOG_FILE, expectations_from_lock, write_data_docs

    if lock is None or not (root / CATALOG_FILE).is_file():
        raise TargetError(
            f"--data-docs: {root} has no {LOCK_FILE} or no {CATALOG_FILE}; only our releases have a suite"
        )
    try:
        write_data_docs(
            polars.read_parquet(root / CATALOG_FILE), expectations_from_lock(lock, order.thresholds()), target
        )
    except (ValueError, polars.exceptions.PolarsError) as error:
        raise TargetError(f"--data-docs: {root / CATALOG_FILE}: {error}") from error
