"""What a microphone adds to the user's channel: what the judges let pass for it, and whether its record is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from data_schemas.acoustics import Microphone, NoiseKind
from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from data_schemas.layouts.base import FoundItem
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Role
from validators.core.codes import Judge
from validators.core.measure import Span, clip_span, frame_levels
from validators.core.thresholds import Thresholds
from validators.rows.rows import MicrophoneRow, SegmentRow, view

FLOOR_FRAME_S = 0.05  # the frame that `Microphone.floor_dbfs` is defined by
_SPEECH_PERCENTILE = 95  # a level that speech reaches, whatever its pauses
_LEAST_MEASURED_S = 0.3  # less noise alone, or less speech, than this gives no verdict on their ratio
_DB_PER_POWER = 10.0
_LOWEST_BYSTANDER_DB = -12.0  # inverse distance law: user at 0.7 m, bystander at 2.8 m; where the row says no level

Mask = npt.NDArray[np.bool_]


def read_microphone(judge: Judge, found: FoundItem) -> Microphone | Finding | None:
    """The row's microphone; None for dry scenes and for data sets that do not speak of one."""
    if not isinstance(found.row.get("microphone"), dict):
        return None
    row = view(MicrophoneRow, found.row)
    if isinstance(row, str):
        return judge.say("T2.MICROPHONE", f"line {found.line}: {row}", file=found.manifest)
    microphone = row.microphone
    if microphone is None or microphone.is_dry:
        return None
    if (microphone.noises or microphone.echo) and microphone.floor_dbfs is None:
        return judge.say("T2.MICROPHONE", f"line {found.line}: noise or echo without floor_dbfs", file=found.manifest)
    if any(noise.gain_db is None for noise in microphone.noises):
        return judge.say("T2.MICROPHONE", f"line {found.line}: noise without gain_db", file=found.manifest)
    return microphone


@dataclass(frozen=True)
class Background:
    """What stands behind labelled speech on one channel: levels under which it is heard, in dBFS, and room tails."""

    #: a louder 50 ms frame outside all labels is too loud
    outside_dbfs: float
    #: a 20 ms frame under it is silent
    silence_dbfs: float
    #: of a label's frames, so many carry sound
    min_active_share: float
    #: inside a label, a longer silence splits it
    longest_silence_s: float
    #: seconds by which the sound of a role outlasts its labels
    tails_s: Mapping[str | None, float] = field(default_factory=dict)
    #: roles that are too near to the floor to be told from it
    drowned: frozenset[str | None] = frozenset()
    #: the floor is noise, and not the reverberation of the speech itself
    noisy: bool = False

    def sounding(self, segments: Sequence[SegmentRow]) -> list[Span]:
        """The segments with the reverberation after them."""
        return [(each.xmin, each.xmax + self.tails_s.get(each.role, 0.0)) for each in segments]


def silence(thresholds: Thresholds) -> Background:
    """Nothing at all stands behind the speech."""
    return Background(
        outside_dbfs=thresholds.max_outside_dbfs,
        silence_dbfs=thresholds.silence_dbfs,
        min_active_share=thresholds.min_active_share,
        longest_silence_s=thresholds.min_segment_gap_s,
    )


def background(
    microphone: Microphone | None, user: Samples, rate: int, segments: Sequence[SegmentRow], thresholds: Thresholds
) -> Background:
    """What stands behind speech on the user's channel ``[n]``: silence, unless there is a microphone."""
    dry = silence(thresholds)
    if microphone is None:
        return dry
    tails_s = _tails(microphone, rate)
    floor = microphone.floor_dbfs
    dimmed = thresholds.max_inner_silence_in_noise_s if microphone.telephone else dry.longest_silence_s
    if floor is None or floor + thresholds.floor_margin_db <= thresholds.silence_dbfs:
        return replace(dry, tails_s=tails_s, longest_silence_s=dimmed)
    over_floor = _speech_level(user, rate, segments) + _bystander_db(microphone) - floor
    hidden = over_floor < thresholds.min_speech_over_floor_db + thresholds.floor_margin_db
    return Background(
        outside_dbfs=max(dry.outside_dbfs, floor + thresholds.floor_margin_db),
        silence_dbfs=floor + thresholds.floor_margin_db,
        min_active_share=thresholds.min_active_share_in_noise,
        longest_silence_s=thresholds.max_inner_silence_in_noise_s,
        tails_s=tails_s,
        drowned=frozenset({Role.THIRD_PARTY.value}) if hidden else frozenset(),
        noisy=bool(microphone.noises),
    )


def _tails(microphone: Microphone, rate: int) -> dict[str | None, float]:
    return {role.value: microphone.tail_of(role) / rate for role in Role}


def _bystander_db(microphone: Microphone) -> float:
    """Level of third-party speech against the user's."""
    levels = [talker.level_db for talker in microphone.talkers if talker.role is Role.THIRD_PARTY]
    return min(levels, default=_LOWEST_BYSTANDER_DB)


def _speech_level(user: Samples, rate: int, segments: Sequence[SegmentRow]) -> float:
    """Level in dBFS under which 95 % of the user's 50 ms frames lie; minus infinity without any."""
    frames = frame_levels(user[_mask(_spans(segments, Role.USER), rate, len(user))], rate, FLOOR_FRAME_S)
    return float(np.percentile(frames, _SPEECH_PERCENTILE)) if len(frames) else -np.inf


def leaves_user_as_spoken(microphone: Microphone | None) -> bool:
    """Whether the user's own samples reach the file unchanged and alone."""
    if microphone is None:
        return True
    heard_through_room = any(talker.role is Role.USER for talker in microphone.talkers)
    return not (microphone.echo or microphone.noises or microphone.telephone or heard_through_room)


def muddles_overlap(microphone: Microphone | None) -> bool:
    """Whether the overlap detector can say nothing: babble is overlapped speech, and it knows no narrow band."""
    if microphone is None:
        return False
    return microphone.telephone is not None or any(noise.kind is NoiseKind.BABBLE for noise in microphone.noises)


def judge_microphone(
    judge: Judge,
    microphone: Microphone,
    user: Samples,
    rate: int,
    segments: Sequence[SegmentRow],
    assistant: Sequence[SegmentRow] | None,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """What the record says of floor and noise against the user's file ``[n]``, as far as the file can tell."""
    yield from _floor(judge, microphone, user, rate, segments, thresholds)
    yield from _snr(judge, microphone, user, rate, segments, assistant, thresholds)


def _floor(
    judge: Judge,
    microphone: Microphone,
    user: Samples,
    rate: int,
    segments: Sequence[SegmentRow],
    thresholds: Thresholds,
) -> Iterator[Finding]:
    floor = microphone.floor_dbfs
    if floor is None or floor <= thresholds.silence_dbfs:
        return  # lets nothing pass that would not pass without it
    level = _speech_level(user, rate, segments)
    if level - floor < thresholds.min_speech_over_floor_db:
        yield judge.say(
            "TIMELINE.FLOOR",
            f"the user's speech reaches {level:.1f} dBFS and the floor is said to be {floor:.1f} dBFS",
            value=level - floor if np.isfinite(level) else None,
            threshold=thresholds.min_speech_over_floor_db,
        )
        return
    if any(BREAK_TAG in each.text for each in segments):
        return  # the loudest of the floor may be the room in the pause, inside the label
    rest = np.where(_mask([each.span for each in segments], rate, len(user)), np.float32(0.0), user)
    heard = float(frame_levels(rest, rate, FLOOR_FRAME_S).max())
    if floor - heard > thresholds.max_floor_excess_db:
        yield judge.say(
            "TIMELINE.FLOOR",
            f"the floor is said to be {floor:.1f} dBFS; outside the labels {heard:.1f} dBFS is the loudest",
            value=floor - heard,
            threshold=thresholds.max_floor_excess_db,
        )


def _snr(
    judge: Judge,
    microphone: Microphone,
    user: Samples,
    rate: int,
    segments: Sequence[SegmentRow],
    assistant: Sequence[SegmentRow] | None,
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """Mean power of the user's speech over that of all noises together. A telephone takes part of both away."""
    if not microphone.noises or microphone.telephone or (microphone.echo and assistant is None):
        return
    if any(BREAK_TAG in each.text for each in segments):
        return  # the pause is no speech, and only the events say how long it is
    speech = _mask(_spans(segments, Role.USER), rate, len(user))
    noise = ~_mask(_sounding(microphone, segments, assistant or (), rate, thresholds), rate, len(user))
    if min(np.count_nonzero(speech), np.count_nonzero(noise)) < _LEAST_MEASURED_S * rate:
        return
    noise_power = _power(user[noise])
    speech_power = _power(user[speech]) - noise_power
    if noise_power <= 0.0 or speech_power <= 0.0:
        measured = np.inf if noise_power <= 0.0 else -np.inf
    else:
        measured = _DB_PER_POWER * np.log10(speech_power / noise_power)
    stated = -_DB_PER_POWER * np.log10(sum(10.0 ** (-each.snr_db / _DB_PER_POWER) for each in microphone.noises))
    if abs(measured - stated) > thresholds.max_snr_error_db:
        yield judge.say(
            "TIMELINE.SNR",
            f"the noise is said to be {stated:.1f} dB under the user's speech and is {measured:.1f} dB under it",
            value=float(measured - stated) if np.isfinite(measured) else None,
            threshold=thresholds.max_snr_error_db,
        )


def _sounding(
    microphone: Microphone,
    segments: Sequence[SegmentRow],
    assistant: Sequence[SegmentRow],
    rate: int,
    thresholds: Thresholds,
) -> list[Span]:
    """Where something else than noise sounds: labels, what the room adds to them, and the assistant's echo."""
    margin = thresholds.label_margin_s
    tails_s = _tails(microphone, rate)
    spans = [(each.xmin, each.xmax + tails_s.get(each.role, 0.0)) for each in segments]
    echo = microphone.echo
    if echo is not None:
        delay, tail = echo.delay / rate, echo.tail / rate
        spans += [(each.xmin + delay, each.xmax + delay + tail) for each in assistant]
    return [(start - margin, stop + margin) for start, stop in spans]


def _spans(segments: Sequence[SegmentRow], role: Role) -> list[Span]:
    return [each.span for each in segments if each.role == role]


def _mask(spans: Sequence[Span], rate: int, length: int) -> Mask:
    """True inside the spans, ``[length]``."""
    mask = np.zeros(length, dtype=bool)
    for start, stop in spans:
        first, last = clip_span(start, stop, rate, length)
        mask[first:last] = True
    return mask


def _power(samples: npt.NDArray[Any]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))
