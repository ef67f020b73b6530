"""The recovery of labels is right where the answer is known: told apart, at chance, flipped, too little."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from data_schemas.emotions import Emotion
from data_schemas.finding import Severity
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures
from validators.core.thresholds import Thresholds
from validators.emotion.acoustic_features import SIZE, VECTOR, AcousticFeatures, FeaturesMissing
from validators.emotion.recovery import (
    PROSODY,
    EmotionRecovery,
    RecoverySettings,
    judge_recovery,
    recover_emotions,
)

QUICK = RecoverySettings(bootstraps=200)


def clip(
    number: int, emotion: Emotion, speaker: str | None, values: dict[str, float], language: Language = Language.ZH
) -> ClipMeasures:
    return ClipMeasures(
        clip=f"{language}/{speaker}_{number}.wav#turn_1",
        item=f"{language}_{speaker}_{number}",
        name="turn_1",
        file=f"{language}/{speaker}_{number}.wav",
        span=(0.0, 2.0),
        layout="track1-seed",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text="今天天气不错" if language is Language.ZH else "the weather is fine today",
        speaker=speaker,
        emotion=emotion,
        intensity=2,
        is_dry=True,
        values=values,
    )


def corpus(
    strength: float, speakers: int = 6, per_emotion: int = 3, seed: int = 1, language: Language = Language.ZH
) -> list[ClipMeasures]:
    """Numbers whose emotions lie ``strength`` standard deviations apart, and speakers far more than that."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0.0, 1.0, (len(Emotion), len(PROSODY))) * strength
    clips = []
    for speaker in range(speakers):
        offset, scale = rng.normal(0.0, 50.0, len(PROSODY)), rng.uniform(0.5, 20.0, len(PROSODY))
        for place, emotion in enumerate(Emotion):
            for repeat in range(per_emotion):
                numbers = offset + scale * (centres[place] + rng.normal(0.0, 1.0, len(PROSODY)))
                values = dict(zip(PROSODY, numbers.tolist(), strict=True))
                clips.append(clip(10 * place + repeat, emotion, f"S{speaker}", values, language))
    return clips


def with_random_labels(clips: list[ClipMeasures], seed: int = 4) -> list[ClipMeasures]:
    labels = [one.emotion for one in clips]
    random.Random(seed).shuffle(labels)
    return [replace(one, emotion=label) for one, label in zip(clips, labels, strict=True)]


def test_labels_that_are_in_the_numbers_are_recovered_from_unknown_speakers() -> None:
    figure = recover_emotions(corpus(2.5), QUICK).figure()
    assert figure.unweighted_average_recall is not None and figure.unweighted_average_recall > 0.9
    assert figure.chance == pytest.approx(1 / 7, abs=1e-3)
    assert figure.interval is not None and figure.interval[0] <= figure.unweighted_average_recall <= figure.interval[1]
    assert (figure.clips, figure.speakers) == (126, 6)
    assert np.asarray(figure.confusion).sum(axis=1).tolist() == [18] * 7


def test_random_labels_are_at_chance() -> None:
    """Of six shuffles the mean lies within 0.05 of 1/7; one figure's own spread is about 0.03."""
    figures = [recover_emotions(with_random_labels(corpus(2.5), seed), QUICK).figure() for seed in range(6)]
    recalls = [figure.unweighted_average_recall for figure in figures if figure.unweighted_average_recall is not None]
    assert len(recalls) == 6 and abs(float(np.mean(recalls)) - 1 / 7) < 0.05


def test_what_only_tells_the_speaker_does_not_help() -> None:
    """Every emotion's clips come from two speakers of its own: leaving speakers out leaves nothing to go by."""
    clips = [
        clip(n, emotion, f"S{2 * place + half}", dict.fromkeys(PROSODY, 100.0 * place + half + 0.1 * n))
        for place, emotion in enumerate(Emotion)
        for half in range(2)
        for n in range(5)
    ]
    figure = recover_emotions(clips, QUICK).figure()
    assert figure.accuracy is not None and figure.accuracy < 0.3


def test_scores_follow_from_the_confusion_matrix() -> None:
    figure = recover_emotions(corpus(0.7), QUICK).figure()
    matrix = np.asarray(figure.confusion)
    assert figure.accuracy == pytest.approx(np.trace(matrix) / matrix.sum(), abs=1e-4)
    recalls = np.diag(matrix) / matrix.sum(axis=1)
    precisions = np.diag(matrix) / np.maximum(matrix.sum(axis=0), 1)
    assert figure.unweighted_average_recall == pytest.approx(recalls.mean(), abs=1e-4)
    for score, recall, precision in zip(figure.scores, recalls, precisions, strict=True):
        assert score.recall == pytest.approx(recall, abs=1e-4)
        assert score.precision == pytest.approx(precision, abs=1e-4)
        assert score.f1 == pytest.approx(2 * recall * precision / (recall + precision), abs=1e-3)


def test_languages_stand_alone_and_together() -> None:
    clips = corpus(2.5) + corpus(0.0, language=Language.EN, seed=8)
    recovery = recover_emotions(clips, QUICK)
    assert [figure.group for figure in recovery.figures] == ["zh", "en", "all"]
    zh, en, both = (recovery.figure(group).unweighted_average_recall for group in ("zh", "en", "all"))
    assert zh is not None and en is not None and both is not None
    assert zh > 0.9 and en < 0.4 and en < both < zh
    assert recovery.figure().speakers == 6  # the same six people speak both


def test_no_figure_from_too_little_and_the_reason_is_said() -> None:
    few = recover_emotions(corpus(2.5, speakers=2), QUICK).figure()
    assert few.unweighted_average_recall is None and few.why_not == "2 speakers with enough clips; it takes 3"
    calm = [one for one in corpus(2.5) if one.emotion is Emotion.NEUTRAL]
    assert recover_emotions(calm, QUICK).figure().why_not == "1 emotions with enough clips; it takes 2"
    alone = [one for one in corpus(2.5, per_emotion=6) if one.emotion is not Emotion.FEAR or one.speaker == "S0"]
    assert recover_emotions(alone, QUICK).figure().why_not == "some emotion has one speaker only; it takes two of each"
    nothing = recover_emotions([], QUICK).figure()
    assert (nothing.clips, nothing.speakers, nothing.chance) == (0, 0, None)
    assert "no figure" in recover_emotions([], QUICK).to_markdown()


def test_clips_that_are_left_out_are_counted() -> None:
    good = corpus(2.5)
    odd = [
        replace(good[0], clip="a", speaker=None),
        replace(good[0], clip="b", values={}),
        replace(good[0], clip="c", speaker="rare"),
        replace(good[0], clip="d", is_dry=False),
        replace(good[0], clip="e", emotion=None),
    ]
    figure = recover_emotions(good + odd, QUICK).figure()
    assert figure.left_out == {
        "the row names no speaker": 1,
        "features could not be measured": 1,
        "too few clips of the speaker": 1,
    }
    assert figure.clips == len(good)
    rare = [one for one in good if one.emotion is not Emotion.DISGUST] + [
        o for o in good if o.emotion is Emotion.DISGUST
    ][:2]
    figure = recover_emotions(rare, QUICK).figure()
    assert figure.left_out == {"too few clips of the emotion": 2} and Emotion.DISGUST not in figure.emotions
    assert figure.chance == pytest.approx(1 / 6, abs=1e-3)


def test_the_same_in_any_order_and_read_back() -> None:
    clips = corpus(1.0)
    shuffled = list(clips)
    random.Random(2).shuffle(shuffled)
    recovery = recover_emotions(clips, QUICK)
    assert recover_emotions(shuffled, QUICK) == recovery
    assert EmotionRecovery.from_json_line(recovery.to_json_line()) == recovery
    assert "| all: label | recall |" in recovery.to_markdown()


def test_many_speakers_are_left_out_several_at_once_and_never_known() -> None:
    figure = recover_emotions(corpus(2.5, speakers=9), QUICK.model_copy(update={"max_folds": 4})).figure()
    assert figure.clips == 189 and figure.unweighted_average_recall is not None
    assert figure.unweighted_average_recall > 0.9


def test_egemaps_are_taken_where_every_clip_has_them() -> None:
    def with_vectors(clips: list[ClipMeasures]) -> list[ClipMeasures]:
        return [
            replace(one, vectors={VECTOR: np.resize(list(one.values.values()), SIZE).astype(np.float32)}, values={})
            for one in clips
        ]

    clips = with_vectors(corpus(2.5))
    recovery = recover_emotions(clips, QUICK)
    assert recovery.features == "egemaps" and (recovery.figure().unweighted_average_recall or 0.0) > 0.9
    assert recover_emotions([*clips, *corpus(2.5, seed=3)], QUICK).features == "prosody"
    assert recover_emotions(corpus(2.5), QUICK).features == "prosody"


def test_the_gate_is_off_unless_it_is_set() -> None:
    low, high = recover_emotions(corpus(0.0), QUICK), recover_emotions(corpus(2.5), QUICK)
    assert judge_recovery(low, Thresholds(), "out") == ()
    strict = Thresholds(min_emotion_recovery=0.5)
    (finding,) = judge_recovery(low, strict, "out")
    assert (finding.code, finding.severity, finding.item) == ("EMOTION.RECOVERY", Severity.ERROR, "out")
    assert finding.value == low.figure().unweighted_average_recall and finding.threshold == 0.5
    assert judge_recovery(high, strict, "out") == ()
    (finding,) = judge_recovery(recover_emotions([], QUICK), strict, "out")
    assert "no figure: 0 speakers" in finding.message and finding.value is None


def test_without_opensmile_one_sentence_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import validators.emotion.acoustic_features as module

    monkeypatch.setattr(module, "PACKAGE", "no-such-package-here")
    with pytest.raises(FeaturesMissing, match=r"pip install \"humdial\[emotion\]\""):
        AcousticFeatures()
