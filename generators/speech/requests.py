"""From a plan and its script to everything that has to be spoken."""

from __future__ import annotations

from data_schemas.base import Record
from data_schemas.emotions import Emotion
from data_schemas.plan import DialoguePlan, EmotionStep
from data_schemas.randomness import named_seed
from data_schemas.script import Script
from data_schemas.speakers import Speaker
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Language, Part, Role, Track
from data_schemas.utterance import SpeechRequest
from generators.speech.engine import Control, EngineError, SpeechEngine
from generators.speech.normalise import normalise
from generators.speech.settings import SpeechSettings

_SEED_STAGE = "speech"
_UNSEEDED = 0
_NEUTRAL = EmotionStep(emotion=Emotion.NEUTRAL, intensity=0)


class PlannedUtterance(Record):
    """One thing to say: who says it, how it is written, and the request that determines its samples."""

    id: str
    role: Role
    part: Part | None
    speaker: str
    text: str
    request: SpeechRequest


def utterance_requests(
    plan: DialoguePlan, script: Script, settings: SpeechSettings, engine: SpeechEngine, seed: int
) -> tuple[PlannedUtterance, ...]:
    """All utterances of an item, in script order.

    Track 1: the user's words, ``<plan.id>/<turn>``. Track 2: every line, ``<plan.id>/<line>``, and a line
    with ``[break]`` in pieces, ``<plan.id>/<line>.<piece>``; all count from 1. A control the engine
    lacks is left at its default, so that the same words by the same voice are one entry of the store.

    Raises:
        EngineError: a line holds nothing that can be spoken; the sentence names plan, script and line.
    """
    maker = _Maker(plan, script, settings, engine, seed)
    if script.task.track is Track.EMOTION:
        return tuple(
            maker.planned(f"{number}", plan.user, Role.USER, None, turn.text, turn.step)
            for number, turn in enumerate(script.turns, start=1)
        )
    planned = []
    for number, line in enumerate(script.lines, start=1):
        pieces = [piece.strip() for piece in line.text.split(BREAK_TAG)]
        for count, piece in enumerate(pieces, start=1):
            position = f"{number}.{count}" if len(pieces) > 1 else f"{number}"
            planned.append(maker.planned(position, plan.speaker(line.role), line.role, line.part, piece, _NEUTRAL))
    return tuple(planned)


class _Maker:
    """What is the same for all utterances of one item."""

    def __init__(
        self, plan: DialoguePlan, script: Script, settings: SpeechSettings, engine: SpeechEngine, seed: int
    ) -> None:
        self._plan, self._script, self._settings, self._engine, self._seed = plan, script, settings, engine, seed

    def planned(
        self, position: str, speaker: Speaker, role: Role, part: Part | None, text: str, step: EmotionStep
    ) -> PlannedUtterance:
        utterance_id = f"{self._plan.id}/{position}"
        return PlannedUtterance(
            id=utterance_id,
            role=role,
            part=part,
            speaker=speaker.id,
            text=text,
            request=self._request(utterance_id, speaker, text, step),
        )

    def _request(self, utterance_id: str, speaker: Speaker, text: str, step: EmotionStep) -> SpeechRequest:
        settings, controls = self._settings, self._engine.controls
        if settings.speed != 1.0 and Control.SPEED not in controls:
            raise EngineError(f"engine {self._engine.name} cannot change its speed; remove speech.speed")
        told = step if Control.EMOTION in controls else _NEUTRAL
        language: Language = self._script.language
        spoken = normalise(text, language)
        if not spoken:
            raise EngineError(
                f"{utterance_id} (script {self._script.script_id}): nothing in {text!r} can be spoken; write words"
            )
        duplex = self._script.task.track is Track.DUPLEX
        return SpeechRequest(
            engine=self._engine.name,
            weights_sha256=self._engine.weights_sha256,
            voice=speaker.voice,
            language=language,
            spoken_text=spoken,
            emotion=told.emotion,
            intensity=told.intensity,
            speed=settings.speed,
            seed=named_seed(self._seed, utterance_id, _SEED_STAGE) if Control.SEED in controls else _UNSEEDED,
            loudness_lufs=settings.loudness_lufs,
            edge_silence_ms=settings.edge_silence_ms,
            max_inner_silence_ms=settings.max_inner_silence_ms if duplex else None,
        )
