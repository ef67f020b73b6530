"""A server the user names is asked before any work, and what is wrong with it is one sentence with the way out."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.cli.guard import status_of
from flows.common.errors import EXIT_USAGE, ResourceError
from flows.orchestration.server import address
from flows.orchestration.server.address import check_address

Answer = Callable[[str, dict[str, str]], tuple[int, str]]


def prefect_like(path: str, headers: dict[str, str]) -> tuple[int, str]:
    import prefect

    return {"/api/health": (200, "true"), "/api/admin/version": (200, f'"{prefect.__version__}"')}.get(
        path, (200, "<!doctype html><title>Prefect 页面</title>")
    )


def with_login(path: str, headers: dict[str, str]) -> tuple[int, str]:
    wanted = "Basic " + base64.b64encode("管理:密码".encode()).decode()
    return prefect_like(path, headers) if headers.get("authorization") == wanted else (401, '{"exception_message": ""}')


def of_another_version(path: str, headers: dict[str, str]) -> tuple[int, str]:
    return (200, '"2.20.3"') if path.endswith("version") else prefect_like(path, headers)


@contextmanager
def answering(answer: Answer, wait_s: float = 0.0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(wait_s)
            status, text = answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def named(url: str | None, **settings: str) -> Iterator[None]:
    import prefect.settings
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings(
        {PREFECT_API_URL: url} | {getattr(prefect.settings, name): value for name, value in settings.items()},
        restore_defaults=None if url else {PREFECT_API_URL},
    ):
        yield


def told(url: str) -> str:
    with named(url), pytest.raises(ResourceError) as error:
        check_address()
    assert status_of(error.value) == EXIT_USAGE
    assert "\n" not in str(error.value)
    return str(error.value)


def test_none_is_named() -> None:
    with named(None):
        assert check_address() is False


def test_one_that_answers() -> None:
    with answering(prefect_like) as host, named(f"http://{host}/api"):
        assert check_address() is True


def test_one_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    sentence = told("http://127.0.0.1:9/api")
    assert "http://127.0.0.1:9/api (from PREFECT_API_URL) cannot be reached" in sentence
    assert "unset PREFECT_API_URL" in sentence


def test_the_profile_that_names_it_is_named(tmp_path: Path) -> None:
    from prefect.context import use_profile
    from prefect.settings import PREFECT_API_URL, PREFECT_PROFILES_PATH, Profile

    profile = Profile(name="工作", settings={PREFECT_API_URL: "http://127.0.0.1:9/api"})
    with use_profile(profile, override_environment_variables=True), pytest.raises(ResourceError) as error:
        check_address()
    assert f"(from profile '工作' in {PREFECT_PROFILES_PATH.value()})" in str(error.value)
    assert "prefect config unset PREFECT_API_URL" in str(error.value)


@pytest.mark.parametrize("path", ["", "/", "/v2", "/api/api"])
def test_a_wrong_path(path: str) -> None:
    with answering(prefect_like) as host:
        assert "the address ends in /api" in told(f"http://{host}{path}")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, "找不到", "the address ends in /api"),
        (200, "", "the address ends in /api"),
        (200, '{"status": "ok"}', "the address ends in /api"),
        (403, "", "PREFECT_API_AUTH_STRING"),
        (500, "", "is not well (HTTP 500)"),
        (503, "", "is not well (HTTP 503)"),
    ],
)
def test_another_server(status: int, body: str, words: str) -> None:
    with answering(lambda *_: (status, body)) as host:
        assert words in told(f"http://{host}/api")


def test_one_with_a_login() -> None:
    with answering(with_login) as host:
        assert "wants a login (HTTP 401): set PREFECT_API_AUTH_STRING" in told(f"http://{host}/api")
        with named(f"http://{host}/api", PREFECT_API_AUTH_STRING="管理:密码"):
            assert check_address() is True


def test_one_of_another_version() -> None:
    with answering(of_another_version) as host:
        assert "2.20.3" in told(f"http://{host}/api")


def test_https_where_it_speaks_http() -> None:
    with answering(prefect_like) as host:
        assert "it may speak http where the address says https" in told(f"https://{host}/api")


def test_one_that_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "_ANSWER_WITHIN_S", 0.2)
    with answering(prefect_like, wait_s=2.0) as host:
        assert "did not answer within" in told(f"http://{host}/api")


@pytest.mark.parametrize("url", ["localhost:4200/api", "ftp://127.0.0.1/api", "服务器", "http://"])
def test_what_is_no_address(url: str) -> None:
    assert url in told(url)


@pytest.mark.parametrize(
    "setting", ["PREFECT_API_URL=http://[::1", "PREFECT_CLIENT_MAX_RETRIES=三", "PREFECT_LOGGING_LEVEL=LAUT"]
)
def test_a_setting_that_prefect_refuses(setting: str) -> None:
    name, _, value = setting.partition("=")
    lines = (
        "from flows.orchestration.server.address import check_address",
        "from flows.common.errors import ResourceError",
        "try: check_address()",
        "except ResourceError as error: print(error)",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Prefect refuses a setting: ")
    assert done.stdout.count("\n") == 1 and "Traceback" not in done.stderr


def test_a_password_in_the_address_is_not_shown() -> None:
    sentence = told("http://me:geheim@127.0.0.1:9/api")
    assert "geheim" not in sentence and "http://127.0.0.1:9/api" in sentence
