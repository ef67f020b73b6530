"""Speech that some defects need and no release holds: the right words in the wrong voice, an instruction read aloud.

Spoken by the release's own engine and voices before the first case, and kept: a case only reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import polars

from data_schemas.foundation.audio import write_wav
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from generators.speech.engine import SpeechEngine
from generators.speech.finish import finish
from generators.speech.registry import create_engine
from validators.sets.catalog import CATALOG_FILE

EDGE_SILENCE_MS = 50


class Spare(NamedTuple):
    """Words, and the speaker whose voice says them."""

    name: str
    language: Language
    text: str
    speaker: str


class Booth:
    """Speaks spares for the release under ``root`` and keeps them in ``folder``."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._folder = folder
        self._catalog = polars.read_parquet(root / CATALOG_FILE).filter(polars.col("kind") == "utterance")

    @cached_property
    def _engine(self) -> SpeechEngine:
        return create_engine(str(self._catalog["engine"][0]))

    def speak(self, spares: Iterable[Spare]) -> dict[str, Path]:
        """Spares by name: 16 kHz WAV files."""
        return {spare.name: self._speak(spare) for spare in spares}

    def _speak(self, spare: Spare) -> Path:
        request = SpeechRequest(
            engine=self._engine.name,
            weights_sha256=self._engine.weights_sha256,
            voice=self._voice(spare),
            language=spare.language,
            spoken_text=self._spoken(spare.text),
            loudness_lufs=float(self._catalog["loudness_lufs"].median()),  # type: ignore[arg-type]
            edge_silence_ms=EDGE_SILENCE_MS,
        )
        path = self._folder / f"{hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:16]}.wav"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, finish(self._engine.synthesise(request), request).samples)
        return path

    def _voice(self, spare: Spare) -> str:
        own = self._catalog.filter(
            (polars.col("speaker") == spare.speaker) & (polars.col("language") == spare.language.value)
        )
        return str(own["voice"][0])

    def _spoken(self, text: str) -> str:
        """How the build normalised that text; a text of ours has nothing to normalise."""
        same = self._catalog.filter(polars.col("text") == text)
        return str(same["spoken_text"][0]) if len(same) else text


def other_speaker(found: FoundItem, speaker: str, items: Iterable[FoundItem]) -> str:
    """A speaker of dialogues of the same language and split: another voice of the same release."""
    names = {
        str(turn["speaker"])
        for item in items
        if item.language is found.language and item.split is found.split and item.track is found.track
        for turn in item.row["turns"]  # type: ignore[attr-defined]
    }
    return min(names - {speaker})
