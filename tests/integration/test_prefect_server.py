"""The Prefect server of a build: its own, ended with it, and none where the user has one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen
from uuid import UUID

import psutil
import pytest

from flows.common.errors import ResourceError
from flows.orchestration import server as orchestration
from flows.orchestration.server import SERVER_LOG, SERVERS_FILE, PrefectServer, prepare_environment


@pytest.fixture
def no_server_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    home = tmp_path_factory.mktemp("prefect")
    with temporary_settings({PREFECT_HOME: home}, restore_defaults={PREFECT_API_URL}):
        yield


@pytest.mark.usefixtures("no_server_of_the_user")
def test_a_flow_runs_on_the_builds_own_server_which_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy too, which does not reach this machine's loopback address."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run
    from prefect.settings import get_current_settings

    @flow(name="探针", persist_result=False)
    def probe() -> tuple[str, UUID]:
        return str(get_current_settings().api.url), UUID(flow_run.id)

    for name, value in {"http_proxy": "http://127.0.0.1:9", "no_proxy": "intern.example", "NO_PROXY": ""}.items():
        monkeypatch.setenv(name, value)
    prepare_environment()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "intern.example,127.0.0.1"
    before = _servers()
    with PrefectServer(tmp_path) as server:
        (recorded,) = json.loads((tmp_path / SERVERS_FILE).read_text(encoding="utf-8"))
        with server.ready():
            url, run = probe()
            assert _servers() - before == {recorded["pid"]}
            with get_client(sync_client=True) as client:
                assert client.read_flow_run(run).state_name == "Completed"
        with urlopen(f"{url}/health") as answer:
            assert answer.status == 200
    assert _servers() == before
    assert not (tmp_path / SERVERS_FILE).exists()
    assert get_current_settings().api.url is None


def test_with_a_server_of_the_user_none_is_started(tmp_path: Path) -> None:
    from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

    before = _servers()
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        PrefectServer(tmp_path) as server,
        server.ready(),
    ):
        assert get_current_settings().api.url == "http://127.0.0.1:9/api"
        assert _servers() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_server_of_the_user")
def test_a_server_that_cannot_start_is_tried_again_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[PrefectServer] = []
    start = PrefectServer._start

    def counted(server: PrefectServer) -> None:
        started.append(server)
        start(server)

    monkeypatch.setattr(PrefectServer, "_start", counted)
    monkeypatch.setattr(orchestration, "_SERVER_APP", "prefect_server_that_is_not_there:app")
    with PrefectServer(tmp_path) as server, pytest.raises(ResourceError, match="ended at once") as told, server.ready():
        pass
    assert len(started) == orchestration._PORTS_TRIED
    assert str(tmp_path / SERVER_LOG) in str(told.value) and "PREFECT_API_URL" in str(told.value)
    assert "prefect_server_that_is_not_there" in (tmp_path / SERVER_LOG).read_text(encoding="utf-8")
    assert not (tmp_path / SERVERS_FILE).exists()


def _servers() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True) if orchestration._is_prefect_server(child)}
