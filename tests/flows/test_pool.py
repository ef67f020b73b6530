import os
from concurrent.futures.process import BrokenProcessPool

import pytest

from flows.cli import known_sentence
from flows.pool import WORKER_DIED, WorkerPool


def test_a_dead_worker_is_replaced_so_that_a_retry_can_succeed() -> None:
    with WorkerPool(1) as pool:
        dying = pool.submit(os._exit, 1)
        with pytest.raises(BrokenProcessPool) as caught:
            dying.result(timeout=60)
        assert pool.submit(os.getpid).result(timeout=60) != os.getpid()
    assert known_sentence(caught.value) == WORKER_DIED
