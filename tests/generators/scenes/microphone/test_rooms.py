"""The bank of rooms and its responses: inside the walls, decaying as stated, on the sample, the same for everybody."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.acoustics import Position, Room
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from generators.scenes.microphone import responses
from generators.scenes.microphone.responses import Response, image_source_response, room_responses
from generators.scenes.microphone.rooms import STEP_M, BankRoom, bank_room, response_length
from generators.scenes.microphone.settings import WALL_MARGIN_M, MetreRange, RoomSettings
from generators.scenes.timing.distributions import Uniform
from generators.store import Store

QUICK = RoomSettings(rt60=Uniform(low_s=0.2, high_s=0.3), rooms=4)


def places_of(bank: BankRoom) -> list[Position]:
    return [bank.user, bank.loudspeaker, *bank.bystanders]


def decay_time_s(response: Response, from_db: float = -5.0, to_db: float = -25.0) -> float:
    """T20 of ISO 3382-1: the time to fall by 60 dB, from a line through the backward integrated decay."""
    energy = np.cumsum(np.square(response, dtype=np.float64)[::-1])[::-1]
    decay_db = 10.0 * np.log10(energy / energy[0] + 1e-12)
    fitted = np.flatnonzero((decay_db <= from_db) & (decay_db >= to_db))
    slope = np.polyfit(fitted / SAMPLE_RATE_HZ, decay_db[fitted], 1)[0]
    return -60.0 / float(slope)


@given(index=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_everybody_is_in_the_room_at_a_configured_distance(index: int) -> None:
    own = RoomSettings()
    bank = bank_room(own, index)
    room = bank.room
    for side, length in zip((own.length, own.width, own.height), room.size_m, strict=True):
        assert side.low_m - 0.01 <= length <= side.high_m + 0.01
    assert own.rt60.low_s <= room.rt60_s <= own.rt60.high_s
    for place in (room.microphone_m, *places_of(bank)):
        assert all(0.0 < at < side for at, side in zip(place, room.size_m, strict=True))
        assert all(
            WALL_MARGIN_M - 1e-4 <= at <= side - WALL_MARGIN_M + 1e-4
            for at, side in zip(place[:2], room.size_m[:2], strict=True)
        )
    ranges = [own.user_distance, own.loudspeaker_distance, *[own.third_party_distance] * own.places]
    for place, allowed in zip(places_of(bank), ranges, strict=True):
        distance = math.dist(place, room.microphone_m)
        assert allowed.low_m - STEP_M <= distance <= allowed.high_m + STEP_M
        assert distance / STEP_M == pytest.approx(round(distance / STEP_M), abs=2e-3)
    assert len(set(bank.bystanders)) == own.places


def test_a_bank_has_as_many_rooms_as_asked_for_and_no_two_alike() -> None:
    rooms = [bank_room(RoomSettings(), index) for index in range(16)]
    assert len({bank.room.size_m for bank in rooms}) == 16
    assert rooms == [bank_room(RoomSettings(), index) for index in range(16)]
    reverberation = sorted(bank.room.rt60_s for bank in rooms)
    assert reverberation[0] < 0.26 and reverberation[-1] > 0.44


@pytest.mark.parametrize("index", [3, 6, 11, 14])
def test_a_response_starts_at_once_and_decays_in_the_stated_time(index: int) -> None:
    bank = bank_room(RoomSettings(), index)
    for place in places_of(bank):
        response = image_source_response(bank.room, place)
        assert len(response) == response_length(bank.room) == math.ceil(bank.room.rt60_s * SAMPLE_RATE_HZ)
        # the direct sound is first, whole and on the sample: nothing of it spills into the next ones
        assert response[0] >= 0.5 and abs(response[1]) < 0.1 * response[0]
        assert decay_time_s(response) == pytest.approx(bank.room.rt60_s, rel=0.25)
        assert np.abs(response[-8:]).max() < 1e-3


def test_a_long_reverberation_decays_longer() -> None:
    bank = bank_room(RoomSettings(), 8)
    assert bank.room.rt60_s > 0.45
    assert decay_time_s(image_source_response(bank.room, bank.bystanders[0])) == pytest.approx(0.492, rel=0.25)


def test_the_direct_sound_weakens_with_distance() -> None:
    """Energy of the direct sound in the whole: what tells a bystander from the user."""
    bank = bank_room(RoomSettings(), 3)
    near, far = (
        response[0] ** 2 / np.sum(response[1:] ** 2)
        for response in (image_source_response(bank.room, place) for place in (bank.user, bank.bystanders[1]))
    )
    assert near > 4.0 * far


def test_a_response_from_the_store_has_energy_1_and_is_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = bank_room(QUICK, 0)
    first = room_responses(Store(tmp_path))(bank.room, bank.user)
    assert np.sum(first**2) == pytest.approx(1.0)

    def refuse(room: Room, position: Position) -> Response:
        raise AssertionError("computed again")

    monkeypatch.setattr(responses, "image_source_response", refuse)
    assert room_responses(Store(tmp_path))(bank.room, bank.user).tobytes() == first.tobytes()
    with pytest.raises(AssertionError, match="computed again"):
        room_responses(Store(tmp_path))(bank.room, bank.loudspeaker)


def respond_elsewhere(root: Path, index: int, user: bool) -> bytes:
    bank = bank_room(QUICK, index)
    return room_responses(Store(root))(bank.room, bank.user if user else bank.bystanders[0]).tobytes()


def test_processes_and_order_make_no_difference(tmp_path: Path) -> None:
    wanted = [(index, user) for index in range(2) for user in (True, False)]
    here = [respond_elsewhere(tmp_path / "here", *each) for each in reversed(wanted)][::-1]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(respond_elsewhere, tmp_path / "there", *each) for each in wanted * 2]
        there = [future.result() for future in futures]
    assert there == here * 2
    kept = [sorted(path.name for path in (tmp_path / name).rglob("*.wav")) for name in ("here", "there")]
    assert kept[0] == kept[1] and len(kept[0]) == len(wanted)


def test_the_library_keeps_its_own_settings() -> None:
    import pyroomacoustics

    before = pyroomacoustics.constants.get("rir_hpf_enable"), pyroomacoustics.constants.get("num_threads")
    bank = bank_room(QUICK, 1)
    image_source_response(bank.room, bank.user)
    assert (pyroomacoustics.constants.get("rir_hpf_enable"), pyroomacoustics.constants.get("num_threads")) == before


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"rt60": Uniform(low_s=0.05, high_s=0.3)}, "rt60 may fall to 0.05 s"),
        ({"rt60": Uniform(low_s=0.0, high_s=0.3)}, "rt60 must be above 0 s"),
        ({"height": MetreRange(low_m=2.0, high_m=3.0)}, "height must be at least 2.2 m"),
        ({"third_party_distance": MetreRange(low_m=3.0, high_m=4.0)}, "third_party_distance starts at 3.0 m"),
        ({"third_party_distance": MetreRange(low_m=0.5, high_m=4.0)}, "third_party_distance must be above 0.9 m"),
        ({"width": {"low_m": 5.0, "high_m": 4.0}}, "low_m 5.0 is above high_m 4.0"),
    ],
)
def test_impossible_rooms_are_refused_by_name(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RoomSettings.model_validate(change)


def test_a_distance_that_no_place_of_the_room_has_is_refused() -> None:
    too_far = RoomSettings().model_copy(update={"third_party_distance": MetreRange(low_m=9.0, high_m=9.5)})
    with pytest.raises(ValueError, match=r"no place in room 3 of .* for third_party_distance 9.0 to 9.5 m"):
        bank_room(too_far, 3)
