"""Engines on servers: the bytes of answers, the fields of questions, and servers on the loopback that misbehave."""

import asyncio
import base64
import io
import json
import re
import socket
import struct
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import to_pcm16
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from generators.remote.errors import ConfigProblem, EndpointError
from generators.remote.retry import BadAnswer
from generators.speech.engine import Control, EngineError, RawSpeech, RemoteEngine
from generators.speech.registry import create_engine
from generators.speech.returned import Misspoken, check_returned
from generators.speech.servers.audio import Answer, decode
from generators.speech.servers.base import ServerEngine
from generators.speech.servers.settings import SpeechServerSettings
from generators.speech.settings import SpeechSettings
from generators.store import key_of
from tests.support.speech_registry import HAPPY_TEXT, NEUTRAL_TEXT, write_registry
from tests.support.speech_server import MODEL, RATE_HZ, Fault, SpeechServer, speak

SECRET = "sk-speech-A1b2C3d4E5f6"
TEXT = "外面下雨了，记得带伞。"
LONG = "昨天晚上我在家看了一部很老的电影，讲的是一个渔夫和他女儿的故事。" * 6
OPENAI, COSY = "openai-speech", "cosyvoice-http"
HEARD = speak(TEXT, "cmn+f1")


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write_registry(tmp_path_factory.mktemp(name), name) for name in (OPENAI, COSY)}


def settings(name: str, registry: Path, base_url: str, endpoint: dict[str, Any] | None = None, **server: Any) -> Any:
    tiny: dict[str, Any] = {"backoff_s": 0.001, "max_backoff_s": 0.01, "retries": 3, "base_url": base_url}
    own: dict[str, Any] = {"sample_rate_hz": RATE_HZ, "generation": "v2"} if name == COSY else {}
    base = {"model": MODEL, "license": "Apache-2.0", "weights": "rev-1"}
    return SpeechSettings(
        engine=name,
        voices=str(registry),
        server=SpeechServerSettings(endpoint=tiny | (endpoint or {}), **(base | own | server)),
    )


class Bench:
    """Makes engines against a server, and requests for them."""

    def __init__(self, registries: dict[str, Path]) -> None:
        self.registries = registries

    def engine(self, name: str, base_url: str, endpoint: dict[str, Any] | None = None, **server: Any) -> ServerEngine:
        chosen = settings(name, self.registries[name], base_url, endpoint, **server)
        engine = create_engine(name, chosen)
        assert isinstance(engine, ServerEngine)
        return engine

    def at(self, server: SpeechServer, name: str, endpoint: dict[str, Any] | None = None, **more: Any) -> ServerEngine:
        return self.engine(name, server.openai_url if name == OPENAI else server.cosyvoice_url, endpoint, **more)


@pytest.fixture
def bench(registries: dict[str, Path]) -> Bench:
    return Bench(registries)


def request(engine: str = OPENAI, voice: str = "cmn+f1", text: str = TEXT, **more: Any) -> SpeechRequest:
    base: dict[str, Any] = {"language": Language.ZH, "weights_sha256": "rev-1", "edge_silence_ms": 50}
    return SpeechRequest(engine=engine, voice=voice, spoken_text=text, loudness_lufs=-23.0, **(base | more))


def emotional(emotion: Emotion, **more: Any) -> SpeechRequest:
    return request(emotion=emotion, intensity=2, **more)


def all_of(engine: ServerEngine, *requests: SpeechRequest) -> list[RawSpeech | BaseException]:
    """Ask for all at once over one connection."""

    async def work() -> list[RawSpeech | BaseException]:
        await engine.open()
        try:
            return await asyncio.gather(*(engine.synthesise_remotely(one) for one in requests), return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(work())


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


# -- bytes ------------------------------------------------------------------------------------------

TONE = (0.3 * np.sin(np.arange(2400) / 9)).astype(np.float32)


def encoded(form: str, samples: np.ndarray = TONE, rate: int = 24_000, subtype: str = "PCM_16") -> bytes:
    if form == "pcm":
        return to_pcm16(samples).astype("<i2").tobytes()
    file = io.BytesIO()
    written = to_pcm16(samples) if subtype == "PCM_16" else samples
    soundfile.write(file, written, rate, format=form.upper(), subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("form", ["wav", "flac", "pcm"])
def test_every_format_gives_the_same_samples(form: Any) -> None:
    raw = decode(Answer(encoded(form)), form, 24_000)
    assert raw.sample_rate == 24_000
    assert raw.samples.dtype == np.float32 and raw.samples.shape == TONE.shape
    np.testing.assert_array_equal(to_pcm16(raw.samples), to_pcm16(TONE))


def test_two_channels_become_one() -> None:
    stereo = np.stack([TONE, np.zeros_like(TONE)], axis=1)
    raw = decode(Answer(encoded("wav", stereo, subtype="FLOAT")), "wav", None)
    np.testing.assert_allclose(raw.samples, TONE / 2, atol=1e-6)


def with_lengths(content: bytes, riff: int, data: int) -> bytes:
    told = bytearray(content)
    at = told.index(b"data") + 4
    told[4:8], told[at : at + 4] = struct.pack("<I", riff), struct.pack("<I", data)
    return bytes(told)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize(
    ("riff", "data"),
    [(0, 0), (36, 0), (0xFFFFFFFF, 0), (0, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFFF)],
)
def test_a_stream_that_did_not_know_its_length_is_whole(riff: int, data: int, subtype: str) -> None:
    content = with_lengths(encoded("wav", subtype=subtype), riff, data)
    raw = decode(Answer(content), "wav", 24_000)
    np.testing.assert_array_equal(to_pcm16(raw.samples), to_pcm16(TONE))


@pytest.mark.parametrize("told", [(0, 0), (36, 0), (36 + 8, 0)])
def test_a_wav_without_samples_holds_none(told: tuple[int, int]) -> None:
    """With a true length of the file, what follows an empty data chunk is no sound."""
    content = with_lengths(encoded("wav", TONE[:0]), *told)
    content += b"LIST\0\0\0\0" if told[0] > 36 else b""
    with pytest.raises(BadAnswer, match="the audio holds no samples"):
        decode(Answer(content), "wav", 24_000)


@pytest.mark.parametrize("rate", [1, 7_999, 192_001, 2**31 - 1])
def test_a_header_with_a_rate_that_no_speech_has_is_asked_again(rate: int) -> None:
    content = bytearray(encoded("wav"))
    content[24:28] = struct.pack("<I", rate)
    with pytest.raises(BadAnswer, match=f"the audio is sampled at {rate} Hz; speech has 8000 to 192000"):
        decode(Answer(bytes(content)), "wav", None)


@pytest.mark.parametrize(
    ("value", "told"),
    [(np.nan, "not numbers"), (np.inf, "not numbers"), (1e300, "not numbers"), (-1e30, "1e\\+30 times full scale")],
)
def test_floats_that_are_no_sound_are_worth_another_seed(value: float, told: str) -> None:
    samples = np.tile(TONE, 20).astype(np.float64)
    samples[7] = value
    raw = decode(Answer(encoded("wav", samples, subtype="DOUBLE")), "wav", None)
    with pytest.raises(Misspoken, match=told):
        check_returned(raw.samples, raw.sample_rate, TEXT, Language.ZH, OPENAI)


@given(st.integers(min_value=1, max_value=len(encoded("wav")) - 1))
def test_a_wav_that_is_cut_anywhere_is_seen(kept: int) -> None:
    with pytest.raises(BadAnswer, match="cut"):
        decode(Answer(encoded("wav")[:kept]), "wav", 24_000)


@given(st.integers(min_value=1, max_value=len(encoded("flac")) - 1))
def test_a_flac_that_is_cut_anywhere_is_seen(kept: int) -> None:
    with pytest.raises(BadAnswer):
        decode(Answer(encoded("flac")[:kept]), "flac", 24_000)


@given(st.binary(max_size=400), st.sampled_from(["wav", "flac", "pcm"]))
def test_no_bytes_break_the_reader(content: bytes, form: Any) -> None:
    try:
        raw = decode(Answer(content), form, 24_000)
    except (BadAnswer, ConfigProblem):
        return
    assert len(raw.samples) > 0 and raw.sample_rate == 24_000


@given(st.binary(min_size=1, max_size=400))
def test_samples_that_look_like_letters_are_samples_still(content: bytes) -> None:
    if content[:1] in b"<{[ \n\t\r\x0b\x0c" or content.startswith((b"RIFF", b"fLaC", b"OggS")):
        return
    content += content if len(content) % 2 else b""
    assert len(decode(Answer(content), "pcm", 8000).samples) == len(content) // 2


def test_half_a_sample_too_much() -> None:
    with pytest.raises(BadAnswer, match="4799 bytes are no whole number of 16-bit samples"):
        decode(Answer(encoded("pcm")[:-1]), "pcm", 24_000)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("<html><body>网关超时</body></html>".encode(), "text/html; charset=utf-8"),
        ("<html><body>网关超时</body></html>".encode(), ""),
        (json.dumps({"error": {"message": "显存不足：网关超时"}}).encode(), "application/json"),
        (json.dumps({"detail": "显存不足：网关超时"}, ensure_ascii=False).encode(), ""),
    ],
)
@pytest.mark.parametrize("form", ["wav", "flac", "pcm"])
def test_words_instead_of_audio_are_told(content: bytes, content_type: str, form: Any) -> None:
    with pytest.raises(BadAnswer, match=r"status 200 with text instead of audio: .*网关超时$"):
        decode(Answer(content, content_type), form, 24_000)


@pytest.mark.parametrize(("came", "form"), [("flac", "wav"), ("wav", "flac"), ("wav", "pcm"), ("flac", "pcm")])
def test_another_format_than_configured_is_the_configurations_fault(came: str, form: Any) -> None:
    with pytest.raises(
        ConfigProblem, match=f"answers come as {came}, not as {form}; set speech.server.response_format"
    ):
        decode(Answer(encoded(came)), form, 24_000)


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_the_headers_rate_must_be_the_configured_one(form: Any) -> None:
    with pytest.raises(ConfigProblem, match="sampled at 16000 Hz, not at 24000 Hz; correct sample_rate_hz"):
        decode(Answer(encoded(form, rate=16_000)), form, 24_000)
    assert decode(Answer(encoded(form, rate=16_000)), form, None).sample_rate == 16_000


def test_a_rate_in_the_media_type_counts_as_a_header() -> None:
    with pytest.raises(ConfigProblem, match="sampled at 22050 Hz, not at 24000 Hz"):
        decode(Answer(encoded("pcm"), "audio/pcm; rate=22050; channels=1"), "pcm", 24_000)


# -- settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"endpoint": {"local": {}}}, "endpoint.local is llama.cpp"),
        ({"response_format": "pcm"}, "state the model's rate in sample_rate_hz"),
        ({"budget": {"tokens": 5}}, "limit speech by budget.minutes or .cost"),
        ({"tags": ["[cough]"]}, r"\[cough\] is in no script"),
        ({"extra": {"seed": 3}}, "extra: seed is set for every request"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any], told: str) -> None:
    good: dict[str, Any] = {
        "endpoint": {"base_url": "http://h/v1"},
        "model": "m",
        "license": "Apache-2.0",
        "weights": "r",
    }
    SpeechServerSettings.model_validate(good)
    with pytest.raises(ValidationError, match=told):
        SpeechServerSettings.model_validate(good | wrong)


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_an_engine_without_its_section_says_what_to_write(name: str, registries: dict[str, Path]) -> None:
    with pytest.raises(EngineError, match=r"write speech\.server"):
        create_engine(name)
    whole = settings(name, registries[name], "http://127.0.0.1:9")
    with pytest.raises(EngineError, match=r"name it in speech\.voices"):
        create_engine(name, whole.model_copy(update={"voices": None}))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sample_rate_hz": None}, "24000 for CosyVoice 2 and 3"),
        ({"generation": None}, "speech.server.generation to v2 or v3"),
        ({"speed": True}, "remove speech.server.speed"),
        ({"seed": True}, "remove speech.server.seed"),
    ],
)
def test_cosyvoices_server_must_be_described(bench: Bench, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        bench.engine(COSY, "http://127.0.0.1:9", **wrong)


def test_what_an_engine_declares(bench: Bench) -> None:
    plain = bench.engine(OPENAI, "http://127.0.0.1:9/v1")
    able = bench.engine(OPENAI, "http://127.0.0.1:9/v1", emotion="auto", speed=True, seed=True, tags=["[laughter]"])
    cosy = bench.engine(COSY, "http://127.0.0.1:9")
    assert plain.controls == frozenset() and plain.tags == frozenset()
    assert able.controls == {Control.EMOTION, Control.SPEED, Control.SEED} and able.tags == {"[laughter]"}
    assert cosy.controls == {Control.SEED}
    assert isinstance(plain, RemoteEngine) and isinstance(cosy, RemoteEngine)
    assert (plain.license, plain.weights_sha256) == ("Apache-2.0", "rev-1")
    assert [voice.id for voice in plain.voices()] == ["xiaolin", "laowang", "anna", "cmn+f1", "en-us+m1"]
    said = able.provenance(request(seed=4))
    assert (said.engine, said.model, said.weights_sha256, said.seed) == (OPENAI, MODEL, "rev-1", 4)


def test_the_store_key_holds_what_is_asked_for_and_not_where(bench: Bench) -> None:
    from generators.speech.speak import audio_recipe

    def key(name: str, url: str = "http://127.0.0.1:9/v1", **more: Any) -> str:
        return key_of(audio_recipe(request(name), bench.engine(name, url, **more)))

    same = {
        key(OPENAI),
        key(OPENAI, "https://other.example/v1"),
        key(OPENAI, endpoint={"api_key_env": "SOME_KEY", "max_in_flight": 2, "timeout_s": 5}),
        key(OPENAI, budget={"minutes": 3}, price_per_million_characters=2.0),
    }
    others = [
        key(COSY),
        key(OPENAI, model="another"),
        key(OPENAI, emotion="instructions"),
        key(OPENAI, extra={"task_type": "Base"}),
        key(OPENAI, response_format="flac"),
        key(OPENAI, languages={"zh": "Chinese"}),
        key(COSY, generation="v3"),
        key(COSY, adds_marker=True),
    ]
    assert len(same) == 1
    assert len(same | set(others)) == 1 + len(others)


# -- what is asked ----------------------------------------------------------------------------------


def test_openais_fields_and_no_others(bench: Bench) -> None:
    with SpeechServer() as server:
        raw = bench.at(server, OPENAI).synthesise(request(seed=7, speed=1.2))
    assert server.seen.asked[0].fields == {
        "model": MODEL,
        "input": TEXT,
        "voice": "cmn+f1",
        "response_format": "wav",
    }
    assert raw.sample_rate == RATE_HZ
    np.testing.assert_array_equal(to_pcm16(raw.samples), to_pcm16(HEARD))


def test_speed_seed_language_and_extra_fields_where_they_are_configured(bench: Bench) -> None:
    more: dict[str, Any] = {"languages": {"zh": "Chinese"}, "extra": {"task_type": "Base", "extra_params": {"n": 1}}}
    with SpeechServer() as server:
        engine = bench.at(server, OPENAI, speed=True, seed=True, response_format="flac", **more)
        fast = engine.synthesise(request(seed=7, speed=1.5))
        engine.synthesise(request(voice="en-us+m1", text="Take an umbrella.", language=Language.EN))
    first, second = (asked.fields for asked in server.seen.asked)
    assert (first["speed"], first["seed"], first["language"], first["response_format"]) == (1.5, 7, "Chinese", "flac")
    assert (first["task_type"], first["extra_params"]) == ("Base", {"n": 1})
    assert "language" not in second and second["voice"] == "en-us+m1"
    assert len(fast.samples) < 0.8 * len(HEARD)


@pytest.mark.parametrize(("written", "before"), [("data_uri", "data:audio/wav;base64,"), ("base64", "")])
def test_a_clip_is_sent_with_its_words(bench: Bench, registries: dict[str, Path], written: str, before: str) -> None:
    recording = (registries[OPENAI].parent / "xiaolin/neutral.wav").read_bytes()
    with SpeechServer() as server:
        bench.at(server, OPENAI, ref_audio=written).synthesise(request(voice="xiaolin"))
    asked = server.seen.asked[0]
    assert asked.files["ref_audio"] == recording
    assert asked.fields["ref_audio"] == before + base64.b64encode(recording).decode()
    assert asked.fields["ref_text"] == NEUTRAL_TEXT
    assert "voice" not in asked.fields and "instructions" not in asked.fields


def test_an_emotion_in_words_or_by_clip(bench: Bench) -> None:
    with SpeechServer() as server:
        for way in ("instructions", "auto", "reference"):
            engine = bench.at(server, OPENAI, emotion=way)
            engine.synthesise(emotional(Emotion.HAPPY, voice="xiaolin"))
            engine.synthesise(request(voice="xiaolin"))
        bench.at(server, OPENAI, emotion="auto").synthesise(emotional(Emotion.SAD, voice="xiaolin"))
        bench.at(server, OPENAI, emotion="instructions").synthesise(emotional(Emotion.SAD))
    said = [(asked.fields.get("instructions"), asked.fields.get("ref_text")) for asked in server.seen.asked]
    assert said == [
        ("用开心的语气说这句话", NEUTRAL_TEXT),
        (None, NEUTRAL_TEXT),
        (None, HAPPY_TEXT),
        (None, NEUTRAL_TEXT),
        (None, HAPPY_TEXT),
        (None, NEUTRAL_TEXT),
        ("用伤心的语气说这句话", NEUTRAL_TEXT),
        ("用伤心的语气说这句话", None),
    ]


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_a_voice_without_the_clip_is_named(bench: Bench, registries: dict[str, Path], name: str) -> None:
    engine = bench.engine(name, unused_url(), emotion="reference")
    with pytest.raises(EngineError, match=r"voices\.yaml: voice xiaolin has no clip of emotion anger; add one") as told:
        engine.synthesise(emotional(Emotion.ANGER, engine=name, voice="xiaolin"))
    assert str(registries[name]) in str(told.value)


@pytest.mark.parametrize("name", [OPENAI, COSY])
@pytest.mark.parametrize("way", ["none", "auto", "instructions", "reference"])
def test_clips_without_a_neutral_one_are_told_of_with_advice_that_helps(bench: Bench, name: str, way: str) -> None:
    engine = bench.engine(name, unused_url(), emotion=way)
    whole = next(voice for voice in engine.voices() if voice.id == "xiaolin")
    happy = whole.model_copy(update={"clips": whole.clips[1:]})
    engine.check_voice(whole, (Emotion.NEUTRAL, Emotion.HAPPY))
    with pytest.raises(
        EngineError, match=r"voices\.yaml: voice xiaolin has clips and no neutral one.*; add one"
    ) as told:
        engine.check_voice(happy, (Emotion.NEUTRAL,))
    assert "speech.server.emotion" not in str(told.value)


def test_which_emotions_a_voice_can_have_is_known_before_it_speaks(bench: Bench) -> None:
    def check(name: str, way: str, voice: str, *emotions: Emotion) -> None:
        engine = bench.engine(name, unused_url(), emotion=way)
        engine.check_voice(next(one for one in engine.voices() if one.id == voice), emotions)

    check(OPENAI, "reference", "xiaolin", Emotion.NEUTRAL, Emotion.HAPPY)
    check(OPENAI, "instructions", "cmn+f1", *Emotion)
    check(COSY, "auto", "xiaolin", *Emotion)
    check(COSY, "auto", "cmn+f1", Emotion.NEUTRAL)
    with pytest.raises(EngineError, match=r"voice xiaolin has no clip of emotion fear.*auto or instructions"):
        check(OPENAI, "reference", "xiaolin", Emotion.FEAR)
    for way in ("auto", "instructions"):
        with pytest.raises(EngineError, match=r"voice cmn\+f1 has no clip, .* set speech\.server\.emotion to none"):
            check(COSY, way, "cmn+f1", Emotion.FEAR)


@pytest.mark.parametrize("voice", ["nobody", "anna"])
def test_an_unknown_voice_or_one_of_another_language_is_refused(bench: Bench, voice: str) -> None:
    with pytest.raises(EngineError, match=f"no zh voice .* is called '{voice}'; it has cmn\\+f1, laowang, xiaolin"):
        bench.engine(OPENAI, unused_url()).synthesise(request(voice=voice))


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_a_clip_that_changed_is_not_sent(tmp_path: Path, name: str) -> None:
    registry = write_registry(tmp_path, name)
    with SpeechServer() as server:
        url = server.openai_url if name == OPENAI else server.cosyvoice_url
        engine = create_engine(name, settings(name, registry, url))
        engine.voices()
        (tmp_path / "xiaolin/neutral.wav").write_bytes((tmp_path / "xiaolin/happy.wav").read_bytes())
        with pytest.raises(EngineError, match=r"voice xiaolin, clip xiaolin/neutral\.wav: has changed"):
            engine.synthesise(request(name, voice="xiaolin"))
        assert server.requests == 0


def test_cosyvoice_modes_and_markers(bench: Bench, registries: dict[str, Path]) -> None:
    end, system = "<|endofprompt|>", "You are a helpful assistant."

    def asked(voice: str, feeling: Emotion, **server_settings: Any) -> tuple[str, dict[str, Any], set[str]]:
        with SpeechServer() as server:
            engine = bench.at(server, COSY, **server_settings)
            raw = engine.synthesise(request(COSY, voice, emotion=feeling, intensity=0 if feeling.is_neutral else 2))
        (one,) = server.seen.asked
        assert raw.sample_rate == RATE_HZ and len(raw.samples) > RATE_HZ
        if one.files:
            folder = registries[COSY].parent
            assert one.files["prompt_wav"] in {path.read_bytes() for path in folder.rglob("*.wav")}
        assert one.headers["content-type"].startswith("multipart/form-data") or not one.files
        return one.path, one.fields, set(one.files)

    wav = {"prompt_wav"}
    neutral, happy, sad = Emotion.NEUTRAL, Emotion.HAPPY, Emotion.SAD
    zero_shot = ("/inference_zero_shot", {"tts_text": TEXT, "prompt_text": NEUTRAL_TEXT}, wav)
    assert asked("xiaolin", neutral, emotion="auto") == zero_shot
    assert asked("xiaolin", sad, emotion="none") == zero_shot
    assert asked("xiaolin", happy, emotion="auto")[1]["prompt_text"] == HAPPY_TEXT
    told = "用伤心的语气说这句话"
    instruct = ("/inference_instruct2", {"tts_text": TEXT, "instruct_text": told + end}, wav)
    assert asked("xiaolin", sad, emotion="auto") == instruct
    assert asked("xiaolin", sad, emotion="instructions", adds_marker=True)[1]["instruct_text"] == told
    assert asked("laowang", neutral) == ("/inference_cross_lingual", {"tts_text": TEXT}, wav)
    assert asked("cmn+f1", neutral) == ("/inference_sft", {"tts_text": TEXT, "spk_id": "cmn+f1"}, set())
    v3: dict[str, Any] = {"generation": "v3", "emotion": "instructions"}
    assert asked("xiaolin", neutral, **v3)[1]["prompt_text"] == f"{system}{end}{NEUTRAL_TEXT}"
    assert asked("laowang", neutral, **v3)[1]["tts_text"] == f"{system}{end}{TEXT}"
    assert asked("xiaolin", sad, **v3)[1]["instruct_text"] == f"{system} 请伤心地说一句话。{end}"


def test_cosyvoice_takes_no_instruction_without_a_clip(bench: Bench) -> None:
    with SpeechServer() as server, pytest.raises(EngineError, match="voice cmn\\+f1 has no clip, and CosyVoice takes"):
        bench.at(server, COSY, emotion="instructions").synthesise(emotional(Emotion.SAD, engine=COSY))


@pytest.mark.parametrize(("name", "server_settings"), [(COSY, {}), (OPENAI, {"chunk_characters": 40})])
def test_long_texts_go_in_pieces_and_come_back_in_order(
    bench: Bench, name: str, server_settings: dict[str, Any]
) -> None:
    with SpeechServer() as server:
        raw = bench.at(server, name, **server_settings).synthesise(request(name, text=LONG))
    sent = [asked.fields["input" if name == OPENAI else "tts_text"] for asked in server.seen.asked]
    assert "".join(sent) == LONG and len(sent) > 1
    assert max(map(len, sent)) <= (40 if name == OPENAI else 100)
    spoken = np.concatenate([speak(piece, "cmn+f1") for piece in sent])
    np.testing.assert_array_equal(to_pcm16(raw.samples), to_pcm16(spoken))


def test_a_server_that_splits_itself_gets_the_whole_text(bench: Bench) -> None:
    with SpeechServer() as server:
        bench.at(server, OPENAI).synthesise(request(text=LONG))
    assert [asked.fields["input"] for asked in server.seen.asked] == [LONG]


# -- what goes wrong --------------------------------------------------------------------------------


BOTH = (
    pytest.param(OPENAI, {}, id="openai-wav"),
    pytest.param(OPENAI, {"response_format": "flac"}, id="openai-flac"),
    pytest.param(OPENAI, {"response_format": "pcm", "sample_rate_hz": RATE_HZ}, id="openai-pcm"),
    pytest.param(COSY, {}, id="cosyvoice"),
)


@pytest.mark.parametrize(("name", "form"), BOTH)
@pytest.mark.parametrize("kind", ["429", "500", "empty", "html", "json", "cut", "odd"])
def test_what_can_be_mended_by_asking_again_is(bench: Bench, name: str, form: dict[str, Any], kind: Any) -> None:
    with SpeechServer(lambda number: Fault(kind, seconds=0.01) if number < 2 else None) as server:
        raw = bench.at(server, name, **form).synthesise(request(name))
        assert server.requests == 3
    np.testing.assert_array_equal(to_pcm16(raw.samples), to_pcm16(HEARD))


@pytest.mark.parametrize(("name", "form"), BOTH)
def test_what_does_not_answer_in_time_is_asked_again(bench: Bench, name: str, form: dict[str, Any]) -> None:
    hangs = 2 if form.get("response_format") == "pcm" else 1
    with SpeechServer(lambda number: Fault("hang", seconds=30.0) if number < hangs else None) as server:
        raw = bench.at(server, name, {"timeout_s": 3.0}, **form).synthesise(request(name))
        assert server.requests == hangs + 1
    np.testing.assert_array_equal(to_pcm16(raw.samples), to_pcm16(HEARD))


@pytest.mark.parametrize(
    ("name", "form"), [(OPENAI, {}), (OPENAI, {"response_format": "flac"})], ids=["openai-wav", "openai-flac"]
)
def test_a_header_that_promises_more_than_came_is_asked_again(bench: Bench, name: str, form: dict[str, Any]) -> None:
    with SpeechServer(lambda number: Fault("cut_body") if number == 0 else None) as server:
        raw = bench.at(server, name, **form).synthesise(request(name))
        assert server.requests == 2
    assert len(raw.samples) == len(HEARD)


def test_headerless_samples_that_lack_their_end_are_seen_by_their_length(bench: Bench) -> None:
    with SpeechServer(lambda number: Fault("cut_body")) as server:
        engine = bench.at(server, OPENAI, response_format="pcm", sample_rate_hz=RATE_HZ)
        with pytest.raises(EngineError, match=r"openai-speech, voice cmn\+f1: .* words are missing"):
            engine.synthesise(request(text=LONG))


@pytest.mark.parametrize(("name", "form"), BOTH)
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("empty", "4 tries, the last time: status 200 with an empty body"),
        ("html", "4 tries, the last time: status 200 with text instead of audio: 网关 gateway"),
        ("json", "4 tries, the last time: status 200 with text instead of audio: out of order"),
        ("500", "4 tries, the last time: status 500: out of order"),
        ("429", "4 tries, the last time: status 429: busy"),
        ("cut", "4 tries, the last time: the connection broke"),
    ],
)
def test_what_stays_wrong_is_told(bench: Bench, name: str, form: dict[str, Any], kind: Any, told: str) -> None:
    with SpeechServer(lambda number: Fault(kind, seconds=0.01)) as server:
        with pytest.raises(EngineError, match=told) as error:
            bench.at(server, name, **form).synthesise(request(name))
        assert server.requests == 4
    assert "speech.server" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_a_refused_question_is_not_asked_again(bench: Bench, name: str) -> None:
    fault = Fault("status", status=400, message="voice 不存在")
    with SpeechServer(lambda number: fault if number == 0 else None) as server:
        refused, fine = all_of(bench.at(server, name), request(name), request(name, text="我们走吧。"))
    assert sorted(type(one).__name__ for one in (refused, fine)) == ["EngineError", "RawSpeech"]
    error = refused if isinstance(refused, EngineError) else fine
    assert f"{name}, voice cmn+f1: endpoint 'speech.server' refused the question (status 400: voice 不存在)" in str(
        error
    )
    assert server.requests == 2


@pytest.mark.parametrize("name", [OPENAI, COSY])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_stops_everything_and_says_where_it_leads(
    bench: Bench, name: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a proxy that wants https: every question would be refused one by one."""
    monkeypatch.setenv("SPEECH_KEY", SECRET)
    moved = f"https://anna:pass@tts.example:8443/v1/audio/speech?key={SECRET}#top"
    with SpeechServer(lambda number: Fault("status", status=status, location=moved)) as server:
        engine = bench.at(server, name, {"max_in_flight": 1, "api_key_env": "SPEECH_KEY"})
        errors = all_of(engine, request(name), request(name, text="我们走吧。"))
        assert server.requests == 1
        url = server.openai_url if name == OPENAI else server.cosyvoice_url
    assert [type(one) for one in errors] == [EndpointError, EndpointError]
    assert str(errors[0]) == (
        f"endpoint 'speech.server' ({url}) redirects to https://tts.example:8443 (status {status}), which is not "
        "followed; correct base_url, then run the same command again"
    )


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_a_server_that_sends_the_first_look_elsewhere_is_not_believed(bench: Bench, name: str) -> None:
    told = r"redirects to https://tts\.example \(status 307\).*correct base_url"
    with SpeechServer(list_moved_to="https://tts.example/v1/models") as server, pytest.raises(EngineError, match=told):
        asyncio.run(bench.at(server, name).open())


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_a_list_that_lies_elsewhere_on_the_server_says_nothing_about_speech(bench: Bench, name: str) -> None:
    with SpeechServer(list_moved_to="/docs/") as server:
        (raw,) = all_of(bench.at(server, name), request(name))
    assert isinstance(raw, RawSpeech)


@pytest.mark.parametrize("status", [201, 202, 206])
def test_another_success_than_200_is_asked_again(bench: Bench, status: int) -> None:
    fault = Fault("status", status=status, message="已排队")
    with SpeechServer(lambda number: fault if number < 2 else None) as server:
        bench.at(server, OPENAI).synthesise(request())
        assert server.requests == 3
    with SpeechServer(lambda number: fault) as server:
        errors = all_of(bench.at(server, OPENAI, {"retries": 0}), *(request(text=f"{n}" + TEXT) for n in "一二三"))
    told = f"is down: 3 questions in a row got no answer, .* the last time: status {status} instead of 200 with audio"
    assert all(isinstance(one, EndpointError) for one in errors)
    assert re.search(told, str(errors[0]))


@pytest.mark.parametrize(("name", "form"), BOTH)
def test_a_wrong_rate_stops_everything(bench: Bench, name: str, form: dict[str, Any]) -> None:
    with SpeechServer(lambda number: Fault("rate")) as server:
        engine = bench.at(server, name, **({"sample_rate_hz": RATE_HZ} | form))
        (error,) = all_of(engine, request(name))
        assert isinstance(error, EndpointError)
        assert "sampled at 16000 Hz, not at 22050 Hz; correct sample_rate_hz" in str(error)
        assert server.requests == 1
        with pytest.raises(EngineError, match="sampled at 16000 Hz"):
            engine.synthesise(request(name))


def test_an_mp3_is_no_wav(bench: Bench) -> None:
    with SpeechServer(lambda number: Fault("mp3")) as server:
        (error,) = all_of(bench.at(server, OPENAI), request())
    assert isinstance(error, EndpointError) and "answers come as mp3, not as wav" in str(error)


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_silence_is_no_speech(bench: Bench, name: str) -> None:
    told = f"{name}, voice cmn\\+f1: only silence came out for '{TEXT}'"
    with SpeechServer(lambda number: Fault("silence")) as server, pytest.raises(EngineError, match=told):
        bench.at(server, name).synthesise(request(name))


@pytest.mark.parametrize("fault", [Fault("tensor"), Fault("500", message="Invalid file: tensor([[0.0]])")])
def test_the_fault_of_the_official_head_is_explained(bench: Bench, fault: Fault) -> None:
    told = r"hands the model a tensor where a path is expected.*docs/speech-servers"
    with SpeechServer(lambda number: fault) as server, pytest.raises(EngineError, match=told):
        bench.at(server, COSY).synthesise(request(COSY, voice="xiaolin"))


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_nobody_there(bench: Bench, name: str) -> None:
    url = unused_url()
    engine = bench.engine(name, url)
    with pytest.raises(EngineError, match=r"cannot be reached .* start the server or correct base_url") as told:
        asyncio.run(engine.open())
    assert url in str(told.value)
    with pytest.raises(EngineError, match="cannot be reached"):
        engine.synthesise(request(name))


def test_another_model_is_served(bench: Bench) -> None:
    told = f"no model is called '{MODEL}' there, but Qwen3-TTS, kokoro; correct"
    with SpeechServer(models=("Qwen3-TTS", "kokoro")) as server, pytest.raises(EngineError, match=told):
        asyncio.run(bench.at(server, OPENAI).open())


def test_a_server_too_busy_to_list_its_models_is_believed(bench: Bench) -> None:
    with SpeechServer(models=("kokoro",), deaf_s=60.0) as server:
        (raw,) = all_of(bench.at(server, OPENAI, {"timeout_s": 4.0}), request())
    assert isinstance(raw, RawSpeech)


def test_another_server_than_cosyvoices(bench: Bench) -> None:
    told = "it is not CosyVoice's own server; correct base_url"
    with SpeechServer(cosyvoice=False) as server, pytest.raises(EngineError, match=told):
        asyncio.run(bench.at(server, COSY).open())


def test_a_wrong_path_is_told(bench: Bench) -> None:
    with SpeechServer() as server:
        (error,) = all_of(bench.engine(OPENAI, f"{server.url}/v2"), request())
        assert isinstance(error, EndpointError) and "mostly ends in /v1" in str(error)
        (error,) = all_of(bench.engine(COSY, f"{server.url}/v1"), request(COSY))
        assert isinstance(error, EndpointError) and "http://HOST:50000, without a path" in str(error)


# -- keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_the_key_comes_from_the_environment_late(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPEECH_KEY", raising=False)
    with SpeechServer(key=SECRET) as server:
        engine = bench.at(server, name, {"api_key_env": "SPEECH_KEY"})
        assert engine.version and engine.voices()
        with pytest.raises(EngineError, match="SPEECH_KEY, which is not set; run: export SPEECH_KEY="):
            engine.synthesise(request(name))
        assert server.requests == 0
        monkeypatch.setenv("SPEECH_KEY", SECRET)
        assert len(engine.synthesise(request(name)).samples) == len(HEARD)
        assert server.seen.asked[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_a_wrong_key_is_told_without_showing_it(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_KEY", SECRET)
    with SpeechServer(key="another") as server:
        engine = bench.at(server, name, {"api_key_env": "SPEECH_KEY"})
        with pytest.raises(EngineError, match="does not accept the key in SPEECH_KEY") as told:
            engine.synthesise(request(name))
        assert server.requests == 1
    assert SECRET[:8] not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("kind", ["500", "json"])
def test_a_server_that_quotes_the_key_does_not_get_it_into_errors(
    bench: Bench, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECH_KEY", SECRET)
    fault = Fault(kind, message="错误的密钥 {key}")
    with SpeechServer(lambda number: fault) as server:
        engine = bench.at(server, OPENAI, {"api_key_env": "SPEECH_KEY"})
        with pytest.raises(EngineError, match=r"错误的密钥 \[key\]$") as told:
            engine.synthesise(request())
    assert SECRET[-6:] not in "".join(traceback.format_exception(told.value))


# -- pace, budget -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [OPENAI, COSY])
def test_never_more_questions_at_a_time_than_allowed(bench: Bench, name: str) -> None:
    requests = [request(name, text=f"我已经等了{word}个小时。") for word in "一二三四五六七八九十"]
    with SpeechServer(latency_s=0.02) as server:
        spoken = all_of(bench.at(server, name, {"max_in_flight": 3, "start_in_flight": 1}), *requests)
    assert all(isinstance(one, RawSpeech) for one in spoken)
    assert 1 < server.seen.most_in_flight <= 3


def test_too_many_requests_make_it_slower_and_all_are_answered(bench: Bench) -> None:
    """A server that refuses whatever is the fourth at a time or later."""
    requests = [request(text=f"第{number}次了，你听见没有？") for number in range(24)]

    with SpeechServer(latency_s=0.02, capacity=3) as server:
        engine = bench.at(server, OPENAI, {"max_in_flight": 16, "start_in_flight": 16, "retries": 20})
        limits: list[int] = []

        async def work() -> list[Any]:
            await engine.open()
            spoken = await asyncio.gather(
                *(engine.synthesise_remotely(one) for one in requests), return_exceptions=True
            )
            limits.append(engine.concurrency[1])
            await engine.close()
            return spoken

        spoken = asyncio.run(work())
    assert all(isinstance(one, RawSpeech) for one in spoken)
    assert server.seen.refused > 0 and limits[0] < 16


def test_answers_belong_to_their_questions(bench: Bench) -> None:
    texts = [f"{word}点钟，公园门口见。" for word in "一二三四五六七八九十"]
    with SpeechServer(latency_s=0.01) as server:
        spoken = all_of(bench.at(server, OPENAI), *(request(text=text) for text in texts))
    for text, raw in zip(texts, spoken, strict=True):
        assert isinstance(raw, RawSpeech)
        np.testing.assert_array_equal(to_pcm16(raw.samples), to_pcm16(speak(text, "cmn+f1")))


def test_three_questions_without_an_answer_are_a_server_that_is_down(bench: Bench) -> None:
    with SpeechServer(lambda number: Fault("500")) as server:
        errors = all_of(bench.at(server, OPENAI, {"retries": 1}), *(request(text=f"{n}" + TEXT) for n in "一二三四五"))
    assert all(isinstance(one, EndpointError) for one in errors)
    assert "is down: 3 questions in a row got no answer" in str(errors[0])


def test_the_budget_ends_it(bench: Bench) -> None:
    more: dict[str, Any] = {"budget": {"cost": 0.03}, "price_per_million_characters": 1000.0}
    with SpeechServer() as server:
        spoken = all_of(bench.at(server, OPENAI, {"max_in_flight": 1}, **more), *(request(text=TEXT) for _ in range(4)))
    assert [type(one).__name__ for one in spoken] == ["RawSpeech", "RawSpeech", "EndpointError", "EndpointError"]
    assert "the budget of 0.03 (cost) is used up" in str(spoken[2]) and server.requests == 2
