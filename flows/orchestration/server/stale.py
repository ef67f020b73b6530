"""Which servers a build has started, on disk, so that the next build can end what a killed one left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psutil
from pydantic import Field, TypeAdapter, ValidationError

from data_schemas.foundation.base import Record
from flows.common.atomic import write_text_atomic

#: In the command line of every server of ours.
SERVER_MODULE = "flows.orchestration.server.server_process"

_SAME_START_S = 1.0
_END_WITHIN_S = 10.0


class ServerProcess(Record):
    """One server process: ``created`` (seconds since 1970) tells it from a later process with the same id."""

    pid: int = Field(gt=0, lt=1 << 31)
    created: float


_RECORD = TypeAdapter(tuple[ServerProcess, ...])


def record_server(file: Path, pid: int) -> None:
    """Remember the server ``pid`` in ``file``, in place of what stands there."""
    process = ServerProcess(pid=pid, created=psutil.Process(pid).create_time())
    write_text_atomic(file, json.dumps([process.model_dump()]))


def end_stale_servers(file: Path, note: Callable[[str], None]) -> int:
    """End the servers recorded in ``file``, remove it, and return how many were ended.

    A process is only touched when id, start time and command line all agree. A file that is no record is set aside as
    ``NAME.broken``, with a note: a server it named ends by itself, with the build that started it.
    """
    try:
        recorded = _RECORD.validate_json(file.read_bytes())
    except FileNotFoundError:
        return 0
    except (ValidationError, OSError) as error:
        aside = file.with_name(f"{file.name}.broken")
        note(f"{file} cannot be read and was set aside as {aside.name}: {_first_line(error)}")
        file.replace(aside)
        return 0
    ended = sum(_end(server) for server in recorded)
    file.unlink(missing_ok=True)
    return ended


def is_server_of_ours(process: psutil.Process) -> bool:
    """Whether a running process is a Prefect server that some build of ours started."""
    try:
        return SERVER_MODULE in process.cmdline()
    except psutil.Error:
        return False


def _end(server: ServerProcess) -> bool:
    try:
        process = psutil.Process(server.pid)
        if abs(process.create_time() - server.created) > _SAME_START_S or not is_server_of_ours(process):
            return False
        process.terminate()
        try:
            process.wait(timeout=_END_WITHIN_S)
        except psutil.TimeoutExpired:
            process.kill()
    except psutil.Error:
        return False
    return True


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
