"""Prosody is measured right on tones, and a label is held against its speaker's neutral."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.emotions import Emotion
from data_schemas.finding import Severity
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures
from validators.core.thresholds import Thresholds
from validators.emotion.directions import DirectionRow, ProsodyReport, directions, judge_prosody
from validators.emotion.prosody import prosody_of

TEXTS = {Language.ZH: "今天下班的路上遇见了老同学", Language.EN: "I met an old friend on my way home today"}
NEUTRAL = {
    "f0_median_st": 8.0,
    "f0_range_st": 6.0,
    "voiced_level_db": -23.0,
    "level_range_db": 11.0,
    "alpha_ratio_db": -9.0,
    "pause_share": 0.06,
    "articulation_s": 2.5,
}
LOUD_AND_HIGH = {**NEUTRAL, "f0_median_st": 12.0, "f0_range_st": 10.0, "voiced_level_db": -17.0, "articulation_s": 1.8}
SOFT_AND_LOW = {**NEUTRAL, "f0_median_st": 5.0, "f0_range_st": 3.0, "voiced_level_db": -29.0, "articulation_s": 3.4}


def voice(f0_hz: float, seconds: float = 1.0, sweep_st: float = 0.0, strength: float = 1.0) -> Samples:
    """Harmonics at about -23 dBFS whose pitch swings by ``sweep_st`` up and down, ``[n]``."""
    time = np.arange(round(seconds * RATE)) / RATE
    f0 = f0_hz * 2.0 ** (sweep_st / 12.0 * np.sin(2 * np.pi * 2.0 * time))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    tone = sum(np.sin(k * phase) / k**1.5 for k in range(1, 25) if k * f0_hz < 7000)
    return (0.1 * strength * tone).astype(np.float32)


def measures(
    number: int,
    emotion: Emotion | None,
    values: dict[str, float],
    *,
    language: Language = Language.EN,
    speaker: str | None = "S1",
    intensity: int | None = 3,
    is_dry: bool = True,
) -> ClipMeasures:
    """A labelled turn with given numbers."""
    return ClipMeasures(
        clip=f"track1/{speaker}_{number}.wav#turn_1",
        item=f"item_{speaker}_{number}",
        name="turn_1",
        file=f"track1/{speaker}_{number}.wav",
        span=(0.0, 3.0),
        layout="track1-seed",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text=TEXTS[language],
        speaker=speaker,
        emotion=emotion,
        intensity=intensity,
        is_dry=is_dry,
        values=values,
    )


def neutrals(count: int = 3, **changes: object) -> list[ClipMeasures]:
    return [measures(100 + n, Emotion.NEUTRAL, NEUTRAL, intensity=0, **changes) for n in range(count)]  # type: ignore[arg-type]


def row(report: ProsodyReport, emotion: Emotion, measure: str) -> DirectionRow:
    (found,) = [one for one in report.rows if one.emotion is emotion and one.measure == measure]
    return found


# --- what is measured


@pytest.mark.parametrize("f0_hz", [75.0, 110.0, 210.0, 340.0, 480.0])
def test_the_level_of_pitch_is_right_for_low_and_high_voices(f0_hz: float) -> None:
    values = prosody_of(voice(f0_hz), RATE)
    assert values["f0_median_st"] == pytest.approx(12 * np.log2(f0_hz / 100.0), abs=0.1)
    assert values["f0_range_st"] < 0.3


def test_the_range_of_pitch_is_that_of_the_sweep() -> None:
    """80 % of a sine's values lie within 0.951 of its height."""
    values = prosody_of(voice(200.0, 2.0, sweep_st=4.0), RATE)
    assert values["f0_range_st"] == pytest.approx(2 * 4.0 * 0.951, abs=0.4)
    assert values["f0_median_st"] == pytest.approx(12.0, abs=0.5)


@pytest.mark.parametrize("error_hz", [110.0, 600.0])
def test_a_stretch_in_another_octave_is_left_out(error_hz: float) -> None:
    """15 % of the voiced frames: enough to be the tenth or ninetieth percentile if they counted."""
    values = prosody_of(np.concatenate([voice(220.0, 3.4), voice(error_hz, 0.6)]), RATE)
    assert values["f0_median_st"] == pytest.approx(12 * np.log2(2.2), abs=0.1)
    assert values["f0_range_st"] < 0.5


def test_pauses_are_counted_between_the_first_and_the_last_sound() -> None:
    def silence(seconds: float) -> Samples:
        return np.zeros(round(seconds * RATE), dtype=np.float32)

    piece = voice(150.0, 1.0)
    spoken = np.concatenate([silence(0.7), piece, silence(0.5), piece, silence(0.1), piece, silence(0.9)])
    values = prosody_of(spoken, RATE)
    assert values["pause_count"] == 1
    assert values["pause_share"] == pytest.approx(0.5 / 3.6, abs=0.03)
    assert values["articulation_s"] == pytest.approx(3.1, abs=0.1)


def test_louder_and_brighter_speech_measures_so() -> None:
    plain, loud = prosody_of(voice(150.0), RATE), prosody_of(voice(150.0, strength=2.0), RATE)
    assert loud["voiced_level_db"] - plain["voiced_level_db"] == pytest.approx(6.02, abs=0.05)
    assert loud["alpha_ratio_db"] == pytest.approx(plain["alpha_ratio_db"], abs=0.01)
    bright = np.diff(voice(150.0), prepend=np.float32(0.0))
    assert prosody_of(bright, RATE)["alpha_ratio_db"] > plain["alpha_ratio_db"] + 3.0
    assert prosody_of(bright, RATE)["centroid_hz"] > plain["centroid_hz"]


def test_tempo_is_told_from_syllables() -> None:
    time = np.arange(3 * RATE) / RATE
    for syllables in (3.0, 6.0):
        spoken = (voice(150.0, 3.0) * (0.1 + 0.9 * np.sin(np.pi * syllables * time) ** 2)).astype(np.float32)
        assert prosody_of(spoken, RATE)["peaks_per_s"] == pytest.approx(syllables, abs=0.4)


def test_noise_has_no_pitch_and_silence_nothing() -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.05, RATE).astype(np.float32)
    assert prosody_of(noise, RATE).get("voiced_share", 0.0) < 0.3
    assert prosody_of(np.zeros(RATE, dtype=np.float32), RATE) == {}
    assert prosody_of(np.zeros(10, dtype=np.float32), RATE) == {}
    assert prosody_of(np.full(RATE, np.nan, dtype=np.float32), RATE) == {}


@given(st.floats(80.0, 400.0), st.floats(0.3, 1.2), st.floats(0.01, 3.0))
@settings(max_examples=25, deadline=None)
def test_numbers_are_finite_and_the_same_twice(f0_hz: float, seconds: float, strength: float) -> None:
    spoken = voice(f0_hz, seconds, 1.0, strength)
    values = prosody_of(spoken, RATE)
    assert all(np.isfinite(value) for value in values.values())
    assert values == prosody_of(spoken.copy(), RATE)
    assert 0.0 <= values.get("voiced_share", 0.0) <= 1.0


# --- directions


def test_every_label_has_directions_of_known_measures_in_both_languages() -> None:
    table = directions()
    assert set(table.emotions) == set(Emotion)
    for language in Language:
        for emotion in Emotion:
            signs = table.signs(emotion, language)
            assert set(signs) <= set(table.measures)
            assert bool(signs) != emotion.is_neutral
    assert "f0_range_st" in table.signs(Emotion.HAPPY, Language.EN)
    assert "f0_range_st" not in table.signs(Emotion.HAPPY, Language.ZH)


@pytest.mark.parametrize("language", list(Language))
def test_a_voice_on_the_wrong_side_is_named_and_the_right_one_is_not(language: Language) -> None:
    clips = [
        *neutrals(language=language),
        measures(1, Emotion.HAPPY, LOUD_AND_HIGH, language=language),
        measures(2, Emotion.SAD, SOFT_AND_LOW, language=language),
        measures(3, Emotion.SAD, LOUD_AND_HIGH, language=language),
        measures(4, Emotion.ANGER, SOFT_AND_LOW, language=language),
    ]
    findings, report = judge_prosody(clips, Thresholds())
    assert {(f.code, f.item) for f in findings} == {
        ("EMOTION.DIRECTION", "item_S1_3"),
        ("EMOTION.DIRECTION", "item_S1_4"),
    }
    assert all(f.severity is Severity.INFO and f.value is not None and f.value < -1.0 for f in findings)
    assert "f0_median_st" in findings[0].message
    assert report.judged == 4 and report.against == 2 and report.speakers == 1
    happy = row(report, Emotion.HAPPY, "f0_median_st")
    assert happy.mean_difference_sd == pytest.approx(4.0 / (0.5 * np.sqrt(1 + 1 / 3)), abs=1e-3)
    assert happy.share_in_direction == 1.0 and happy.stated == 1
    assert row(report, Emotion.SAD, "f0_median_st").share_in_direction == 0.5


def test_a_voice_like_neutral_goes_against_nothing() -> None:
    clips = [*neutrals(), *(measures(n, emotion, NEUTRAL) for n, emotion in enumerate(Emotion))]
    findings, report = judge_prosody(clips, Thresholds(min_direction_agreement=1.0))
    assert findings == () and report.judged == 6 and report.mean_agreement is None


def test_a_faint_label_is_held_to_less() -> None:
    def found(intensity: int | None) -> int:
        # exactly 1.5 sd against sad in every measure but pauses, so 6/7 * 1.5 = 1.29 times intensity / 3
        table, scale = directions(), np.sqrt(1 + 1 / 3)
        values = {
            name: NEUTRAL[name] + 1.5 * scale * table.measures[name].floor for name in NEUTRAL if name in table.measures
        }
        values |= {"articulation_s": 2.5 / 2 ** (1.5 * 0.15 * scale), "pause_share": NEUTRAL["pause_share"]}
        clips = [*neutrals(), measures(1, Emotion.SAD, values, intensity=intensity)]
        return len(judge_prosody(clips, Thresholds(max_direction_opposition=1.0))[0])

    assert (found(3), found(2), found(1), found(None)) == (1, 0, 0, 0)


def test_the_gate_is_off_unless_it_is_set() -> None:
    values = {**NEUTRAL, "f0_median_st": 6.0, "f0_range_st": 5.0, "voiced_level_db": -20.0}  # 1 of 3 agree
    clips = [*neutrals(), measures(1, Emotion.ANGER, values)]
    assert judge_prosody(clips, Thresholds())[0] == ()
    (finding,) = judge_prosody(clips, Thresholds(min_direction_agreement=0.5))[0]
    assert (finding.code, finding.severity) == ("EMOTION.OPPOSED", Severity.ERROR)
    assert finding.value == pytest.approx(1 / 3, abs=1e-6) and finding.threshold == 0.5
    assert judge_prosody(clips, Thresholds(min_direction_agreement=0.3))[0] == ()


def test_what_cannot_be_compared_is_counted_and_not_judged() -> None:
    clips = [
        *neutrals(1, speaker="S2"),
        *neutrals(3, is_dry=False),
        measures(1, Emotion.SAD, LOUD_AND_HIGH, speaker="S2"),
        measures(2, Emotion.SAD, LOUD_AND_HIGH),
        measures(3, Emotion.SAD, LOUD_AND_HIGH, speaker=None),
        measures(4, Emotion.SAD, {}),
        measures(5, Emotion.SAD, LOUD_AND_HIGH, is_dry=False),
        measures(6, None, LOUD_AND_HIGH),
    ]
    findings, report = judge_prosody(clips, Thresholds())
    assert findings == () and report.judged == 0 and report.rows == ()
    assert report.not_judged == {
        "nothing could be measured": 1,
        "the row names no speaker": 1,
        "too few neutral utterances of the speaker": 2,
    }
    assert judge_prosody(clips, Thresholds(min_neutral_clips=1))[1].judged == 1


def test_a_speaker_of_two_languages_has_a_neutral_in_each() -> None:
    clips = [*neutrals(language=Language.ZH), measures(1, Emotion.SAD, LOUD_AND_HIGH, language=Language.EN)]
    assert judge_prosody(clips, Thresholds())[1].judged == 0


def test_level_is_not_counted_where_every_file_is_equally_loud() -> None:
    levelled = {**LOUD_AND_HIGH, "voiced_level_db": NEUTRAL["voiced_level_db"]}
    report = judge_prosody([*neutrals(), measures(1, Emotion.SAD, levelled)], Thresholds())[1]
    assert report.levelled and not any(one.measure == "voiced_level_db" for one in report.rows)
    report = judge_prosody([*neutrals(), measures(1, Emotion.SAD, LOUD_AND_HIGH)], Thresholds())[1]
    assert not report.levelled and row(report, Emotion.SAD, "voiced_level_db").mean_difference_sd > 3.0


def test_the_order_of_clips_does_not_matter_and_the_report_reads_back() -> None:
    clips = [
        *neutrals(),
        *neutrals(language=Language.ZH, speaker="S9"),
        *(measures(n, emotion, LOUD_AND_HIGH) for n, emotion in enumerate(Emotion)),
        *(measures(n, emotion, SOFT_AND_LOW, language=Language.ZH, speaker="S9") for n, emotion in enumerate(Emotion)),
    ]
    findings, report = judge_prosody(clips, Thresholds())
    shuffled = list(clips)
    random.Random(5).shuffle(shuffled)
    assert judge_prosody(shuffled, Thresholds()) == (findings, report)
    assert ProsodyReport.from_json_line(report.to_json_line()) == report
    table = report.to_markdown()
    assert "| zh | clips |" in table and "| en | clips |" in table and "(down 0%)" in table
