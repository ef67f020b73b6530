"""One shard: write, speak, compose and judge its items, in the worker processes all shards share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from data_schemas.finding import Finding, Severity
from data_schemas.item import Item
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.tasks import Track
from data_schemas.utterance import Utterance
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.prepare.resolve import Prepared
from flows.shards import steps
from flows.shards.blame import Retake, misspoken
from flows.shards.ledger import ItemOutcome, ShardLedger
from flows.shards.speech import Asked, SpeechWork, Spoken
from flows.shards.workers import WorkerPool
from generators.scenes.duplex.composer import SceneImpossible
from generators.scenes.microphone.babble import babble_requests
from generators.scripts.writer import ScriptError
from generators.speech.engine import EngineError, EngineUnusable
from generators.speech.requests import PlannedUtterance, another_try, utterance_requests
from generators.speech.returned import Misspoken

_VALIDATOR = "flows.make_shard/1"
_SPEECH_FAILED = "BUILD.SPEECH_FAILED"

Said = tuple[Utterance, ...]


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
    audio_seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    #: utterances that were sent back, with the codes of the first time
    sent_back: Mapping[str, tuple[str, ...]] | None = None
    #: it came to an end before there was anything to judge
    failed: bool = False

    def ended(self, code: str, error: Exception) -> Draft:
        """The item itself (not the machine) is at fault."""
        finding = Finding(
            code=code, severity=Severity.ERROR, item=self.plan.id, message=str(error), validator=_VALIDATOR
        )
        return replace(self, findings=(finding,), failed=True, audio_seconds=0.0)

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


@dataclass(frozen=True)
class ShardMaker:
    """What the shards of a build share. Safe to call from several threads."""

    config: BuildConfig
    prepared: Prepared
    reporter: Reporter
    ledger: ShardLedger
    pool: WorkerPool
    speech: SpeechWork
    cancelled: threading.Event

    def make(self, key: str, plans: tuple[DialoguePlan, ...]) -> None:
        """Make and judge the items of a shard, then write its ledger entry; a finished shard is passed over.

        Raises:
            EngineUnusable, EndpointError: nothing can be spoken, whatever the item.
        """
        if self._is_finished(key):
            for stage in ("write", "compose", "judge"):
                self.reporter.advance(stage, len(plans))
            return
        self.ledger.start(key)
        drafts = self._produce(key, [self._write(plan) for plan in plans])
        while again := self._sent_back(key, drafts):
            for stage in ("compose", "judge"):
                self.reporter.expect(stage, len(again))
            produced = self._produce(key, list(again.values()))
            drafts = [dict(zip(again, produced, strict=True)).get(n, draft) for n, draft in enumerate(drafts)]
        self.ledger.finish(key, tuple(self._outcome(key, draft) for draft in drafts))

    def _is_finished(self, key: str) -> bool:
        """By an earlier run, and its files are still those that were judged."""
        finished = self.ledger.result(key)
        if finished is None:
            return False
        if self.cancelled.is_set():
            raise KeyboardInterrupt
        changed = self.ledger.first_changed(finished)
        if changed is not None:
            self.reporter.note(f"{changed} is not the file that was judged any more; its shard is made again")
        return changed is None

    def _produce(self, key: str, drafts: list[Draft]) -> list[Draft]:
        """Speak, compose and judge."""
        spoken = self._speak_all(drafts)
        composed = self._compose_all(key, [draft for draft, _ in spoken], [said for _, said in spoken])
        return self._judge_all(key, composed)

    # -- words --------------------------------------------------------------------------------------

    def _write(self, plan: DialoguePlan) -> Draft:
        draft = Draft(plan, None)
        try:
            script = self.prepared.writer.write(plan)
            draft = self._with_requests(Draft(plan, script), script)
        except ScriptError as error:
            draft = draft.ended("BUILD.SCRIPT_FAILED", error)
        except EngineError as error:
            draft = draft.ended(_SPEECH_FAILED, error)
        except SceneImpossible as error:
            draft = draft.ended("BUILD.SCENE_IMPOSSIBLE", error)
        self.reporter.advance("write")
        return draft

    def _with_requests(self, draft: Draft, script: Script) -> Draft:
        """The item's own utterances, and those of its babble."""
        config, engine, plan = self.config, self.prepared.engine, draft.plan
        planned = utterance_requests(plan, script, config.speech, config.scenes.hesitation, engine, config.seed)
        if plan.task.track is not Track.DUPLEX:
            return replace(draft, planned=planned, first=planned)
        background = babble_requests(
            plan, self.prepared.speakers, config.scenes.microphone, config.speech, engine, config.seed
        )
        return replace(draft, planned=planned, first=planned, background=background)

    def _sent_back(self, key: str, drafts: Sequence[Draft]) -> dict[int, Draft]:
        """Items of which utterances are to be spoken again, by place, with these utterances at their next try."""
        again: dict[int, Draft] = {}
        for place, draft in enumerate(drafts):
            if draft.failed or not draft.errors:
                continue
            blamed = self._misspoken(key, draft)
            pairs = [pair for pair in zip(draft.first, draft.planned, strict=True) if pair[0].id in blamed]
            changed = {first.id: self._next_try(first, latest) for first, latest in pairs}
            if changed and all(changed.values()):
                again[place] = replace(
                    draft,
                    planned=tuple(changed.get(one.id) or one for one in draft.planned),
                    sent_back={**blamed, **(draft.sent_back or {})},
                )
        return again

    def _next_try(self, first: PlannedUtterance, latest: PlannedUtterance) -> PlannedUtterance | None:
        """None: the tries are used up, or the engine has nothing left to change."""
        if latest.tries >= self.config.speech.tries:
            return None
        return another_try(first, latest.tries + 1, self.prepared.engine, self.config.seed)

    def _misspoken(self, key: str, draft: Draft) -> dict[str, tuple[str, ...]]:
        text = (self.ledger.item_dir(key, draft.plan.id) / steps.ITEM_FILE).read_text(encoding="utf-8")
        layout = self.config.layout_of(draft.plan.task.track)
        return misspoken(Item.model_validate_json(text), layout, draft.findings)

    # -- sound --------------------------------------------------------------------------------------

    def _speak_all(self, drafts: Sequence[Draft]) -> list[tuple[Draft, Said | EngineError]]:
        """Everything an item says, its own utterances before its babble; nothing of an item that failed."""
        begun = []
        for draft in drafts:
            together = () if draft.failed else (*draft.planned, *draft.background)
            self.reporter.expect("speak", len(together))
            begun.append([self._begin(one) for one in together])
        waiting = [[self._counted(self.speech.finish(one)) for one in own] for own in begun]
        return [self._gathered(draft, own) for draft, own in zip(drafts, waiting, strict=True)]

    def _gathered(self, draft: Draft, futures: Sequence[Spoken]) -> tuple[Draft, Said | EngineError]:
        """What was spoken; what the engine itself saw go wrong is asked for again at once."""
        latest, firsts = [*draft.planned, *draft.background], (*draft.first, *draft.background)
        said: list[Utterance] = []
        sent_back = dict(draft.sent_back or {})
        failed: EngineError | None = None
        for place, future in enumerate(futures):
            one: Utterance | EngineError = _result(future)
            while isinstance(one, Misspoken):
                sent_back.setdefault(latest[place].id, (_SPEECH_FAILED,))
                again = self._next_try(firsts[place], latest[place])
                if again is None:
                    break
                latest[place] = again
                self.reporter.expect("speak", 1)
                one = _result(self._counted(self.speech.finish(self._begin(again))))
            if isinstance(one, EngineError):
                failed = failed or one
            else:
                said.append(one)
        own = len(draft.planned)
        draft = replace(draft, planned=tuple(latest[:own]), background=tuple(latest[own:]), sent_back=sent_back)
        return draft, failed or tuple(said)

    def _begin(self, planned: PlannedUtterance) -> Spoken | Asked:
        if self.cancelled.is_set():
            raise KeyboardInterrupt
        return self.speech.begin(planned)

    def _counted(self, future: Future[Utterance]) -> Future[Utterance]:
        future.add_done_callback(lambda _: self.reporter.advance("speak"))
        return future

    def _compose_all(self, key: str, drafts: Sequence[Draft], spoken: Sequence[Said | EngineError]) -> list[Draft]:
        waiting: list[Future[float] | Draft] = []
        for draft, said in zip(drafts, spoken, strict=True):
            if draft.failed or isinstance(said, EngineError):
                waiting.append(draft.ended(_SPEECH_FAILED, said) if isinstance(said, EngineError) else draft)
                self.reporter.advance("compose")
                continue
            own = len(draft.planned)
            directory = self.ledger.item_dir(key, draft.plan.id)
            work = (self.config, draft.plan, draft.script, said[:own], said[own:], directory)
            waiting.append(self._submit("compose", steps.compose_job, *work))
        return [_composed(draft, entry) for draft, entry in zip(drafts, waiting, strict=True)]

    def _judge_all(self, key: str, drafts: Sequence[Draft]) -> list[Draft]:
        waiting: list[Future[tuple[Finding, ...]] | None] = []
        for draft in drafts:
            if draft.failed:
                waiting.append(None)
                self.reporter.advance("judge")
                continue
            directory = self.ledger.item_dir(key, draft.plan.id)
            waiting.append(self._submit("judge", steps.judge_job, self.config, draft.plan.task.track, directory))
        return [
            draft if future is None else replace(draft, findings=future.result())
            for draft, future in zip(drafts, waiting, strict=True)
        ]

    def _outcome(self, key: str, draft: Draft) -> ItemOutcome:
        latest = {one.id: one for one in (*draft.planned, *draft.background)}
        sent_back = draft.sent_back or {}
        still = {*sent_back} if draft.failed else {*self._misspoken(key, draft)} if sent_back else set()
        return ItemOutcome(
            plan_id=draft.plan.id,
            cell=draft.plan.cell,
            script_id=draft.plan.outline.script_id,
            accepted=not draft.errors,
            findings=draft.findings,
            audio_seconds=draft.audio_seconds,
            retakes=tuple(
                Retake(
                    utterance=utterance,
                    voice=latest[utterance].request.voice,
                    codes=codes,
                    tries=latest[utterance].tries,
                    mended=utterance not in still,
                )
                for utterance, codes in sorted(sent_back.items())
            ),
        )

    def _submit(self, stage: str, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        if self.cancelled.is_set():
            raise KeyboardInterrupt
        future = self.pool.submit(job, *arguments)
        future.add_done_callback(lambda _: self.reporter.advance(stage))
        return future


def _result(future: Spoken) -> Utterance | EngineError:
    try:
        return future.result()
    except EngineUnusable:
        raise
    except EngineError as error:
        return error


def _composed(draft: Draft, entry: Future[float] | Draft) -> Draft:
    if isinstance(entry, Draft):
        return entry
    try:
        return replace(draft, audio_seconds=entry.result())
    except SceneImpossible as error:
        return draft.ended("BUILD.SCENE_IMPOSSIBLE", error)
