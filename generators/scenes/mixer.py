"""From a scene to samples: the two channels, and the challenge's clean file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_schemas.audio import Samples
from data_schemas.scene import Placement, Scene
from data_schemas.tasks import Channel
from generators.scenes.errors import MixClips
from generators.scenes.recipes import RECIPES

#: The largest value PCM 16-bit holds without saturating.
_FULL_SCALE = 32_767 / 32_768
_DB_PER_DECADE = 20.0
_MS_PER_S = 1000


def render(scene: Scene, load: Callable[[str], Samples]) -> dict[Channel, Samples]:
    """Both channels of a scene, float32 ``[scene.num_samples]`` each.

    ``load`` gives the samples ``[n]`` of an utterance id. A placement without gain and fade is
    copied unchanged; outside placements the channels are exactly zero.

    Raises:
        MixClips: the sum on a channel exceeds full scale.
        ValueError: an utterance is shorter than its placement, or not mono.
    """
    channels = {channel: np.zeros(scene.num_samples, dtype=np.float32) for channel in Channel}
    for placement in scene.placements:
        channels[placement.channel][placement.start : placement.stop] += _heard(placement, load(placement.utterance_id))
    for channel, samples in channels.items():
        _refuse_clipping(scene, channel, samples)
    return channels


def fade_out_curve(length: int) -> Samples:
    """Raised cosine from 1 down to exactly 0, ``[length]``."""
    if length <= 1:
        return np.zeros(length, dtype=np.float32)
    curve = (0.5 * (1.0 + np.cos(np.linspace(0.0, np.pi, length)))).astype(np.float32)
    curve[-1] = 0.0
    return curve


def clean_channel(scene: Scene, user_samples: Samples) -> Samples | None:
    """The challenge's ``clean_<id>.wav`` (FORMATS.md B.4), or None where there is none.

    Interruptions, backchannels and third party after: zeros but for segment 0. Speech to
    others: segment 0 and the gap after it cut out, segment 2 muted, rounded to milliseconds
    as the challenge's pydub script does. Pause and third party before have no clean file.
    """
    match RECIPES[scene.task].clean:
        case "first_segment":
            return _first_segment_alone(scene, user_samples)
        case "second_segment":
            return _second_segment_alone(scene, user_samples)
        case None:
            return None


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
