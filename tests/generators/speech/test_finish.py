"""Finishing: length of silences, level, peaks and joins of what goes into the data set."""

import math
from itertools import pairwise

import numpy as np
import pyloudnorm
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.randomness import named_generator
from data_schemas.utterance import SpeechRequest, WordTiming
from generators.speech.engine import EngineError, RawSpeech
from generators.speech.finish import FADE_MS, MAX_WEAK_EDGE_MS, finish, speech_spans
from generators.speech.loudness import integrated_loudness, peak_dbfs, set_loudness, true_peak_dbfs
from generators.speech.returned import Misspoken

HOP = SAMPLE_RATE_HZ * 5 // 1000


def request(edge_ms: int = 50, inner_ms: int | None = None, lufs: float = -23.0) -> SpeechRequest:
    return SpeechRequest(
        engine="noise",
        weights_sha256="0" * 64,
        voice="v",
        language="zh",
        spoken_text="你好",
        loudness_lufs=lufs,
        edge_silence_ms=edge_ms,
        max_inner_silence_ms=inner_ms,
    )


def voiced(seconds: float, rate: int = SAMPLE_RATE_HZ, level: float = 0.2) -> Samples:
    """A buzz with harmonics: begins and ends abruptly, so that every length can be predicted."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12))
    return (level * buzz / 2.0).astype(np.float32)


def hush(seconds: float, rate: int = SAMPLE_RATE_HZ) -> Samples:
    """Silence as engines give it: not digital zero."""
    noise = named_generator(0, "hush", str(seconds)).standard_normal(round(seconds * rate))
    return (1e-5 * noise).astype(np.float32)


def click(peak: float) -> Samples:
    """One sample in two seconds: too little for any loudness."""
    samples = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    samples[-4000] = peak
    return samples


def raw(*pieces: Samples, rate: int = SAMPLE_RATE_HZ, words: tuple[WordTiming, ...] = ()) -> RawSpeech:
    return RawSpeech(samples=np.concatenate(pieces), sample_rate=rate, words=words)


@pytest.mark.parametrize("edge_ms", [0, 20, 50, 300])
@pytest.mark.parametrize("lead", [0.0, 0.01, 0.5])
def test_edges_are_as_long_as_asked(edge_ms: int, lead: float) -> None:
    finished = finish(raw(hush(lead), voiced(0.8), hush(lead)), request(edge_ms))
    spans = speech_spans(finished.samples)
    edge = edge_ms * 16
    assert abs(spans[0][0] - edge) <= 2 * HOP
    assert abs(len(finished.samples) - spans[-1][1] - edge) <= 3 * HOP
    assert abs(len(finished.samples) - (0.8 * SAMPLE_RATE_HZ + 2 * edge)) <= 5 * HOP


def test_breath_after_the_last_word_is_no_speech_and_a_weak_consonant_is() -> None:
    """Kokoro's am_onyx breathes for half a second at 40 to 45 dB below its peak; a final fricative is short."""
    breath = voiced(0.5) * 10 ** (-40 / 20)
    length = len(finish(raw(voiced(0.8), breath), request(0)).samples)
    assert abs(length - (0.8 + MAX_WEAK_EDGE_MS / 1000) * SAMPLE_RATE_HZ) <= 5 * HOP
    before = len(finish(raw(breath, voiced(0.8)), request(0)).samples)
    assert abs(before - length) <= 5 * HOP
    consonant = breath[: SAMPLE_RATE_HZ // 10]
    assert abs(len(finish(raw(voiced(0.8), consonant), request(0)).samples) - 0.9 * SAMPLE_RATE_HZ) <= 5 * HOP


def test_ends_are_faded_to_zero() -> None:
    samples = finish(raw(voiced(0.5)), request(0)).samples
    assert abs(samples[0]) < 1e-3 and abs(samples[-1]) < 1e-3
    assert np.max(np.abs(samples[:8])) < 0.02


@pytest.mark.parametrize("inner_ms", [100, 400, 600])
def test_long_inner_silence_is_shortened_to_the_limit(inner_ms: int) -> None:
    speech = raw(voiced(0.6), hush(1.5), voiced(0.5), hush(0.05), voiced(0.4))
    kept = finish(speech, request(0, None)).samples
    shortened = finish(speech, request(0, inner_ms)).samples
    gaps = [after[0] - before[1] for before, after in pairwise(speech_spans(shortened))]
    assert abs(max(gaps) - inner_ms * 16) <= 2 * HOP
    assert abs((len(kept) - len(shortened)) - (1.5 * 16000 - inner_ms * 16)) <= 4 * HOP


def test_a_cut_in_noisy_silence_makes_no_click() -> None:
    floor = hush(1.5) * 20  # -74 dBFS, far above the least significant bit
    speech = raw(voiced(0.6), floor, voiced(0.6))
    samples = finish(speech, request(0, 200)).samples
    spans = speech_spans(samples)
    middle = samples[spans[0][1] + 3 * HOP : spans[1][0] - 3 * HOP]
    uncut = finish(speech, request(0, None)).samples
    reference = uncut[speech_spans(uncut)[0][1] + 3 * HOP :][: 16 * 1000]
    assert np.max(np.abs(np.diff(middle))) <= 1.2 * np.max(np.abs(np.diff(reference)))
    assert np.std(middle) > 0.5 * np.std(reference)


def test_words_move_with_the_sound() -> None:
    rate = 24_000
    first, second = (rate, 2 * rate), (int(3.5 * rate), int(4.0 * rate))
    words = tuple(WordTiming(text=t, start=a, stop=b) for t, (a, b) in zip("一二", (first, second), strict=True))
    speech = raw(
        hush(1, rate), voiced(1, rate), hush(1.5, rate), voiced(0.5, rate), hush(1, rate), rate=rate, words=words
    )
    finished = finish(speech, request(50, 300))
    spans = speech_spans(finished.samples)
    assert len(finished.words) == len(spans) == 2
    for word, (start, stop) in zip(finished.words, spans, strict=True):
        assert abs(word.start - start) <= 3 * HOP
        assert abs(word.stop - stop) <= 3 * HOP


def test_dc_is_removed_and_the_rate_is_ours() -> None:
    finished = finish(raw(voiced(1.0, 22_050) + np.float32(0.1), rate=22_050), request(0))
    assert abs(float(np.mean(finished.samples))) < 1e-3
    assert abs(len(finished.samples) - SAMPLE_RATE_HZ) <= 3 * HOP


def test_the_same_samples_give_the_same_bytes() -> None:
    speech = raw(voiced(0.7, 24_000), hush(0.9, 24_000), voiced(0.3, 24_000), rate=24_000)
    assert finish(speech, request(50, 300)).samples.tobytes() == finish(speech, request(50, 300)).samples.tobytes()


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros(8000, np.float32), "only silence"),
        (np.full(8000, 0.25, np.float32), "only silence"),
        (click(0.005), "only silence"),
        ((0.01 * np.sin(2 * np.pi * 8 * np.arange(32_000) / SAMPLE_RATE_HZ)).astype(np.float32), "only silence"),
        (np.full(8000, np.nan, np.float32), "not numbers"),
        (voiced(0.5) + click(1e30)[-8000:], "samples of 1e\\+30 times full scale"),
    ],
)
def test_what_is_no_speech_is_refused_with_the_text(samples: Samples, problem: str) -> None:
    with pytest.raises(EngineError, match=f"你好.*{problem}") as refused:
        finish(RawSpeech(samples=samples, sample_rate=SAMPLE_RATE_HZ), request())
    assert isinstance(refused.value, Misspoken) == (problem == "only silence"), "another seed may speak up"


@settings(max_examples=25, deadline=None)
@given(
    level=st.floats(min_value=0.001, max_value=0.9),
    seconds=st.floats(min_value=0.05, max_value=1.5),
    target=st.floats(min_value=-35.0, max_value=-12.0),
)
def test_loudness_is_met_or_the_peak_limits_it(level: float, seconds: float, target: float) -> None:
    scaled = set_loudness(voiced(seconds, level=level), SAMPLE_RATE_HZ, target)
    loudness = integrated_loudness(scaled, SAMPLE_RATE_HZ)
    assert true_peak_dbfs(scaled) <= -1.0 + 1e-3
    assert loudness <= target + 0.05
    assert abs(loudness - target) < 0.05 or true_peak_dbfs(scaled) > -1.01


@pytest.mark.parametrize("seconds", [0.02, 0.3, 2.0])
@pytest.mark.parametrize("kind", ["voice", "noise", "sine", "burst"])
def test_level_and_true_peak_are_those_of_all_samples(kind: str, seconds: float) -> None:
    """As the libraries have them, to the last bit: the samples of a data set hang on it."""
    samples = voiced(seconds, level=0.3)
    match kind:
        case "noise":
            samples = np.random.default_rng(3).uniform(-0.5, 0.5, len(samples)).astype(np.float32)
        case "sine":
            samples = (0.7 * np.sin(np.pi / 4 + np.pi / 2 * np.arange(len(samples)))).astype(np.float32)
        case "burst":
            samples = np.concatenate([np.zeros(40_000, np.float32), samples, np.zeros(90_000, np.float32)])
    oversampled = scipy.signal.resample_poly(samples.astype(np.float64), 4, 1).astype(np.float32)
    assert true_peak_dbfs(samples) == max(peak_dbfs(oversampled), peak_dbfs(samples))
    whole = np.tile(samples, max(1, math.ceil(6_400 / len(samples))))
    meter = pyloudnorm.Meter(SAMPLE_RATE_HZ, block_size=0.4)
    assert integrated_loudness(samples, SAMPLE_RATE_HZ) == meter.integrated_loudness(whole.astype(np.float64))


def test_short_sounds_have_the_loudness_of_long_ones() -> None:
    short, long = voiced(0.15), voiced(3.0)
    assert integrated_loudness(short, SAMPLE_RATE_HZ) == pytest.approx(
        integrated_loudness(long, SAMPLE_RATE_HZ), abs=1.0
    )


def test_full_scale_sine_measures_as_the_standard_says() -> None:
    """ITU-R BS.1770-4: a 0 dBFS 997 Hz sine on one channel measures -3.01 LUFS."""
    sine = np.sin(2 * np.pi * 997 * np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ).astype(np.float32)
    assert integrated_loudness(sine, SAMPLE_RATE_HZ) == pytest.approx(-3.01, abs=0.1)
    assert peak_dbfs(sine) == pytest.approx(0.0, abs=0.01)


def test_silence_has_no_level() -> None:
    silence = np.zeros(SAMPLE_RATE_HZ, np.float32)
    assert integrated_loudness(silence, SAMPLE_RATE_HZ) == -math.inf
    assert peak_dbfs(silence) == true_peak_dbfs(silence) == -math.inf
    with pytest.raises(ValueError, match="silence"):
        set_loudness(silence, SAMPLE_RATE_HZ, -23.0)


def test_the_fade_is_short() -> None:
    assert 2 <= FADE_MS <= 5
