"""Defaults for the libraries of a build, which never override the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows.orchestration.environment import prepare_environment


def test_nothing_of_the_users_is_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "9")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    prepare_environment()
    assert os.environ["PREFECT_CLIENT_MAX_RETRIES"] == "9"
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert Path(os.environ["PREFECT_LOGGING_SETTINGS_PATH"]).is_file()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("intern.example", "intern.example,127.0.0.1"),
        ("", "127.0.0.1"),
        ("*", "*"),
        ("a, 127.0.0.1", "a, 127.0.0.1"),
    ],
)
def test_no_proxy_stands_between_a_build_and_its_server(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    monkeypatch.setenv("no_proxy", before)
    monkeypatch.setenv("NO_PROXY", before)
    prepare_environment()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == after
