"""Labels of both channels against what a voice activity detector hears there, and against where sound begins and ends.

``validators.scene.timeline`` goes by level alone; here noise or music in the place of speech is no speech, and bounds
are compared with sound: to 10 ms on channels that carry nothing but the voice, by the detector behind a microphone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_schemas.acoustics import Microphone, NoiseKind
from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from data_schemas.layouts.base import FoundItem
from data_schemas.scene import EventKind
from data_schemas.tasks import INTERRUPTION_TASKS, Channel
from validators.core.codes import Judge
from validators.core.measure import Span, clip_span, frame_levels, runs
from validators.core.thresholds import Thresholds
from validators.rows.rows import AssistantSegmentRow, EventRow, LinesRow, SegmentRow, view
from validators.scene.microphone import Background, background, silence
from validators.scene.speech_activity import FrameScores, SegmentationModel
from validators.scene.timeline import Channels
from validators.scene.voice_activity import VoiceActivityDetector

VALIDATOR = "segments/1"

_FRAME_S = 0.01  # level frame for bounds: twice as fine as the judges of level, still a period of a low voice
_FRAMES_PER_SECOND = 100
#: Kinds whose whole span is somebody speaking; stops are fades of 40 ms, and a pause is the opposite.
_SPOKEN = frozenset({EventKind.BARGE_IN, EventKind.BACKCHANNEL, EventKind.THIRD_PARTY, EventKind.ASIDE})
_SPOKEN_TOGETHER = frozenset({EventKind.OVERLAP, EventKind.TALK_OVER})
_LEAST_EVENT_S = 0.3  # shorter joint speech may be the silent edges of two labels (50 ms each) and a soft sound
_INTERRUPTION = 1  # FORMATS.md B.3: index of the interruption in the sub-tasks that have one

Frames = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class HeardChannel:
    """One channel ``[n]``, what two detectors hear on it, and what stands behind the speech."""

    samples: Samples
    rate: int
    voice: FrameScores
    speech: tuple[Span, ...]  # Silero's, seconds
    behind: Background
    #: only speech and what the room adds to it is on the channel: level tells where it begins and ends
    sharp: bool = True
    #: seconds in which somebody else may be heard (an echo); None: at any time (babble)
    others: tuple[Span, ...] | None = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def judge_voices(
    found: FoundItem,
    user: Sequence[SegmentRow],
    assistant: Sequence[AssistantSegmentRow] | None,
    channels: Channels,
    microphone: Microphone | None,
    thresholds: Thresholds,
    model: SegmentationModel,
    detector: VoiceActivityDetector,
) -> tuple[Finding, ...]:
    """Everything this module says of one item; ``assistant`` is None where the row does not label that channel."""
    near = user_channel(channels, user, assistant or (), microphone, thresholds, model, detector)
    judge = Judge(VALIDATOR, found.id, found.files["user"])
    findings = [*judge_segments(judge, near, user, thresholds)]
    heard = {Channel.USER: near}
    if channels.assistant is not None and assistant is not None:
        far = assistant_channel(channels.assistant, channels.rate, thresholds, model, detector)
        heard[Channel.ASSISTANT] = far
        other = judge.about(found.files["assistant"])
        findings += judge_segments(other, far, assistant, thresholds)
        findings += judge_stops(other, far, assistant, interruptions(found, user), thresholds)
    findings += judge_events_heard(judge, found, heard, thresholds)
    return tuple(findings)


def user_channel(
    channels: Channels,
    user: Sequence[SegmentRow],
    assistant: Sequence[SegmentRow],
    microphone: Microphone | None,
    thresholds: Thresholds,
    model: SegmentationModel,
    detector: VoiceActivityDetector,
) -> HeardChannel:
    """The user's channel as the detectors hear it."""
    behind = background(microphone, channels.user, channels.rate, user, thresholds)
    others: tuple[Span, ...] | None = ()
    if microphone is not None and any(noise.kind is NoiseKind.BABBLE for noise in microphone.noises):
        others = None
    elif microphone is not None and microphone.echo is not None:
        delay, tail = microphone.echo.delay / channels.rate, microphone.echo.tail / channels.rate
        others = tuple((each.xmin + delay, each.xmax + delay + tail) for each in assistant)
    telephone = microphone is not None and microphone.telephone is not None
    return HeardChannel(
        samples=channels.user,
        rate=channels.rate,
        voice=model.voice(channels.user, channels.rate),
        speech=detector.speech_spans(channels.user),
        behind=behind,
        sharp=behind.silence_dbfs <= thresholds.silence_dbfs and not telephone,
        others=others,
    )


def assistant_channel(
    samples: Samples, rate: int, thresholds: Thresholds, model: SegmentationModel, detector: VoiceActivityDetector
) -> HeardChannel:
    """The assistant's channel as the detectors hear it: no microphone stands before it."""
    voice, speech = model.voice(samples, rate), detector.speech_spans(samples)
    return HeardChannel(samples, rate, voice, speech, silence(thresholds))


def interruptions(found: FoundItem, user: Sequence[SegmentRow]) -> tuple[Span, ...]:
    """Where the user takes the floor from the assistant: by the row's events, else by the sub-task's index rule."""
    events = _events(found)
    if events is not None:
        return tuple((event.start, event.stop) for event in events if event.kind is EventKind.BARGE_IN)
    if found.task in INTERRUPTION_TASKS and len(user) > _INTERRUPTION:
        return (user[_INTERRUPTION].span,)
    return ()


def judge_segments(
    judge: Judge, heard: HeardChannel, labels: Sequence[SegmentRow], thresholds: Thresholds
) -> Iterator[Finding]:
    """Labelled speech that is missed, speech heard beside the labels, and labels whose bounds are not the sound's."""
    sounding = frame_levels(heard.samples, heard.rate, _FRAME_S) >= heard.behind.silence_dbfs
    owned = _owned([(start * _FRAME_S, stop * _FRAME_S) for start, stop in runs(sounding)], labels, thresholds)
    before = [-np.inf, *(each.xmax for each in labels)]
    for label, own, since in zip(labels, owned, before, strict=False):
        if label.role in heard.behind.drowned:
            continue
        share, name = _heard_share(heard, sounding, label, thresholds)
        if share is not None:
            yield judge.say(
                "SCENE.SEGMENT_MISSED",
                f"{name} hears speech in {share:.0%} of what sounds from {label.xmin:.2f} to {label.xmax:.2f} s",
                span=label.span,
                value=share,
                threshold=_share_limit(name, thresholds),
            )
            continue
        yield from _shifted(judge, heard, label, own, since, thresholds)
    if heard.others is not None:
        yield from _invented(judge, heard, labels, thresholds)


def _heard_share(
    heard: HeardChannel, sounding: Frames, label: SegmentRow, thresholds: Thresholds
) -> tuple[float | None, str]:
    """The share of the label's sounding time that is speech to the detector that hears too little of it, if any."""
    first, last = clip_span(label.xmin, label.xmax, _FRAMES_PER_SECOND, len(sounding))
    own = sounding[first:last]
    centres = (np.arange(first, last, dtype=np.float64) + 0.5) * _FRAME_S
    share = _share(heard.voice.at(centres) > thresholds.voice_onset, own)
    if share < thresholds.min_voice_share:
        return share, "pyannote"
    speech = np.zeros(len(own), dtype=bool)
    for start, stop in heard.speech:
        speech |= (centres >= start) & (centres < stop)
    share = _share(speech, own)
    if share < thresholds.min_speech_share:
        return share, "Silero"
    return None, ""


def _share_limit(name: str, thresholds: Thresholds) -> float:
    return thresholds.min_voice_share if name == "pyannote" else thresholds.min_speech_share


def _share(speech: Frames, sounding: Frames) -> float:
    counted = int(np.count_nonzero(sounding))
    return float(np.count_nonzero(speech & sounding) / counted) if counted else 0.0


def _owned(spans: Sequence[Span], labels: Sequence[SegmentRow], thresholds: Thresholds) -> tuple[tuple[Span, ...], ...]:
    """The sounds of each label: those it overlaps most, and free ones that no detector would split from it."""
    owned: list[list[Span]] = [[] for _ in labels]
    for start, stop in spans:
        distances = [max(label.xmin - stop, start - label.xmax) for label in labels]
        nearest = min(range(len(labels)), key=lambda n: distances[n], default=None)
        if nearest is not None and distances[nearest] < thresholds.min_segment_gap_s:
            owned[nearest].append((start, stop))
    return tuple(tuple(each) for each in owned)


def _shifted(
    judge: Judge, heard: HeardChannel, label: SegmentRow, own: Sequence[Span], since: float, thresholds: Thresholds
) -> Iterator[Finding]:
    """Bounds against sound where level tells, else the beginning against the detector.

    In babble nobody can tell, nor where the label before ends (``since``) too near for detectors to split them.
    """
    limits = thresholds
    tail = heard.behind.tails_s.get(label.role, 0.0)
    if heard.sharp and own:
        errors = {"begins": own[0][0] - label.xmin, "ends": own[-1][1] - label.xmax}
        bands = {
            "begins": (-limits.max_sound_before_label_s, limits.max_silence_before_sound_s),
            "ends": (-limits.max_silence_after_sound_s, limits.max_sound_after_label_s + tail),
        }
    elif heard.others is None or label.xmin - since < limits.min_segment_gap_s:
        return
    else:
        begins = [span[0] for span in heard.voice.spans(limits.voice_onset) if _near(span, label, limits)]
        if not begins:
            return
        errors = {"begins": begins[0] - label.xmin}
        bands = {"begins": (-limits.max_onset_error_in_noise_s, limits.max_onset_error_in_noise_s)}
    if getattr(label, "cut", False) and "ends" in bands:
        # a cut may fall into a pause between words; what goes on after it is for judge_stops
        bands["ends"] = (-limits.min_segment_gap_s, np.inf)
    wrong = {name: error for name, error in errors.items() if not bands[name][0] <= error <= bands[name][1]}
    if not wrong:
        return
    worst = max(wrong, key=lambda name: abs(wrong[name]))
    told = " and ".join(
        f"{name} {abs(error):.2f} s {'after' if error > 0 else 'before'} its label" for name, error in wrong.items()
    )
    low, high = bands[worst]
    yield judge.say(
        "SCENE.SEGMENT_SHIFTED",
        f"what is heard {told} ({label.xmin:.2f} to {label.xmax:.2f} s)",
        span=label.span,
        value=wrong[worst],
        threshold=high if wrong[worst] > 0 else low,
    )


def _near(span: Span, label: SegmentRow, thresholds: Thresholds) -> bool:
    gap = thresholds.min_segment_gap_s / 2
    return span[1] > label.xmin - gap and span[0] < label.xmax


def _invented(
    judge: Judge, heard: HeardChannel, labels: Sequence[SegmentRow], thresholds: Thresholds
) -> Iterator[Finding]:
    """The longest stretch of voice beside all labels, what outlasts a cut, and everybody else's speech."""
    margin = thresholds.voice_margin_s
    allowed = [(each.xmin, each.xmax + heard.behind.tails_s.get(each.role, 0.0)) for each in labels]
    allowed += heard.others or ()
    ends = [*(each.xmin for each in labels[1:]), heard.seconds]
    allowed += [(each.xmax, end) for each, end in zip(labels, ends, strict=False) if getattr(each, "cut", False)]
    beside = _beside(heard.voice, thresholds.voice_onset, [(start - margin, stop + margin) for start, stop in allowed])
    longest = max(beside, key=lambda span: span[1] - span[0], default=None)
    if longest is None or longest[1] - longest[0] < thresholds.max_invented_s:
        return
    yield judge.say(
        "SCENE.SEGMENT_INVENTED",
        f"speech is heard for {longest[1] - longest[0]:.2f} s at {longest[0]:.2f} s, where no label says so",
        span=longest,
        value=longest[1] - longest[0],
        threshold=thresholds.max_invented_s,
    )


def _beside(voice: FrameScores, onset: float, allowed: Iterable[Span]) -> tuple[Span, ...]:
    """Spans of voice outside the allowed ones."""
    centres = voice.centres
    free = voice.values > onset
    for start, stop in allowed:
        free &= ~((centres >= start) & (centres < stop))
    half = voice.step / 2
    return tuple((float(centres[start]) - half, float(centres[stop - 1]) + half) for start, stop in runs(free))


def judge_stops(
    judge: Judge,
    heard: HeardChannel,
    labels: Sequence[AssistantSegmentRow],
    interrupted: Sequence[Span],
    thresholds: Thresholds,
) -> Iterator[Finding]:
    """The assistant still speaks after its label was cut, or long after the user began to interrupt it."""
    ends = [*(each.xmin for each in labels[1:]), heard.seconds]
    pairs = zip(labels, ends, strict=False)
    late = [(each.xmax, end, "its reply is labelled as cut") for each, end in pairs if each.cut]
    for start, stop in interrupted:
        silent_from = start + thresholds.max_stop_latency_s
        following = min((each.xmin for each in labels if each.xmin > start), default=heard.seconds)
        if _sounds(heard.voice, start, thresholds):
            late.append((silent_from, min(stop, following), f"the user interrupts it at {start:.2f} s"))
    told: list[Span] = []
    for start, stop, why in late:
        first = start + thresholds.voice_margin_s
        spoken = float(np.count_nonzero(heard.voice.inside((first, stop)) > thresholds.voice_onset)) * heard.voice.step
        if spoken < thresholds.max_speech_after_stop_s or any(start < b and a < stop for a, b in told):
            continue
        told.append((start, stop))
        yield judge.say(
            "SCENE.NOT_STOPPED",
            f"the assistant speaks for {spoken:.2f} s after {start:.2f} s, though {why}",
            span=(start, stop),
            value=spoken,
            threshold=thresholds.max_speech_after_stop_s,
        )


def _sounds(voice: FrameScores, at: float, thresholds: Thresholds) -> bool:
    margin = thresholds.voice_margin_s
    return bool((voice.inside((at - margin, at + margin)) > thresholds.voice_onset).any())


def judge_events_heard(
    judge: Judge, found: FoundItem, heard: Mapping[Channel, HeardChannel], thresholds: Thresholds
) -> Iterator[Finding]:
    """Events at whose time no voice is heard on their channel; of joint speech, on either channel."""
    for event in _events(found) or ():
        together = event.kind in _SPOKEN_TOGETHER and event.stop - event.start >= _LEAST_EVENT_S
        if event.kind not in _SPOKEN and not together:
            continue
        for channel in tuple(Channel) if together else (event.channel,):
            own = heard.get(channel)
            if own is None or event.kind.value in own.behind.drowned:
                continue
            scores = own.voice.inside((event.start, event.stop))
            score = float(scores.max()) if len(scores) else 0.0
            if score < thresholds.voice_onset:
                yield judge.about(found.files[channel.value]).say(
                    "SCENE.EVENT_SILENT",
                    f"{event.kind} at {event.start:.2f} s: nobody is heard on the {channel} channel",
                    span=(event.start, event.stop),
                    value=score,
                    threshold=thresholds.voice_onset,
                )


def _events(found: FoundItem) -> tuple[EventRow, ...] | None:
    """The row's events; None where it has none or cannot be read."""
    row = view(LinesRow, found.row)
    return None if isinstance(row, str) else row.events
