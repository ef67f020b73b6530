"""Servers that a killed build left: ended when they are ours beyond doubt, and a broken record stops nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.orchestration.server.stale import SERVER_MODULE, end_stale_servers, record_server


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose command line is that of a server of ours."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "-m", SERVER_MODULE])
    yield process
    process.kill()
    process.wait()


def test_a_recorded_server_is_ended(tmp_path: Path, server: subprocess.Popen[bytes]) -> None:
    record = tmp_path / "prefect-servers.json"
    record_server(record, server.pid)
    assert end_stale_servers(record, pytest.fail) == 1
    assert server.poll() is not None
    assert not record.exists()


def test_another_process_with_the_same_id_is_left_alone(tmp_path: Path, server: subprocess.Popen[bytes]) -> None:
    record = tmp_path / "prefect-servers.json"
    created = psutil.Process(server.pid).create_time()
    record.write_text(json.dumps([{"pid": server.pid, "created": created - 60}]), encoding="utf-8")
    assert end_stale_servers(record, pytest.fail) == 0
    assert server.poll() is None
    assert not record.exists()


def test_a_process_that_is_no_server_is_left_alone(tmp_path: Path) -> None:
    record = tmp_path / "prefect-servers.json"
    record_server(record, psutil.Process().pid)
    assert end_stale_servers(record, pytest.fail) == 0


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[{",
        b"\xff\xfe",
        "服务器".encode(),
        b"{}",
        b"3",
        b"[1]",
        b'[{"pid": "x", "created": 0}]',
        b'[{"pid": 1}]',
        b'[{"pid": 1, "created": null}]',
        b'[{"pid": -5, "created": 1.0}]',
        b'[{"pid": 1e300, "created": 1.0}]',
    ],
)
def test_a_broken_record_is_set_aside_with_a_note(tmp_path: Path, broken: bytes) -> None:
    record = tmp_path / "prefect-servers.json"
    record.write_bytes(broken)
    notes: list[str] = []
    assert end_stale_servers(record, notes.append) == 0
    assert not record.exists()
    assert (tmp_path / "prefect-servers.json.broken").read_bytes() == broken
    (note,) = notes
    assert str(record) in note and "\n" not in note


def test_no_record_is_no_server(tmp_path: Path) -> None:
    assert end_stale_servers(tmp_path / "prefect-servers.json", pytest.fail) == 0
