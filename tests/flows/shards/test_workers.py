import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from flows.cli.app import known_sentence
from flows.shards.workers import WORKER_DIED, WorkerPool


def test_a_dead_worker_is_replaced_so_that_a_retry_can_succeed() -> None:
    with WorkerPool(1) as pool:
        dying = pool.submit(os._exit, 1)
        with pytest.raises(BrokenProcessPool) as caught:
            dying.result(timeout=300)
        assert pool.submit(os.getpid).result(timeout=300) != os.getpid()
    assert known_sentence(caught.value) == WORKER_DIED


_WAITING = """
import sys, time
import polars
from flows.shards.workers import WorkerPool

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
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as one:
        assert one.stdout is not None and one.stderr is not None
        try:
            assert one.stdout.readline() == b"waiting\n"
            time.sleep(0.5)  # from the line to the wait
            one.send_signal(signal.SIGINT)
            assert one.wait(timeout=30) != 0
        finally:
            one.kill()
        assert b"KeyboardInterrupt" in one.stderr.read()
