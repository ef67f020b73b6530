"""Vocal tags: where they stand among the words, and the sigh that is made of the voice itself."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.foundation.audio import Samples
from data_schemas.tags import VOCAL_TAGS, strip_tags
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest, VocalSound, WordTiming
from generators.speech.engine import EngineError, RawSpeech
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.finish import finish
from generators.speech.sounds.join import GAP_S, pieces_to_speak, with_sounds
from generators.speech.sounds.placing import REALISED, heard_tags, spoken_with_sounds
from generators.speech.sounds.sigh import BELOW_SPEECH_DB, DURATION_S, sigh, tract_of
from generators.speech.text.normalise import normalise

SIGH, LAUGH, THROAT = "[sigh]", "[laughter]", "[clears throat]"
RATE = 22_050
NONE: frozenset[str] = frozenset()


def placed(
    text: str, language: Language, tags: frozenset[str] = NONE, realise: bool = True
) -> tuple[str, tuple[VocalSound, ...], tuple[str, ...]]:
    return spoken_with_sounds(text, language, tags, partial(normalise, language=language), realise)


def cut_at_sounds(spoken: str, sounds: tuple[VocalSound, ...]) -> list[str]:
    edges = [0, *(sound.after for sound in sounds), len(spoken)]
    return [spoken[start:stop] for start, stop in pairwise(edges)]


@pytest.mark.parametrize(
    ("language", "text", "pieces"),
    [
        (Language.ZH, "高铁票又没抢到，[sigh] 折腾了2个小时。", ["高铁票又没抢到，", "折腾了两个小时。"]),
        (Language.ZH, "[sigh] 我妈刚打电话，大黄走了。", ["", "我妈刚打电话，大黄走了。"]),
        (Language.ZH, "我俩搭伴跳了8年哪。[sigh]", ["我俩搭伴跳了八年哪。", ""]),
        (Language.ZH, "花了2[sigh]个小时", ["花了两", "个小时"]),  # read by what stands on the other side
        (Language.ZH, "他说“[sigh]算了”。", ["他说", "“ 算了”。"]),
        (Language.ZH, "去[sigh]KTV[sigh]唱歌", ["去 ", "K T V ", "唱歌"]),
        (Language.ZH, "[sigh]0[sigh]-2[sigh]%8", ["", "百分之零到", "", "百分之二八"]),  # the last one comes too early
        (Language.EN, "I waited 2 hours, [sigh] and nobody came.", ["I waited two hours, ", "and nobody came."]),
        (Language.EN, "My team sent wrong data again! [sigh]", ["My team sent wrong data again!", ""]),
        (Language.EN, "It cost $5 [sigh] million.", ["It cost five ", "million dollars."]),
        (Language.EN, "We don't [sigh] know (yet).", ["We don't ", "know (yet)."]),
        (Language.EN, "Well [sigh] [sigh] fine", ["Well ", "", "fine"]),
    ],
)
def test_a_sigh_stands_where_the_script_has_it(language: Language, text: str, pieces: list[str]) -> None:
    spoken, sounds, heard = placed(text, language)
    assert spoken == normalise(text, language)
    assert cut_at_sounds(spoken, sounds) == pieces
    assert heard == (SIGH,) * text.count(SIGH)


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        (Language.ZH, "录了录了！[laughter] 我花了2块。", "录了录了！[laughter]我花了两块。"),
        (Language.EN, "She said yes! [laughter] I cost $5.", "She said yes! [laughter] I cost five dollars."),
        (Language.EN, "[laughter] She said yes!", "[laughter] She said yes!"),
    ],
)
def test_a_tag_the_engine_voices_stays_in_the_text(language: Language, text: str, spoken: str) -> None:
    assert placed(text, language, frozenset({LAUGH})) == (spoken, (), (LAUGH,))
    assert placed(text, language) == (normalise(text, language), (), ())


def test_the_engine_comes_before_the_projects_own_sound() -> None:
    text = "没了。[sigh] 算了，[laughter] 走吧。[clears throat]"
    assert placed(text, Language.ZH, frozenset({SIGH}))[1:] == ((), (SIGH,))
    spoken, sounds, heard = placed(text, Language.ZH, frozenset({LAUGH}))
    assert (spoken, sounds) == ("没了。算了，[laughter]走吧。", (VocalSound(tag=SIGH, after=3),))
    assert heard == (SIGH, LAUGH)
    assert placed(text, Language.ZH, frozenset({LAUGH}), realise=False) == (spoken, (), (LAUGH,))


@pytest.mark.parametrize("text", ["[sigh]", "[sigh]……[laughter]", "😀 [sigh]"])
def test_without_words_nothing_is_spoken_or_heard(text: str) -> None:
    assert placed(text, Language.ZH, frozenset({LAUGH})) == ("", (), ())


_WORDS = {
    Language.ZH: ["我等了", "2", "个小时", "，", "。", "1", "/", "3", "的人", "KTV", "“", "”", "-", "5", "度", "😀"],
    Language.EN: ["I", " waited ", "2", ":30", " pm", ", ", ".", "$", "5", " million", "don't", "FBI", "%", "1st"],
}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), language=st.sampled_from(Language), voiced=st.sets(st.sampled_from(VOCAL_TAGS)))
def test_words_are_those_of_the_whole_and_sounds_stand_between_them(
    data: st.DataObject, language: Language, voiced: set[str]
) -> None:
    atoms = st.one_of(st.sampled_from(_WORDS[language]), st.sampled_from(VOCAL_TAGS))
    text = "".join(data.draw(st.lists(atoms, max_size=12)))
    whole = normalise(text, language)
    spoken, sounds, heard = placed(text, language, frozenset(voiced))
    assert "".join(strip_tags(spoken).split()) == "".join(whole.split())
    assert [sound.after for sound in sounds] == sorted(sound.after for sound in sounds)
    assert all(0 <= sound.after <= len(spoken) for sound in sounds)
    expected = [tag for tag in heard_in(text) if tag in voiced or tag in REALISED]
    assert list(heard) == (expected if whole else [])
    if whole:
        asked = request(spoken, language=language, sounds=sounds)
        assert heard_tags(asked) == heard
        pieces = [piece.spoken_text for piece in pieces_to_speak(asked)]
        assert "".join("".join(pieces).split()) == "".join(spoken.split())
        assert all(any(char.isalnum() for char in strip_tags(piece)) for piece in pieces)
    for place in (sound.after for sound in sounds):  # never inside a word
        around = spoken[max(0, place - 1) : place + 1]
        assert not (len(around) == 2 and around.isascii() and around.isalnum())


def heard_in(text: str) -> list[str]:
    found = [(text.find(tag, at), tag) for tag in VOCAL_TAGS for at in range(len(text)) if text.startswith(tag, at)]
    return [tag for _, tag in sorted(found)]


def request(spoken: str, language: Language = Language.ZH, **changes: object) -> SpeechRequest:
    plain = SpeechRequest(
        engine="espeak",
        weights_sha256="0" * 64,
        voice="cmn",
        language=language,
        spoken_text=spoken,
        loudness_lufs=-23.0,
        edge_silence_ms=50,
    )
    return SpeechRequest.model_validate({**dict(plain), **changes})


def after(*places: int) -> tuple[VocalSound, ...]:
    return tuple(VocalSound(tag=SIGH, after=place) for place in places)


def test_pieces_are_cut_at_inner_sounds_only() -> None:
    text = "又没抢到，折腾了半天。"
    assert [one.spoken_text for one in pieces_to_speak(request(text))] == [text]
    edges = request(text, sounds=after(0, len(text)))
    assert pieces_to_speak(edges) == (request(text),)
    inner = pieces_to_speak(request(text, sounds=after(0, 5, 5), seed=7))
    assert inner == (request("又没抢到，", seed=7), request("折腾了半天。", seed=7))


def test_a_tag_alone_is_no_piece() -> None:
    text = "[laughter]又没抢到，[laughter]"
    asked = request(text, sounds=after(10, 15))
    assert [one.spoken_text for one in pieces_to_speak(asked)] == ["[laughter] 又没抢到， [laughter]"]


# ---- the sound itself


@pytest.fixture(scope="module")
def voices() -> dict[Language, RawSpeech]:
    """A sentence in each language, spoken by espeak."""
    engine = EspeakEngine()
    made = {}
    for language, text in (
        (Language.ZH, "高铁票又没抢到，折腾了半天。"),
        (Language.EN, "Nobody came at all, and I waited."),
    ):
        voice = next(voice.id for voice in engine.voices() if voice.language is language)
        made[language] = engine.synthesise(request(text, language, voice=voice, weights_sha256=engine.weights_sha256))
    return made


def level_db(samples: Samples) -> float:
    return float(10.0 * np.log10(np.mean(np.asarray(samples, np.float64) ** 2)))


@pytest.mark.parametrize("language", Language)
def test_a_sigh_is_soft_noise_that_rises_falls_and_grows_dull(
    voices: dict[Language, RawSpeech], language: Language
) -> None:
    raw = voices[language]
    tract = tract_of(raw.samples, raw.sample_rate)
    for seed in range(8):
        made = sigh(tract, raw.sample_rate, np.random.default_rng(seed))
        assert made.dtype == np.float32
        assert DURATION_S[0] <= len(made) / raw.sample_rate + 1e-3
        assert len(made) / raw.sample_rate <= DURATION_S[1] + 1e-3
        frame = raw.sample_rate // 20
        levels = [level_db(made[at : at + frame]) for at in range(0, len(made) - frame, frame)]
        low, high = (tract.loud_db - below for below in reversed(BELOW_SPEECH_DB))
        assert low - 2.0 <= max(levels) <= high + 0.5
        assert 1 <= int(np.argmax(levels)) <= len(levels) // 2
        assert levels[-1] < max(levels) - 10.0
        assert abs(made[0]) < 1e-3 > abs(made[-1])
        thirds = np.array_split(made.astype(np.float64), 3)
        assert centroid_hz(thirds[0], raw.sample_rate) > 1.1 * centroid_hz(thirds[2], raw.sample_rate)
        assert not harmonic(made, raw.sample_rate)


def centroid_hz(samples: np.ndarray, rate: int) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    bins = np.arange(len(power)) * rate / len(samples)
    return float((power * bins).sum() / power.sum())


def harmonic(samples: Samples, rate: int) -> bool:
    """Whether some period of 60 to 400 Hz repeats itself."""
    signal = samples.astype(np.float64)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(signal, 2 * len(signal))) ** 2)
    lags = correlation[rate // 400 : rate // 60] / correlation[0]
    return bool(lags.max() > 0.4)


def test_two_voices_sigh_through_two_tracts(voices: dict[Language, RawSpeech]) -> None:
    raw = voices[Language.ZH]
    short = RawSpeech(raw.samples, round(raw.sample_rate * 1.2))  # everything a fifth higher: a shorter tract
    ours, theirs = (tract_of(one.samples, one.sample_rate) for one in (raw, short))
    first, second = (
        sigh(tract, rate, np.random.default_rng(1))
        for tract, rate in ((ours, raw.sample_rate), (theirs, short.sample_rate))
    )
    assert centroid_hz(second.astype(np.float64), short.sample_rate) > 1.08 * centroid_hz(
        first.astype(np.float64), raw.sample_rate
    )


@pytest.mark.parametrize("silence", [np.zeros(RATE, np.float32), np.zeros(10, np.float32)])
def test_silence_has_no_voice(silence: Samples) -> None:
    asked = request("又没抢到", sounds=after(0))
    with pytest.raises(EngineError, match=r"又没抢到.*silence"):
        with_sounds((RawSpeech(silence, RATE),), asked)


def test_without_sounds_the_speech_is_untouched(voices: dict[Language, RawSpeech]) -> None:
    raw = voices[Language.ZH]
    assert with_sounds((raw,), request("又没抢到，折腾了半天。")) is raw


@pytest.mark.parametrize("place", ["start", "end"])
def test_speech_beside_a_sigh_is_the_same_and_its_words_move(voices: dict[Language, RawSpeech], place: str) -> None:
    raw = voices[Language.EN]
    assert raw.words, "espeak tells English word times"
    text = "Nobody came at all, and I waited."
    made = with_sounds((raw,), request(text, Language.EN, sounds=after(0 if place == "start" else len(text))))
    assert made.sample_rate == raw.sample_rate
    assert [word.text for word in made.words] == [word.text for word in raw.words]
    for then, now in zip(raw.words[1:-1], made.words[1:-1], strict=True):
        assert np.array_equal(made.samples[now.start : now.stop], raw.samples[then.start : then.stop])
    shift = made.words[1].start - raw.words[1].start
    least = round((DURATION_S[0] + GAP_S) * raw.sample_rate) - round(0.5 * raw.sample_rate)
    assert shift > least if place == "start" else shift == 0


def test_pieces_are_joined_in_order_with_the_sigh_between() -> None:
    engine = EspeakEngine()
    voice = next(voice.id for voice in engine.voices() if voice.language is Language.EN)
    asked = request("I waited two hours, and nobody came.", Language.EN, voice=voice, sounds=after(20))
    pieces = tuple(engine.synthesise(one) for one in pieces_to_speak(asked))
    made = with_sounds(pieces, asked)
    assert [word.text for word in made.words] == [word.text for piece in pieces for word in piece.words]
    assert all(word.start < word.stop <= len(made.samples) for word in made.words)
    before, following = made.words[len(pieces[0].words) - 1], made.words[len(pieces[0].words)]
    between = (following.start - before.stop) / made.sample_rate
    assert DURATION_S[0] + 2 * GAP_S - 0.05 <= between <= DURATION_S[1] + 2 * GAP_S + 0.35
    finished = finish(made, asked)
    inside = finished.samples[finished.words[len(pieces[0].words) - 1].stop :][:16_000]
    assert level_db(inside[3_200:11_200]) > -60.0, "finishing keeps the sigh"


@pytest.mark.parametrize("sounds", [after(0), after(11), after(0, 11)])
def test_finishing_keeps_a_sigh_at_the_edge(voices: dict[Language, RawSpeech], sounds: tuple[VocalSound, ...]) -> None:
    raw, text = voices[Language.ZH], "又没抢到，折腾了半天。"
    plain = finish(with_sounds((raw,), request(text)), request(text))
    asked = request(text, sounds=sounds)
    longer = finish(with_sounds((raw,), asked), asked)
    assert len(longer.samples) - len(plain.samples) >= 0.5 * 16_000 * len(sounds)
    assert abs(longer.loudness_lufs - -23.0) < 0.5


def test_the_same_request_is_the_same_bytes_and_another_is_not(voices: dict[Language, RawSpeech]) -> None:
    raw, text = voices[Language.ZH], "又没抢到，折腾了半天。"
    asked = request(text, sounds=after(0))
    first = with_sounds((raw,), asked).samples
    with_sounds((raw,), request(text, sounds=after(0), seed=1))  # whatever came before
    assert with_sounds((raw,), asked).samples.tobytes() == first.tobytes()
    for change in ({"seed": 1}, {"voice": "other"}, {"speed": 1.1}):
        other = with_sounds((raw,), request(text, sounds=after(0), **change)).samples
        assert other.tobytes() != first.tobytes()


def test_two_sighs_of_one_utterance_differ_and_stand_a_gap_away() -> None:
    """The speech is a buzz without a zero in it, so that the gaps are the only ones."""
    buzz = (0.2 + 0.1 * np.sin(np.arange(RATE) * 0.1)).astype(np.float32)
    text = "又没抢到，折腾了半天。"
    made = with_sounds((RawSpeech(buzz, RATE),), request(text, sounds=after(0, 0, len(text)))).samples
    gap = round(GAP_S * RATE)
    silent = [at for at in range(len(made) - gap + 1) if not made[at : at + gap].any()]
    starts = [at for at in silent if at - 1 not in silent]
    assert len(starts) == 3
    assert len(silent) <= len(starts) + 6, "no gap is longer than it should be"
    first, second, third = made[: starts[0]], made[starts[0] + gap : starts[1]], made[starts[2] + gap :]
    assert len({len(first), len(second), len(third)}) > 1 or not np.array_equal(first, second)
    assert first[:2000].tobytes() != second[:2000].tobytes() != third[:2000].tobytes()


def test_what_cannot_be_joined_is_one_sentence(voices: dict[Language, RawSpeech]) -> None:
    raw, text = voices[Language.ZH], "又没抢到，折腾了半天。"
    other = RawSpeech(raw.samples, raw.sample_rate + 1)
    for pieces, asked, words in (
        ((raw,), request(text, sounds=after(5)), "1 pieces"),
        ((raw, other), request(text, sounds=after(5)), "one rate"),
        ((raw,), request(text, sounds=(VocalSound(tag=LAUGH, after=0),)), r"no sound for \[laughter\]"),
    ):
        with pytest.raises(EngineError, match=words):
            with_sounds(pieces, asked)


def test_a_word_that_was_cut_away_is_dropped() -> None:
    speech = np.concatenate([np.zeros(RATE), 0.3 * np.sin(np.arange(RATE) * 0.1), np.zeros(RATE)]).astype(np.float32)
    words = (
        WordTiming(text="silent", start=10, stop=RATE // 2),
        WordTiming(text="said", start=RATE, stop=2 * RATE),
    )
    made = with_sounds((RawSpeech(speech, RATE, words),), request("又没抢到", sounds=after(0)))
    (word,) = made.words
    assert word.text == "said"
    assert np.array_equal(made.samples[word.start + 500 : word.stop], speech[RATE + 500 : 2 * RATE])
