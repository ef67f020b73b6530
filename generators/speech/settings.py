"""The ``speech`` section of a configuration: engine, level, silences and who has which voice."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from data_schemas.base import Record
from data_schemas.tasks import Language


class CastingSettings(Record):
    """How an engine's voices are shared out per language. Every voice belongs to one split only."""

    #: voices to use, per language; empty: all the engine declares
    voices: dict[Language, tuple[str, ...]] = Field(default_factory=dict)
    #: at most this many user voices in train and in dev, per language
    train_users: int = Field(default=4, ge=1)
    dev_users: int = Field(default=2, ge=1)
    #: assistant voices per split and language
    assistants: int = Field(default=1, ge=1)


class SpeechSettings(Record):
    """How utterances are spoken and brought to one form."""

    engine: str = "kokoro"
    #: integrated loudness of every utterance (EBU R 128 target level)
    loudness_lufs: float = Field(default=-23.0, ge=-40.0, le=-10.0)
    #: silence kept before the first and after the last sound
    edge_silence_ms: int = Field(default=80, ge=0, le=1000)
    #: full duplex: a longer silence inside an utterance is shortened to this. FORMATS.md B.6: up to
    #: 0.6 s is one segment for the consumers; the margin covers a VAD that hears soft edges as silence
    max_inner_silence_ms: int = Field(default=350, ge=100, le=600)
    #: tempo for engines that have the control; 1 is the engine's own
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    casting: CastingSettings = CastingSettings()

    @model_validator(mode="after")
    def _edges_fit(self) -> Self:
        if 2 * self.edge_silence_ms > self.max_inner_silence_ms * 2:
            raise ValueError("edge_silence_ms must not exceed max_inner_silence_ms")
        return self
