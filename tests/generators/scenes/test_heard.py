"""Planned and heard text: whole words, whole characters, never more than was spoken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_schemas.tasks import Language, Role
from data_schemas.utterance import Utterance, WordTiming
from generators.scenes.heard import heard_text, phrase_ends
from tests.support.scene_factory import make_utterance

SECOND = 16_000
EN = "Start at the bell tower, walk the city wall, then rest."
ZH = "先去钟楼，坐306路去兵马俑，带上APP。"


def reply(text: str, language: Language, words: tuple[WordTiming, ...] = (), edge_ms: int = 0) -> Utterance:
    return make_utterance("p/2", Role.ASSISTANT, text, 10 * SECOND, language, words=words, edge_silence_ms=edge_ms)


def timed(*words: str) -> tuple[WordTiming, ...]:
    """One word per second."""
    return tuple(WordTiming(text=word, start=k * SECOND, stop=(k + 1) * SECOND) for k, word in enumerate(words))


@given(stop=st.integers(0, 11 * SECOND), text=st.sampled_from([EN, "[sigh] " + EN]))
def test_english_is_heard_in_whole_words(stop: int, text: str) -> None:
    heard = heard_text(reply(text, Language.EN), stop)
    assert text.split()[: len(heard.split())] == heard.split()
    assert (heard == text) == (stop >= 10 * SECOND)


@given(stop=st.integers(0, 11 * SECOND))
def test_chinese_is_heard_in_whole_characters_and_whole_numbers(stop: int) -> None:
    heard = heard_text(reply(ZH, Language.ZH), stop)
    assert ZH.startswith(heard)
    rest = ZH[len(heard) :]
    assert not (heard and rest and heard[-1].isascii() and rest[0].isascii())


@given(first=st.integers(0, 10 * SECOND), more=st.integers(0, 10 * SECOND))
def test_later_is_never_less(first: int, more: int) -> None:
    utterance = reply(ZH, Language.ZH, edge_ms=100)
    assert heard_text(utterance, first + more).startswith(heard_text(utterance, first))


def test_half_of_the_time_is_about_half_of_the_characters() -> None:
    assert heard_text(reply("一二三四五六七八九十", Language.ZH), 5 * SECOND) == "一二三四五"
    assert heard_text(reply("a b c d e f g h i j", Language.EN), 5 * SECOND) == "a b c d e"


def test_the_silence_at_the_edges_counts_for_nothing() -> None:
    utterance = reply("一二三四五六七八九十", Language.ZH, edge_ms=2000)
    assert heard_text(utterance, 2 * SECOND) == ""
    assert heard_text(utterance, 5 * SECOND) == "一二三四五"


def test_a_tag_takes_no_time() -> None:
    assert heard_text(reply("[clears throat] 一二三四", Language.ZH), 5 * SECOND) == "[clears throat] 一二"


def test_word_timings_decide_where_they_exist() -> None:
    words = timed("Start", "at", "the", "bell", "tower", "walk", "the", "city", "wall", "then")
    utterance = reply("Start at the bell tower, walk the city wall, then", Language.EN, words)
    assert heard_text(utterance, 5 * SECOND) == "Start at the bell tower"
    assert heard_text(utterance, 5 * SECOND - 1) == "Start at the bell"
    assert heard_text(utterance, 0) == ""
    chinese = reply("先去钟楼，再去兵马俑", Language.ZH, timed("先", "去", "钟楼", "再去", "兵马俑"))
    assert heard_text(chinese, 3 * SECOND + 5) == "先去钟楼"


def test_word_timings_of_a_normalised_text_give_the_share() -> None:
    words = timed("two", "hundred", "degrees", "please")
    heard = heard_text(reply("Set it to 200 degrees please now then", Language.EN, words), 3 * SECOND)
    assert "Set it to 200 degrees please now then".startswith(heard) and 3 <= len(heard.split()) <= 6


def test_phrases_end_at_punctuation_inside_the_text() -> None:
    utterance = reply("一二三四，六七八九。", Language.ZH)
    assert phrase_ends(utterance) == (4 * SECOND,)
    assert phrase_ends(reply("It is 9:30 and 1,000 now", Language.EN)) == ()
    words = timed("Start", "at", "the", "bell", "tower", "walk")
    assert phrase_ends(reply("Start at the bell tower, walk", Language.EN, words)) == (5 * SECOND,)
