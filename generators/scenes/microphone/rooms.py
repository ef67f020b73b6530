"""The bank of rooms: who and what stands where. Geometry only, no sound; the same bank in every build."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_schemas.acoustics import Position, Room
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.randomness import named_generator
from generators.scenes.microphone.settings import (
    HIGHEST_MOUTH_M,
    LOWEST_MICROPHONE_M,
    WALL_MARGIN_M,
    MetreRange,
    RoomSettings,
)

#: m/s at 20 degrees Celsius, as pyroomacoustics has it
SPEED_OF_SOUND_M_PER_S = 343.0
#: Sound travels this far in a sample. Sources stand a whole number of it from the microphone, so that the direct
#: path arrives on a sample and labels stay exact.
STEP_M = SPEED_OF_SOUND_M_PER_S / SAMPLE_RATE_HZ

#: How far above the microphone a place at a distance is, metres.
Rise = Callable[[float, np.random.Generator], float]

#: Names the geometry instead of a build's seed: responses are shared by all builds with the same room settings.
_BANK_SEED = 0
#: On a table or in a hand (CHOICE)
_MICROPHONE_HEIGHT = MetreRange(low_m=LOWEST_MICROPHONE_M, high_m=1.2)
#: Seated to standing (CHOICE)
_MOUTH_HEIGHT = MetreRange(low_m=1.1, high_m=HIGHEST_MOUTH_M)
#: The user's mouth is above the microphone, by up to this share of the distance: 30 degrees (CHOICE)
_USER_RISE = 0.5
_TRIES = 1000
_CM, _TEN_MICROMETRES = 2, 5  # decimals of metres


@dataclass(frozen=True)
class BankRoom:
    """A room and the places in it: of the user, of the loudspeaker, and where a bystander may stand."""

    room: Room
    user: Position
    loudspeaker: Position
    bystanders: tuple[Position, ...]


def bank_room(settings: RoomSettings, index: int) -> BankRoom:
    """Room ``index`` (from 0) of the bank that these settings describe.

    Raises:
        ValueError: the distances do not fit into the room; the sentence names the setting.
    """
    generator = named_generator(_BANK_SEED, f"room/{index}", "microphone/bank")
    size = (
        round(settings.length.sample(generator), _CM),
        round(settings.width.sample(generator), _CM),
        round(settings.height.sample(generator), _CM),
    )
    rt60_s = round(settings.rt60.sample(generator), 3)
    microphone = (
        round(float(generator.uniform(WALL_MARGIN_M, size[0] - WALL_MARGIN_M)), _CM),
        round(float(generator.uniform(WALL_MARGIN_M, size[1] - WALL_MARGIN_M)), _CM),
        round(_MICROPHONE_HEIGHT.sample(generator), _CM),
    )
    surroundings = _Surroundings(size, microphone, index)
    return BankRoom(
        room=Room(index=index, size_m=size, rt60_s=rt60_s, microphone_m=microphone),
        user=surroundings.place("user_distance", settings.user_distance, _user_rise),
        loudspeaker=surroundings.place("loudspeaker_distance", settings.loudspeaker_distance, lambda *_: 0.0),
        bystanders=tuple(
            surroundings.place(
                "third_party_distance",
                settings.third_party_distance,
                lambda distance, generator: _MOUTH_HEIGHT.sample(generator) - microphone[2],
                number,
            )
            for number in range(settings.places)
        ),
    )


def distance_m(room: Room, position: Position) -> float:
    """From a place to the microphone, metres."""
    return math.dist(position, room.microphone_m)


def response_length(room: Room) -> int:
    """Samples of a response of the room: from the direct sound until it has fallen by 60 dB, the RT60 by definition."""
    return math.ceil(room.rt60_s * SAMPLE_RATE_HZ)


@dataclass(frozen=True)
class _Surroundings:
    size: Position
    microphone: Position
    index: int

    def place(self, setting: str, distances: MetreRange, rise: Rise, number: int = 0) -> Position:
        """Somewhere at a drawn distance from the microphone, clear of the walls."""
        generator = named_generator(_BANK_SEED, f"room/{self.index}", f"microphone/bank/{setting}/{number}")
        for _ in range(_TRIES):
            distance = max(1, round(distances.sample(generator) / STEP_M)) * STEP_M
            upwards = rise(distance, generator)
            along = math.sqrt(max(0.0, distance**2 - upwards**2))
            angle = generator.uniform(0.0, 2.0 * math.pi)
            x, y, z = self.microphone
            position = (x + along * math.cos(angle), y + along * math.sin(angle), z + upwards)
            if self._is_clear(position):
                return _rounded(position)
        raise ValueError(
            f"scenes.microphone.room: found no place in room {self.index} of {self.size[0]} x {self.size[1]} m for "
            f"{setting} {distances.low_m} to {distances.high_m} m; make the rooms larger or the distance smaller"
        )

    def _is_clear(self, position: Position) -> bool:
        return all(
            WALL_MARGIN_M <= place <= side - WALL_MARGIN_M for place, side in zip(position, self.size, strict=True)
        )


def _user_rise(distance: float, generator: np.random.Generator) -> float:
    return float(generator.uniform(0.0, _USER_RISE * distance))


def _rounded(position: Position) -> Position:
    x, y, z = (round(each, _TEN_MICROMETRES) for each in position)
    return x, y, z
