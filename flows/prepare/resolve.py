"""Everything a build needs to know before it starts: nothing is made here, all that can be refused is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from data_schemas.foundation.base import dump_json
from data_schemas.foundation.models import ModelEntry, load_model_table, verified_files
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.script import Script
from data_schemas.speakers import Speaker
from flows.common.code_version import code_version
from flows.common.errors import ConfigError, QuotaShort
from flows.common.progress import Reporter
from flows.config.build_config import BuildConfig
from flows.prepare.identity import cast_voices, scripts_sha256
from flows.prepare.speech_check import any_emotion, check_speech, emotions_of, not_known_yet
from flows.scripts.settings import llm_settings
from flows.scripts.source import (
    WrittenScripts,
    keep_report,
    open_factory,
    short_of_scripts,
    user_genders,
    wanted_scripts,
)
from generators.plans.outlines import OutlineSource, ScriptOutlines
from generators.plans.planner import plan_items
from generators.plans.quotas import expand
from generators.scripts.pack import PackWriter
from generators.scripts.packs import load_packs
from generators.scripts.rehearsal.source import RehearsalSource
from generators.scripts.writer import ScriptWriter
from generators.speech.engine import InstalledEngine, SpeechEngine
from generators.speech.registry import create_engine
from generators.speech.voices.casting import cast_speakers
from generators.speech.voices.registry import voice_digest
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
    scripts: tuple[Script, ...]
    quota: tuple[tuple[QuotaCell, int], ...]
    speakers: tuple[Speaker, ...]
    outlines: OutlineSource
    plans: tuple[DialoguePlan, ...]
    models: tuple[ModelEntry, ...]
    code: str  # code_version() when the build began
    identity: str


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
    quota = parts.quota
    outlines: OutlineSource
    writer: ScriptWriter
    if config.scripts.writer == "llm":
        source = write_scripts(config, base_dir, parts, reporter)
        quota, scripts, outlines, writer = source.available(quota), source.scripts, source, source
    elif config.scripts.writer == "rehearsal":
        rehearsal = RehearsalSource(config.seed, user_genders(parts.speakers))
        scripts, outlines, writer = (), rehearsal, rehearsal
    else:
        scripts = load_packs(config.scripts, base_dir)
        check_speech(parts.engine, parts.speakers, quota, config.speech, emotions_of(scripts))
        outlines, writer = ScriptOutlines(scripts, config.seed), PackWriter(scripts)
    code = code_version()
    return Prepared(
        engine=parts.engine,
        writer=writer,
        scripts=scripts,
        quota=parts.quota,
        speakers=parts.speakers,
        outlines=outlines,
        plans=plan_items(quota, outlines, parts.speakers, config.seed, round=0, first_index={}),
        models=parts.models,
        code=code,
        identity=build_identity(config, parts, scripts, code),
    )


def write_scripts(config: BuildConfig, base_dir: Path, parts: Parts, reporter: Reporter) -> WrittenScripts:
    """All scripts that the quotas need, written or found among the answers of an earlier run.

    Raises:
        QuotaShort: too few passed, or the budget ended, and ``top_up.on_short`` is ``fail``.
    """
    factory = open_factory(config, parts.speakers, base_dir, reporter)
    source = WrittenScripts(factory, config.seed)
    settings = llm_settings(config)
    report = source.fill(wanted_scripts(parts.quota, settings.spares))
    keep_report(config, report)
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


def build_identity(config: BuildConfig, parts: Parts, scripts: tuple[Script, ...], code: str) -> str:
    """Hash over all that decides the bytes of an item besides its plan.

    Licence and origin of a voice stand in the resource declaration alone, so correcting them redoes no item.
    """
    engine = parts.engine
    decides = [
        config.recipe_sha256(),
        code,
        engine.name,
        engine.version,
        engine.weights_sha256,
        engine.license,
        [[voice.id, voice_digest(voice)] for voice in cast_voices(engine, parts.speakers)],
        [entry.model_dump(mode="json") for entry in parts.models],
        scripts_sha256(scripts),
    ]
    return hashlib.sha256(dump_json(decides).encode()).hexdigest()
