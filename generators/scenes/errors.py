"""Why a scene cannot be made. Such an item is quarantined with this sentence, never silently bent."""

from __future__ import annotations


class SceneImpossible(ValueError):
    """The utterances of one item do not fit the rules of its sub-task."""


class MixClips(SceneImpossible):
    """The sum of a channel exceeds what PCM 16-bit can hold."""
