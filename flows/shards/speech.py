"""Who speaks for a build: its worker processes, or a server that one event loop talks to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from data_schemas.utterance import Utterance
from flows.config.build_config import BuildConfig
from flows.shards import steps
from flows.shards.remote_speech import RemoteSpeech
from generators.speech.engine import EngineError, RawSpeech, RemoteEngine, SpeechEngine
from generators.speech.requests import PlannedUtterance
from generators.speech.sounds.join import pieces_to_speak
from generators.speech.speak import find
from generators.store import Store

Spoken = Future[Utterance]


@dataclass(frozen=True)
class Asked:
    """Questions to a server about one utterance that are under way."""

    planned: PlannedUtterance
    raws: tuple[Future[RawSpeech], ...]


class SpeechWork:
    """Takes utterances, gives futures. Safe to use from several threads; close it at the end.

    An engine of ours speaks in the worker processes. A `RemoteEngine` is asked from this process, so that all shards
    share what the server bears, and what it answers is finished in the worker processes.
    """

    def __init__(self, config: BuildConfig, engine: SpeechEngine, pool: Executor) -> None:
        self._settings = config.speech
        self._engine = engine
        self._pool = pool
        self._store = config.work_dir / steps.STORE
        self._remote: RemoteSpeech | None = None
        self._lock = threading.Lock()

    def begin(self, planned: PlannedUtterance, may_speak: bool = True) -> Spoken | Asked:
        """Start on an utterance without waiting for anything; to be handed to ``finish``.

        Unless it ``may_speak``, what is not in the store is `NotMade` (of the future).
        """
        if not may_speak:
            return self._submit(steps.find_step, planned, self._settings, self._store)
        if not isinstance(self._engine, RemoteEngine):
            return self._submit(steps.speak_step, planned, self._settings, self._store)
        kept = find(planned, self._engine, Store(self._store))
        if kept is not None:
            done: Spoken = Future()
            done.set_result(kept)
            return done
        remote = self._opened(self._engine)
        return Asked(planned, tuple(remote.submit(piece) for piece in pieces_to_speak(planned.request)))

    def finish(self, begun: Spoken | Asked) -> Spoken:
        """Wait for the server, where there is one, and hand its answer to the workers.

        Raises:
            EndpointError: nothing will be answered any more.
        """
        if isinstance(begun, Future):
            return begun
        try:
            raws = tuple(raw.result() for raw in begun.raws)
        except EngineError as error:
            failed: Spoken = Future()
            failed.set_exception(type(error)(f"{begun.planned.id}: {error}"))
            return failed
        return self._submit(steps.keep_step, begun.planned, raws, self._settings, self._store)

    def close(self) -> None:
        with self._lock:
            remote, self._remote = self._remote, None
        if remote is not None:
            remote.close()

    def _opened(self, engine: RemoteEngine) -> RemoteSpeech:
        with self._lock:
            if self._remote is None:
                self._remote = RemoteSpeech(engine)
            return self._remote

    def _submit(self, job: Callable[..., Utterance], *arguments: Any) -> Spoken:
        return self._pool.submit(job, *arguments)
