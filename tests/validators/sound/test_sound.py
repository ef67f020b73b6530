"""`judge_sound`: clean clips pass, each planted defect is found by its own code, at its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.acoustics import Coding, Microphone, Noise, NoiseKind, Telephone
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples, from_pcm16, to_pcm16
from data_schemas.tasks import Language, Role, Split
from validators.core.clips import Clip
from validators.core.codes import CODES, Judge
from validators.core.probe import ClipVerdict
from validators.core.thresholds import Thresholds
from validators.sound.repeats import nearest_repeat
from validators.sound.sound import judge_sound
from validators.sound.waveform import interpolation_db, noise_floor, true_peak_dbtp

START_S = 2.5  # of the clip in its file
TEXTS = {Language.ZH: "妈妈今天又忘了给我打电话，[sigh] 算了。", Language.EN: "She forgot to call me again today."}


def speech_like(language: Language = Language.ZH, seconds: float = 3.0) -> Samples:
    """Glides of a voice with formant-like slope, hiss between, pauses at -75 dBFS; ``[n]``, about -23 LUFS."""
    draw = np.random.default_rng(3 if language is Language.ZH else 4)
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(170.0 + 40.0 * np.sin(2 * np.pi * 1.3 * time)) / RATE
    voice = sum(np.cos(k * phase + k * k) / k**1.3 for k in range(1, 30))
    syllable = np.clip(1.6 * np.sin(2 * np.pi * 2.1 * time), 0.0, 1.0) ** 2
    hiss = np.clip(1.6 * np.sin(2 * np.pi * 2.1 * time + 2.4), 0.0, 1.0) ** 4
    noise = draw.standard_normal(len(time))
    return rounded(0.12 * voice * syllable + 0.015 * noise * hiss + 10 ** (-75 / 20) * noise)


def rounded(samples: Any) -> Samples:
    """As a file holds them."""
    return from_pcm16(to_pcm16(np.asarray(samples)))


def clip_of(samples: Samples, language: Language = Language.ZH, microphone: Microphone | None = None) -> Clip:
    return Clip(
        item="0003_0001",
        name="user_1",
        file="a/0003_0001.wav",
        span=(START_S, START_S + len(samples) / RATE),
        rate=RATE,
        samples=samples,
        layout="track2",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text=TEXTS[language],
        microphone=microphone,
    )


def judged(clip: Clip, **limits: Any) -> ClipVerdict:
    return judge_sound(Judge("sound/1", clip.item, clip.file), clip, Thresholds(**limits))


def codes(samples: Any, microphone: Microphone | None = None) -> set[str]:
    return {finding.code for finding in judged(clip_of(rounded(samples), microphone=microphone)).findings}


PLACE = 2300  # in the first syllable


def loud(samples: Samples, change: Callable[[Any, int], Any]) -> Any:
    return change(samples.astype(np.float64), PLACE)


def click(samples: Any, at: int) -> Any:
    samples[at] += 0.3
    return samples


def repeat(samples: Any, at: int) -> Any:
    return np.concatenate([samples[:at], samples[at - 320 : at], samples[at:]])


def hold(samples: Any, at: int) -> Any:
    samples[at : at + 160] = samples[at] if abs(samples[at]) > 0.01 else 0.02
    return samples


def drop(samples: Any, at: int) -> Any:
    samples[at : at + 320] = 0.0
    return samples


def at_half_rate(samples: Any) -> Any:
    import soxr

    return soxr.resample(samples, RATE, RATE // 2, quality="VHQ")


def resampled(samples: Any) -> Any:
    import soxr

    return soxr.resample(at_half_rate(samples), RATE // 2, RATE, quality="VHQ")


def straight_lines(samples: Any) -> Any:
    half = at_half_rate(samples)
    return np.interp(np.arange(2 * len(half) - 1) / 2, np.arange(len(half)), half)


def low_pass(samples: Any) -> Any:
    from scipy.signal import butter, sosfilt

    return sosfilt(butter(12, 5000, fs=RATE, output="sos"), samples)


def noisy(snr_db: float) -> Callable[[Any], Any]:
    def change(samples: Any) -> Any:
        noise = np.random.default_rng(1).standard_normal(len(samples))
        return samples + noise * np.sqrt(np.mean(samples**2) / 10 ** (snr_db / 10))

    return change


def hum(samples: Any) -> Any:
    return samples + 0.012 * np.sin(2 * np.pi * 50 * np.arange(len(samples)) / RATE)


def limited(samples: Any) -> Any:
    top = 0.5 * np.max(np.abs(samples))
    return 0.8 * np.clip(samples, -top, top)


def hot(samples: Any) -> Any:
    return samples * 10 ** ((-0.2 - true_peak_dbtp(samples)) / 20)


DEFECTS: list[tuple[str, Callable[[Any], Any]]] = [
    ("SOUND.TRUE_PEAK", hot),
    ("SOUND.CLIPPED", limited),
    ("SOUND.NOISE_FLOOR", noisy(15)),
    ("SOUND.NOISE_FLOOR", hum),
    ("SOUND.SNR", noisy(20)),
    ("SOUND.BANDWIDTH", resampled),
    ("SOUND.BANDWIDTH", straight_lines),
    ("SOUND.BANDWIDTH", lambda samples: np.repeat(at_half_rate(samples), 2)),
    ("SOUND.BANDWIDTH", low_pass),
    ("SOUND.CLICK", lambda samples: loud(samples, click)),
    ("SOUND.STUCK", lambda samples: loud(samples, repeat)),
    ("SOUND.STUCK", lambda samples: loud(samples, hold)),
    ("SOUND.STUCK", lambda samples: loud(samples, drop)),
]
#: Noise is both a floor and a small distance to it; held values and blocks begin and end with jumps.
FOLLOWS = {
    "SOUND.NOISE_FLOOR": {"SOUND.SNR"},
    "SOUND.SNR": {"SOUND.NOISE_FLOOR"},
    "SOUND.STUCK": {"SOUND.CLICK"},
}


@pytest.mark.parametrize("language", list(Language))
def test_clean_speech_passes_and_is_measured(language: Language) -> None:
    verdict = judged(clip_of(speech_like(language), language))
    assert verdict.findings == ()
    assert set(verdict.values) == {
        "loudness_lufs",
        "true_peak_dbtp",
        "noise_floor_dbfs",
        "snr_db",
        "bandwidth_hz",
    }
    assert verdict.values["bandwidth_hz"] == 8000.0
    assert -28 < verdict.values["loudness_lufs"] < -18
    assert verdict.values["noise_floor_dbfs"] == pytest.approx(-75, abs=2)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(("code", "change"), DEFECTS)
def test_planted_defect(code: str, change: Callable[[Any], Any], language: Language) -> None:
    clip = clip_of(rounded(change(speech_like(language))), language)
    findings = judged(clip).findings
    assert {finding.code for finding in findings} - FOLLOWS.get(code, set()) == {code}
    for finding in findings:
        assert (finding.item, finding.file) == (clip.item, clip.file)
        assert finding.value is not None and finding.threshold is not None
        assert finding.start is not None and finding.start >= START_S


def test_every_sound_code_is_planted() -> None:
    rated = {"SOUND.DNSMOS", "SOUND.DNSMOS_BACKGROUND"}  # tests/validators/sound/test_quality.py
    assert {code for code, _ in DEFECTS} == {code for code in CODES if code.startswith("SOUND.")} - rated


@pytest.mark.parametrize("change", [click, repeat, hold, drop])
def test_the_place_is_told(change: Callable[[Any, int], Any]) -> None:
    findings = judged(clip_of(rounded(loud(speech_like(), change)))).findings
    assert findings
    assert all(abs((finding.start or 0.0) - START_S - PLACE / RATE) < 0.045 for finding in findings)


def test_a_microphone_excuses_noise_and_a_telephone_its_band() -> None:
    noise = Microphone(noises=(Noise(kind=NoiseKind.STATIONARY, snr_db=15),))
    line = Microphone(telephone=Telephone(low_hz=300, high_hz=3400, coding=Coding.A_LAW))
    assert codes(noisy(15)(speech_like()), noise) == set()
    assert codes(resampled(speech_like()), noise) == {"SOUND.BANDWIDTH"}
    assert codes(resampled(speech_like()), line) == set()


def test_digital_silence_is_no_finding_and_no_value() -> None:
    assert judged(clip_of(np.zeros(RATE, np.float32))) == ClipVerdict()


def test_digital_silence_around_noise_does_not_hide_it() -> None:
    silence = np.zeros(RATE)
    noise = noisy(20)(speech_like())
    assert "SOUND.SNR" in codes(np.concatenate([silence, noise, silence]))
    assert codes(np.concatenate([silence, speech_like(), silence])) == set()


def test_a_short_word_has_no_floor_to_be_judged() -> None:
    word = noisy(15)(speech_like())[:RATE]
    assert codes(word) == set()
    assert "snr_db" not in judged(clip_of(rounded(word))).values


@pytest.mark.parametrize("length", [1, 2, 7, 31, 200, 700, 1500])
def test_clips_of_a_few_samples_are_judged(length: int) -> None:
    values = judged(clip_of(speech_like()[3000 : 3000 + length])).values
    assert all(np.isfinite(value) for value in values.values())


def test_true_peak_of_a_sine_between_its_samples() -> None:
    """EBU Tech 3341: a quarter of the rate at 45 degrees peaks 3 dB above its samples; +0.2 and -0.4 dB allowed."""
    sine = 0.5 * np.sin(2 * np.pi * np.arange(RATE) / 4 + np.pi / 4)
    assert 20 * np.log10(np.max(np.abs(sine))) == pytest.approx(-9.03, abs=0.01)
    fade = np.clip(np.minimum(np.arange(RATE), np.arange(RATE)[::-1]) / 1000, 0, 1)
    assert -0.4 <= true_peak_dbtp((sine * fade).astype(np.float32)) + 6.02 <= 0.2


def test_true_peak_is_the_same_backwards() -> None:
    """The four phases are mirror images of each other in pairs."""
    for seed in range(8):
        samples = np.random.default_rng(seed).standard_normal(60)
        assert true_peak_dbtp(samples) == pytest.approx(true_peak_dbtp(samples[::-1]), abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 1.0))
def test_softer_speech_has_the_same_distance_to_its_noise(gain: float) -> None:
    samples = speech_like()
    here, softer = noise_floor(samples, RATE), noise_floor(samples * np.float32(gain), RATE)
    assert here is not None and softer is not None
    assert softer.snr_db == pytest.approx(here.snr_db, abs=0.01)
    assert softer.noise_dbfs == pytest.approx(here.noise_dbfs + 20 * np.log10(gain), abs=0.01)


@settings(max_examples=15, deadline=None)
@given(st.integers(165, 630), st.integers(700, 3000))
def test_a_block_of_any_length_that_comes_twice_is_found_where_it_is(length: int, at: int) -> None:
    samples = np.random.default_rng(length).standard_normal(6000).astype(np.float32) / 10
    twice = np.concatenate([samples[:at], samples[at - length : at], samples[at:]])
    place = nearest_repeat(twice, RATE, 0.010, 0.040, -45.0)
    assert place is not None and (place.start, place.stop, place.amount) == (at - length, at, -100.0)
    once = nearest_repeat(samples, RATE, 0.010, 0.040, -45.0)
    assert once is not None and once.amount > -10


def test_neither_phase_of_real_sound_is_made_of_the_other() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) / 10
    assert interpolation_db(noise) < 0.5
    assert interpolation_db(rounded(straight_lines(noise))) > 30
