"""From a plan and its script to the requests an engine is asked to speak."""

from __future__ import annotations

from data_schemas.base import Record
from data_schemas.emotions import Emotion
from data_schemas.plan import DialoguePlan
from data_schemas.randomness import named_seed
from data_schemas.script import Script
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Part, Role, Track
from data_schemas.utterance import SpeechRequest
from generators.speech.engine import Control, EngineError, SpeechEngine
from generators.speech.normalise import normalise
from generators.speech.settings import SpeechSettings


class PlannedUtterance(Record):
    """An utterance before it is spoken."""

    id: str
    role: Role
    part: Part | None
    speaker: str
    text: str
    request: SpeechRequest


def utterance_requests(
    plan: DialoguePlan, script: Script, settings: SpeechSettings, engine: SpeechEngine, seed: int
) -> tuple[PlannedUtterance, ...]:
    """Track 1: the user's turns, ``<plan>/<turn>``. Track 2: every line, ``<plan>/<line>``, and
    ``<plan>/<line>.<piece>`` for the pieces of a line with ``[break]``.

    Raises:
        EngineError: a text of which nothing is speakable.
    """
    if plan.task.track is Track.EMOTION:
        return tuple(
            _planned(
                plan,
                f"{plan.id}/{number}",
                Role.USER,
                None,
                turn.text,
                (turn.emotion, turn.intensity),
                settings,
                engine,
                seed,
            )
            for number, turn in enumerate(script.turns, start=1)
        )
    neutral = (Emotion.NEUTRAL, 0)
    return tuple(
        _planned(plan, name, line.role, line.part, piece, neutral, settings, engine, seed)
        for number, line in enumerate(script.lines, start=1)
        for name, piece in _pieces(f"{plan.id}/{number}", line.text)
    )


def _pieces(name: str, text: str) -> tuple[tuple[str, str], ...]:
    pieces = [piece.strip() for piece in text.split(BREAK_TAG)]
    if len(pieces) == 1:
        return ((name, text),)
    return tuple((f"{name}.{number}", piece) for number, piece in enumerate(pieces, start=1))


def _planned(
    plan: DialoguePlan,
    name: str,
    role: Role,
    part: Part | None,
    text: str,
    feeling: tuple[Emotion, int],
    settings: SpeechSettings,
    engine: SpeechEngine,
    seed: int,
) -> PlannedUtterance:
    spoken = normalise(text, plan.language)
    if not spoken:
        raise EngineError(f"{name}: nothing of {text!r} can be spoken; give the turn some words")
    speaker = plan.speaker(role)
    heeds_emotion = Control.EMOTION in engine.controls
    request = SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=speaker.voice,
        language=plan.language,
        spoken_text=spoken,
        # what an engine does not heed is left out of the request, so equal speech has one store key
        emotion=feeling[0] if heeds_emotion else Emotion.NEUTRAL,
        intensity=feeling[1] if heeds_emotion else 0,
        speed=settings.speed if Control.SPEED in engine.controls else 1.0,
        seed=named_seed(seed, name, "speech") if Control.SEED in engine.controls else 0,
        loudness_lufs=settings.loudness_lufs,
        edge_silence_ms=settings.edge_silence_ms,
        max_inner_silence_ms=settings.max_inner_silence_ms if plan.task.track is Track.DUPLEX else None,
    )
    return PlannedUtterance(id=name, role=role, part=part, speaker=speaker.id, text=text, request=request)
