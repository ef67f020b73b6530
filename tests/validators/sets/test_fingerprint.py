"""The same sound is found whatever was done to it, other sounds are not, and a short word may be said twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples, from_pcm16, to_pcm16
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures, measures_of
from validators.core.clips import Clip
from validators.core.thresholds import Thresholds
from validators.sets.fingerprint import (
    HOP_S,
    VECTOR,
    FingerprintProbe,
    find_matches,
    fingerprint,
    from_vector,
    judge_duplicate_audio,
    to_vector,
)
from validators.sets.spectra import VECTOR as SPECTRA
from validators.sets.spectra import from_vector as spectra_from_vector
from validators.sets.spectra import spectra, worst_difference_db
from validators.sets.spectra import to_vector as spectra_to_vector

RATE = 16_000
LIMITS = Thresholds()
ZH, EN = "你今天怎么这么晚才回来？", "Why are you so late today?"


@lru_cache
def babble(seed: int, seconds: float = 3.0) -> Samples:
    """Speech-like: a gliding pitch with harmonics under moving formants, syllables of 0.2 s."""
    noise = np.random.default_rng(seed)
    count = round(seconds * RATE)
    syllables = max(2, round(seconds / 0.2) + 1)
    times, knots = np.arange(count), np.linspace(0, count, syllables)
    pitch = np.interp(times, knots, noise.uniform(90, 260, syllables))
    formants = [np.interp(times, knots, noise.uniform(low, high, syllables)) for low, high in ((300, 900), (900, 2300))]
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = np.zeros(count)
    for harmonic in range(1, 20):
        weight = sum(np.exp(-(((harmonic * pitch - formant) / 150) ** 2)) for formant in formants)
        wave += weight * np.sin(harmonic * phase)
    loudness = np.interp(times, knots, noise.uniform(0.2, 1.0, syllables))
    return (0.1 * loudness * wave).astype(np.float32)


def clip(
    name: str, samples: Samples, text: str = ZH, split: Split = Split.TRAIN, item: str | None = None
) -> ClipMeasures:
    whole = Clip(
        item=item or name,
        name="turn_1",
        file=f"{split}/{name}.wav",
        span=(0.0, len(samples) / RATE),
        rate=RATE,
        samples=samples,
        layout="track1-seed",
        language=Language.ZH,
        split=split,
        role=Role.USER,
        text=text,
        speaker="S0001",
    )
    measured = FingerprintProbe().measure(whole)
    return measures_of(whole, measured.values, measured.texts, measured.vectors)


def pcm(samples: Samples) -> Samples:
    return from_pcm16(to_pcm16(samples))


def later(samples: Samples, seconds: float) -> Samples:
    return np.concatenate([np.zeros(round(seconds * RATE), np.float32), samples])


def narrow(samples: Samples) -> Samples:
    narrowed: Samples = soxr.resample(soxr.resample(samples, RATE, 8_000), 8_000, RATE).astype(np.float32)
    return narrowed


def noisy(samples: Samples) -> Samples:
    noise = np.random.default_rng(9).standard_normal(len(samples)).astype(np.float32)
    return samples + noise * np.float32(np.std(samples) * 0.05)  # 26 dB under


COPIES: dict[str, Callable[[Samples], Samples]] = {
    "same": lambda samples: samples,
    "softer": lambda samples: pcm(samples * np.float32(0.1)),
    "100 ms later": lambda samples: later(samples, 0.1),
    "312.7 ms later": lambda samples: later(samples, 0.3127),
    "110 ms cut off": lambda samples: samples[round(0.11 * RATE) :],
    "8 kHz": narrow,
    "noise": noisy,
    "all": lambda samples: pcm(noisy(narrow(later(samples, 0.1))) * np.float32(0.5)),
    "its first two thirds": lambda samples: samples[: len(samples) * 2 // 3],
}


def codes(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.item) for finding in findings]


@lru_cache
def crowd_once() -> tuple[ClipMeasures, ...]:
    return tuple(clip(f"b{number}", babble(100 + number)) for number in range(8))


def crowd() -> list[ClipMeasures]:
    return list(crowd_once())


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_under_another_id_is_found_whatever_was_done_to_it(kind: str) -> None:
    sound = babble(1)
    clips = [*crowd(), clip("a1", sound, ZH), clip("z9", COPIES[kind](sound), EN)]
    (finding,) = judge_duplicate_audio(clips, LIMITS)
    assert (finding.code, finding.item) == ("SET.DUPLICATE_AUDIO", "z9")
    assert "a1" in finding.message
    assert finding.value is not None and finding.value <= LIMITS.max_spectral_difference_db


def test_other_sounds_are_not_blamed() -> None:
    assert not judge_duplicate_audio(crowd(), LIMITS)
    assert not judge_duplicate_audio([], LIMITS)


def test_the_same_words_are_a_repetition_and_a_cut_reply_has_the_same_words() -> None:
    sound = babble(2)
    again = [
        clip("a", sound, ZH),
        clip("b", sound, "你今天怎么这么晚才回来"),
        clip("c", sound[: 2 * RATE], "你今天怎么"),
    ]
    assert codes(judge_duplicate_audio(again, LIMITS)) == [("SET.REPEATED_AUDIO", "b"), ("SET.REPEATED_AUDIO", "c")]


def test_a_backchannel_may_be_said_twice() -> None:
    word = babble(3, seconds=0.8)
    assert not judge_duplicate_audio([clip("a", word, "嗯"), clip("b", word, "对")], LIMITS)


def test_a_sound_of_dev_in_train_is_a_leak_whatever_it_says() -> None:
    sound = babble(4)
    for text in (ZH, EN):
        clips = [*crowd(), clip("t", sound, ZH, Split.TRAIN), clip("d", sound * np.float32(0.5), text, Split.DEV)]
        (finding,) = judge_duplicate_audio(clips, LIMITS)
        assert finding.code == "SET.AUDIO_LEAK"
        assert {finding.item} <= {"t", "d"} and "train" in finding.message and "dev" in finding.message


def test_a_sound_of_the_excluded_set_is_found_and_that_set_is_not_judged() -> None:
    sound = babble(5)
    published = [clip("x1", sound), clip("x2", sound, EN), clip("x3", babble(6))]
    assert codes(judge_duplicate_audio([*crowd(), clip("own", later(sound, 0.2))], LIMITS, published)) == [
        ("SET.EXCLUDED_AUDIO", "own")
    ]
    assert not judge_duplicate_audio(crowd(), LIMITS, published)


def test_every_copy_is_blamed_once_in_any_order() -> None:
    sound = babble(7)
    clips = [clip(f"c{n}", sound, f"{n}{ZH}") for n in range(12)] + crowd()
    found = judge_duplicate_audio(clips, LIMITS)
    assert codes(found) == [("SET.DUPLICATE_AUDIO", f"c{n}") for n in sorted(range(1, 12), key=str)]
    assert judge_duplicate_audio(clips[::-1], LIMITS) == found


#: Sentences of one frame differ in one word: 0.3 s of 3 s.
FRAME_ZH = ("明天上午我要去成都开会，你帮我订一张票。", "明天上午我要去上海开会，你帮我订一张票。")
FRAME_EN = ("My mother lost her keys again today.", "My brother lost her keys again today.")


def other_word(samples: Samples, seed: int) -> Samples:
    start, stop = round(1.2 * RATE), round(1.5 * RATE)
    said = samples.copy()
    said[start:stop] = babble(seed, 0.3)[: stop - start]
    return said


@pytest.mark.parametrize("texts", [FRAME_ZH, FRAME_EN, (ZH, EN)], ids=["zh", "en", "texts that are not alike"])
def test_sentences_of_one_frame_in_one_voice_are_not_one_recording(texts: tuple[str, str]) -> None:
    first = babble(11)
    pair = [clip("a", first, texts[0]), clip("b", other_word(first, 12), texts[1])]
    codes_of_pair = [from_vector(one.vectors[VECTOR]) for one in pair]
    assert [(match.first, match.second) for match in find_matches(codes_of_pair, LIMITS)] == [(0, 1)]
    assert not judge_duplicate_audio(pair, LIMITS)


def test_alike_texts_explain_all_but_a_near_identical_sound() -> None:
    sound = babble(13)
    noise = np.random.default_rng(3).standard_normal(len(sound)).astype(np.float32)
    noisier = sound + noise * np.float32(np.std(sound) * 0.085)  # 21 dB under
    first, second = spectra(sound, RATE), spectra(noisier, RATE)
    assert LIMITS.max_alike_difference_db < worst_difference_db(first, second, 0) < LIMITS.max_spectral_difference_db
    for copy, alike in ((sound, True), (noisier, False)):
        found = judge_duplicate_audio([clip("a", sound, FRAME_ZH[0]), clip("b", copy, FRAME_ZH[1])], LIMITS)
        assert codes(found) == ([("SET.DUPLICATE_AUDIO", "b")] if alike else [])
        found = judge_duplicate_audio([clip("a", sound, FRAME_ZH[0]), clip("b", copy, ZH)], LIMITS)
        assert codes(found) == [("SET.DUPLICATE_AUDIO", "b")]


@pytest.mark.parametrize(("one", "other"), [("他昨天在家做饭。", "她昨天在家做饭。"), ("我再说一遍。", "我在说一遍。")])
def test_words_that_are_said_alike_are_the_same_words(one: str, other: str) -> None:
    sound = babble(14)
    found = judge_duplicate_audio([clip("a", sound, one), clip("b", sound, other)], LIMITS)
    assert codes(found) == [("SET.REPEATED_AUDIO", "b")]


def test_of_a_pair_the_item_with_the_later_id_is_blamed_whatever_its_file_is_called() -> None:
    sound = babble(15)
    clips = [clip("b_file", sound, ZH, item="甲1"), clip("a_file", sound, EN, item="甲2")]
    (finding,) = judge_duplicate_audio(iter(clips), LIMITS)
    assert (finding.item, finding.file) == ("甲2", "train/a_file.wav")
    assert "甲1" in finding.message
    assert judge_duplicate_audio(iter(clips[::-1]), LIMITS) == (finding,)


@given(arrays(np.uint8, st.tuples(st.integers(0, 30), st.just(20)), elements=st.integers(0, 63)))
def test_vectors_hold_spectra_without_loss(levels: np.ndarray) -> None:
    vector = spectra_to_vector(levels)
    assert vector.dtype == np.float32
    assert np.array_equal(spectra_from_vector(vector), levels)


def synthetic(name: str, codes_of_clip: np.ndarray, levels: np.ndarray, text: str) -> ClipMeasures:
    bare = clip(name, np.zeros(0, np.float32), text)
    return replace(bare, vectors={VECTOR: to_vector(codes_of_clip), SPECTRA: spectra_to_vector(levels)})


@pytest.mark.statistics
def test_thousands_of_sentences_of_a_few_frames_and_the_copies_among_them() -> None:
    """Every frame has 200 sentences that differ in 15 of 120 frames of sound; of each frame four are copied."""
    draw = np.random.default_rng(7)
    clips = []
    for frame in range(8):
        shared, tones = draw.integers(1, 2**32, 120, dtype=np.uint32), draw.integers(20, 64, (120, 20), dtype=np.uint8)
        for number in range(200):
            said, levels = shared.copy(), tones.copy()
            at = int(draw.integers(40, 60))
            said[at : at + 15] = draw.integers(1, 2**32, 15, dtype=np.uint32)
            levels[at : at + 15] = draw.integers(20, 64, (15, 20), dtype=np.uint8)
            name = f"{frame}_{number:03d}"
            clips.append(synthetic(name, said, levels, f"{ZH}{name}"))
            if number % 50 == 25:
                softer = (levels - 8).astype(np.uint8)
                clips.append(synthetic(f"复{name}", said, softer, f"{ZH}复{name}"))
    found = judge_duplicate_audio(clips, LIMITS)
    assert {one.item for one in found} == {one.item for one in clips if one.item.startswith("复")}
    assert {one.code for one in found} == {"SET.DUPLICATE_AUDIO"}


def test_silence_and_clips_without_fingerprint_are_passed_over() -> None:
    silent = [clip(name, np.zeros(3 * RATE, np.float32), text) for name, text in (("a", ZH), ("b", EN))]
    assert not fingerprint(np.zeros(RATE, np.float32), RATE).any()
    bare = ClipMeasures(**{**vars(silent[0]), "vectors": {}})
    assert not judge_duplicate_audio([*silent, bare], LIMITS)
    empty = clip("e", np.zeros(0, np.float32))
    assert not judge_duplicate_audio([empty, *crowd()], LIMITS)


@given(arrays(np.uint32, st.integers(0, 50)))
def test_vectors_hold_codes_without_loss(values: np.ndarray) -> None:
    vector = to_vector(values)
    assert vector.dtype == np.float32 and np.isfinite(vector).all()
    assert np.array_equal(from_vector(vector), values)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 60), st.floats(0.0, 0.08))
def test_a_shifted_copy_with_some_bits_flipped_is_found_where_it_is(seed: int, shift: int, flipped: float) -> None:
    draw = np.random.default_rng(seed)
    crowd_of_codes = [draw.integers(1, 2**32, 150, dtype=np.uint32) for _ in range(20)]
    bits = (draw.random((150, 32)) < flipped) @ (np.uint64(1) << np.arange(32, dtype=np.uint64))
    copy = np.concatenate([draw.integers(1, 2**32, shift, dtype=np.uint32), crowd_of_codes[4] ^ bits.astype(np.uint32)])
    (match,) = find_matches([*crowd_of_codes, copy], LIMITS)
    assert (match.first, match.second) == (4, 20)
    assert match.error == pytest.approx(flipped, abs=0.02)


def test_half_of_the_bits_differ_is_no_match() -> None:
    draw = np.random.default_rng(0)
    codes_of_clip = draw.integers(1, 2**32, 200, dtype=np.uint32)
    half_other = codes_of_clip.copy()
    half_other[10:] = draw.integers(1, 2**32, 190, dtype=np.uint32)
    assert not list(find_matches([codes_of_clip, half_other], LIMITS))


def test_the_vector_is_kept_under_its_name() -> None:
    assert clip("a", babble(1)).vectors[VECTOR].shape[0] % 2 == 0


def test_a_pause_has_no_code_even_with_faint_noise_in_it() -> None:
    faint = np.random.default_rng(2).standard_normal(2 * RATE).astype(np.float32) * np.float32(1e-5)
    codes_of_clip = fingerprint(np.concatenate([babble(1), faint, babble(8)]), RATE)
    middle = round(4.0 / HOP_S)
    assert not codes_of_clip[middle - 20 : middle + 20].any()
    assert np.count_nonzero(codes_of_clip) * HOP_S > 5.0
