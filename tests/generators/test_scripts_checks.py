"""The rules of a script: each planted fault is found, clean scripts pass."""

from __future__ import annotations

import pytest

from data_schemas.emotions import NAMES, Emotion
from data_schemas.tasks import TRACK2_TASKS, Language, Task
from generators.scripts.checks import (
    check_script,
    check_scripts,
    check_text,
    missing_in_order,
    named_emotions,
)
from tests.support.scene_factory import make_script
from tests.support.script_factory import make_trajectory, with_turn

CLEAN = {
    Language.EN: (
        "It's $20, or about 9:30 on May 3rd.",
        "Bring 16 gigabytes, not 8, to row 38. And breathe.",
        "In 2019 and 2020, or 1,000,000,000 of them.",
        "A safe bet is No. 7 on the high street.",
    ),
    Language.ZH: (
        "一共2000块，3月5号到。",
        "坐306路去兵马俑，[laughter] 别迟到。",
        "他发了个APP给我。",
        "我今年四十二岁了。",
    ),
}


@pytest.mark.parametrize("language", Language)
def test_clean_scripts_pass(language: Language) -> None:
    scripts = [make_trajectory(f"{language}-t", language), make_script(Task.FOLLOW_UP, language)]
    assert check_scripts(scripts) == ()
    for task in TRACK2_TASKS:
        assert check_script(make_script(task, language)) == ()
    for text in CLEAN[language]:
        assert check_text(text, language) == (), text


@pytest.mark.parametrize(
    ("language", "text", "problem"),
    [
        (Language.EN, "That is **bold**.", "markdown"),
        (Language.EN, "# A heading", "markdown"),
        (Language.EN, "First:\n- eggs", "line break"),
        (Language.EN, "- eggs and potatoes", "list mark"),
        (Language.EN, "1. Wash it. 2. Dry it.", "list mark"),
        (Language.ZH, "先洗：1、洗菜。", "list mark"),
        (Language.ZH, "①先洗菜。", "list mark"),
        (Language.EN, "Great 😀", "emoji"),
        (Language.ZH, "太好了❤️", "emoji"),
        (Language.EN, "See www.example.org for more.", "web address"),
        (Language.EN, "Look at https://a.b/c now.", "web address"),
        (Language.EN, "Write to jo.doe@mail.example soon.", "e-mail"),
        (Language.EN, "Call +1 (555) 010-9999 now.", "phone"),
        (Language.ZH, "打13800138000找我。", "phone"),
        (Language.ZH, "身份证是11010519491231002X。", "identity"),
        (Language.EN, "Dear {name}, hello.", "placeholder"),
        (Language.ZH, "我叫某某。", "placeholder"),
        (Language.EN, "As an AI, I cannot say.", "gives the machine away"),
        (Language.ZH, "作为一个人工智能，我不能说。", "gives the machine away"),
        (Language.EN, "ok assistant\nhello", "gives the machine away"),
        (Language.EN, "You felt 难过 then.", "holds CJK"),
        (Language.EN, "Well，fine.", "holds CJK"),
        (Language.ZH, "OK!", "no Han"),
        (Language.ZH, "他说 I really do not know 啊。", "stretch of English"),
        (Language.EN, " Well.", "blanks"),
        (Language.EN, "Well  then.", "blanks"),
    ],
)
def test_each_planted_fault_is_found(language: Language, text: str, problem: str) -> None:
    assert any(problem in found for found in check_text(text, language)), check_text(text, language)


@pytest.mark.parametrize("language", Language)
def test_every_emotion_is_named_by_each_of_its_words_and_only_in_order(language: Language) -> None:
    for first in Emotion:
        for second in Emotion:
            reply = f" ... {NAMES[language][first][-1]} ... {NAMES[language][second][0]}"
            assert missing_in_order(reply, [first, second], language) == ()
            if first is not second:
                assert missing_in_order(reply, [second, first], language) == (first,)


def test_the_same_emotion_twice_in_a_row_needs_one_naming_and_later_again_another() -> None:
    reply = "You were calm, then sad."
    told = [Emotion.NEUTRAL, Emotion.NEUTRAL, Emotion.SAD]
    assert missing_in_order(reply, told, Language.EN) == ()
    assert missing_in_order(reply, [*told, Emotion.NEUTRAL], Language.EN) == (Emotion.NEUTRAL,)
    assert named_emotions("unhappy and saddle", Language.EN) == frozenset()


def test_a_reply_that_leaves_out_reorders_or_adds_an_emotion_is_found() -> None:
    script = make_trajectory()
    for reply, problem in (
        ("You were angry about it.", "does not name surprise"),
        ("You were surprised and before that angry.", "does not name surprise"),
        ("You were angry, then surprised, then sad.", "names sad, which no turn has"),
    ):
        assert any(problem in found for found in check_script(with_turn(script, 3, response_text=reply))), reply


def test_a_question_that_names_the_answer_is_found() -> None:
    script = with_turn(make_trajectory(), 3, text="Why was I angry first?")
    assert any("gives anger away" in problem for problem in check_script(script))


@pytest.mark.parametrize(
    "query", ["[break] 我想去西安。", "我想去西安。[break]", "我想 [break] [sigh] [break] 去西安。"]
)
def test_a_break_without_words_on_both_sides_is_found(query: str) -> None:
    script = make_script(Task.PAUSE, Language.ZH, query=query)
    assert any("must stand between words" in problem for problem in check_script(script))


def test_a_break_outside_the_query_is_found() -> None:
    script = make_script(Task.PAUSE, reply="Sure, let us [break] go there.")
    assert any("belongs in the query" in problem for problem in check_script(script))


def test_repeated_texts_are_found_across_scripts_but_backchannels_may_repeat() -> None:
    twice = check_scripts([make_trajectory("a"), make_trajectory("b")])
    assert any("a turn 1 text, b turn 1 text" in problem for problem in twice)
    first = make_script(Task.BACKCHANNEL)
    second = make_script(Task.BACKCHANNEL, query="What else?", reply="You could see the pagoda as well.")
    assert check_scripts([first, second]) == ()


def test_final_questions_that_all_begin_alike_are_found() -> None:
    scripts = [with_turn(make_trajectory(f"q{n}"), 3, text=f"So how did day {n} go for me?") for n in range(9)]
    assert any("9 of the 9 final questions" in problem for problem in check_scripts(scripts))
