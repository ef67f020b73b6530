"""What a build leaves in its work directory while it runs, and what can be said of it from that."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prefect.exceptions import TerminationSignal

from flows.build.status import (
    LOG_FILE,
    PROGRESS_FILE,
    RUNS_KEPT,
    BuildProgress,
    State,
    read_status,
    recorded,
)
from flows.common.errors import LOGGED, GateFailed, TargetError
from flows.common.progress import SilentReporter
from flows.config.build_config import BuildConfig, load_config
from tests.support.builds import draft_config
from tests.support.cli import invoke


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return draft_config(tmp_path)


@pytest.fixture
def config(path: Path) -> BuildConfig:
    return load_config(path)


def log_of(config: BuildConfig) -> str:
    return (config.work_dir / LOG_FILE).read_text(encoding="utf-8")


def written(config: BuildConfig) -> BuildProgress:
    return BuildProgress.from_json_line((config.work_dir / PROGRESS_FILE).read_text(encoding="utf-8"))


def edit(config: BuildConfig, **changes: object) -> None:
    changed = written(config).model_copy(update=changes)
    (config.work_dir / PROGRESS_FILE).write_text(changed.to_json_line(), encoding="utf-8")


def test_a_running_build_is_seen_while_it_runs(path: Path, config: BuildConfig) -> None:
    assert read_status(config).state is State.NEVER
    with recorded("build", config, path, SilentReporter()) as told:
        told.expect("speak", 9)
        told.found("speak", 3)
        told.note("top-up round 1: 2 items to replace")
        status = read_status(config)
        assert status.state is State.RUNNING and status.progress is not None
        assert status.progress.pid == os.getpid()
        assert [(one.stage, one.done, one.total) for one in status.progress.stages] == [("speak", 3, 9)]
        _, said, _ = invoke("status", str(path))
        assert f"running (process {os.getpid()})" in said
        assert "speak: 3/9" in said and "top-up round 1" in said
    assert read_status(config).state is State.FINISHED


def test_a_dead_process_a_strange_one_and_another_machine_are_told_apart(path: Path, config: BuildConfig) -> None:
    with recorded("build", config, path, SilentReporter()):
        pass
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    edit(config, ending=None, pid=gone.pid)
    assert read_status(config).state is State.GONE
    assert "not running" in invoke("status", str(path))[1]
    edit(config, pid=os.getpid(), pid_started=psutil.Process().create_time() - 3600)
    assert read_status(config).state is State.GONE
    edit(config, host=f"{socket.gethostname()}-另一台", pid_started=psutil.Process().create_time())
    assert read_status(config).state is State.ELSEWHERE


@pytest.mark.parametrize(
    ("error", "state", "in_log"),
    [
        (KeyboardInterrupt(), State.STOPPED, False),
        (TerminationSignal(15), State.STOPPED, False),
        (GateFailed("第 3 条有误"), State.FAILED, True),
        (RuntimeError("我们的错"), State.FAILED, True),
    ],
)
def test_what_ended_a_run_is_told_and_its_traceback_is_in_the_log(
    path: Path, config: BuildConfig, error: BaseException, state: State, in_log: bool
) -> None:
    with pytest.raises(type(error)) as caught, recorded("build", config, path, SilentReporter()):
        raise error
    assert caught.value is error
    status = read_status(config)
    assert status.state is state and status.progress is not None
    assert ("Traceback" in log_of(config)) == in_log
    assert status.progress.sentence == (str(error) or type(error).__name__)
    assert any(note.startswith(LOGGED) for note in getattr(error, "__notes__", ())) == isinstance(error, RuntimeError)


def test_the_log_has_the_time_of_every_note_and_stage(path: Path, config: BuildConfig) -> None:
    with recorded("items", config, path, SilentReporter()) as told:
        told.expect("speak", 2)
        told.advance("speak", 2)
        told.note("重做两条")
        told.expect("speak", 1)
    lines = log_of(config).splitlines()
    assert all(line[:4].isdecimal() and line[10] == "T" for line in lines)
    said = [line.partition(" ")[2] for line in lines]
    assert said[0].startswith(f"items {path} begins: humdial ")
    assert config.recipe_sha256() in said[1]
    assert said[2:] == ["speak: 2 items", "speak: 2 done", "重做两条", "speak: +1 items, 3", "finished"]


def test_the_logs_of_the_last_runs_are_kept(path: Path, config: BuildConfig) -> None:
    for number in range(RUNS_KEPT + 2):
        with recorded("build", config, path, SilentReporter()) as told:
            told.note(f"第 {number} 次")
    logs = sorted(config.work_dir.glob(f"{LOG_FILE}*"))
    assert len(logs) == RUNS_KEPT
    numbers = [next(n for n in range(RUNS_KEPT + 2) if f"第 {n} 次" in log.read_text(encoding="utf-8")) for log in logs]
    assert numbers == list(range(RUNS_KEPT + 1, 1, -1))


def test_a_disk_that_takes_nothing_more_does_not_end_a_build_for_its_progress(path: Path, config: BuildConfig) -> None:
    with recorded("build", config, path, SilentReporter()) as told:
        for name in (PROGRESS_FILE, LOG_FILE):
            (config.work_dir / name).unlink()
            (config.work_dir / name).mkdir()
            (config.work_dir / name / "挡路").touch()
        told.expect("speak", 1)
        told.advance("speak")
    assert all((config.work_dir / name / "挡路").is_file() for name in (PROGRESS_FILE, LOG_FILE)), "nothing was cleared"


def test_a_file_of_another_version_is_said_to_be_one(path: Path, config: BuildConfig) -> None:
    config.work_dir.mkdir()
    (config.work_dir / PROGRESS_FILE).write_text('{"版本": 9}', encoding="utf-8")
    with pytest.raises(TargetError, match=r"progress\.json was not written by this version"):
        read_status(config)


def test_status_as_json_is_nothing_but_json(path: Path, config: BuildConfig) -> None:
    assert json.loads(invoke("status", str(path), "--json")[1])["state"] == "never started"
    with recorded("build", config, path, SilentReporter()) as told:
        told.expect("speak", 9)
        said = json.loads(invoke("status", str(path), "--json")[1])
    assert said["state"] == "running" and said["progress"]["stages"][0]["total"] == 9
