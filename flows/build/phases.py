"""The phases of a build as plain functions of a configuration: all of it, its items, publishing. No Prefect here.

``flows.orchestration.flows`` wraps each as a flow; with ``execution.orchestrator: none`` they are called as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data_schemas.foundation.base import Record
from data_schemas.release import DatasetLock
from flows.build.report import BuildReport, write_report
from flows.build.rounds import Rounds
from flows.build.runner import SHARDS_MORE_THAN_WORKERS, ShardRunner, ThreadRunner
from flows.build.status import recorded
from flows.common.errors import ConfigError
from flows.common.progress import Reporter
from flows.common.workers import WorkerPool
from flows.config.build_config import BuildConfig, load_config
from flows.config.work_dir import check_place, work_lock
from flows.prepare.disk import check_disk
from flows.prepare.estimate import estimate
from flows.prepare.resolve import Parts, Prepared, prepare, resolve
from flows.release.publish import Staged, check_same_inputs, check_target, finish, stage
from flows.release.stage import release_place
from flows.scripts.phase import FROZEN_FILE, SCRIPTS_FOLDER, ScriptPhase, short_of_scripts
from flows.scripts.report import ScriptReport
from flows.scripts.settings import llm_settings
from flows.scripts.wanted import wanted_scripts
from flows.shards.steps import ALL_STAGES, Stage

#: (shards in flight, retries of each) -> who runs them
MakeRunner = Callable[[int, int], ShardRunner]


class Published(Record):
    """The release was there already, made from the same things: nothing was done."""

    release: str
    tree_sha256: str


class ItemsReport(Record):
    """What a run over the items came to."""

    work: str
    stages: tuple[Stage, ...]
    part: tuple[int, int]
    released: int
    quarantined: int
    rejects: dict[str, int]
    stage_seconds: dict[str, float]
    wall_seconds: float


class ScriptsReport(Record):
    """What a run of the script writers came to."""

    file: str
    scripts: int
    report: ScriptReport
    #: why there are too few; "" where there are not
    short: str


def make_scripts(
    path: Path,
    overrides: tuple[str, ...],
    output: Path | None,
    reporter: Reporter,
    retry_failed: bool = False,
) -> ScriptsReport:
    """Have a model write the scripts a configuration needs, and freeze them to ``output`` (else in the work directory).

    Raises:
        ConfigError: no model is configured, or ``output`` is a directory.
        EndpointError: a server is away; what was answered is kept.
    """
    config = load_config(path, overrides)
    spares = llm_settings(config).spares
    parts = resolve(config, need_models=False)
    target = output or config.work_dir / SCRIPTS_FOLDER / FROZEN_FILE
    if target.is_dir():
        raise ConfigError(f"{target} is a directory; name a file with -o, e.g. -o {target / FROZEN_FILE}")
    with work_lock(config.work_dir):
        phase = ScriptPhase(config, path.parent, parts.speakers, reporter, target, retry_failed)
        written = phase.write(wanted_scripts(parts.quota, spares))
    report = written.report
    return ScriptsReport(
        file=str(target),
        scripts=len(written.scripts),
        report=report,
        short="" if report.is_full else short_of_scripts(config, report),
    )


def build_release(
    path: Path, overrides: tuple[str, ...], reporter: Reporter, make_runner: MakeRunner = ThreadRunner
) -> BuildReport | Published:
    """Everything from the configuration to the published release.

    Raises:
        ConfigError, TargetError, ResourceError, EngineError, ModelMissing: refused before any work.
        QuotaShort, GateFailed: nothing was published.
        EngineUnusable, EndpointError: nothing more could be made.
    """
    return _released("build", ALL_STAGES, path, overrides, reporter, make_runner)


def make_items(
    path: Path,
    overrides: tuple[str, ...],
    stages: frozenset[Stage],
    part: tuple[int, int],
    reporter: Reporter,
    make_runner: MakeRunner = ThreadRunner,
) -> ItemsReport:
    """Speak, compose and judge items, or some of that, or every n-th shard of it; nothing is published.

    Raises:
        NotMadeYet: a stage that was not chosen would have to be done first.
        and as `build_release`.
    """
    started = time.monotonic()
    config = load_config(path, overrides)
    parts = checked_parts(config, path.parent)
    with (
        work_lock(config.work_dir),
        recorded("items", config, path, reporter) as told,
        _rounds(config, path.parent, parts, told, make_runner, stages, part) as (rounds, _),
    ):
        rounds.make()
        tallies = rounds.books.made()
        return ItemsReport(
            work=str(config.work_dir),
            stages=tuple(sorted(stages)),
            part=part,
            released=tallies[0],
            quarantined=tallies[1],
            rejects=rounds.rejects,
            stage_seconds=_rounded(rounds),
            wall_seconds=time.monotonic() - started,
        )


def publish_items(
    path: Path, overrides: tuple[str, ...], reporter: Reporter, make_runner: MakeRunner = ThreadRunner
) -> BuildReport | Published:
    """Publish what is there; nothing is spoken, composed or judged but the set.

    Raises:
        NotMadeYet: items of the configuration are not made.
        and as `build_release`.
    """
    return _released("publish", frozenset(), path, overrides, reporter, make_runner)


def parse_part(text: str) -> tuple[int, int]:
    """``k/n`` with 1 <= k <= n.

    >>> parse_part("2/16")
    (2, 16)

    Raises:
        ConfigError: something else.
    """
    k, _, n = text.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise ConfigError(f"part {text!r}: write K/N, the K-th of N parts, for example 2/16")
    return int(k), int(n)


def published_already(config: BuildConfig, base_dir: Path) -> Published | None:
    """Whether the release is there, made from what a build would be made from now.

    Raises:
        TargetError: something else is there.
    """
    existing: DatasetLock | None = check_target(config)
    if existing is None:
        return None
    check_same_inputs(config, existing, resolve(config, need_models=False), base_dir)
    return Published(release=str(config.release_dir), tree_sha256=existing.tree_sha256)


def checked_parts(config: BuildConfig, base_dir: Path) -> Parts:
    """Engine, models, voices and quotas, with all that can be refused before any work refused."""
    check_place("work", config.work_dir)
    check_place("release", config.release_dir.parent)
    parts = resolve(config)
    check_disk(config, estimate(config, parts, base_dir))
    return parts


@contextmanager
def _rounds(
    config: BuildConfig,
    base_dir: Path,
    parts: Parts,
    reporter: Reporter,
    make_runner: MakeRunner,
    stages: frozenset[Stage],
    part: tuple[int, int],
) -> Iterator[tuple[Rounds, Prepared]]:
    """Everything prepared, and workers as long as they are wanted; what ends it ends them."""
    prepared = prepare(config, base_dir, parts, reporter)
    pool = WorkerPool(config.execution.workers)
    runner = make_runner(pool.workers + SHARDS_MORE_THAN_WORKERS, config.execution.shard_retries)
    try:
        with Rounds(config, prepared, pool, runner, reporter, stages=stages, part=part) as rounds:
            try:
                yield rounds, prepared
            except BaseException:
                rounds.cancelled.set()
                pool.stop(wait=False)
                raise
    finally:
        pool.stop(wait=True)


def _released(
    command: str,
    stages: frozenset[Stage],
    path: Path,
    overrides: tuple[str, ...],
    reporter: Reporter,
    make_runner: MakeRunner,
) -> BuildReport | Published:
    started = time.monotonic()
    config = load_config(path, overrides)
    there = published_already(config, path.parent)
    if there is not None:
        return there
    parts = checked_parts(config, path.parent)
    with (
        work_lock(config.work_dir),
        recorded(command, config, path, reporter) as told,
        release_place(config.release_dir),
        _rounds(config, path.parent, parts, told, make_runner, stages, (1, 1)) as (rounds, prepared),
    ):
        rounds.make()
        return _publish(config, prepared, rounds, told, started)


def _publish(
    config: BuildConfig, prepared: Prepared, rounds: Rounds, reporter: Reporter, started: float
) -> BuildReport:
    """Stage until the judges of the set send nobody back, then publish."""
    publishing = time.monotonic()
    staged = _staged(config, prepared, rounds, reporter)
    while staged.verdict.blamed:
        reporter.expect("publish", -len(rounds.shelf().accepted))  # nothing of this one is published
        rounds.blame(staged.verdict.blamed)
        rounds.make()
        staged = _staged(config, prepared, rounds, reporter)
    shelf, counts = rounds.shelf(), rounds.counts()
    rounds.prune()  # before there is a release: the next run finds it and does nothing more
    lock = finish(config, prepared, staged, shelf, counts, reporter)
    rounds.seconds["publish"] += time.monotonic() - publishing
    report = BuildReport(
        name=config.name,
        release=str(config.release_dir),
        work=str(config.work_dir),
        counts=counts,
        audio_hours=float(shelf.accepted["audio_seconds"].sum()) / 3600,
        rejects=rounds.rejects,
        warnings=rounds.warnings,
        spoken_again=rounds.spoken_again,
        mended=rounds.mended,
        wall_seconds=time.monotonic() - started,
        tree_sha256=lock.tree_sha256,
        stage_seconds=_rounded(rounds),
    )
    write_report(config.work_dir, report)
    return report


def _staged(config: BuildConfig, prepared: Prepared, rounds: Rounds, reporter: Reporter) -> Staged:
    shelf, counts = rounds.shelf(), rounds.counts()
    rounds.keep_rejected(shelf)
    rounds.refuse_short(counts)
    return stage(config, prepared, shelf, counts, reporter)


def _rounded(rounds: Rounds) -> dict[str, float]:
    return {stage: round(seconds, 2) for stage, seconds in sorted(rounds.seconds.items())}
