"""All kinds of defects, by group."""

from __future__ import annotations

from tests.support.mutations.kinds import catalogue, emotions, files, rows, scenes, sets, sound, voices, words
from tests.support.mutations.planting import Kind

KINDS: tuple[Kind, ...] = (
    *words.KINDS,
    *sound.KINDS,
    *voices.KINDS,
    *scenes.KINDS,
    *emotions.KINDS,
    *rows.KINDS,
    *files.KINDS,
    *sets.KINDS,
    *catalogue.KINDS,
)
