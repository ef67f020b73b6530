"""The ``scenes.microphone`` section: which of the acoustic stages are off, on or drawn, and from what."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from data_schemas.acoustics import Coding, NoiseSpectrum
from data_schemas.foundation.base import Record
from generators.scenes.timing.distributions import DecibelRange, Uniform
from generators.scenes.use import Use

#: Sabine's constant 24 ln(10) / c in s/m at c = 343 m/s (ISO 3382-2)
SABINE_S_PER_M = 24.0 * float(np.log(10.0)) / 343.0
#: Nobody and nothing is nearer to a wall than this (CHOICE: a chair against the wall)
WALL_MARGIN_M = 0.5
#: The highest mouth of a room, standing, and the lowest place of a microphone (CHOICE); see `rooms`
HIGHEST_MOUTH_M = 1.7
LOWEST_MICROPHONE_M = 0.8


class MetreRange(Record):
    """Any length of ``[low_m, high_m)`` alike. In YAML: ``{low_m: 1.4, high_m: 4.0}``."""

    low_m: float = Field(gt=0.0)
    high_m: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_m > self.high_m:
            raise ValueError(f"low_m {self.low_m} is above high_m {self.high_m}")
        return self

    def sample(self, generator: np.random.Generator) -> float:
        return float(generator.uniform(self.low_m, self.high_m))


class CountRange(Record):
    """Any whole number of ``[low, high]`` alike. In YAML: ``{low: 3, high: 7}``."""

    low: int = Field(ge=1)
    high: int = Field(ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self

    def sample(self, generator: np.random.Generator) -> int:
        return int(generator.integers(self.low, self.high, endpoint=True))


class Stage(Record):
    """Something a microphone may add: ``off``, ``on`` (every scene), or ``drawn`` for a ``share`` of the scenes."""

    use: Use = "off"
    #: of the scenes, with ``use: drawn``
    share: float = Field(default=0.5, ge=0.0, le=1.0)


class RoomSettings(Stage):
    """The room that everybody but the user is heard through, from a bank of rooms that is computed once."""

    use: Use = "on"
    #: reverberation time. The rooms of the REVERB challenge (Kinoshita et al. 2016) have 0.25, 0.5 and 0.7 s; more than
    #: 0.5 s would sound into the next segment, which may be 0.65 s away (``min_segment_gap_s``)
    rt60: Uniform = Uniform(low_s=0.2, high_s=0.5)
    #: how many rooms the bank has, and how many places for a bystander each (CHOICE)
    rooms: int = Field(default=16, ge=1, le=1000)
    places: int = Field(default=3, ge=1, le=100)
    #: small offices and living rooms (CHOICE)
    length: MetreRange = MetreRange(low_m=4.5, high_m=7.0)
    width: MetreRange = MetreRange(low_m=3.5, high_m=5.5)
    height: MetreRange = MetreRange(low_m=2.5, high_m=3.2)
    #: from the microphone; -6 to -12 dB against a user at 0.7 m by the inverse distance law are 1.4 to 2.8 m, and
    #: social distance is 1.2 to 3.7 m (Hall 1966)
    third_party_distance: MetreRange = MetreRange(low_m=1.4, high_m=4.0)
    #: arm's length or less: a phone, a laptop (CHOICE)
    user_distance: MetreRange = MetreRange(low_m=0.3, high_m=0.8)
    #: from the loudspeaker that plays the assistant: a device of its own on the same table (CHOICE)
    loudspeaker_distance: MetreRange = MetreRange(low_m=0.2, high_m=0.8)
    #: the user is heard through the room, too; else as spoken, close to the microphone
    user: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.rt60.low_s <= 0.0:
            raise ValueError("rt60 must be above 0 s; for no room at all say use: off")
        size = (self.length.high_m, self.width.high_m, self.height.high_m)
        volume = float(np.prod(size))
        surface = 2.0 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
        shortest_s = SABINE_S_PER_M * volume / surface
        if self.rt60.low_s <= shortest_s:
            raise ValueError(
                f"rt60 may fall to {self.rt60.low_s} s; walls that swallow everything still give {shortest_s:.2f} s by "
                f"Sabine's formula in the largest room, {size[0]} x {size[1]} x {size[2]} m: make it smaller"
            )
        if self.height.low_m < HIGHEST_MOUTH_M + WALL_MARGIN_M:
            raise ValueError(f"height must be at least {HIGHEST_MOUTH_M + WALL_MARGIN_M} m: people stand in the room")
        rise = HIGHEST_MOUTH_M - LOWEST_MICROPHONE_M
        if self.third_party_distance.low_m <= rise:
            raise ValueError(f"third_party_distance must be above {rise:.1f} m: people may stand by a low table")
        reach = self.length.low_m / 2.0 - WALL_MARGIN_M
        for name in ("third_party_distance", "user_distance", "loudspeaker_distance"):
            low_m = getattr(self, name).low_m
            if low_m >= reach:
                raise ValueError(
                    f"{name} starts at {low_m} m and the shortest room offers {reach} m from its middle; make it longer"
                )
        return self


class EchoSettings(Stage):
    """What an echo canceller leaves of the assistant's voice in the user's microphone."""

    #: against the assistant's own channel: what 25 to 40 dB of cancellation leave (CHOICE)
    level: DecibelRange = DecibelRange(low_db=-40.0, high_db=-25.0)
    #: play-out and capture buffers of a device, and the way through the air (CHOICE)
    delay: Uniform = Uniform(low_s=0.02, high_s=0.2)


class StationarySettings(Stage):
    """A fan, an air conditioner, a street behind a window: noise whose level does not change."""

    #: mean power of the user's speech over that of the noise; DNS challenge (Reddy et al. 2020): 0 to 40 dB, of which
    #: speech stays easy to follow from about 15 dB on (CHOICE)
    snr: DecibelRange = DecibelRange(low_db=15.0, high_db=35.0)
    #: ``speech``: long-term average speech spectrum (Byrne et al. 1994), the hardest to tell speech from;
    #: ``pink``: -3 dB per octave, the usual model of indoor noise
    spectrum: NoiseSpectrum = NoiseSpectrum.PINK


class BabbleSettings(Stage):
    """Other people talking at once, none of them to be understood."""

    #: 13 to 20 dB and 3 to 7 talkers: the MUSAN recipe of Snyder et al. 2018 (x-vectors)
    snr: DecibelRange = DecibelRange(low_db=13.0, high_db=20.0)
    talkers: CountRange = CountRange(low=3, high=7)


class TelephoneSettings(Stage):
    """A narrow-band telephone line; no drawn numbers."""

    #: the voice band, ITU-T G.712
    low_hz: float = Field(default=300.0, ge=200.0)
    high_hz: float = Field(default=3400.0, le=3400.0)
    #: ITU-T G.711: mu-law in North America and Japan, A-law elsewhere. A-law has no code for zero: silence becomes a
    #: value of 8 in 32768, which the line's filter removes
    coding: Coding = Coding.A_LAW

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz {self.low_hz} must be below high_hz {self.high_hz}")
        return self


class MicrophoneSettings(Record):
    """Acoustics of the user's channel; every stage is ``off``, ``on`` or ``drawn``."""

    room: RoomSettings = RoomSettings()
    echo: EchoSettings = EchoSettings()
    stationary: StationarySettings = StationarySettings()
    babble: BabbleSettings = BabbleSettings()
    telephone: TelephoneSettings = TelephoneSettings()
    #: publish the parts of the user's channel as files of their own
    keep_stems: bool = False
