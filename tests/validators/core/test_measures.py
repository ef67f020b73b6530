"""Measurements are kept by what they were made of, and come back equal; tables tell what was found."""

from __future__ import annotations

import errno
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.emotions import Emotion
from data_schemas.finding import Finding, Severity
from data_schemas.foundation.base import RecordError, write_jsonl
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures, measures_of
from validators.core.clips import Clip
from validators.core.measure_store import (
    MeasureStore,
    MeasureStoreError,
    decode_measurement,
    encode_measurement,
    measured,
)
from validators.core.probe import Measurement, measurement_key
from validators.run.tables import (
    decode_measures,
    encode_measures,
    findings_frame,
    measures_frame,
    parquet_bytes,
    read_findings,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def make_clip(text: str = "我很好。", value: float = 0.1) -> Clip:
    return Clip(
        item="task2_3_zh_0001_0001",
        name="turn_1",
        file="track1/train/zh/task2_3/a_1.wav",
        span=(0.0, 0.01),
        rate=16_000,
        samples=np.full(160, value, dtype=np.float32),
        layout="track1-seed",
        language=Language.ZH,
        split=Split.TRAIN,
        role=Role.USER,
        text=text,
        speaker="S0001",
        emotion=Emotion.ANGER,
        intensity=2,
    )


class Counting:
    """Counts how often it is asked."""

    identity = "counting/1"

    def __init__(self) -> None:
        self.asked = 0

    def measure(self, clip: Clip) -> Measurement:
        self.asked += 1
        return Measurement({"mean": float(clip.samples.mean())}, {"heard": "你好"}, {"v": clip.samples[:3]})


@given(
    values=st.dictionaries(st.text(max_size=5), FINITE, max_size=3),
    texts=st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3),
    vector=st.lists(FINITE, max_size=9),
)
def test_a_measurement_survives_json(values: dict[str, float], texts: dict[str, str], vector: list[float]) -> None:
    own = Measurement(values, texts, {"v": np.array(vector, dtype=np.float32)})
    back = decode_measurement(json.loads(json.dumps(encode_measurement(own))))
    assert back.values == values and back.texts == texts
    assert np.array_equal(back.vectors["v"], own.vectors["v"])


def test_a_clip_is_measured_once(tmp_path: Path) -> None:
    probe = Counting()
    for _ in range(2):  # two processes one after the other
        store = MeasureStore(tmp_path / "deep" / "measured.sqlite")
        first, second = measured(probe, make_clip(), store), measured(probe, make_clip("别的话"), store)
        store.close()
        assert first.values == second.values and np.array_equal(first.vectors["v"], second.vectors["v"])
    assert probe.asked == 1  # the words do not matter to a probe, the samples do
    measured(probe, make_clip(value=0.2), None)
    assert probe.asked == 2


def test_the_key_knows_samples_language_rate_and_probe() -> None:
    probe, clip = Counting(), make_clip()
    other = Counting()
    other.identity = "counting/2"  # type: ignore[misc]
    keys = {
        measurement_key(probe, clip),
        measurement_key(probe, replace(clip, language=Language.EN)),
        measurement_key(probe, replace(clip, rate=8_000)),
        measurement_key(probe, make_clip(value=0.2)),
        measurement_key(other, clip),
    }
    assert len(keys) == 5
    assert measurement_key(probe, replace(clip, text="x", speaker=None)) in keys


def test_a_spoilt_entry_is_measured_again(tmp_path: Path) -> None:
    probe, path = Counting(), tmp_path / "measured.sqlite"
    store = MeasureStore(path)
    measured(probe, make_clip(), store)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE measured SET body = '{\"values\": 3}'")
    for _ in range(2):  # once: the row is mended
        assert measured(probe, make_clip(), store).values["mean"] == pytest.approx(0.1)
        assert probe.asked == 2


@pytest.mark.parametrize("when", ["before it is opened", "while it is open"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, when: str) -> None:
    path, probe = tmp_path / "损坏.sqlite", Counting()
    stores = [MeasureStore(path) for _ in range(2 if when == "while it is open" else 0)]
    for text in ("第一句。", "第二句。") if stores else ():
        measured(probe, make_clip(text), stores[0])
    for store in stores:
        store._execute("PRAGMA wal_checkpoint(TRUNCATE)", ())
    path.write_bytes("不是数据库".encode() * 1000)
    stores = stores or [MeasureStore(path) for _ in range(2)]
    asked = probe.asked
    for store in stores:  # the second finds what the first began anew
        assert measured(probe, make_clip(value=0.2), store).values["mean"] == pytest.approx(0.2)
    assert probe.asked == asked + 1
    assert (tmp_path / "损坏.sqlite.damaged").read_bytes().startswith("不是".encode())


def test_no_byte_of_the_file_can_be_another_without_being_noticed(tmp_path: Path) -> None:
    """What is read is what was written, or measured again; a build never stops for it."""
    path, copy = tmp_path / "measured.sqlite", tmp_path / "坏" / "measured.sqlite"
    known = {f"{n:064x}": Measurement({"a": n / 4}, {"听到": f"你好{n}"}, {"v": np.arange(n)}) for n in range(12)}
    store = MeasureStore(path)
    for key, one in known.items():
        store.put(key, one)
    store.close()
    whole = path.read_bytes()
    copy.parent.mkdir()
    for place in [*range(100), *range(100, len(whole), 83)]:
        for left in copy.parent.iterdir():
            left.unlink()
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0xA5]) + whole[place + 1 :])
        spoilt = MeasureStore(copy)
        for key, one in known.items():
            found = spoilt.get(key)
            assert found is None or encode_measurement(found) == encode_measurement(one), place
        spoilt.put("0" * 64, known["0" * 64])
        assert spoilt.get("0" * 64) is not None, place
        spoilt.close()


def test_rows_of_old_versions_are_believed(tmp_path: Path) -> None:
    store = MeasureStore(tmp_path / "measured.sqlite")
    body = json.dumps(encode_measurement(Measurement({"a": 1.0}, {"听到": "你好"}, {})))
    store._execute("INSERT INTO measured VALUES (?, ?)", ("旧", body))
    assert store.get("旧") == Measurement({"a": 1.0}, {"听到": "你好"}, {})


def test_a_file_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MeasureStoreError, match="must lie on a local disk"):
        MeasureStore(tmp_path)


def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path) -> None:
    store = MeasureStore(tmp_path / "measured.sqlite")
    store._database.execute("PRAGMA max_page_count = 2")
    with pytest.raises(OSError, match="disk full") as told:
        store.put("k", Measurement({}, {"听到": "你好" * 9_999}, {}))
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(tmp_path / "measured.sqlite"))


def test_a_table_is_the_file_that_polars_writes(tmp_path: Path) -> None:
    for frame in (findings_frame(FOUND), measures_frame(clips()), findings_frame(())):
        frame.write_parquet(tmp_path / "t.parquet", compression="zstd", statistics=True)
        assert parquet_bytes(frame) == (tmp_path / "t.parquet").read_bytes()


def clips() -> list[ClipMeasures]:
    full = measures_of(make_clip(), {"wer": 0.123456}, {"heard": "我很好"}, {"v": np.ones(2, np.float32)})
    bare = measures_of(replace(make_clip(), name="turn_2", emotion=None, speaker=None), {"dnsmos": 3.5}, {}, {})
    return [full, bare]


def test_measures_of_clips_survive_a_line() -> None:
    lines = [encode_measures(one) for one in clips()]
    back = [decode_measures(line) for line in lines]
    assert [replace(one, vectors={}) for one in back] == [replace(one, vectors={}) for one in clips()]
    assert np.array_equal(back[0].vectors["v"], np.ones(2, np.float32))
    assert "我很好" in lines[0] and "\n" not in lines[0]


def test_the_table_of_measures_has_a_column_per_number_and_text() -> None:
    frame = measures_frame(clips())
    assert frame["wer"].to_list() == [0.1235, None] and frame["dnsmos"].to_list() == [None, 3.5]
    assert frame["heard"].to_list() == ["我很好", None] and frame["emotion"].to_list() == ["anger", None]
    assert measures_frame([]).height == 0


FOUND = (
    Finding(code="AUDIO.CLICK", severity=Severity.WARNING, item="a", message="响了", validator="audio/1", start=1.0),
    Finding(code="SET.EMPTY", severity=Severity.ERROR, item="b", message="空", validator="dataset/1", file="f.wav"),
)


def test_findings_survive_both_files(tmp_path: Path) -> None:
    findings_frame(FOUND).write_parquet(tmp_path / "findings.parquet")
    write_jsonl(tmp_path / "findings.jsonl", FOUND)
    assert read_findings(tmp_path) == read_findings(tmp_path / "findings.jsonl") == FOUND
    assert findings_frame(()).height == 0


def test_a_table_of_something_else_is_no_baseline(tmp_path: Path) -> None:
    polars.DataFrame({"a": [1]}).write_parquet(tmp_path / "findings.parquet")
    with pytest.raises(RecordError, match="its columns are a"):
        read_findings(tmp_path)
    (tmp_path / "text.parquet").write_text("不是")
    for path in (tmp_path / "text.parquet", tmp_path / "nowhere"):
        with pytest.raises(RecordError, match="cannot be read"):
            read_findings(path)
