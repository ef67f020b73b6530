"""Every Track 2 and timeline code finds its planted defect, alone, in the right item."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from validators.core.codes import CODES

FOLLOW_UP, FOLLOW_ID = "track2/zh/train/Follow-up_Questions", "0003_0001"
BACKCHANNEL, BACK_ID = "track2/en/dev/User_Real-time_Backchannels", "0004_0002"
PAUSE, PAUSE_ID = "track2/zh/dev/Pause_Handling", "0005_0003"

Damage = Callable[[Any], None]


def labels(home: str, name: str, change: Callable[[dict[str, Any]], Any]) -> Damage:
    return lambda bench: bench.edit_labels(home, name, change)


def segment(home: str, name: str, number: int, **changes: Any) -> Damage:
    return labels(home, name, lambda sentence: sentence["speech_segments"][number].update(changes))


def audio(path: str, change: Callable[[Any], Any]) -> Damage:
    return lambda bench: bench.edit_audio(path, change)


def row(home: str, change: Callable[[dict[str, Any]], Any]) -> Damage:
    return lambda bench: bench.edit_row(f"{home}.jsonl", change)


def remove(path: str) -> Damage:
    return lambda bench: (bench.root / path).unlink()


def write(path: str, text: str) -> Damage:
    return lambda bench: (bench.root / path).write_text(text, encoding="utf-8") and None


def hum(samples: Any, start: float, stop: float) -> Any:
    """A quiet tone where there was silence."""
    span = slice(round(start * RATE), round(stop * RATE))
    length = len(samples[span])
    fade = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / 160.0)
    samples[span] += 0.05 * fade * np.sin(np.arange(length) * 0.1)
    return samples


def mute(samples: Any, start: float, stop: float) -> Any:
    samples[round(start * RATE) : round(stop * RATE)] = 0.0
    return samples


def both_user_files(home: str, name: str, change: Callable[[Any], Any]) -> Damage:
    def damage(bench: Any) -> None:
        bench.edit_audio(f"{home}/{name}.wav", change)
        if (bench.root / f"{home}/clean_{name}.wav").exists():
            bench.edit_audio(f"{home}/clean_{name}.wav", change)

    return damage


def unlabel_role(sentence: dict[str, Any]) -> None:
    sentence["speech_segments"][1]["role"] = "third_party"


def copy_user_as_clean(bench: Any) -> None:
    source = bench.root / f"{PAUSE}/{PAUSE_ID}.wav"
    (bench.root / f"{PAUSE}/clean_{PAUSE_ID}.wav").write_bytes(source.read_bytes())


def forget_row(bench: Any) -> None:
    bench.write_rows(f"{PAUSE}.jsonl", [])


DEFECTS: list[tuple[str, str, Damage]] = [
    ("T2.AUDIO_MISSING", FOLLOW_ID, remove(f"{FOLLOW_UP}/{FOLLOW_ID}.wav")),
    ("T2.AUDIO_MISSING", FOLLOW_ID, remove(f"{FOLLOW_UP}_model/{FOLLOW_ID}.wav")),
    ("T2.ROW_MISSING", PAUSE_ID, forget_row),
    ("T2.SENTENCE_MISSING", FOLLOW_ID, remove(f"{FOLLOW_UP}/{FOLLOW_ID}_sentence.json")),
    ("T2.SENTENCE_FIELDS", FOLLOW_ID, write(f"{FOLLOW_UP}/{FOLLOW_ID}_sentence.json", "{}")),
    ("T2.SENTENCE_FIELDS", FOLLOW_ID, write(f"{FOLLOW_UP}/{FOLLOW_ID}_sentence.json", "{,")),
    ("T2.ROW_AGREES", FOLLOW_ID, row(FOLLOW_UP, lambda r: r.update(final_duration=21.0))),
    ("T2.SEGMENT_TEXT", FOLLOW_ID, segment(FOLLOW_UP, FOLLOW_ID, 1, text="")),
    ("T2.SEGMENT_TEXT", FOLLOW_ID, segment(FOLLOW_UP, FOLLOW_ID, 1, text="Wait, are tickets needed?")),
    ("T2.SEGMENT_TEXT", BACK_ID, segment(BACKCHANNEL, BACK_ID, 1, text="Uh huh, [nod] okay.")),
    ("T2.SEGMENT_ROLES", FOLLOW_ID, labels(FOLLOW_UP, FOLLOW_ID, unlabel_role)),
    ("T2.FINAL_DURATION", PAUSE_ID, labels(PAUSE, PAUSE_ID, lambda s: s.update(final_duration=17.5))),
    ("T2.PAUSE_BREAK", FOLLOW_ID, segment(FOLLOW_UP, FOLLOW_ID, 1, text="等一下，[break] 灵隐寺要门票吗？")),
    ("T2.CLEAN_MISSING", FOLLOW_ID, remove(f"{FOLLOW_UP}/clean_{FOLLOW_ID}.wav")),
    ("T2.CLEAN_UNEXPECTED", PAUSE_ID, copy_user_as_clean),
    ("T2.CLEAN_FILE", FOLLOW_ID, audio(f"{FOLLOW_UP}/clean_{FOLLOW_ID}.wav", lambda x: np.roll(x, 1))),
    ("T2.CLEAN_FILE", BACK_ID, audio(f"{BACKCHANNEL}/clean_{BACK_ID}.wav", lambda x: x[:-1])),
    ("TIMELINE.LENGTHS", FOLLOW_ID, audio(f"{FOLLOW_UP}_model/{FOLLOW_ID}.wav", lambda x: x[:-1])),
    ("TIMELINE.USER_OUTSIDE", FOLLOW_ID, audio(f"{FOLLOW_UP}/{FOLLOW_ID}.wav", lambda x: hum(x, 6, 6.3))),
    (
        "TIMELINE.INNER_SILENCE",
        FOLLOW_ID,
        both_user_files(FOLLOW_UP, FOLLOW_ID, lambda x: mute(x, 1.5, 2.3)),
    ),
    ("TIMELINE.USER_ABSENT", FOLLOW_ID, audio(f"{FOLLOW_UP}/{FOLLOW_ID}.wav", lambda x: mute(x, 8.9, 22))),
    (
        "TIMELINE.ASSISTANT_FIELDS",
        FOLLOW_ID,
        row(FOLLOW_UP, lambda r: r["assistant_segments"][0].update(xmin="4.2")),
    ),
    ("TIMELINE.ASSISTANT_FIELDS", FOLLOW_ID, row(FOLLOW_UP, lambda r: r["assistant_segments"].reverse())),
    (
        "TIMELINE.ASSISTANT_OUTSIDE",
        FOLLOW_ID,
        audio(f"{FOLLOW_UP}_model/{FOLLOW_ID}.wav", lambda x: hum(x, 2, 2.3)),
    ),
    (
        "TIMELINE.ASSISTANT_ABSENT",
        FOLLOW_ID,
        audio(f"{FOLLOW_UP}_model/{FOLLOW_ID}.wav", lambda x: mute(x, 11, 22)),
    ),
    (
        "TIMELINE.ASSISTANT_NOT_CUT",
        FOLLOW_ID,
        audio(f"{FOLLOW_UP}_model/{FOLLOW_ID}.wav", lambda x: hum(x, 9.5, 11.5)),
    ),
    ("T2.PAUSE_LENGTH", PAUSE_ID, audio(f"{PAUSE}/{PAUSE_ID}.wav", lambda x: hum(x, 1.8, 3.6))),
]


@pytest.mark.parametrize(("code", "item", "damage"), DEFECTS, ids=lambda value: value if isinstance(value, str) else "")
def test_planted_defect(bench: Any, code: str, item: str, damage: Damage) -> None:
    damage(bench)
    findings = bench.judge(item)
    assert {finding.code for finding in findings} - _follows(code) == {code}
    assert {finding.item for finding in findings} == {item}


def _follows(code: str) -> set[str]:
    """A label whose text or place is wrong may no longer fit its sound either."""
    return {"T2.SEGMENT_TEXT": {"AUDIO.TEXT_DURATION"}, "T2.PAUSE_LENGTH": {"TIMELINE.USER_ABSENT"}}.get(code, set())


def test_too_few_segments(bench: Any) -> None:
    bench.edit_labels(FOLLOW_UP, FOLLOW_ID, lambda sentence: sentence["speech_segments"].pop())
    codes = {finding.code for finding in bench.judge(FOLLOW_ID)}
    assert codes == {"T2.SEGMENT_COUNT", "TIMELINE.USER_OUTSIDE"}


def test_pause_split_in_two(bench: Any) -> None:
    def split(sentence: dict[str, Any]) -> None:
        (whole,) = sentence["speech_segments"]
        sentence["speech_segments"] = [whole | {"xmax": 1.8}, whole | {"xmin": 3.4}]

    bench.edit_labels(PAUSE, PAUSE_ID, split)
    assert "T2.SEGMENT_COUNT" in {finding.code for finding in bench.judge(PAUSE_ID)}


def test_segments_out_of_order(bench: Any) -> None:
    bench.edit_labels(FOLLOW_UP, FOLLOW_ID, lambda sentence: sentence["speech_segments"].reverse())
    assert "T2.SEGMENT_ORDER" in {finding.code for finding in bench.judge(FOLLOW_ID)}


def test_segment_after_the_end(bench: Any) -> None:
    segment(FOLLOW_UP, FOLLOW_ID, 1, xmax=30.0)(bench)
    assert "T2.SEGMENT_ORDER" in {finding.code for finding in bench.judge(FOLLOW_ID)}


def test_segments_too_close_and_unusual_distance(bench: Any) -> None:
    segment(FOLLOW_UP, FOLLOW_ID, 0, xmax=8.5)(bench)
    found = {finding.code: finding for finding in bench.judge(FOLLOW_ID)}
    assert found["T2.SEGMENT_GAP"].value == pytest.approx(0.5)
    segment(FOLLOW_UP, FOLLOW_ID, 0, xmax=7.0)(bench)
    codes = {finding.code for finding in bench.judge(FOLLOW_ID)}
    assert "T2.EVENT_GAP" in codes
    assert "T2.SEGMENT_GAP" not in codes


def test_short_tail(bench: Any) -> None:
    for path in (f"{FOLLOW_UP}/{FOLLOW_ID}.wav", f"{FOLLOW_UP}/clean_{FOLLOW_ID}.wav"):
        bench.edit_audio(path, lambda samples: samples[: 16 * RATE])
    bench.edit_audio(f"{FOLLOW_UP}_model/{FOLLOW_ID}.wav", lambda samples: samples[: 16 * RATE])
    bench.edit_labels(FOLLOW_UP, FOLLOW_ID, lambda sentence: sentence.update(final_duration=16.0))
    assert {finding.code for finding in bench.judge(FOLLOW_ID)} == {"T2.TAIL"}


def test_id_no_script_accepts(bench: Any) -> None:
    bench.edit_row(f"{PAUSE}.jsonl", lambda row: row.update(id="0005_0003_before"))
    assert "T2.ID_FORMAT" in {finding.code for finding in bench.judge("0005_0003_before")}


def test_speech_to_others_clean_file_follows_its_own_rule(bench: Any) -> None:
    """Segment 0 and the gap after it are cut out, segment 2 is muted (FORMATS.md B.4)."""
    from data_schemas.tasks import Task
    from validators.core.codes import Judge
    from validators.core.thresholds import Thresholds
    from validators.files.clean_file import judge_clean_file
    from validators.rows.rows import SentenceFile, view
    from validators.scene.timeline import Channels

    rate = np.random.default_rng(1).normal(size=20 * RATE).astype(np.float32) * 0.1
    spans = [(1.0, 2.0), (6.0, 7.5), (12.0, 13.0)]
    sentence = view(
        SentenceFile,
        {
            "final_duration": 20.0,
            "speech_segments": [{"xmin": a, "xmax": b, "text": "好"} for a, b in spans],
        },
    )
    assert isinstance(sentence, SentenceFile)
    clean = np.concatenate([rate[: 1 * RATE], rate[6 * RATE :]])
    clean[7 * RATE : 8 * RATE] = 0.0
    judge = Judge("test/1", "0001_0001")
    good = Channels(rate, None, clean, RATE)
    assert list(judge_clean_file(judge, Task.SPEECH_TO_OTHERS, sentence, good, Thresholds())) == []
    clean_wrong = clean.copy()
    clean_wrong[7 * RATE] = 0.5
    (finding,) = judge_clean_file(
        judge, Task.SPEECH_TO_OTHERS, sentence, Channels(rate, None, clean_wrong, RATE), Thresholds()
    )
    assert finding.code == "T2.CLEAN_FILE"
    assert finding.start == pytest.approx(7.0)


def test_every_track2_code_is_planted() -> None:
    here = Path(__file__).parent
    beside = "".join(
        (here / name).read_text(encoding="utf-8") for name in ("rows/test_conversations.py", "scene/test_microphone.py")
    )
    planted = {code for code, _, _ in DEFECTS} | {
        "T2.ID_FORMAT",
        "T2.SEGMENT_COUNT",
        "T2.SEGMENT_ORDER",
        "T2.SEGMENT_GAP",
        "T2.EVENT_GAP",
        "T2.TAIL",
    }
    wanted = {code for code in CODES if code.startswith(("T2.", "TIMELINE."))}
    assert planted <= wanted
    assert {code for code in wanted - planted if f'"{code}"' not in beside} == set()
