"""The object of an answer, whatever stands around it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.remote.extract import extract_json

OBJECT = {"turn_1": {"text": "我今天{真的}很高兴！", "cause": "升职", "reply": '太好了，"恭喜"你。'}}
SPELLED = json.dumps(OBJECT, ensure_ascii=False, indent=1)


@pytest.mark.parametrize(
    "text",
    [
        SPELLED,
        f"\ufeff  {SPELLED}\n\n",
        f"```json\n{SPELLED}\n```",
        f"好的，这是您要的对话：\n\n```\n{SPELLED}\n```\n希望您喜欢！{{}}",
        f"Sure! {SPELLED} Let me know {{if}} you like it.",
        f'<think>I could write {{"turn_1": "no"}} first</think>{SPELLED}',
        f'An empty one {{}} and {{"a": 1}}, then {SPELLED}',
        f"```json\n{SPELLED}",
        f"[{SPELLED}]",
    ],
)
def test_it_is_found(text: str) -> None:
    assert extract_json(text) == OBJECT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I'm sorry, but I can't help with that.",
        "[1, 2]",
        '"text"',
        "{",
        '{"a": ',
        "{" * 5000,
        '{"a":' * 20000,
        "12",
    ],
)
def test_where_there_is_none_it_says_so(text: str) -> None:
    assert extract_json(text) is None


def test_line_breaks_inside_strings_are_taken() -> None:
    assert extract_json('{"text": "一\n二"}') == {"text": "一\n二"}


def test_half_characters_do_not_come_through() -> None:
    assert extract_json('{"text": "好\\ud83d"}') == {"text": "好?"}


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.text(), values), st.text(st.characters(blacklist_characters="{}`<")))
def test_any_object_behind_any_prose(value: dict[str, Any], prose: str) -> None:
    expected = json.loads(json.dumps(value))
    assert extract_json(f"{prose} {json.dumps(value, ensure_ascii=False)}") == expected


@given(st.text())
def test_it_never_fails(text: str) -> None:
    found = extract_json(text)
    assert found is None or isinstance(found, dict)
