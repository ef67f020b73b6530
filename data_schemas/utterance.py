"""`Utterance`: one thing one speaker says, and the audio that says it."""

from __future__ import annotations

from pydantic import Field

from data_schemas.emotions import Emotion
from data_schemas.expression import Expression
from data_schemas.foundation.base import Record
from data_schemas.tasks import Language, Part, Role


class VocalSound(Record):
    """A sound of the project's own that stands where the script shows a tag and the engine has none."""

    #: the tag, e.g. ``[sigh]``
    tag: str
    #: characters of ``spoken_text`` that are said before it
    after: int = Field(ge=0)


class SpeechRequest(Record):
    """All that determines the samples of one utterance; its hash is the store key."""

    engine: str
    weights_sha256: str
    voice: str
    language: Language
    spoken_text: str = Field(min_length=1)  # normalised: no digits, and tags only where the engine voices them
    #: told to the engine; neutral where it cannot, see ``expression``
    emotion: Emotion = Emotion.NEUTRAL
    intensity: int = Field(default=0, ge=0, le=3)
    speed: float = Field(default=1.0, gt=0.0)
    seed: int = 0
    #: of what makes the voice besides the engine's weights (reference clips, shares of a mix); None: nothing does
    voice_sha256: str | None = None
    #: what the prosody step does afterwards; None: it is left out
    expression: Expression | None = None
    #: sounds put in afterwards, in the order of the text
    sounds: tuple[VocalSound, ...] = ()
    loudness_lufs: float
    edge_silence_ms: int = Field(ge=0)
    #: silence longer than this inside the utterance is shortened to it (FORMATS.md B.6); None keeps it
    max_inner_silence_ms: int | None = None


class WordTiming(Record):
    """Sample positions of a word inside its utterance."""

    text: str
    start: int = Field(ge=0)
    stop: int = Field(gt=0)


class Provenance(Record):
    """Where audio came from."""

    engine: str
    engine_version: str
    model: str
    weights_sha256: str
    license: str
    voice: str
    seed: int


class Utterance(Record):
    """Audio facts of one spoken line; the samples lie in the store under ``audio_key``."""

    id: str  # <plan id>/<position>
    role: Role
    speaker: str
    part: Part | None = None  # full duplex only
    text: str  # as scripted, tags shown
    request: SpeechRequest
    #: which try this is, from 1: judges send a misread utterance back (docs/speech.md)
    tries: int = Field(default=1, ge=1)
    audio_key: str
    sample_rate: int = Field(gt=0)
    num_samples: int = Field(gt=0)
    loudness_lufs: float
    peak_dbfs: float
    words: tuple[WordTiming, ...] = ()
    provenance: Provenance

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_samples / self.sample_rate
