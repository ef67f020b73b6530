"""Who talks in the background, and what: planned as utterances like all others, mixed by `noise`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from pydantic import Field

from data_schemas.foundation.base import Record
from data_schemas.foundation.randomness import named_seed
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.plan import DialoguePlan
from data_schemas.speakers import Speaker
from data_schemas.tasks import Language, Role
from data_schemas.utterance import SpeechRequest
from generators.scenes.errors import SceneImpossible
from generators.scenes.microphone.draw import Draws
from generators.scenes.microphone.settings import MicrophoneSettings
from generators.speech.engine import SpeechEngine
from generators.speech.requests import PlannedUtterance, plain_request
from generators.speech.settings import SpeechSettings
from generators.speech.text.normalise import normalise

#: Names the seed of an engine that draws: not the build's and not the item's, so that a passage by a voice is one
#: entry of the store for all items and builds.
_SPEECH_SEED = 0


class Passages(Record):
    """``babble.yaml``: what is said in the background, by language."""

    zh: tuple[str, ...] = Field(min_length=1)
    en: tuple[str, ...] = Field(min_length=1)

    def of(self, language: Language) -> tuple[str, ...]:
        return self.zh if language is Language.ZH else self.en


@cache
def passages() -> Passages:
    """The passages that ship with the package."""
    text = files(__package__).joinpath("babble.yaml").read_text(encoding="utf-8")
    return Passages.model_validate(load_yaml(text, "babble.yaml"))


def babble_requests(
    plan: DialoguePlan,
    speakers: Sequence[Speaker],
    settings: MicrophoneSettings,
    speech: SpeechSettings,
    engine: SpeechEngine,
    seed: int,
) -> tuple[PlannedUtterance, ...]:
    """What has to be spoken for the babble of an item, ``<plan.id>/babble.<k>`` with k from 1; () without babble.

    One passage per talker. Talkers are voices of the item's language and split that are not the item's own; where
    there are fewer voices than talkers, a voice talks more than once, each time another passage.

    Args:
        speakers: of the whole build; those who do not qualify are passed over.

    Raises:
        SceneImpossible: no such voice, or more talkers than voices times passages.
    """
    draws = Draws(seed, plan.id)
    if not draws.uses(settings.babble, "babble"):
        return ()
    count = settings.babble.talkers.sample(draws.generator("babble/talkers"))
    pairs = _pairs(plan, speakers, draws, count)
    return tuple(
        PlannedUtterance(
            id=f"{plan.id}/babble.{number}",
            role=Role.THIRD_PARTY,
            part=None,
            speaker=speaker.id,
            text=text,
            request=_request(speaker, text, plan.language, speech, engine),
        )
        for number, (speaker, text) in enumerate(pairs, start=1)
    )


def _pairs(plan: DialoguePlan, speakers: Sequence[Speaker], draws: Draws, count: int) -> list[tuple[Speaker, str]]:
    """Who says what: the voices in turn, so that as many as possible are heard, and no passage twice."""
    voices = _others(plan, speakers)
    texts = passages().of(plan.language)
    if not voices:
        raise SceneImpossible(
            f"{plan.id}: nobody is left for babble, all {plan.language} voices of split {plan.cell.split} are in the "
            "scene; cast more voices (speech.casting) or set scenes.microphone.babble.use to off"
        )
    if count > len(texts):
        raise SceneImpossible(
            f"{plan.id}: babble of {count} talkers needs {count} passages and {plan.language} has {len(texts)}; "
            "lower scenes.microphone.babble.talkers"
        )
    by_voice = draws.generator("babble/voices").permutation(len(voices))
    by_text = draws.generator("babble/passages").permutation(len(texts))
    return [(voices[by_voice[number % len(voices)]], texts[by_text[number]]) for number in range(count)]


def _others(plan: DialoguePlan, speakers: Sequence[Speaker]) -> list[Speaker]:
    """One speaker per voice of the plan's split and language that is not heard in the item, by voice name.

    The same voice may be cast under several numbers (as user and as third party): the lowest number counts.
    """
    own = {person.voice for person in (plan.user, plan.assistant, plan.third_party) if person}
    found: dict[str, Speaker] = {}
    for speaker in sorted(speakers, key=lambda each: each.number, reverse=True):
        if speaker.split is plan.cell.split and speaker.language is plan.language and speaker.voice not in own:
            found[speaker.voice] = speaker
    return [found[voice] for voice in sorted(found)]


def _request(
    speaker: Speaker, text: str, language: Language, speech: SpeechSettings, engine: SpeechEngine
) -> SpeechRequest:
    return plain_request(
        engine,
        speech,
        speaker.voice,
        language,
        normalise(text, language),
        seed=named_seed(_SPEECH_SEED, f"{speaker.voice}/{text}", "babble"),
        max_inner_silence_ms=speech.max_inner_silence_ms,
    )
