"""Near-duplicates and exclusion: copies are found, shared forms and short lines are not blamed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_schemas.foundation.base import RecordError, read_jsonl
from data_schemas.foundation.randomness import named_generator
from data_schemas.script import Script
from data_schemas.tasks import Language, Task
from tests.support.scene_factory import make_script
from tests.support.script_factory import make_trajectory, with_turn
from validators.core.thresholds import Thresholds
from validators.text.band_index import BandIndex
from validators.text.exclusions import read_exclusions
from validators.text.near_duplicates import NearDuplicates
from validators.text.texts import units

ZH, EN = Language.ZH, Language.EN
PACK = Path(__file__).parents[3] / "generators/scripts/packs/quickstart"


def pack(language: Language) -> list[Script]:
    return list(read_jsonl(PACK / f"{language}.jsonl", Script))


def dialogue(language: Language) -> Script:
    return next(script for script in pack(language) if script.task is Task.EMPATHY and len(script.turns) == 4)


def renamed(script: Script, script_id: str = "copy") -> Script:
    return script.model_copy(update={"script_id": script_id})


def changed(script: Script, every: int) -> Script:
    """The script with every so-maniest character or word replaced."""

    def edit(text: str) -> str:
        said = list(units(text, script.language))
        said[::every] = ["丙" if script.language is ZH else "plum"] * len(said[::every])
        return ("" if script.language is ZH else " ").join(said)

    for number, turn in enumerate(script.turns, start=1):
        script = with_turn(script, number, text=edit(turn.text), response_text=edit(turn.response_text))
    return renamed(script)


@pytest.mark.parametrize("language", Language)
def test_a_copy_and_a_lightly_edited_copy_are_found_and_name_the_other(language: Language) -> None:
    known = NearDuplicates(Thresholds())
    first = dialogue(language)
    known.add(first)
    assert known.judge(first) == ()  # its own id
    whole, *lines = known.judge(renamed(first))
    assert (whole.code, whole.item, whole.value) == ("SCRIPT.DUPLICATE", "copy", 1.0)
    assert first.script_id in whole.message and whole.message.startswith("all texts: ")
    assert [finding.message.split(":")[0] for finding in lines] == [f"turn {n} text" for n in (1, 2, 3, 4)]
    edited = known.judge(changed(first, 15))
    assert any(finding.message.startswith("all texts: ") for finding in edited)
    assert known.judge(changed(first, 2)) == ()


@pytest.mark.parametrize("language", Language)
def test_one_copied_line_is_found_and_the_form_of_a_question_is_not_blamed(language: Language) -> None:
    known = NearDuplicates(Thresholds())
    first, second = (
        script for script in pack(language) if script.script_id[3:] in ("trajectory-4-01", "trajectory-4-02")
    )
    known.add(first)
    assert known.judge(second) == ()
    copied = with_turn(second, 2, text=first.turns[0].text.replace("，", "。").upper())
    (found,) = known.judge(copied)
    assert found.code == "SCRIPT.DUPLICATE" and found.message.startswith("turn 2 text: the same words stand in ")
    question = {
        ZH: "你帮我捋捋，{}，我这心情前前后后是怎么一步步变的？",
        EN: "So {}, how did my mood and feelings change along the way?",
    }
    asked = [question[language].format(w) for w in ({ZH: ("今天", "昨晚"), EN: ("today", "tonight")}[language])]
    known.add(renamed(with_turn(first, 4, text=asked[0]), "asked"))
    assert known.judge(with_turn(second, 4, text=asked[1])) == ()
    assert [finding.code for finding in known.judge(with_turn(second, 4, text=asked[0]))] == ["SCRIPT.DUPLICATE"]


@pytest.mark.parametrize("language", Language)
def test_backchannels_and_short_commands_may_come_back(language: Language) -> None:
    known = NearDuplicates(Thresholds())
    stop = {ZH: "别说了。", EN: "Stop, please."}[language]
    reply = {
        ZH: "门口那家面馆七点开门，豆浆油条都有，想吃热的就早点去。",
        EN: "The place by the gate opens at seven and has eggs.",
    }
    known.add(make_script(Task.SILENCE, language, interruption=stop))
    other = make_script(
        Task.SILENCE,
        language,
        query={ZH: "哪儿有早饭？", EN: "Breakfast?"}[language],
        interruption=stop,
        reply=reply[language],
        second_reply={ZH: "好。", EN: "Sure."}[language],
    )
    assert known.judge(renamed(other)) == ()


def test_the_same_scripts_in_the_same_order_give_the_same_findings() -> None:
    def run() -> list[str]:
        known = NearDuplicates(Thresholds())
        found = []
        for number, script in enumerate((*pack(ZH), *pack(EN), *(renamed(s, f"{s.script_id}-b") for s in pack(EN)))):
            found += [finding.to_json_line() for finding in known.judge(script)]
            if number % 3:
                known.add(script)
        return found

    assert run() == run() != []


@pytest.mark.parametrize("language", Language)
def test_excluded_texts_are_found_in_user_lines_and_replies(language: Language) -> None:
    script = dialogue(language)
    known = NearDuplicates(Thresholds())
    known.exclude("test.jsonl:7", script.turns[1].text)
    known.exclude("test.jsonl:8", script.turns[2].response_text)
    known.exclude("test.jsonl:9", "嗯" if language is ZH else "Yes.")
    found = known.judge(script)
    assert [(finding.code, finding.message.split(":")[0]) for finding in found] == [
        ("SCRIPT.EXCLUDED", "turn 2 text"),
        ("SCRIPT.EXCLUDED", "turn 3 response_text"),
    ]
    assert "test.jsonl:7" in found[0].message
    near = with_turn(script, 2, text=script.turns[1].text + (" 真的" if language is ZH else " Really."))
    assert known.judge(near)[0].code == "SCRIPT.EXCLUDED"
    assert known.judge(changed(script, 2)) == ()


def test_the_index_finds_what_is_alike_and_keeps_crowded_keys_short() -> None:
    index = BandIndex(bands=12, rows=3)
    draw = named_generator(1, "index", "test")
    signatures = draw.integers(0, 2**16, (3000, 36)).astype(np.uint16)
    for number, signature in enumerate(signatures):
        assert index.add(signature, exact=number * 2 + 1) == number
    for number in (0, 1500, 2999):
        near = signatures[number].copy()
        near[:9] = 0
        assert index.matches(near)[number] == 0.75
        assert index.matches(None, exact=number * 2 + 1) == {number: 1.0}
    assert index.matches(draw.integers(0, 2**16, 36).astype(np.uint16)) == {}
    crowd = BandIndex(bands=12, rows=3)
    for _ in range(200):
        crowd.add(signatures[0])
    assert len(crowd) == 200 and len(crowd.matches(signatures[0])) == 16


def test_exclusions_are_read_from_every_kind_of_file(tmp_path: Path) -> None:
    home = tmp_path / "测试集"
    (home / "dev").mkdir(parents=True)
    script = make_trajectory(language=ZH)
    (home / "a.jsonl").write_text(script.to_json_line() + "\n", encoding="utf-8")
    row = {"dialogue_id": "x", "turns": [{"turn_id": 1, "text": "问一句", "response_text": "答一句"}]}
    (home / "b.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({"text": "单独一行"}) + "\n", encoding="utf-8")
    sentence = {"final_duration": 9.0, "speech_segments": [{"xmin": 0, "xmax": 1, "text": "Hello"}, {"text": "Bye"}]}
    (home / "dev" / "0001_0001_sentence.json").write_text(json.dumps(sentence), encoding="utf-8")
    (home / "c.txt").write_text("第一行\n\n第三行\n", encoding="utf-8-sig")
    (home / "d.wav").write_bytes(b"RIFF")
    found = list(read_exclusions([Path("测试集")], root=tmp_path))
    assert [place for place, _ in found] == [
        *["测试集/a.jsonl:1"] * 6,
        *["测试集/b.jsonl:1"] * 2,
        "测试集/b.jsonl:2",
        "测试集/c.txt:1",
        "测试集/c.txt:3",
        "测试集/dev/0001_0001_sentence.json:1",
        "测试集/dev/0001_0001_sentence.json:2",
    ]
    assert [text for _, text in found[6:]] == ["问一句", "答一句", "单独一行", "第一行", "第三行", "Hello", "Bye"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"{broken\n", "a.jsonl:1: is not JSON"),
        ("a.json", b"[", "a.json:1: is not JSON|a.json: is not JSON"),
        ("a.txt", b"\xff\xfe\xfa", "cannot be read as UTF-8"),
        ("a.txt", b"\n", "holds no text"),
        ("a.csv", b"x", "is none of .json"),
        (None, b"", "does not exist"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    tmp_path: Path, name: str | None, content: bytes, message: str
) -> None:
    path = tmp_path / (name or "missing.txt")
    if name:
        path.write_bytes(content)
    with pytest.raises(RecordError, match=message):
        list(read_exclusions([path]))
