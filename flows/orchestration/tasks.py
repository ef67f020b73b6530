"""The one Prefect task: a shard. It gets a job and the function that makes it, and returns a few hundred bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from flows.build.runner import MakeShard, in_flight, is_transient
from flows.shards.job import ShardJob
from flows.shards.make import ShardDone


def may_be_tried_again(_task: Task[..., object], _run: TaskRun, state: State[object]) -> bool:
    """Whether what ended a shard was the machine's fault: not a stopped build, nor an engine nobody can use."""
    return is_transient(state.result(raise_on_failure=False))


@task(
    name="shard",
    task_run_name="shard-{number:04d}-{key}",
    retry_condition_fn=may_be_tried_again,
    retry_delay_seconds=[1],
    cache_policy=NO_CACHE,
    persist_result=False,
)
def shard_task(number: int, key: str, job: ShardJob, make: MakeShard) -> ShardDone:
    """Make one group of items, unless the ledger has it.

    Args:
        number: place among the shards of the build.
        key: of the shard, shortened.
        job: plans and scripts.
        make: what makes it: `flows.shards.make.make_shard` at the bench of this build.
    """
    return make(job)


#: digits of a key in the name of its run
_SHOWN = 8


class PrefectRunner:
    """Every shard is a task run of the flow that is running; threads of that flow's task runner make them."""

    def __init__(self, most: int, retries: int) -> None:
        self._most = most
        self._task = shard_task.with_options(retries=retries)

    def run(self, jobs: Iterable[ShardJob], make: MakeShard) -> Iterator[ShardDone]:
        """Results in the order of the jobs.

        Raises:
            what ``make`` raises, after the retries of what is transient.
        """

        def begin(job: ShardJob) -> Any:
            opaque: tuple[Any, ...] = (quote(job), quote(make))  # else Prefect visits them field by field
            return self._task.submit(job.number, job.key[:_SHOWN], *opaque)

        return in_flight(jobs, begin, self._most)
