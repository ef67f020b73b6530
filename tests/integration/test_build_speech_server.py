"""A whole build whose speech comes from a server, one that fails now and then; a second one asks it nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars
import pytest
import yaml

from tests.support.builds import draft_config, run_humdial
from tests.support.speech_server import MODEL, RATE_HZ, Fault, SpeechServer

pytestmark = pytest.mark.integration

KEY = "sk-geheim-秘密".encode().hex()
MOST = 4
VOICES = {
    ("zh", "female"): ("cmn+f1", "cmn+f4", "cmn+Annie", "cmn+linda"),
    ("zh", "male"): ("cmn+m1", "cmn+m2", "cmn+m3", "cmn+m4"),
    ("en", "female"): ("en-us+f1", "en-us+f4", "en-us+Annie", "en-us+linda"),
    ("en", "male"): ("en-us+m1", "en-us+m2", "en-us+m3", "en-us+m4"),
}


def registry(folder: Path) -> Path:
    rows = [
        {"id": name, "engine": "openai-speech", "language": language, "gender": gender, "license": "CC0-1.0"}
        for (language, gender), names in VOICES.items()
        for name in names
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "声音.yaml"
    path.write_text(yaml.safe_dump({"voices": rows}, allow_unicode=True), encoding="utf-8")
    return path


def config(folder: Path, url: str, **speech: Any) -> Path:
    server = {
        "endpoint": {"base_url": url, "api_key_env": "SPEECH_KEY", "max_in_flight": MOST, "backoff_s": 0.01},
        "model": MODEL,
        "license": "Apache-2.0",
        "weights": "rev-1",
        "sample_rate_hz": RATE_HZ,
    }
    return draft_config(
        folder,
        speech={"engine": "openai-speech", "voices": str(registry(folder)), "server": server, **speech},
        validation={"skip": ["slow"], "engines": {"openai-speech": {"min_snr_db": 20.0}}},
        execution={"workers": 2, "shard_items": 3},
    )


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_KEY", KEY)


@pytest.mark.usefixtures("_key")
def test_a_release_spoken_by_a_server(tmp_path: Path) -> None:
    faults = {3: Fault("500"), 7: Fault("429"), 11: Fault("cut"), 12: Fault("empty")}
    with SpeechServer(fault_at=faults.get, key=KEY, latency_s=0.02) as server:
        made = config(tmp_path, server.openai_url, responses="voiced")
        status, output = run_humdial("build", str(made), folder=tmp_path)
        assert status == 0, output
        asked = server.requests
        assert 1 < server.seen.most_in_flight <= MOST
        again = made.with_name("again.yaml")
        release = tmp_path / "second"
        raw = yaml.safe_load(made.read_text(encoding="utf-8")) | {"release": str(release)}
        again.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
        status, output = run_humdial("build", str(again), folder=tmp_path)
        assert status == 0, output
        assert server.requests <= asked + 1  # the look whether it is there
    catalog = polars.read_parquet(tmp_path / "release" / "catalog.parquet").filter(polars.col("kind") == "utterance")
    assert set(catalog["engine"]) == {"openai-speech"} and set(catalog["weights_sha256"]) == {"rev-1"}
    assert asked >= catalog["audio_key"].n_unique() + len(faults)
    assert set(catalog["voice"]) <= {name for names in VOICES.values() for name in names}
    assert catalog.filter(polars.col("role") == "assistant", polars.col("track") == "track1").height > 0
    for name in ("dataset.lock.json", "README.md", "RESOURCES.md", "validation/speech.json"):
        assert KEY not in (tmp_path / "release" / name).read_text(encoding="utf-8")
    lock = json.loads((tmp_path / "release" / "dataset.lock.json").read_text(encoding="utf-8"))
    assert "endpoint" not in lock["config"]["speech"]["server"]
    tree = json.loads((release / "dataset.lock.json").read_text(encoding="utf-8"))["tree_sha256"]
    assert tree == lock["tree_sha256"]


@pytest.mark.usefixtures("_key")
def test_a_build_without_its_server_stops_with_a_sentence(tmp_path: Path) -> None:
    with SpeechServer(key=KEY) as server:
        url = server.openai_url
    status, output = run_humdial("build", str(config(tmp_path, url)), folder=tmp_path)
    assert status != 0
    assert "cannot be reached" in output and "Traceback" not in output
    assert KEY not in output
    assert not (tmp_path / "release").exists()


def test_a_voice_whose_licence_is_not_allowed_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_KEY", KEY)
    with SpeechServer(key=KEY) as server:
        made = config(tmp_path, server.openai_url)
        voices = tmp_path / "声音.yaml"
        text = voices.read_text(encoding="utf-8")
        voices.write_text(text.replace("CC0-1.0", "CC-BY-NC-4.0"), encoding="utf-8")
        status, output = run_humdial("build", str(made), folder=tmp_path)
        assert status != 0 and server.requests == 0
    assert "CC-BY-NC-4.0" in output and "allowed_licenses" in output and "Traceback" not in output
