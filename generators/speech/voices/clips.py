"""What the engines that clone ask of a voice's clips."""

from __future__ import annotations

import re
from collections.abc import Mapping

from data_schemas.emotions import Emotion
from data_schemas.speakers import ReferenceClip, Voice
from data_schemas.tasks import Language

_HAN = re.compile("[\u3400-\u9fff]")


def clip_language(clip: ReferenceClip) -> Language:
    """Of a clip's words, which need not be the voice's; the first Chinese character makes them Chinese."""
    return Language.ZH if _HAN.search(clip.text) else Language.EN


def clips_by_emotion(voice: Voice) -> Mapping[Emotion, ReferenceClip]:
    """In the order of the emotions' names: that of the registry is no part of a voice (`voice_digest`)."""
    return {clip.emotion: clip for clip in sorted(voice.clips, key=lambda clip: clip.emotion.value)}
