"""One shard: its items spoken, composed and judged, then bound. Knows no Prefect and no kind of machine.

``run`` is the whole difference between machines: a pool of processes here, a serial executor on a worker elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from data_schemas.finding import Finding, Severity
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.utterance import Utterance
from flows.common.progress import Reporter
from flows.shards import steps
from flows.shards.blame import Retake
from flows.shards.job import BUILD_VALIDATOR, ContextRef, ItemOutcome, Refused, ShardJob, ShardSummary
from flows.shards.speech import Asked, SpeechWork, Spoken
from flows.shards.steps import ALL_STAGES, Examined, Stage, Wanted
from generators.scenes.errors import SceneImpossible
from generators.speech.engine import EngineError, EngineUnusable, SpeechEngine
from generators.speech.requests import PlannedUtterance, another_try
from generators.speech.returned import Misspoken

T = TypeVar("T")

_SPEECH_FAILED = "BUILD.SPEECH_FAILED"
_SCENE_IMPOSSIBLE = "BUILD.SCENE_IMPOSSIBLE"

Said = tuple[Utterance, ...]


class Stopped(KeyboardInterrupt):
    """The build was stopped: nothing new is begun."""


@dataclass(frozen=True)
class Bench:
    """What the shards of a build share. Safe to use from several threads."""

    context: ContextRef
    engine: SpeechEngine
    #: makes the seeds of another try, and says how many tries there are
    seed: int
    tries: int
    run: Executor
    speech: SpeechWork
    reporter: Reporter
    cancelled: threading.Event
    stages: frozenset[Stage] = ALL_STAGES


@dataclass(frozen=True)
class ShardDone:
    """A shard that was made: its summary, None where not all stages were done, and seconds of work by stage."""

    summary: ShardSummary | None
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Draft:
    """An item with its words, and what became of it so far."""

    plan: DialoguePlan
    script: Script | None
    #: what it says, each at its latest try
    planned: tuple[PlannedUtterance, ...] = ()
    #: the same at their first
    first: tuple[PlannedUtterance, ...] = ()
    #: what is said behind its back
    background: tuple[PlannedUtterance, ...] = ()
    #: None: not examined yet, or it came to an end before
    examined: Examined | None = None
    #: why it came to an end before there was anything to judge; () where it did not
    refused: tuple[Finding, ...] = ()
    #: utterances that were sent back, with the codes of the first time
    sent_back: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ended(self, code: str, why: str) -> Draft:
        """The item itself (not the machine) is at fault."""
        finding = Finding(code=code, severity=Severity.ERROR, item=self.plan.id, message=why, validator=BUILD_VALIDATOR)
        return replace(self, examined=None, refused=(finding,))

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.refused if self.examined is None else self.examined.findings

    @property
    def is_rejected(self) -> bool:
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def make_shard(job: ShardJob, bench: Bench) -> ShardDone:
    """Make and judge the items of a shard and write it to the ledger.

    Whatever ends it, nothing it began is running when it returns.

    Raises:
        EngineUnusable, EndpointError: nothing can be spoken, whatever the item.
        NotMade: a stage that was not chosen would have to be done first.
        Stopped: the build was stopped.
        BrokenProcessPool, OSError: of the machine; another attempt may succeed.
    """
    with _Shard(bench) as shard:
        return shard.make(job)


class _Shard:
    """One attempt at a shard, and every future it waits for."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._begun: list[Future[Any]] = []
        self._seconds: dict[str, float] = defaultdict(float)

    def __enter__(self) -> _Shard:
        return self

    def __exit__(self, *_: object) -> None:
        running = [future for future in self._begun if not future.cancel()]
        for future in () if self._bench.cancelled.is_set() else running:  # cancelled: the pool is killed
            with suppress(CancelledError):
                future.exception()

    def make(self, job: ShardJob) -> ShardDone:
        drafts = self._produce(self._plan_all(job))
        while again := self._sent_back(drafts):
            produced = self._produce(list(again.values()), again=True)
            renewed = dict(zip(again, produced, strict=True))
            drafts = [renewed.get(place, draft) for place, draft in enumerate(drafts)]
        if Stage.JUDGE not in self._bench.stages:
            return ShardDone(None, self._seconds)
        outcomes = tuple(self._outcome(draft) for draft in drafts)
        started = time.monotonic()
        summary = self._submit(steps.bind_step, self._bench.context, job.key, outcomes).result()
        self._seconds["bind"] += time.monotonic() - started
        return ShardDone(summary, self._seconds)

    # -- words --------------------------------------------------------------------------------------

    def _plan_all(self, job: ShardJob) -> list[Draft]:
        """Every item with what it has to say."""
        waiting: list[tuple[Draft, Future[Wanted] | None]] = []
        for item in job.items:
            if isinstance(item.words, Refused):
                waiting.append((Draft(item.plan, None, refused=item.words.findings), None))
            else:
                future = self._submit(steps.plan_step, self._bench.context, item.plan, item.words)
                waiting.append((Draft(item.plan, item.words), future))
        return [draft if future is None else self._with_wanted(draft, future) for draft, future in waiting]

    def _with_wanted(self, draft: Draft, future: Future[Wanted]) -> Draft:
        try:
            wanted = future.result()
        except EngineUnusable:
            raise
        except EngineError as error:
            return draft.ended(_SPEECH_FAILED, str(error))
        except SceneImpossible as error:
            return draft.ended(_SCENE_IMPOSSIBLE, str(error))
        return replace(draft, planned=wanted.planned, first=wanted.planned, background=wanted.background)

    def _sent_back(self, drafts: Sequence[Draft]) -> dict[int, Draft]:
        """Items of which utterances are to be spoken again, by place, with these utterances at their next try."""
        again: dict[int, Draft] = {}
        for place, draft in enumerate(drafts):
            if draft.examined is None or not draft.is_rejected:
                continue
            blamed = draft.examined.misspoken
            pairs = [pair for pair in zip(draft.first, draft.planned, strict=True) if pair[0].id in blamed]
            changed = {first.id: self._next_try(first, latest) for first, latest in pairs}
            if changed and all(changed.values()):
                again[place] = replace(
                    draft,
                    planned=tuple(changed.get(one.id) or one for one in draft.planned),
                    sent_back={**blamed, **draft.sent_back},
                )
        return again

    def _next_try(self, first: PlannedUtterance, latest: PlannedUtterance) -> PlannedUtterance | None:
        """None: the tries are used up, or the engine has nothing left to change."""
        if latest.tries >= self._bench.tries:
            return None
        return another_try(first, latest.tries + 1, self._bench.engine, self._bench.seed)

    # -- sound --------------------------------------------------------------------------------------

    def _produce(self, drafts: Sequence[Draft], again: bool = False) -> list[Draft]:
        """Speak, compose and judge; an item that came to an end is passed through."""
        spoken = self._speak_all(drafts, again)
        if self._bench.stages == {Stage.SPEAK}:
            return [draft for draft, _ in spoken]
        waiting: list[tuple[Draft, Future[Examined] | None]] = []
        for draft, said in spoken:
            if not draft.refused and isinstance(said, EngineError):
                waiting.append((draft.ended(_SPEECH_FAILED, str(said)), None))
            elif draft.refused or draft.script is None or isinstance(said, EngineError):
                waiting.append((draft, None))
            else:
                own = len(draft.planned)
                order = (self._bench.context, draft.plan, draft.script, said[:own], said[own:], self._bench.stages)
                waiting.append((draft, self._submit(steps.examine_step, *order)))
        return [self._with_verdict(draft, future, again) for draft, future in waiting]

    def _with_verdict(self, draft: Draft, future: Future[Examined] | None, again: bool) -> Draft:
        try:
            if future is not None:
                examined = future.result()
                for stage, seconds in examined.seconds.items():
                    self._seconds[stage] += seconds
                draft = replace(draft, examined=examined)
        except SceneImpossible as error:
            draft = draft.ended(_SCENE_IMPOSSIBLE, str(error))
        if not again:
            self._bench.reporter.advance("judge")
        return draft

    def _speak_all(self, drafts: Sequence[Draft], again: bool) -> list[tuple[Draft, Said | EngineError]]:
        """Everything an item says, its own utterances before its babble; nothing of an item that failed."""
        started = time.monotonic()
        begun = [
            [] if draft.refused else [self._begin(one) for one in (*draft.planned, *draft.background)]
            for draft in drafts
        ]
        waiting = [[self._finish(one) for one in own] for own in begun]
        spoken = []
        for draft, own in zip(drafts, waiting, strict=True):
            spoken.append(self._gathered(draft, own))
            if not again:
                self._bench.reporter.advance("speak")
        self._seconds["speak"] += time.monotonic() - started
        return spoken

    def _gathered(self, draft: Draft, futures: Sequence[Spoken]) -> tuple[Draft, Said | EngineError]:
        """What was spoken; what the engine itself saw go wrong is asked for again at once."""
        latest, firsts = [*draft.planned, *draft.background], (*draft.first, *draft.background)
        said: list[Utterance] = []
        sent_back = dict(draft.sent_back)
        failed: EngineError | None = None
        for place, future in enumerate(futures):
            one: Utterance | EngineError = _result(future)
            while isinstance(one, Misspoken):
                sent_back.setdefault(latest[place].id, (_SPEECH_FAILED,))
                following = self._next_try(firsts[place], latest[place])
                if following is None:
                    break
                latest[place] = following
                one = _result(self._finish(self._begin(following)))
            if isinstance(one, EngineError):
                failed = failed or one
            else:
                said.append(one)
        own = len(draft.planned)
        draft = replace(draft, planned=tuple(latest[:own]), background=tuple(latest[own:]), sent_back=sent_back)
        return draft, failed or tuple(said)

    def _begin(self, planned: PlannedUtterance) -> Spoken | Asked:
        self._stop_if_cancelled()
        begun = self._bench.speech.begin(planned, Stage.SPEAK in self._bench.stages)
        self._begun += [begun] if isinstance(begun, Future) else begun.raws
        return begun

    def _finish(self, begun: Spoken | Asked) -> Spoken:
        spoken = self._bench.speech.finish(begun)
        self._begun.append(spoken)
        return spoken

    # -- the end ------------------------------------------------------------------------------------

    def _outcome(self, draft: Draft) -> ItemOutcome:
        latest = {one.id: one for one in (*draft.planned, *draft.background)}
        examined = draft.examined
        still: Iterable[str] = draft.sent_back if examined is None else examined.misspoken
        return ItemOutcome(
            plan_id=draft.plan.id,
            cell=draft.plan.cell,
            script_id=draft.plan.outline.script_id,
            accepted=not draft.is_rejected,
            findings=draft.findings,
            audio_seconds=0.0 if examined is None else examined.audio_seconds,
            scene_key=None if examined is None else examined.scene_key,
            verdict_key=None if examined is None else examined.verdict_key,
            retakes=tuple(
                Retake(
                    utterance=utterance,
                    voice=latest[utterance].request.voice,
                    codes=codes,
                    tries=latest[utterance].tries,
                    mended=utterance not in still,
                )
                for utterance, codes in sorted(draft.sent_back.items())
            ),
        )

    def _submit(self, step: Callable[..., T], *arguments: Any) -> Future[T]:
        self._stop_if_cancelled()
        future = self._bench.run.submit(step, *arguments)
        self._begun.append(future)
        return future

    def _stop_if_cancelled(self) -> None:
        if self._bench.cancelled.is_set():
            raise Stopped


def _result(future: Spoken) -> Utterance | EngineError:
    try:
        return future.result()
    except EngineUnusable:
        raise
    except EngineError as error:
        return error
