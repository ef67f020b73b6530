"""Every audio code finds its planted defect, alone; Chinese and English speech-like files pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.tasks import Language
from validators.core.codes import CODES, Judge
from validators.core.measure import frame_levels, is_in_language, runs, silences, spoken_units
from validators.core.thresholds import Thresholds
from validators.files.audio import Words, judge_audio, sounding_seconds

FILE = "track1/train/zh/task2_3/task2_3_zh_0001_0001_1.wav"
ITEM = "task2_3_zh_0001_0001"


def clip(samples: Any) -> Any:
    samples[8000:8005] = 1.0
    return samples


def jump(samples: Any) -> Any:
    samples[8000:8100] = 0.0
    samples[8100] = 0.3
    return samples


def pad(seconds: float, at: int) -> Callable[[Any], Any]:
    return lambda samples: np.insert(samples, at, np.zeros(round(seconds * RATE)))


def gap_at_a_zero(seconds: float) -> Callable[[Any], Any]:
    """Silence in the middle, faded so that its edges do not click."""

    def change(samples: Any) -> Any:
        middle = len(samples) // 2
        ramp = np.linspace(1.0, 0.0, 400)
        samples[middle - 400 : middle] *= ramp
        samples[middle : middle + 400] *= ramp[::-1]
        return np.insert(samples, middle, np.zeros(round(seconds * RATE)))

    return change


DEFECTS: list[tuple[str, Callable[[Any], Any]]] = [
    ("AUDIO.DURATION", lambda samples: samples[:800]),
    ("AUDIO.DURATION", lambda samples: samples[:0]),
    ("AUDIO.SILENT", np.zeros_like),
    ("AUDIO.CLIPPED", clip),
    ("AUDIO.PEAK", lambda samples: np.where(np.arange(len(samples)) == 8000, 0.999, samples)),
    ("AUDIO.DC_OFFSET", lambda samples: samples + 0.02),
    ("AUDIO.LOUDNESS", lambda samples: samples * 0.01 + 1e-4),
    ("AUDIO.LOUDNESS", lambda samples: np.tanh(samples * 30) * 0.9),
    ("AUDIO.CLICK", jump),
    ("AUDIO.EDGE_SILENCE", pad(1.0, 0)),
    ("AUDIO.INNER_SILENCE", gap_at_a_zero(2.0)),
    ("AUDIO.TEXT_DURATION", lambda samples: samples[: len(samples) // 4]),
    ("AUDIO.TEXT_DURATION", lambda samples: np.tile(samples, 3)),
]
#: Extreme levels change what counts as silence, an offset starts with a jump, a cut end is a click.
FOLLOWS = {
    "AUDIO.LOUDNESS": {"AUDIO.EDGE_SILENCE", "AUDIO.TEXT_DURATION"},
    "AUDIO.TEXT_DURATION": {"AUDIO.CLICK"},
}


@pytest.mark.parametrize(("code", "change"), DEFECTS, ids=lambda value: value if isinstance(value, str) else "")
def test_planted_defect(bench: Any, code: str, change: Callable[[Any], Any]) -> None:
    bench.edit_audio(FILE, change)
    findings = bench.judge(ITEM)
    assert {finding.code for finding in findings} - FOLLOWS.get(code, set()) == {code}
    assert {(finding.item, finding.file) for finding in findings} == {(ITEM, FILE)}


def rewrite(bench: Any, **how: Any) -> None:
    samples, rate = soundfile.read(bench.root / FILE)
    with (bench.root / FILE).open("wb") as handle:
        soundfile.write(
            handle,
            how.get("samples", samples),
            how.get("rate", rate),
            format=how.get("format", "WAV"),
            subtype=how.get("subtype", "PCM_16"),
        )


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("AUDIO.FORMAT", {"format": "FLAC"}),
        ("AUDIO.FORMAT", {"subtype": "FLOAT"}),
        ("AUDIO.RATE", {"rate": 24_000}),
        ("AUDIO.CHANNELS", {"samples": np.full((RATE, 2), 0.1)}),
    ],
)
def test_wrong_container(bench: Any, code: str, how: dict[str, Any]) -> None:
    rewrite(bench, **how)
    (finding,) = bench.judge(ITEM)
    assert (finding.code, finding.item, finding.file) == (code, ITEM, FILE)


def test_not_audio(bench: Any) -> None:
    (bench.root / FILE).write_text("这不是声音", encoding="utf-8")
    (finding,) = bench.judge(ITEM)
    assert finding.code == "AUDIO.UNREADABLE"


def test_every_audio_code_is_planted() -> None:
    planted = {code for code, _ in DEFECTS} | {
        "AUDIO.FORMAT",
        "AUDIO.RATE",
        "AUDIO.CHANNELS",
        "AUDIO.UNREADABLE",
    }
    assert planted == {code for code in CODES if code.startswith("AUDIO.")}


def test_a_channel_file_may_begin_with_silence(bench: Any, tmp_path: Path) -> None:
    bench.edit_audio(FILE, pad(5.0, 0))
    verdict = judge_audio(Judge("test/1", "x"), bench.root / FILE, Thresholds())
    assert verdict.findings == ()
    words = Words("组里又把错的数据发给客户了，这都第三次了！", Language.ZH)
    with_words = judge_audio(Judge("test/1", "x"), bench.root / FILE, Thresholds(), words)
    assert [finding.code for finding in with_words.findings] == ["AUDIO.EDGE_SILENCE"]


@given(st.lists(st.booleans(), max_size=40))
def test_runs_rebuild_the_mask(mask: list[bool]) -> None:
    rebuilt = np.zeros(len(mask), dtype=bool)
    for start, stop in runs(np.array(mask, dtype=bool)):
        assert not rebuilt[max(start - 1, 0) : stop].any()  # runs neither touch nor overlap
        rebuilt[start:stop] = True
    assert rebuilt.tolist() == mask


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(1, 60))
def test_sounding_seconds_leave_long_silence_out(quiet_frames: int, loud_frames: int) -> None:
    frame = round(0.02 * RATE)
    samples = np.concatenate([np.zeros(quiet_frames * frame), np.full(loud_frames * frame, 0.1)])
    levels = frame_levels(samples.astype(np.float32), RATE)
    expected = loud_frames if quiet_frames >= 15 else loud_frames + quiet_frames
    assert sounding_seconds(levels, -50.0) == pytest.approx(expected * 0.02)
    assert len(silences(levels, -50.0)) == (1 if quiet_frames else 0)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("你好，[laughter] 世界！", Language.ZH, (4, 4)),
        ("我在ATM取了10块", Language.ZH, (7, 12)),
        ("涨了3%", Language.ZH, (3, 7)),
        ("It costs 25 dollars", Language.EN, (4, 7)),
        ("[sigh] I don't know.", Language.EN, (3, 3)),
        ("……", Language.ZH, (0, 0)),
    ],
)
def test_spoken_units(text: str, language: Language, expected: tuple[int, int]) -> None:
    assert spoken_units(text, language) == expected


def test_language_of_a_text() -> None:
    assert is_in_language("OK，走吧", Language.ZH)
    assert not is_in_language("OK, let's go", Language.ZH)
    assert is_in_language("OK, let's go", Language.EN)
    assert not is_in_language("OK 走", Language.EN)
