"""The ``speech`` section of a configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from data_schemas.foundation.base import Record
from generators.speech.cosyvoice.settings import CosyVoiceSettings
from generators.speech.servers.settings import SpeechServerSettings
from generators.speech.voices.casting import CastingSettings

#: EBU R 128: programme loudness.
DEFAULT_LUFS = -23.0
#: What both engines can do without garbling.
MIN_SPEED = 0.5
MAX_SPEED = 2.0


class SpeechSettings(Record):
    """Which engine speaks, how loud, how fast, with how much silence, and who is cast."""

    #: name of a speech engine; ``humdial doctor`` lists those installed
    engine: str = "kokoro"
    #: integrated loudness of every utterance, LUFS (ITU-R BS.1770); lower where the true peak would pass -1 dBFS
    loudness_lufs: float = Field(default=DEFAULT_LUFS, ge=-40.0, le=-12.0)
    #: silence before the first and after the last sound of an utterance, milliseconds
    edge_silence_ms: int = Field(default=50, ge=0, le=1000)
    #: full duplex only: longer silences inside an utterance are shortened to this, milliseconds. The
    #: challenge's scripts split a segment at more than 600 ms as its voice detector sees it (FORMATS.md B.6)
    max_inner_silence_ms: int = Field(default=400, ge=100, le=600)
    #: speaking rate relative to the voice's own
    speed: float = Field(default=1.0, ge=MIN_SPEED, le=MAX_SPEED)
    #: speaking rate before a hesitation relative to ``speed``, where the engine can. CHOICE: 1.0, since 0.9 lengthens
    #: Kokoro's last syllable by 15 to 30 ms but lowers its pitch more, see `generators.speech.requests.unfinished`
    hesitation_speed: float = Field(default=1.0, ge=MIN_SPEED, le=1.0)
    #: voices of one's own: a registry file, see docs/voices.md; relative to the directory humdial runs in
    voices: str | None = None
    #: kokoro: the pinned mixtures of its voices too, see docs/voices.md
    kokoro_mixes: bool = False
    #: how engines without emotion of their own come to it: ``prosody`` changes pitch, tempo and energy afterwards
    expression: Literal["prosody", "off"] = "prosody"
    #: ``auto``: for vocal tags that the engine cannot voice, sounds of the project's own, where it has one
    sounds: Literal["auto", "off"] = "auto"
    #: Track 1: ``voiced`` speaks the assistant's replies too
    responses: Literal["text", "voiced"] = "text"
    #: how often an utterance is spoken at most until the judges hear its text
    tries: int = Field(default=3, ge=1, le=10)
    #: engine ``cosyvoice``
    cosyvoice: CosyVoiceSettings | None = None
    #: engines ``cosyvoice-http`` and ``openai-speech``
    server: SpeechServerSettings | None = None
    #: what an engine of another package is configured with; handed to it unseen
    options: dict[str, Any] = Field(default_factory=dict)
    #: which voices are users and assistants of which split
    casting: CastingSettings = CastingSettings()
