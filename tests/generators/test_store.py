"""The content-addressed store: what was paid for is kept, what is damaged is seen."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.utterance import Provenance, WordTiming
from generators.store import AudioEntry, AudioFacts, Store, StoreError, key_of

RECORD = WordTiming(text="你好", start=0, stop=800)
KEY = key_of(RECORD)


def facts(loudness: float = -23.0) -> AudioFacts:
    return AudioFacts(
        loudness_lufs=loudness,
        peak_dbfs=-3.0,
        words=(RECORD,),
        provenance=Provenance(
            engine="noise",
            engine_version="1",
            model="noise",
            weights_sha256="0" * 64,
            license="CC0-1.0",
            voice="v1",
            seed=0,
        ),
    )


def tone(length: int = 1600, level: float = 0.1) -> np.ndarray:
    return (level * np.sin(np.arange(length) / 7.0)).astype(np.float32)


def put(root: Path, level: float) -> AudioEntry:
    return Store(root).put(KEY, tone(level=level), facts(), RECORD)


def test_the_key_is_of_the_values_and_not_of_the_order_of_keys() -> None:
    same = WordTiming.model_validate({"stop": 800, "start": 0, "text": "你好"})
    assert key_of(same) == KEY
    assert key_of(RECORD.model_copy(update={"stop": 801})) != KEY
    assert len(KEY) == 64


def test_what_is_put_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get(KEY) is None
    entry = store.put(KEY, tone(), facts(), RECORD)
    assert store.get(KEY) == entry
    assert (entry.num_samples, entry.sample_rate) == (1600, SAMPLE_RATE_HZ)
    assert entry.made_from["text"] == "你好"
    assert np.max(np.abs(store.load(KEY) - tone())) <= 0.5 / 32768 + 1e-7
    assert store.wav_path(KEY).parent.name == KEY[:2]
    assert "你好" in store.wav_path(KEY).with_suffix(".json").read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["cut wav", "no wav", "no json", "cut json", "empty json", "other bytes"])
def test_a_damaged_entry_is_absent_and_can_be_made_again(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    store.put(KEY, tone(), facts(), RECORD)
    wav = store.wav_path(KEY)
    note = wav.with_suffix(".json")
    match damage:
        case "cut wav":
            wav.write_bytes(wav.read_bytes()[:-2])
        case "no wav":
            wav.unlink()
        case "no json":
            note.unlink()
        case "cut json":
            note.write_text(note.read_text(encoding="utf-8")[:40], encoding="utf-8")
        case "empty json":
            note.write_bytes(b"")
        case "other bytes":
            wav.write_bytes(wav.read_bytes()[:-2] + b"\x01\x02")
    assert store.get(KEY) is None
    with pytest.raises(StoreError, match="missing or damaged"):
        store.load(KEY)
    store.put(KEY, tone(), facts(), RECORD)
    assert store.get(KEY) is not None


def test_no_byte_of_an_entry_can_be_another_without_being_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    entry = store.put(KEY, tone(), facts(), RECORD)
    note = store.wav_path(KEY).with_suffix(".json")
    whole = note.read_bytes()
    for place in range(len(whole)):
        for change in (0x01, 0x80):
            note.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
            assert store.get(KEY) in (None, entry), (place, note.read_bytes())


def test_an_entry_of_an_old_version_without_a_seal_is_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    entry = store.put(KEY, tone(), facts(), RECORD)
    note = store.wav_path(KEY).with_suffix(".json")
    old = {name: value for name, value in json.loads(note.read_text(encoding="utf-8")).items() if name != "seal"}
    note.write_text(json.dumps(old, ensure_ascii=False) + "\n", encoding="utf-8")
    assert store.get(KEY) == entry.model_copy(update={"seal": None})


def test_the_first_writer_wins(tmp_path: Path) -> None:
    first = put(tmp_path, 0.1)
    assert put(tmp_path, 0.2) == first
    assert np.max(np.abs(Store(tmp_path).load(KEY))) == pytest.approx(0.1, abs=1e-3)


def test_an_entry_under_another_key_is_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, tone(), facts(), RECORD)
    other = KEY[:2] + "0" * 62
    for suffix in (".wav", ".json"):
        store.wav_path(KEY).with_suffix(suffix).rename(store.wav_path(other).with_suffix(suffix))
    assert store.get(other) is None


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "g" * 64, KEY.upper(), KEY + "0"])
def test_what_is_no_key_never_becomes_a_path(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="is not a key"):
        Store(tmp_path).wav_path(key)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: str, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("generators.store.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path, 0.1)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] in ([".lock"], [])
    assert Store(tmp_path).get(KEY) is None


def test_many_processes_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        entries = pool.starmap(put, [(tmp_path, 0.05 + 0.01 * n) for n in range(8)])
    assert len({entry.wav_sha256 for entry in entries}) == 1
    assert Store(tmp_path).get(KEY) == entries[0]
    assert not list(tmp_path.rglob("*.tmp"))
    assert json.loads(Store(tmp_path).wav_path(KEY).with_suffix(".json").read_text(encoding="utf-8"))["key"] == KEY


def test_what_other_libraries_made_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.put(KEY, tone(), facts(), RECORD, {"soxr": "1.0"})
    assert store.get(KEY, {"soxr": "1.0"}) == store.get(KEY) == first
    assert store.put(KEY, tone(), facts(), RECORD, {"soxr": "1.0"}) == first
    assert store.get(KEY, {"soxr": "1.1"}) is None
    again = store.put(KEY, tone(), facts(), RECORD, {"soxr": "1.1"})
    assert store.get(KEY, {"soxr": "1.1"}) == again != first
