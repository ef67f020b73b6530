"""From a plan and its script to everything that has to be spoken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.foundation.randomness import named_seed
from data_schemas.plan import DialoguePlan, EmotionStep
from data_schemas.script import Script
from data_schemas.speakers import Speaker
from data_schemas.tasks import Language, Part, Role, Track
from data_schemas.utterance import SpeechRequest
from generators.scenes.hesitation import HesitationSettings, breaks_off, pieces_of, utterance_ids
from generators.speech.engine import Control, EngineError, SpeechEngine
from generators.speech.expression.draw import draw_expression
from generators.speech.expression.responses import reply_step
from generators.speech.settings import MAX_SPEED, MIN_SPEED, SpeechSettings
from generators.speech.sounds.placing import spoken_with_sounds
from generators.speech.text.normalise import normalise
from generators.speech.voices.registry import voice_digest

#: What a piece ends with in the middle of a sentence, where an engine speaks it other than the end of one.
_GOES_ON: Mapping[Language, str] = {Language.ZH: "，", Language.EN: ","}
#: Engines that fall lower at a comma than at nothing; see `unfinished`.
_NO_COMMA = frozenset({("kokoro", Language.EN)})
_REPLY = ".reply"
_SPEED_DECIMALS = 4
_LOUDNESS_DECIMALS = 2
_MARKS = " ,;:，；：、…—-"

_SEED_STAGE = "speech"
_UNSEEDED = 0
_NEUTRAL = EmotionStep(emotion=Emotion.NEUTRAL, intensity=0)
#: An engine without randomness is asked for the same words at another pace, try by try (CHOICE: small enough not to be
#: noticed, large enough that Kokoro times its sounds anew).
_TEMPO_OF_TRY = (1.0, 0.94, 1.06, 0.9, 1.1)


class PlannedUtterance(Record):
    """One thing to say: who says it, how it is written, and the request that determines its samples."""

    id: str
    role: Role
    part: Part | None
    speaker: str
    text: str
    request: SpeechRequest
    #: which try this is, from 1
    tries: int = 1


def utterance_requests(
    plan: DialoguePlan,
    script: Script,
    settings: SpeechSettings,
    hesitation: HesitationSettings,
    engine: SpeechEngine,
    seed: int,
) -> tuple[PlannedUtterance, ...]:
    """All utterances of an item, in script order.

    Track 1: the user's words, ``<plan.id>/<turn>``, and after them, where replies are voiced, the assistant's,
    ``<plan.id>/<turn>.reply``. Track 2: every line, ``<plan.id>/<line>``, and a line
    with ``[break]`` in pieces, ``<plan.id>/<line>.<piece>``; all count from 1. A control the engine
    lacks is left at its default, so that the same words by the same voice are one entry of the store.

    Raises:
        EngineError: a line holds nothing that can be spoken; the sentence names plan, script and line.
    """
    maker = _Maker(plan, script, settings, engine, seed)
    if script.task.track is Track.EMOTION:
        turns = tuple(
            maker.planned(f"{plan.id}/{number}", plan.user, Role.USER, None, turn.text, turn.step)
            for number, turn in enumerate(script.turns, start=1)
        )
        return (*turns, *_replies(plan, script, maker)) if settings.responses == "voiced" else turns
    planned = []
    for number, line in enumerate(script.lines, start=1):
        pieces = pieces_of(plan.id, number, line, script.language, hesitation, seed)
        speaker, ids = plan.speaker(line.role), utterance_ids(plan.id, number, pieces)
        for utterance_id, piece, following in zip(ids, pieces, (*pieces[1:], None), strict=True):
            goes_on = breaks_off(piece, following)
            planned.append(
                maker.planned(utterance_id, speaker, line.role, line.part, piece.text, _NEUTRAL, goes_on=goes_on)
            )
    return tuple(planned)


def check_speed(settings: SpeechSettings, engine: SpeechEngine) -> None:
    """
    Raises:
        EngineError: another speed is wanted of an engine that has one only.
    """
    if settings.speed != 1.0 and Control.SPEED not in engine.controls:
        served = ", or set speech.server.speed where the server heeds it" if engine.name == "openai-speech" else ""
        raise EngineError(
            f"speech.speed is {settings.speed:g} and engine {engine.name} cannot change its speed; remove it{served}"
        )


def is_reply(planned_id: str) -> bool:
    """Whether an utterance of Track 1 is the assistant's.

    >>> is_reply("zh-empathy-3-dev-0001/2.reply"), is_reply("zh-empathy-3-dev-0001/2")
    (True, False)
    """
    return planned_id.endswith(_REPLY)


def plain_request(
    engine: SpeechEngine,
    settings: SpeechSettings,
    voice: str,
    language: Language,
    spoken: str,
    *,
    seed: int = _UNSEEDED,
    **more: Any,
) -> SpeechRequest:
    """What every request holds: the engine and its weights, what makes the voice, pace, loudness and edges.

    ``seed`` counts for an engine that draws; ``more`` are further fields of `SpeechRequest`, or others' values.
    """
    made_of = next((voice_digest(one) for one in engine.voices() if one.id == voice), None)
    fields: dict[str, Any] = {
        "engine": engine.name,
        "weights_sha256": engine.weights_sha256,
        "voice": voice,
        "voice_sha256": made_of,
        "language": language,
        "spoken_text": spoken,
        "speed": settings.speed,
        "seed": seed if Control.SEED in engine.controls else _UNSEEDED,
        "loudness_lufs": settings.loudness_lufs,
        "edge_silence_ms": settings.edge_silence_ms,
    }
    return SpeechRequest(**{**fields, **more})


def another_try(first: PlannedUtterance, tries: int, engine: SpeechEngine, seed: int) -> PlannedUtterance | None:
    """The same words once more, so that other samples come out; ``tries`` counts from 2, ``first`` is the first try.

    An engine with `Control.SEED` gets another seed, one with `Control.SPEED` another pace. None: nothing of it can be
    changed any more.
    """
    request = first.request
    if Control.SEED in engine.controls:
        changed = request.model_copy(update={"seed": named_seed(seed, first.id, f"{_SEED_STAGE}-{tries}")})
    elif Control.SPEED in engine.controls and tries <= len(_TEMPO_OF_TRY):
        speed = min(max(request.speed * _TEMPO_OF_TRY[tries - 1], MIN_SPEED), MAX_SPEED)
        changed = request.model_copy(update={"speed": round(speed, _SPEED_DECIMALS)})
    else:
        return None
    if changed == request:  # at the end of the range of speeds
        return None
    return first.model_copy(update={"request": changed, "tries": tries})


def _replies(plan: DialoguePlan, script: Script, maker: _Maker) -> Iterator[PlannedUtterance]:
    for number, turn in enumerate(script.turns, start=1):
        step = reply_step(script.task, turn.step, script.language)
        yield maker.planned(
            f"{plan.id}/{number}{_REPLY}", plan.assistant, Role.ASSISTANT, None, turn.response_text, step
        )


class _Maker:
    """What is the same for all utterances of one item."""

    def __init__(
        self, plan: DialoguePlan, script: Script, settings: SpeechSettings, engine: SpeechEngine, seed: int
    ) -> None:
        self._plan, self._script, self._settings, self._engine, self._seed = plan, script, settings, engine, seed

    def planned(
        self,
        utterance_id: str,
        speaker: Speaker,
        role: Role,
        part: Part | None,
        text: str,
        step: EmotionStep,
        *,
        goes_on: bool = False,
    ) -> PlannedUtterance:
        return PlannedUtterance(
            id=utterance_id,
            role=role,
            part=part,
            speaker=speaker.id,
            text=text,
            request=self._request(utterance_id, speaker, text, step, goes_on=goes_on),
        )

    def _request(
        self, utterance_id: str, speaker: Speaker, text: str, step: EmotionStep, *, goes_on: bool
    ) -> SpeechRequest:
        settings, controls = self._settings, self._engine.controls
        check_speed(settings, self._engine)
        able = Control.EMOTION in controls
        told = step if able else _NEUTRAL
        language: Language = self._script.language
        duplex = self._script.task.track is Track.DUPLEX  # its segments may not fall apart, see `pieces_to_speak`
        realise = settings.sounds == "auto" and not duplex
        spoken, sounds, _ = spoken_with_sounds(
            text, language, self._engine.tags, partial(normalise, language=language), realise
        )
        if not spoken:
            raise EngineError(
                f"{utterance_id} (script {self._script.script_id}): nothing in {text!r} can be spoken; write words"
            )
        if goes_on:
            spoken = unfinished(spoken, language, self._engine.name)
        expression = None
        if not (duplex or able) and settings.expression == "prosody":
            expression = draw_expression(step.emotion, step.intensity, language, self._seed, utterance_id)
        louder_db = 0.0 if expression is None else expression.energy_db
        return plain_request(
            self._engine,
            settings,
            speaker.voice,
            language,
            spoken,
            seed=named_seed(self._seed, utterance_id, _SEED_STAGE),
            emotion=told.emotion,
            intensity=told.intensity,
            speed=self._speed(slows=goes_on),
            expression=expression,
            sounds=sounds,
            loudness_lufs=round(settings.loudness_lufs + louder_db, _LOUDNESS_DECIMALS),
            max_inner_silence_ms=settings.max_inner_silence_ms if duplex else None,
        )

    def _speed(self, *, slows: bool) -> float:
        """Slower before a pause, as far as the engine can."""
        settings = self._settings
        if not slows or Control.SPEED not in self._engine.controls:
            return settings.speed
        return max(settings.speed * settings.hesitation_speed, MIN_SPEED)


def unfinished(spoken: str, language: Language, engine: str) -> str:
    """What is spoken in the middle of a sentence, with the ending that sounds least like the end of one.

    Calibrated 2026-11 on beginnings of sentences by four voices (pitch with Praat, median of the last 100 ms of
    voicing against the same words with a full stop, in semitones; pairs of zh/en: Kokoro 19/16, espeak 24/24):

    ======  ==========  ==========  ==========
    ending  kokoro zh   kokoro en   espeak en
    ======  ==========  ==========  ==========
    none    -0.1        +0.2        0.0
    comma   +0.1        -0.2        +3.0
    dots    -0.6        -0.1        +3.0
    dash    -0.1        0.0         +3.0
    ======  ==========  ==========  ==========

    Slopes over the last 300 ms of voicing agree for espeak (-15 and +1 st/s at stop and comma); Kokoro's fall whatever
    the ending. espeak's Mandarin is the same with all. No ending lengthens a last syllable by more than 15 ms. So
    only espeak's English sounds unfinished; for Kokoro this is the least final ending, and the pause tells.

    >>> unfinished("我想订一张后天去", Language.ZH, "kokoro"), unfinished("the opera;", Language.EN, "espeak")
    ('我想订一张后天去，', 'the opera,')
    """
    ending = "" if (engine, language) in _NO_COMMA else _GOES_ON[language]
    return spoken.rstrip(_MARKS) + ending
