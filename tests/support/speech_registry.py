"""A registry of voices for servers, with clips that espeak spoke."""

from __future__ import annotations

from pathlib import Path

import yaml

from data_schemas.foundation.audio import write_wav
from tests.support.speech_server import RATE_HZ, speak

NEUTRAL_TEXT = "今天下午三点，我们在图书馆门口见面，然后一起去看新开的展览。"
HAPPY_TEXT = "太好了，我终于拿到了那张盼了很久的演唱会门票，真想马上告诉你！"
ENGLISH_TEXT = "We will meet in front of the library at three, and then see the new exhibition together."


def write_registry(folder: Path, engine: str) -> Path:
    """Voices ``xiaolin`` (zh, clips neutral and happy), ``laowang`` (zh, an English clip), ``anna`` (en, a clip), and
    ``cmn+f1`` and ``en-us+m1`` (the server's own)."""
    clips = {
        "xiaolin/neutral.wav": (NEUTRAL_TEXT, "cmn+f4"),
        "xiaolin/happy.wav": (HAPPY_TEXT, "cmn+f1"),
        "laowang/english.wav": (ENGLISH_TEXT, "en-us+m3"),
        "anna/neutral.wav": (ENGLISH_TEXT, "en-us+f1"),
    }
    for name, (text, voice) in clips.items():
        write_wav(folder / name, speak(text, voice), RATE_HZ)

    def clip(name: str, emotion: str) -> dict[str, str]:
        return {"file": name, "text": clips[name][0], "emotion": emotion}

    def voice(name: str, language: str, gender: str, *recorded: dict[str, str]) -> dict[str, object]:
        return {
            "id": name,
            "engine": engine,
            "language": language,
            "gender": gender,
            "license": "CC0-1.0",
            "origin": "synthetic: espeak",
            "clips": list(recorded),
        }

    voices = [
        voice("xiaolin", "zh", "female", clip("xiaolin/neutral.wav", "neutral"), clip("xiaolin/happy.wav", "happy")),
        voice("laowang", "zh", "male", clip("laowang/english.wav", "neutral")),
        voice("anna", "en", "female", clip("anna/neutral.wav", "neutral")),
        voice("cmn+f1", "zh", "female"),
        voice("en-us+m1", "en", "male"),
    ]
    path = folder / "voices.yaml"
    path.write_text(yaml.safe_dump({"voices": voices}, allow_unicode=True), encoding="utf-8")
    return path
