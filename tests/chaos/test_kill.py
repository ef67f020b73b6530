"""Killed at any moment and started again: the same bytes, nothing twice, no server left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.common.errors import EXIT_USAGE
from tests.support.builds import draft_config, humdial, run_humdial

pytestmark = pytest.mark.chaos

_PATIENCE_SECONDS = 900


def tree_of(release: Path) -> str:
    return str(json.loads((release / "dataset.lock.json").read_text(encoding="utf-8"))["tree_sha256"])


def wait_until_shards(work: Path, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(list(work.glob("shards/*/result.json"))) < count:
        assert time.monotonic() < deadline, "the build never finished a shard"
        time.sleep(0.05)


def test_kill_9_half_way_then_again(tmp_path: Path) -> None:
    whole = draft_config(tmp_path / "whole", execution={"workers": 1, "shard_items": 1})
    status, output = run_humdial("build", str(whole), folder=tmp_path / "whole")
    assert status == 0, output

    config = draft_config(tmp_path / "killed", execution={"workers": 1, "shard_items": 1})
    folder = tmp_path / "killed"
    process = humdial("build", str(config), log=folder / "first.log", home=folder)
    wait_until_shards(folder / "work", 2)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    servers = json.loads((folder / "work" / "prefect-servers.json").read_text(encoding="utf-8"))
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    finished = {path.parent.name: path.stat().st_mtime_ns for path in (folder / "work").glob("shards/*/result.json")}
    assert not (folder / "release").exists()
    assert finished

    status, output = run_humdial("build", str(config), folder=folder)
    assert status == 0, output
    kept = {path.parent.name: path.stat().st_mtime_ns for path in (folder / "work").glob("shards/*/result.json")}
    assert all(kept[key] == stamp for key, stamp in finished.items()), "a finished shard was made twice"
    assert tree_of(folder / "release") == tree_of(tmp_path / "whole" / "release")

    assert servers, "the ephemeral server was not recorded"
    deadline = time.monotonic() + 20
    while alive := [one.pid for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < deadline, f"still there: {alive}"
        time.sleep(0.1)


@pytest.mark.parametrize("orchestrator", ["prefect", "none"])
def test_ctrl_c_publishes_nothing_and_says_so(tmp_path: Path, orchestrator: str) -> None:
    config = draft_config(tmp_path, execution={"workers": 1, "shard_items": 1, "orchestrator": orchestrator})
    process = humdial("build", str(config), log=tmp_path / "log.txt", home=tmp_path)
    wait_until_shards(tmp_path / "work", 1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    status = process.wait(timeout=60)
    output = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert status == 130, output
    assert "Traceback" not in output, output
    assert "nothing was published" in output
    assert not (tmp_path / "release").exists()


_FULL_DISK = """
import errno, sys
import flows.release.tree as tree
from flows.cli.app import app
from flows.cli.guard import run_guarded
from flows.orchestration.environment import prepare_environment

def full(*arguments, **options):
    raise OSError(errno.ENOSPC, "No space left on device", "catalog.parquet")

if __name__ == "__main__":
    tree.link_or_copy = full  # the disk is the counterpart that misbehaves
    prepare_environment()
    sys.exit(run_guarded(app))
"""


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    script = tmp_path / "full.py"
    script.write_text(_FULL_DISK, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), "build", str(draft_config(tmp_path))],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        env=os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")},
    )
    assert done.returncode == EXIT_USAGE, done.stdout + done.stderr
    assert "disk is full" in done.stderr
    assert not (tmp_path / "release").exists()
