"""Casting: which voice is which speaker, in which role and split."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from data_schemas.randomness import named_generator
from data_schemas.speakers import Gender, Speaker, Voice
from data_schemas.tasks import Language, Role, Split
from generators.speech.engine import EngineError
from generators.speech.settings import CastingSettings

GENDERS: tuple[Gender, ...] = ("female", "male")


class CastingError(EngineError):
    """The engine's voices do not suffice. One sentence with the way out."""


def cast_speakers(
    voices: Sequence[Voice], languages: Sequence[Language], settings: CastingSettings, seed: int
) -> tuple[Speaker, ...]:
    """Speakers for every language, numbered from 1 per language; every voice stays in one split.

    Users and assistants have different voices. Third parties speak with the user voices of their
    split under numbers of their own; the planner never pairs a user with itself.

    Raises:
        CastingError: a named voice the engine does not have, or too few voices.
    """
    speakers: list[Speaker] = []
    for language in sorted(languages):
        pool = choose_voices(voices, language, settings)
        shares = share_out(pool, language, settings, seed)
        number = 0
        for split, role, voice in shares:
            number += 1
            speakers.append(
                Speaker(
                    number=number, language=language, gender=voice.gender, split=split, role=role, voice=voice.id
                )
            )
    return tuple(speakers)


def choose_voices(voices: Sequence[Voice], language: Language, settings: CastingSettings) -> tuple[Voice, ...]:
    """The voices of a language that the settings allow, by id.

    Raises:
        CastingError: naming the unknown voice and the nearest known ones.
    """
    known = {voice.id: voice for voice in voices if voice.language is language}
    wanted = settings.voices.get(language, ())
    if not wanted:
        return tuple(known[name] for name in sorted(known))
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
            raise CastingError(
                f"speech.casting.voices.{language}: the engine has no {language} voice {name!r}; "
                f"nearest: {', '.join(near) or 'none'}"
            )
    return tuple(known[name] for name in wanted)


def share_out(
    pool: Sequence[Voice], language: Language, settings: CastingSettings, seed: int
) -> tuple[tuple[Split, Role, Voice], ...]:
    """Deal the voices: both genders among the users of each split, assistants, then third parties.

    Raises:
        CastingError: fewer voices than (2 users + assistants) per split, or a gender is missing.
    """
    least = 2 * (len(GENDERS) + settings.assistants)
    if len(pool) < least:
        raise CastingError(
            f"speech.casting: {len(pool)} {language} voices are too few; two users and {settings.assistants} "
            f"assistant(s) in each split need {least}. Add voices or lower speech.casting.assistants"
        )
    decks = {gender: [voice for voice in pool if voice.gender == gender] for gender in GENDERS}
    for gender, deck in decks.items():
        deck.sort(key=lambda voice: voice.id)
        named_generator(seed, f"{language}/{gender}", "casting").shuffle(deck)
    users: dict[Split, list[Voice]] = {split: [] for split in Split}
    for split in Split:
        for gender in GENDERS:
            if not decks[gender]:
                raise CastingError(
                    f"speech.casting: no {gender} {language} voice is left for the users of {split}; "
                    "list more voices under speech.casting.voices"
                )
            users[split].append(decks[gender].pop())
    assistants = {split: [_from_larger(decks) for _ in range(settings.assistants)] for split in Split}
    limits = {Split.TRAIN: settings.train_users, Split.DEV: settings.dev_users}
    for split in Split:
        while len(users[split]) < limits[split] and any(decks.values()):
            fewer = min(GENDERS, key=lambda gender: sum(voice.gender == gender for voice in users[split]))
            users[split].append(decks[fewer].pop() if decks[fewer] else _from_larger(decks))
    dealt: list[tuple[Split, Role, Voice]] = []
    for split in Split:
        dealt += [(split, Role.USER, voice) for voice in users[split]]
        dealt += [(split, Role.ASSISTANT, voice) for voice in assistants[split]]
        dealt += [(split, Role.THIRD_PARTY, voice) for voice in users[split]]
    return tuple(dealt)


def _from_larger(decks: dict[Gender, list[Voice]]) -> Voice:
    return decks[max(GENDERS, key=lambda gender: len(decks[gender]))].pop()
