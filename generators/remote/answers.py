"""Answers that were paid for are kept: one SQLite file, addressed by content, shared by threads and processes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from data_schemas.chat import ChatAnswer, ChatRequest
from data_schemas.foundation.base import dump_json
from data_schemas.foundation.database import is_damaged, is_disk_full, open_database
from generators.remote.errors import AnswerStoreError

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures (key TEXT PRIMARY KEY, request TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS modes (server TEXT NOT NULL, model TEXT NOT NULL, mode TEXT NOT NULL,
    PRIMARY KEY (server, model));
"""


def request_key(request: ChatRequest) -> str:
    """Hex SHA-256 of the request's canonical JSON (sorted keys, compact, UTF-8), without ``alias``."""
    return hashlib.sha256(_canonical(request).encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(request: ChatRequest) -> str:
    fields = request.model_dump(mode="json", exclude={"alias"})
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


class AnswerStore:
    """Answers, failures and probed modes in the file ``path``; made when first written to or read.

    Safe for several threads of a process and several processes of a machine (write-ahead log; keep the file
    on a local disk, network file systems break SQLite's locks). A killed process loses at most the answers
    still under way. Can be pickled and survives ``fork``: each process opens the file itself.

    Raises (all methods):
        AnswerStoreError: the file is no such store or cannot be opened; OSError (ENOSPC): the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._open: tuple[int, sqlite3.Connection] | None = None

    def __reduce__(self) -> tuple[type[AnswerStore], tuple[Path]]:
        return AnswerStore, (self.path,)

    def get(self, key: str) -> ChatAnswer | None:
        """The answer in force; None when there is none or its row is damaged (then it is to be asked again)."""
        row = self._do(lambda db: _one(db, "SELECT answer, sha256 FROM answers WHERE key = ?", (key,)))
        return _sound_answer(key, row)

    def put(self, key: str, request: ChatRequest, answer: ChatAnswer) -> ChatAnswer:
        """Keep an answer; the first writer wins, and what is returned is what every reader will get."""
        spelled = answer.to_json_line()
        row = (key, _readable(request), spelled, _digest(key, spelled))

        def write(db: sqlite3.Connection) -> ChatAnswer:
            found = _sound_answer(key, _one(db, "SELECT answer, sha256 FROM answers WHERE key = ?", (key,)))
            if found is None:
                db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)
                db.execute("DELETE FROM failures WHERE key = ?", (key,))
            return found or answer

        return self._do(write, writes=True)

    def put_failure(self, key: str, request: ChatRequest, reason: str) -> None:
        """Remember that this question gets no answer, and why."""
        row = (key, _readable(request), reason.encode("utf-8", "replace").decode())
        self._do(lambda db: db.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", row), writes=True)

    def failure(self, key: str) -> str | None:
        """The remembered reason, or None."""
        row = self._do(lambda db: _one(db, "SELECT reason FROM failures WHERE key = ?", (key,)))
        return str(row[0]) if row is not None else None

    def forget_failures(self, keys: Iterable[str] | None = None) -> int:
        """Forget these failures (default: all), so that the questions are asked again; returns how many."""
        chosen = None if keys is None else [(key,) for key in keys]

        def write(db: sqlite3.Connection) -> int:
            if chosen is None:
                return db.execute("DELETE FROM failures").rowcount
            return db.executemany("DELETE FROM failures WHERE key = ?", chosen).rowcount

        return self._do(write, writes=True)

    def remember(self, server: str, model: str, mode: str) -> None:
        """Keep the structured mode in which ``model`` of ``server`` (its base_url) answers."""
        row = (server, model, mode)
        self._do(lambda db: db.execute("INSERT OR REPLACE INTO modes VALUES (?, ?, ?)", row), writes=True)

    def recall(self, server: str, model: str) -> str | None:
        """The mode kept by ``remember``, or None."""
        query = "SELECT mode FROM modes WHERE server = ? AND model = ?"
        row = self._do(lambda db: _one(db, query, (server, model)))
        return str(row[0]) if row is not None else None

    def __len__(self) -> int:
        """Number of kept answers."""
        row = self._do(lambda db: _one(db, "SELECT count(*) FROM answers", ()))
        return int(row[0]) if row is not None else 0

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._open is not None and self._open[0] == os.getpid():
                self._open[1].close()
            self._open = None

    def _do(self, work: Callable[[sqlite3.Connection], T], writes: bool = False) -> T:
        with self._lock:
            try:
                db = self._connection()
                if not writes:
                    return work(db)
                db.execute("BEGIN IMMEDIATE")
                try:
                    done = work(db)
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
                return done
            except sqlite3.Error as error:
                raise _readable_error(self.path, error) from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and self._open[0] == os.getpid():
            return self._open[1]
        db = open_database(self.path, _SCHEMA)
        self._open = (os.getpid(), db)
        return db


def _one(db: sqlite3.Connection, query: str, values: tuple[str, ...]) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = db.execute(query, values).fetchone()
    return row


def _sound_answer(key: str, row: tuple[Any, ...] | None) -> ChatAnswer | None:
    if row is None or not isinstance(row[0], str) or _digest(key, row[0]) != row[1]:
        return None
    try:
        return ChatAnswer.from_json_line(row[0])
    except ValidationError:
        return None


def _digest(key: str, answer: str) -> str:
    return hashlib.sha256(f"{key}\n{answer}".encode()).hexdigest()


def _readable(request: ChatRequest) -> str:
    return dump_json(request.model_dump(mode="json")).encode("utf-8", "replace").decode()


def _readable_error(path: Path, error: sqlite3.Error) -> Exception:
    if is_disk_full(error):
        return OSError(errno.ENOSPC, "disk full", str(path))
    if is_damaged(error):
        return AnswerStoreError(
            f"{path}: the file of kept answers is damaged ({error}); move it away, with the files of the same name "
            "ending in -wal and -shm, and run again: answers are then asked for anew"
        )
    return AnswerStoreError(
        f"{path}: the file of kept answers cannot be used ({error}); it must lie on a local disk you may write to, "
        "and no program may hold it locked"
    )
