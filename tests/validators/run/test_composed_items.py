"""What the composer, the mixer and the layout make passes the judges: every sub-task and conversations, zh and en."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.finding import Severity
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.layouts.registry import detect_layouts
from data_schemas.tasks import SUB_TASKS, Language, Task, Track
from tests.support.conversation_factory import USUAL, make_conversation
from tests.support.scene_factory import make_script
from tests.support.spoken_release import make_release
from tests.validators.composed import found_item, lay_out, make_item
from validators.core.codes import Judge
from validators.core.instruments import Instruments
from validators.core.thresholds import Thresholds
from validators.files import audio
from validators.files.audio import integrated_loudness
from validators.rows.events import judge_row
from validators.run.directory import validate_root
from validators.run.item import judge_item
from validators.sound import sound

JUDGE = Judge("test/1", "0001_0001")


@pytest.mark.parametrize("language", list(Language))
def test_composed_items_have_no_errors(tmp_path: Path, language: Language) -> None:
    items = [make_item(make_script(task, language), seed) for seed, task in enumerate(SUB_TASKS)]
    items += [make_item(make_conversation(language), seed) for seed in range(4)]
    lay_out(tmp_path / "set", *items)
    result = validate_root(tmp_path / "set", Thresholds())
    assert result.items == len(items)
    assert [finding for finding in result.findings if finding.severity is Severity.ERROR] == []
    assert set(result.counts[Severity.WARNING]) <= {"T2.EVENT_GAP", "SET.DUPLICATE_TEXT"}


def test_a_file_is_measured_once_and_an_utterance_in_it_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def counted(samples: Samples, rate: int) -> float | None:
        measured.append(len(samples))
        return integrated_loudness(samples, rate)

    monkeypatch.setattr(audio, "integrated_loudness", counted)
    monkeypatch.setattr(sound, "integrated_loudness", counted)
    tools = Instruments(frozenset({"audio", "sound"}))
    make_release(tmp_path / "set")
    found = [one for layout in detect_layouts(tmp_path / "set") for one in layout.read(tmp_path / "set")]
    assert {one.track for one in found} == set(Track)
    for one in found:
        measured.clear()
        verdict = judge_item(one, tmp_path / "set", Thresholds(), tools)
        read = {
            role: soundfile.read(tmp_path / "set" / name, dtype="float32")[0]
            for role, name in one.files.items()
            if name.endswith(".wav") and role != "clean"
        }
        whole = [len(samples) for samples in read.values()]
        parts = [clip.values for clip in verdict.clips if clip.name not in read]
        assert sorted(measured)[-len(whole) :] == sorted(whole) and len(measured) == len(whole) + len(parts)
        for clip in verdict.clips:
            first, last = (round(seconds * RATE) for seconds in clip.span)
            samples = read[clip.name if clip.name in read else clip.name.rpartition("_")[0]][first:last]
            level = integrated_loudness(samples, RATE)
            assert clip.values.get("loudness_lufs") == (None if level is None else round(level, 3))


@given(st.sampled_from(SUB_TASKS), st.sampled_from(list(Language)), st.integers(0, 9_000))
@settings(max_examples=60, deadline=None)
def test_rows_of_sub_tasks_agree_with_themselves(task: Task, language: Language, seed: int) -> None:
    found = found_item(make_item(make_script(task, language), seed))
    assert found.row["events"] or task is Task.PAUSE
    assert list(judge_row(JUDGE, found, Thresholds())) == []


@given(
    st.sampled_from([USUAL, "qrqr", "qllrbbqrir", "qriririririr", "qrqlrb"]),
    st.sampled_from(list(Language)),
    st.integers(0, 9_000),
)
@settings(max_examples=60, deadline=None)
def test_rows_of_conversations_agree_with_themselves(lines: str, language: Language, seed: int) -> None:
    found = found_item(make_item(make_conversation(language, lines), seed))
    assert list(judge_row(JUDGE, found, Thresholds())) == []
