"""Files that must say why they could not be written: audio and SQLite."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_schemas.foundation import database
from data_schemas.foundation.audio import Samples, to_pcm16, write_wav
from data_schemas.foundation.database import open_database

TABLE = "CREATE TABLE IF NOT EXISTS 表 (key TEXT PRIMARY KEY)"
RNG = np.random.default_rng(7)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, dtype=np.float32),
        RNG.uniform(-1.2, 1.2, 16_001).astype(np.float32),
        RNG.uniform(-1, 1, (999, 2)).astype(np.float32),
    ],
)
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_audio_is_the_file_that_libsndfile_writes(samples: Samples, rate: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "its.wav", to_pcm16(samples), rate, subtype="PCM_16", format="WAV")
    write_wav(tmp_path / "我们的" / "ours.wav", samples, rate)
    assert (tmp_path / "我们的" / "ours.wav").read_bytes() == (tmp_path / "its.wav").read_bytes()


def test_audio_on_a_full_disk_is_an_error_of_the_disk() -> None:
    with pytest.raises(OSError, match="No space left") as told:
        write_wav(Path("/dev/full"), np.zeros(99, dtype=np.float32))
    assert told.value.errno == errno.ENOSPC


def test_a_new_file_that_another_process_is_opening_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not wait here by itself: it refuses at once, whatever the time limit."""
    path = tmp_path / "新.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waited = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if other.in_transaction:
            other.execute("COMMIT")

    monkeypatch.setattr(database.time, "sleep", wait)
    own = open_database(path, TABLE)
    assert waited
    assert own.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert own.execute("SELECT count(*) FROM 表").fetchone() == (0,)
