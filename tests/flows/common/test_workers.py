"""The worker processes of a command: they come with one thread each, die with it, and stay away once it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from flows.cli.guard import known_sentence
from flows.common.threads import THREAD_ENVIRONMENT, one_thread_environment
from flows.common.workers import WORKER_DIED, PoolStopped, SerialExecutor, WorkerPool

PATIENCE_S = 300


def test_a_dead_worker_is_replaced_so_that_a_retry_can_succeed() -> None:
    with WorkerPool(1) as pool:
        dying = pool.submit(os._exit, 1)
        with pytest.raises(BrokenProcessPool) as caught:
            dying.result(timeout=PATIENCE_S)
        assert pool.submit(os.getpid).result(timeout=PATIENCE_S) != os.getpid()
    assert known_sentence(caught.value) == WORKER_DIED


def test_a_stopped_pool_refuses_and_starts_nothing() -> None:
    """After Ctrl-C a shard's thread may still have a job to hand over."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    pool = WorkerPool(1)
    running = pool.submit(time.sleep, 600)
    queued = [pool.submit(time.sleep, 600) for _ in range(5)]
    while not running.running():
        time.sleep(0.01)
    pool.stop(wait=False)
    with pytest.raises(PoolStopped, match="were stopped") as caught:
        pool.submit(os.getpid)
    assert isinstance(caught.value, CancelledError) and isinstance(caught.value, RuntimeError)
    assert isinstance(running.exception(timeout=PATIENCE_S), BrokenProcessPool)
    with pytest.raises(CancelledError):
        queued[-1].result(timeout=PATIENCE_S)
    with pytest.raises(PoolStopped):  # the broken pool is no reason to replace it
        pool.submit(os.getpid)
    assert not [one for one in _children(before) if "spawn_main" in " ".join(one.cmdline())]


def test_a_worker_that_died_is_not_replaced_after_the_stop() -> None:
    pool = WorkerPool(1)
    with pytest.raises(BrokenProcessPool):
        pool.submit(os._exit, 1).result(timeout=PATIENCE_S)
    pool.stop(wait=True)
    with pytest.raises(PoolStopped):
        pool.submit(os.getpid)


def test_a_pool_that_never_worked_can_be_stopped_and_stays_so() -> None:
    pool = WorkerPool(1)
    pool.stop(wait=False)
    pool.stop(wait=True)
    with pytest.raises(PoolStopped):
        pool.submit(os.getpid)


@contextmanager
def executors() -> Iterator[tuple[Executor, ...]]:
    with WorkerPool(1) as pool, SerialExecutor() as serial:
        yield pool, serial


def test_both_are_executors() -> None:
    with executors() as both:
        for each in both:
            assert each.submit(int, "10", base=2).result(timeout=PATIENCE_S) == 2
            assert list(each.map(str.upper, ("zh", "en"), timeout=PATIENCE_S)) == ["ZH", "EN"]
            assert list(each.map(pow, (2, 3, 4), (3, 2, 1), chunksize=2)) == [8, 9, 4]
            with pytest.raises(ValueError, match="invalid literal"):
                each.submit(int, "二十").result(timeout=PATIENCE_S)
            each.shutdown(wait=True, cancel_futures=True)
            with pytest.raises(PoolStopped):
                each.submit(os.getpid)


def test_shutting_down_finishes_what_is_queued() -> None:
    with WorkerPool(1) as pool:
        queued = [pool.submit(pow, 2, number) for number in range(20)]
    assert [one.result(timeout=0) for one in queued] == [2**number for number in range(20)]


def test_a_serial_executor_works_in_the_calling_thread_at_once_and_hears_ctrl_c() -> None:
    done: list[str] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    with SerialExecutor(done.append, ("准备",)) as serial:
        assert serial.submit(os.getpid).result(timeout=0) == os.getpid()
        serial.submit(done.append, "一")
        assert done == ["准备", "一"]
        with pytest.raises(KeyboardInterrupt):
            serial.submit(interrupted)


def test_every_worker_is_initialised_and_says_what_went_wrong(tmp_path: Path) -> None:
    (tmp_path / "你好").mkdir()
    for initialised in (
        WorkerPool(1, os.chdir, (tmp_path / "你好",)),
        WorkerPool(1, partial(os.chdir, tmp_path / "你好")),
    ):
        with initialised as pool:
            assert pool.submit(os.getcwd).result(timeout=PATIENCE_S) == str(tmp_path / "你好")
    with WorkerPool(1, int, ("没有",)) as pool:
        for _ in range(2):
            with pytest.raises(ValueError, match="没有"):
                pool.submit(os.getpid).result(timeout=PATIENCE_S)


_THREADS = """
import os, sys
import numpy, polars                     # the worker imports this module again, before its initialiser
from flows.common.workers import SerialExecutor, WorkerPool

def seen():
    import numba, scipy.linalg, sklearn.cluster, threadpoolctl, torch
    pools = {found["prefix"]: found["num_threads"] for found in threadpoolctl.threadpool_info()}
    told = {name: os.environ.get(name) for name in sorted(os.environ) if name.endswith("_THREADS")}
    return pools, torch.get_num_threads(), numba.get_num_threads(), polars.thread_pool_size(), told

if __name__ == "__main__":
    mine = os.environ["OMP_NUM_THREADS"]
    with WorkerPool(1) as pool:
        print(pool.submit(seen).result())
    assert os.environ["OMP_NUM_THREADS"] == mine
    with SerialExecutor() as serial:
        pools, torch, numba, _, told = serial.submit(seen).result()
    print((pools, torch, numba, 1, told))
"""


def test_a_worker_has_one_thread_whatever_the_environment_says(tmp_path: Path) -> None:
    script = tmp_path / "threads.py"
    script.write_text(_THREADS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        env=_environment() | dict.fromkeys(THREAD_ENVIRONMENT, "8"),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        pools, *counts, told = eval(line)
        assert pools and set(pools.values()) == {1}, pools
        assert counts == [1, 1, 1]
        assert told.items() >= THREAD_ENVIRONMENT.items()


def test_the_environment_of_the_parent_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    with pytest.raises(OSError, match="满"), one_thread_environment():
        assert (os.environ["OMP_NUM_THREADS"], os.environ["POLARS_MAX_THREADS"]) == ("1", "1")
        raise OSError("满")
    assert os.environ["OMP_NUM_THREADS"] == "8" and "POLARS_MAX_THREADS" not in os.environ


_BUSY = """
import time
from flows.common.workers import WorkerPool

if __name__ == "__main__":
    with WorkerPool(2) as pool:
        jobs = [pool.submit(time.sleep, 600) for _ in range(2)]
        while not all(job.running() for job in jobs):
            time.sleep(0.01)
        print("busy", flush=True)
        jobs[0].result()
"""


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "busy.py"
    script.write_text(_BUSY, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=_environment()) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"busy\n"
        left = psutil.Process(parent.pid).children(recursive=True)
        assert len(left) >= 2
        parent.kill()
    assert psutil.wait_procs(left, timeout=PATIENCE_S)[1] == []


def _children(before: set[int]) -> list[psutil.Process]:
    found = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
    return psutil.wait_procs(found, timeout=10)[1]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}


_WAITING = """
import sys, time
import polars
from flows.common.workers import WorkerPool

if __name__ == "__main__":
    with WorkerPool(1) as pool:
        job = pool.submit(time.sleep, 600)
        while not job.running():
            time.sleep(0.01)
        print("waiting", flush=True)
        job.result()
"""


def test_who_waits_for_a_job_hears_ctrl_c_at_once(tmp_path: Path) -> None:
    """Sent to the waiting process alone, as a scheduler does; polars once kept it from hearing."""
    script = tmp_path / "waiting.py"
    script.write_text(_WAITING, encoding="utf-8")
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as one:
        assert one.stdout is not None and one.stderr is not None
        try:
            assert one.stdout.readline() == b"waiting\n"
            time.sleep(0.5)  # from the line to the wait
            one.send_signal(signal.SIGINT)
            assert one.wait(timeout=30) != 0
        finally:
            one.kill()
        assert b"KeyboardInterrupt" in one.stderr.read()
