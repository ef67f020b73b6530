"""Everything a build needs to know before it starts: nothing is made here, all that can be refused is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_schemas.foundation.models import ModelEntry, load_model_table, verified_files
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.speakers import Speaker
from flows.common.code_version import code_version
from flows.common.errors import ConfigError, QuotaShort
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.prepare.identity import scripts_sha256
from flows.prepare.speech_check import any_emotion, check_speech, emotions_of, not_known_yet
from flows.scripts.phase import ScriptPhase, short_of_scripts
from flows.scripts.replay import ScriptSource, WrittenScripts
from flows.scripts.settings import llm_settings
from flows.scripts.wanted import user_genders, wanted_scripts
from generators.plans.outlines import OutlineStock
from generators.plans.planner import each_plan
from generators.plans.quotas import expand
from generators.scripts.packs import open_packs
from generators.scripts.rehearsal.source import RehearsalSource
from generators.scripts.writer import ScriptWriter
from generators.speech.engine import InstalledEngine, SpeechEngine
from generators.speech.registry import create_engine
from generators.speech.voices.casting import cast_speakers
from validators.core.judges import models_of


@dataclass(frozen=True)
class Parts:
    """What is known before any script is: engine, models, voices and quotas, all checked."""

    engine: SpeechEngine
    quota: tuple[tuple[QuotaCell, int], ...]
    speakers: tuple[Speaker, ...]
    models: tuple[ModelEntry, ...]


@dataclass(frozen=True)
class Prepared:
    """The resolved parts of a build."""

    engine: SpeechEngine
    writer: ScriptWriter
    quota: tuple[tuple[QuotaCell, int], ...]
    #: what there are scripts for: less than the quota where a model wrote too few
    available: tuple[tuple[QuotaCell, int], ...]
    speakers: tuple[Speaker, ...]
    outlines: OutlineStock
    #: of the first round, in order, made as they are asked for: to be read once
    plans: Iterator[DialoguePlan]
    models: tuple[ModelEntry, ...]
    code: str  # code_version() when the build began
    #: over all scripts of ``scripts.pack``; None: a model wrote them
    scripts_sha256: str | None


def resolve(config: BuildConfig, need_models: bool = True) -> Parts:
    """Check engine, licence, models, voices and quotas; nothing is read that costs time or money.

    ``need_models=False`` (dry run, scripts only) passes over weights that are not installed.

    Raises:
        ConfigError, EngineError, ModelMissing, QuotaImpossible: one sentence each.
    """
    engine = create_engine(config.speech.engine, config.speech)
    check_license(engine, config)
    models = models_used(config)
    if need_models:
        for entry in models:
            verified_files(entry.name)
        if isinstance(engine, InstalledEngine):
            engine.check_installed()
    quota = expand(config.quotas)
    languages = tuple(sorted({cell.language for cell, _ in quota}))
    speakers = cast_speakers(engine.voices(), languages, config.speech.casting, config.seed)
    check_voices(engine, speakers, config)
    told = not_known_yet if config.scripts.writer == "pack" else any_emotion
    check_speech(engine, speakers, quota, config.speech, told)
    return Parts(engine=engine, quota=quota, speakers=speakers, models=models)


def prepare(config: BuildConfig, base_dir: Path, parts: Parts, reporter: Reporter) -> Prepared:
    """Read the scripts of a pack, or have a model write them, and plan.

    Raises:
        RecordError, QuotaImpossible: a pack is broken or too small.
        EngineError: a voice cannot be spoken with in the emotions of a pack.
        EndpointError, QuotaShort: a model's server is away, or too few scripts passed.
    """
    quota, digest = parts.quota, None
    source: ScriptSource | RehearsalSource
    if config.scripts.writer == "llm":
        source = write_scripts(config, base_dir, parts, reporter)
        quota = source.available(quota)
    elif config.scripts.writer == "rehearsal":
        source = RehearsalSource(config.seed, user_genders(parts.speakers))
    else:
        source = ScriptSource(open_packs(config.scripts, base_dir), config.seed)
        check_speech(parts.engine, parts.speakers, quota, config.speech, emotions_of(source.frozen.values()))
        digest = scripts_sha256(source.frozen.values())
    return Prepared(
        engine=parts.engine,
        writer=source,
        quota=parts.quota,
        available=quota,
        speakers=parts.speakers,
        outlines=source,
        plans=each_plan(quota, source, parts.speakers, config.seed, round=0, first_index={}),
        models=parts.models,
        code=code_version(),
        scripts_sha256=digest,
    )


def write_scripts(config: BuildConfig, base_dir: Path, parts: Parts, reporter: Reporter) -> WrittenScripts:
    """All scripts that the quotas need, written or found among the answers of an earlier run.

    Raises:
        QuotaShort: too few passed, or the budget ended, and ``top_up.on_short`` is ``fail``.
    """
    source = WrittenScripts(ScriptPhase(config, base_dir, parts.speakers, reporter), config.seed)
    report = source.fill(wanted_scripts(parts.quota, llm_settings(config).spares))
    if not report.is_full and config.top_up.on_short == "fail":
        raise QuotaShort(short_of_scripts(config, report))
    return source


def models_used(config: BuildConfig) -> tuple[ModelEntry, ...]:
    """The pinned models this configuration loads."""
    names = set(engine_models(config.speech.engine))
    names |= set(models_of(config.validation.selected))
    return tuple(entry for entry in load_model_table() if entry.name in names)


def engine_models(engine: str) -> tuple[str, ...]:
    """Names of the table's models that an engine loads."""
    return tuple(entry.name for entry in load_model_table() if f"engine:{engine}" in entry.used_by)


def check_license(engine: SpeechEngine, config: BuildConfig) -> None:
    """Open source only, enforced before any work.

    Raises:
        ConfigError: the engine's licence is not on the allow-list.
    """
    allowed = config.validation.allowed_licenses
    if engine.license not in allowed:
        raise ConfigError(
            f"engine {engine.name} has licence {engine.license}, which is not in validation.allowed_licenses "
            f"({', '.join(allowed)}); choose another engine or extend the list"
        )


def check_voices(engine: SpeechEngine, speakers: tuple[Speaker, ...], config: BuildConfig) -> None:
    """The same for every voice that is cast: a cloned voice has a licence of its own.

    Raises:
        ConfigError: the licence of a voice is not on the allow-list.
    """
    cast, allowed = {speaker.voice for speaker in speakers}, config.validation.allowed_licenses
    for voice in engine.voices():
        if voice.id in cast and voice.license not in allowed:
            raise ConfigError(
                f"voice {voice.id} of engine {engine.name} has licence {voice.license}, which is not in "
                f"validation.allowed_licenses ({', '.join(allowed)}); take it out of "
                f"{config.speech.voices or 'speech.casting'} or extend the list"
            )
