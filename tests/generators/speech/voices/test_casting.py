"""Casting: disjoint splits, both genders, stable numbers, mixtures beside their parts, clear refusals."""

import hashlib
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.speakers import AgeBand, Gender, MixPart, Speaker, Voice
from data_schemas.tasks import Language, Role, Split
from generators.speech.engine import EngineError
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.kokoro.engine import KokoroEngine
from generators.speech.voices.casting import CastingSettings, LanguageCast, SplitCast, cast_speakers


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


@pytest.mark.parametrize(
    ("engine", "seed", "digest"),
    [
        (KokoroEngine(), 1, "8ed94415dd586405"),
        (KokoroEngine(), 2026, "612e3934085823c6"),
        (EspeakEngine(), 1, "5a77d99df74c33b5"),
        (EspeakEngine(), 2026, "1998ae94f5f95898"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_the_casts_of_earlier_releases_stay(engine: KokoroEngine | EspeakEngine, seed: int, digest: str) -> None:
    """Taken from the commit before mixtures and ages came."""
    speakers = cast_speakers(engine.voices(), list(Language), CastingSettings(), seed)
    rows = [f"{one.language} {one.number} {one.split} {one.role} {one.voice}" for one in speakers]
    assert hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] == digest


def test_the_age_of_a_voice_is_its_speakers() -> None:
    aged = [voice.model_copy(update={"age": AgeBand.OLD}) if voice.id == "zh_f0" else voice for voice in voices(3, 3)]
    speakers = cast_speakers(aged, [Language.ZH], CastingSettings(), 1)
    assert {speaker.age for speaker in speakers if speaker.voice == "zh_f0"} == {AgeBand.OLD}
    assert {speaker.age for speaker in speakers if speaker.voice != "zh_f0"} == {None}


# --- mixtures


def mixture(*parts: str, gender: Gender = "female") -> Voice:
    shares = [round(1 / len(parts), 3)] * (len(parts) - 1)
    return Voice(
        id="+".join(parts),
        engine="noise",
        language=Language.ZH,
        gender=gender,
        license="CC0-1.0",
        mix=tuple(MixPart(voice=part, weight=w) for part, w in zip(parts, [*shares, 1 - sum(shares)], strict=True)),
    )


def all_mixtures(declared: tuple[Voice, ...], of: int) -> tuple[Voice, ...]:
    return tuple(
        mixture(*(voice.id for voice in parts), gender=gender)
        for gender in ("female", "male")
        for parts in combinations([voice for voice in declared if voice.gender == gender], of)
    )


def heard_in(voice: str) -> set[str]:
    return set(voice.split("+"))


@given(
    female=st.integers(3, 7),
    male=st.integers(3, 7),
    seed=st.integers(0, 99),
    of=st.integers(2, 3),
    assistants=st.integers(1, 2),
)
def test_a_mixture_and_its_parts_are_in_one_pool(female: int, male: int, seed: int, of: int, assistants: int) -> None:
    plain = voices(female, male)
    settings = CastingSettings(assistants=1 if min(female, male) < 5 else assistants)
    before = cast_speakers(plain, [Language.ZH], settings, seed)
    speakers = cast_speakers((*all_mixtures(plain, of), *plain), [Language.ZH], settings, seed)
    pools = {(split, role): voice_set(speakers, split, role) for split in Split for role in (Role.USER, Role.ASSISTANT)}
    heard = {pool: {part for voice in own for part in heard_in(voice)} for pool, own in pools.items()}
    for (first, parts), (second, others) in combinations(heard.items(), 2):
        assert parts.isdisjoint(others), (first, second)
    for split in Split:
        for role in (Role.USER, Role.ASSISTANT):
            alone = [one.voice for one in pool(before, split, role)]
            assert [one.voice for one in pool(speakers, split, role)][: len(alone)] == alone  # mixtures move nobody
        users = pools[split, Role.USER]
        mixed = [voice for voice in users if "+" in voice]
        assert all(heard_in(one).isdisjoint(heard_in(other)) for one, other in combinations(mixed, 2))
        unmixed = users - {part for voice in mixed for part in heard_in(voice)} - set(mixed)
        assert not any(heard_in(possible.id) <= unmixed for possible in all_mixtures(plain, of))  # none was left out
        assert voice_set(speakers, split, Role.THIRD_PARTY) == users
    assert not any("+" in voice for split in Split for voice in pools[split, Role.ASSISTANT])


def test_a_named_mixture_keeps_its_parts_from_everybody_else() -> None:
    plain = voices(5, 5)
    chosen = CastingSettings(zh=LanguageCast(dev=SplitCast(users=("zh_f0+zh_f1", "zh_m0"))))
    speakers = cast_speakers((*plain, *all_mixtures(plain, 2)), [Language.ZH], chosen, 1)
    assert voice_set(speakers, Split.DEV, Role.USER) == {"zh_f0+zh_f1", "zh_m0"}
    elsewhere = {
        part
        for one in speakers
        if one.split is Split.TRAIN or one.role is Role.ASSISTANT
        for part in heard_in(one.voice)
    }
    assert elsewhere == {voice.id for voice in plain} - {"zh_f0", "zh_f1", "zh_m0"}


@pytest.mark.parametrize(
    ("train", "dev", "sentence"),
    [
        (
            ("zh_f0", "zh_m0"),
            ("zh_f0+zh_f1", "zh_m1"),
            r"dev\.users: voice 'zh_f0\+zh_f1' is mixed of 'zh_f0', which is",
        ),
        (
            ("zh_f0+zh_f2", "zh_m0"),
            ("zh_f0+zh_f1", "zh_m1"),
            r"mixed of 'zh_f0', which is heard in speech\.casting\.zh\.train",
        ),
    ],
)
def test_parts_of_one_voice_in_two_splits_are_refused(
    train: tuple[str, ...], dev: tuple[str, ...], sentence: str
) -> None:
    plain = voices(5, 5)
    chosen = CastingSettings(zh=LanguageCast(train=SplitCast(users=train), dev=SplitCast(users=dev)))
    with pytest.raises(EngineError, match=sentence):
        cast_speakers((*plain, *all_mixtures(plain, 2)), [Language.ZH], chosen, 1)


def test_a_mixture_as_assistant_keeps_its_parts_from_the_users() -> None:
    plain = voices(5, 5)
    chosen = CastingSettings(zh=LanguageCast(train=SplitCast(assistants=("zh_f3+zh_f4",))))
    speakers = cast_speakers((*plain, *all_mixtures(plain, 2)), [Language.ZH], chosen, 1)
    users = {part for split in Split for voice in voice_set(speakers, split, Role.USER) for part in heard_in(voice)}
    assert users.isdisjoint({"zh_f3", "zh_f4"})
