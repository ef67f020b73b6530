"""Keys are read late, named by variable, and hidden everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.remote.errors import ConfigProblem, EndpointError
from generators.remote.keys import MASK, read_key, redact
from generators.remote.settings import EndpointSettings

KEY = "sk-proj-A1b2C3d4E5f6G7h8"


def endpoint(variable: str | None = "MY_KEY") -> EndpointSettings:
    return EndpointSettings(base_url="http://127.0.0.1:9/v1", api_key_env=variable)


def test_no_variable_no_key() -> None:
    assert read_key("vllm", endpoint(None)) is None


def test_the_key_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    assert read_key("vllm", endpoint()) == KEY


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(ConfigProblem, match=r"endpoint 'vllm'.*MY_KEY.*export MY_KEY=") as told:
        read_key("vllm", endpoint())
    assert isinstance(told.value, EndpointError)


@pytest.mark.parametrize("value", ["two words", "钥匙", "line\nend"])
def test_what_no_header_can_carry_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(ConfigProblem, match="MY_KEY") as told:
        read_key("vllm", endpoint())
    assert value not in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        f"Incorrect API key provided: {KEY[:8]}********{KEY[-4:]}. You can find",
        f"header Authorization: Bearer {KEY}",
        f"begins with {KEY[:7]} and ends with {KEY[-6:]}",
        f'{{"key": "{KEY}"}}',
    ],
)
def test_neither_the_key_nor_its_parts_are_left(text: str) -> None:
    hidden = redact(text, [KEY])
    assert MASK in hidden
    assert not any(KEY[at : at + 6] in hidden for at in range(len(KEY) - 5))
    assert KEY[-4:] not in hidden


def test_other_words_stay() -> None:
    text = "最大长度是 4096 个 token (maximum context length), see https://example.org/docs"
    assert redact(text, [KEY]) == text
    assert redact(text, []) == text


@given(st.text(), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40), st.text())
def test_no_six_characters_of_a_key_survive(before: str, key: str, after: str) -> None:
    hidden = redact(before + key + after, [key]).replace(MASK, "\0")
    assert not any(key[at : at + 6] in hidden for at in range(len(key) - 5))
