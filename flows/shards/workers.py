"""The worker processes of a build, shared by all its shards."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self, TypeVar

from flows.shards.steps import initialise_worker

T = TypeVar("T")


def default_workers() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


class WorkerPool:
    """A spawned process pool that replaces itself when a worker dies."""

    def __init__(self, workers: int) -> None:
        self.workers = workers or default_workers()
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None

    def submit(self, job: Callable[..., T], *arguments: Any) -> Future[T]:
        """Queue a job; after a worker died, in a fresh pool, so that a shard's retry can succeed."""
        with self._lock:
            if self._executor is None:
                self._executor = self._start()
            try:
                return self._executor.submit(job, *arguments)
            except BrokenProcessPool:
                self._executor = self._start()
                return self._executor.submit(job, *arguments)

    def _start(self) -> ProcessPoolExecutor:
        # polars (2.1) takes Ctrl-C over with SA_RESTART: who waits for a job would only hear of it when the job is done
        signal.siginterrupt(signal.SIGINT, True)
        return ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=initialise_worker,
            initargs=(os.getpid(),),
        )

    def stop(self, wait: bool) -> None:
        """End the workers; without ``wait`` running jobs are killed."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is None:
            return
        processes = list((getattr(executor, "_processes", None) or {}).values())
        executor.shutdown(wait=wait, cancel_futures=True)
        if not wait:
            for process in processes:
                process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(wait=kind is None)


WORKER_DIED = (
    "a worker process died (out of memory, or killed); what was finished is kept: "
    "run the same command again, with --workers 1 if memory is short"
)
