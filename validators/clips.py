"""`Clip`: one utterance as it stands in a published file, what it should say and who says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from data_schemas.acoustics import Microphone
from data_schemas.audio import Samples
from data_schemas.emotions import Emotion
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Role, Split, Track
from validators.measure import Span, clip_span
from validators.microphone import leaves_user_as_spoken
from validators.rows import AssistantSpeechRow, SpokenDialogueRow, SpokenScene, view


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
    found: FoundItem, samples: Mapping[str, Samples], rate: int, microphone: Microphone | None = None
) -> tuple[Clip, ...]:
    """The clips of an item whose readable files are given by role (``turn_1`` .., ``response_1`` .., ``user``, ..).

    Rows that cannot be read, and labels without a sample inside the file, give no clip: other judges say so.
    """
    if found.track is Track.EMOTION:
        return tuple(_turns(found, samples, rate))
    return (*_user(found, samples, rate, microphone), *_assistant(found, samples, rate))


def _turns(found: FoundItem, samples: Mapping[str, Samples], rate: int) -> Iterator[Clip]:
    row = view(SpokenDialogueRow, found.row)
    if isinstance(row, str):
        return
    for number, turn in enumerate(row.turns, start=1):
        name = f"turn_{number}"
        if name in samples:
            yield Clip(
                item=found.id,
                name=name,
                file=found.files[name],
                span=(0.0, len(samples[name]) / rate),
                rate=rate,
                samples=samples[name],
                layout=found.layout,
                language=found.language,
                split=found.split,
                role=Role.USER,
                text=turn.text,
                speaker=turn.speaker,
                emotion=Emotion(turn.emotion) if turn.emotion in set(Emotion) else None,
                intensity=turn.intensity,
            )
        reply = f"response_{number}"
        if reply in samples and turn.response_text:
            yield Clip(
                item=found.id,
                name=reply,
                file=found.files[reply],
                span=(0.0, len(samples[reply]) / rate),
                rate=rate,
                samples=samples[reply],
                layout=found.layout,
                language=found.language,
                split=found.split,
                role=Role.ASSISTANT,
                text=turn.response_text,
                speaker=turn.response_speaker,
            )


def _user(found: FoundItem, samples: Mapping[str, Samples], rate: int, microphone: Microphone | None) -> Iterator[Clip]:
    row = view(SpokenScene, found.row)
    if isinstance(row, str) or "user" not in samples:
        return
    for number, segment in enumerate(row.speech_segments, start=1):
        piece = _cut_out(samples["user"], segment.span, rate)
        if len(piece):
            role = Role(segment.role) if segment.role in set(Role) else Role.USER
            yield Clip(
                item=found.id,
                name=f"user_{number}",
                file=found.files["user"],
                span=segment.span,
                rate=rate,
                samples=piece,
                layout=found.layout,
                language=found.language,
                split=found.split,
                role=role,
                text=segment.text,
                speaker=segment.speaker,
                microphone=None if role is Role.USER and leaves_user_as_spoken(microphone) else microphone,
            )


def _assistant(found: FoundItem, samples: Mapping[str, Samples], rate: int) -> Iterator[Clip]:
    row = view(AssistantSpeechRow, found.row)
    if isinstance(row, str) or "assistant" not in samples:
        return
    for number, segment in enumerate(row.assistant_segments or (), start=1):
        piece = _cut_out(samples["assistant"], segment.span, rate)
        if len(piece):
            yield Clip(
                item=found.id,
                name=f"assistant_{number}",
                file=found.files["assistant"],
                span=segment.span,
                rate=rate,
                samples=piece,
                layout=found.layout,
                language=found.language,
                split=found.split,
                role=Role.ASSISTANT,
                text=segment.text,
                speaker=row.speakers.get(Role.ASSISTANT.value),
                cut=segment.cut,
            )


def _cut_out(samples: Samples, span: Span, rate: int) -> Samples:
    first, last = clip_span(*span, rate, len(samples))
    return samples[first:last]
