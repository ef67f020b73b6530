"""A borderline transcript is heard again, and the middle hearing decides; a clear one is heard once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.tasks import Language, Role, Split
from validators.core.clips import Clip
from validators.core.instruments import ClipJudge, Instruments
from validators.core.measure_store import MeasureStore
from validators.core.probe import Measurement, measurement_key
from validators.core.thresholds import Thresholds
from validators.words.hearings import HEARINGS, NOISE_DB, NoisyHearing, is_borderline, middle, settled, with_noise
from validators.words.limits import ENGINES
from validators.words.transcript import judge_transcript

ZH = "我妈昨晚在厨房炖了一锅鸡汤，全家人都说好喝。"
EN = "My neighbour brought us a lovely apple pie on Sunday evening."
T = Thresholds()


def hum(seconds: float) -> Samples:
    samples: Samples = (0.2 * np.sin(2 * np.pi * 150 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)
    return samples


def clip(text: str, language: Language) -> Clip:
    return Clip(
        item="task1_1_zh_0001_0001",
        name="turn_1",
        file="a.wav",
        span=(0.0, 4.0),
        rate=RATE,
        samples=hum(4.0),
        layout="track1-seed",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text=text,
    )


def heard(text: str, language: Language, p_language: float = 0.99, avg_logprob: float = -0.2) -> Measurement:
    other = "ja" if p_language < 0.5 else language.value
    return Measurement(
        texts={"heard": text, "heard_language": other},
        values={
            "avg_logprob": avg_logprob,
            "no_speech": 0.01,
            "p_language": p_language,
            "p_heard_language": max(p_language, 1.0 - p_language),
        },
    )


class Script:
    """A recogniser that hears what is written here: the clean samples first, then draw by draw."""

    identity = "script"

    def __init__(self, clean: Measurement, noisy: tuple[Measurement, ...] = ()) -> None:
        self._clean, self._noisy, self.asked = clean, list(noisy), 0

    def measure(self, clip: Clip) -> Measurement:
        self.asked += 1
        return self._clean if self.asked == 1 else self._noisy[self.asked - 2]


# --- what is borderline


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        (ZH, Language.ZH, ZH),
        (ZH, Language.ZH, "我媽昨晚在廚房頓了一鍋雞湯,全家人都說好喝"),  # homophones are no errors
        (ZH, Language.ZH, "我码昨晚在处方炖了一锅机躺全家人都说好喝"),  # a tenth wrong and nothing missing
        (EN, Language.EN, "my neighbor bought us a lovely apple pie on Sunday evening"),
        (ZH, Language.ZH, "外面下大雨了我们的球赛恐怕得改到下个礼拜"),  # clearly another text
        (EN, Language.EN, "brought us a lovely apple pie on Sunday evening"),  # two words missing
        (ZH, Language.ZH, "我妈昨晚在厨房炖了一锅鸡汤全家人都说"),  # a missing end is a warning
        (EN, Language.EN, f"say it in a very sad voice, {EN}"),
    ],
)
def test_a_clear_transcript_is_not_borderline(text: str, language: Language, spoken: str) -> None:
    assert not is_borderline(clip(text, language), heard(spoken, language), T)


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        (ZH, Language.ZH, "妈昨晚在厨房炖了一锅鸡汤全家人都说好喝"),  # one syllable of the start, limit 1
        (ZH, Language.ZH, "我妈昨晚在厨房了一锅鸡汤全家人都说好喝"),  # one of the middle, limit 2
        (EN, Language.EN, f"so there {EN}"),  # two words more, limit 3
        (EN, Language.EN, "my labor brought as a lively apple pie on Sunday evening"),  # 0.27 wrong
        (EN, Language.EN, "my labor brought as a lively apple pie on some day evening"),  # 0.36 wrong, limit 0.4
    ],
)
def test_a_transcript_close_to_a_limit_is_borderline(text: str, language: Language, spoken: str) -> None:
    assert is_borderline(clip(text, language), heard(spoken, language), T)


def test_a_language_that_is_hard_to_tell_is_borderline() -> None:
    asked = clip(ZH, Language.ZH)
    assert not is_borderline(asked, heard(ZH, Language.ZH, p_language=0.9), T)
    assert is_borderline(asked, heard(ZH, Language.ZH, p_language=0.4), T)
    assert is_borderline(asked, heard(ZH, Language.ZH, p_language=0.2), T)
    assert not is_borderline(asked, heard(ZH, Language.ZH, p_language=0.05), T)


def test_limits_that_nothing_exceeds_make_nothing_borderline() -> None:
    unheard = heard("完全是另外的一些话没有人能听懂这是在说什么", Language.ZH, p_language=0.1)
    assert not is_borderline(clip(ZH, Language.ZH), unheard, T.model_copy(update=dict(ENGINES["espeak"])))


# --- the middle one


def test_the_middle_hearing_decides() -> None:
    asked = clip(EN, Language.EN)
    clean, cut = heard(EN, Language.EN), heard("neighbour brought us a lovely apple pie on Sunday evening", Language.EN)
    assert middle(asked, [cut, clean, clean], T) is clean
    assert middle(asked, [clean, cut, cut], T) is cut
    unsure = heard(EN, Language.EN, avg_logprob=-0.9)
    assert middle(asked, [unsure, cut, clean], T) is unsure  # the worst is cut, the best the surer of the two
    shorter = heard("My neighbour brought us a lovely apple pie on Sunday", Language.EN)
    assert middle(asked, [cut, clean, shorter], T) is shorter  # an error is worse than a warning


def test_a_borderline_clip_is_heard_again_and_a_clear_one_once() -> None:
    asked = clip(EN, Language.EN)
    cut, clean = heard(EN.removeprefix("My "), Language.EN), heard(EN, Language.EN)
    doubtful = Script(cut, (clean, cut, clean))
    judged = Instruments()
    judged.__dict__["clip_judges"] = (ClipJudge("transcript", doubtful, judge_transcript, settled),)
    findings, measures = judged.examine(asked, T)
    assert (findings, doubtful.asked) == ((), 1 + HEARINGS)
    assert measures.texts["heard"] == EN and measures.values["wer"] == 0.0  # what is published is what decided
    sure = Script(clean)
    judged.__dict__["clip_judges"] = (ClipJudge("transcript", sure, judge_transcript, settled),)
    assert judged.examine(asked, T)[0] == ()
    assert sure.asked == 1
    missing = Script(cut, (cut, clean, cut))
    judged.__dict__["clip_judges"] = (ClipJudge("transcript", missing, judge_transcript, settled),)
    assert [finding.code for finding in judged.examine(asked, T)[0]] == ["TRANSCRIPT.START"]


def test_hearings_are_kept_under_keys_of_their_own(tmp_path: object) -> None:
    asked, cut = clip(EN, Language.EN), heard(EN.removeprefix("My "), Language.EN)
    probe = Script(cut, (cut, cut, cut))
    keys = {measurement_key(each, asked) for each in (probe, *(NoisyHearing(probe, n) for n in range(HEARINGS)))}
    assert len(keys) == 1 + HEARINGS
    kept = f"{tmp_path}/measured.sqlite"
    for _ in range(2):
        judged = Instruments()
        judged._kept = MeasureStore(type(tmp_path)(kept))  # type: ignore[operator]
        judged.__dict__["clip_judges"] = (ClipJudge("transcript", probe, judge_transcript, settled),)
        assert {finding.code for finding in judged.examine(asked, T)[0]} == {"TRANSCRIPT.START"}
    assert probe.asked == 1 + HEARINGS


# --- the noise


def test_noise_lies_at_its_level_and_depends_on_the_number_alone() -> None:
    samples = hum(2.0)
    noise = with_noise(samples, NOISE_DB, 0).astype(np.float64) - samples
    level = 10.0 * np.log10(np.mean(noise**2) / np.mean(samples.astype(np.float64) ** 2))
    assert level == pytest.approx(NOISE_DB, abs=0.2)
    assert np.array_equal(with_noise(samples, NOISE_DB, 0), with_noise(samples, NOISE_DB, 0))
    assert not np.array_equal(with_noise(samples, NOISE_DB, 0), with_noise(samples, NOISE_DB, 1))
    assert np.array_equal(with_noise(np.zeros(100, np.float32), NOISE_DB, 0), np.zeros(100, np.float32))
    assert len(with_noise(np.zeros(0, np.float32), NOISE_DB, 0)) == 0


def test_a_noisy_hearing_is_of_the_noisy_samples() -> None:
    class Ear:
        identity = "ear"

        def measure(self, clip: Clip) -> Measurement:
            return Measurement(vectors={"samples": clip.samples})

    asked = clip(EN, Language.EN)
    told = NoisyHearing(Ear(), 2).measure(asked)
    assert np.array_equal(told.vectors["samples"], with_noise(asked.samples, NOISE_DB, 2))
    assert np.array_equal(asked.samples, replace(asked).samples)
