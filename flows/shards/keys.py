"""Keys: what decides a scene, a verdict and a shard, and nothing else. Each kind of work is kept under its own.

A key holds the records that the work is made from, the version of the stage's own code, and the versions of the
libraries that make the samples or the measurements. Utterances have theirs in `generators.speech.speak`, answers of
language models in `generators.remote.answers`. Release name, quotas, top-up, shard size, thresholds of set judges and
other people's scripts stand in no key of an item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from data_schemas.foundation.base import dump_json
from data_schemas.foundation.models import model_entry
from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.tasks import Track
from data_schemas.utterance import Utterance
from flows.common.machine import SAMPLE_PACKAGES, library_versions
from flows.config.build_config import BuildConfig
from flows.shards.job import BuildContext, PlannedItem
from generators.speech.engine import SpeechEngine
from generators.speech.voices.registry import voice_digest
from validators.core.codes import item_thresholds
from validators.core.judges import BY_NAME, Level, models_of
from validators.words.hearings import VERSION as HEARINGS

#: Raised by hand when the code of a stage gives other results for the same inputs; ``tests/flows/shards/golden.yaml``
#: holds a digest of what each version gives, and a test fails when code and version part.
STAGE_VERSIONS: Mapping[str, str] = {"request": "1", "scene": "1", "verdict": "1", "shard": "1"}

#: What judges measure with, by the judge; judges that are not named use numpy and scipy alone.
JUDGE_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "overlap": ("torch", "pyannote.audio"),
    "segments": ("torch", "pyannote.audio"),
    "diarization": ("torch", "pyannote.audio", "pyannote.metrics", "Resemblyzer"),
    "quality": ("onnxruntime", "librosa", "speechmos"),
    "transcript": ("ctranslate2", "faster-whisper", "jiwer", "OpenCC", "pypinyin"),
    "speakers": ("torch", "librosa"),
    "prosody": ("pyworld-prebuilt", "librosa"),
    "emotion": ("opensmile",),
    "fingerprint": ("soxr",),
    "language": ("py3langid",),
    "audio": ("pyloudnorm", "soundfile"),
    "sound": ("soxr",),
}
_KEY_DIGITS = 40


def digest(value: Any) -> str:
    """Hex digits that name a JSON-able value."""
    return hashlib.sha256(dump_json(value).encode()).hexdigest()[:_KEY_DIGITS]


@cache
def installed(name: str) -> str:
    """Version of an installed distribution; ``-`` where it is not installed."""
    return library_versions((name,)).get(name, "-")


def libraries(names: Iterable[str]) -> dict[str, str]:
    """Versions by name, sorted."""
    return {name: installed(name) for name in sorted(set(names))}


def scene_key(
    config: BuildConfig, plan: DialoguePlan, script: Script, said: Iterable[Utterance], background: Iterable[Utterance]
) -> str:
    """What decides an item's own files: its words and sounds, and for full duplex the rules of scenes."""
    duplex = plan.task.track is Track.DUPLEX
    return digest(
        [
            STAGE_VERSIONS["scene"],
            libraries(SAMPLE_PACKAGES),
            plan.model_dump(mode="json"),
            script.model_dump(mode="json"),
            [one.model_dump(mode="json") for one in said],
            [one.model_dump(mode="json") for one in background],
            [config.seed, config.scenes.model_dump(mode="json")] if duplex else None,
        ]
    )


def verdict_key(basis: str, scene: str) -> str:
    """What decides the verdict on a scene, given the `verdict_basis` of its track."""
    return digest([basis, scene])


def verdict_basis(config: BuildConfig, track: Track) -> str:
    """What all verdicts on items of a track share: judges of items and clips, their models and their thresholds."""
    judges = sorted(name for name in config.validation.selected if BY_NAME[name].level is not Level.SET)
    used = [library for judge in judges for library in JUDGE_LIBRARIES.get(judge, ())]
    thresholds = config.validation.at(config.layout_of(track).name, config.speech.engine)
    return digest(
        [
            STAGE_VERSIONS["verdict"],
            libraries(("numpy", "scipy", *used)),
            config.layout_of(track).name,
            judges,
            HEARINGS if "transcript" in judges else None,
            {name: [file.sha256 for file in model_entry(name).files] for name in models_of(frozenset(judges))},
            item_thresholds(thresholds),
        ]
    )


def shard_basis(context: BuildContext, engine: SpeechEngine) -> str:
    """What all shards of a build share. The speakers of an item stand in its plan; others are heard in babble alone."""
    config = context.config
    voices = {speaker.voice for speaker in context.speakers}
    heard_by = context.speakers if config.scenes.microphone.babble.use != "off" else ()
    return digest(
        [
            dict(STAGE_VERSIONS),
            libraries(SAMPLE_PACKAGES),
            config.seed,
            config.recipe()["speech"],
            config.scenes.model_dump(mode="json"),
            [verdict_basis(config, track) for track in Track],
            [config.layout_of(track).name for track in Track],
            [engine.name, engine.version, engine.weights_sha256, engine.license],
            sorted([voice.id, voice_digest(voice)] for voice in engine.voices() if voice.id in voices),
            [speaker.model_dump(mode="json") for speaker in heard_by],
        ]
    )


def shard_key(basis: str, items: Iterable[PlannedItem]) -> str:
    """Name of a shard: all that decides what becomes of its items."""
    return digest([basis, [item.model_dump(mode="json") for item in items]])
