"""Who speaks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Role
from tests.support.mutations.kinds.common import BOUNDS, CLEAN_FILE, OTHER_WORDS, is_dialogue, is_scene
from tests.support.mutations.planting import Copy, Kind, Planted, at
from tests.support.mutations.spares import Spare, other_speaker
from tests.support.mutations.spots import Spot, sentences, spots

GROUP = "voices"
_MOST_SPOKEN_S = 12.0  # longer replies are not spoken again for a test
#: an embedding of less speech varies too much: 1 of 4 such cases is missed with 5.6 and 7.4 s
_LEAST_USER_S, _LEAST_REPLIES_S = 5.0, 10.0
_SPOKEN_AGAIN = OTHER_WORDS | BOUNDS | CLEAN_FILE | {"TIMELINE.USER_OUTSIDE", "T2.PAUSE_LENGTH"}


def _turn(found: FoundItem) -> Spot:
    return max(sentences(found), key=lambda spot: spot.seconds)


def _own(found: FoundItem, role: Role) -> list[Spot]:
    return [spot for spot in spots(found) if is_scene(found) and spot.role is role]


def _replies(found: FoundItem) -> list[Spot]:
    """Replies that are heard to their end, shortest first, and long enough to tell a voice, beside another reply."""
    replies = _own(found, Role.ASSISTANT)
    told = [spot for spot in sentences(found) if spot in replies and 3.0 < spot.seconds < _MOST_SPOKEN_S]
    return sorted(told, key=lambda spot: spot.seconds) if len(replies) > 1 else []


def _speaker(found: FoundItem, role: Role) -> str:
    return _own(found, role)[0].speaker


def _name(found: FoundItem, spot: Spot) -> str:
    return f"{found.language}/{found.id}/{spot.name}"


def _spare(found: FoundItem, spot: Spot, speaker: str) -> Spare:
    return Spare(_name(found, spot), found.language, spot.text, speaker)


def _turn_spare(found: FoundItem, items: tuple[FoundItem, ...]) -> tuple[Spare, ...]:
    turn = _turn(found)
    return (_spare(found, turn, other_speaker(found, turn.speaker, items)),)


def _wrong_voice(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The same words by another voice."""
    copy.put(_turn(found), copy.spare(_name(found, _turn(found))))
    return at(found)


def _reply_spare(found: FoundItem, items: tuple[FoundItem, ...]) -> tuple[Spare, ...]:
    return (_spare(found, _replies(found)[0], _speaker(found, Role.USER)),)


def _reply_by_user(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """One reply of several spoken by the user's voice."""
    copy.put(_replies(found)[0], copy.spare(_name(found, _replies(found)[0])))
    return at(found)


def _user_spares(found: FoundItem, items: tuple[FoundItem, ...]) -> tuple[Spare, ...]:
    assistant = _speaker(found, Role.ASSISTANT)
    return tuple(_spare(found, spot, assistant) for spot in _own(found, Role.USER))


def _one_voice(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The user speaks with the assistant's voice throughout."""
    for spot in _own(found, Role.USER):
        copy.put(spot, copy.spare(_name(found, spot)))
    return at(found)


def _two_voices(found: FoundItem) -> bool:
    """A user who says little enough to be spoken again, and two voices heard long enough to be told apart."""
    own, replies = _own(found, Role.USER), _own(found, Role.ASSISTANT)
    return (
        bool(own)
        and all(spot.dry and not spot.text.count("[") for spot in own)
        and _LEAST_USER_S < _seconds(own) < _MOST_SPOKEN_S
        and _seconds(replies) > _LEAST_REPLIES_S
    )


def _seconds(own: Sequence[Spot]) -> float:
    return sum(spot.seconds for spot in own)


KINDS: tuple[Kind, ...] = (
    Kind(
        "wrong voice in one turn",
        GROUP,
        "SPEAKER.CHANGED",
        _wrong_voice,
        lambda found: is_dialogue(found) and len(sentences(found)) >= 3,
        OTHER_WORDS,
        4,
        needs=_turn_spare,
    ),
    Kind(
        "one reply in the user's voice",
        GROUP,
        "SPEAKER.CHANGED",
        _reply_by_user,
        lambda found: bool(_replies(found)),
        _SPOKEN_AGAIN | {"SPEAKER.SAME"},
        4,
        needs=_reply_spare,
    ),
    Kind(
        "user with the assistant's voice",
        GROUP,
        "SPEAKER.SAME",
        _one_voice,
        _two_voices,
        _SPOKEN_AGAIN,
        4,
        needs=_user_spares,
    ),
)
