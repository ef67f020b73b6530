"""How scores become findings; the model itself is heard in tests/integration/test_overlap_detection.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from validators.core.codes import CODES
from validators.core.thresholds import Thresholds
from validators.rows.rows import SegmentRow
from validators.scene.overlap import OverlapScores, agreement, balanced_mix, judge_overlap, second_highest
from validators.scene.timeline import planned_overlap

STEP = 0.02
ITEM = "0003_0001"


class Heard:
    """A detector that gives this score in these spans and ``background`` elsewhere."""

    def __init__(self, *spans: tuple[float, float], score: float = 0.9, background: float = 0.01) -> None:
        centres = STEP / 2 + STEP * np.arange(round(20 / STEP))
        values = np.full(len(centres), background, np.float32)
        for start, stop in spans:
            values[(centres >= start) & (centres < stop)] = score
        self.answer = OverlapScores(values, STEP / 2, STEP)

    def scores(self, mix: Any, rate: int = RATE) -> OverlapScores:
        return self.answer


def codes(detector: Heard, *planned: tuple[float, float]) -> set[str]:
    silence = np.zeros(RATE, np.float32)
    findings = judge_overlap(ITEM, silence, planned, Thresholds(), detector)  # type: ignore[arg-type]
    assert {finding.item for finding in findings} <= {ITEM}
    return {finding.code for finding in findings}


@pytest.mark.parametrize(
    ("code", "detector", "planned"),
    [
        ("SCENE.OVERLAP_MISSED", Heard(), [(5.0, 6.5)]),
        ("SCENE.OVERLAP_MISSED", Heard((2.0, 2.8)), [(2.0, 2.8), (5.0, 8.0)]),
        ("SCENE.OVERLAP_RECALL", Heard(score=0.15, background=0.15), [(5.0, 8.0)]),
        ("SCENE.OVERLAP_RECALL", Heard((5.0, 5.5)), [(5.0, 8.0)]),
        ("SCENE.OVERLAP_UNPLANNED", Heard((5.0, 6.5)), []),
        ("SCENE.OVERLAP_UNPLANNED", Heard((5.0, 8.0), (12.0, 13.5)), [(5.0, 8.0)]),
        ("SCENE.OVERLAP_PRECISION", Heard((5.0, 5.9)), []),
    ],
)
def test_planted_disagreement(code: str, detector: Heard, planned: list[tuple[float, float]]) -> None:
    assert codes(detector, *planned) == {code}


@pytest.mark.parametrize(
    ("detector", "planned"),
    [
        (Heard(), []),
        (Heard((5.08, 8.06)), [(5.0, 8.0)]),
        (Heard(), [(5.0, 5.6)]),  # a stop latency that no detector hears
        (Heard((5.0, 5.2)), []),  # a blink
        (Heard((4.8, 6.2)), [(5.0, 6.0)]),  # within the collar
    ],
)
def test_agreement_within_reason_is_silent(detector: Heard, planned: list[tuple[float, float]]) -> None:
    assert codes(detector, *planned) == set()


def test_every_overlap_code_is_planted() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{code}"' in text for code in CODES if code.startswith("SCENE.OVERLAP"))


@given(st.floats(1.0, 8.0), st.floats(1.0, 8.0))
def test_a_perfect_detector_has_full_recall_and_precision(start: float, length: float) -> None:
    span = (start, start + length)
    result = agreement(Heard(span).answer, (span,), Thresholds())
    assert (result.recall, result.precision) == (1.0, 1.0)
    assert result.detected_s == pytest.approx(length, abs=2 * STEP)
    assert result.longest_unplanned is None


def test_second_highest_score() -> None:
    scores = np.array([[[0.1, 0.9, 0.4], [0.2, 0.0, 0.1]]], np.float32)
    assert second_highest(scores).tolist() == [[[pytest.approx(0.4)], [pytest.approx(0.1)]]]


def test_a_quiet_bystander_is_raised_to_the_assistant_and_nobody_is_lowered() -> None:
    tone = np.sin(np.arange(RATE) * 0.3).astype(np.float32)
    user = np.concatenate([0.8 * tone, 0.0 * tone, 0.1 * tone])
    assistant = np.concatenate([0.0 * tone, 0.4 * tone, 0.0 * tone])
    mix = balanced_mix(user, assistant, [(0.0, 1.0), (2.0, 3.0)], RATE)
    assert np.abs(mix[:RATE]).max() == pytest.approx(0.8, rel=0.01)
    assert np.abs(mix[2 * RATE :]).max() == pytest.approx(0.4, rel=0.01)
    assert len(balanced_mix(user, assistant[:RATE], [], RATE)) == len(user)


def test_planned_overlap_of_labels() -> None:
    user = [SegmentRow(xmin=1.0, xmax=2.0, text="查票"), SegmentRow(xmin=8.0, xmax=9.0, text="等等")]
    assistant = [SegmentRow(xmin=2.5, xmax=8.4, text="好的"), SegmentRow(xmin=9.5, xmax=11.0, text="请讲")]
    assert planned_overlap(user, assistant) == ((8.0, 8.4),)
