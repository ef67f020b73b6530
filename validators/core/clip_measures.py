"""`ClipMeasures`: what all clip judges measured of one utterance, without its samples; set-level judges read these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from data_schemas.emotions import Emotion
from data_schemas.tasks import Language, Role, Split
from validators.core.clips import Clip
from validators.core.measure import Span
from validators.core.probe import Vector


@dataclass(frozen=True)
class ClipMeasures:
    """Labels of one clip and what was measured of it."""

    clip: str  # Clip.id
    item: str
    name: str
    file: str
    span: Span
    layout: str
    language: Language
    split: Split
    role: Role
    text: str
    speaker: str | None
    emotion: Emotion | None
    intensity: int | None
    is_dry: bool
    values: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    vectors: Mapping[str, Vector] = field(default_factory=dict)


def measures_of(
    clip: Clip, values: Mapping[str, float], texts: Mapping[str, str], vectors: Mapping[str, Vector]
) -> ClipMeasures:
    """The clip's labels with what was measured."""
    return ClipMeasures(
        clip=clip.id,
        item=clip.item,
        name=clip.name,
        file=clip.file,
        span=clip.span,
        layout=clip.layout,
        language=clip.language,
        split=clip.split,
        role=clip.role,
        text=clip.text,
        speaker=clip.speaker,
        emotion=clip.emotion,
        intensity=clip.intensity,
        is_dry=clip.is_dry,
        values=values,
        texts=texts,
        vectors=vectors,
    )
