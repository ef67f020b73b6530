"""Who is cast, and the audition, in which every voice of the pool is heard and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.base import Record, write_jsonl
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.speakers import AgeBand, Gender, MixPart, Voice
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import Utterance
from flows.common.atomic import write_text_atomic
from flows.common.progress import Reporter
from flows.common.staging import Place, staged
from flows.common.workers import WorkerPool
from flows.config.build_config import BuildConfig
from flows.shards.speech import SpeechWork
from flows.shards.steps import MEASURED
from flows.voices.page import PageVoice, voices_page
from generators.plans.quotas import expand
from generators.speech.engine import EngineError, EngineUnusable, SpeechEngine
from generators.speech.registry import create_engine
from generators.speech.requests import PlannedUtterance, plain_request
from generators.speech.speak import load_samples
from generators.speech.text.normalise import normalise
from generators.speech.voices.casting import cast_speakers
from generators.speech.voices.registry import clip_notes
from generators.store import Store
from validators.core.clips import Clip
from validators.core.instruments import Instruments
from validators.core.judges import Selection
from validators.core.thresholds import Thresholds
from validators.emotion.prosody import SEMITONE_REFERENCE_HZ
from validators.voices.speaker_encoder import SECONDS, VECTOR

PAGE, ROWS = "index.html", "voices.jsonl"
#: the judges whose measurements the page shows
HEARD_BY: Selection = frozenset({"quality", "transcript", "speakers", "prosody"})
_SENTENCES = "audition.yaml"
_SEMITONES = 12.0
_DIGITS = 3  # of what is written down

VoiceKey = tuple[Language, str]
Spoken = dict[VoiceKey, list[Utterance]]
Direction = npt.NDArray[np.float64]  # unit vector [256]


class CastVoice(Record):
    """A voice of the pool and what it is cast as; ``cast_as`` is empty where nobody has it."""

    voice: str
    engine: str
    language: Language
    gender: Gender
    age: AgeBand | None
    license: str
    origin: str
    mix: tuple[MixPart, ...]
    #: emotions it has reference clips for
    clips: tuple[str, ...]
    cast_as: tuple[tuple[Split, Role], ...]

    @property
    def split(self) -> str:
        return " ".join(dict.fromkeys(split.value for split, _ in self.cast_as))

    @property
    def roles(self) -> str:
        return " ".join(role.value for _, role in self.cast_as)


class HeardVoice(CastVoice):
    """The same with what was measured over the sentences of the audition; None where that cannot be."""

    #: median F0, and the 10th to 90th percentile of it in semitones
    pitch_hz: float | None = None
    pitch_range_st: float | None = None
    #: syllables (zh) or words (en) per second of sound
    units_per_s: float | None = None
    #: DNSMOS P.835, overall
    dnsmos: float | None = None
    #: misread by Whisper base: characters (zh), syllables whatever their tone (zh), words (en)
    cer: float | None = None
    syllable_error_rate: float | None = None
    wer: float | None = None
    #: the voice of the language most like it, and the cosine of their GE2E vectors
    nearest: str | None = None
    nearest_similarity: float | None = None
    #: why it could not be heard
    problem: str | None = None


class Heard(NamedTuple):
    """One sentence of a voice as a worker measured it."""

    values: Mapping[str, float]
    vector: tuple[float, ...]


class Hearing(NamedTuple):
    """All that was spoken and measured, and why some voices were not, by language and voice."""

    spoken: Spoken
    heard: Mapping[VoiceKey, Sequence[Heard]]
    problems: Mapping[VoiceKey, str]

    def directions(self) -> dict[VoiceKey, Direction]:
        """GE2E vector of every voice that sounds: the mean over its sentences, weighted by seconds, of unit norm."""
        return {key: direction for key, own in self.heard.items() if (direction := _direction(own)) is not None}

    def mean(self, key: VoiceKey, name: str) -> float | None:
        """A measurement over the sentences of a voice; None where none has it."""
        return _mean(self.heard.get(key, ()), name)


class CastPool(NamedTuple):
    """Voices of a configuration, and what stands against using them as they are."""

    voices: tuple[CastVoice, ...]
    notes: tuple[str, ...]
    #: why nobody can be cast from them
    problem: str | None = None


def sentences() -> dict[Language, tuple[str, ...]]:
    """What every voice of a language says."""
    raw = load_yaml(files("flows.voices").joinpath(_SENTENCES).read_text(encoding="utf-8"), _SENTENCES)
    return {Language(language): tuple(texts) for language, texts in raw.items()}


def cast_pool(config: BuildConfig, engine: SpeechEngine | None = None) -> CastPool:
    """Every voice of the configuration's engine in the languages of its quotas, by language and then as declared.

    A pool that cannot be cast is listed all the same, with the reason: it is heard before it is whole.

    Raises:
        EngineError, QuotaImpossible: the engine, its registry or the quotas are wrong; one sentence.
    """
    engine = engine or create_engine(config.speech.engine, config.speech)
    languages = sorted({cell.language for cell, _ in expand(config.quotas)})
    voices = engine.voices()
    places: dict[VoiceKey, list[tuple[Split, Role]]] = {}
    notes: tuple[str, ...] = ()
    problem = None
    try:
        for speaker in cast_speakers(voices, languages, config.speech.casting, config.seed):
            places.setdefault((speaker.language, speaker.voice), []).append((speaker.split, speaker.role))
    except EngineError as error:
        problem = str(error)
    if config.speech.voices is not None:
        notes = tuple(clip_notes(Path(config.speech.voices), voices))
    return CastPool(
        tuple(
            _cast_voice(voice, places.get((language, voice.id), []))
            for language in languages
            for voice in voices
            if voice.language is language
        ),
        notes,
        problem,
    )


def audition(config: BuildConfig, folder: Path, reporter: Reporter, engine: SpeechEngine | None = None) -> Path:
    """Hear every voice of the pool and write one page with all samples, and the numbers as JSON lines beside it.

    Both appear at the end, in a new folder or in the place of an earlier audition's. What is spoken is kept in the
    store of the configuration's work directory: a second audition is quick.

    Args:
        engine: where it is not the one that the configuration makes.

    Returns:
        The page.

    Raises:
        TargetError, ResourceError: the folder holds something else, or another process is writing it.
        ConfigError, EngineError, EndpointError, QuotaImpossible: nothing can be spoken.
        ModelMissing, ModelCorrupt: models of the engine or of a measurement.
    """
    engine = engine or create_engine(config.speech.engine, config.speech)
    with staged(Place(folder, "audition", "--audition FOLDER", proof=PAGE, renewed=(ROWS, PAGE))) as staging:
        _write_audition(config, staging, reporter, engine)
    return folder / PAGE


def _write_audition(config: BuildConfig, folder: Path, reporter: Reporter, engine: SpeechEngine) -> None:
    pool = cast_pool(config, engine)
    notes = (*pool.notes, *(() if pool.problem is None else (pool.problem,)))
    for note in notes:
        reporter.note(note)
    names = {_key(one) for one in pool.voices}
    voices = [voice for voice in engine.voices() if (voice.language, voice.id) in names]
    hearing = hear_voices(config, engine, voices, sentences(), reporter)
    rows = _rows(pool.voices, hearing)
    store = Store(config.work_dir / "store")
    samples = {
        key: [(one.text, load_samples(store, one.audio_key)) for one in utterances]
        for key, utterances in hearing.spoken.items()
    }
    limit = _thresholds(config).max_voice_similarity
    page = voices_page(config.name, [_page_voice(row) for row in rows], samples, notes, limit)
    write_jsonl(folder / ROWS, rows)
    write_text_atomic(folder / PAGE, page)


def _key(voice: CastVoice) -> VoiceKey:
    return voice.language, voice.voice


def _cast_voice(voice: Voice, places: Sequence[tuple[Split, Role]]) -> CastVoice:
    return CastVoice(
        voice=voice.id,
        engine=voice.engine,
        language=voice.language,
        gender=voice.gender,
        age=voice.age,
        license=voice.license,
        origin=voice.origin,
        mix=voice.mix,
        clips=tuple(clip.emotion.value for clip in voice.clips),
        cast_as=tuple(places),
    )


def _planned(config: BuildConfig, engine: SpeechEngine, voice: Voice, number: int, text: str) -> PlannedUtterance:
    """Neutral, at the configured speed and loudness, seeded alike for all voices."""
    return PlannedUtterance(
        id=f"audition/{voice.language}/{voice.id}/{number}",
        role=Role.USER,
        part=None,
        speaker=voice.id,
        text=text,
        request=plain_request(engine, config.speech, voice.id, voice.language, normalise(text, voice.language)),
    )


def hear_voices(
    config: BuildConfig,
    engine: SpeechEngine,
    voices: Sequence[Voice],
    texts: Mapping[Language, Sequence[str]],
    reporter: Reporter,
    heard_by: Selection = HEARD_BY,
) -> Hearing:
    """Every voice speaks the texts of its language and judges measure it, in the configuration's worker processes.

    A voice that cannot speak is among the problems: one bad voice does not end an audition.

    Raises:
        EngineUnusable, EndpointError, ModelMissing, ModelCorrupt: nobody can be heard.
    """
    Instruments(heard_by).require_models()
    with WorkerPool(config.execution.workers) as workers:
        spoken, problems = _speak_all(config, engine, voices, texts, workers, reporter)
        return Hearing(spoken, _measure_all(config, spoken, heard_by, workers, reporter), problems)


def _speak_all(
    config: BuildConfig,
    engine: SpeechEngine,
    voices: Sequence[Voice],
    texts: Mapping[Language, Sequence[str]],
    workers: WorkerPool,
    reporter: Reporter,
) -> tuple[Spoken, dict[VoiceKey, str]]:
    """Utterances of each voice, or the reason why there are none."""
    work = SpeechWork(config, engine, workers)
    spoken: Spoken = {}
    problems: dict[VoiceKey, str] = {}
    try:
        begun = {
            (voice.language, voice.id): [
                work.begin(_planned(config, engine, voice, number, text))
                for number, text in enumerate(texts[voice.language], start=1)
            ]
            for voice in voices
        }
        reporter.expect("speak", sum(map(len, begun.values())))
        for key, questions in begun.items():
            for question in questions:
                try:
                    spoken.setdefault(key, []).append(work.finish(question).result())
                except EngineUnusable:
                    raise
                except EngineError as error:
                    problems.setdefault(key, str(error))
                reporter.advance("speak")
    finally:
        work.close()
    return {key: own for key, own in spoken.items() if key not in problems}, problems


def _measure_all(
    config: BuildConfig, spoken: Spoken, heard_by: Selection, workers: WorkerPool, reporter: Reporter
) -> dict[VoiceKey, list[Heard]]:
    waiting: dict[VoiceKey, list[Future[Heard]]] = {
        key: [workers.submit(hear_job, config, heard_by, key[0], utterance) for utterance in own]
        for key, own in spoken.items()
    }
    reporter.expect("judge", sum(map(len, waiting.values())))
    heard: dict[VoiceKey, list[Heard]] = {}
    for key, own in waiting.items():
        for one in own:
            heard.setdefault(key, []).append(one.result())
            reporter.advance("judge")
    return heard


def hear_job(config: BuildConfig, heard_by: Selection, language: Language, utterance: Utterance) -> Heard:
    """Measure one utterance of the store, in a worker process."""
    samples = load_samples(Store(config.work_dir / "store"), utterance.audio_key)
    clip = Clip(
        item="audition",
        name=utterance.id,
        file=utterance.id,
        span=(0.0, len(samples) / SAMPLE_RATE_HZ),
        rate=SAMPLE_RATE_HZ,
        samples=samples,
        layout="audition",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text=utterance.text,
    )
    tools = _instruments(heard_by, config.work_dir / MEASURED)
    _, measures = tools.examine(clip, _thresholds(config))
    vector = measures.vectors.get(VECTOR)
    return Heard(dict(measures.values), () if vector is None else tuple(vector.tolist()))


@cache
def _instruments(selected: Selection, kept: Path) -> Instruments:
    return Instruments(selected, kept)


def _thresholds(config: BuildConfig) -> Thresholds:
    return config.validation.at(engine=config.speech.engine)


def _rows(pool: Sequence[CastVoice], hearing: Hearing) -> tuple[HeardVoice, ...]:
    directions = hearing.directions()
    return tuple(
        _row(one, hearing.heard.get(_key(one), ()), directions, hearing.problems.get(_key(one))) for one in pool
    )


def _row(
    voice: CastVoice,
    heard: Sequence[Heard],
    directions: Mapping[VoiceKey, Direction],
    problem: str | None,
) -> HeardVoice:
    pitch = _mean(heard, "f0_median_st")
    likeness = _nearest(_key(voice), directions)
    measured = {
        "pitch_hz": None if pitch is None else SEMITONE_REFERENCE_HZ * 2.0 ** (pitch / _SEMITONES),
        "pitch_range_st": _mean(heard, "f0_range_st"),
        "units_per_s": _mean(heard, "units_per_s"),
        "dnsmos": _mean(heard, "ovrl"),
        "cer": _mean(heard, "cer"),
        "syllable_error_rate": _mean(heard, "syllable_error_rate"),
        "wer": _mean(heard, "wer"),
        "nearest_similarity": None if likeness is None else likeness[1],
    }
    rounded = {name: None if value is None else round(value, _DIGITS) for name, value in measured.items()}
    return HeardVoice(**dict(voice), **rounded, nearest=None if likeness is None else likeness[0], problem=problem)


def _page_voice(row: HeardVoice) -> PageVoice:
    shown = {name: getattr(row, name) for name in PageVoice._fields if name != "error_rate"}
    return PageVoice(**shown, error_rate=row.wer if row.language is Language.EN else row.cer)


def _mean(heard: Sequence[Heard], name: str) -> float | None:
    values = [one.values[name] for one in heard if name in one.values]
    return float(np.mean(values)) if values else None


def _direction(heard: Sequence[Heard]) -> Direction | None:
    """Unit vector of a voice over its sentences, weighted by seconds; None where nothing sounds."""
    vectors = [one.values[SECONDS] * np.array(one.vector) for one in heard if one.vector]
    if not vectors:
        return None
    total = np.sum(vectors, axis=0)
    direction: Direction = total / np.linalg.norm(total)
    return direction


def _nearest(key: VoiceKey, directions: Mapping[VoiceKey, Direction]) -> tuple[str, float] | None:
    """The other voice of the language that is most like it."""
    own = directions.get(key)
    others = [other for other in directions if other[0] is key[0] and other != key]
    if own is None or not others:
        return None
    likeness = {other: float(own @ directions[other]) for other in others}
    nearest = max(others, key=lambda other: likeness[other])
    return nearest[1], likeness[nearest]
