"""What ``humdial doctor CONFIG`` says of the engine that a configuration speaks with."""

from __future__ import annotations

import asyncio

from flows.doctor.checks import Check
from flows.doctor.cosyvoice import cosyvoice_checks
from generators.speech.engine import EngineError, RemoteEngine
from generators.speech.registry import create_engine
from generators.speech.settings import SpeechSettings


def speech_checks(speech: SpeechSettings) -> tuple[Check, ...]:
    """The engine can be made, its server answers, and its voices can be read. Nothing is spoken."""
    own = cosyvoice_checks(speech) if speech.engine == "cosyvoice" else ()
    name = f"engine {speech.engine}"
    try:
        engine = create_engine(speech.engine, speech)
        voices = len(engine.voices())
        if isinstance(engine, RemoteEngine):
            asyncio.run(_look(engine))
    except EngineError as error:
        fix = "mend the section speech of the configuration, see docs/speech.md"
        return (*own, Check(name=name, ok=False, detail=str(error), fix=fix))
    where = ", its server answers" if isinstance(engine, RemoteEngine) else ""
    return (*own, Check(name=name, ok=True, detail=f"{voices} voices, licence {engine.license}{where}"))


async def _look(engine: RemoteEngine) -> None:
    try:
        await engine.open()
    finally:
        await engine.close()
