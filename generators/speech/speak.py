"""Say one planned utterance: from the store, or by the engine and then into the store."""

from __future__ import annotations

from data_schemas.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.base import Record
from data_schemas.utterance import SpeechRequest, Utterance
from generators.speech.engine import SpeechEngine
from generators.speech.finish import finish
from generators.speech.requests import PlannedUtterance
from generators.store import AudioEntry, AudioFacts, Store, key_of

#: Raised when ``finish`` changes what it makes of the same raw samples.
FINISH_VERSION = 1


class _StoreKey(Record):
    """All that decides the stored samples."""

    request: SpeechRequest
    engine_version: str
    finish_version: int


def speak(planned: PlannedUtterance, engine: SpeechEngine, store: Store) -> Utterance:
    """The utterance with its audio in the store.

    Raises:
        EngineError: the engine cannot speak it.
    """
    made_from = _StoreKey(request=planned.request, engine_version=engine.version, finish_version=FINISH_VERSION)
    key = key_of(made_from)
    entry = store.get(key) or _make(key, made_from, engine, store)
    return Utterance(
        id=planned.id,
        role=planned.role,
        speaker=planned.speaker,
        part=planned.part,
        text=planned.text,
        request=planned.request,
        audio_key=key,
        sample_rate=SAMPLE_RATE_HZ,
        num_samples=entry.num_samples,
        loudness_lufs=entry.facts.loudness_lufs,
        peak_dbfs=entry.facts.peak_dbfs,
        words=entry.facts.words,
        provenance=entry.facts.provenance,
    )


def _make(key: str, made_from: _StoreKey, engine: SpeechEngine, store: Store) -> AudioEntry:
    finished = finish(engine.synthesise(made_from.request), made_from.request)
    facts = AudioFacts(
        loudness_lufs=finished.loudness_lufs,
        peak_dbfs=finished.peak_dbfs,
        words=finished.words,
        provenance=engine.provenance(made_from.request),
    )
    return store.put(key, finished.samples, facts, made_from)


def load_samples(store: Store, key: str) -> Samples:
    """Samples ``[n]`` of a spoken utterance."""
    return store.load(key)
