"""`Clip`: one utterance as it stands in a published file, what it should say and who says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from data_schemas.acoustics import Microphone
from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import Samples
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Role, Split, Track
from validators.core.measure import Span, clip_span
from validators.rows.rows import AssistantSpeechRow, SpokenDialogueRow, SpokenScene, view
from validators.scene.microphone import leaves_user_as_spoken


@dataclass(frozen=True)
class Clip:
    """What one person says once, with its samples ``[n]``. Times are seconds in the file ``file``."""

    item: str
    name: str  # "turn_2", "response_2", "user_3", "assistant_1": unique within the item
    file: str  # relative to the root
    span: Span
    rate: int
    samples: Samples
    layout: str
    language: Language
    split: Split
    role: Role
    text: str  # what is to be heard, with its tags; of a cut reply what was said of it
    speaker: str | None = None  # id, where the row tells
    emotion: Emotion | None = None
    intensity: int | None = None
    cut: bool = False
    loudness_lufs: float | None = None  # of its samples, where it was measured before
    microphone: Microphone | None = None  # what this voice went through, and what it stands in; None for nothing

    @property
    def id(self) -> str:
        """Unique in a data set."""
        return f"{self.file}#{self.name}"

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def is_dry(self) -> bool:
        """Nothing but the voice: no room, echo, noise or telephone."""
        return self.microphone is None


def clips_of(
    found: FoundItem,
    samples: Mapping[str, Samples],
    rate: int,
    microphone: Microphone | None = None,
    loudness_lufs: Mapping[str, float | None] = MappingProxyType({}),
) -> tuple[Clip, ...]:
    """The clips of an item whose readable files are given by role (``turn_1`` .., ``response_1`` .., ``user``, ..).

    ``loudness_lufs`` is that of these files; a clip that is a whole file carries it on.

    Rows that cannot be read, and labels without a sample inside the file, give no clip: other judges say so.
    """
    if found.track is Track.EMOTION:
        return tuple(replace(clip, loudness_lufs=loudness_lufs.get(clip.name)) for clip in _turns(found, samples, rate))
    return (*_user(found, samples, rate, microphone), *_assistant(found, samples, rate))


def _turns(found: FoundItem, samples: Mapping[str, Samples], rate: int) -> Iterator[Clip]:
    row = view(SpokenDialogueRow, found.row)
    for number, turn in enumerate(() if isinstance(row, str) else row.turns, start=1):
        name, reply = f"turn_{number}", f"response_{number}"
        if name in samples:
            yield replace(
                _whole(found, name, samples[name], rate),
                text=turn.text,
                speaker=turn.speaker,
                emotion=Emotion(turn.emotion) if turn.emotion in set(Emotion) else None,
                intensity=turn.intensity,
            )
        if reply in samples and turn.response_text:
            yield replace(
                _whole(found, reply, samples[reply], rate),
                role=Role.ASSISTANT,
                text=turn.response_text,
                speaker=turn.response_speaker,
            )


def _user(found: FoundItem, samples: Mapping[str, Samples], rate: int, microphone: Microphone | None) -> Iterator[Clip]:
    row = view(SpokenScene, found.row)
    for number, segment in enumerate(() if isinstance(row, str) else row.speech_segments, start=1):
        clip = _segment(found, "user", number, segment.span, samples, rate)
        if clip is not None:
            role = Role(segment.role) if segment.role in set(Role) else Role.USER
            dry = role is Role.USER and leaves_user_as_spoken(microphone)
            heard_through = None if dry else microphone
            yield replace(clip, role=role, text=segment.text, speaker=segment.speaker, microphone=heard_through)


def _assistant(found: FoundItem, samples: Mapping[str, Samples], rate: int) -> Iterator[Clip]:
    row = view(AssistantSpeechRow, found.row)
    if isinstance(row, str):
        return
    speaker = row.speakers.get(Role.ASSISTANT.value)
    for number, segment in enumerate(row.assistant_segments or (), start=1):
        clip = _segment(found, "assistant", number, segment.span, samples, rate)
        if clip is not None:
            yield replace(clip, role=Role.ASSISTANT, text=segment.text, speaker=speaker, cut=segment.cut)


def _segment(
    found: FoundItem, channel: str, number: int, span: Span, samples: Mapping[str, Samples], rate: int
) -> Clip | None:
    """A labelled stretch of a channel, without its words; None where the file has no sample of it."""
    if channel not in samples:
        return None
    first, last = clip_span(*span, rate, len(samples[channel]))
    if first >= last:
        return None
    return replace(_whole(found, channel, samples[channel][first:last], rate), name=f"{channel}_{number}", span=span)


def _whole(found: FoundItem, role: str, samples: Samples, rate: int) -> Clip:
    """A file as one clip of the user's, without its words."""
    return Clip(
        item=found.id,
        name=role,
        file=found.files[role],
        span=(0.0, len(samples) / rate),
        rate=rate,
        samples=samples,
        layout=found.layout,
        language=found.language,
        split=found.split,
        role=Role.USER,
        text="",
    )
