"""Files that must say why they could not be written: audio and SQLite."""

from __future__ import annotations

import errno
import io
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_schemas.foundation import database
from data_schemas.foundation.audio import HEADER_BYTES, Samples, plain_wav, to_pcm16, wav_bytes, wav_samples, write_wav
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


def test_a_plain_file_is_read_as_libsndfile_reads_it(tmp_path: Path) -> None:
    for samples in (RNG.uniform(-1.2, 1.2, 16_001).astype(np.float32), np.zeros(0, np.float32)):
        wav = wav_bytes(samples, 22_050)
        assert plain_wav(wav[:HEADER_BYTES], len(wav)) == (22_050, len(samples))
        theirs, _ = soundfile.read(io.BytesIO(wav), dtype="float32")
        assert wav_samples(wav).tobytes() == theirs.tobytes()


@pytest.mark.parametrize("place", [*range(44)])
def test_no_other_header_is_taken_for_a_plain_one(place: int) -> None:
    """Whatever byte is another one; of the rate, the bytes per second then say otherwise."""
    wav = bytearray(wav_bytes(np.zeros(99, np.float32)))
    wav[place] ^= 1
    assert plain_wav(bytes(wav[:HEADER_BYTES]), len(wav)) is None


def test_files_that_are_not_plain_are_left_to_libsndfile(tmp_path: Path) -> None:
    stereo = RNG.uniform(-1, 1, (999, 2)).astype(np.float32)
    wav = wav_bytes(stereo)
    assert plain_wav(wav[:HEADER_BYTES], len(wav)) is None
    assert wav_samples(wav).shape == (999, 2)
    mono = wav_bytes(stereo[:, 0])
    assert plain_wav(mono[:HEADER_BYTES], len(mono) - 2) is None, "cut off"
    assert plain_wav(mono[: HEADER_BYTES - 1], len(mono)) is None
    soundfile.write(tmp_path / "带说明.flac", stereo[:, 0], 16_000)
    assert len(wav_samples((tmp_path / "带说明.flac").read_bytes())) == 999


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
