"""What a microphone did to the user's channel: rooms, positions, levels, echo, noise, telephone.

Metres, seconds, decibels and hertz as the names say. Everything is drawn by name before any audio
exists, except what only audio can tell (`Noise.gain_db`, `Microphone.floor_dbfs`), which the mixer fills in.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from data_schemas.foundation.base import Record
from data_schemas.tasks import Role

#: x, y, z from a corner of the room
Position = tuple[float, float, float]


class Room(Record):
    """A rectangular room of the bank."""

    index: int = Field(ge=0)
    size_m: Position
    rt60_s: float = Field(gt=0.0)
    microphone_m: Position


class Talker(Record):
    """A person heard through the room.

    ``level_db`` is relative to the user's speech at the microphone: what the placements of the role are scaled by (the
    loudest, where they differ). The response of the room itself has energy 1.
    """

    role: Role
    position_m: Position
    distance_m: float = Field(gt=0.0)
    level_db: float
    #: samples after the end of an utterance until its reverberation is cut off
    tail: int = Field(ge=0)


class Echo(Record):
    """The assistant's voice leaking from the loudspeaker into the microphone; ``level_db`` against its own channel."""

    level_db: float
    delay: int = Field(ge=0)  # samples
    #: of the loudspeaker in the scene's room; None: no room, the echo is a delayed copy
    position_m: Position | None = None
    distance_m: float | None = Field(default=None, gt=0.0)
    #: samples by which the room outlasts the assistant's voice
    tail: int = Field(default=0, ge=0)


class NoiseKind(StrEnum):
    STATIONARY = "stationary"
    BABBLE = "babble"


class NoiseSpectrum(StrEnum):
    """Of stationary noise."""

    #: the long-term average spectrum of speech
    SPEECH = "speech"
    #: falling by 3 dB per octave
    PINK = "pink"


class Noise(Record):
    """Noise from the first to the last sample. ``snr_db`` compares the user's speech with it, both as mean power."""

    kind: NoiseKind
    snr_db: float
    #: what the noise source, of mean power 1, was scaled by: its level in dBFS; None until mixed
    gain_db: float | None = None
    #: stationary only
    spectrum: NoiseSpectrum | None = None
    #: names what the mixer draws for it: the samples of stationary noise, where each talker of babble begins
    seed: int = Field(default=0, ge=0)
    #: babble only: ids of the utterances it is made of
    talkers: tuple[str, ...] = ()


class Coding(StrEnum):
    """How ITU-T G.711 turns a sample into 8 bits."""

    MU_LAW = "mu-law"
    A_LAW = "a-law"


class Telephone(Record):
    """A narrow-band line: everything outside the band is removed, then companded as G.711 does."""

    low_hz: float = Field(gt=0.0)
    high_hz: float = Field(gt=0.0)
    coding: Coding


class Microphone(Record):
    """All that stands between the speakers and the user's file; a dry scene has none of it."""

    room: Room | None = None
    talkers: tuple[Talker, ...] = ()
    echo: Echo | None = None
    noises: tuple[Noise, ...] = ()
    telephone: Telephone | None = None
    #: loudest 50 ms frame of what is no labelled speech: noise, echo, reverberation (None: nothing, or not mixed yet)
    floor_dbfs: float | None = None

    @property
    def is_dry(self) -> bool:
        return not (self.room or self.echo or self.noises or self.telephone)

    def tail_of(self, role: Role) -> int:
        """Samples by which a role's sound outlasts its utterances."""
        return max((talker.tail for talker in self.talkers if talker.role is role), default=0)
