"""Offline batches: questions out as OpenAI batch JSONL (vLLM's ``run-batch`` reads it too), answers back in.

One question's line is named by its key in the answer store, so an answer finds its place whatever
machine it was made on. A script may need several rounds: its judgement and its rewrites can only be
asked for once its first answer is here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data_schemas.chat import ChatAnswer, ChatRequest
from data_schemas.foundation.base import Record, RecordError, dump_json
from generators.remote.answers import AnswerStore, request_key
from generators.remote.structured import Mode
from generators.remote.wire import read_answer, request_body

#: Limits of the OpenAI batch API (platform.openai.com/docs/guides/batch): requests and bytes of one file.
MAX_REQUESTS_PER_FILE = 50_000
MAX_BYTES_PER_FILE = 190_000_000
BATCH_URL = "/v1/chat/completions"


class BatchResponse(Record):
    """The part of an output line that says how it went."""

    model_config = Record.model_config | {"extra": "ignore"}

    status_code: int = 200
    body: Any = None


class BatchOutputLine(Record):
    """One line of an output file, as OpenAI and vLLM write it."""

    model_config = Record.model_config | {"extra": "ignore"}

    custom_id: str
    response: BatchResponse | None = None
    error: Any = None


class Imported(Record):
    """What an import found."""

    stored: int
    failed: int
    unknown: int
    #: the first thing that was wrong, for the person who looks
    first_problem: str = ""


def write_batches(requests: Sequence[ChatRequest], folder: Path, modes: Mapping[str, Mode]) -> tuple[Path, ...]:
    """One or more files per model (a batch serves one model); returns them.

    Args:
        modes: how each model (by alias) is told which JSON is wanted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    aliases = sorted({request.alias for request in requests})
    for alias, name in zip(aliases, _file_names(aliases), strict=True):
        lines = (
            dump_json(
                {
                    "custom_id": request_key(request),
                    "method": "POST",
                    "url": BATCH_URL,
                    "body": request_body(request, modes[alias], request.seed),
                }
            )
            for request in requests
            if request.alias == alias
        )
        files += _write_files(lines, folder, name)
    return tuple(files)


def _file_names(aliases: Sequence[str]) -> list[str]:
    """A name per model that every file system takes; two models never share one."""
    names: list[str] = []
    for alias in aliases:
        name = re.sub(r"[^\w.-]", "-", alias)
        while name in names:
            name += "-"
        names.append(name)
    return names


def _write_files(lines: Iterable[str], folder: Path, name: str) -> list[Path]:
    files: list[Path] = []
    buffer: list[str] = []
    size = 0
    for line in lines:
        length = len(line.encode()) + 1
        if buffer and (len(buffer) >= MAX_REQUESTS_PER_FILE or size + length > MAX_BYTES_PER_FILE):
            files.append(_write_file(folder / f"{name}-{len(files) + 1:04d}.jsonl", buffer))
            buffer, size = [], 0
        buffer.append(line)
        size += length
    if buffer:
        files.append(_write_file(folder / f"{name}-{len(files) + 1:04d}.jsonl", buffer))
    return files


def _write_file(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    return path


def import_answers(files: Iterable[Path], asked: Mapping[str, ChatRequest], store: AnswerStore) -> Imported:
    """Put the answers of output files into the store; lines of other questions are counted and passed over.

    Raises:
        RecordError: a line is not an output line of a batch; names file and line.
    """
    counts = {"stored": 0, "failed": 0, "unknown": 0}
    problem = ""
    for path in files:
        for where, line in _lines(path):
            request = asked.get(line.custom_id)
            if request is None:
                counts["unknown"] += 1
                problem = problem or f"{where}: no open question has the custom_id {line.custom_id}"
                continue
            answer = _answer(line, request.model)
            if answer is None:
                counts["failed"] += 1
                problem = problem or f"{where}: {_why(line)}"
                continue
            store.put(line.custom_id, request, answer)
            counts["stored"] += 1
    return Imported(**counts, first_problem=problem)


def _lines(path: Path) -> Iterable[tuple[str, BatchOutputLine]]:
    number = 0
    try:
        with path.open(encoding="utf-8") as handle:
            for number, line in enumerate(handle, start=1):
                if line.strip():
                    yield f"{path}:{number}", BatchOutputLine.from_json_line(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "line"
        raise RecordError(
            f"{path}:{number}: not a line of a batch output file ({field}: {first['msg']}); give the file that the "
            "batch API or vLLM run-batch -o wrote"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read: {error}") from error


def _answer(line: BatchOutputLine, model: str) -> ChatAnswer | None:
    if line.error or line.response is None or line.response.status_code != HTTPStatus.OK:
        return None
    try:
        return read_answer(dump_json(line.response.body).encode(), model)
    except ValueError:  # no completion in it, or a number that JSON does not know
        return None


def _why(line: BatchOutputLine) -> str:
    if line.error:
        return f"the batch reports {json.dumps(line.error, ensure_ascii=False)[:200]}"
    return f"no answer in it (status {line.response.status_code if line.response else 'missing'})"
