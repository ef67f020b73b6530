"""Who speaks: the right clip, speaker or pair is named, by vectors that stand for voices; silence is no voice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.finding import Finding
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures
from validators.core.thresholds import Thresholds
from validators.voices.limits import ENGINES
from validators.voices.speaker_encoder import SECONDS, VECTOR, partial_starts, without_pauses
from validators.voices.speakers import judge_item_speakers, judge_set_speakers

RATE = 16_000
LIMITS = Thresholds()
TEXT = {Language.ZH: "我今天下班路上遇到了老同学。", Language.EN: "I met an old friend on my way home."}


def voice(number: int, take: int = 0, spread: float = 0.3) -> np.ndarray:
    """Unit vector ``[256]``: voices are far apart, takes of one voice lie near each other (cosine about 0.92)."""
    base = np.random.default_rng(number).standard_normal(256)
    own = np.random.default_rng(1_000 * number + take + 1).standard_normal(256)
    mixed = np.abs(base / np.linalg.norm(base) + spread * own / np.linalg.norm(own))  # as the ReLU leaves it
    signed = mixed * np.sign(base)
    return np.asarray(signed / np.linalg.norm(signed), dtype=np.float32)


def clip(
    item: str,
    name: str,
    vector: np.ndarray,
    *,
    speaker: str | None = "S0001",
    role: Role = Role.USER,
    seconds: float = 4.0,
    split: Split = Split.TRAIN,
    language: Language = Language.ZH,
    is_dry: bool = True,
) -> ClipMeasures:
    return ClipMeasures(
        clip=f"{split}/{language}/{item}/{name}",
        item=item,
        name=name,
        file=f"{split}/{language}/{item}_{name}.wav",
        span=(0.0, seconds),
        layout="track1-seed",
        language=language,
        split=split,
        role=role,
        text=TEXT[language],
        speaker=speaker,
        emotion=None,
        intensity=None,
        is_dry=is_dry,
        values={SECONDS: seconds},
        vectors={VECTOR: vector},
    )


def dialogue(item: str, numbers: Sequence[int], **labels: object) -> list[ClipMeasures]:
    return [
        clip(item, f"turn_{n}", voice(number, take=take_of(item, n)), **labels)  # type: ignore[arg-type]
        for n, number in enumerate(numbers, start=1)
    ]


def take_of(item: str, number: int) -> int:
    """Another take for every clip, the same in every process."""
    return sum(item.encode()) * 10 + number


def codes(findings: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_the_turn_in_another_voice_is_named() -> None:
    for language in Language:
        for odd in range(4):
            numbers = [1, 1, 1, 1]
            numbers[odd] = 2
            (finding,) = judge_item_speakers("d", dialogue("d", numbers, language=language), LIMITS)
            assert finding.code == "SPEAKER.CHANGED"
            assert finding.message.startswith(f"turn_{odd + 1} ")
            assert finding.file == f"train/{language}/d_turn_{odd + 1}.wav"
            assert finding.value is not None and finding.value < LIMITS.min_voice_similarity


def test_two_odd_turns_are_both_named_and_one_voice_is_not_blamed() -> None:
    found = judge_item_speakers("d", dialogue("d", [1, 2, 1, 3, 1]), LIMITS)
    assert sorted(one.message.split()[0] for one in found) == ["turn_2", "turn_4"]
    assert not judge_item_speakers("d", dialogue("d", [1] * 5), LIMITS)
    assert not judge_item_speakers("d", [], LIMITS)
    assert not judge_item_speakers("d", dialogue("d", [1]), LIMITS)


@given(st.permutations(range(5)))
def test_order_does_not_matter(order: list[int]) -> None:
    clips = dialogue("d", [1, 1, 4, 1, 5])
    assert judge_item_speakers("d", [clips[n] for n in order], LIMITS) == judge_item_speakers("d", clips, LIMITS)


def test_short_clips_say_nothing_alone_and_something_together() -> None:
    long = clip("s", "user_1", voice(1, 1))
    short = [clip("s", f"user_{n}", voice(2, n), seconds=0.9) for n in (2, 3, 4)]
    assert not judge_item_speakers("s", [long, short[0]], LIMITS)
    (finding,) = judge_item_speakers("s", [long, *short], LIMITS)
    assert finding.code == "SPEAKER.CHANGED"
    assert finding.message.startswith("user_2 with user_3 with user_4 ")


def test_two_people_in_one_voice_are_found() -> None:
    for second in (Role.ASSISTANT, Role.THIRD_PARTY):
        user = clip("s", "user_1", voice(1, 1, spread=0.1))
        for number, expected in ((1, ["SPEAKER.SAME"]), (2, [])):
            other = clip("s", "other_1", voice(number, 2, spread=0.1), speaker="S0009", role=second)
            assert codes(judge_item_speakers("s", [user, other], LIMITS)) == expected


def test_roles_stand_for_people_where_no_speaker_is_told() -> None:
    user = clip("s", "user_1", voice(1, 1, spread=0.1), speaker=None)
    assistant = clip("s", "assistant_1", voice(1, 2, spread=0.1), speaker=None, role=Role.ASSISTANT)
    assert codes(judge_item_speakers("s", [user, assistant], LIMITS)) == ["SPEAKER.SAME"]
    assert not judge_set_speakers([user, assistant], LIMITS)


def test_clips_behind_a_microphone_and_without_sound_are_passed_over() -> None:
    clips = dialogue("d", [1, 2], is_dry=False)
    assert not judge_item_speakers("d", clips, LIMITS)
    silent = ClipMeasures(**{**vars(clip("d", "turn_2", voice(2))), "vectors": {}, "values": {SECONDS: 0.0}})
    assert not judge_item_speakers("d", [clip("d", "turn_1", voice(1)), silent], LIMITS)


def release() -> list[ClipMeasures]:
    """Four speakers of four items with three turns each, one pair of speakers in each split; zh and en."""
    return [
        one
        for language in Language
        for number, split in ((1, Split.TRAIN), (2, Split.TRAIN), (3, Split.DEV), (4, Split.DEV))
        for item in range(4)
        for one in dialogue(f"{number}_{item}", [number] * 3, speaker=f"S{number:04d}", split=split, language=language)
    ]


def test_a_release_where_every_speaker_is_one_voice_is_not_blamed() -> None:
    assert not judge_set_speakers(release(), LIMITS)
    assert not judge_set_speakers([], LIMITS)


def revoiced(clips: Sequence[ClipMeasures], item: str, number: int, language: Language) -> list[ClipMeasures]:
    return [
        ClipMeasures(**{**vars(one), "vectors": {VECTOR: voice(number, 500 + place)}})
        if one.item == item and one.language is language
        else one
        for place, one in enumerate(clips)
    ]


def test_speakers_swapped_between_two_items_are_found_in_both_and_nowhere_else() -> None:
    for language in Language:
        clips = revoiced(revoiced(release(), "1_0", 2, language), "2_3", 1, language)
        found = judge_set_speakers(clips, LIMITS)
        assert {(one.code, one.item) for one in found} == {("SPEAKER.DRIFT", "1_0"), ("SPEAKER.DRIFT", "2_3")}
        assert len(found) == 6
        assert all(f"/{language}/" in (one.file or "") for one in found)
        assert judge_set_speakers(clips[::-1], LIMITS) == found


def test_a_voice_of_nobody_drifts_too() -> None:
    found = judge_set_speakers(revoiced(release(), "3_1", 77, Language.EN), LIMITS)
    assert {(one.code, one.item) for one in found} == {("SPEAKER.DRIFT", "3_1")}
    assert all("another voice" in one.message for one in found)


def test_one_voice_under_two_ids_of_train_and_dev_is_a_leak() -> None:
    clips = release()
    for item in range(4):
        clips = revoiced(clips, f"4_{item}", 1, Language.ZH)
    (finding,) = [one for one in judge_set_speakers(clips, LIMITS) if one.code == "SPEAKER.SHARED"]
    assert "S0004 of dev has the voice of speaker S0001 of train (zh)" in finding.message
    assert finding.item == "S0004"  # the speaker: no item of the set is at fault
    assert finding.file is not None and "4_" in finding.file


def test_two_ids_of_one_split_may_share_a_voice() -> None:
    clips = release()
    for item in range(4):
        clips = revoiced(clips, f"2_{item}", 1, Language.ZH)
    assert "SPEAKER.SHARED" not in codes(judge_set_speakers(clips, LIMITS))


def test_what_an_engine_cannot_tell_is_switched_off() -> None:
    espeak = Thresholds(**ENGINES["espeak"])
    user = clip("s", "user_1", voice(1, 1))
    twin = clip("s", "assistant_1", voice(1, 1), role=Role.ASSISTANT)
    assert codes(judge_item_speakers("s", [user, twin], LIMITS)) == ["SPEAKER.SAME"]
    assert not judge_item_speakers("s", [user, twin], espeak)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 1.6, 2.0, 3.7, 60.0])
def test_windows_cover_all_but_less_than_a_window(seconds: float) -> None:
    samples = round(seconds * RATE)
    starts = partial_starts(samples)
    assert starts[0] == 0
    assert np.all(np.diff(starts) == 77)
    assert samples - (starts[-1] + 160) * 160 < 0.75 * 160 * 160


def test_pauses_are_left_out_whatever_the_level() -> None:
    sound = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    paused = np.concatenate([sound, np.zeros(2 * RATE, np.float32), sound])
    for gain in (1.0, 0.01):
        left = len(without_pauses(paused * np.float32(gain), RATE)) / RATE
        assert 2.0 <= left <= 2.25
    assert len(without_pauses(sound[:100], RATE)) == 100


def test_a_clip_nearer_to_another_alike_speaker_is_found_though_it_resembles_its_own() -> None:
    own, other = voice(1, spread=0.0), voice(2, spread=0.0)
    alike = (own + np.float32(0.55) * other) / np.linalg.norm(own + np.float32(0.55) * other)  # cosine about 0.88
    clips = [clip(f"1_{n}", "turn_1", own) for n in range(4)]
    clips += [clip(f"2_{n}", "turn_1", alike, speaker="S0002") for n in range(4)]
    assert not judge_set_speakers(clips, LIMITS)
    (finding,) = judge_set_speakers([*clips, clip("1_4", "turn_1", alike)], LIMITS)
    assert (finding.code, finding.item) == ("SPEAKER.DRIFT", "1_4")
    assert "nearer to speaker S0002" in finding.message
    assert finding.threshold == LIMITS.max_nearer_voice
