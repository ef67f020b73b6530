"""The pinned Whisper model on real speech: clean clips are left alone, planted defects are heard."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import soxr

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import SpeechRequest
from generators.speech.registry import create_engine
from tests.support.disturbance import disturbed
from validators.core.clips import Clip
from validators.core.instruments import Instruments
from validators.core.judges import select
from validators.core.thresholds import Thresholds
from validators.words.recogniser import Recogniser

pytestmark = pytest.mark.integration

ZH = "我妈昨晚在厨房炖了一锅鸡汤，全家人都说好喝。"
EN = "My neighbour brought us a lovely apple pie on Sunday evening."
ENGINE = "kokoro"


@cache
def recogniser() -> Recogniser:
    return Recogniser()


@cache
def speak(text: str, language: Language) -> Samples:
    """16 kHz, edges trimmed."""
    engine = create_engine(ENGINE)
    voice = next(voice for voice in engine.voices() if voice.language is language and voice.gender == "female")
    request = SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice.id,
        language=language,
        spoken_text=text,
        loudness_lufs=-23.0,
        edge_silence_ms=0,
    )
    raw = engine.synthesise(request)
    samples = soxr.resample(raw.samples, raw.sample_rate, RATE).astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    trimmed: Samples = samples[loud[0] : loud[-1] + 1]
    return disturbed(trimmed)


def clip(samples: Samples, text: str, language: Language) -> Clip:
    return Clip(
        item="one",
        name="turn_1",
        file="one.wav",
        span=(0.0, len(samples) / RATE),
        rate=RATE,
        samples=samples,
        layout="track1-seed",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text=text,
    )


@cache
def instruments() -> Instruments:
    return Instruments(select(only=("transcript",)))


def codes(asked: Clip) -> set[str]:
    """As a build asks: a borderline clip is heard again."""
    findings, _ = instruments().examine(asked, Thresholds())
    return {finding.code for finding in findings}


@pytest.mark.parametrize(("text", "language"), [(ZH, Language.ZH), (EN, Language.EN)])
def test_clean_speech_is_heard_and_not_blamed(text: str, language: Language) -> None:
    asked = clip(speak(text, language), text, language)
    findings, measures = instruments().examine(asked, Thresholds())
    assert findings == ()
    assert measures.texts["heard_language"] == language.value
    assert measures.values["syllable_error_rate" if language is Language.ZH else "wer"] < 0.25
    assert all(np.isfinite(value) for value in measures.values.values())


def seconds(length: float) -> int:
    return round(length * RATE)


def test_a_cut_off_start_is_heard() -> None:
    assert "TRANSCRIPT.START" in codes(clip(speak(EN, Language.EN)[seconds(0.6) :], EN, Language.EN))
    assert "TRANSCRIPT.START" in codes(clip(speak(ZH, Language.ZH)[seconds(0.6) :], ZH, Language.ZH))


def test_a_cut_off_end_is_heard() -> None:
    assert "TRANSCRIPT.END" in codes(clip(speak(EN, Language.EN)[: -seconds(0.9)], EN, Language.EN))
    assert "TRANSCRIPT.END" in codes(clip(speak(ZH, Language.ZH)[: -seconds(0.7)], ZH, Language.ZH))


def test_words_taken_out_are_missed() -> None:
    samples = speak(EN, Language.EN)
    without = np.concatenate([samples[: seconds(1.2)], samples[seconds(2.0) :]])
    assert "TRANSCRIPT.GAP" in codes(clip(without, EN, Language.EN))


def test_words_nobody_wrote_are_heard() -> None:
    samples, pause = speak(EN, Language.EN), np.zeros(seconds(0.3), dtype=np.float32)
    again = np.concatenate([samples, pause, samples[-seconds(1.4) :]])
    assert "TRANSCRIPT.EXTRA" in codes(clip(again, EN, Language.EN))
    instruction = np.concatenate([speak("Please say this in a very sad voice.", Language.EN), pause, samples])
    assert "TRANSCRIPT.EXTRA" in codes(clip(instruction, EN, Language.EN))


def test_another_text_and_another_language_are_heard() -> None:
    english, chinese = speak(EN, Language.EN), speak(ZH, Language.ZH)
    assert codes(clip(english, "Where did you put the keys of my old car?", Language.EN)) == {"TRANSCRIPT.ERRORS"}
    assert "LANGUAGE.AUDIO" in codes(clip(chinese, "Where did you put the keys of my old car?", Language.EN))


def test_numbers_depend_on_the_samples_alone() -> None:
    asked = clip(speak(EN, Language.EN), EN, Language.EN)
    once = recogniser().measure(asked)
    recogniser().measure(clip(speak(ZH, Language.ZH), ZH, Language.ZH))
    assert recogniser().measure(asked) == once
    assert Recogniser().measure(replace(asked, item="other", text="other", span=(5.0, 9.0))) == once


def test_silence_and_clips_longer_than_a_window_are_no_trouble() -> None:
    silence = recogniser().measure(clip(np.zeros(RATE, dtype=np.float32), EN, Language.EN))
    assert all(np.isfinite(value) for value in silence.values.values())
    pause = np.zeros(seconds(0.3), dtype=np.float32)
    long = np.concatenate([np.concatenate([speak(EN, Language.EN), pause])] * 10)
    assert len(long) > seconds(30.0)
    measurement = recogniser().measure(clip(long, EN, Language.EN))
    assert measurement.texts["heard"].lower().count("apple pie") > 1
    assert measurement.values["p_language"] > 0.5
