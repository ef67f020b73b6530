"""Errors of a set's judges: which item is replaced, and what no other item would mend."""

from __future__ import annotations

from data_schemas.finding import Finding, Severity
from data_schemas.tasks import Language
from validators.sets.blame import ItemName, blamed_items, unblamed

ZH = ItemName(Language.ZH, "0001_0007", "zh-停顿-7")
EN = ItemName(Language.EN, "0001_0007", "en-pause-7")
DIALOGUE = ItemName(Language.ZH, "task2_3_zh_0001_0002", "zh-轨迹-2")
ITEMS = (ZH, EN, DIALOGUE)


def error(code: str, item: str, file: str | None = None, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code=code, severity=severity, item=item, message="说", file=file, validator="x/1")


def test_every_error_is_about_items_or_about_nobody() -> None:
    about = error("SET.TEXT_LEAK", DIALOGUE.id, "track1/train/zh/task2_3.jsonl")
    again = error("SET.AUDIO_LEAK", DIALOGUE.id)
    nobody = error("SET.COUNTS", "trajectory/zh/3/dev")
    findings = [about, nobody, again, error("SET.DUPLICATE_TEXT", DIALOGUE.id, severity=Severity.WARNING)]
    assert blamed_items(findings, ITEMS) == {DIALOGUE: (about, again)}
    assert unblamed(findings, ITEMS) == (nobody,)


def test_an_id_of_both_languages_is_told_apart_by_the_file() -> None:
    for file in ("track2/zh/dev/Pause_Handling.jsonl", "track2/zh/dev/Pause_Handling/0001_0007.wav"):
        assert list(blamed_items([error("SET.NEAR_TEXT_LEAK", "0001_0007", file)], ITEMS)) == [ZH]
    assert set(blamed_items([error("SET.NEAR_TEXT_LEAK", "0001_0007", "catalog.parquet")], ITEMS)) == {ZH, EN}
    assert set(blamed_items([error("SET.NEAR_TEXT_LEAK", "0001_0007")], ITEMS)) == {ZH, EN}


def test_a_file_of_the_later_layout_tells_the_language_too() -> None:
    file = "HD-Track1/HD-Track1-dev/HD-Track1-dev-en/0001_0007_1.wav"
    assert list(blamed_items([error("SET.AUDIO_LEAK", "0001_0007", file)], ITEMS)) == [EN]


def test_judges_of_scripts_name_the_script() -> None:
    found = error("SCRIPT.DUPLICATE", "zh-轨迹-2")
    assert blamed_items([found], ITEMS) == {DIALOGUE: (found,)}
    assert unblamed([found], ITEMS) == ()
