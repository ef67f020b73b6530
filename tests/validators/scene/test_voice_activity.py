"""Merging, comparing, the door to the model; the model is heard in tests/integration/test_voice_activity.py."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.models import ModelCorrupt, ModelMissing
from data_schemas.scene import EventKind
from data_schemas.tasks import SUB_TASKS, Channel, Language, Task
from generators.scenes.duplex.composer import compose
from generators.scenes.settings import SceneSettings
from tests.support.scene_factory import make_plan, make_script, make_utterances
from validators.scene.voice_activity import (
    BOUNDARY_TOLERANCE_S,
    USER_MERGE_GAP_S,
    VoiceActivityDetector,
    agreement,
    annotated_spans,
    merged,
)

#: Lengths and gaps in milliseconds, so that sums are exact enough to compare.
GAPS_MS = st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), min_size=1, max_size=12)


def spans_of(steps: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Ascending, disjoint spans from gaps and lengths in milliseconds."""
    spans, at = [], 0
    for gap, length in steps:
        spans.append(((at + gap) / 1000, (at + gap + length) / 1000))
        at += gap + length
    return spans


def test_pieces_merge_at_the_gap_and_not_beyond_it() -> None:
    assert merged([(0.0, 0.4), (1.0, 2.0)]) == ((0.0, 2.0),)
    assert merged([(0.0, 0.4), (1.001, 2.0)]) == ((0.0, 0.4), (1.001, 2.0))
    assert merged([(0.0, 0.4), (1.0, 2.0)], gap_s=0.5) == ((0.0, 0.4), (1.0, 2.0))
    assert merged([]) == ()


def test_a_piece_inside_another_does_not_shorten_it() -> None:
    assert merged([(0.0, 5.0), (1.0, 2.0), (5.3, 6.0)]) == ((0.0, 6.0),)


@given(GAPS_MS, st.randoms(use_true_random=False))
def test_merged_pieces_are_apart_and_cover_the_same(steps: list[tuple[int, int]], random: object) -> None:
    spans = spans_of(steps)
    shuffled = list(spans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    joined = merged(shuffled)
    assert joined == merged(joined) == merged(spans)
    assert all(b[0] - a[1] > USER_MERGE_GAP_S for a, b in pairwise(joined))
    assert all(any(a <= start and stop <= b for a, b in joined) for start, stop in spans)
    assert {start for start, _ in joined} <= {start for start, _ in spans}
    assert {stop for _, stop in joined} <= {stop for _, stop in spans}
    wide = sum(b[0] - a[1] > USER_MERGE_GAP_S for a, b in pairwise(spans))
    assert len(joined) == wide + 1


@given(GAPS_MS, st.data())
def test_agreement_gives_back_the_errors_that_were_made(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    spans = spans_of(steps)
    errors = [data.draw(st.tuples(st.integers(-400, 400), st.integers(-400, 400))) for _ in spans]
    found = [(a + e / 1000, b + f / 1000) for (a, b), (e, f) in zip(spans, errors, strict=True)]
    result = agreement(spans, found)
    assert result.onset_errors_s == pytest.approx([e / 1000 for e, _ in errors], abs=1e-9)
    assert result.offset_errors_s == pytest.approx([f / 1000 for _, f in errors], abs=1e-9)
    worst = max(abs(error) for pair in errors for error in pair)
    if worst != BOUNDARY_TOLERANCE_S * 1000:
        assert result.is_exact == (worst < BOUNDARY_TOLERANCE_S * 1000)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ([(1.05, 2.0), (4.0, 5.1)], "exact"),
        ([(1.0, 2.0), (4.26, 5.0)], "boundary"),
        ([(1.0, 2.0), (4.0, 4.7)], "boundary"),
        ([(1.0, 5.0)], "count"),
        ([(1.0, 2.0), (4.0, 5.0), (6.0, 6.5)], "count"),
        ([], "count"),
    ],
)
def test_outcomes(found: list[tuple[float, float]], outcome: str) -> None:
    result = agreement([(1.0, 2.0), (4.0, 5.0)], found)
    assert result.outcome == outcome
    assert result.is_exact == (outcome == "exact")
    assert (len(result.onset_errors_s), len(result.offset_errors_s)) == ((0, 0) if outcome == "count" else (2, 2))


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("task", SUB_TASKS)
def test_annotated_pieces_are_what_is_placed_on_the_users_channel(task: Task, language: Language) -> None:
    script = make_script(task, language)
    plan = make_plan(script)
    settings = SceneSettings.model_validate({"hesitation": {"fillers": "off"}})
    spoken = make_utterances(plan, script, lambda part, _: RATE * (12 if part.value.endswith("reply") else 1) + 3)
    scene = compose(plan, script, spoken, settings, seed=5)
    placed = sorted((one.start / RATE, one.stop / RATE) for one in scene.placements if one.channel is Channel.USER)
    assert list(annotated_spans(scene)) == placed
    pauses = sum(event.kind is EventKind.PAUSE for event in scene.events)
    assert len(placed) == len(scene.segments) + pauses
    assert (pauses > 0) == (task is Task.PAUSE)


def test_a_pause_that_is_bridged_splits_nothing() -> None:
    script = make_script(Task.PAUSE, Language.ZH)
    plan = make_plan(script)
    spoken = make_utterances(plan, script, lambda part, _: RATE * 2)
    settings = SceneSettings.model_validate({"hesitation": {"fillers": "off"}})
    scene = compose(plan, script, spoken, settings, seed=5)
    (pause,) = (event for event in scene.events if event.kind is EventKind.PAUSE)
    (segment,) = scene.segments
    for length_s, pieces in ((USER_MERGE_GAP_S, 1), (USER_MERGE_GAP_S + 0.01, 2)):
        short = pause.model_copy(update={"stop": pause.start + round(length_s * RATE)})
        changed = scene.model_copy(update={"events": (short,)})
        assert len(annotated_spans(changed)) == pieces
    assistants = pause.model_copy(update={"channel": Channel.ASSISTANT})
    bounds = ((segment.start / RATE, segment.stop / RATE),)
    assert annotated_spans(scene.model_copy(update={"events": (assistants,)})) == bounds


def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "silero_vad.onnx"
    other.write_bytes(b"not the model")
    with pytest.raises(ModelCorrupt, match="was not loaded"):
        VoiceActivityDetector(other)
    with pytest.raises(ModelMissing, match="cannot be read"):
        VoiceActivityDetector(tmp_path / "absent.onnx")
