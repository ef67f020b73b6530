"""The real GE2E encoder and real speech: who speaks is told from the sound, and a copied file is found."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import soxr

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import SpeechRequest
from generators.speech.engine import SpeechEngine
from generators.speech.registry import create_engine
from tests.support.disturbance import disturbed
from validators.core.clip_measures import ClipMeasures, measures_of
from validators.core.clips import Clip
from validators.core.thresholds import Thresholds
from validators.sets.fingerprint import FingerprintProbe, judge_duplicate_audio
from validators.voices.speaker_encoder import SECONDS, VECTOR, SpeakerEncoder
from validators.voices.speakers import judge_item_speakers

pytestmark = pytest.mark.integration

LIMITS = Thresholds()
TEXTS = {
    Language.ZH: (
        "今天下班路上我遇到了一个十年没见的老同学。",
        "我们站在路边聊了快一个小时，他说他要结婚了。",
        "你说我为什么心里又高兴，又有一点难过呢？",
    ),
    Language.EN: (
        "On my way home today I ran into a friend I hadn't seen in ten years.",
        "We stood by the road and talked for almost an hour about the old days.",
        "Why do you think I feel happy about it, and a little sad as well?",
    ),
}


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder()


@lru_cache
def spoken(language: Language, voice: str, text: str) -> Samples:
    engine: SpeechEngine = create_engine("espeak")
    request = SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice,
        language=language,
        spoken_text=text,
        loudness_lufs=-23.0,
        edge_silence_ms=0,
    )
    raw = engine.synthesise(request)
    samples: Samples = soxr.resample(raw.samples, raw.sample_rate, RATE).astype(np.float32)
    return disturbed(samples)


def female_and_male(language: Language) -> tuple[str, str]:
    voices = create_engine("espeak").voices()
    first, second = (
        next(v.id for v in voices if v.language is language and v.gender == gender) for gender in ("female", "male")
    )
    return first, second


def clip(language: Language, number: int, samples: Samples, item: str = "d", split: Split = Split.TRAIN) -> Clip:
    return Clip(
        item=item,
        name=f"turn_{number}",
        file=f"{split}/{item}_{number}.wav",
        span=(0.0, len(samples) / RATE),
        rate=RATE,
        samples=samples,
        layout="track1-seed",
        language=language,
        split=split,
        role=Role.USER,
        text=TEXTS[language][number - 1],
        speaker="S0001",
    )


def measured(probe: SpeakerEncoder | FingerprintProbe, one: Clip) -> ClipMeasures:
    found = probe.measure(one)
    return measures_of(one, found.values, found.texts, found.vectors)


@pytest.mark.parametrize("language", list(Language))
def test_a_turn_of_the_other_gender_is_named_and_one_voice_is_not(language: Language, encoder: SpeakerEncoder) -> None:
    own, other = female_and_male(language)
    for odd in (None, 1, 2, 3):
        clips = [
            measured(encoder, clip(language, number, spoken(language, other if number == odd else own, text)))
            for number, text in enumerate(TEXTS[language], start=1)
        ]
        found = judge_item_speakers("d", clips, LIMITS)
        assert [one.code for one in found] == ([] if odd is None else ["SPEAKER.CHANGED"])
        assert all(one.message.startswith(f"turn_{odd} ") for one in found)


def test_vectors_repeat_have_unit_norm_and_do_not_depend_on_the_level(encoder: SpeakerEncoder) -> None:
    samples = spoken(Language.ZH, female_and_male(Language.ZH)[0], TEXTS[Language.ZH][0])
    first = encoder.measure(clip(Language.ZH, 1, samples))
    again = SpeakerEncoder().measure(clip(Language.ZH, 1, samples))
    softer = encoder.measure(clip(Language.ZH, 1, samples * np.float32(0.05)))
    assert np.array_equal(first.vectors[VECTOR], again.vectors[VECTOR])
    assert first.vectors[VECTOR].shape == (256,) and first.vectors[VECTOR].dtype == np.float32
    assert np.linalg.norm(first.vectors[VECTOR]) == pytest.approx(1.0, abs=1e-5)
    assert first.vectors[VECTOR] @ softer.vectors[VECTOR] > 0.999
    assert 0.5 * len(samples) < first.values[SECONDS] * RATE <= len(samples)


def test_silence_and_a_click_have_no_verdict(encoder: SpeakerEncoder) -> None:
    silence = encoder.measure(clip(Language.EN, 1, np.zeros(RATE, np.float32)))
    assert not silence.vectors and silence.values == {SECONDS: 0.0}
    click = encoder.measure(clip(Language.EN, 1, np.full(7, 0.5, np.float32)))
    assert click.values[SECONDS] < LIMITS.min_voice_s
    assert not encoder.measure(clip(Language.EN, 1, np.zeros(0, np.float32))).vectors


@pytest.mark.parametrize("language", list(Language))
def test_a_leaked_turn_is_found_and_other_words_of_the_same_voice_are_not(language: Language) -> None:
    probe, voice = FingerprintProbe(), female_and_male(language)[0]
    train = [
        measured(probe, clip(language, number, spoken(language, voice, text)))
        for number, text in enumerate(TEXTS[language], start=1)
    ]
    assert not judge_duplicate_audio(train, LIMITS)
    heard = spoken(language, voice, TEXTS[language][1])
    narrow = soxr.resample(soxr.resample(heard, RATE, 8_000), 8_000, RATE).astype(np.float32) * np.float32(0.5)
    late = np.concatenate([np.zeros(RATE // 10, np.float32), narrow])
    dev = measured(probe, clip(language, 2, late, item="e", split=Split.DEV))
    (finding,) = judge_duplicate_audio([*train, dev], LIMITS)
    assert finding.code == "SET.AUDIO_LEAK"
    assert "turn_2" in finding.message
