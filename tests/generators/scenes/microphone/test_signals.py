"""The telephone line and the sources of noise, on tones, bursts and their spectra."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.acoustics import Coding, Noise, NoiseKind, NoiseSpectrum, Telephone
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.randomness import named_generator
from generators.scenes.microphone.noise import noise_source
from generators.scenes.microphone.telephone import companded, through_line

RATE = SAMPLE_RATE_HZ


def line(coding: Coding) -> Telephone:
    return Telephone(low_hz=300.0, high_hz=3400.0, coding=coding)


def tone(frequency_hz: float, amplitude: float = 0.3) -> Samples:
    return (amplitude * np.sin(2.0 * np.pi * frequency_hz * np.arange(2 * RATE) / RATE)).astype(np.float32)


def level_db(samples: Samples) -> float:
    """Of the middle second: the ends of a tone are no tone."""
    middle = samples[RATE // 2 : 3 * RATE // 2].astype(np.float64)
    return 10.0 * float(np.log10(np.mean(middle**2) + 1e-20))


@pytest.mark.parametrize("coding", list(Coding))
@pytest.mark.parametrize("frequency_hz", [320.0, 700.0, 1000.0, 2500.0, 3380.0])
def test_the_voice_band_passes(coding: Coding, frequency_hz: float) -> None:
    sent = tone(frequency_hz)
    assert level_db(through_line(sent, line(coding))) == pytest.approx(level_db(sent), abs=0.3)


@pytest.mark.parametrize("coding", list(Coding))
@pytest.mark.parametrize("frequency_hz", [50.0, 120.0, 200.0, 3500.0, 4100.0, 6000.0, 7900.0])
def test_everything_else_is_at_least_30_db_down(coding: Coding, frequency_hz: float) -> None:
    sent = tone(frequency_hz)
    assert level_db(through_line(sent, line(coding))) < level_db(sent) - 30.0


@pytest.mark.parametrize("coding", list(Coding))
@given(length=st.integers(4000, 4100), seed=st.integers(0, 2**31 - 1))
@settings(max_examples=15, deadline=None)
def test_the_line_delays_nothing(coding: Coding, length: int, seed: int) -> None:
    sent = np.zeros(length, dtype=np.float32)
    sent[1000:3000] = 0.2 * named_generator(seed, "burst", "line").standard_normal(2000)
    received = through_line(sent.clip(-0.9, 0.9), line(coding))
    assert received.shape == sent.shape and received.dtype == np.float32
    lags = np.correlate(received, sent, "full")
    assert int(np.argmax(lags)) - (length - 1) == 0


def test_silence_on_the_line_is_silence() -> None:
    silence = np.zeros(RATE, dtype=np.float32)
    assert not through_line(silence, line(Coding.MU_LAW)).any()
    # A-law has no code for zero
    hum = through_line(silence, line(Coding.A_LAW))
    assert 0.0 < np.abs(hum[2000:-2000]).max() < 1.0 / 32_768


@pytest.mark.parametrize("coding", list(Coding))
def test_companding_is_that_of_g711(coding: Coding) -> None:
    """Every 16 bit value, against the C implementation that came with Python up to 3.12."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop

    values = np.arange(-32_768, 32_768).astype("<i2")
    if coding is Coding.MU_LAW:
        decoded = audioop.ulaw2lin(audioop.lin2ulaw(values.tobytes(), 2), 2)
    else:
        decoded = audioop.alaw2lin(audioop.lin2alaw(values.tobytes(), 2), 2)
    ours = companded(values / 32_768.0, coding) * 32_768.0
    assert np.array_equal(ours, np.frombuffer(decoded, "<i2"))


def stationary(spectrum: NoiseSpectrum, seed: int = 5) -> Noise:
    return Noise(kind=NoiseKind.STATIONARY, snr_db=20.0, spectrum=spectrum, seed=seed)


def no_words(utterance_id: str) -> Samples:
    raise AssertionError(f"{utterance_id} was asked for")


def band_db(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1.0 / RATE)
    return 10.0 * float(np.log10(power[(frequencies >= low_hz) & (frequencies < high_hz)].sum()))


def test_pink_noise_has_the_same_power_in_every_octave() -> None:
    source = noise_source(stationary(NoiseSpectrum.PINK), 20 * RATE, no_words)
    octaves = [band_db(source, low, 2 * low) for low in (62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 3999.0)]
    assert max(octaves) - min(octaves) < 0.6
    assert band_db(source, 0.0, 49.0) < octaves[0] - 60.0


def test_speech_shaped_noise_has_the_bands_of_speech() -> None:
    source = noise_source(stationary(NoiseSpectrum.SPEECH), 20 * RATE, no_words)
    third = 2.0 ** (1.0 / 6.0)
    bands = {at: band_db(source, at / third, at * third) for at in (125.0, 500.0, 1000.0, 2000.0, 4000.0)}
    # Byrne et al. 1994, table II, against the band at 500 Hz
    for at, against in ((125.0, -4.4), (1000.0, -8.4), (2000.0, -13.4), (4000.0, -16.5)):
        assert bands[at] - bands[500.0] == pytest.approx(against, abs=1.0)


@given(length=st.integers(800, 40_000), seed=st.integers(0, 2**31 - 1), spectrum=st.sampled_from(list(NoiseSpectrum)))
@settings(max_examples=25, deadline=None)
def test_noise_has_power_1_and_a_name(length: int, seed: int, spectrum: NoiseSpectrum) -> None:
    source = noise_source(stationary(spectrum, seed), length, no_words)
    assert len(source) == length and np.mean(source**2) == pytest.approx(1.0)
    assert source.tobytes() == noise_source(stationary(spectrum, seed), length, no_words).tobytes()
    assert not np.array_equal(source, noise_source(stationary(spectrum, seed + 1), length, no_words))


def babble(*talkers: str) -> Noise:
    return Noise(kind=NoiseKind.BABBLE, snr_db=15.0, talkers=talkers, seed=9)


def talker_tone(utterance_id: str) -> Samples:
    """Talkers are tones of 300, 400, ... Hz, the later ones much louder."""
    number = int(utterance_id.rsplit(".", 1)[1])
    return tone(200.0 + 100.0 * number, 0.01 * 3.0**number)[: RATE + RATE * number // 2]


def test_every_talker_of_babble_is_as_loud_as_the_others_to_the_end() -> None:
    source = noise_source(babble("p1/babble.1", "p1/babble.2", "p1/babble.3"), 10 * RATE, talker_tone)
    assert np.mean(source**2) == pytest.approx(1.0)
    for part in (source[: 2 * RATE], source[8 * RATE :]):
        levels = [band_db(part, frequency - 20.0, frequency + 20.0) for frequency in (300.0, 400.0, 500.0)]
        assert max(levels) - min(levels) < 0.5


def test_talkers_do_not_begin_together() -> None:
    def click(utterance_id: str) -> Samples:
        words = np.full(RATE, 1e-6, dtype=np.float32)
        words[0] = 1.0
        return words

    source = noise_source(babble(*(f"p1/babble.{number}" for number in range(1, 6))), RATE, click)
    assert len(np.flatnonzero(source > 0.1 * source.max())) == 5
    again = noise_source(babble("p1/babble.1").model_copy(update={"seed": 10}), RATE, click)
    assert int(np.argmax(again)) != int(np.argmax(noise_source(babble("p1/babble.1"), RATE, click)))


def test_a_silent_talker_is_refused() -> None:
    with pytest.raises(ValueError, match=r"p1/babble\.1: is silent"):
        noise_source(babble("p1/babble.1"), RATE, lambda _: np.zeros(RATE, dtype=np.float32))
