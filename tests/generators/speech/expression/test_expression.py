"""The prosody step: its table, its draws, and what it does to sounds whose pitch and timing are known."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.emotions import Emotion
from data_schemas.expression import Expression
from data_schemas.foundation.audio import Samples
from data_schemas.foundation.base import RecordError
from data_schemas.tasks import Language
from data_schemas.utterance import WordTiming
from generators.speech.engine import RawSpeech
from generators.speech.expression import parameters as table_module
from generators.speech.expression import world
from generators.speech.expression.contour import moved_pitch
from generators.speech.expression.draw import draw_expression
from generators.speech.expression.parameters import FACTORS, FIELDS, load_parameters, parse_parameters
from generators.speech.expression.time_map import TimeMap
from generators.speech.expression.world import express, put_together, taken_apart

RATE = 24_000
EMOTIONS = [emotion for emotion in Emotion if not emotion.is_neutral]


def vowel(seconds: float, f0_hz: float = 150.0, formants: tuple[float, ...] = (700.0, 1200.0, 2600.0)) -> Samples:
    """A sung "ah": pulses through three resonances, half as loud as can be."""
    from scipy.signal import lfilter

    pulses = np.zeros(round(seconds * RATE))
    pulses[np.round(np.arange(0, seconds, 1.0 / f0_hz) * RATE).astype(int)[: len(pulses)]] = 1.0
    sound = pulses
    for formant in formants:
        radius = np.exp(-np.pi * 90.0 / RATE)
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], sound)
    loud: Samples = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    return loud


def with_pause(pause_s: float = 0.4) -> Samples:
    """Two vowels of 0.6 s and silence between."""
    return np.concatenate([vowel(0.6), np.zeros(round(pause_s * RATE), np.float32), vowel(0.6)])


def changed(samples: Samples, key: str = "爱/1", **fields: float) -> Samples:
    return express(RawSpeech(samples, RATE), Expression(**fields), key).samples


def pitch_of(samples: Samples) -> np.ndarray:
    """Semitones over 100 Hz of the voiced frames, as WORLD hears them afterwards."""
    import pyworld

    waveform = samples.astype(np.float64)
    rough, times = pyworld.dio(waveform, RATE)
    f0 = pyworld.stonemask(waveform, rough, times, RATE)
    return 12.0 * np.log2(f0[f0 > 0] / 100.0)


def band_db(samples: Samples, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    bins = np.fft.rfftfreq(len(samples), 1.0 / RATE)
    return float(10.0 * np.log10(power[(bins >= low_hz) & (bins < high_hz)].sum()))


# --- the table


def raw_table() -> dict[str, Any]:
    from importlib.resources import files

    text = files("generators.speech.expression").joinpath(table_module.FILE).read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


def test_the_shipped_table_says_something_of_every_emotion_and_names_its_sources() -> None:
    table = load_parameters()
    for emotion in EMOTIONS:
        for language in Language:
            plain = {name: table.mean(name, Emotion.NEUTRAL, 0, language) for name in FIELDS}
            moved = [name for name in FIELDS if table.mean(name, emotion, 3, language) != plain[name]]
            assert len(moved) >= 4, (emotion, language, moved)
    cited = {source for manner in table.emotions.values() for source in manner.sources}
    cited |= {source for own in table.languages.values() for manner in own.values() for source in manner.sources}
    assert cited == set(table.sources), "a source that nobody cites is no source"


def test_a_language_of_its_own_moves_single_fields_only() -> None:
    table = load_parameters()
    zh, en = (table.mean("pitch_range", Emotion.HAPPY, 3, language) for language in (Language.ZH, Language.EN))
    assert 1.0 < zh < en  # tones leave less room
    same = [table.mean("energy_db", Emotion.HAPPY, 3, language) for language in (Language.ZH, Language.EN)]
    assert same[0] == same[1] > 0.0


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("language", list(Language))
def test_more_intensity_moves_every_field_further_the_same_way(emotion: Emotion, language: Language) -> None:
    table = load_parameters()
    for name in FIELDS:
        plain = 1.0 if name in FACTORS else 0.0
        steps = [table.mean(name, emotion, intensity, language) - plain for intensity in (1, 2, 3)]
        assert all(abs(b) > abs(a) and a * b > 0 for a, b in pairwise(steps)) or steps == [0.0, 0.0, 0.0], (name, steps)


def test_the_document_shows_the_shipped_table() -> None:
    document = Path(__file__).parents[4] / "docs" / "expressive-speech.md"
    assert load_parameters().to_markdown() in document.read_text(encoding="utf-8")


BROKEN = [
    (lambda t: t["emotions"].pop("fear"), "no line for fear"),
    (lambda t: t["emotions"]["sad"]["means"].update(loudness=3), "loudness is no field of Expression"),
    (lambda t: t["emotions"]["sad"].update(sources=["X99"]), "X99 is cited and not described"),
    (lambda t: t["emotions"]["sad"]["means"].update(tempo=0.1), "sad, "),
    (lambda t: t["spread"].update(tempo=1.5), "tempo"),
    (lambda t: t["intensity"].update({2: 0.1}), "the shares rise"),
    (lambda t: t["intensity"].pop(1), "the shares of 1, 2 and 3"),
    (lambda t: t.update(languages={"fr": {}}), "languages"),
    (lambda t: t.update(moods={}), "moods: unknown key"),
]


@pytest.mark.parametrize(("breaking", "message"), BROKEN)
def test_a_table_that_does_not_hold_together_is_refused(breaking: Any, message: str) -> None:
    table = copy.deepcopy(raw_table())
    breaking(table)
    with pytest.raises(RecordError, match=r"我的表\.yaml.*" + message):
        parse_parameters(yaml.safe_dump(table), "我的表.yaml")


def test_text_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(RecordError, match=r"我的表\.yaml:1: not valid YAML"):
        parse_parameters("emotions: [", "我的表.yaml")


# --- the draws


@given(
    emotion=st.sampled_from(list(Emotion)),
    intensity=st.integers(0, 3),
    language=st.sampled_from(list(Language)),
    seed=st.integers(0, 2**31),
    record=st.text(min_size=1, max_size=20),
)
def test_draws_lie_in_the_stated_range_and_repeat(
    emotion: Emotion, intensity: int, language: Language, seed: int, record: str
) -> None:
    drawn = draw_expression(emotion, intensity, language, seed, record)
    assert drawn == draw_expression(emotion, intensity, language, seed, record)
    felt = Emotion.NEUTRAL if intensity == 0 else emotion
    table = load_parameters()
    for name in FIELDS:
        low, high = table.bounds(name, felt, intensity, language)
        assert low - 1e-4 <= getattr(drawn, name) <= high + 1e-4, name


def test_draws_differ_between_utterances_and_seeds_and_centre_on_the_mean() -> None:
    draws = [draw_expression(Emotion.SAD, 3, Language.ZH, 1, f"对话_{number}/0") for number in range(400)]
    assert len({drawn.pitch_semitones for drawn in draws}) > 350
    mean = load_parameters().mean("pitch_semitones", Emotion.SAD, 3, Language.ZH)
    assert abs(np.mean([drawn.pitch_semitones for drawn in draws]) - mean) < 0.05
    assert draws[0] != draw_expression(Emotion.SAD, 3, Language.ZH, 2, "对话_0/0")


def test_an_emotion_that_is_not_felt_is_drawn_as_neutral() -> None:
    drawn = [draw_expression(emotion, 0, Language.EN, 3, "a/0") for emotion in Emotion]
    assert len(set(drawn)) == 1 and not drawn[0].is_plain
    assert abs(drawn[0].pitch_semitones) <= load_parameters().spread["pitch_semitones"]


def test_an_unknown_intensity_is_refused() -> None:
    with pytest.raises(ValueError, match=r"对话/0: intensity 4"):
        draw_expression(Emotion.SAD, 4, Language.ZH, 1, "对话/0")


# --- the change


def test_nothing_to_change_gives_the_very_samples() -> None:
    raw = RawSpeech(vowel(0.5), RATE, (WordTiming(text="啊", start=0, stop=100),))
    assert express(raw, Expression(), "a") is raw
    assert express(raw, Expression(energy_db=4.0), "a") is raw  # loudness is set later
    silence, blip = RawSpeech(np.zeros(RATE, np.float32), RATE), RawSpeech(vowel(0.05), RATE)
    assert express(silence, Expression(tempo=1.2), "a") is silence
    assert express(blip, Expression(tempo=1.2), "a") is blip


@pytest.mark.parametrize("semitones", [-3.0, 2.0, 5.0])
def test_pitch_moves_by_semitones(semitones: float) -> None:
    plain = vowel(1.0)
    moved = float(np.median(pitch_of(changed(plain, pitch_semitones=semitones))) - np.median(pitch_of(plain)))
    assert moved == pytest.approx(semitones, abs=0.1)


def test_a_slope_rises_from_first_to_last_voiced_sound() -> None:
    pitch = pitch_of(changed(with_pause(), pitch_slope_semitones=4.0))
    assert pitch[-20:-5].mean() - pitch[5:20].mean() == pytest.approx(4.0, abs=0.5)
    assert pitch.mean() == pytest.approx(pitch_of(with_pause()).mean(), abs=0.2)


def test_excursions_are_widened_about_the_mean_and_octave_errors_are_not() -> None:
    f0 = 150.0 * 2.0 ** (np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 12.0)
    moved = moved_pitch(f0, Expression(pitch_range=1.5), 0.005, "a")
    assert 12.0 * np.log2(moved / 150.0) == pytest.approx([-3.0, -1.5, 0.0, 1.5, 3.0])
    wild = np.concatenate([np.full(999, 100.0), [800.0]])  # 36 semitones
    moved = moved_pitch(wild, Expression(pitch_range=2.0), 0.005, "a")
    assert moved[-1] <= 800.0


def test_frames_without_voice_stay_without() -> None:
    f0 = np.array([0.0, 120.0, 0.0, 130.0, 0.0])
    moved = moved_pitch(f0, Expression(pitch_semitones=3.0, jitter_semitones=0.5), 0.005, "a")
    assert ((moved > 0) == (f0 > 0)).all()
    assert not moved_pitch(np.zeros(5), Expression(pitch_semitones=3.0), 0.005, "a").any()


@pytest.mark.parametrize("tempo", [0.8, 1.25])
def test_tempo_moves_length_and_leaves_pitch(tempo: float) -> None:
    plain = vowel(1.2)
    fast = changed(plain, tempo=tempo)
    assert len(fast) / RATE == pytest.approx(1.2 / tempo, abs=0.03)
    assert np.median(pitch_of(fast)) == pytest.approx(np.median(pitch_of(plain)), abs=0.1)


def test_pauses_are_scaled_alone_and_edges_stay() -> None:
    edge = np.zeros(round(0.3 * RATE), np.float32)
    plain = np.concatenate([edge, with_pause(0.4), edge])
    longer = changed(plain, pauses=2.0)
    assert (len(longer) - len(plain)) / RATE == pytest.approx(0.4, abs=0.05)
    faster = changed(plain, tempo=1.25)
    assert (len(plain) - len(faster)) / RATE == pytest.approx(1.2 * 0.2, abs=0.05)


def test_words_move_with_their_sounds() -> None:
    samples = with_pause(0.4)
    words = (
        WordTiming(text="你好", start=0, stop=round(0.6 * RATE)),
        WordTiming(text="世界", start=round(1.0 * RATE), stop=len(samples)),
    )
    moved = express(RawSpeech(samples, RATE, words), Expression(tempo=0.8, pauses=2.0), "a")
    (first, second) = moved.words
    assert (first.text, second.text) == ("你好", "世界")
    loud = np.flatnonzero(np.abs(moved.samples) > 0.02)
    gap = np.flatnonzero(np.diff(loud) > 0.3 * RATE)
    assert len(gap) == 1
    assert first.stop / RATE == pytest.approx(loud[gap[0]] / RATE, abs=0.05)
    assert second.start / RATE == pytest.approx(loud[gap[0] + 1] / RATE, abs=0.05)
    assert second.stop / RATE == pytest.approx(len(moved.samples) / RATE, abs=0.02)


@given(
    levels=st.lists(st.sampled_from([-90.0, 0.0]), min_size=2, max_size=200),
    tempo=st.floats(0.5, 2.0),
    pauses=st.floats(0.25, 4.0),
)
def test_time_never_runs_backwards(levels: list[float], tempo: float, pauses: float) -> None:
    times = TimeMap.of(np.array(levels), 0.005, tempo, pauses)
    assert (np.diff(times.places) >= 0).all() and times.places[0] == 0.0
    assert times.places[-1] <= len(levels) - 1
    moments = [times.moved_s(0.005 * number) for number in range(len(levels) + 5)]
    assert all(b > a for a, b in pairwise(moments))


def test_effort_raises_the_upper_spectrum() -> None:
    plain = changed(vowel(1.0), pitch_semitones=0.001)
    bright = changed(vowel(1.0), pitch_semitones=0.001, tilt_db_per_octave=3.0)
    before, after = (band_db(sound, 3500, 4500) - band_db(sound, 100, 1000) for sound in (plain, bright))
    assert after - before == pytest.approx(6.0, abs=1.0)  # two octaves above 1 kHz


def test_a_shorter_tract_raises_the_formants() -> None:
    shorter = changed(vowel(1.0), tract_length=0.9)
    longer = changed(vowel(1.0), tract_length=1.1)
    around = [band_db(sound, 2750, 3050) - band_db(sound, 2250, 2500) for sound in (longer, shorter)]
    assert around[1] - around[0] > 10.0  # the third formant is at 2600 Hz times 1/0.9 or 1/1.1
    assert np.median(pitch_of(shorter)) == pytest.approx(np.median(pitch_of(longer)), abs=0.1)


def test_breath_fills_the_gaps_between_harmonics() -> None:
    rng = np.random.default_rng(0)
    plain = vowel(1.0) + (0.003 * rng.standard_normal(RATE)).astype(np.float32)
    quiet, breathy = changed(plain, breathiness=0.4), changed(plain, breathiness=3.0)
    between = [sum(band_db(s, 150 * n + 60, 150 * n + 90) for n in range(20, 40)) / 20 for s in (quiet, breathy)]
    assert between[1] - between[0] > 3.0


def test_the_level_range_widens() -> None:
    swelling = vowel(1.6) * np.linspace(0.1, 1.0, round(1.6 * RATE)).astype(np.float32)

    def range_db(samples: Samples) -> float:
        halves = np.array_split(samples[: len(samples) // 8 * 8], 8)
        return float(20.0 * np.log10(np.std(halves[6]) / np.std(halves[1])))

    assert range_db(changed(swelling, level_range=1.5)) / range_db(changed(swelling, tempo=1.0001)) == pytest.approx(
        1.5, abs=0.15
    )


def test_unsteadiness_follows_the_key_and_nothing_else() -> None:
    plain = vowel(0.6)
    shaken = changed(plain, jitter_semitones=0.5)
    assert (shaken == changed(plain, jitter_semitones=0.5)).all()
    changed(vowel(0.3), jitter_semitones=1.0, key="别的")  # another call in between
    assert (shaken == changed(plain, jitter_semitones=0.5)).all()
    other = changed(plain, key="爱/2", jitter_semitones=0.5)
    assert len(other) == len(shaken) and (other != shaken).any()
    steady = changed(plain, pitch_semitones=0.001)
    assert np.std(pitch_of(shaken)[10:-10]) > 3 * np.std(pitch_of(steady)[10:-10])


def test_level_stays_about_the_engines() -> None:
    plain = vowel(0.8) * 0.1
    for change in (Expression(tilt_db_per_octave=3.0), Expression(level_range=1.4), Expression(pitch_semitones=5.0)):
        assert np.std(express(RawSpeech(plain, RATE), change, "a").samples) == pytest.approx(np.std(plain), rel=0.05)


def test_the_rate_is_the_engines_own_and_samples_are_floats() -> None:
    raw = RawSpeech(vowel(0.5)[: RATE // 3], 22_050)
    made = express(raw, Expression(tempo=0.9), "a")
    assert made.sample_rate == 22_050 and made.samples.dtype == np.float32 and np.isfinite(made.samples).all()


def buzz(rate: int, f0_hz: float = 150.0) -> Samples:
    """Harmonics up to half the rate, weaker upwards like a voice's."""
    times = np.arange(round(1.2 * rate)) / rate
    count = int(0.47 * rate / f0_hz)
    sound = sum(np.cos(2 * np.pi * f0_hz * number * times) / number for number in range(1, count + 1))
    loud: Samples = (0.3 * sound / np.abs(sound).max()).astype(np.float32)
    return loud


def harmonic_share(raw: RawSpeech, up_to_hz: float, f0_hz: float = 150.0) -> float:
    """Of the power of the middle half, what lies within 10 Hz of a harmonic."""
    middle = raw.samples[len(raw.samples) // 4 : -len(raw.samples) // 4].astype(np.float64)
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
    bins = np.fft.rfftfreq(len(middle), 1.0 / raw.sample_rate)
    heard = (bins > f0_hz / 2) & (bins < up_to_hz)
    near = np.abs(bins - f0_hz * np.round(bins / f0_hz)) < 10.0
    return float(power[heard & near].sum() / power[heard].sum())


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_000, 15_000, 16_000, 22_050])
def test_a_voice_stays_a_voice_at_every_rate(rate: int) -> None:
    """D4C looks for a voice up to 7.9 kHz: below twice that rate it would whisper (0.15 of the power in harmonics)."""
    samples = buzz(rate)
    words = (WordTiming(text="啊", start=0, stop=rate // 2), WordTiming(text="哦", start=rate // 2, stop=len(samples)))
    made = express(RawSpeech(samples, rate, words), Expression(tempo=1.1), "a")
    assert harmonic_share(made, 0.45 * rate) > 0.99
    assert made.sample_rate == max(rate, 16_000)
    assert len(made.samples) / made.sample_rate == pytest.approx(1.2 / 1.1, abs=0.02)
    assert [word.start / made.sample_rate for word in made.words] == pytest.approx([0.0, 0.5 / 1.1], abs=0.01)
    assert made.words[-1].stop / made.sample_rate == pytest.approx(1.2 / 1.1, abs=0.02)


@pytest.mark.parametrize("sound", [np.zeros(8_000, np.float32), buzz(8_000)[:400], np.zeros(0, np.float32)])
def test_pieces_that_stay_as_they_are_come_at_the_rate_of_the_others(sound: Samples) -> None:
    made = express(RawSpeech(sound, 8_000), Expression(tempo=1.1), "a")
    assert (made.sample_rate, len(made.samples)) == (16_000, 2 * len(sound))
    plain = RawSpeech(sound, 8_000)
    assert express(plain, Expression(), "a") is plain


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_from_16_khz_on_nothing_is_resampled(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(world, "resampled")
    raw, change = RawSpeech(buzz(rate), rate), Expression(tempo=1.1, jitter_semitones=0.2)
    np.testing.assert_array_equal(
        express(raw, change, "爱").samples, put_together(raw, taken_apart(raw), change, "爱").samples
    )


def test_noise_without_any_voice_is_carried_through() -> None:
    hiss = (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    made = changed(hiss, pitch_semitones=4.0, pitch_range=1.5, level_range=1.3, jitter_semitones=0.3)
    assert np.isfinite(made).all() and np.std(made) == pytest.approx(0.1, rel=0.1)


def test_an_expression_beyond_what_is_sensible_is_refused() -> None:
    with pytest.raises(ValidationError):
        Expression(tempo=3.0)
