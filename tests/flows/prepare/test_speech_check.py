"""Configurations that doom every utterance are refused before any work, with one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.prepare.resolve import prepare, resolve
from generators.speech.engine import Control, EngineError
from tests.support.builds import draft_config
from tests.support.tiny_cosyvoice import write_pool

ALL = ("neutral", "anger", "disgust", "fear", "happy", "sad", "surprise")
SERVER = {"endpoint": {"base_url": "http://127.0.0.1:9"}, "model": "m", "license": "Apache-2.0", "weights": "rev-1"}
COSY = {"sample_rate_hz": 24_000, "generation": "v2"}
TRACK_1 = [{"task": "trajectory", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 1}]
TRACK_2 = [{"task": "follow_up", "languages": ["zh"], "splits": ["train"], "turns": [1], "count": 1}]


def config(
    folder: Path,
    engine: str,
    clips: tuple[str, ...],
    quotas: list[dict[str, Any]],
    speech: dict[str, Any] | None = None,
    **server: Any,
) -> Path:
    """A draft build whose six voices have clips of these emotions."""
    section = {"server": SERVER | (COSY if engine == "cosyvoice-http" else {}) | server}
    return draft_config(
        folder,
        quotas=quotas,
        speech={"engine": engine, "voices": str(write_pool(folder, engine, clips))} | section | (speech or {}),
    )


def refused(path: Path) -> str:
    with pytest.raises(EngineError) as told:
        resolve(load_config(path), need_models=False)
    return str(told.value)


@pytest.mark.parametrize("engine", ["openai-speech", "cosyvoice-http"])
@pytest.mark.parametrize("way", ["none", "reference", "auto", "instructions"])
def test_track_2_needs_neutral_clips(tmp_path: Path, engine: str, way: str) -> None:
    told = refused(config(tmp_path, engine, ALL[1:], TRACK_2, emotion=way))
    assert "声音.yaml: voice zh_" in told and "no neutral one" in told
    resolve(load_config(config(tmp_path, engine, ALL[:1], TRACK_2, emotion=way)), need_models=False)


def test_a_pack_is_spoken_with_the_clips_there_are_or_not_at_all(tmp_path: Path) -> None:
    def prepared(*clips: str, **speech: Any) -> None:
        made = load_config(config(tmp_path, "openai-speech", clips, TRACK_1, speech, emotion="reference"))
        prepare(made, tmp_path, resolve(made, need_models=False), SilentReporter())

    with pytest.raises(
        EngineError, match=r"has no clip of emotion .*; add one, or set speech\.server\.emotion to auto"
    ):
        prepared("neutral", "happy")
    prepared(*ALL)
    prepared(*ALL, responses="voiced")


def test_a_model_may_write_any_emotion(tmp_path: Path) -> None:
    path = config(tmp_path, "openai-speech", ALL[:-1], TRACK_1, emotion="reference")
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    llm = {
        "endpoints": {"here": {"base_url": "http://127.0.0.1:9/v1"}},
        "models": {"writer": {"endpoint": "here", "model": "m"}},
        "writers": [{"model": "writer"}],
    }
    raw["scripts"] = {"writer": "llm", "llm": llm}
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    assert "has no clip of emotion surprise" in refused(path)


def test_cosyvoices_server_tells_no_emotion_to_a_voice_of_its_own(tmp_path: Path) -> None:
    made = load_config(config(tmp_path, "cosyvoice-http", (), TRACK_1, emotion="auto"))
    with pytest.raises(EngineError, match="has no clip, and CosyVoice takes instructions only with one"):
        prepare(made, tmp_path, resolve(made, need_models=False), SilentReporter())
    resolve(load_config(config(tmp_path, "cosyvoice-http", (), TRACK_2, emotion="auto")), need_models=False)


@pytest.mark.parametrize("engine", ["openai-speech", "cosyvoice-http"])
def test_a_speed_that_the_engine_has_not_is_refused(tmp_path: Path, engine: str) -> None:
    told = refused(config(tmp_path, engine, ALL[:1], TRACK_2, {"speed": 1.1}))
    assert told.startswith(f"speech.speed is 1.1 and engine {engine} cannot change its speed; remove it")
    assert ("speech.server.speed" in told) == (engine == "openai-speech")


def test_a_speed_that_the_server_heeds_is_fine(tmp_path: Path) -> None:
    path = config(tmp_path, "openai-speech", ALL[:1], TRACK_2, {"speed": 1.1}, speed=True)
    assert Control.SPEED in resolve(load_config(path), need_models=False).engine.controls


def test_weights_that_are_not_whole_stop_a_build_and_no_dry_run(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "cosyvoice2.yaml").write_text("")
    path = config(tmp_path, "cosyvoice", ALL, TRACK_2, {"server": None, "cosyvoice": {"model_dir": str(folder)}})
    resolve(load_config(path), need_models=False)
    with pytest.raises(EngineError, match=r"model_dir: .*/model lacks llm\.pt, flow\.pt"):
        resolve(load_config(path))
