"""What a killed process was writing is known and removed; what a living one writes is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data_schemas.foundation.partial_files import partial_name, sweep_partial
from data_schemas.utterance import WordTiming
from flows.common.atomic import atomic_file
from generators.store import Store, key_of
from tests.generators.test_store import facts, tone

_WRITES = """
import os, sys
from pathlib import Path
from data_schemas.foundation.partial_files import partial_name
partial_name(Path(sys.argv[1])).write_text("半", encoding="utf-8")
os._exit(9)
"""


def test_only_what_the_dead_were_writing_is_swept(tmp_path: Path) -> None:
    folder = tmp_path / "存"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", _WRITES, str(folder / "语音.wav")], check=False)
    mine = partial_name(folder / "语音.wav")
    others = [mine, folder / "语音.wav", folder / ".lock", folder / ".语音.wav.partial"]
    for other in others:
        other.touch()
    assert len(list(folder.iterdir())) == 5
    assert sweep_partial(tmp_path) == 1
    assert sorted(folder.iterdir()) == sorted(
        [mine, folder / "语音.wav", folder / ".lock", folder / ".语音.wav.partial"]
    )


def test_all_who_write_beside_a_place_use_such_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def noted(path: Path) -> Path:
        seen.append(path.name)
        return partial_name(path)

    monkeypatch.setattr("flows.common.atomic.partial_name", noted)
    monkeypatch.setattr("generators.store.partial_name", noted)
    with atomic_file(tmp_path / "结果.json") as file:
        file.write(b"{}")
    record = WordTiming(text="好", start=0, stop=9)
    Store(tmp_path).put(key_of(record), tone(), facts(), record)
    assert seen == ["结果.json", f"{key_of(record)}.wav", f"{key_of(record)}.json"]
