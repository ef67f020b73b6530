"""Who is who: voices of an engine become users, assistants and third parties of a split.

A voice belongs to one split and, as user or assistant, to one role: nobody heard in training is
heard in development, and the assistant is never the voice of a user. Third parties are the users'
voices of the same split under numbers of their own; the planner never pairs a voice with itself or a mixture of it.

A mixture counts as the voices it is mixed of: all of them, and every other mixture of them, stay in the pool it is in.
Mixtures are cast last and join the automatic users' pool that their parts are in, no part in two of them, so they add
voices and move none.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle, islice

from pydantic import Field

from data_schemas.foundation.base import Record
from data_schemas.foundation.randomness import named_generator
from data_schemas.speakers import Gender, Speaker, Voice
from data_schemas.tasks import Language, Role, Split
from generators.speech.engine import EngineError

_GENDERS: tuple[Gender, ...] = ("female", "male")
_MIN_USERS = len(_GENDERS)  # scripts may ask for a user of either gender
_NEAR_MATCHES = 3

#: the users or the assistants of a split
Pool = tuple[Split, Role]
Cast = Mapping[Pool, tuple[str, ...]]


class SplitCast(Record):
    """Voices of one split, by name; an empty list is filled automatically."""

    users: tuple[str, ...] = ()
    assistants: tuple[str, ...] = ()


class LanguageCast(Record):
    """Voices of one language."""

    train: SplitCast = SplitCast()
    dev: SplitCast = SplitCast()

    def split(self, split: Split) -> SplitCast:
        return self.train if split is Split.TRAIN else self.dev


class CastingSettings(Record):
    """Who speaks. Without any names every voice of the engine is cast automatically."""

    zh: LanguageCast = LanguageCast()
    en: LanguageCast = LanguageCast()
    #: automatic: share of the user voices that go to dev (at least one of each gender)
    dev_share: float = Field(default=0.3, gt=0.0, lt=1.0)
    #: automatic: assistant voices per split
    assistants: int = Field(default=1, ge=1, le=20)

    def language(self, language: Language) -> LanguageCast:
        return self.zh if language is Language.ZH else self.en


def cast_speakers(
    voices: Sequence[Voice], languages: Iterable[Language], settings: CastingSettings, seed: int
) -> tuple[Speaker, ...]:
    """Speakers of every language, split and role, the same for the same arguments.

    Numbers (the group digits of item ids) count from 1 in each language: users, assistants, third
    parties, each with train before dev.

    Raises:
        EngineError: too few voices, an unknown voice, or one named twice; the sentence names the setting.
    """
    speakers: list[Speaker] = []
    for language in languages:
        own = sorted((voice for voice in voices if voice.language is language), key=lambda voice: voice.id)
        cast = _cast_language(own, language, settings, seed)
        speakers += _numbered(cast, language, {voice.id: voice for voice in own})
    return tuple(speakers)


def _numbered(cast: Cast, language: Language, voices: Mapping[str, Voice]) -> list[Speaker]:
    rows = [
        (split, role, voice)
        for role, pool in ((Role.USER, Role.USER), (Role.ASSISTANT, Role.ASSISTANT), (Role.THIRD_PARTY, Role.USER))
        for split in Split
        for voice in cast[split, pool]
    ]
    return [
        Speaker(
            number=number,
            language=language,
            gender=voices[voice].gender,
            split=split,
            role=role,
            voice=voice,
            age=voices[voice].age,
            mixed_of=tuple(part.voice for part in voices[voice].mix),
        )
        for number, (split, role, voice) in enumerate(rows, start=1)
    ]


def _cast_language(voices: Sequence[Voice], language: Language, settings: CastingSettings, seed: int) -> Cast:
    named = _named(voices, language, settings.language(language))
    homes = _homes(named, {voice.id: voice for voice in voices}, language)
    free = _Free([voice for voice in voices if not voice.mix], set(homes), seed, language)
    cast: dict[Pool, tuple[str, ...]] = dict(named)
    for split in Split:
        if not cast[split, Role.ASSISTANT]:
            cast[split, Role.ASSISTANT] = free.take(settings.assistants, f"assistants of {language} {split}")
    open_splits = [split for split in Split if not cast[split, Role.USER]]
    cast |= _automatic_users(open_splits, free, settings, language)
    homes |= {voice: pool for pool, own in cast.items() if not named[pool] for voice in own}
    for split in open_splits:
        cast[split, Role.USER] += tuple(_joining(voices, homes, (split, Role.USER)))
    for split in Split:
        _check_genders(cast[split, Role.USER], {voice.id: voice.gender for voice in voices}, language, split)
    return cast


def _homes(named: Cast, voices: Mapping[str, Voice], language: Language) -> dict[str, Pool]:
    """The pool each voice belongs to that is named or is part of a named mixture: no other may hear it."""
    homes: dict[str, Pool] = {}
    for pool, own in named.items():
        for name in own:
            for part in _parts(voices[name]):
                if homes.setdefault(part, pool) != pool:
                    raise EngineError(
                        f"{_setting(language, pool)}: voice {name!r} is mixed of {part!r}, which is heard in "
                        f"{_setting(language, homes[part])}; a mixture and its parts belong in one of them"
                    )
    return homes


def _joining(voices: Sequence[Voice], homes: Mapping[str, Pool], pool: Pool) -> Iterator[str]:
    """Mixtures of which every part is in the pool, each part in one of them at most: two that share one are alike."""
    free = {part for part, home in homes.items() if home == pool}
    for voice in voices:
        if voice.mix and free.issuperset(_parts(voice)):
            free.difference_update(_parts(voice))
            yield voice.id


def _parts(voice: Voice) -> tuple[str, ...]:
    """The voices that are heard in a voice: its parts, or itself."""
    return tuple(part.voice for part in voice.mix) or (voice.id,)


def _setting(language: Language, pool: Pool) -> str:
    split, role = pool
    return f"speech.casting.{language}.{split}.{role}s"


def _automatic_users(splits: Sequence[Split], free: _Free, settings: CastingSettings, language: Language) -> Cast:
    """All voices left: first one of each gender to each of the splits, then the rest by share."""
    total = len(free)
    users = {split: free.take(_MIN_USERS, f"users of {language} {split}") for split in splits}
    for split in splits:
        last = split is splits[-1]
        share = settings.dev_share if split is Split.DEV else 1.0 - settings.dev_share
        wanted = len(free) if last else min(len(free), math.ceil(share * total) - _MIN_USERS)
        users[split] += free.take(max(0, wanted), f"users of {language} {split}")
    return {(split, Role.USER): pool for split, pool in users.items()}


def _named(voices: Sequence[Voice], language: Language, chosen: LanguageCast) -> dict[Pool, tuple[str, ...]]:
    """The voices the configuration names, checked."""
    known = [voice.id for voice in voices]
    seen: dict[str, str] = {}
    named: dict[Pool, tuple[str, ...]] = {}
    for split in Split:
        for role, field in ((Role.USER, "users"), (Role.ASSISTANT, "assistants")):
            pool: tuple[str, ...] = getattr(chosen.split(split), field)
            where = f"speech.casting.{language}.{split}.{field}"
            for voice in pool:
                if voice not in known:
                    near = difflib.get_close_matches(voice, known, n=_NEAR_MATCHES, cutoff=0.0)
                    raise EngineError(
                        f"{where}: the engine has no {language} voice {voice!r}; "
                        f"{'did you mean ' + ', '.join(near) + '?' if near else 'it has none for this language'}"
                    )
                if voice in seen:
                    raise EngineError(f"{where}: voice {voice!r} is already in {seen[voice]}; a voice has one place")
                seen[voice] = where
            named[split, role] = pool
    return named


class _Free:
    """Voices not yet cast, handed out so that genders stay even."""

    def __init__(self, voices: Sequence[Voice], taken: set[str], seed: int, language: Language) -> None:
        self._pools: dict[Gender, list[str]] = {
            gender: [voice.id for voice in voices if voice.gender == gender and voice.id not in taken]
            for gender in _GENDERS
        }
        for gender, pool in self._pools.items():
            named_generator(seed, f"{language}/{gender}", "casting").shuffle(pool)
        self._language = language

    def __len__(self) -> int:
        return sum(len(pool) for pool in self._pools.values())

    def take(self, count: int, purpose: str) -> tuple[str, ...]:
        """``count`` voices, the genders taking turns, beginning with the one that has more left."""
        if len(self) < count:
            raise EngineError(
                f"speech.casting: the engine has too few {self._language} voices: "
                f"{len(self)} left for {count} {purpose}; choose an engine with more voices"
            )
        turns = cycle(sorted(self._pools.values(), key=len, reverse=True))
        return tuple(pool.pop() for pool in islice((pool for pool in turns if pool), count))


def _check_genders(pool: Sequence[str], genders: Mapping[str, Gender], language: Language, split: Split) -> None:
    missing = [gender for gender in _GENDERS if all(genders[voice] != gender for voice in pool)]
    if missing:
        raise EngineError(
            f"speech.casting: users of {language} {split} ({', '.join(pool)}) have no {missing[0]} voice and scripts "
            f"may ask for one; name one in speech.casting.{language}.{split}.users or use an engine that has one"
        )
