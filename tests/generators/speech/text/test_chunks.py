"""Long texts are cut where people breathe, and nothing is lost at the cuts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.tasks import Language
from generators.speech.engine import EngineError
from generators.speech.text.chunks import chunks

ZH, EN = Language.ZH, Language.EN
WORDS = st.sampled_from(
    ["我", "今天", "没带伞，", "好吧。", "真的？”", "（笑）", "KTV", "okay,", "[sigh]", "<strong>对</strong>", "……"]
)
ENGLISH = st.sampled_from(
    ["I", "was", "there,", "really.", '"No', 'way!"', "K T V", "[laughter]", "it's", "well-known"]
)


def without_space(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_a_short_text_is_one_piece() -> None:
    assert chunks(" 你好。 ", ZH) == ("你好。",)
    assert chunks("   ", ZH) == ()


def test_cuts_at_the_sentence_end_nearest_to_even_pieces() -> None:
    text = "一二三四五。" * 4
    assert chunks(text, ZH, limit=14) == ("一二三四五。一二三四五。", "一二三四五。一二三四五。")
    assert chunks("Go on. " + "We are not done yet, you know, " * 2, EN, limit=40) == (
        "Go on. We are not done yet, you know,",
        "We are not done yet, you know,",
    )


def test_a_stump_is_not_cut_off_for_the_sake_of_a_sentence_end() -> None:
    """Two characters spoken alone sound worse than a pause at a comma."""
    assert chunks("好。今天我们一起去公园，然后回家吃晚饭", ZH, limit=15)[0] == "好。今天我们一起去公园，"


def test_phrase_ends_serve_where_no_sentence_ends() -> None:
    assert chunks("今天下雨了，我没有带伞，只好等着", ZH, limit=9) == ("今天下雨了，", "我没有带伞，", "只好等着")


def test_the_enumeration_comma_is_a_phrase_end_in_mandarin() -> None:
    assert chunks("苹果橘子香蕉、葡萄西瓜", ZH, limit=9) == ("苹果橘子香蕉、", "葡萄西瓜")


def test_without_punctuation_the_cut_is_between_words() -> None:
    text = "one two three four five six seven eight nine ten"
    pieces = chunks(text, EN, limit=20)
    assert " ".join(pieces) == text
    assert all(len(piece) <= 20 for piece in pieces)


@pytest.mark.parametrize("whole", ["[quick_breath]", "<laughter>哈哈哈哈</laughter>", "K T V A P P", "extraordinary"])
def test_tags_marked_stretches_spelled_letters_and_words_stay_whole(whole: str) -> None:
    text = f"天天{whole}天天"
    assert any(whole in piece for piece in chunks(text, ZH, limit=5))


def test_quotes_open_with_what_follows_and_close_with_what_precedes() -> None:
    for limit in range(1, 9):
        pieces = chunks("他说“好的”，就走（了）", ZH, limit)
        assert not any(piece[-1] in "“（" or piece[0] in "”，）" for piece in pieces), pieces
        assert any('"no"' in piece for piece in chunks('He said "no" and left', EN, limit))


@pytest.mark.parametrize("command", ["<|endofprompt|>", "<|en|>", "<||>"])
def test_commands_to_the_model_are_refused(command: str) -> None:
    with pytest.raises(EngineError, match=re.escape(command)):
        chunks(f"你好{command}再见", ZH)


def test_a_limit_that_nothing_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="limit is 0"):
        chunks("你好", ZH, limit=0)


@given(st.lists(WORDS, min_size=1, max_size=60), st.integers(min_value=1, max_value=30))
def test_mandarin_pieces_hold_the_whole_text(words: list[str], limit: int) -> None:
    text = "".join(words)
    pieces = chunks(text, ZH, limit)
    assert without_space("".join(pieces)) == without_space(text)
    assert all(piece == piece.strip() != "" for piece in pieces)


@given(st.lists(ENGLISH, min_size=1, max_size=60), st.integers(min_value=25, max_value=80))
def test_english_pieces_hold_the_whole_text_and_fit(words: list[str], limit: int) -> None:
    text = " ".join(words)
    pieces = chunks(text, EN, limit)
    assert " ".join(pieces) == text
    assert all(len(piece) <= limit for piece in pieces if not re.search(r"[A-Z](?: [A-Z])+", piece))
    assert not any(piece.count("[") != piece.count("]") for piece in pieces)
