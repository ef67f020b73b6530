"""What is heard against what is written, with measurements written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.tasks import Language, Role, Split
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.probe import ClipVerdict, Measurement
from validators.core.thresholds import Thresholds
from validators.words.english_words import english_words
from validators.words.recogniser import pieces_of, shorten_silences
from validators.words.spoken_words import character_pairs, plain, syllable_pairs, word_pairs
from validators.words.transcript import VALIDATOR, judge_transcript, read

ZH = "我妈昨晚在厨房炖了一锅鸡汤，全家人都说好喝。"
EN = "My neighbour brought us a lovely apple pie on Sunday evening."
T = Thresholds()


def hum(seconds: float) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * 150 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def clip(text: str, language: Language, seconds: float = 4.0, **changes: object) -> Clip:
    made = Clip(
        item="task1_1_zh_0001_0001",
        name="turn_1",
        file="a.wav",
        span=(0.0, seconds),
        rate=RATE,
        samples=hum(seconds),
        layout="track1-seed",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text=text,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def heard(text: str, language: str = "zh", p_language: float = 0.99) -> Measurement:
    return Measurement(
        texts={"heard": text, "heard_language": language},
        values={"avg_logprob": -0.2, "no_speech": 0.01, "p_language": p_language, "p_heard_language": 0.99},
    )


def verdict(asked: Clip, text: str, **changes: object) -> ClipVerdict:
    measurement = heard(text, **({"language": asked.language.value} | changes))  # type: ignore[arg-type]
    return judge_transcript(Judge(VALIDATOR, asked.item, asked.file), asked, measurement, T)


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in findings}


# --- units


@pytest.mark.parametrize(
    ("reference", "spoken"),
    [
        ("我妈[sigh]花了10块", "我媽花了十塊"),
        ("ＫＴＶ里全是人！", "K T V裡全是人"),
        ("2026年涨了20%。", "二零二六年漲了百分之二十"),
        ("一共￥1500", "一共一千五百元"),
        ("下午12:05到", "下午十二点零五到"),
        ("8:00起床", "八點起床"),
        ("3-5块", "三到五塊"),
        ("体温37.5℃", "体温三十七点五摄氏度"),
        ("拨119报警", "波一一九報警"),
        ("他有119个苹果", "她有一百一十九個蘋果"),
        ("嗯，我想 [break] 呃，买两斤梨", "我想买2斤梨啊"),
        ("拧我家门把手", "宁我家们罢手"),
    ],
)
def test_chinese_is_the_same_however_it_is_written(reference: str, spoken: str) -> None:
    reading = read(reference, spoken, Language.ZH)
    assert reading is not None
    assert reading.error_rate == 0.0, reading.pair


@pytest.mark.parametrize(
    ("reference", "spoken"),
    [
        ("It says 12:05 on it.", "it says twelve oh five on it"),
        ("He takes $850 a month", "he takes eight hundred and fifty dollars a month"),
        ("It cost $1,250.", "It cost one thousand two hundred and fifty dollars"),
        ("on August 15th, 2026", "on August fifteenth twenty twenty six"),
        ("at 6 am", "at six a.m."),
        ("at 8:00 tomorrow", "at eight o'clock tomorrow"),
        ("500 km, 20%", "five hundred kilometres, twenty per cent"),
        ("It's grey, and we can't", "it is gray and we cannot"),
        ("the FBI called", "the F.B.I. called"),
        ("What a lovely colour, Mum [laughter]", "um, what a lovely color, mom"),
        ("You're right, it's their fault too", "Your right, its they're fault to"),
        ("at the weekend", "at the week end"),
        ("after 5-7 days", "after five to seven days"),
        ("thirty-eight, twenty", "38, 20"),
        ("a hundred people", "100 people"),
        ("it was 3.5", "it was three point five"),
        ("organised in the theatre", "organized in the theater"),
    ],
)
def test_english_is_the_same_however_it_is_written(reference: str, spoken: str) -> None:
    reading = read(reference, spoken, Language.EN)
    assert reading is not None
    assert reading.error_rate == 0.0, reading.pair


@given(st.integers(0, 9_999_999))
def test_numbers_are_one_unit_in_words_and_digits(number: int) -> None:
    from num2words import num2words

    assert english_words(plain(num2words(number))) == english_words(str(number))


@given(st.integers(0, 99_999_999))
def test_chinese_numbers_are_the_same_in_characters_and_digits(number: int) -> None:
    import cn2an

    pair = syllable_pairs(f"有{number}个", f"有{cn2an.an2cn(number)}个")[0]
    assert "".join(pair.heard).replace("youyishi", "youshi") == "".join(pair.reference)


def test_other_words_stay_other_words() -> None:
    assert read("他不来", "他会来", Language.ZH).error_rate == pytest.approx(1 / 3)  # type: ignore[union-attr]
    assert read("row 38", "row 39", Language.EN).error_rate == pytest.approx(1 / 2)  # type: ignore[union-attr]
    assert word_pairs("the cat", "the cap")[0].heard == ("the", "cap")
    assert character_pairs("门把手", "们罢手")[0].reference == tuple("门把手")
    assert character_pairs("门把手", "们罢手")[0].heard == tuple("们罢手")


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(list(Language)))
def test_any_text_can_be_read(reference: str, spoken: str, language: Language) -> None:
    reading = read(reference, spoken, language)
    if reading is not None:
        assert reading.error_rate >= 0.0
        wrong = [reading.pair.reference[slice(*stretch.reference)] for stretch in reading.stretches]
        assert sum(map(len, wrong)) <= len(reading.pair.reference)
        assert all(
            0 <= reading.missing(stretch) <= len(reading.pair.reference)
            and 0 <= reading.extra(stretch) <= len(reading.pair.heard)
            and not (reading.missing(stretch) and reading.extra(stretch))
            for stretch in reading.stretches
        )


@given(st.text(max_size=40), st.sampled_from(list(Language)))
def test_a_text_agrees_with_itself(text: str, language: Language) -> None:
    reading = read(text, text, language)
    assert reading is None or reading.error_rate == 0.0


# --- verdicts


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        (ZH, Language.ZH, "我媽昨晚在廚房頓了一鍋雞湯,全家人都說好喝"),
        (EN, Language.EN, "my neighbor brought us a lovely apple pie on Sunday evening"),
    ],
)
def test_a_clean_clip_is_not_blamed_and_its_rates_are_published(text: str, language: Language, spoken: str) -> None:
    answer = verdict(clip(text, language), spoken)
    assert answer.findings == ()
    expected = {"cer", "syllable_error_rate"} if language is Language.ZH else {"wer"}
    assert set(answer.values) == expected | {"units_per_s"}
    if language is Language.ZH:
        assert answer.values["cer"] == pytest.approx(1 / 20)  # 炖 and 顿 sound alike
        assert answer.values["syllable_error_rate"] == 0.0


@pytest.mark.parametrize(
    ("text", "language", "spoken", "code"),
    [
        (ZH, Language.ZH, "厨房炖了一锅鸡汤全家人都说好喝", "TRANSCRIPT.START"),
        (EN, Language.EN, "us a lovely apple pie on Sunday evening", "TRANSCRIPT.START"),
        (ZH, Language.ZH, "我妈昨晚在厨房炖了一锅鸡汤全家人", "TRANSCRIPT.END"),
        (EN, Language.EN, "My neighbor brought us a lovely apple pie on", "TRANSCRIPT.END"),
        (ZH, Language.ZH, "我妈昨晚在厨房炖了鸡汤都说好喝", "TRANSCRIPT.GAP"),
        (EN, Language.EN, "My neighbor brought us pie on Sunday evening", "TRANSCRIPT.GAP"),
        (ZH, Language.ZH, "请用难过的语气说我妈昨晚在厨房炖了一锅鸡汤全家人都说好喝", "TRANSCRIPT.EXTRA"),
        (EN, Language.EN, f"say it in a sad voice, {EN}", "TRANSCRIPT.EXTRA"),
        (ZH, Language.ZH, "我妈昨晚在厨房炖了一锅鸡汤全家人都说好喝人都说好喝", "TRANSCRIPT.EXTRA"),
        (EN, Language.EN, f"{EN} pie on Sunday evening", "TRANSCRIPT.EXTRA"),
        (ZH, Language.ZH, "外面下大雨了我们的球赛恐怕得改到下个礼拜", "TRANSCRIPT.ERRORS"),
        (EN, Language.EN, "where did you put the keys of the old car", "TRANSCRIPT.ERRORS"),
        (EN, Language.EN, "", "TRANSCRIPT.ERRORS"),
    ],
)  # fmt: skip
def test_each_defect_has_its_code(text: str, language: Language, spoken: str, code: str) -> None:
    assert codes(verdict(clip(text, language), spoken).findings) == {code}


def test_words_that_are_only_divided_otherwise_are_not_missing() -> None:
    asked = clip("What's the time difference? I'm meant to ring my sister.", Language.EN)
    assert verdict(asked, "What's the time difference? I'm mentoring my sister.").findings == ()


def test_the_last_word_of_a_cut_reply_is_not_asked_for() -> None:
    spoken = "My neighbor brought us a lovely apple pie on"
    assert verdict(clip(EN, Language.EN, cut=True), spoken).findings == ()
    assert codes(verdict(clip(EN, Language.EN), spoken).findings) == {"TRANSCRIPT.END"}
    more = f"{EN} and a clockwise"
    assert verdict(clip(EN, Language.EN, cut=True), more).findings == ()
    assert codes(verdict(clip(EN, Language.EN), more).findings) == {"TRANSCRIPT.EXTRA"}


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [("嗯嗯，好。", Language.ZH, "您的好"), ("Ah, I see.", Language.EN, "or I see"), ("嗯", Language.ZH, "恩啊")],
)
def test_a_misheard_backchannel_is_not_blamed(text: str, language: Language, spoken: str) -> None:
    assert verdict(clip(text, language, seconds=0.7), spoken).findings == ()


def test_a_backchannel_that_says_a_sentence_is_blamed() -> None:
    asked = clip("Ah, I see.", Language.EN, seconds=2.4)
    assert "TRANSCRIPT.EXTRA" in codes(verdict(asked, "say this in a friendly voice I see").findings)


def test_of_a_bystander_only_gross_errors_count() -> None:
    far = clip(EN, Language.EN, role=Role.THIRD_PARTY)
    assert verdict(far, "my labour bought a lovely apple on Sunday evening").findings == ()
    assert codes(verdict(far, "where did you put all the keys of that old car").findings) == {"TRANSCRIPT.ERRORS"}


def test_the_other_language_is_heard() -> None:
    answer = verdict(clip(EN, Language.EN), "wo ma zuo wan dun le yi guo ji tang", language="zh", p_language=0.01)
    assert codes(answer.findings) == {"LANGUAGE.AUDIO", "TRANSCRIPT.ERRORS"}


def test_a_short_clip_has_no_language_of_its_own() -> None:
    short = clip("哦，明白。", Language.ZH, seconds=0.9)
    assert verdict(short, "明白", language="ja", p_language=0.01).findings == ()


@pytest.mark.parametrize(("seconds", "blamed"), [(1.8, True), (4.0, False), (12.0, True)])
def test_speaking_rate_has_bounds(seconds: float, blamed: bool) -> None:
    answer = verdict(clip(ZH, Language.ZH, seconds=seconds), ZH)
    assert ("TRANSCRIPT.RATE" in codes(answer.findings)) is blamed
    assert answer.values["units_per_s"] == pytest.approx(20 / seconds, rel=0.05)


# --- what the recogniser is given


def test_long_silences_inside_are_shortened_and_edges_kept() -> None:
    quiet = np.zeros(RATE, dtype=np.float32)
    samples = np.concatenate([quiet, hum(1.0), quiet, hum(1.0), quiet])
    assert len(samples) - len(shorten_silences(samples)) == pytest.approx(0.7 * RATE, abs=RATE // 50)
    assert np.array_equal(shorten_silences(hum(2.0)), hum(2.0))
    assert len(shorten_silences(quiet)) == len(quiet)


@given(st.floats(0.02, 95.0))
def test_pieces_fit_a_window_and_are_the_samples(seconds: float) -> None:
    samples = np.arange(round(seconds * RATE), dtype=np.float32)
    pieces = pieces_of(samples)
    assert np.array_equal(np.concatenate(pieces), samples)
    assert max(map(len, pieces)) <= 28 * RATE
    assert min(map(len, pieces)) > 0
