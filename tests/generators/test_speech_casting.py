"""Casting: disjoint splits, both genders, stable numbers, clear refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.speakers import Speaker, Voice
from data_schemas.tasks import Language, Role, Split
from generators.speech.casting import CastingSettings, LanguageCast, SplitCast, cast_speakers
from generators.speech.engine import EngineError
from generators.speech.kokoro import KokoroEngine


def voices(female: int, male: int, language: Language = Language.ZH) -> tuple[Voice, ...]:
    return tuple(
        Voice(id=f"{language}_{gender[0]}{n}", engine="noise", language=language, gender=gender, license="CC0-1.0")
        for gender, count in (("female", female), ("male", male))
        for n in range(count)
    )


def pool(speakers: tuple[Speaker, ...], split: Split, role: Role) -> list[Speaker]:
    return [speaker for speaker in speakers if speaker.split is split and speaker.role is role]


def voice_set(speakers: tuple[Speaker, ...], split: Split, *roles: Role) -> set[str]:
    return {speaker.voice for role in roles for speaker in pool(speakers, split, role)}


@given(female=st.integers(3, 12), male=st.integers(3, 12), seed=st.integers(0, 99), share=st.floats(0.1, 0.9))
def test_rules_hold_for_every_engine(female: int, male: int, seed: int, share: float) -> None:
    declared = voices(female, male)
    speakers = cast_speakers(declared, [Language.ZH], CastingSettings(dev_share=share), seed)
    assert voice_set(speakers, Split.TRAIN, *Role).isdisjoint(voice_set(speakers, Split.DEV, *Role))
    for split in Split:
        users, assistants = voice_set(speakers, split, Role.USER), voice_set(speakers, split, Role.ASSISTANT)
        assert users.isdisjoint(assistants) and assistants
        assert {speaker.gender for speaker in pool(speakers, split, Role.USER)} == {"female", "male"}
        assert voice_set(speakers, split, Role.THIRD_PARTY) == users
    assert [speaker.number for speaker in speakers] == list(range(1, len(speakers) + 1))
    genders = {voice.id: voice.gender for voice in declared}
    assert all(speaker.gender == genders[speaker.voice] for speaker in speakers)
    used = voice_set(speakers, Split.TRAIN, *Role) | voice_set(speakers, Split.DEV, *Role)
    assert used == set(genders)


def test_the_order_of_the_voices_does_not_matter_and_the_seed_does() -> None:
    declared = voices(8, 8)
    cast = cast_speakers(declared, [Language.ZH], CastingSettings(), 7)
    assert cast == cast_speakers(declared[::-1], [Language.ZH], CastingSettings(), 7)
    assert any(cast != cast_speakers(declared, [Language.ZH], CastingSettings(), seed) for seed in (8, 9, 10))


def test_kokoro_mandarin_has_three_train_users_two_dev_users_and_an_assistant_each() -> None:
    speakers = cast_speakers(KokoroEngine().voices(), list(Language), CastingSettings(), 1)
    own = tuple(speaker for speaker in speakers if speaker.language is Language.ZH)
    counts = [len(pool(own, split, role)) for split in Split for role in (Role.USER, Role.ASSISTANT)]
    assert counts == [3, 1, 2, 1]
    numbers = [speaker.number for speaker in speakers if speaker.language is Language.EN]
    assert numbers[0] == 1 and len(set(numbers)) == len(numbers)


def test_named_voices_are_kept_and_the_rest_is_filled() -> None:
    chosen = CastingSettings(
        zh=LanguageCast(train=SplitCast(users=("zh_f1", "zh_m1")), dev=SplitCast(assistants=("zh_f0",)))
    )
    speakers = cast_speakers(voices(4, 4), [Language.ZH], chosen, 1)
    assert voice_set(speakers, Split.TRAIN, Role.USER) == {"zh_f1", "zh_m1"}
    assert voice_set(speakers, Split.DEV, Role.ASSISTANT) == {"zh_f0"}
    assert len(voice_set(speakers, Split.DEV, Role.USER)) == 4


def test_a_misspelt_voice_is_refused_with_its_neighbours() -> None:
    chosen = CastingSettings(zh=LanguageCast(dev=SplitCast(users=("zf_xiaobai",))))
    with pytest.raises(EngineError, match=r"speech\.casting\.zh\.dev\.users.*'zf_xiaobai'.*zf_xiaobei"):
        cast_speakers(KokoroEngine().voices(), [Language.ZH], chosen, 1)


def test_a_voice_in_two_places_is_refused() -> None:
    twice = SplitCast(users=("zh_f0", "zh_m0"))
    chosen = CastingSettings(zh=LanguageCast(train=twice, dev=twice))
    with pytest.raises(EngineError, match=r"dev\.users: voice 'zh_f0' is already in speech\.casting\.zh\.train\.users"):
        cast_speakers(voices(4, 4), [Language.ZH], chosen, 1)


@pytest.mark.parametrize(("female", "male", "problem"), [(1, 2, "too few"), (0, 0, "too few"), (9, 1, "no male voice")])
def test_an_engine_with_too_few_voices_is_refused(female: int, male: int, problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        cast_speakers(voices(female, male), [Language.ZH], CastingSettings(), 1)
