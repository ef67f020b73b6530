"""The Prefect server of a build: its own, watched, ended with it whatever happens, and none where the user has one."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from flows.common.errors import ResourceError
from flows.orchestration.environment import prepare_environment
from flows.orchestration.records import ProgressRecord, show_table
from flows.orchestration.runners import run_flow
from flows.orchestration.server import own_server
from flows.orchestration.server.prefect_server import SERVER_HOME, SERVER_LOG, SERVERS_FILE, PrefectServer
from flows.orchestration.server.stale import is_server_of_ours

_PATIENCE_S = 300.0
_TASKS = 50
_NO_APP = "prefect_server_that_is_not_there:app"


@pytest.fixture(autouse=True)
def no_server_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a database that no Prefect can use, and settings that would bend a server: none of it is ours."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    home = tmp_path_factory.mktemp("prefect")
    (home / "prefect.db").write_bytes(b"not a database")
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{home}/prefect.db")
    monkeypatch.setenv("PREFECT_SERVER_API_BASE_PATH", "/elsewhere")
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "user:password")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    with temporary_settings({PREFECT_HOME: home}, restore_defaults={PREFECT_API_URL}):
        yield home
    assert (home / "prefect.db").read_bytes() == b"not a database"


def toy(tasks: int = _TASKS, at: Callable[[int], None] = lambda _: None, task_s: float = 0.02) -> Callable[[str], int]:
    """A flow of short tasks, three at a time; ``at`` is called in the flow after each result."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.task_runners import ThreadPoolTaskRunner

    @task(name="shard", task_run_name="shard-{number:03d}", cache_policy=NO_CACHE, persist_result=False)
    def shard(number: int) -> int:
        time.sleep(task_s)
        return number

    @flow(
        name="toy",
        flow_run_name="{config}",
        task_runner=ThreadPoolTaskRunner(max_workers=3),  # type: ignore[arg-type]
        persist_result=False,
    )
    def build(config: str) -> int:
        progress = ProgressRecord("shards", tasks, "已完成")
        futures = [shard.submit(number) for number in range(tasks)]
        for done, future in enumerate(futures):
            assert future.result() == done
            progress.advance()
            at(done)
        show_table("books", [{"格": "识别", "released": tasks}], "账目")
        return tasks

    return lambda config: run_flow(build, config)


def rows(work: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(work / SERVER_HOME / "prefect.db")) as database:
        return database.execute(query).fetchall()


def test_a_flow_runs_on_the_builds_own_server_which_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy too, which does not reach this machine's loopback address; and every row is there in the end."""
    import logging

    from prefect.settings import get_current_settings

    for name, value in {"http_proxy": "http://127.0.0.1:9", "no_proxy": "intern.example", "NO_PROXY": ""}.items():
        monkeypatch.setenv(name, value)
    prepare_environment()
    before = _servers()
    notes: list[str] = []

    def say(done: int) -> None:
        logging.getLogger("humdial").info("完成 %d", done)

    with PrefectServer(tmp_path, notes.append) as server:
        (recorded,) = json.loads((tmp_path / SERVERS_FILE).read_text(encoding="utf-8"))
        with server.ready():
            url = get_current_settings().api.url
            assert toy(at=say)("配置.yaml") == _TASKS
            assert _servers() - before == {recorded["pid"]}
        with urlopen(f"{url}/health") as answer:
            assert answer.status == 200
    assert _servers() == before
    assert not (tmp_path / SERVERS_FILE).exists()
    assert get_current_settings().api.url is None
    assert notes == []
    assert rows(tmp_path, "SELECT name, state_name FROM flow_run") == [("配置.yaml", "Completed")]
    assert rows(tmp_path, "SELECT state_name, count(*) FROM task_run GROUP BY 1") == [("Completed", _TASKS)]
    assert rows(tmp_path, "SELECT count(*) FROM log WHERE message LIKE '完成 %'") == [(_TASKS,)]
    assert rows(tmp_path, "SELECT key, type FROM artifact ORDER BY 1") == [("books", "table"), ("shards", "progress")]


def test_a_server_that_is_killed_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    notes: list[str] = []
    with PrefectServer(tmp_path, notes.append) as server:

        def kill(done: int) -> None:
            if done == _TASKS // 2:
                _kill(server)

        with server.ready():
            assert toy(at=kill)("配置.yaml") == _TASKS
    (note,) = notes
    assert "was ended by SIGKILL and is started again" in note
    assert rows(tmp_path, "SELECT state_name FROM flow_run") == [("Completed",)]
    assert rows(tmp_path, "SELECT state_name, count(*) FROM task_run GROUP BY 1") == [("Completed", _TASKS)]
    assert _servers() == set()


def test_a_server_that_dies_before_the_flow_begins_is_waited_for(tmp_path: Path) -> None:
    with PrefectServer(tmp_path) as server, server.ready():
        _kill(server)
        assert toy(tasks=3)("配置.yaml") == 3
    assert rows(tmp_path, "SELECT state_name FROM flow_run") == [("Completed",)]


def test_a_server_that_stays_dead_costs_its_record_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result and the exceptions are the flow's own, subflows run on, and nothing is queued in the end."""
    from prefect import flow
    from prefect._internal.concurrency.services import QueueService

    notes: list[str] = []

    @flow(name="inner", persist_result=False)
    def inner(text: str) -> str:
        return f"{text}好"

    with PrefectServer(tmp_path, notes.append) as server:

        def kill(done: int) -> None:
            if done == _TASKS // 2:
                monkeypatch.setattr(own_server, "SERVER_APP", _NO_APP)
                _kill(server)
                assert server._own is not None and server._own.gone.wait(_PATIENCE_S)
                assert run_flow(inner, "你") == "你好"

        def fall(done: int) -> None:
            raise LookupError("没有")

        with server.ready():
            assert toy(at=kill)("配置.yaml") == _TASKS
            with pytest.raises(ResourceError, match="Run the same command again"):
                toy(at=fall)("配置.yaml")
        assert QueueService._instances == {}
    assert "not started again" in notes[-1] and str(tmp_path / SERVER_LOG) in notes[-1]


def test_the_flows_own_exception_is_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PrefectServer(tmp_path) as server:

        def fall(done: int) -> None:
            raise LookupError("没有")

        def fall_dead(done: int) -> None:
            monkeypatch.setattr(own_server, "SERVER_APP", _NO_APP)
            _kill(server)
            assert server._own is not None and server._own.gone.wait(_PATIENCE_S)
            raise KeyError("死")

        with server.ready():
            with pytest.raises(LookupError, match="没有"):
                toy(at=fall, tasks=2)("一")
            with pytest.raises(KeyError, match="死"):
                toy(at=fall_dead, tasks=2)("二")


_BUILD = """
import sys, time
from pathlib import Path
from flows.orchestration.environment import prepare_environment
prepare_environment()
from flows.orchestration.server.prefect_server import PrefectServer
from flows.orchestration.runners import run_flow
from prefect import flow, task

@task(name="shard")
def shard():
    print("at work", flush=True)
    time.sleep(600)

@flow(name="构建", persist_result=False)
def build():
    shard.submit().result()

with PrefectServer(Path(sys.argv[1]), print) as server, server.ready():
    run_flow(build)
"""


def test_a_killed_build_leaves_no_server_and_its_runs_are_closed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _BUILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while "at work" not in process.stdout.readline():
            assert process.poll() is None
        family = psutil.Process(process.pid).children(recursive=True)
        _wait_for(lambda: rows(tmp_path, "SELECT state_name FROM task_run") == [("Running",)])
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert any(SERVER_HOME in one.cwd() for one in family)
    _wait_for(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))
    assert rows(tmp_path, "SELECT state_name FROM flow_run") == [("Running",)]
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]

    with PrefectServer(tmp_path) as server, server.ready():
        assert toy(tasks=1)("又一次") == 1
    assert sorted(rows(tmp_path, "SELECT state_name FROM flow_run")) == [("Completed",), ("Crashed",)]
    assert sorted(rows(tmp_path, "SELECT state_name FROM task_run")) == [("Completed",), ("Crashed",)]


def test_a_database_that_it_cannot_use_is_set_aside(tmp_path: Path) -> None:
    home = tmp_path / SERVER_HOME
    home.mkdir()
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('0123456789ab')")
        database.commit()
    notes: list[str] = []
    with PrefectServer(tmp_path, notes.append) as server, server.ready():
        assert toy(tasks=1)("配置.yaml") == 1
    (note,) = notes
    assert str(home / "prefect.broken.db") in note
    assert "0123456789ab" in (tmp_path / SERVER_LOG).read_text(encoding="utf-8")


def test_a_server_of_the_users_is_used_and_left_running(tmp_path: Path) -> None:
    from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

    with PrefectServer(tmp_path / "theirs") as theirs, theirs.ready():
        url = get_current_settings().api.url
        before = _servers()
        with temporary_settings({PREFECT_API_URL: url}), PrefectServer(tmp_path / "ours") as server, server.ready():
            assert toy(tasks=3)("配置.yaml") == 3
            assert _servers() == before
        assert _servers() == before
        assert not (tmp_path / "ours").exists()
        _wait_for(lambda: rows(tmp_path / "theirs", "SELECT count(*) FROM task_run") == [(3,)])


def test_a_server_that_cannot_start_is_tried_again_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    launch = own_server.OwnServer._launch

    def counted(server: own_server.OwnServer) -> None:
        started.append(server)
        launch(server)

    monkeypatch.setattr(own_server.OwnServer, "_launch", counted)
    monkeypatch.setattr(own_server, "SERVER_APP", _NO_APP)
    with PrefectServer(tmp_path) as server, pytest.raises(ResourceError, match="ended at once") as told, server.ready():
        pass
    assert len(started) == own_server._STARTS_TRIED
    assert str(tmp_path / SERVER_LOG) in str(told.value) and "PREFECT_API_URL" in str(told.value)
    assert "prefect_server_that_is_not_there" in (tmp_path / SERVER_LOG).read_text(encoding="utf-8")
    assert not (tmp_path / SERVERS_FILE).exists()


def _kill(server: PrefectServer) -> None:
    assert server._own is not None and server._own.pid is not None
    os.kill(server._own.pid, signal.SIGKILL)


def _servers() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True) if is_server_of_ours(child)}


def _wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
