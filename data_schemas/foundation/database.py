"""SQLite files that several threads and processes share: one way to open them, and what their errors mean."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

_BUSY_S = 60.0
_ASK_AGAIN_S = 0.01
_PRIMARY_CODE = 0xFF
_WRITE_AHEAD = "PRAGMA journal_mode=WAL"


def open_database(path: Path, schema: str) -> sqlite3.Connection:
    """Open, or make, a file with a write-ahead log and the tables of ``schema``; parent folders are made.

    Raises:
        sqlite3.Error: it is no such file, cannot be made, or stayed locked for a minute.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _write_ahead(database)
        database.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing; a power cut the last rows
        database.executescript(schema)
    except BaseException as error:
        database.close()
        if isinstance(error, UnicodeDecodeError):  # what SQLite says of a broken table, in the words of the table
            broken = sqlite3.DatabaseError("database disk image is malformed")
            broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise broken from error
        raise
    return database


def _write_ahead(database: sqlite3.Connection) -> None:
    """Of several processes that open a new file at once, SQLite refuses one at once, whatever its timeout."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            database.execute(_WRITE_AHEAD)
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_ASK_AGAIN_S)
        else:
            return


def is_disk_full(error: sqlite3.Error) -> bool:
    """Whether there was no room for the file, its log or its index."""
    whole = getattr(error, "sqlite_errorcode", 0)
    return _code(error) == sqlite3.SQLITE_FULL or whole == sqlite3.SQLITE_IOERR_SHMSIZE


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the file is no SQLite file, a broken one, or one of other tables than statements that once worked need.

    One byte of its header or of its tables' names is enough for the last.
    """
    return _code(error) in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT}


def is_read_only(error: sqlite3.Error) -> bool:
    """Whether nothing may be written: by permission, or because a byte of the header says so."""
    return _code(error) == sqlite3.SQLITE_READONLY


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE
