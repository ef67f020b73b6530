"""The judges of all clips read a stream once and say of it what they say of a list."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from data_schemas.emotions import Emotion
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures
from validators.core.thresholds import Thresholds
from validators.emotion import directions
from validators.sets.fingerprint import VECTOR, to_vector
from validators.sets.set_judges import judge_clips
from validators.sets.spectra import VECTOR as SPECTRA
from validators.sets.spectra import to_vector as spectra_to_vector
from validators.voices.speaker_encoder import SECONDS
from validators.voices.speaker_encoder import VECTOR as VOICE

EVERY = frozenset({"speakers", "fingerprint", "prosody"})


def clips(count: int) -> Iterator[ClipMeasures]:
    """Neutral and happy turns of two speakers whose voices drift now and then; every tenth stands twice."""
    draw = np.random.default_rng(5)
    heard = [draw.standard_normal(256).astype(np.float32) for _ in range(2)]
    for number in range(count):
        codes = draw.integers(1, 2**32, 120, dtype=np.uint32)
        levels = draw.integers(20, 64, (120, 20), dtype=np.uint8)
        voice = draw.standard_normal(256).astype(np.float32) if number % 9 == 4 else heard[number % 2]
        for name, text in (("句", "今天真高兴。"), ("复", "昨天下雨了吗？"))[: 1 + (number % 10 == 3)]:
            yield ClipMeasures(
                clip=f"{name}{number:04d}",
                item=f"{name}{number:04d}",
                name="turn_1",
                file=f"track1/train/zh/{name}{number:04d}.wav",
                span=(0.0, 2.9),
                layout="track1-seed",
                language=Language.ZH,
                split=Split.TRAIN,
                role=Role.USER,
                text=text,
                speaker=f"S{number % 2:04d}",
                emotion=Emotion.HAPPY if number % 3 else Emotion.NEUTRAL,
                intensity=3,
                is_dry=True,
                values={SECONDS: 2.9, "f0_median_semitones": float(draw.normal(0.0, 1.0)), "articulation_s": 1.2},
                vectors={VECTOR: to_vector(codes), SPECTRA: spectra_to_vector(levels), VOICE: voice},
            )


def test_a_stream_is_read_once_and_judged_like_a_list() -> None:
    listed = judge_clips("试", list(clips(120)), Thresholds(), EVERY)
    streamed = judge_clips("试", clips(120), Thresholds(), EVERY)
    assert streamed == listed
    codes = {finding.code for finding in streamed.findings}
    assert {"SET.DUPLICATE_AUDIO", "SPEAKER.DRIFT"} <= codes
    assert set(streamed.reports) == {"prosody", "emotion"}


@pytest.mark.parametrize("judge", sorted(EVERY))
def test_every_judge_alone_reads_a_stream(judge: str) -> None:
    selected = frozenset({judge})
    assert judge_clips("试", clips(40), Thresholds(), selected) == judge_clips(
        "试", list(clips(40)), Thresholds(), selected
    )


def test_a_speakers_neutral_is_summed_up_once_however_many_utterances_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    medians: list[int] = []

    def median(values: list[float]) -> float:
        medians.append(len(values))
        return float(np.median(values))

    monkeypatch.setattr(directions, "median", median)
    directions.judge_prosody(list(clips(60)), Thresholds())
    few = len(medians)
    medians.clear()
    directions.judge_prosody(list(clips(240)), Thresholds())
    assert 0 < len(medians) == few
