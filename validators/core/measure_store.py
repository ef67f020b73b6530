"""`MeasureStore`: measurements kept on disk, so that an interrupted or repeated run measures nothing twice."""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from data_schemas.foundation.base import dump_json
from data_schemas.foundation.database import is_damaged, is_disk_full, is_read_only, open_database
from validators.core.clips import Clip
from validators.core.probe import ClipProbe, Measurement, Vector, measurement_key

#: ``body``: a hash of key and measurement, and behind a line feed the measurement; without hash in rows of old versions
_TABLE = "CREATE TABLE IF NOT EXISTS measured (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"
#: a text that is not UTF-8 any more would be an error of the database
_GET = "SELECT CAST(body AS BLOB) FROM measured WHERE key = ?"


class MeasureStoreError(Exception):
    """The file of kept measurements cannot be used; the sentence says what helps."""


class MeasureStore:
    """A SQLite file of measurements by key. One instance per process; safe between processes.

    A cache is no reason to stop: a damaged file is set aside under the name ``*.damaged`` and begun anew.

    Raises (all methods):
        MeasureStoreError: the file cannot be opened; OSError (ENOSPC): the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = self._opened()

    def get(self, key: str) -> Measurement | None:
        """What was kept under a key; None where there is nothing, or nothing that can be read."""
        row = self._execute(_GET, (key,))
        return None if row is None else _sound_measurement(key, row[0])

    def put(self, key: str, measurement: Measurement) -> None:
        """Keep a measurement, in the place of a row that could not be read."""
        body = dump_json(encode_measurement(measurement))
        self._execute("INSERT OR REPLACE INTO measured VALUES (?, ?)", (key, f"{_seal(key, body)}\n{body}"))

    def close(self) -> None:
        self._database.close()

    def _opened(self) -> sqlite3.Connection:
        with _readable_errors(self.path):
            try:
                return open_database(self.path, _TABLE)
            except sqlite3.Error as error:
                if not _is_spoilt(self.path, error):
                    raise
            _set_aside(self.path)
            return open_database(self.path, _TABLE)

    def _execute(self, statement: str, values: tuple[str, ...]) -> tuple[bytes] | None:
        """The first row of what a statement gives; once more with a new file where this one is damaged."""
        with _readable_errors(self.path):
            try:
                return _first(self._database, statement, values)
            except sqlite3.Error as error:
                if not _is_spoilt(self.path, error):
                    raise
            self._database.close()
            _set_aside(self.path)
            self._database = self._opened()
            return _first(self._database, statement, values)


def _first(database: sqlite3.Connection, statement: str, values: tuple[str, ...]) -> tuple[bytes] | None:
    row: tuple[bytes] | None = database.execute(statement, values).fetchone()
    return row


def _sound_measurement(key: str, row: bytes) -> Measurement | None:
    """The measurement of a row; None where it is not what was written."""
    try:
        seal, _, body = row.decode().rpartition("\n")
        if seal and seal != _seal(key, body):
            return None
        return decode_measurement(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _seal(key: str, body: str) -> str:
    return hashlib.sha256(f"{key}\n{body}".encode()).hexdigest()


def _is_spoilt(path: Path, error: sqlite3.Error) -> bool:
    """Whether the file is at fault, not its place."""
    return is_damaged(error) or (is_read_only(error) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _set_aside(path: Path) -> None:
    """Rename a damaged file and drop its log, unless another process did so already."""
    from filelock import FileLock

    with FileLock(path.with_name(f"{path.name}.lock")):
        if _is_sound(path):
            return
        path.replace(path.with_name(f"{path.name}.damaged"))
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)


def _is_sound(path: Path) -> bool:
    try:
        database = open_database(path, _TABLE)
        try:
            database.executescript("BEGIN; DELETE FROM measured WHERE key = ''; ROLLBACK;")
            database.execute(_GET, ("",)).fetchone()
            return bool(database.execute("PRAGMA quick_check").fetchone()[0] == "ok")
        finally:
            database.close()
    except sqlite3.Error as error:
        return not _is_spoilt(path, error)


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, "disk full", str(path)) from error
        raise MeasureStoreError(
            f"{path}: the file of kept measurements cannot be used ({error}); it must lie on a local disk you may "
            "write to, and no program may hold it locked"
        ) from error


def measured(probe: ClipProbe, clip: Clip, kept: MeasureStore | None) -> Measurement:
    """The probe's measurement of a clip, from the store where it has it."""
    if kept is None:
        return probe.measure(clip)
    key = measurement_key(probe, clip)
    known = kept.get(key)
    if known is None:
        known = probe.measure(clip)
        kept.put(key, known)
    return known


def encode_measurement(measurement: Measurement) -> dict[str, object]:
    """Plain JSON; vectors as base64 of little-endian float32."""
    return {
        "values": dict(measurement.values),
        "texts": dict(measurement.texts),
        "vectors": {name: encode_vector(vector) for name, vector in measurement.vectors.items()},
    }


def decode_measurement(body: Mapping[str, Mapping[str, object]]) -> Measurement:
    """Inverse of `encode_measurement`.

    Raises:
        ValueError, KeyError: not such a body.
    """
    return Measurement(
        values={name: float(str(value)) for name, value in body["values"].items()},
        texts={name: str(value) for name, value in body["texts"].items()},
        vectors={name: decode_vector(str(value)) for name, value in body["vectors"].items()},
    )


def encode_vector(vector: Vector) -> str:
    """Base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode("ascii")


def decode_vector(text: str) -> Vector:
    """Inverse of `encode_vector`.

    Raises:
        ValueError: not base64, or not a whole number of floats.
    """
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
