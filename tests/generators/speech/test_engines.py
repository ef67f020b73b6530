"""The registry, espeak-ng, and what Kokoro declares and is fed, without its weights."""

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from data_schemas.foundation.models import model_entry
from data_schemas.speakers import MixPart, ReferenceClip, Voice
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from generators.speech import registry
from generators.speech.engine import Control, EngineError, SpeechEngine
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.finish import finish, speech_spans
from generators.speech.kokoro import engine as kokoro
from generators.speech.kokoro.engine import KokoroEngine
from generators.speech.kokoro.phonemes import aspirated, english_phonemes, mandarin_phonemes
from generators.speech.registry import create_engine, engine_names
from generators.speech.settings import SpeechSettings
from generators.speech.voices.kokoro_mixes import pinned_mixes

TEXTS = {Language.ZH: "今天天气很好，我们去公园吧。", Language.EN: "The weather is lovely, so let's go to the park."}


def request(engine: SpeechEngine, voice: str, language: Language, text: str | None = None) -> SpeechRequest:
    return SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice,
        language=language,
        spoken_text=text or TEXTS[language],
        loudness_lufs=-23.0,
        edge_silence_ms=50,
    )


def first_voice(engine: SpeechEngine, language: Language) -> str:
    return next(voice.id for voice in engine.voices() if voice.language is language)


# --- registry


def test_known_engines_are_made() -> None:
    assert {"kokoro", "espeak"} <= set(engine_names())
    assert create_engine("espeak").name == "espeak"


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EngineError, match=r"'espaek'.*espeak.*kokoro"):
        create_engine("espaek")


def test_other_packages_can_register_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    def announced(group: str) -> tuple[EntryPoint, ...]:
        return (
            EntryPoint("mine", "generators.speech.espeak.engine:EspeakEngine", group),
            EntryPoint("broken", "no_such_package:Engine", group),
        )

    monkeypatch.setattr(registry, "entry_points", announced)
    assert isinstance(create_engine("mine"), EspeakEngine)
    assert "mine" in engine_names()
    with pytest.raises(EngineError, match=r"broken.*no_such_package:Engine.*install or repair"):
        create_engine("broken")


# --- espeak


def test_espeak_has_people_of_both_genders_and_languages() -> None:
    voices = EspeakEngine().voices()
    assert len({voice.id for voice in voices}) == len(voices)
    for language in Language:
        for gender in ("female", "male"):
            assert sum(v.language is language and v.gender == gender for v in voices) >= 8
    assert {voice.license for voice in voices} == {"GPL-3.0-or-later"}


def test_every_espeak_voice_speaks_differently_and_always_the_same() -> None:
    """Also after other voices and in threads: espeak-ng itself carries state from call to call."""
    engine = EspeakEngine()
    requests = [request(engine, voice.id, voice.language) for voice in engine.voices()]
    once = [engine.synthesise(one).samples.tobytes() for one in requests]
    again = [engine.synthesise(one).samples.tobytes() for one in reversed(requests)][::-1]
    assert once == again
    assert len(set(once)) == len(requests)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: engine.synthesise(one).samples.tobytes(), requests)) == once


def test_espeak_times_english_words() -> None:
    engine = EspeakEngine()
    raw = engine.synthesise(request(engine, "en-gb+f1", Language.EN, "Hello there, use the A T M now."))
    assert raw.words[0].text == "Hello"
    assert "A" in [word.text for word in raw.words] and "eh" not in [word.text for word in raw.words]
    assert all(0 <= word.start < word.stop <= len(raw.samples) for word in raw.words)
    assert [word.start for word in raw.words] == sorted(word.start for word in raw.words)
    assert engine.synthesise(request(engine, "cmn+f1", Language.ZH)).words == ()


def test_espeak_heeds_the_speed() -> None:
    engine = EspeakEngine()
    assert Control.SPEED in engine.controls
    normal = request(engine, "en-us+m1", Language.EN)
    fast = normal.model_copy(update={"speed": 1.5})
    ratio = len(engine.synthesise(normal).samples) / len(engine.synthesise(fast).samples)
    assert 1.3 < ratio < 1.7


@pytest.mark.parametrize("language", list(Language))
def test_espeak_speech_can_be_finished(language: Language) -> None:
    engine = EspeakEngine()
    one = request(engine, first_voice(engine, language), language)
    finished = finish(engine.synthesise(one), one)
    assert speech_spans(finished.samples)
    assert finished.loudness_lufs == pytest.approx(-23.0, abs=0.1)
    assert 1.0 < len(finished.samples) / 16_000 < 6.0


def test_an_unknown_espeak_voice_is_refused() -> None:
    engine = EspeakEngine()
    with pytest.raises(EngineError, match=r"no zh voice 'en-us\+m1'.*cmn\+f1"):
        engine.synthesise(request(engine, "en-us+m1", Language.ZH))


def test_provenance_names_everything() -> None:
    engine = EspeakEngine()
    provenance = engine.provenance(request(engine, "cmn+m1", Language.ZH))
    assert (provenance.engine, provenance.voice, provenance.seed) == ("espeak", "cmn+m1", 0)
    assert len(provenance.weights_sha256) == 64
    assert provenance.engine_version == engine.version


# --- Kokoro without weights


def test_kokoro_declares_its_voices_without_weights(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMDIAL_MODELS", str(tmp_path))
    engine = KokoroEngine()
    voices = engine.voices()
    assert sum(voice.language is Language.ZH for voice in voices) == 7
    assert {voice.id: voice.gender for voice in voices}["zm_yunxi"] == "male"
    assert {voice.language for voice in voices if voice.id[0] in "ab"} == {Language.EN}
    assert not {"af_nicole", "am_adam", "am_santa", "zf_xiaoni"} & {voice.id for voice in voices}
    assert engine.weights_sha256 == model_entry("kokoro-v1.0-int8").weights_sha256
    assert engine.license == "Apache-2.0"


def test_kokoro_refuses_wrong_voices_and_speeds() -> None:
    engine = KokoroEngine()
    with pytest.raises(EngineError, match=r"no zh voice 'af_heart'.*zf_xiaobei"):
        engine.synthesise(request(engine, "af_heart", Language.ZH))
    with pytest.raises(EngineError, match=r"0\.5 to 2\.0"):
        engine.synthesise(request(engine, "zf_xiaobei", Language.ZH).model_copy(update={"speed": 3.0}))


# --- mixtures of Kokoro's voices, without weights


def mixed(name: str, language: Language = Language.ZH, **shares: float) -> Voice:
    return Voice(
        id=name,
        engine="kokoro",
        language=language,
        gender="male",
        license="Apache-2.0",
        mix=tuple(MixPart(voice=voice, weight=weight) for voice, weight in shares.items()),
    )


def test_kokoro_lists_its_mixtures_after_its_own_voices() -> None:
    alone = KokoroEngine().voices()
    with_mixture = KokoroEngine(mixtures=[mixed("半云", zm_yunxi=0.5, zm_yunxia=0.5)]).voices()
    assert with_mixture[:-1] == alone and with_mixture[-1].id == "半云"


def test_the_pinned_mixtures_are_two_base_voices_each_of_one_language_and_gender() -> None:
    base = {voice.id: voice for voice in KokoroEngine().voices()}
    pinned = pinned_mixes()
    assert len({frozenset(part.voice for part in one.mix) for one in pinned}) == len(pinned) > 0
    for one in pinned:
        parts = [base[part.voice] for part in one.mix]
        assert len(parts) == 2
        assert {(part.language, part.gender, part.license) for part in parts} == {
            (one.language, one.gender, one.license)
        }
        assert len({part.id[:2] for part in parts}) == 1  # one accent
    assert KokoroEngine(mixtures=pinned).voices()[len(base) :] == pinned


def test_a_registry_brings_mixtures_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "voices.yaml"
    mix = "[{voice: zm_yunxi, weight: 0.7}, {voice: zm_yunyang, weight: 0.3}]"
    path.write_text(
        f"voices: [{{id: 云, engine: kokoro, language: zh, gender: male, age: middle, license: MIT, mix: {mix}}}]",
        encoding="utf-8",
    )
    engine = create_engine("kokoro", SpeechSettings(engine="kokoro", voices=str(path)))
    assert engine.voices()[-1].mix[0] == MixPart(voice="zm_yunxi", weight=0.7)


@pytest.mark.parametrize(
    ("voice", "problem"),
    [
        (mixed("zm_yunxi", zm_yunxi=0.5, zm_yunxia=0.5), r"kokoro has a voice zm_yunxi already; give the mixture"),
        (mixed("新", zm_yunxi=0.5, am_adam=0.5), r"voice 新: mix: kokoro has no zh voice 'am_adam'; it has zf_xiaobei"),
        (mixed("新", zm_yunxi=0.5, af_heart=0.5), r"voice 新: mix: kokoro has no zh voice 'af_heart'"),
        (mixed("新"), r"kokoro cannot imitate voice 新; list under mix"),
    ],
)
def test_what_kokoro_cannot_mix_is_refused(voice: Voice, problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        KokoroEngine(mixtures=[voice])


def test_kokoro_does_not_clone() -> None:
    clip = ReferenceClip(file="我.wav", text="你好", sha256="0" * 64)
    with pytest.raises(EngineError, match="cannot imitate voice 我"):
        KokoroEngine(mixtures=[mixed("我").model_copy(update={"clips": (clip,)})])


def test_a_mixture_is_the_weighted_mean_of_its_styles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    styles = {name: rng.normal(size=(510, 1, 256)).astype(np.float32) for name in ("zm_yunxi", "zm_yunxia")}
    for name, style in styles.items():
        style.tofile(tmp_path / f"{name}.bin")
    monkeypatch.setattr(kokoro, "verified_path", lambda model, file: tmp_path / file)
    forwards = mixed("a", zm_yunxi=0.7, zm_yunxia=0.3)
    backwards = mixed("b", zm_yunxia=0.3, zm_yunxi=0.7)
    engine = KokoroEngine(mixtures=[forwards, backwards])
    style = engine._style(request(engine, "a", Language.ZH))
    assert style.dtype == np.float32 and style.shape == (510, 1, 256)
    np.testing.assert_allclose(style, 0.7 * styles["zm_yunxi"] + 0.3 * styles["zm_yunxia"], atol=1e-6)
    assert style.tobytes() == engine._style(request(engine, "b", Language.ZH)).tobytes()
    own = engine._style(request(engine, "zm_yunxi", Language.ZH))
    assert own.tobytes() == styles["zm_yunxi"].tobytes()


@pytest.mark.parametrize(("heavier", "accent"), [("bf_emma", "en-gb"), ("af_heart", "en-us")])
def test_a_mixture_speaks_with_the_accent_it_has_most_of(
    heavier: str, accent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lighter = "af_heart" if heavier == "bf_emma" else "bf_emma"
    engine = KokoroEngine(mixtures=[mixed("between", Language.EN, **{lighter: 0.4, heavier: 0.6})])
    asked: list[str] = []

    class Tokenizer:
        def phonemize(self, text: str, lang: str) -> str:
            asked.append(lang)
            return "həlˈoʊ"

    class Model:
        tokenizer = Tokenizer()

    monkeypatch.setitem(engine.__dict__, "_model", Model())  # what the phonemiser is asked, without its weights
    engine.phonemes(request(engine, "between", Language.EN))
    assert set(asked) == {accent}


# --- phonemes


def spelled(text: str) -> str:
    return f"<{text}>"


def test_latin_words_in_mandarin_go_through_english() -> None:
    readings = {"去": "ʨʰy↘", "唱歌，": "ꭧʰa↘ŋkɤ→,", "好": "xau↓", "用": "jʊ↘ŋ"}
    pinyin = readings.__getitem__
    assert mandarin_phonemes("去K T V唱歌，WiFi好", pinyin, spelled) == "ʨʰy↘ <K T V> ꭧʰa↘ŋkɤ→, <WiFi> xau↓"
    assert mandarin_phonemes("用A P P", pinyin, spelled) == "jʊ↘ŋ <eh P P>"


def test_stops_of_english_words_are_aspirated_for_mandarin_voices() -> None:
    assert aspirated("kˈeɪ tˈiː pˈiː") == "kʰˈeɪ tʰˈiː pʰˈiː"
    assert aspirated("stˈɒp ˈækt") == "stˈɒp ˈækt"


def test_what_has_no_phonemes_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match="𠮷"):
        mandarin_phonemes("𠮷野家", lambda text: text, spelled)
    with pytest.raises(EngineError, match="nothing in"):
        mandarin_phonemes("，。", lambda text: text, spelled)
    with pytest.raises(EngineError, match="nothing in"):
        english_phonemes("...", lambda text: text)


def test_real_pinyin_of_interjections_and_rare_signs() -> None:
    pinyin = KokoroEngine()._pinyin
    for word in ("嗯嗯", "呃", "哎哟", "唉", "诶", "味儿", "〇", "龘"):
        phonemes = mandarin_phonemes(word, pinyin, spelled)
        assert phonemes and not any("\u3400" <= char <= "\u9fff" for char in phonemes)
    assert np.array_equal([mandarin_phonemes("你好", pinyin, spelled)], ["ni↓xau↓"])
