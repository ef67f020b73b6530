"""Say one planned utterance, or find it in the store."""

from __future__ import annotations

from data_schemas.audio import Samples
from data_schemas.base import Record
from data_schemas.utterance import SpeechRequest, Utterance
from generators.speech.engine import EngineError, SpeechEngine
from generators.speech.finish import FINISH_VERSION, finish
from generators.speech.requests import PlannedUtterance
from generators.store import AudioEntry, AudioFacts, Store, key_of


class AudioRecipe(Record):
    """All that determines stored samples: the request and the versions of what carries it out."""

    request: SpeechRequest
    engine_version: str
    finish_version: str = FINISH_VERSION


def audio_recipe(request: SpeechRequest, engine: SpeechEngine) -> AudioRecipe:
    """The record whose hash is the store key of a request."""
    return AudioRecipe(request=request, engine_version=engine.version)


def speak(planned: PlannedUtterance, engine: SpeechEngine, store: Store) -> Utterance:
    """The utterance with its audio in the store; the engine speaks only when it is not there yet.

    Raises:
        EngineError: the engine failed; the sentence names the utterance.
        ModelMissing, ModelCorrupt: the engine's weights.
        OSError: the store cannot be written.
    """
    request = planned.request
    if request.engine != engine.name:
        raise EngineError(f"{planned.id}: was planned for engine {request.engine} and got {engine.name}")
    recipe = audio_recipe(request, engine)
    key = key_of(recipe)
    entry = store.get(key)
    if entry is None:
        entry = _make(planned, recipe, key, engine, store)
    return Utterance(
        id=planned.id,
        role=planned.role,
        speaker=planned.speaker,
        part=planned.part,
        text=planned.text,
        request=request,
        audio_key=key,
        sample_rate=entry.sample_rate,
        num_samples=entry.num_samples,
        loudness_lufs=entry.facts.loudness_lufs,
        peak_dbfs=entry.facts.peak_dbfs,
        words=entry.facts.words,
        provenance=entry.facts.provenance,
    )


def load_samples(store: Store, key: str) -> Samples:
    """Samples ``[n]``, 16 kHz mono, of an utterance's ``audio_key``.

    Raises:
        StoreError: the entry is absent or damaged.
    """
    return store.load(key)


def _make(planned: PlannedUtterance, recipe: AudioRecipe, key: str, engine: SpeechEngine, store: Store) -> AudioEntry:
    try:
        finished = finish(engine.synthesise(planned.request), planned.request)
    except EngineError as error:
        raise EngineError(f"{planned.id}: {error}") from error
    facts = AudioFacts(
        loudness_lufs=finished.loudness_lufs,
        peak_dbfs=finished.peak_dbfs,
        words=finished.words,
        provenance=engine.provenance(planned.request),
    )
    return store.put(key, finished.samples, facts, recipe)
