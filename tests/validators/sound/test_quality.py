"""What DNSMOS hears, and what its ratings mean; the models themselves: tests/integration/test_judge_quality.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.acoustics import Microphone, Noise, NoiseKind
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.tasks import Language, Role, Split
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.probe import Measurement
from validators.core.thresholds import Thresholds
from validators.sound.quality import WINDOW_SAMPLES, QualityProbe, judge_quality, windows

CLIP = Clip(
    item="task1_1_zh_0001_0001",
    name="turn_1",
    file="a.wav",
    span=(1.0, 3.0),
    rate=RATE,
    samples=np.linspace(-0.1, 0.1, 2 * RATE, dtype=np.float32),
    layout="track1-seed",
    language=Language.ZH,
    split=Split.TRAIN,
    role=Role.USER,
    text="今天累得不想说话。",
)
LIMITS = Thresholds(min_dnsmos_overall=2.5, min_dnsmos_background=3.5)


def codes(clip: Clip, **ratings: float) -> list[str]:
    measurement = Measurement({"sig": 3.5, "bak": 4.0, "ovrl": 3.2, "p808": 3.6} | ratings)
    verdict = judge_quality(Judge("quality/1", clip.item, clip.file), clip, measurement, LIMITS)
    assert verdict.values == measurement.values
    return [finding.code for finding in verdict.findings]


def test_ratings_under_the_limits_are_findings() -> None:
    assert codes(CLIP) == []
    assert codes(CLIP, ovrl=2.49) == ["SOUND.DNSMOS"]
    assert codes(CLIP, bak=3.49) == ["SOUND.DNSMOS_BACKGROUND"]
    assert codes(CLIP, ovrl=2.5, bak=3.5) == []


def test_behind_a_microphone_the_ratings_are_published_and_not_judged() -> None:
    noisy = replace(CLIP, microphone=Microphone(noises=(Noise(kind=NoiseKind.BABBLE, snr_db=15),)))
    assert codes(noisy, ovrl=1.2, bak=1.1) == []


@pytest.mark.parametrize(
    ("seconds", "count"),
    # speechmos 0.0.1.1: floor(seconds - 9.01) + 1, less the pieces that begin at 7 to 23 s, where it loses a sample
    [(1.0, 7), (3.02, 4 - 1), (5.0, 1), (9.0, 9 - 2), (9.5, 1), (10.0, 1), (12.0, 3), (15.9, 6), (18.5, 7), (34.0, 8)],
)
def test_as_many_windows_as_upstream(seconds: float, count: int) -> None:
    samples = np.arange(round(seconds * RATE), dtype=np.float32)
    pieces = list(windows(samples))
    assert [len(piece) for piece in pieces] == [WINDOW_SAMPLES] * len(pieces)
    assert len(pieces) == count
    assert [int(piece[0]) for piece in pieces[:2]] == [(n * RATE) % len(samples) for n in range(len(pieces[:2]))]


def test_another_rate_and_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="16 kHz"):
        QualityProbe().measure(replace(CLIP, rate=8000))
    with pytest.raises(ValueError, match="0 samples"):
        QualityProbe().measure(replace(CLIP, samples=CLIP.samples[:0]))


def test_the_identity_names_the_weights() -> None:
    from data_schemas.foundation.models import model_entry

    assert model_entry("dnsmos-p835").weights_sha256 in QualityProbe().identity
