"""`Item`: one finished dialogue or scene with everything known about it, ready to be laid out."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from data_schemas.foundation.base import Record
from data_schemas.plan import DialoguePlan
from data_schemas.scene import Scene
from data_schemas.script import Script
from data_schemas.tasks import Role, Track
from data_schemas.utterance import Utterance

#: Names of the staged audio files of a Track 2 item. A Track 1 item has ``turn_<n>.wav``, and where its replies are
#: voiced ``response_<n>.wav``.
USER_WAV = "user.wav"
ASSISTANT_WAV = "assistant.wav"
CLEAN_WAV = "clean.wav"


def turn_wav(turn_id: int) -> str:
    """Staged name of a Track 1 turn's audio; ``turn_id`` counts from 1."""
    return f"turn_{turn_id}.wav"


def response_wav(turn_id: int) -> str:
    """Staged name of the voiced reply to a Track 1 turn; ``turn_id`` counts from 1."""
    return f"response_{turn_id}.wav"


def stem_wav(stem: str) -> str:
    """Staged name of a kept stem."""
    return f"{stem}.wav"


class Item(Record):
    """Plan, words, audio facts and (Track 2) scene of one item.

    Track 1: ``utterances[i]`` is turn ``i + 1``, and ``responses[i]`` the reply to it; ``responses`` is empty where
    replies are text. Track 2: in script line order, a line
    with a ``[break]`` giving one utterance per piece. ``background`` is what the babble of a
    scene is made of; ``stems`` names the parts of the user's channel that are kept.
    """

    plan: DialoguePlan
    script: Script
    utterances: tuple[Utterance, ...]
    scene: Scene | None = None
    background: tuple[Utterance, ...] = ()
    stems: tuple[str, ...] = ()
    responses: tuple[Utterance, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.plan.task.track is Track.DUPLEX) != (self.scene is not None):
            raise ValueError("Track 2 items have a scene and Track 1 items have none")
        if self.responses and (self.scene is not None or len(self.responses) != len(self.utterances)):
            raise ValueError("responses are the replies to a Track 1 item's turns: one for each turn, or none at all")
        if any(response.role is not Role.ASSISTANT for response in self.responses):
            raise ValueError("responses are spoken by the assistant")
        return self
