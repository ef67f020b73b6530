"""The real CosyVoice runtime on a tiny random model, loaded through its own path and driven by our adapter.

The model makes noise, so nothing here is about how it sounds: it is about what the runtime is told and what comes back.
The environment is made once, see `tests.support.tiny_cosyvoice`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from data_schemas.emotions import Emotion
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from flows.doctor.cosyvoice import cosyvoice_checks
from generators.speech.cosyvoice.engine import SAMPLE_RATE, CosyVoiceEngine
from generators.speech.cosyvoice.settings import CosyVoiceSettings
from generators.speech.engine import RawSpeech
from generators.speech.expression.instructions import END_OF_PROMPT
from generators.speech.registry import create_engine
from generators.speech.settings import SpeechSettings
from generators.speech.text.chunks import chunks
from generators.speech.voices.registry import voice_digest
from tests.support import tiny_cosyvoice

pytestmark = pytest.mark.integration

TEXT = "你好，我们走吧。"
LOOK_INSIDE = Path(tiny_cosyvoice.__file__).parent / "cosyvoice" / "look_inside.py"
#: An utterance takes 1 to 3 s here.
TIMEOUT_S = 300.0
#: One that hangs is waited for so many times as long as another took, and at least so many seconds.
HANG_TIMES, HANG_S = 8, 12.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> SpeechSettings:
    registry = tiny_cosyvoice.write_registry(tmp_path_factory.mktemp("voices"))
    return SpeechSettings(
        engine="cosyvoice",
        voices=str(registry),
        cosyvoice=CosyVoiceSettings(
            model_dir=str(tiny_cosyvoice.model_dir()), python=str(tiny_cosyvoice.environment()), timeout_s=TIMEOUT_S
        ),
    )


@pytest.fixture(scope="module")
def engine(settings: SpeechSettings) -> Iterator[CosyVoiceEngine]:
    made = create_engine("cosyvoice", settings)
    assert isinstance(made, CosyVoiceEngine)
    yield made
    made.close()


def request(
    engine: CosyVoiceEngine,
    text: str = TEXT,
    emotion: Emotion = Emotion.NEUTRAL,
    intensity: int = 0,
    voice: str = "zh_a",
    language: Language = Language.ZH,
    seed: int = 11,
    speed: float = 1.0,
) -> SpeechRequest:
    known = {voice.id: voice for voice in engine.voices()}
    return SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice,
        language=language,
        spoken_text=text,
        emotion=emotion,
        intensity=intensity,
        speed=speed,
        seed=seed,
        voice_sha256=voice_digest(known[voice]),
        loudness_lufs=-23.0,
        edge_silence_ms=50,
    )


def same(one: RawSpeech, other: RawSpeech) -> bool:
    return one.samples.tobytes() == other.samples.tobytes()


@pytest.fixture(scope="module")
def neutral(engine: CosyVoiceEngine) -> RawSpeech:
    """Zero-shot: the first thing that the first worker says."""
    return engine.synthesise(request(engine))


def test_zero_shot_gives_finite_speech_at_the_models_rate(engine: CosyVoiceEngine, neutral: RawSpeech) -> None:
    assert neutral.sample_rate == SAMPLE_RATE
    assert neutral.samples.dtype == np.float32 and neutral.samples.ndim == 1
    assert np.isfinite(neutral.samples).all() and np.abs(neutral.samples).max() > 0.01
    assert 1.0 < len(neutral.samples) / SAMPLE_RATE < 6.0
    told = engine.provenance(request(engine))
    assert told.model == "CosyVoice 2 (model)" and "cosyvoice2-eu 0.2.8" in told.engine_version


def test_a_seed_repeats_its_bytes_whatever_was_said_between(engine: CosyVoiceEngine, neutral: RawSpeech) -> None:
    other = engine.synthesise(request(engine, seed=12))
    engine.synthesise(request(engine, "Hello there.", voice="en_b", language=Language.EN))
    assert same(engine.synthesise(request(engine)), neutral)
    assert not same(other, neutral)


def test_emotions_are_told_where_there_is_no_clip_of_them(engine: CosyVoiceEngine, neutral: RawSpeech) -> None:
    happy = [
        engine.synthesise(request(engine, emotion=emotion, intensity=intensity))
        for emotion, intensity in ((Emotion.HAPPY, 2), (Emotion.HAPPY, 3), (Emotion.SAD, 2), (Emotion.HAPPY, 2))
    ]
    assert same(happy[0], happy[3])
    assert len({spoken.samples.tobytes() for spoken in (*happy, neutral)}) == 4


def test_a_clip_of_the_emotion_and_another_language(engine: CosyVoiceEngine, neutral: RawSpeech) -> None:
    angry = engine.synthesise(request(engine, emotion=Emotion.ANGER, intensity=2))
    assert not same(angry, neutral)
    assert same(engine.synthesise(request(engine, emotion=Emotion.ANGER, intensity=3)), angry), (
        "the clip tells, no words"
    )
    foreign = request(engine, "Hello there, my friend.", Emotion.ANGER, 2, language=Language.EN)
    assert same(engine.synthesise(foreign), engine.synthesise(foreign))


def test_tags_and_speed_reach_the_model(engine: CosyVoiceEngine, neutral: RawSpeech) -> None:
    laughing = engine.synthesise(request(engine, "你好[laughter]，我们走吧。"))
    assert not same(laughing, neutral)
    quick = engine.synthesise(request(engine, speed=1.25))
    assert len(quick.samples) == pytest.approx(len(neutral.samples) / 1.25, rel=0.02)


def test_long_texts_are_spoken_in_pieces(engine: CosyVoiceEngine) -> None:
    text = (
        "I forgot my umbrella at home again, so I waited here. It rained all day long, and then I simply walked home."
    )
    pieces = chunks(text, Language.EN)
    assert len(pieces) == 2
    whole, first, alone = (
        engine.synthesise(request(engine, spoken, voice="en_b", language=Language.EN)).samples
        for spoken in (text, *pieces)
    )
    assert np.array_equal(whole[: len(first)], first)
    assert not np.array_equal(whole[len(first) :], alone), "the second piece has a seed of its own"
    assert len(whole) > 1.5 * len(first)


def test_two_workers_at_a_time_and_one_that_hangs(
    engine: CosyVoiceEngine, settings: SpeechSettings, neutral: RawSpeech
) -> None:
    """The second engine's worker is stopped under it; meanwhile the first one's goes on."""
    started = time.monotonic()
    assert same(engine.synthesise(request(engine)), neutral)
    limit_s = max(HANG_S, HANG_TIMES * (time.monotonic() - started))
    assert settings.cosyvoice
    own = settings.cosyvoice.model_copy(update={"timeout_s": limit_s})
    second = CosyVoiceEngine(settings.model_copy(update={"cosyvoice": own}))
    try:
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(one.synthesise, request(one)) for one in (engine, second)]
            assert all(same(done.result(), neutral) for done in both)
        stopped = second.worker.pid
        assert stopped and stopped != engine.worker.pid
        os.kill(stopped, signal.SIGSTOP)
        with ThreadPoolExecutor(2) as pool:
            hanging, going = (
                pool.submit(second.synthesise, request(second)),
                pool.submit(engine.synthesise, request(engine)),
            )
            assert same(going.result(), neutral)
            assert same(hanging.result(), neutral)
        assert (second.worker.recycled, engine.worker.recycled) == (1, 0)
        assert not psutil.pid_exists(stopped) and second.worker.pid != stopped
        os.kill(second.worker.pid or 0, signal.SIGKILL)
        time.sleep(0.5)
        assert same(second.synthesise(request(second)), neutral)
    finally:
        last = second.worker.pid
        second.close()
    assert last and not psutil.pid_exists(last)


def test_markers_and_prepared_speakers_seen_from_inside(settings: SpeechSettings) -> None:
    assert settings.cosyvoice and settings.voices
    clip = Path(settings.voices).parent / "zh_a-neutral.wav"
    command = [str(settings.cosyvoice.python), "-I", str(LOOK_INSIDE), str(tiny_cosyvoice.WORKER)]
    done = subprocess.run(
        [*command, settings.cosyvoice.model_dir, str(clip), "今天的天气真不错啊。"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["description"] == {"sample_rate": SAMPLE_RATE, "generation": "v2", "interface": "samples"}
    for name in ("instruct", "instruct with a marker"):
        marked = [text for text in found[name]["texts"] if END_OF_PROMPT in text]
        assert marked == ["用开心的语气说这句话" + END_OF_PROMPT], "the runtime adds it, we do not"
    assert "2 end-of-prompt markers" in found["doubled"], "and were it doubled, it would be found"
    first, second = found["cached"]
    assert found["prepared"] == 1 and first["sha256"] == second["sha256"] == found["direct"]
    _, instructed, zero_shot = found["after instruct and cross-lingual"]
    assert instructed["sha256"] == found["instruct"]["sha256"], "other modes leave the prepared speaker alone"
    assert zero_shot["sha256"] == first["sha256"]
    assert first["text_tokens"] == len("你好，我们走吧。".encode()), "a byte is a token of the tiny model"


def test_the_doctor_finds_all_well(settings: SpeechSettings) -> None:
    checks = {check.name: check for check in cosyvoice_checks(settings)}
    assert all(check.ok for check in checks.values()), checks
    assert "CosyVoice 2" in checks["cosyvoice model"].detail
    assert "cosyvoice2-eu 0.2.8" in checks["cosyvoice runtime"].detail
    assert "clips as samples" in checks["cosyvoice runtime"].detail
    assert "2 voices, 1 clips with an emotion" in checks["cosyvoice clips"].detail


def test_the_doctor_names_what_is_not_well(tmp_path: Path) -> None:
    """An interpreter that never had CosyVoice, a directory without a model, no registry."""
    settings = SpeechSettings(
        engine="cosyvoice", cosyvoice=CosyVoiceSettings(model_dir=str(tmp_path), python=sys.executable)
    )
    model, runtime, clips = cosyvoice_checks(settings)
    assert not model.ok and str(tmp_path) in model.detail and "docs/cosyvoice.md" in (model.fix or "")
    assert not runtime.ok and "No module named" in runtime.detail and sys.executable in runtime.detail
    assert not clips.ok and "speech.voices" in clips.detail
    assert cosyvoice_checks(SpeechSettings()) == ()
