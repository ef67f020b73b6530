"""Who runs the shards of a build side by side: threads of this process, or Prefect (`flows.orchestration.tasks`)."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from flows.shards.job import ShardJob
from flows.shards.make import ShardDone

MakeShard = Callable[[ShardJob], ShardDone]
#: A shard in flight waits for the slowest of its items; one more than there are workers keeps them all busy.
SHARDS_MORE_THAN_WORKERS = 1
#: Errors of the machine that another attempt does not mend.
_LASTING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


class ShardRunner(Protocol):
    """Runs shards; hands out results in the order of the jobs and asks for jobs only as they can be begun."""

    def run(self, jobs: Iterable[ShardJob], make: MakeShard) -> Iterator[ShardDone]: ...


def is_transient(error: object) -> bool:
    """Whether another attempt at the same shard may succeed: a worker died, or a file system hiccuped."""
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return isinstance(error, BrokenProcessPool)


class ThreadRunner:
    """One thread per shard in flight, in this process, without any server."""

    def __init__(self, threads: int, retries: int) -> None:
        self._threads = threads
        self._retries = retries

    def run(self, jobs: Iterable[ShardJob], make: MakeShard) -> Iterator[ShardDone]:
        """Results in the order of the jobs.

        Raises:
            what ``make`` raises, after the retries of what is transient.
        """
        threads = ThreadPoolExecutor(self._threads, thread_name_prefix="shard")
        try:
            yield from in_flight(jobs, lambda job: threads.submit(self._persistently, make, job), self._threads)
        except BaseException:  # whoever stops a build must hear of it before the shards in flight have ended
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        threads.shutdown()

    def _persistently(self, make: MakeShard, job: ShardJob) -> ShardDone:
        for _ in range(self._retries):
            try:
                return make(job)
            except (OSError, BrokenProcessPool) as error:
                if not is_transient(error):
                    raise
        return make(job)


def in_flight(jobs: Iterable[ShardJob], begin: Callable[[ShardJob], Any], most: int) -> Iterator[ShardDone]:
    """Results of the futures that ``begin`` gives, in order, at most ``most`` begun and not handed out."""
    begun: deque[Any] = deque()
    for job in jobs:
        begun.append(begin(job))
        if len(begun) >= most:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
