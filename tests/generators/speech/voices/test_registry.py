"""The voice registry: what is read, what is refused and in which words, what a digest depends on."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.emotions import Emotion
from data_schemas.speakers import AgeBand, MixPart, ReferenceClip, Voice
from data_schemas.tasks import Language
from generators.speech.engine import EngineError
from generators.speech.voices.registry import clip_notes, clip_path, load_voices, voice_digest

ENGINE = "cosyvoice"
RATE = 24_000


def record(path: Path, seconds: float = 6.0, rate: int = RATE, channels: int = 1, peak: float = 0.3) -> Path:
    """A tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * rate)) / rate
    tone = peak * np.sin(2 * np.pi * 220.0 * times)
    soundfile.write(path, np.repeat(tone[:, np.newaxis], channels, axis=1), rate)
    return path


def lin(**changes: Any) -> dict[str, Any]:
    """A cloned voice as a file lists it."""
    return {
        "id": "林小满",
        "engine": ENGINE,
        "language": "zh",
        "gender": "female",
        "age": "young",
        "license": "CC-BY-4.0",
        "origin": "recorded 2026-10 by 林小满, who agreed in writing to synthesis and publication",
        "clips": [{"file": "clips/林小满.wav", "text": "窗台上的向日葵开了，屋子里亮堂堂的。"}],
    } | changes


def write(folder: Path, *voices: Any) -> Path:
    record(folder / "clips" / "林小满.wav")
    path = folder / "voices.yaml"
    path.write_text(yaml.safe_dump({"voices": list(voices)}, allow_unicode=True), encoding="utf-8")
    return path


def test_a_cloned_voice_is_read_with_the_hash_of_its_clip(tmp_path: Path) -> None:
    path = write(tmp_path, lin())
    (voice,) = load_voices(path, ENGINE)
    assert (voice.id, voice.language, voice.age) == ("林小满", Language.ZH, AgeBand.YOUNG)
    (clip,) = voice.clips
    assert clip.emotion is Emotion.NEUTRAL
    assert clip.sha256 == hashlib.sha256((tmp_path / "clips" / "林小满.wav").read_bytes()).hexdigest()
    assert clip_path(path, clip) == tmp_path / "clips" / "林小满.wav"


def test_only_the_voices_of_the_engine_are_read_and_their_clips_alone(tmp_path: Path) -> None:
    other = {"id": "Vivian", "engine": "openai-speech", "language": "en", "gender": "female", "license": "Apache-2.0"}
    broken = lin(id="其他", engine="other", clips=[{"file": "missing.wav", "text": "没有这个文件"}])
    path = write(tmp_path, lin(), other, broken)
    assert [voice.id for voice in load_voices(path, "openai-speech")] == ["Vivian"]
    assert [voice.id for voice in load_voices(path, ENGINE)] == ["林小满"]
    with pytest.raises(EngineError, match=r"voices\.yaml: no voice has engine: kokoro; add one"):
        load_voices(path, "kokoro")


def one_clip(**changes: Any) -> list[dict[str, Any]]:
    return [{"file": "clips/林小满.wav", "text": "窗台上的向日葵开了。"} | changes]


@pytest.mark.parametrize(
    ("voice", "problem"),
    [
        (lin(pitch=2), r"voice 林小满: pitch: unknown key"),
        (lin(gender="woman"), r"voice 林小满: gender"),
        (lin(age="ancient"), r"voice 林小满: age"),
        (lin(language="yue"), r"voice 林小满: language"),
        (lin(license=""), r"voice 林小满: license"),
        (lin(id="../林小满"), r"voice \.\./林小满: id"),
        (lin(origin="  "), r"voice 林小满: origin is missing; say .* who agreed"),
        (lin(clips=one_clip(text=" ")), r"voice 林小满: clips\.0\.text"),
        (lin(clips=one_clip(loudness=3)), r"voice 林小满: clips\.0\.loudness: unknown key"),
        (lin(clips=one_clip(emotion="joy")), r"voice 林小满: clips\.0\.emotion"),
        (lin(clips=one_clip(sha256="0" * 64)), r"clip clips/林小满\.wav: sha256 is .*, not 000.*; put the right"),
        (lin(clips=one_clip(file="没有.wav")), r"clip 没有\.wav: cannot be read \(No such file"),
        (lin(clips=one_clip(file="../secret.wav")), r"clip \.\./secret\.wav lies outside the registry's folder"),
        (lin(clips=one_clip() * 2), r"voice 林小满: .*two clips of one emotion"),
        (lin(mix=[{"voice": "a", "weight": 0.5}, {"voice": "b", "weight": 0.5}]), r"has clips and mix"),
        (lin(clips=[], mix=[{"voice": "a", "weight": 0.5}, {"voice": "b", "weight": 0.6}]), r"must add up to 1"),
        ("林小满", r"voice number 1"),
    ],
)
def test_what_is_wrong_is_said_with_file_voice_and_field(tmp_path: Path, voice: Any, problem: str) -> None:
    record(tmp_path / "secret.wav")
    path = write(tmp_path / "voices", voice)
    with pytest.raises(EngineError, match=problem) as caught:
        load_voices(path, ENGINE)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"voice 林小满: stands there twice"):
        load_voices(write(tmp_path, lin(), lin(language="en")), ENGINE)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"voices: [\xff]", r"yaml:1: is not UTF-8 text"),
        (b"voices:\n- id: a\n  id: b\n", r"yaml:3: voices\.0\.id stands there twice, first in line 2"),
        (b"voices: [", r"yaml:1: not valid YAML"),
        (b"!!python/object/apply:os.getcwd []", r"yaml:1: not valid YAML.*only plain values"),
        (b"voices: []\nspeakers: []", "must hold one key, voices"),
        (b"- id: x", "must hold one key, voices"),
        (b"voices: []", "no voice has engine: cosyvoice"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: bytes, problem: str) -> None:
    path = tmp_path / "voices.yaml"
    path.write_bytes(text)
    with pytest.raises(EngineError, match=problem):
        load_voices(path, ENGINE)


def test_a_missing_registry_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"没有\.yaml: cannot be read .*; correct speech\.voices"):
        load_voices(tmp_path / "没有.yaml", ENGINE)


def truncated(kind: str) -> Callable[[Path], None]:
    """Makes a file that breaks off in the middle."""

    def spoil(path: Path) -> None:
        buffer = io.BytesIO()
        soundfile.write(buffer, np.random.default_rng(1).normal(0, 0.1, 6 * RATE), RATE, format=kind)
        path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])

    return spoil


def test_a_wav_file_written_to_a_pipe_is_taken(tmp_path: Path) -> None:
    """Its header holds the largest size, because the writer did not know the right one."""
    path = write(tmp_path, lin())
    recording = tmp_path / "clips" / "林小满.wav"
    data = bytearray(recording.read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    recording.write_bytes(data)
    assert load_voices(path, ENGINE)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: record(path, rate=8000), "is sampled at 8000 Hz; record it again at 16000 Hz or more"),
        (lambda path: record(path, seconds=30.5), "lasts 30.5 s; cut it"),
        (lambda path: record(path, channels=3), "has 3 channels; save it in mono"),
        (lambda path: record(path, peak=0.0), "is silent"),
        (lambda path: path.write_text("没有声音", encoding="utf-8"), "is no readable recording"),
        (lambda path: path.write_bytes(b""), "is no readable recording"),
        (truncated("FLAC"), "is no readable recording"),
        (truncated("WAV"), "breaks off after 3.0 s; save it again"),
        (truncated("MP3"), "breaks off after 2.9 s; save it again"),
    ],
)
def test_recordings_that_no_engine_can_use_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    path = write(tmp_path, lin())
    spoil(tmp_path / "clips" / "林小满.wav")
    with pytest.raises(EngineError, match=problem) as caught:
        load_voices(path, ENGINE)
    assert "voice 林小满, clip clips/林小满.wav" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_recording_of_floats_that_are_not_numbers_is_refused(tmp_path: Path, value: float) -> None:
    path = write(tmp_path, lin())
    tone = 0.3 * np.sin(np.arange(6 * RATE) / 9)
    tone[RATE] = value
    soundfile.write(tmp_path / "clips" / "林小满.wav", tone, RATE, subtype="FLOAT")
    told = r"voice 林小满, clip clips/林小满\.wav: holds values that are not numbers; save it again"
    with pytest.raises(EngineError, match=told):
        load_voices(path, ENGINE)


def test_a_headerless_recording_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, lin(clips=one_clip(file="clips/林小满.raw")))
    (tmp_path / "clips" / "林小满.raw").write_bytes(b"\1\2" * RATE)
    told = r"voices\.yaml: voice 林小满, clip clips/林小满\.raw: is no readable recording .*; save it as WAV or FLAC"
    with pytest.raises(EngineError, match=told):
        load_voices(path, ENGINE)


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_rates_and_channels_at_the_edge_are_taken(tmp_path: Path, rate: int, channels: int) -> None:
    path = write(tmp_path, lin())
    record(tmp_path / "clips" / "林小满.wav", seconds=30.0, rate=rate, channels=channels)
    assert load_voices(path, ENGINE)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "voices", lin(clips=one_clip(file="clips/link.wav")))
    (tmp_path / "voices" / "clips" / "link.wav").symlink_to(record(tmp_path / "secret.wav"))
    with pytest.raises(EngineError, match="lies outside"):
        load_voices(path, ENGINE)


@pytest.mark.parametrize(
    ("seconds", "peak", "emotion", "note"),
    [
        (3.0, 0.3, "neutral", "lasts 3.0 s; one sentence of 5 to 13 s clones best"),
        (14.0, 0.3, "neutral", "lasts 14.0 s"),
        (6.0, 1.2, "neutral", "is clipped"),
        (6.0, 0.3, "happy", "has no neutral clip"),
        (6.0, 0.3, "neutral", None),
    ],
)
def test_usable_clips_that_could_be_better_are_noted(
    tmp_path: Path, seconds: float, peak: float, emotion: str, note: str | None
) -> None:
    path = write(tmp_path, lin(clips=one_clip(emotion=emotion)))
    record(tmp_path / "clips" / "林小满.wav", seconds=seconds, peak=peak)
    notes = clip_notes(path, load_voices(path, ENGINE))
    assert len(notes) == (note is not None)
    assert all(str(note) in one and "林小满" in one for one in notes)


# --- digest


def clip(
    sha256: str = "a" * 64, text: str = "你好", emotion: Emotion = Emotion.NEUTRAL, file: str = "a.wav"
) -> ReferenceClip:
    return ReferenceClip(file=file, text=text, sha256=sha256, emotion=emotion)


def voice(*clips: ReferenceClip, mix: tuple[MixPart, ...] = (), origin: str = "") -> Voice:
    return Voice(
        id="v", engine=ENGINE, language=Language.ZH, gender="male", license="MIT", clips=clips, mix=mix, origin=origin
    )


def test_a_digest_changes_with_what_is_heard_and_with_nothing_else() -> None:
    sad = clip("b" * 64, emotion=Emotion.SAD)
    digest = voice_digest(voice(clip(), sad))
    assert digest == voice_digest(voice(sad, clip(file="elsewhere/a.wav"), origin="told since"))
    others = {
        voice_digest(voice(clip())),
        voice_digest(voice(clip(text="您好"), sad)),
        voice_digest(voice(clip("c" * 64), sad)),
        voice_digest(voice(clip(), clip("b" * 64, emotion=Emotion.FEAR))),
    }
    assert len(others) == 4 and digest not in others and None not in others
    assert voice_digest(voice()) is None


@given(weight=st.integers(1, 99))
def test_the_digest_of_a_mixture_is_its_shares(weight: int) -> None:
    first, second = MixPart(voice="a", weight=weight / 100), MixPart(voice="b", weight=1 - weight / 100)
    digest = voice_digest(voice(mix=(first, second)))
    assert digest == voice_digest(voice(mix=(second, first)))
    swapped = (MixPart(voice="b", weight=first.weight), MixPart(voice="a", weight=second.weight))
    assert (digest == voice_digest(voice(mix=swapped))) == (weight == 50)
