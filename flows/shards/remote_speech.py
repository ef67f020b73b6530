"""A thread with the event loop in which a build asks its speech server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from data_schemas.utterance import SpeechRequest
from generators.remote.errors import EndpointError
from generators.speech.engine import RawSpeech, RemoteEngine

T = TypeVar("T")


class RemoteSpeech:
    """One open engine for all threads of a build; used as ``with RemoteSpeech(engine) as speech``.

    Every request is a task at once: the engine's own limit decides how many are really under way. The first
    `EndpointError` ends all that wait with the same sentence, and whatever is submitted later.
    """

    def __init__(self, engine: RemoteEngine) -> None:
        """Starts the thread and connects.

        Raises:
            EngineError, EndpointError: the server is away, or not what the configuration says.
        """
        self._engine = engine
        self._broken: EndpointError | None = None
        self._closed = False
        self._lock = threading.Lock()
        #: used inside the loop only
        self._under_way: set[asyncio.Task[RawSpeech]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="remote-speech", daemon=True)
        self._thread.start()
        try:
            self._wait(engine.open())
        except BaseException:
            self._stop()
            raise

    def submit(self, request: SpeechRequest) -> Future[RawSpeech]:
        """Ask for one utterance. Cancelling the future takes the question back; safe to call from any thread.

        The future raises EngineError (this request gets no answer) or EndpointError (none will).

        Raises:
            RuntimeError: it was closed.
        """
        with self._lock:  # so that close() sees every task
            if self._closed:
                raise RuntimeError("the connection to the speech server was closed; open another RemoteSpeech")
            return asyncio.run_coroutine_threadsafe(self._speak(request), self._loop)

    def close(self) -> None:
        """Take back what is under way, disconnect, end the thread. Futures that wait are cancelled."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            self._wait(self._disconnect())
        finally:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- inside the loop --------------------------------------------------------------------------

    async def _speak(self, request: SpeechRequest) -> RawSpeech:
        self._raise_if_broken()
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            return await self._engine.synthesise_remotely(request)
        except EndpointError as error:
            self._break(error)
            raise
        except asyncio.CancelledError:
            self._raise_if_broken()  # it was not the caller who took it back
            raise
        finally:
            self._under_way.discard(task)

    def _break(self, error: EndpointError) -> None:
        """Nobody waits for a server that will not answer."""
        if self._broken is None:
            self._broken = error
            self._cancel_others()

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise type(self._broken)(str(self._broken))

    def _cancel_others(self) -> list[asyncio.Task[RawSpeech]]:
        others = [task for task in self._under_way if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        return others

    async def _disconnect(self) -> None:
        await asyncio.gather(*self._cancel_others(), return_exceptions=True)
        await self._engine.close()

    # -- outside of it ----------------------------------------------------------------------------

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
