"""Rounds: plan, make, replace what was rejected, until the quotas are met, the set passes or the rounds are used up."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from types import TracebackType
from typing import Self

from data_schemas.finding import Finding
from data_schemas.foundation.partial_files import sweep_partial
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.tasks import Language, Track
from flows.build.runner import ShardRunner
from flows.common.errors import NotMadeYet, QuotaShort
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.prepare.plan_book import PLAN_BOOK, PlanBook
from flows.prepare.resolve import Prepared
from flows.prepare.text_gate import TextGate
from flows.prepare.top_up import plan_top_up
from flows.release.books import Books, CellCount, short_cells
from flows.release.quarantine import QUARANTINE, rejected_items, write_quarantine
from flows.release.shelf import Shelf
from flows.shards.job import BuildContext, Refused, ShardJob, ShardSummary, keep_context
from flows.shards.kept import SCENES, KeptScenes
from flows.shards.keys import shard_basis, shard_key
from flows.shards.ledger import SHARDS, ShardLedger
from flows.shards.make import Bench, ShardDone, Stopped, make_shard
from flows.shards.speech import SpeechWork
from flows.shards.steps import ALL_STAGES, NotMade, Stage

#: Codes named in a sentence.
_SHOWN_CODES = 6
#: Stages of the progress display that count items.
ITEM_STAGES = ("speak", "judge")


class Rounds:
    """One run over the items of a configuration. All that lasts is on disk; this counts and decides.

    Args:
        run: where steps are executed.
        stages: what may be done to items; what is done already counts whatever was chosen.
        part: (k, n): only every n-th shard, from the k-th (from 1) on.
    """

    def __init__(
        self,
        config: BuildConfig,
        prepared: Prepared,
        run: Executor,
        runner: ShardRunner,
        reporter: Reporter,
        *,
        stages: frozenset[Stage] = ALL_STAGES,
        part: tuple[int, int] = (1, 1),
    ) -> None:
        self.config = config
        self.prepared = prepared
        self.books = Books(prepared.quota)
        self.seconds: dict[str, float] = defaultdict(float)
        self.cancelled = threading.Event()
        self._reporter = reporter
        self._runner = runner
        self._part = part
        context = BuildContext(config=config, speakers=prepared.speakers)
        self._basis = shard_basis(context, prepared.engine)
        self._speech = SpeechWork(config, prepared.engine, run)
        self.ledger = ShardLedger(config.work_dir / SHARDS, KeptScenes(config.work_dir / SCENES))
        self._bench = Bench(
            context=keep_context(context),
            engine=prepared.engine,
            seed=config.seed,
            tries=config.speech.tries,
            run=run,
            speech=self._speech,
            reporter=reporter,
            cancelled=self.cancelled,
            stages=stages,
        )
        self._book = PlanBook(config.work_dir / PLAN_BOOK)
        self._texts = TextGate(config, prepared.writer)
        #: items of the book that are in shards already
        self._sharded = 0
        self._keys: list[str] = []
        self._round = 0
        #: why there were too few replacements
        self._notes: list[str] = []
        #: next free index per track and language
        self._next_index: dict[tuple[Track, Language], int] = {}
        #: plans with words, per cell: those that may become items
        self._hopeful: Counter[QuotaCell] = Counter()
        self._rejects: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()
        self.spoken_again = 0
        self.mended = 0
        self._blamed: dict[str, tuple[Finding, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancelled.set()
        self._speech.close()
        self._book.close()

    # -- rounds -------------------------------------------------------------------------------------

    def make(self) -> None:
        """Plan and make items until the quotas are met or the rounds are used up.

        Raises:
            NotMadeYet: a stage that was not chosen would have to be done first.
            EngineUnusable, EndpointError, Stopped: nothing more can be made.
        """
        if not len(self._book):
            self._plan(self.prepared.plans, sum(count for _, count in self.prepared.quota))
        self._replace_refused()
        self._make_planned()
        if not self._is_whole:
            return
        while self._round < self.config.top_up.rounds:
            missing = self.books.shortage()
            if not missing or not self._top_up(missing):
                return
            self._replace_refused()
            self._make_planned()

    def blame(self, blamed: Mapping[str, tuple[Finding, ...]]) -> None:
        """Items that passed go to quarantine after all, because of what the judges of the set said of them."""
        shelf = self.shelf()
        cells = dict(zip(shelf.accepted["plan_id"], shelf.accepted["cell"], strict=True))
        named = {cell.key: cell for cell, _ in self.prepared.quota}
        self.books.reject(named[cells[plan_id]] for plan_id in blamed)
        self._rejects.update(found.code for said in blamed.values() for found in said)
        self._blamed |= blamed
        self._reporter.note(f"the judges of the set sent back {len(blamed)} items: {_codes(self._codes_of(blamed))}")

    @property
    def _is_whole(self) -> bool:
        """Whether all stages of all shards were done."""
        return self._part == (1, 1) and self._bench.stages in ({*ALL_STAGES}, frozenset())

    # -- plans --------------------------------------------------------------------------------------

    def _plan(self, plans: Iterable[DialoguePlan], count: int) -> None:
        """Give plans their words and write them into the book."""
        started = time.monotonic()
        self._reporter.expect("plan", count)
        for plan in plans:
            self._stop_if_cancelled()
            item = self._texts.look_at(plan)
            self._book.add(item)
            self.books.plan((plan.cell,), self._round)
            place = (plan.task.track, plan.language)
            self._next_index[place] = max(self._next_index.get(place, 1), plan.index + 1)
            if not isinstance(item.words, Refused):
                self._hopeful[plan.cell] += 1
            self._reporter.advance("plan")
        self.seconds["plan"] += time.monotonic() - started

    def _replace_refused(self) -> None:
        """Top up what was refused for its words alone, before anything is spoken."""
        while self._round < self.config.top_up.rounds:
            missing = {
                cell: count - self._hopeful[cell] for cell, count in self._wanted() if self._hopeful[cell] < count
            }
            if not missing or not self._top_up(missing):
                return

    def _wanted(self) -> Iterator[tuple[QuotaCell, int]]:
        """What was planned for so far: less than the quota where there were too few scripts from the start."""
        yield from self.prepared.available

    def _top_up(self, missing: Mapping[QuotaCell, int]) -> bool:
        """Plan replacements; False where there are none."""
        self._round += 1
        self._reporter.note(f"top-up round {self._round}: {sum(missing.values())} items to replace")
        more: list[DialoguePlan] = []
        for cell, count in missing.items():
            more += self._replacements(cell, count, more)
        self._plan(more, len(more))
        return bool(more)

    def _replacements(self, cell: QuotaCell, count: int, planned: Iterable[DialoguePlan]) -> tuple[DialoguePlan, ...]:
        """As many as there are scripts left for the cell, and a word when they run out."""
        first_index: dict[tuple[Track, Language], int] = dict(self._next_index)
        for plan in planned:
            place = (plan.task.track, plan.language)
            first_index[place] = max(first_index.get(place, 1), plan.index + 1)
        plans, note = plan_top_up(
            cell,
            count,
            self.prepared.outlines,
            self.prepared.speakers,
            self.config.seed,
            self._round,
            first_index,
        )
        if note is not None:
            self._notes.append(note)
            self._reporter.note(f"top-up: {note}")
        return plans

    # -- shards -------------------------------------------------------------------------------------

    def _make_planned(self) -> None:
        """Make the items that were planned since the last time."""
        started = time.monotonic()
        count = len(self._book) - self._sharded
        for stage in ITEM_STAGES:
            self._reporter.expect(stage, count)
        not_made: list[NotMade] = []
        for done in self._runner.run(self._jobs(), lambda job: self._make(job, not_made)):
            for stage, seconds in done.seconds.items():
                self.seconds[stage] += seconds
            if done.summary is not None:
                self._take_in(done.summary)
        if not_made:
            raise NotMadeYet(self._sentence(not_made))
        self.seconds["items"] += time.monotonic() - started

    def _jobs(self) -> Iterator[ShardJob]:
        k, n = self._part
        for group in self._book.groups(self._sharded, self.config.execution.shard_items):
            job = ShardJob(number=len(self._keys), key=shard_key(self._basis, group), items=group)
            self._keys.append(job.key)
            self._sharded += len(group)
            if job.number % n == k - 1:
                yield job
            else:
                self._advance(len(group))

    def _make(self, job: ShardJob, not_made: list[NotMade]) -> ShardDone:
        """One shard, unless the ledger has it. Called from several threads."""
        self._stop_if_cancelled()
        finished = self.ledger.result(job.key)
        if finished is not None:
            changed = self.ledger.first_changed(finished)
            if changed is None:
                self._advance(len(job.items))
                return ShardDone(finished.summary, {})
            self._reporter.note(f"{changed} is not the file that was judged any more; its shard is made again")
        try:
            return make_shard(job, self._bench)
        except NotMade as error:
            not_made.append(error)
            return ShardDone(None, {})

    def _advance(self, items: int) -> None:
        for stage in ITEM_STAGES:
            self._reporter.found(stage, items)

    def _take_in(self, summary: ShardSummary) -> None:
        self.books.take_in(summary)
        self._rejects.update(summary.rejects)
        self._warnings.update(summary.warnings)
        self.spoken_again += summary.spoken_again
        self.mended += summary.mended

    def _stop_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Stopped

    # -- what came of it ----------------------------------------------------------------------------

    def shelf(self) -> Shelf:
        """The finished shards, without what was blamed."""
        return Shelf(self.ledger, self._keys, self._blamed)

    def counts(self) -> tuple[CellCount, ...]:
        return self.books.counts()

    @property
    def rejects(self) -> dict[str, int]:
        """Codes of the errors of rejected items."""
        return dict(sorted(self._rejects.items()))

    @property
    def warnings(self) -> dict[str, int]:
        """Codes of the warnings of accepted items."""
        return dict(sorted(self._warnings.items()))

    def keep_rejected(self, shelf: Shelf) -> None:
        """Write the quarantine anew."""
        write_quarantine(self.config.work_dir / QUARANTINE, rejected_items(shelf, self._blamed))

    def refuse_short(self, counts: tuple[CellCount, ...]) -> None:
        """
        Raises:
            QuotaShort: a quota is not met and ``top_up.on_short`` is ``fail``.
        """
        short = short_cells(counts)
        if not short or self.config.top_up.on_short != "fail":
            return
        cells = ", ".join(f"{cell} {released}/{quota}" for cell, (released, quota) in short.items())
        raise QuotaShort(
            f"quota not met after {self._round} top-up rounds: {cells}. Rejected because of: "
            f"{_codes(self._rejects)}. {self._why_short()}Nothing was published; the rejected items and why are in "
            f"{self.config.work_dir / QUARANTINE}. Add scripts to the pack, lower the quota, or set "
            "top_up.on_short=publish"
        )

    def _why_short(self) -> str:
        return "".join(f"{note}. " for note in dict.fromkeys(self._notes))

    def prune(self) -> None:
        """Remove the shards and items of earlier configurations, and what killed processes were writing."""
        self.ledger.prune(frozenset(self._keys))
        scenes = (key for key in self.shelf().index["scene_key"] if key is not None)
        self.ledger.scenes.prune(frozenset(scenes))
        sweep_partial(self.config.work_dir)

    def _codes_of(self, blamed: Mapping[str, tuple[Finding, ...]]) -> Counter[str]:
        return Counter(found.code for said in blamed.values() for found in said)

    def _sentence(self, not_made: list[NotMade]) -> str:
        first = not_made[0]
        what = "spoken" if first.stage is Stage.SPEAK else "composed"
        return (
            f"{len(not_made)} shards hold items that are not {what} yet (first: {first.plan_id}); run "
            "humdial items with the same configuration first, or add the step with --steps"
        )


def _codes(codes: Counter[str]) -> str:
    return ", ".join(f"{code} x{count}" for code, count in codes.most_common(_SHOWN_CODES))
