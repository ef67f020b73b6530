"""What a release is made from besides its configuration and the code: engine, models, scripts and voices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from data_schemas.foundation.base import dump_json
from data_schemas.foundation.models import ModelEntry
from data_schemas.release import DatasetLock, LockedEngine, LockedModel
from data_schemas.script import Script
from data_schemas.speakers import Speaker, Voice
from generators.speech.engine import SpeechEngine
from generators.speech.voices.registry import voice_digest

_SHOWN_DIGITS = 12


def cast_voices(engine: SpeechEngine, speakers: Iterable[Speaker]) -> tuple[Voice, ...]:
    """The engine's voices that somebody speaks with, by id."""
    cast = {speaker.voice for speaker in speakers}
    return tuple(sorted((voice for voice in engine.voices() if voice.id in cast), key=lambda voice: voice.id))


def scripts_sha256(scripts: Iterable[Script]) -> str:
    """Over all scripts, in their order."""
    digest = hashlib.sha256()
    for number, script in enumerate(scripts):
        digest.update((("\n" if number else "") + script.to_json_line()).encode())
    return digest.hexdigest()


def voices_sha256(engine: SpeechEngine, speakers: Iterable[Speaker]) -> str:
    """Over who speaks with which voice, and of each voice: what it is made of, its licence and its origin."""
    people = tuple(speakers)
    voices = [[voice.id, voice_digest(voice), voice.license, voice.origin] for voice in cast_voices(engine, people)]
    return hashlib.sha256(dump_json([[one.model_dump(mode="json") for one in people], voices]).encode()).hexdigest()


def locked_engine(engine: SpeechEngine) -> LockedEngine:
    return LockedEngine(
        name=engine.name, version=engine.version, weights_sha256=engine.weights_sha256, license=engine.license
    )


def locked_models(models: Iterable[ModelEntry]) -> tuple[LockedModel, ...]:
    return tuple(
        LockedModel(name=entry.name, license=entry.license, files={file.path: file.sha256 for file in entry.files})
        for entry in models
    )


def changes_since(
    lock: DatasetLock,
    engine: SpeechEngine,
    models: Iterable[ModelEntry],
    speakers: Iterable[Speaker],
    scripts: Iterable[Script] | None,
) -> Iterator[str]:
    """What is no longer as the lock says, a phrase each; ``scripts`` is None where a model writes them.

    What an older version did not write into the lock is not compared.
    """
    locked, now = {one.name: one for one in lock.engines}.get(engine.name), locked_engine(engine)
    if locked is None:
        yield f"the engine is now {engine.name}"
    elif locked != now:
        yield f"engine {engine.name} is now {_what_differs(locked, now)}"
    before, after = ({one.name: one for one in found} for found in (lock.models, locked_models(models)))
    other = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if other:
        yield f"the pinned models have changed ({', '.join(other)})"
    if None not in (scripts, lock.scripts_sha256) and lock.scripts_sha256 != scripts_sha256(scripts or ()):
        yield "the scripts of scripts.pack have changed"
    if lock.voices_sha256 not in (None, voices_sha256(engine, speakers)):
        yield "the voices have changed (who is cast, clips and their texts, mixtures, licence or origin)"


def _what_differs(locked: LockedEngine, now: LockedEngine) -> str:
    differs = (
        (locked.version != now.version, f"version {now.version} (was {locked.version})"),
        (
            locked.weights_sha256 != now.weights_sha256,
            f"weights {now.weights_sha256[:_SHOWN_DIGITS]} (were {locked.weights_sha256[:_SHOWN_DIGITS]})",
        ),
        (locked.license != now.license, f"licence {now.license} (was {locked.license})"),
    )
    return ", ".join(words for differ, words in differs if differ)
