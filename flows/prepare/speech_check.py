"""Can the engine and the voices that are cast say what is asked for? Refused before any work, not item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from data_schemas.emotions import Emotion
from data_schemas.plan import Place, QuotaCell
from data_schemas.script import Script
from data_schemas.speakers import Speaker
from data_schemas.tasks import Role, Track
from generators.speech.engine import CloningEngine, Control, SpeechEngine
from generators.speech.expression.responses import tone_table
from generators.speech.requests import check_speed
from generators.speech.settings import SpeechSettings

Quota = Sequence[tuple[QuotaCell, int]]
#: the emotions of a place's user turns (Track 1)
Told = Callable[[Place], frozenset[Emotion]]
_NEUTRAL = frozenset({Emotion.NEUTRAL})


def check_speech(
    engine: SpeechEngine, speakers: Iterable[Speaker], quota: Quota, speech: SpeechSettings, told: Told
) -> None:
    """
    Raises:
        EngineError: a speed the engine has not, or a voice without a clip that it needs; names field and way out.
    """
    check_speed(speech, engine)
    if not isinstance(engine, CloningEngine):
        return
    asked = asked_emotions(speakers, quota, speech, told if Control.EMOTION in engine.controls else None)
    for voice in engine.voices():
        engine.check_voice(voice, sorted(asked.get(voice.id, ())))


def asked_emotions(
    speakers: Iterable[Speaker], quota: Quota, speech: SpeechSettings, told: Told | None
) -> dict[str, set[Emotion]]:
    """What each voice that is cast may have to say: by voice, the emotions. ``told`` None: the engine has none."""
    asked: dict[str, set[Emotion]] = {}
    people = tuple(speakers)
    for cell, _ in quota:
        said = _said(cell, speech, told)
        for one in people:
            if one.language is cell.language and one.split is cell.split:
                asked.setdefault(one.voice, set()).update(said.get(one.role, ()))
    return asked


def _said(cell: QuotaCell, speech: SpeechSettings, told: Told | None) -> Mapping[Role, frozenset[Emotion]]:
    """By role; third parties and the voices of babble speak in Track 2 only."""
    if cell.task.track is Track.DUPLEX:
        return dict.fromkeys(Role, _NEUTRAL)
    users = _NEUTRAL if told is None else told(cell.place)
    if speech.responses != "voiced":
        return {Role.USER: users}
    tones = tone_table().root
    replies = _NEUTRAL if told is None else frozenset(tones[emotion].tone for emotion in users)
    return {Role.USER: users, Role.ASSISTANT: replies}


def any_emotion(place: Place) -> frozenset[Emotion]:
    """Of scripts that a model is to write."""
    del place
    return frozenset(Emotion)


def not_known_yet(place: Place) -> frozenset[Emotion]:
    """Of a pack that has not been read."""
    del place
    return frozenset()


def emotions_of(scripts: Iterable[Script]) -> Told:
    """Of the scripts that a pack holds for a place, whichever of them are taken."""
    held: dict[Place, set[Emotion]] = {}
    for script in scripts:
        place = Place(script.task, script.language, len(script.turns))
        held.setdefault(place, set()).update(turn.emotion for turn in script.turns)
    return lambda place: frozenset(held.get(place, ()))
