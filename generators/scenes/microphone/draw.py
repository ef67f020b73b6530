"""Before any audio exists: what stands between the speakers of one scene and its user's file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from data_schemas.acoustics import Echo, Microphone, Noise, NoiseKind, Talker, Telephone
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.randomness import named_generator, named_seed
from data_schemas.scene import Placement
from data_schemas.tasks import Role
from generators.scenes.microphone.rooms import BankRoom, bank_room, distance_m, response_length
from generators.scenes.microphone.settings import MicrophoneSettings, Stage

_DB_DECIMALS = 2


def draw_microphone(
    plan_id: str,
    placements: Sequence[Placement],
    settings: MicrophoneSettings,
    seed: int,
    babble: tuple[str, ...] = (),
) -> Microphone | None:
    """The microphone of a scene, or None where nothing is added to what is placed.

    A room is drawn only for somebody to be heard through it: a third party, the echo, or the user (``room.user``).

    Args:
        seed: the build's; every draw is named by it, the plan's id and the stage.
        babble: ids of the utterances of `babble_requests`, which decides alike whether there is babble.

    Raises:
        ValueError: ``babble`` does not fit the draw (the caller is at fault), or the room settings are impossible.
    """
    draws = Draws(seed, plan_id)
    third_party_db = [each.gain_db for each in placements if each.role is Role.THIRD_PARTY]
    with_echo = draws.uses(settings.echo, "echo")
    heard_through_room = bool(third_party_db) or with_echo or settings.room.user
    place = draws.room(settings) if heard_through_room and draws.uses(settings.room, "room") else None
    microphone = Microphone(
        room=place.room if place else None,
        talkers=tuple(draws.talkers(settings, place, third_party_db)) if place else (),
        echo=draws.echo(settings, place) if with_echo else None,
        noises=tuple(draws.noises(settings, babble)),
        telephone=draws.telephone(settings),
    )
    return None if microphone.is_dry else microphone


class Draws:
    """Named draws of one scene. Each stage has its own name, so switching one on moves no other."""

    def __init__(self, seed: int, plan_id: str) -> None:
        self._seed, self._plan_id = seed, plan_id

    def uses(self, stage: Stage, name: str) -> bool:
        """Whether a stage is part of this scene."""
        if stage.use == "drawn":
            return bool(self.generator(f"{name}/use").random() < stage.share)
        return stage.use == "on"

    def room(self, settings: MicrophoneSettings) -> BankRoom:
        return bank_room(settings.room, int(self.generator("room").integers(settings.room.rooms)))

    def talkers(self, settings: MicrophoneSettings, place: BankRoom, third_party_db: list[float]) -> Iterable[Talker]:
        tail = response_length(place.room) - 1
        if settings.room.user:
            distance = distance_m(place.room, place.user)
            yield Talker(role=Role.USER, position_m=place.user, distance_m=distance, level_db=0.0, tail=tail)
        if third_party_db:
            position = place.bystanders[int(self.generator("third_party").integers(len(place.bystanders)))]
            distance = distance_m(place.room, position)
            yield Talker(
                role=Role.THIRD_PARTY,
                position_m=position,
                distance_m=distance,
                level_db=max(third_party_db),
                tail=tail,
            )

    def echo(self, settings: MicrophoneSettings, place: BankRoom | None) -> Echo:
        delay_s = settings.echo.delay.sample(self.generator("echo/delay"))
        echo = Echo(
            level_db=round(settings.echo.level.sample(self.generator("echo/level")), _DB_DECIMALS),
            delay=round(delay_s * SAMPLE_RATE_HZ),
        )
        if place is None:
            return echo
        return echo.model_copy(
            update={
                "position_m": place.loudspeaker,
                "distance_m": distance_m(place.room, place.loudspeaker),
                "tail": response_length(place.room) - 1,
            }
        )

    def noises(self, settings: MicrophoneSettings, babble: tuple[str, ...]) -> Iterable[Noise]:
        if self.uses(settings.stationary, "stationary"):
            yield Noise(
                kind=NoiseKind.STATIONARY,
                snr_db=round(settings.stationary.snr.sample(self.generator("stationary/snr")), _DB_DECIMALS),
                spectrum=settings.stationary.spectrum,
                seed=named_seed(self._seed, self._plan_id, _stage("stationary/samples")),
            )
        if self.uses(settings.babble, "babble") != bool(babble):
            raise ValueError(
                f"{self._plan_id}: was given {len(babble)} utterances of babble with scenes.microphone.babble "
                f"{settings.babble.use}; take them from babble_requests with the same settings and seed"
            )
        if babble:
            yield Noise(
                kind=NoiseKind.BABBLE,
                snr_db=round(settings.babble.snr.sample(self.generator("babble/snr")), _DB_DECIMALS),
                talkers=babble,
                seed=named_seed(self._seed, self._plan_id, _stage("babble/samples")),
            )

    def telephone(self, settings: MicrophoneSettings) -> Telephone | None:
        line = settings.telephone
        if not self.uses(line, "telephone"):
            return None
        return Telephone(low_hz=line.low_hz, high_hz=line.high_hz, coding=line.coding)

    def generator(self, name: str) -> np.random.Generator:
        return named_generator(self._seed, self._plan_id, _stage(name))


def _stage(name: str) -> str:
    return f"microphone/{name}"
