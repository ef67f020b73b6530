"""From a scene to samples: the two channels, the parts of the user's, and the challenge's clean file.

The user's channel is what a microphone would record (`Scene.microphone`): everybody through the room, the assistant's
echo, noise, a telephone line, in that order. Without a microphone what is placed is what is heard, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from data_schemas.acoustics import Echo, Microphone, Noise, Position, Room
from data_schemas.foundation.audio import Samples
from data_schemas.scene import Placement, Scene
from data_schemas.tasks import Channel, Role
from generators.scenes.duplex.recipes import RECIPES
from generators.scenes.errors import MixClips
from generators.scenes.microphone.noise import noise_source
from generators.scenes.microphone.responses import Respond, Response
from generators.scenes.microphone.telephone import through_line

#: Parts of the user's channel before the telephone line: they add up to it.
STEM_USER, STEM_THIRD_PARTY, STEM_ECHO, STEM_NOISE = "stem_user", "stem_third_party", "stem_echo", "stem_noise"
#: The voices as placed, at their level, without the room.
DRY_USER, DRY_THIRD_PARTY = "dry_user", "dry_third_party"
_STEMS: Mapping[Role, tuple[str, str]] = MappingProxyType(
    {Role.USER: (DRY_USER, STEM_USER), Role.THIRD_PARTY: (DRY_THIRD_PARTY, STEM_THIRD_PARTY)}
)

#: The largest value PCM 16-bit holds without saturating.
_FULL_SCALE = 32_767 / 32_768
_DB_PER_DECADE = 20.0
_MS_PER_S = 1000
#: Frames of `Microphone.floor_dbfs` (the record's definition)
_FLOOR_FRAME_S = 0.05
_DB_DECIMALS = 2


@dataclass(frozen=True)
class Mixed:
    """What came out of the mixer.

    Attributes:
        channels: float32 ``[scene.num_samples]`` each.
        stems: parts of the user's channel, same shape, by the names above; only those the scene has.
        scene: the scene with what only audio can tell filled in (`Noise.gain_db`, `Microphone.floor_dbfs`).
    """

    channels: dict[Channel, Samples]
    stems: dict[str, Samples]
    scene: Scene


def mix(scene: Scene, load: Callable[[str], Samples], respond: Respond | None = None) -> Mixed:
    """Everything audible of a scene.

    Args:
        load: gives the samples ``[n]`` of an utterance id.
        respond: gives the responses of rooms (`room_responses`); only asked where the scene has a room.

    A placement without gain and fade is copied unchanged where there is no room; outside of everything that sounds the
    channels are exactly zero. The assistant's channel is never touched by the microphone.

    Raises:
        MixClips: the sum on a channel exceeds full scale.
        ValueError: an utterance is shorter than its placement, or not mono; a room without ``respond``; noise without
            speech of the user's to compare it with.
    """
    channels = {channel: np.zeros(scene.num_samples, dtype=np.float32) for channel in Channel}
    heard = [(placement, _heard(placement, load(placement.utterance_id))) for placement in scene.placements]
    for placement, samples in heard:
        channels[placement.channel][placement.start : placement.stop] += samples
    microphone = scene.microphone
    room = _Room(microphone, respond)
    stems = _voices(scene, heard, room)
    if microphone is not None and not microphone.is_dry:
        if microphone.echo is not None:
            stems[STEM_ECHO] = _echo(scene, microphone.echo, heard, room)
        noises = _noises(scene, microphone.noises, stems[STEM_USER], load)
        if noises:
            stems[STEM_NOISE] = _sum([samples for _, samples in noises])
        background = _background(scene, stems)
        channels[Channel.USER] = _sum([stems[name] for name in _wet(stems)])
        if microphone.telephone is not None:
            _refuse_clipping(scene, Channel.USER, channels[Channel.USER])
            channels[Channel.USER] = through_line(channels[Channel.USER], microphone.telephone)
            background = through_line(background, microphone.telephone)
        scene = _realised(
            scene, microphone, tuple(noise for noise, _ in noises), _loudest_frame_dbfs(background, scene)
        )
    for channel, samples in channels.items():
        _refuse_clipping(scene, channel, samples)
    return Mixed(channels=channels, stems=stems, scene=scene)


def render(scene: Scene, load: Callable[[str], Samples], respond: Respond | None = None) -> dict[Channel, Samples]:
    """The channels alone of `mix`."""
    return mix(scene, load, respond).channels


def fade_out_curve(length: int) -> Samples:
    """Raised cosine from 1 down to exactly 0, ``[length]``."""
    if length <= 1:
        return np.zeros(length, dtype=np.float32)
    curve = (0.5 * (1.0 + np.cos(np.linspace(0.0, np.pi, length)))).astype(np.float32)
    curve[-1] = 0.0
    return curve


def clean_channel(scene: Scene, dry_user: Samples) -> Samples | None:
    """The challenge's ``clean_<id>.wav`` (FORMATS.md B.4), or None where there is none.

    Interruptions, backchannels and third party after: zeros but for segment 0. Speech to
    others: segment 0 and the gap after it cut out, segment 2 muted, rounded to milliseconds
    as the challenge's pydub script does. Pause, third party before and conversations have none.

    Args:
        dry_user: the user as spoken, ``Mixed.stems[DRY_USER]``: no room, echo, noise or line in a clean file.
    """
    recipe = RECIPES.get(scene.task)
    match recipe.clean if recipe else None:
        case "first_segment":
            return _first_segment_alone(scene, dry_user)
        case "second_segment":
            return _second_segment_alone(scene, dry_user)
        case None:
            return None


class _Room:
    """How a scene's room answers, or that there is none."""

    def __init__(self, microphone: Microphone | None, respond: Respond | None) -> None:
        self._microphone, self._respond = microphone, respond

    def response_to(self, role: Role) -> Response | None:
        talkers = self._microphone.talkers if self._microphone else ()
        return next((self.response_at(talker.position_m) for talker in talkers if talker.role is role), None)

    def response_at(self, position: Position | None) -> Response | None:
        room: Room | None = self._microphone.room if self._microphone else None
        if room is None or position is None:
            return None
        if self._respond is None:
            raise ValueError(f"room {room.index} has no responses; pass mix() those of room_responses(store)")
        return self._respond(room, position)


def _heard(placement: Placement, utterance: Samples) -> Samples:
    length = placement.stop - placement.start
    if utterance.ndim != 1 or placement.source_start + length > len(utterance):
        raise ValueError(
            f"{placement.utterance_id}: the scene needs {placement.source_start + length} mono samples and "
            f"the utterance has shape {utterance.shape}; it was spoken again after the scene was composed"
        )
    heard = utterance[placement.source_start : placement.source_start + length].astype(np.float32)
    if placement.gain_db:
        heard = heard * np.float32(10.0 ** (placement.gain_db / _DB_PER_DECADE))
    if placement.fade_out:
        heard[-placement.fade_out :] *= fade_out_curve(placement.fade_out)
    return heard


def _voices(scene: Scene, heard: list[tuple[Placement, Samples]], room: _Room) -> dict[str, Samples]:
    """Dry and wet stem of each role on the user's channel; the user's are always there."""
    stems: dict[str, Samples] = {}
    for role, (dry_name, wet_name) in _STEMS.items():
        own = [(place, samples) for place, samples in heard if place.role is role and place.channel is Channel.USER]
        if not own and role is not Role.USER:
            continue
        response = room.response_to(role)
        dry, wet = (np.zeros(scene.num_samples, dtype=np.float32) for _ in range(2))
        for placement, samples in own:
            dry[placement.start : placement.stop] += samples
            _add(wet, placement.start, samples if response is None else _reverberant(samples, response))
        stems |= {dry_name: dry, wet_name: wet}
    return stems


def _echo(scene: Scene, echo: Echo, heard: list[tuple[Placement, Samples]], room: _Room) -> Samples:
    """Utterance by utterance, so that what is silent stays exactly zero."""
    response = room.response_at(echo.position_m)
    gain = np.float32(10.0 ** (echo.level_db / _DB_PER_DECADE))
    leaked = np.zeros(scene.num_samples, dtype=np.float32)
    for placement, samples in heard:
        if placement.channel is Channel.ASSISTANT:
            played = samples if response is None else _reverberant(samples, response)
            _add(leaked, placement.start + echo.delay, played * gain)
    return leaked


def _noises(
    scene: Scene, noises: tuple[Noise, ...], user: Samples, load: Callable[[str], Samples]
) -> list[tuple[Noise, Samples]]:
    """Each noise at its SNR, with the gain that took."""
    made = []
    for noise in noises:
        power = np.mean(np.square(user[_spoken(scene, Role.USER)], dtype=np.float64)) if user.any() else 0.0
        if power == 0.0:
            raise ValueError(f"{scene.plan_id}: no speech of the user's to set the level of noise by")
        gain_db = 10.0 * float(np.log10(power)) - noise.snr_db
        source = noise_source(noise, scene.num_samples, load)
        samples = (source * 10.0 ** (gain_db / _DB_PER_DECADE)).astype(np.float32)
        made.append((noise.model_copy(update={"gain_db": round(gain_db, _DB_DECIMALS)}), samples))
    return made


def _realised(scene: Scene, microphone: Microphone, noises: tuple[Noise, ...], floor_dbfs: float | None) -> Scene:
    filled = microphone.model_copy(update={"noises": noises, "floor_dbfs": floor_dbfs})
    return scene.model_copy(update={"microphone": filled})


def _background(scene: Scene, stems: Mapping[str, Samples]) -> Samples:
    """All that is no labelled speech: echo, noise, and each voice outside its own utterances (reverberation)."""
    parts = [stems[name] for name in (STEM_ECHO, STEM_NOISE) if name in stems]
    for role, (_, wet) in _STEMS.items():
        if wet in stems:
            parts.append(np.where(_spoken(scene, role), np.float32(0.0), stems[wet]))
    return _sum(parts)


def _loudest_frame_dbfs(samples: Samples, scene: Scene) -> float | None:
    """RMS level of the loudest 50 ms, counted from the scene's start; None for digital silence."""
    frame = round(_FLOOR_FRAME_S * scene.sample_rate)
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % frame))
    loudest = float(np.mean(padded.reshape(-1, frame) ** 2, axis=1).max())
    return round(10.0 * float(np.log10(loudest)), _DB_DECIMALS) if loudest > 0.0 else None


def _spoken(scene: Scene, role: Role) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Where a role speaks on the user's channel, ``[num_samples]``."""
    spoken = np.zeros(scene.num_samples, dtype=np.bool_)
    for placement in scene.placements:
        if placement.role is role and placement.channel is Channel.USER:
            spoken[placement.start : placement.stop] = True
    return spoken


def _wet(stems: Mapping[str, Samples]) -> list[str]:
    return [name for name in (STEM_USER, STEM_THIRD_PARTY, STEM_ECHO, STEM_NOISE) if name in stems]


def _reverberant(samples: Samples, response: Response) -> Samples:
    """``[n + len(response) - 1]``"""
    from scipy.signal import oaconvolve

    return np.asarray(oaconvolve(samples.astype(np.float64), response), dtype=np.float32)


def _add(onto: Samples, start: int, samples: Samples) -> None:
    """From ``start`` on, up to the end of the scene."""
    fitting = samples[: max(0, len(onto) - start)]
    onto[start : start + len(fitting)] += fitting


def _sum(parts: list[Samples]) -> Samples:
    total: Samples = np.sum(parts, axis=0, dtype=np.float32)
    return total


def _refuse_clipping(scene: Scene, channel: Channel, samples: Samples) -> None:
    worst = int(np.argmax(np.abs(samples)))
    peak = float(np.abs(samples[worst]))
    if peak > _FULL_SCALE:
        raise MixClips(
            f"{scene.plan_id}: the {channel} channel reaches {_DB_PER_DECADE * np.log10(peak):+.2f} dBFS at "
            f"{scene.seconds(worst):.3f} s; lower the speech loudness (speech.loudness_lufs)"
        )


def _first_segment_alone(scene: Scene, user_samples: Samples) -> Samples:
    """``[round(xmin*sr), round(xmax*sr))`` of segment 0, the end clipped to the last index."""
    first = scene.segments[0]
    start = round(scene.seconds(first.start) * scene.sample_rate)
    stop = min(round(scene.seconds(first.stop) * scene.sample_rate), scene.num_samples - 1)
    clean = np.zeros_like(user_samples)
    clean[start:stop] = user_samples[start:stop]
    return clean


def _second_segment_alone(scene: Scene, user_samples: Samples) -> Samples:
    """The same samples as pydub's ``audio[:a] + audio[b:]`` with segment 2 replaced by silence."""
    first, second, aside = scene.segments
    per_ms = scene.sample_rate // _MS_PER_S
    cut_from = _milliseconds(scene, first.start) * per_ms
    cut_to = _milliseconds(scene, second.start) * per_ms
    clean = np.concatenate([user_samples[:cut_from], user_samples[cut_to:]])
    removed = cut_to - cut_from
    clean[
        _milliseconds(scene, aside.start) * per_ms - removed : _milliseconds(scene, aside.stop) * per_ms - removed
    ] = 0
    return clean


def _milliseconds(scene: Scene, samples: int) -> int:
    """As the challenge's script rounds the seconds of ``sentence.json``."""
    return round(scene.seconds(samples) * _MS_PER_S)
