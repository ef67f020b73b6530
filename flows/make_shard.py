"""One shard: write, speak, compose and judge its items, in the worker processes all shards share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from data_schemas.finding import Finding, Severity
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.tasks import Track
from data_schemas.utterance import Utterance
from flows import jobs
from flows.config import BuildConfig
from flows.pool import WorkerPool
from flows.prepare import Prepared
from flows.progress import Reporter
from flows.shards import ItemOutcome, ShardLedger, ShardResult
from generators.scenes.composer import SceneImpossible
from generators.scenes.microphone.babble import babble_requests
from generators.scripts.writer import ScriptError
from generators.speech.engine import EngineError
from generators.speech.requests import PlannedUtterance, utterance_requests

_VALIDATOR = "flows.make_shard/1"


@dataclass(frozen=True)
class Spoken:
    """What an item says, and what is said behind its back."""

    utterances: tuple[Utterance, ...]
    background: tuple[Utterance, ...] = ()


@dataclass(frozen=True)
class ShardMaker:
    """What the shards of a build share. Safe to call from several threads."""

    config: BuildConfig
    prepared: Prepared
    reporter: Reporter
    ledger: ShardLedger
    pool: WorkerPool
    cancelled: threading.Event

    def make(self, key: str, plans: tuple[DialoguePlan, ...]) -> None:
        """Make and judge the items of a shard, then write its ledger entry; a finished shard is passed over."""
        finished = self.ledger.result(key)
        if finished is not None:
            for stage in ("write", "compose", "judge"):
                self.reporter.advance(stage, len(plans))
            return
        self.ledger.start(key)
        written = [self._write(plan) for plan in plans]
        spoken = self._speak_all(written)
        composed = self._compose_all(key, written, spoken)
        outcomes = self._judge_all(key, written, composed)
        self.ledger.finish(ShardResult(key=key, outcomes=outcomes))

    def _write(self, plan: DialoguePlan) -> tuple[DialoguePlan, Script | Finding]:
        try:
            script: Script | Finding = self.prepared.writer.write(plan)
        except ScriptError as error:
            script = _refusal("BUILD.SCRIPT_FAILED", plan, error)
        self.reporter.advance("write")
        return plan, script

    def _speak_all(self, written: list[tuple[DialoguePlan, Script | Finding]]) -> list[Spoken | Finding]:
        store = self.config.work_dir / "store"
        waiting: list[tuple[DialoguePlan, list[Future[Utterance]], int] | Finding] = []
        for plan, script in written:
            if isinstance(script, Finding):
                waiting.append(script)
                continue
            try:
                planned, background = self._to_be_spoken(plan, script)
            except EngineError as error:
                waiting.append(_refusal("BUILD.SPEECH_FAILED", plan, error))
                continue
            except SceneImpossible as error:
                waiting.append(_refusal("BUILD.SCENE_IMPOSSIBLE", plan, error))
                continue
            together = (*planned, *background)
            self.reporter.expect("speak", len(together))
            futures = [self._submit("speak", jobs.speak_job, one, self.config.speech.engine, store) for one in together]
            waiting.append((plan, futures, len(planned)))
        return [
            entry if isinstance(entry, Finding) else _gather(entry[0], partial(_all, *entry[1:]), "BUILD.SPEECH_FAILED")
            for entry in waiting
        ]

    def _to_be_spoken(
        self, plan: DialoguePlan, script: Script
    ) -> tuple[tuple[PlannedUtterance, ...], tuple[PlannedUtterance, ...]]:
        """The item's own utterances, and those of its babble."""
        config, engine = self.config, self.prepared.engine
        planned = utterance_requests(plan, script, config.speech, config.scenes.hesitation, engine, config.seed)
        if plan.task.track is not Track.DUPLEX:
            return planned, ()
        background = babble_requests(
            plan, self.prepared.speakers, config.scenes.microphone, config.speech, engine, config.seed
        )
        return planned, background

    def _compose_all(
        self,
        key: str,
        written: list[tuple[DialoguePlan, Script | Finding]],
        spoken: list[Spoken | Finding],
    ) -> list[float | Finding]:
        waiting: list[tuple[DialoguePlan, Future[float]] | Finding] = []
        for (plan, script), said in zip(written, spoken, strict=True):
            if isinstance(said, Finding):
                waiting.append(said)
                self.reporter.advance("compose")
                continue
            directory = self.ledger.item_dir(key, plan.id)
            waiting.append(
                (
                    plan,
                    self._submit(
                        "compose",
                        jobs.compose_job,
                        self.config,
                        plan,
                        script,
                        said.utterances,
                        said.background,
                        directory,
                    ),
                )
            )
        return [
            entry if isinstance(entry, Finding) else _gather(entry[0], entry[1].result, "BUILD.SCENE_IMPOSSIBLE")
            for entry in waiting
        ]

    def _judge_all(
        self,
        key: str,
        written: list[tuple[DialoguePlan, Script | Finding]],
        composed: list[float | Finding],
    ) -> tuple[ItemOutcome, ...]:
        waiting: list[Future[tuple[Finding, ...]] | Finding] = []
        for (plan, _), seconds in zip(written, composed, strict=True):
            if isinstance(seconds, Finding):
                waiting.append(seconds)
                self.reporter.advance("judge")
            else:
                directory = self.ledger.item_dir(key, plan.id)
                waiting.append(self._submit("judge", jobs.judge_job, self.config, plan.task.track, directory))
        outcomes = []
        for (plan, _), seconds, entry in zip(written, composed, waiting, strict=True):
            findings = (entry,) if isinstance(entry, Finding) else entry.result()
            outcomes.append(
                ItemOutcome(
                    plan_id=plan.id,
                    cell=plan.cell,
                    script_id=plan.outline.script_id,
                    accepted=all(finding.severity is not Severity.ERROR for finding in findings),
                    findings=findings,
                    audio_seconds=0.0 if isinstance(seconds, Finding) else seconds,
                )
            )
        return tuple(outcomes)

    def _submit(self, stage: str, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        if self.cancelled.is_set():
            raise KeyboardInterrupt
        future = self.pool.submit(job, *arguments)
        future.add_done_callback(lambda _: self.reporter.advance(stage))
        return future


def _gather(plan: DialoguePlan, wait: Callable[[], Any], code: str) -> Any:
    """The job's value, or a finding when the item itself (not the machine) is at fault."""
    try:
        return wait()
    except (EngineError, SceneImpossible) as error:
        return _refusal(code, plan, error)


def _all(futures: list[Future[Utterance]], own: int) -> Spoken:
    """The first ``own`` utterances are the item's, the rest is babble."""
    said = tuple(future.result() for future in futures)
    return Spoken(utterances=said[:own], background=said[own:])


def _refusal(code: str, plan: DialoguePlan, error: Exception) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, item=plan.id, message=str(error), validator=_VALIDATOR)
