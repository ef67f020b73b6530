"""Every Track 1 code finds its planted defect, alone, in the right item."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from data_schemas.foundation.audio import write_wav
from data_schemas.layouts.registry import detect_layouts
from tests.validators.conftest import said
from validators.core.codes import CODES
from validators.core.thresholds import Thresholds
from validators.sets.dataset import judge_dataset

ZH = ("track1/train/zh/task2_3.jsonl", "task2_3_zh_0001_0001")
EN = ("track1/train/en/task3_3.jsonl", "task3_3_en_0006_0001")
EMPATHY = ("track1/dev/en/task4.jsonl", "task4_3_en_0002_0002")


def turn(n: int, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row["turns"][n - 1].update(changes)


def without(n: int, key: str) -> Callable[[dict[str, Any]], None]:
    return lambda row: row["turns"][n - 1].pop(key)


def rename(identity: str) -> Callable[[dict[str, Any]], None]:
    """A new id that the file names follow; the files themselves are not looked for here."""

    def change(row: dict[str, Any]) -> None:
        row["dialogue_id"] = identity

    return change


def reverse(row: dict[str, Any]) -> None:
    row["turns"][0]["turn_id"], row["turns"][1]["turn_id"] = 2, 1


DEFECTS = [
    ("T1.ROW_FIELDS", ZH, without(2, "emotion")),
    ("T1.ROW_FIELDS", ZH, turn(1, turn_id="1")),
    ("T1.TURN_ORDER", ZH, reverse),
    ("T1.TEXT_EMPTY", ZH, turn(2, text="[sigh]")),
    ("T1.TEXT_TAG", ZH, turn(2, text="结果挨骂的是我，[cough] 我在楼梯间坐了半个小时。")),
    ("T1.TEXT_LANGUAGE", ZH, turn(2, text="In the end I sat on the stairs for half an hour.")),
    ("T1.TEXT_LANGUAGE", EN, turn(2, text="He said the lease allows it 租约. It does not.")),
    ("T1.EMOTION_LABEL", ZH, turn(2, emotion="难过")),
    ("T1.EMOTION_LABEL", EN, turn(2, emotion="Anger")),
    ("T1.EMOTION_FINAL", ZH, turn(3, emotion="fear")),
    ("T1.EMOTION_FINAL", EN, turn(3, emotion="sad")),
    ("T1.EMPATHY_TURNS", EMPATHY, turn(3, emotion="sad")),
    ("T1.EMPATHY_TURNS", EMPATHY, turn(1, emotion="neutral")),
    ("T1.AUDIO_NAME", ZH, turn(1, split_audio_file="task2_3/task2_3_zh_0001_0001_2.wav")),
    ("T1.AUDIO_NAME", ZH, turn(1, split_audio_file="../../../../../etc/passwd")),
    ("T1.AUDIO_MISSING", ZH, turn(1, response_audio="task2_3_model/task2_3_zh_0001_0001_1_response.wav")),
    ("T1.RESPONSE_EMPTY", ZH, turn(1, response_text=" ")),
    ("T1.RESPONSE_PROMPT_LEAK", ZH, turn(1, response_text="assistant\n第三次了，换谁都得火。")),
    ("T1.RESPONSE_TAG", ZH, turn(1, response_text="[sigh] 第三次了，换谁都得火。")),
    ("T1.RESPONSE_LANGUAGE", ZH, turn(1, response_text="Anyone would be angry.")),
    ("T1.RESPONSE_LANGUAGE", EN, turn(1, response_text="That must have scared you 真的.")),
    ("T1.REPLY_NAMES_EMOTIONS", ZH, turn(3, response_text="您先是难过，后来变得生气。")),
    ("T1.REPLY_NAMES_EMOTIONS", EN, turn(3, response_text="You were angry that he lied.")),
    ("T1.REPLY_ADDS_EMOTION", EN, turn(3, response_text="You were afraid, then angry, then sad.")),
]


@pytest.mark.parametrize(
    ("code", "where", "change"), DEFECTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_row_defect(bench: Any, code: str, where: tuple[str, str], change: Callable[[dict[str, Any]], None]) -> None:
    bench.edit_row(where[0], change)
    findings = bench.judge(where[1])
    assert {finding.code for finding in findings} == {code}
    assert {finding.item for finding in findings} == {where[1]}


@pytest.mark.parametrize(
    ("code", "identity"),
    [
        ("T1.ID_FORMAT", "task2_3_zh_1_1"),
        ("T1.ID_SHORT", "zh_0001_0001"),
        ("T1.ID_DIGITS", "task3_3_zh_0001_0001"),
        ("T1.ID_DIGITS", "task2_4_zh_0001_0001"),
        ("T1.ID_DIGITS", "task2_3_en_0001_0001"),
    ],
)
def test_id_defect(bench: Any, code: str, identity: str) -> None:
    """The files keep their names, so each of them is misnamed as well."""
    bench.edit_row(ZH[0], rename(identity))
    findings = bench.judge(identity)
    assert {finding.code for finding in findings} == {code, "T1.AUDIO_NAME"}


def test_a_missing_turn_changes_count_and_id(bench: Any) -> None:
    bench.edit_row(ZH[0], lambda row: row["turns"].pop(1))
    codes = {finding.code for finding in bench.judge(ZH[1])}
    assert {"T1.TURN_COUNT", "T1.ID_DIGITS", "T1.TURN_ORDER"} <= codes


def test_no_change_of_emotion(bench: Any) -> None:
    bench.edit_row(ZH[0], turn(2, emotion="anger"))
    codes = {finding.code for finding in bench.judge(ZH[1])}
    assert codes == {"T1.EMOTION_CHANGE", "T1.REPLY_ADDS_EMOTION"}


def test_missing_audio(bench: Any) -> None:
    path = bench.root / "track1/train/zh/task2_3/task2_3_zh_0001_0001_2.wav"
    path.unlink()
    (finding,) = bench.judge(ZH[1])
    assert finding.code == "T1.AUDIO_MISSING"
    assert finding.file == "track1/train/zh/task2_3/task2_3_zh_0001_0001_2.wav"


def voice_replies(bench: Any, turns: int = 3, name: str = "task2_3_model/{}_{}_response.wav") -> list[str]:
    """Speech-like replies to the first turns of the zh dialogue; returns their paths."""
    paths = [name.format(ZH[1], number) for number in range(1, turns + 1)]

    def change(row: dict[str, Any]) -> None:
        for turn, path in zip(row["turns"], paths, strict=False):
            turn["response_audio"] = path
            write_wav(bench.root / "track1/train/zh" / path, said(turn["response_text"], "zh"))

    bench.edit_row(ZH[0], change)
    return [f"track1/train/zh/{path}" for path in paths]


@pytest.mark.parametrize("name", ["task2_3_model/{}_{}_response.wav", "task2_model/turn_{1}_response.wav"])
def test_voiced_replies_are_sound_in_our_folder_and_in_the_challenges(bench: Any, name: str) -> None:
    voice_replies(bench, name=name)
    assert bench.judge(ZH[1]) == []


def test_a_turn_without_the_voiced_reply_that_others_have(bench: Any) -> None:
    voice_replies(bench, turns=2)
    (finding,) = bench.judge(ZH[1])
    assert finding.code == "T1.AUDIO_MISSING"
    assert finding.message.startswith("turn 3: no response_audio")


def test_a_missing_reply_file(bench: Any) -> None:
    second = voice_replies(bench)[1]
    (bench.root / second).unlink()
    (finding,) = bench.judge(ZH[1])
    assert (finding.code, finding.file) == ("T1.AUDIO_MISSING", second)


def test_swapped_replies(bench: Any) -> None:
    voice_replies(bench)

    def swap(row: dict[str, Any]) -> None:
        first, second = row["turns"][:2]
        first["response_audio"], second["response_audio"] = second["response_audio"], first["response_audio"]

    bench.edit_row(ZH[0], swap)
    assert [finding.code for finding in bench.judge(ZH[1])] == ["T1.AUDIO_NAME", "T1.AUDIO_NAME"]


def test_a_reply_outside_the_root(bench: Any) -> None:
    voice_replies(bench)
    bench.edit_row(ZH[0], turn(1, response_audio="../../../../../etc/x_1_response.wav"))
    (finding,) = bench.judge(ZH[1])
    assert (finding.code, "leaves" in finding.message) == ("T1.AUDIO_NAME", True)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("AUDIO.SILENT", lambda samples: samples * 0.0),
        ("AUDIO.LOUDNESS", lambda samples: samples * 0.01),
        ("AUDIO.DURATION", lambda samples: samples[:80]),
    ],
)
def test_the_sound_of_a_reply_is_judged(bench: Any, code: str, change: Callable[[Any], Any]) -> None:
    second = voice_replies(bench)[1]
    bench.edit_audio(second, change)
    findings = bench.judge(ZH[1])
    assert code in {finding.code for finding in findings}
    assert {finding.file for finding in findings} == {second}


def test_a_reply_at_another_rate(bench: Any) -> None:
    second = voice_replies(bench)[1]
    write_wav(bench.root / second, said("替别人挨骂，心里肯定憋屈。", "zh"), 24_000)
    (finding,) = bench.judge(ZH[1])
    assert (finding.code, finding.file) == ("AUDIO.RATE", second)


def test_reply_files_are_the_items_own_and_others_are_stray(bench: Any) -> None:
    second = voice_replies(bench)[1]
    layouts = detect_layouts(bench.root)
    assert [one.code for one in judge_dataset(bench.root, layouts, Thresholds())] == []
    (bench.root / second).rename(bench.root / second.replace("_2_response", "_9_response"))
    stray = [one for one in judge_dataset(bench.root, layouts, Thresholds()) if one.code == "SET.STRAY_FILE"]
    assert [one.item for one in stray] == [second.replace("_2_response", "_9_response")]


def test_every_track1_code_is_planted() -> None:
    planted = {code for code, _, _ in DEFECTS} | {
        "T1.ID_FORMAT",
        "T1.ID_SHORT",
        "T1.ID_DIGITS",
        "T1.TURN_COUNT",
        "T1.EMOTION_CHANGE",
    }
    assert planted == {code for code in CODES if code.startswith("T1.")}
