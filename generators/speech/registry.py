"""Engines by name: ours, and those that installed packages announce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points

from data_schemas.foundation.problems import did_you_mean
from generators.speech.engine import EngineError, SpeechEngine
from generators.speech.settings import SpeechSettings

#: A package registers an engine as ``name = "package.module:factory"`` in this entry point group.
ENTRY_POINT_GROUP = "humdial.speech_engines"

EngineFactory = Callable[[SpeechSettings], SpeechEngine]


def _kokoro(settings: SpeechSettings) -> SpeechEngine:
    from generators.speech.kokoro.engine import KokoroEngine

    return KokoroEngine(settings)


def _espeak(settings: SpeechSettings) -> SpeechEngine:
    from generators.speech.espeak.engine import EspeakEngine

    return EspeakEngine(settings)


def _cosyvoice(settings: SpeechSettings) -> SpeechEngine:
    from generators.speech.cosyvoice.engine import CosyVoiceEngine

    return CosyVoiceEngine(settings)


def _cosyvoice_http(settings: SpeechSettings) -> SpeechEngine:
    from generators.speech.servers.cosyvoice_http import CosyVoiceHttpEngine

    return CosyVoiceHttpEngine(settings)


def _openai_speech(settings: SpeechSettings) -> SpeechEngine:
    from generators.speech.servers.openai_speech import OpenAISpeechEngine

    return OpenAISpeechEngine(settings)


_BUILT_IN: Mapping[str, EngineFactory] = {
    "kokoro": _kokoro,
    "espeak": _espeak,
    "cosyvoice": _cosyvoice,
    "cosyvoice-http": _cosyvoice_http,
    "openai-speech": _openai_speech,
}


def engine_names() -> tuple[str, ...]:
    """All names ``create_engine`` knows, sorted."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in _announced())}))


def create_engine(name: str, settings: SpeechSettings | None = None) -> SpeechEngine:
    """A new engine; its weights are loaded when it first speaks.

    Raises:
        EngineError: no engine has that name, its section of the settings is missing, or it cannot be imported.
    """
    settings = settings or SpeechSettings(engine=name)
    if name in _BUILT_IN:
        return _BUILT_IN[name](settings)
    for point in _announced():
        if point.name == name:
            return _load(point)(settings)
    raise EngineError(unknown_engine(name))


def unknown_engine(name: str) -> str:
    """What is said of a name that no engine has."""
    known = engine_names()
    return (
        f"no speech engine is named {name!r}{did_you_mean(name, known) or ';'} set speech.engine to one of "
        f"{', '.join(known)}, or install the package that has it"
    )


def _announced() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def _load(point: EntryPoint) -> EngineFactory:
    try:
        factory: EngineFactory = point.load()
    except (ImportError, AttributeError) as error:
        raise EngineError(
            f"speech engine {point.name!r} is registered as {point.value} and cannot be imported ({error}); "
            "install or repair that package"
        ) from error
    return factory
