"""The processes that work for a command, and their stand-in within one process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, islice
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from flows.common.threads import limit_threads, one_thread_environment

P = ParamSpec("P")
T = TypeVar("T")

_PARENT_CHECK_SECONDS = 1.0

WORKER_DIED = (
    "a worker process died (out of memory, or killed); what was finished is kept: "
    "run the same command again, with --workers 1 if memory is short"
)


class PoolStopped(CancelledError, RuntimeError):
    """The job came after the end of its pool: it is cancelled, and nothing is started for it."""


def default_workers() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def initialise_worker(parent: int) -> None:
    """Run once in every worker process: one thread, and an end when the process ``parent`` is gone (``kill -9``).

    Ctrl-C reaches the workers too: it is for the parent, which ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    limit_threads()


class _WorkerProcess(SpawnProcess):
    """Begins with one thread, set before anything is imported in it."""

    #: of its initialiser, raised again by each of its jobs
    failure: Exception | None = None

    def start(self) -> None:
        with one_thread_environment():
            super().start()


class _WorkerContext(SpawnContext):
    Process = _WorkerProcess


class WorkerPool(Executor):
    """Spawned processes that end with this one; the pool replaces itself when one dies, until it is stopped.

    Safe to use from several threads.
    """

    def __init__(
        self, workers: int = 0, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
    ) -> None:
        """
        Args:
            workers: how many; 0 is one per core. They start with the first jobs.
            initializer: called with ``initargs`` once in every worker; what it raises, each job there raises.
        """
        self.workers = workers or default_workers()
        self._start_with = initializer, initargs
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._ending: list[BaseProcess] = []
        self._stopped = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a job; after a worker died, in a fresh pool, so that a shard's retry can succeed.

        Raises:
            PoolStopped: the pool was stopped or shut down.
        """
        with self._lock:
            if self._stopped:
                raise PoolStopped("the worker processes were stopped; nothing more is done")
            if self._executor is None:
                self._executor = self._start()
            try:
                return self._executor.submit(_run, fn, args, kwargs)
            except BrokenProcessPool:
                self._executor = self._start()
                return self._executor.submit(_run, fn, args, kwargs)

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """Results in the order of the arguments; ``chunksize`` neighbours are one job, in one process."""
        calls = zip(*iterables, strict=False)
        chunks = iter(lambda: tuple(islice(calls, chunksize)), ())
        return chain.from_iterable(super().map(partial(_run_all, fn), chunks, timeout=timeout))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; what is running is finished, what is queued too unless it is cancelled."""
        executor = self._closed()
        if executor is not None:
            executor.shutdown(wait=wait, cancel_futures=cancel_futures)

    def stop(self, wait: bool) -> None:
        """Take no more jobs and cancel those queued; running ones are waited for, or killed without ``wait``."""
        executor = self._closed()
        if executor is not None:
            executor.shutdown(wait=wait, cancel_futures=True)
        if not wait:
            for process in self._ending:
                process.kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all jobs; after an exception kill them."""
        if kind is None:
            self.shutdown()
        else:
            self.stop(wait=False)

    def _closed(self) -> ProcessPoolExecutor | None:
        with self._lock:
            self._stopped = True
            executor = self._executor
            processes = getattr(executor, "_processes", None) or {}  # None once it is shut down
            self._ending += processes.values()
            return executor

    def _start(self) -> ProcessPoolExecutor:
        # polars (2.1) takes Ctrl-C over with SA_RESTART: who waits for a job would only hear of it when the job is done
        signal.siginterrupt(signal.SIGINT, True)
        return ProcessPoolExecutor(
            self.workers,
            mp_context=_WorkerContext(),
            initializer=_begin,
            initargs=(os.getpid(), *self._start_with),
        )


class SerialExecutor(Executor):
    """Jobs run in the calling thread, at once, in order: for processes that are workers already, and for tests.

    The process is limited to one thread, as worker processes are.
    """

    workers = 1

    def __init__(self, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()) -> None:
        self._stopped = False
        limit_threads()
        if initializer is not None:
            initializer(*initargs)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do the job; the future is done. Ctrl-C is raised here.

        Raises:
            PoolStopped: the executor was shut down.
        """
        if self._stopped:
            raise PoolStopped("this executor was shut down; nothing more is done")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._stopped = True

    def stop(self, wait: bool) -> None:
        self.shutdown(wait)


def _begin(parent: int, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    initialise_worker(parent)
    own = multiprocessing.current_process()
    assert isinstance(own, _WorkerProcess)
    try:
        if initializer is not None:
            initializer(*initargs)
    except Exception as error:  # a pool would be broken by it, and not say why
        own.failure = error


def _run_all(job: Callable[..., T], calls: tuple[tuple[Any, ...], ...]) -> list[T]:
    return [job(*arguments) for arguments in calls]


def _run(job: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
    own = multiprocessing.current_process()
    if isinstance(own, _WorkerProcess) and own.failure is not None:
        raise own.failure
    return job(*arguments, **named)
