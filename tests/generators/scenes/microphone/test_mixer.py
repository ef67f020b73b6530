"""What the microphone does to a mix: levels, SNR, echo, tails and floor as stated; clean stays clean, dry stays dry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.acoustics import (
    Coding,
    Echo,
    Microphone,
    Noise,
    NoiseKind,
    NoiseSpectrum,
    Talker,
    Telephone,
)
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.randomness import named_generator
from data_schemas.scene import Placement, Scene, Segment
from data_schemas.tasks import Channel, Language, Part, Role, Task
from generators.scenes.errors import MixClips
from generators.scenes.microphone.responses import Respond, room_responses
from generators.scenes.microphone.rooms import bank_room, distance_m, response_length
from generators.scenes.microphone.settings import RoomSettings
from generators.scenes.mixer import (
    DRY_THIRD_PARTY,
    DRY_USER,
    STEM_ECHO,
    STEM_NOISE,
    STEM_THIRD_PARTY,
    STEM_USER,
    Mixed,
    clean_channel,
    mix,
    render,
)
from generators.scenes.timing.distributions import Uniform
from generators.store import Store

RATE = SAMPLE_RATE_HZ
QUERY, REPLY, ASIDE = (RATE, 3 * RATE), (7 * RATE // 2, 8 * RATE), (5 * RATE, 6 * RATE)
LENGTH = 10 * RATE
BANK = bank_room(RoomSettings(rt60=Uniform(low_s=0.25, high_s=0.3)), 2)
TAIL = response_length(BANK.room) - 1
LINE = Telephone(low_hz=300.0, high_hz=3400.0, coding=Coding.MU_LAW)


@pytest.fixture(scope="module")
def respond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Respond]:
    yield room_responses(Store(tmp_path_factory.mktemp("store")))


def placement(line: int, channel: Channel, role: Role, span: tuple[int, int], gain_db: float = 0.0) -> Placement:
    part = {1: Part.QUERY, 2: Part.REPLY, 3: Part.ASIDE}[line]
    text = {1: "西安有什么好玩的？", 2: "先去钟楼看看。", 3: "小宝，把剪刀放下。"}[line]
    return Placement(
        utterance_id=f"p1/{line}",
        line=line,
        channel=channel,
        role=role,
        part=part,
        start=span[0],
        stop=span[1],
        gain_db=gain_db,
        planned_text=text,
        heard_text=text,
    )


def scene_with(microphone: Microphone | None, level_db: float = -9.0) -> Scene:
    """The user asks, the assistant replies, a third party speaks into the reply."""
    query = placement(1, Channel.USER, Role.USER, QUERY)
    aside = placement(3, Channel.USER, Role.THIRD_PARTY, ASIDE, level_db)
    return Scene(
        plan_id="p1",
        task=Task.THIRD_PARTY_AFTER,
        language=Language.ZH,
        sample_rate=RATE,
        num_samples=LENGTH,
        placements=(query, placement(2, Channel.ASSISTANT, Role.ASSISTANT, REPLY), aside),
        segments=tuple(
            Segment(line=each.line, start=each.start, stop=each.stop, text="好", role=each.role, part=each.part)
            for each in (query, aside)
        ),
        microphone=microphone,
    )


def burst(utterance_id: str) -> Samples:
    """White noise of 5 s, -20 dBFS, another one per utterance."""
    return (0.1 * named_generator(1, utterance_id, "burst").uniform(-1.7, 1.7, 5 * RATE)).astype(np.float32)


def talker(role: Role, level_db: float = 0.0) -> Talker:
    position = BANK.user if role is Role.USER else BANK.bystanders[0]
    return Talker(
        role=role, position_m=position, distance_m=distance_m(BANK.room, position), level_db=level_db, tail=TAIL
    )


IN_ROOM = Microphone(room=BANK.room, talkers=(talker(Role.THIRD_PARTY, -9.0),))
NOISY = Noise(kind=NoiseKind.STATIONARY, snr_db=20.0, spectrum=NoiseSpectrum.PINK, seed=4)
BABBLE = Noise(kind=NoiseKind.BABBLE, snr_db=15.0, talkers=("p1/babble.1", "p1/babble.2", "p1/babble.3"), seed=4)
FULL = IN_ROOM.model_copy(
    update={
        "talkers": (talker(Role.USER), talker(Role.THIRD_PARTY, -9.0)),
        "echo": Echo(
            level_db=-30.0,
            delay=800,
            position_m=BANK.loudspeaker,
            distance_m=distance_m(BANK.room, BANK.loudspeaker),
            tail=TAIL,
        ),
        "noises": (NOISY, BABBLE),
    }
)


def power_db(samples: Samples) -> float:
    return 10.0 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))


def energy_db(samples: Samples) -> float:
    return 10.0 * float(np.log10(np.sum(np.square(samples, dtype=np.float64))))


def test_without_a_microphone_what_is_placed_is_what_is_heard() -> None:
    mixed = mix(scene_with(None), burst)
    user = mixed.channels[Channel.USER]
    expected = np.zeros(LENGTH, dtype=np.float32)
    expected[slice(*QUERY)] = burst("p1/1")[: QUERY[1] - QUERY[0]]
    expected[slice(*ASIDE)] = burst("p1/3")[: ASIDE[1] - ASIDE[0]] * np.float32(10.0 ** (-9.0 / 20.0))
    assert user.tobytes() == expected.tobytes()
    assert mixed.scene == scene_with(None)
    assert render(scene_with(None), burst)[Channel.USER].tobytes() == user.tobytes()
    assert mixed.stems[STEM_USER].tobytes() == mixed.stems[DRY_USER].tobytes()
    assert (mixed.stems[STEM_USER] + mixed.stems[STEM_THIRD_PARTY]).tobytes() == user.tobytes()


def test_a_room_for_the_third_party_leaves_the_user_as_spoken(respond: Respond) -> None:
    dry, wet = (mix(scene_with(each), burst, respond).channels for each in (None, IN_ROOM))
    assert wet[Channel.ASSISTANT].tobytes() == dry[Channel.ASSISTANT].tobytes()
    assert wet[Channel.USER][: ASIDE[0]].tobytes() == dry[Channel.USER][: ASIDE[0]].tobytes()
    stop = ASIDE[1] + TAIL
    assert wet[Channel.USER][ASIDE[1] : stop - 160].any() and not wet[Channel.USER][stop:].any()


@given(level_db=st.floats(-20.0, 0.0))
@settings(max_examples=15, deadline=None)
def test_a_third_party_arrives_at_its_level(respond: Respond, level_db: float) -> None:
    """Energy at the microphone, reverberation included, against the user at the same loudness."""
    stems = mix(scene_with(IN_ROOM, level_db), burst, respond).stems
    dry_db = energy_db(stems[DRY_THIRD_PARTY])
    assert energy_db(stems[STEM_THIRD_PARTY]) == pytest.approx(dry_db, abs=0.4)
    user_db = power_db(stems[STEM_USER][slice(*QUERY)])
    seconds = (ASIDE[1] - ASIDE[0]) / RATE
    heard_db = energy_db(stems[STEM_THIRD_PARTY]) - 10.0 * np.log10(seconds * RATE)
    assert heard_db - user_db == pytest.approx(level_db, abs=0.5)


def test_a_voice_in_a_room_starts_on_its_label(respond: Respond) -> None:
    def click(utterance_id: str) -> Samples:
        samples = np.full(5 * RATE, 1e-9, dtype=np.float32)
        samples[0] = 0.5
        return samples

    wet = mix(scene_with(FULL.model_copy(update={"noises": (), "echo": None})), click, respond).stems
    for name, start, position in (
        (STEM_USER, QUERY[0], BANK.user),
        (STEM_THIRD_PARTY, ASIDE[0], BANK.bystanders[0]),
    ):
        loud = np.flatnonzero(np.abs(wet[name]) > 1e-5)
        assert loud[0] == start
        gain = 1.0 if name == STEM_USER else 10.0 ** (-9.0 / 20.0)
        assert wet[name][start] == pytest.approx(0.5 * gain * respond(BANK.room, position)[0], rel=1e-4)


@pytest.mark.parametrize("length", [ASIDE[1] + 1, ASIDE[1] + TAIL // 2])
def test_a_tail_never_passes_the_end_of_the_scene(respond: Respond, length: int) -> None:
    whole = scene_with(IN_ROOM)
    voices = tuple(each for each in whole.placements if each.channel is Channel.USER)
    short = whole.model_copy(update={"num_samples": length, "placements": voices})
    user = mix(short, burst, respond).channels[Channel.USER]
    expected = mix(whole, burst, respond).channels[Channel.USER][:length]
    assert len(user) == length and user.tobytes() == expected.tobytes()


@pytest.mark.parametrize("noise", [NOISY, NOISY.model_copy(update={"spectrum": NoiseSpectrum.SPEECH}), BABBLE])
@given(snr_db=st.floats(0.0, 40.0))
@settings(max_examples=10, deadline=None)
def test_the_snr_is_the_stated_one(noise: Noise, snr_db: float) -> None:
    mixed = mix(scene_with(Microphone(noises=(noise.model_copy(update={"snr_db": snr_db}),))), burst)
    speech_db = power_db(mixed.stems[STEM_USER][slice(*QUERY)])
    # as somebody else would measure it: on the channel, where nobody speaks, for noise that does not change
    everywhere_db = power_db(mixed.stems[STEM_NOISE])
    assert speech_db - everywhere_db == pytest.approx(snr_db, abs=0.1)
    silence_db = power_db(mixed.channels[Channel.USER][ASIDE[1] :])
    assert speech_db - silence_db == pytest.approx(snr_db, abs=1.5)
    realised = mixed.scene.microphone
    assert realised is not None and realised.noises[0].gain_db == pytest.approx(everywhere_db, abs=0.02)


def test_an_echo_is_the_assistants_channel_later_and_softer() -> None:
    leak = Microphone(echo=Echo(level_db=-30.0, delay=1234))
    mixed = mix(scene_with(leak), burst)
    assistant, echo = mixed.channels[Channel.ASSISTANT], mixed.stems[STEM_ECHO]
    assert int(np.argmax(np.correlate(echo[: 6 * RATE], assistant[: 4 * RATE], "valid"))) == 1234
    assert np.array_equal(echo[1234:], assistant[:-1234] * np.float32(10.0**-1.5))
    assert not echo[: REPLY[0] + 1234].any() and echo[REPLY[0] + 1234] != 0.0
    assert assistant.tobytes() == render(scene_with(None), burst)[Channel.ASSISTANT].tobytes()


def test_an_echo_through_a_room_keeps_level_and_delay(respond: Respond) -> None:
    mixed = mix(scene_with(FULL), burst, respond)
    assistant, echo = mixed.channels[Channel.ASSISTANT], mixed.stems[STEM_ECHO]
    assert energy_db(echo) - energy_db(assistant) == pytest.approx(-30.0, abs=0.5)
    assert np.flatnonzero(np.abs(echo) > 1e-6)[0] in range(REPLY[0] + 800, REPLY[0] + 805)
    assert not echo[REPLY[1] + 800 + TAIL :].any()


def test_the_wet_stems_add_up_to_the_channel(respond: Respond) -> None:
    mixed = mix(scene_with(FULL), burst, respond)
    names = (STEM_USER, STEM_THIRD_PARTY, STEM_ECHO, STEM_NOISE)
    assert set(mixed.stems) == {*names, DRY_USER, DRY_THIRD_PARTY}
    assert np.allclose(sum(mixed.stems[name] for name in names), mixed.channels[Channel.USER], atol=1e-6)
    dry = mix(scene_with(None), burst).stems
    assert all(mixed.stems[name].tobytes() == dry[name].tobytes() for name in (DRY_USER, DRY_THIRD_PARTY))


def test_a_telephone_comes_last_and_leaves_the_assistant_alone(respond: Respond) -> None:
    direct = mix(scene_with(FULL), burst, respond)
    phoned = mix(scene_with(FULL.model_copy(update={"telephone": LINE})), burst, respond)
    assert phoned.channels[Channel.ASSISTANT].tobytes() == direct.channels[Channel.ASSISTANT].tobytes()
    assert all(phoned.stems[name].tobytes() == direct.stems[name].tobytes() for name in direct.stems)
    spectrum = np.abs(np.fft.rfft(phoned.channels[Channel.USER])) ** 2
    frequencies = np.fft.rfftfreq(LENGTH, 1.0 / RATE)
    inside = spectrum[(frequencies > 300.0) & (frequencies < 3400.0)].mean()
    assert 10.0 * np.log10(inside / spectrum[(frequencies < 200.0) | (frequencies > 3600.0)].mean()) > 30.0


def background(kind: str) -> tuple[Scene, tuple[int, int]]:
    """A scene with one kind of background and where that is loudest."""
    match kind:
        case "noise":
            return scene_with(Microphone(noises=(NOISY,))), (0, LENGTH)
        case "echo":
            return scene_with(Microphone(echo=Echo(level_db=-30.0, delay=0))), REPLY
        case _:
            return scene_with(IN_ROOM), (ASIDE[1], ASIDE[1] + 800)


@pytest.mark.parametrize("kind", ["noise", "echo", "reverberation"])
def test_the_floor_is_the_loudest_50_ms_of_what_is_not_labelled(respond: Respond, kind: str) -> None:
    scene, (start, stop) = background(kind)
    mixed = mix(scene, burst, respond)
    assert mixed.scene.microphone is not None
    floor_dbfs = mixed.scene.microphone.floor_dbfs
    heard = mixed.channels[Channel.USER].astype(np.float64)
    if kind != "reverberation":
        heard = (mixed.stems[STEM_NOISE] if kind == "noise" else mixed.stems[STEM_ECHO]).astype(np.float64)
    frames = [power_db(heard[at : at + 800]) for at in range(start, stop - 799, 800)]
    assert floor_dbfs == pytest.approx(max(frames), abs=0.01)


def test_a_line_without_a_sound_has_no_floor() -> None:
    realised = mix(scene_with(Microphone(telephone=LINE)), burst).scene.microphone
    assert realised is not None and realised.floor_dbfs is None
    a_law = LINE.model_copy(update={"coding": Coding.A_LAW})
    humming = mix(scene_with(Microphone(telephone=a_law)), burst).scene.microphone
    assert humming is not None and humming.floor_dbfs is not None and humming.floor_dbfs < -70.0


def test_the_clean_file_is_clean(respond: Respond) -> None:
    mixed = mix(scene_with(FULL.model_copy(update={"telephone": LINE})), burst, respond)
    clean = clean_channel(mixed.scene, mixed.stems[DRY_USER])
    assert clean is not None
    expected = np.zeros(LENGTH, dtype=np.float32)
    expected[slice(*QUERY)] = burst("p1/1")[: QUERY[1] - QUERY[0]]
    assert clean.tobytes() == expected.tobytes()


def test_a_conversation_has_no_clean_file() -> None:
    talk = scene_with(None).model_copy(update={"task": Task.CONVERSATION})
    assert clean_channel(talk, mix(talk, burst).stems[DRY_USER]) is None


@pytest.mark.parametrize("line", [None, LINE])
def test_nothing_clips(respond: Respond, line: Telephone | None) -> None:
    loud = FULL.model_copy(update={"noises": (BABBLE.model_copy(update={"snr_db": -14.0}),), "telephone": line})
    with pytest.raises(MixClips, match=r"p1: the user channel reaches \+\d+\.\d\d dBFS at \d+\.\d{3} s"):
        mix(scene_with(loud), burst, respond)


def test_only_what_audio_can_tell_is_filled_in(respond: Respond) -> None:
    scene = scene_with(FULL)
    realised = mix(scene, burst, respond).scene
    assert realised.microphone is not None and realised.microphone.floor_dbfs is not None
    assert all(noise.gain_db is not None for noise in realised.microphone.noises)
    unfilled = realised.microphone.model_copy(update={"noises": FULL.noises, "floor_dbfs": None})
    assert realised.model_copy(update={"microphone": unfilled}) == scene
    # mixing what was mixed changes nothing
    assert mix(realised, burst, respond).scene == realised


def bytes_of(mixed: Mixed) -> list[bytes]:
    return [samples.tobytes() for samples in (*mixed.channels.values(), *mixed.stems.values())]


def test_mixing_again_gives_the_same_bytes(respond: Respond, tmp_path: Path) -> None:
    scene = scene_with(FULL.model_copy(update={"telephone": LINE}))
    first = bytes_of(mix(scene, burst, respond))
    assert bytes_of(mix(scene, burst, room_responses(Store(tmp_path)))) == first


def test_a_room_without_responses_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="room 2 has no responses"):
        mix(scene_with(IN_ROOM), burst)


def test_noise_needs_speech_to_compare_with() -> None:
    scene = scene_with(Microphone(noises=(NOISY,)))
    nobody = scene.model_copy(update={"placements": scene.placements[1:]})
    with pytest.raises(ValueError, match="p1: no speech of the user's"):
        mix(nobody, burst)
