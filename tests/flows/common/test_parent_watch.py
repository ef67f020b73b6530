"""A process with a parent watch ends when its parent is killed, with its children where it has a group of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

_PATIENCE_S = 60.0

_PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], start_new_session=True)
time.sleep(600)
"""
_CHILD = """
import subprocess, sys, time
from pathlib import Path
from flows.common.parent_watch import end_with_parent
end_with_parent(int(sys.argv[1]), whole_group=True)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
Path({told!r}).write_text(str(grandchild.pid), encoding="utf-8")
time.sleep(600)
"""


def test_a_killed_parent_leaves_nothing_behind(tmp_path: Path) -> None:
    told = tmp_path / "孙进程"
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, _CHILD.format(told=str(told))])
    try:
        _wait_for(lambda: told.exists() and told.read_text(encoding="utf-8") != "")
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) == 2
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _wait_for(lambda: not any(_is_there(one) for one in family))


def test_a_parent_that_was_gone_before_counts_as_gone() -> None:
    code = (
        "import time; from flows.common.parent_watch import end_with_parent; end_with_parent(1 << 22); time.sleep(600)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=_PATIENCE_S, check=False).returncode == 1


def _is_there(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _wait_for(holds: object) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
