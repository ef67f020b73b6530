"""The real DNSMOS models give the numbers of ``speechmos`` 0.0.1.1, and hear noise in real speech."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples, from_pcm16, to_pcm16
from data_schemas.tasks import Language, Role, Split, Task
from generators.scenes.settings import SceneSettings
from generators.speech.registry import create_engine
from generators.speech.requests import utterance_requests
from generators.speech.settings import SpeechSettings
from generators.speech.speak import load_samples, speak
from generators.store import Store
from tests.support.disturbance import disturbed
from tests.support.scene_factory import make_plan, make_script
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.sound.limits import ENGINES
from validators.sound.quality import QualityProbe, judge_quality
from validators.sound.sound import judge_sound

pytestmark = pytest.mark.integration

TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def probe() -> QualityProbe:
    return QualityProbe()


def hum(seconds: float, noise: float) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    voice = sum(np.cos(2 * np.pi * 150 * k * time + k * k) / k for k in range(1, 20))
    syllable = np.clip(np.sin(2 * np.pi * 2 * time), 0, 1)
    hiss = np.random.Generator(np.random.PCG64(7)).standard_normal(len(time))
    return (0.08 * voice * syllable + noise * hiss).astype(np.float32)


def clip_of(samples: Samples, language: Language = Language.ZH) -> Clip:
    return Clip(
        item="x",
        name="turn_1",
        file="x.wav",
        span=(0.0, len(samples) / RATE),
        rate=RATE,
        samples=samples,
        layout="track1-seed",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text="",
    )


@pytest.mark.parametrize(
    ("seconds", "noise", "expected"),
    # dnsmos.run(hum(seconds, noise), 16000) of speechmos 0.0.1.1: a repeated, two plain and a hopping clip
    [
        (1.3, 0.0, {"ovrl": 2.3657, "sig": 2.6925, "bak": 3.8123, "p808": 2.5462}),
        (5.0, 0.001, {"ovrl": 2.0310, "sig": 2.5276, "bak": 2.6981, "p808": 2.2211}),
        (5.0, 0.02, {"ovrl": 1.3592, "sig": 1.8495, "bak": 1.2803, "p808": 2.2529}),
        (17.0, 0.003, {"ovrl": 2.2634, "sig": 2.9758, "bak": 2.7575, "p808": 2.1796}),
    ],
)
def test_the_numbers_of_speechmos(
    probe: QualityProbe, seconds: float, noise: float, expected: dict[str, float]
) -> None:
    assert probe.measure(clip_of(hum(seconds, noise))).values == pytest.approx(expected, abs=TOLERANCE)


def test_the_same_clip_gives_the_same_numbers_whatever_was_heard_before(probe: QualityProbe) -> None:
    clip = clip_of(hum(5.0, 0.001))
    first = probe.measure(clip)
    probe.measure(clip_of(hum(5.0, 0.02)))
    assert probe.measure(clip) == first == QualityProbe().measure(clip)


@pytest.mark.parametrize("language", list(Language))
def test_clean_espeak_passes_both_judges_and_noise_fails_them(
    probe: QualityProbe, language: Language, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine = create_engine("espeak")
    store = Store(tmp_path_factory.mktemp("store"))
    script = make_script(Task.FOLLOW_UP, language)
    voice = next(one.id for one in engine.voices() if one.language is language)
    plan = make_plan(script)
    plan = plan.model_copy(
        update={role: getattr(plan, role).model_copy(update={"voice": voice}) for role in ("user", "assistant")}
    )
    requests = utterance_requests(plan, script, SpeechSettings(engine="espeak"), SceneSettings().hesitation, engine, 5)
    spoken = [load_samples(store, speak(one, engine, store).audio_key) for one in requests]
    samples = from_pcm16(to_pcm16(disturbed(max((one for one in spoken if len(one) < 9 * RATE), key=len))))
    limits = Thresholds(**ENGINES["espeak"])
    clean = clip_of(samples, language)
    judge = Judge("quality/1", "x", "x.wav")
    assert judge_quality(judge, clean, probe.measure(clean), limits).findings == ()
    assert judge_sound(judge, clean, limits).findings == ()
    noise = np.random.default_rng(1).standard_normal(len(samples)) * np.sqrt(np.mean(samples**2) / 10)
    noisy = replace(clean, samples=from_pcm16(to_pcm16(samples + noise)))
    before, after = probe.measure(clean).values, probe.measure(noisy).values
    assert after["bak"] < before["bak"] - 0.5
    assert {"SOUND.SNR", "SOUND.NOISE_FLOOR"} <= {one.code for one in judge_sound(judge, noisy, limits).findings}
