"""`MeasureStore`: measurements kept on disk, so that an interrupted or repeated run measures nothing twice."""

from __future__ import annotations

import base64
import binascii
import errno
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from data_schemas.foundation.base import dump_json
from data_schemas.foundation.database import is_damaged, is_disk_full, open_database
from validators.core.clips import Clip
from validators.core.probe import ClipProbe, Measurement, Vector, measurement_key

_TABLE = "CREATE TABLE IF NOT EXISTS measured (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"


class MeasureStoreError(Exception):
    """The file of kept measurements cannot be used; the sentence says what helps."""


class MeasureStore:
    """A SQLite file of measurements by key. One instance per process; safe between processes.

    Raises (all methods):
        MeasureStoreError: the file is no such store or cannot be opened; OSError (ENOSPC): the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _readable_errors(path):
            self._database = open_database(path, _TABLE)

    def get(self, key: str) -> Measurement | None:
        """What was kept under a key; None where there is nothing, or nothing that can be read."""
        with _readable_errors(self.path):
            row = self._database.execute("SELECT body FROM measured WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            return decode_measurement(json.loads(row[0]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, key: str, measurement: Measurement) -> None:
        """Keep a measurement; the first one under a key stays."""
        row = (key, dump_json(encode_measurement(measurement)))
        with _readable_errors(self.path):
            self._database.execute("INSERT OR IGNORE INTO measured VALUES (?, ?)", row)

    def close(self) -> None:
        self._database.close()


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, "disk full", str(path)) from error
        if is_damaged(error):
            raise MeasureStoreError(
                f"{path}: the file of kept measurements is damaged ({error}); remove it, with the files of the same "
                "name ending in -wal and -shm, and run again: everything is then measured anew"
            ) from error
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
