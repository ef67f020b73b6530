"""The build: plan, write, speak, compose, judge, top up, publish. One Prefect task per shard."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from data_schemas.finding import Severity
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.tasks import Language, Track
from flows.cli.summary import BuildReport
from flows.common.errors import QuotaShort
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.orchestration.server import PrefectServer
from flows.prepare.resolve import Prepared
from flows.release.books import CellCount, count_cells, shortage
from flows.release.publish import Accepted, publish
from flows.release.quarantine import write_quarantine
from flows.shards.ledger import ItemOutcome, ShardLedger, shard_key, split_shards
from flows.shards.make import ShardMaker
from flows.shards.speech import SpeechWork
from flows.shards.workers import WorkerPool
from generators.plans.planner import FirstIndex, plan_items
from generators.plans.quotas import QuotaImpossible

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture
    from prefect.task_runners import TaskRunner

_SHARDS_IN_FLIGHT_MORE_THAN_WORKERS = 1


class Build:
    """One run of one configuration. Holds what its shards share; all state on disk is the ledger's."""

    def __init__(self, config: BuildConfig, prepared: Prepared, reporter: Reporter) -> None:
        self.config = config
        self.prepared = prepared
        self.reporter = reporter
        self.ledger = ShardLedger(config.work_dir / "shards")
        self.pool = WorkerPool(config.execution.workers)
        self._shards: dict[str, tuple[DialoguePlan, ...]] = {}
        self._cancelled = threading.Event()
        self._speech = SpeechWork(config, prepared.engine, self.pool)
        self._maker = ShardMaker(config, prepared, reporter, self.ledger, self.pool, self._speech, self._cancelled)

    # -- the flow ---------------------------------------------------------------------------

    def run(self) -> BuildReport:
        """Run the Prefect flow to the published release.

        Raises:
            QuotaShort, GateFailed, ResourceError, EngineUnusable, KeyboardInterrupt: nothing is published then.
        """
        from prefect import flow
        from prefect.task_runners import ThreadPoolTaskRunner

        started = time.monotonic()
        threads = self.pool.workers + _SHARDS_IN_FLIGHT_MORE_THAN_WORKERS

        @flow(
            name="humdial-build",
            flow_run_name=f"{self.config.name}-{self.config.recipe_sha256()[:8]}",
            task_runner=cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=threads)),
            validate_parameters=False,
            persist_result=False,
        )
        def humdial_build() -> BuildReport:
            try:
                return self._stages(started)
            except BaseException:
                self.cancel()
                raise

        with PrefectServer(self.config.work_dir) as server:
            # The gate's package takes as long to import as the server to start: both at once.
            import great_expectations  # noqa: F401

            try:
                with server.ready():
                    return humdial_build()
            finally:
                self._speech.close()
                self.pool.stop(wait=not self._cancelled.is_set())

    def cancel(self) -> None:
        """Stop as soon as possible: no new jobs, running workers are ended."""
        self._cancelled.set()
        self.pool.stop(wait=False)

    def _stages(self, started: float) -> BuildReport:
        plans = self.prepared.plans
        all_plans = list(plans)
        outcomes: list[ItemOutcome] = []
        round_number = 0
        while plans:
            outcomes.extend(self._run_round(plans))
            missing = shortage(self.prepared.quota, outcomes)
            if not missing or round_number >= self.config.top_up.rounds:
                break
            round_number += 1
            plans = self._top_up(missing, round_number, all_plans)
            all_plans.extend(plans)
        counts = count_cells(self.prepared.quota, all_plans, outcomes)
        write_quarantine(self.config.work_dir / "quarantine", self._directories(outcomes, accepted=False))
        self._refuse_short(counts)
        return self._publish(outcomes, counts, started)

    def _run_round(self, plans: tuple[DialoguePlan, ...]) -> list[ItemOutcome]:
        from prefect import task
        from prefect.cache_policies import NO_CACHE

        keys = []
        for shard in split_shards(plans, self.config.execution.shard_items):
            key = shard_key(self.prepared.identity, shard)
            self._shards[key] = shard
            keys.append(key)
        for stage in ("write", "compose", "judge"):
            self.reporter.expect(stage, len(plans))
        shard_task = task(
            name="shard",
            retries=self.config.execution.shard_retries,
            retry_condition_fn=lambda *_: not self._cancelled.is_set(),
            cache_policy=NO_CACHE,
            persist_result=False,
        )(self.make_shard)
        futures = [shard_task.submit(key) for key in keys]
        for future in futures:
            future.result()
        results = (self.ledger.result(key) for key in keys)  # one at a time: each lists all of its files
        return [outcome for result in results if result for outcome in result.outcomes]

    def _top_up(
        self, missing: dict[QuotaCell, int], round_number: int, plans: Sequence[DialoguePlan]
    ) -> tuple[DialoguePlan, ...]:
        self.reporter.note(f"top-up round {round_number}: {sum(missing.values())} items to replace")
        more: list[DialoguePlan] = []
        for cell, count in missing.items():
            first_index = {place: index + 1 for place, index in _highest_index((*plans, *more)).items()}
            more += self._top_up_cell(cell, count, round_number, first_index)
        self.reporter.expect("plan", len(more))
        self.reporter.advance("plan", len(more))
        return tuple(more)

    def _top_up_cell(
        self, cell: QuotaCell, count: int, round_number: int, first_index: FirstIndex
    ) -> tuple[DialoguePlan, ...]:
        """As many replacements as there are scripts left for the cell, and a word when they run out."""
        for wanted in range(count, 0, -1):
            try:
                return plan_items(
                    ((cell, wanted),),
                    self.prepared.outlines,
                    self.prepared.speakers,
                    self.config.seed,
                    round=round_number,
                    first_index=first_index,
                )
            except QuotaImpossible as error:
                self.reporter.note(f"top-up: {error}")
        return ()

    def _refuse_short(self, counts: tuple[CellCount, ...]) -> None:
        short = [count for count in counts if count.released < count.quota]
        if short and self.config.top_up.on_short == "fail":
            cells = ", ".join(f"{count.cell.key} {count.released}/{count.quota}" for count in short)
            raise QuotaShort(
                f"quota not met after {self.config.top_up.rounds} top-up rounds: {cells}. Nothing was "
                f"published; the rejected items and why are in {self.config.work_dir / 'quarantine'}. Add "
                "scripts to the pack, lower the quota, or set top_up.on_short=publish"
            )

    def make_shard(self, key: str) -> None:
        """The Prefect task: one shard, unless the ledger has it."""
        self._maker.make(key, self._shards[key])

    # -- the end ----------------------------------------------------------------------------

    def _directories(self, outcomes: Iterable[ItemOutcome], accepted: bool) -> list[tuple[ItemOutcome, Path]]:
        key_of = {plan.id: key for key, plans in self._shards.items() for plan in plans}
        return [
            (outcome, self.ledger.item_dir(key_of[outcome.plan_id], outcome.plan_id))
            for outcome in outcomes
            if outcome.accepted is accepted
        ]

    def _publish(
        self,
        outcomes: list[ItemOutcome],
        counts: tuple[CellCount, ...],
        started: float,
    ) -> BuildReport:
        accepted = [
            Accepted(outcome=outcome, directory=directory)
            for outcome, directory in self._directories(outcomes, accepted=True)
        ]
        retakes = [retake for outcome in outcomes for retake in outcome.retakes]
        lock = publish(self.config, self.prepared, accepted, counts, retakes, self.reporter)
        self.ledger.prune(frozenset(self._shards))
        rejects = Counter(finding.code for outcome in outcomes if not outcome.accepted for finding in outcome.errors)
        warnings = Counter(
            finding.code
            for outcome in outcomes
            if outcome.accepted
            for finding in outcome.findings
            if finding.severity is Severity.WARNING
        )
        return BuildReport(
            name=self.config.name,
            release=str(self.config.release_dir),
            work=str(self.config.work_dir),
            counts=counts,
            audio_hours=sum(entry.outcome.audio_seconds for entry in accepted) / 3600,
            rejects=dict(sorted(rejects.items())),
            warnings=dict(sorted(warnings.items())),
            spoken_again=len(retakes),
            mended=sum(retake.mended for retake in retakes),
            wall_seconds=time.monotonic() - started,
            tree_sha256=lock.tree_sha256,
        )


def _highest_index(plans: Iterable[DialoguePlan]) -> dict[tuple[Track, Language], int]:
    highest: dict[tuple[Track, Language], int] = {}
    for plan in plans:
        place = (plan.task.track, plan.language)
        highest[place] = max(highest.get(place, 0), plan.index)
    return highest
