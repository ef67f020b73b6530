"""Say one planned utterance, or find it in the store."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

from data_schemas.foundation.audio import Samples
from data_schemas.foundation.base import Record
from data_schemas.utterance import SpeechRequest, Utterance
from generators.speech.engine import EngineError, EngineUnusable, RawSpeech, SpeechEngine
from generators.speech.expression.world import express, expression_version
from generators.speech.finish import FINISH_VERSION, finish
from generators.speech.requests import PlannedUtterance
from generators.speech.sounds.join import SOUNDS_VERSION, pieces_to_speak, with_sounds
from generators.store import AudioEntry, AudioFacts, Store, key_of


class AudioRecipe(Record):
    """All that determines stored samples: the request and the versions of what carries it out."""

    request: SpeechRequest
    engine_version: str
    finish_version: str = FINISH_VERSION
    #: None: nothing of that is asked for
    expression_version: str | None = None
    sounds_version: str | None = None


#: What finishes raw speech (`finish`, `with_sounds`), and what the prosody step is made of; an engine names its own
#: libraries in its version.
_FINISHED_WITH = ("numpy", "pyloudnorm", "scipy", "soxr")
_EXPRESSED_WITH = ("pyworld-prebuilt",)


def made_with(request: SpeechRequest) -> dict[str, str]:
    """Versions of the libraries that decide the samples of a request besides the engine's."""
    return dict(_versions(_FINISHED_WITH + (_EXPRESSED_WITH if request.expression else ())))


@cache
def _versions(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, version(name)) for name in names)


def audio_recipe(request: SpeechRequest, engine: SpeechEngine) -> AudioRecipe:
    """The record whose hash is the store key of a request."""
    return AudioRecipe(
        request=request,
        engine_version=engine.version,
        expression_version=expression_version() if request.expression else None,
        sounds_version=SOUNDS_VERSION if request.sounds else None,
    )


def speak(planned: PlannedUtterance, engine: SpeechEngine, store: Store) -> Utterance:
    """The utterance with its audio in the store; the engine speaks only when it is not there yet.

    Raises:
        EngineError: the engine failed; the sentence names the utterance. Misspoken: another try may mend it.
        EngineUnusable: no utterance can be spoken.
        ModelMissing, ModelCorrupt: the engine's weights.
        OSError: the store cannot be written.
    """
    kept = find(planned, engine, store)
    if kept is not None:
        return kept
    try:
        raws = [engine.synthesise(piece) for piece in pieces_to_speak(planned.request)]
    except EngineUnusable:
        raise
    except EngineError as error:
        raise type(error)(f"{planned.id}: {error}") from error
    return keep(planned, raws, engine, store)


def find(planned: PlannedUtterance, engine: SpeechEngine, store: Store) -> Utterance | None:
    """The utterance where its audio lies in the store, or None.

    Raises:
        EngineError: it was planned for another engine.
    """
    if planned.request.engine != engine.name:
        raise EngineError(f"{planned.id}: was planned for engine {planned.request.engine} and got {engine.name}")
    entry = store.get(key_of(audio_recipe(planned.request, engine)), made_with(planned.request))
    return None if entry is None else _utterance(planned, entry, engine)


def keep(planned: PlannedUtterance, raws: Sequence[RawSpeech], engine: SpeechEngine, store: Store) -> Utterance:
    """What the engine gave for ``pieces_to_speak(planned.request)``, made an utterance and kept.

    Raises:
        EngineError: it cannot be used (silence, no samples); the sentence names the utterance.
        OSError: the store cannot be written.
    """
    request = planned.request
    recipe = audio_recipe(request, engine)
    key = key_of(recipe)
    if request.expression is not None:
        raws = [express(raw, request.expression, f"{key}/{number}") for number, raw in enumerate(raws)]
    try:
        finished = finish(with_sounds(tuple(raws), request), request)
    except EngineError as error:
        raise type(error)(f"{planned.id}: {error}") from error
    facts = AudioFacts(
        loudness_lufs=finished.loudness_lufs,
        peak_dbfs=finished.peak_dbfs,
        words=finished.words,
        provenance=engine.provenance(request),
    )
    return _utterance(planned, store.put(key, finished.samples, facts, recipe, made_with(request)), engine)


def load_samples(store: Store, key: str) -> Samples:
    """Samples ``[n]``, 16 kHz mono, of an utterance's ``audio_key``.

    Raises:
        StoreError: the entry is absent or damaged.
    """
    return store.load(key)


def _utterance(planned: PlannedUtterance, entry: AudioEntry, engine: SpeechEngine) -> Utterance:
    """The licence is no part of the store key: it is what the engine says of its audio today."""
    license = engine.provenance(planned.request).license
    return Utterance(
        id=planned.id,
        role=planned.role,
        speaker=planned.speaker,
        part=planned.part,
        text=planned.text,
        request=planned.request,
        tries=planned.tries,
        audio_key=entry.key,
        sample_rate=entry.sample_rate,
        num_samples=entry.num_samples,
        loudness_lufs=entry.facts.loudness_lufs,
        peak_dbfs=entry.facts.peak_dbfs,
        words=entry.facts.words,
        provenance=entry.facts.provenance.model_copy(update={"license": license}),
    )
