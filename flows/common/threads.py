"""One thread per process: the same bytes under any load, and the fastest use of few cores."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: What the numerical libraries read when they are loaded (polars and numba once for ever).
THREAD_ENVIRONMENT: dict[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}
_CHANGING = threading.Lock()


@contextmanager
def one_thread_environment() -> Iterator[None]:
    """Processes started inside begin with one thread, whatever this one was told; the environment comes back after."""
    with _CHANGING:
        before = {name: os.environ.get(name) for name in THREAD_ENVIRONMENT}
        os.environ.update(THREAD_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def limit_threads() -> None:
    """One thread for this process from now on, by force: what is loaded already and what will be.

    The pool of polars cannot be changed once polars is loaded.
    """
    from threadpoolctl import threadpool_limits

    os.environ.update(THREAD_ENVIRONMENT)
    threadpool_limits(limits=1)
    for package in ("torch", "numba"):
        if package in sys.modules:
            sys.modules[package].set_num_threads(1)
