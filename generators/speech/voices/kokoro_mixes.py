"""The pinned mixtures of Kokoro's voices; chosen by ``python -m benchmarks.voices`` (docs/voices.md)."""

from __future__ import annotations

from importlib.resources import as_file, files

from data_schemas.speakers import Voice
from generators.speech.voices.registry import load_voices


def pinned_mixes() -> tuple[Voice, ...]:
    """Voices mixed of two or three of Kokoro's, each of one language and gender, distinct by speaker similarity."""
    with as_file(files("generators.speech.voices").joinpath("kokoro_mixes.yaml")) as path:
        return load_voices(path, "kokoro")
