"""The rules of a script: each planted fault is found with its code, clean scripts pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.emotions import NAMES, Emotion
from data_schemas.plan import Brief, Persona
from data_schemas.script import Script
from data_schemas.speech_rate import spoken_seconds
from data_schemas.tasks import SUB_TASKS, Language, Part, Task
from tests.support.scene_factory import TEXTS, make_script
from tests.support.script_factory import CONVERSATION_LINES, make_conversation, make_trajectory, with_turn
from validators.core.thresholds import Thresholds
from validators.text import answers
from validators.text.emotion_rules import missing_in_order, named_emotions
from validators.text.problem import Problem
from validators.text.questions import asks_for, states_cause
from validators.text.rules import judge_script, judge_scripts
from validators.text.text_rules import text_problems

LIMITS = Thresholds()
ZH, EN = Language.ZH, Language.EN
LONG = {
    EN: " Take a jumper along, because it gets cold up there once the sun is down behind the hills.",
    ZH: "记得带件外套，太阳下山以后城墙上风大，别着凉了。",
}

CLEAN = {
    EN: (
        "It's $20, or about 9:30 on May 3rd.",
        "Bring 16 gigabytes, not 8, to row 38. And breathe.",
        "In 2019 and 2020, or 1,000,000,000 of them.",
        "A safe bet is No. 7 on the high street.",
        "I can't help it, I just laughed.",
        "I'm sorry, I can't help with the move on Sunday, Mum.",
        "One two three four five six seven eight, and again.",
        "It was a high-intensity workout, and then it was my turn.",
        "We had 300 people from 5 schools in 2 naïve little cafés.",
        "The user of the flat before me left a text. It said sorry.",
        "Ha ha ha, no no no, never.",
    ),
    ZH: (
        "一共2000块，3月5号到。",
        "坐306路去兵马俑，[laughter] 别迟到。",
        "他发了个APP给我。",
        "我今年四十二岁了。",
        "面试第二轮我就挂了，第2轮面试官是我前同事。",
        "一二三四五六七八，再来一遍，别停。",
        "在2号线换10号线，从5号口出去走到南京路。",
        "抱歉，我不能去了，孩子发烧。",
        "哈哈哈哈哈哈哈哈哈哈哈哈，笑死我了。",
        "陶喆和王菲那首歌，我听了一整天。",
    ),
}


def codes(script: Script) -> set[str]:
    return {finding.code for finding in judge_script(script, LIMITS)}


def scene(task: Task, language: Language = EN, **texts: str) -> Script:
    """A full-duplex script whose replies are long enough to be spoken into."""
    words = {part.value: TEXTS[language][part] + LONG[language] for part in (Part.REPLY, Part.SECOND_REPLY)}
    return make_script(task, language, **{**words, **texts})


def reasoning(language: Language, question: str, root_cause: str | None = None) -> Script:
    made = make_trajectory(f"{language}-reasoning-3-01", language)
    made = Script.model_validate({**made.model_dump(), "task": Task.REASONING, "root_cause": root_cause})
    return with_turn(made, 3, text=question)


@pytest.mark.parametrize("language", Language)
def test_clean_scripts_pass(language: Language) -> None:
    scripts = [make_trajectory(f"{language}-t", language), scene(Task.FOLLOW_UP, language)]
    assert judge_scripts(scripts, LIMITS) == ()
    for task in SUB_TASKS:
        assert judge_script(scene(task, language), LIMITS) == ()
    for text in CLEAN[language]:
        assert list(text_problems(text, language)) == [], text


@pytest.mark.parametrize(
    ("language", "text", "code", "clause"),
    [
        (EN, "That is **bold**.", "STYLE", "markdown"),
        (EN, "# A heading", "STYLE", "markdown"),
        (EN, "First:\n- eggs", "STYLE", "line break"),
        (EN, "- eggs and potatoes", "STYLE", "list mark"),
        (EN, "1. Wash it. 2. Dry it.", "STYLE", "list mark"),
        (ZH, "先洗：1、洗菜。", "STYLE", "list mark"),
        (ZH, "①先洗菜。", "STYLE", "list mark"),
        (ZH, "首先要冷静，其次要沟通。", "STYLE", "counting"),
        (EN, "Firstly, breathe. Secondly, call her.", "STYLE", "counting"),
        (EN, "Great 😀", "STYLE", "emoji"),
        (ZH, "太好了❤️", "STYLE", "emoji"),
        (EN, "See www.example.org for more.", "STYLE", "web address"),
        (EN, "Look at https://a.b/c now.", "STYLE", "web address"),
        (ZH, "（叹气）我真没想到。", "STYLE", "brackets"),
        (EN, "I don't know (sighs) really.", "STYLE", "brackets"),
        (EN, "I think so I think so I think so I think so I think so", "STYLE", "over and over"),
        (ZH, "我不知道我不知道我不知道我不知道我不知道", "STYLE", "over and over"),
        (EN, " Well.", "STYLE", "blanks"),
        (EN, "Well  then.", "STYLE", "blanks"),
        (EN, "Write to jo.doe@mail.example soon.", "PRIVATE", "e-mail"),
        (EN, "It's jo at gmail dot com.", "PRIVATE", "e-mail"),
        (EN, "Call +1 (555) 010-9999 now.", "PRIVATE", "phone"),
        (EN, "Ring me on 555-0199.", "PRIVATE", "phone"),
        (EN, "It's five five five, oh one nine nine, got it?", "PRIVATE", "spells out"),
        (EN, "She lives at 42 Maple Street now.", "PRIVATE", "house number"),
        (ZH, "打13800138000找我。", "PRIVATE", "phone"),
        (ZH, "电话是一三八零零一三八零零零。", "PRIVATE", "spells out"),
        (ZH, "身份证是11010519491231002X。", "PRIVATE", "identity"),
        (ZH, "卡号6222021234567890123。", "PRIVATE", "card"),
        (ZH, "我住建设路18号。", "PRIVATE", "house number"),
        (ZH, "送到三号楼2单元就行。", "PRIVATE", "house number"),
        (ZH, "发我邮箱abc@qq.com。", "PRIVATE", "e-mail"),
        (EN, "Dear {name}, hello.", "PLACEHOLDER", "placeholder"),
        (ZH, "我叫某某。", "PLACEHOLDER", "placeholder"),
        (EN, "As an AI, I cannot say.", "MACHINE", "gives the machine away"),
        (ZH, "作为一个人工智能，我不能说。", "MACHINE", "gives the machine away"),
        (EN, "ok assistant\nhello", "MACHINE", "gives the machine away"),
        (EN, "I'm sorry, but I can't help with that.", "REFUSAL", "refuses"),
        (EN, "I cannot write this dialogue, I can't assist with this request.", "REFUSAL", "refuses"),
        (ZH, "抱歉，我无法提供这样的内容。", "REFUSAL", "refuses"),
        (ZH, "对不起，我不能协助您。", "REFUSAL", "refuses"),
        (EN, "Emotion: anger, I can't believe it.", "PLAN_LEAK", "plan"),
        (EN, "As in turn 2, I was fine.", "PLAN_LEAK", "plan"),
        (EN, "Intensity: 3, he shouted.", "PLAN_LEAK", "plan"),
        (EN, "The root cause is my father.", "PLAN_LEAK", "plan"),
        (EN, 'It says "reply": well done.', "PLAN_LEAK", "plan"),
        (EN, "User: hello there.", "PLAN_LEAK", "plan"),
        (EN, "It was cut at 256 tokens, so write shorter.", "PLAN_LEAK", "plan"),
        (ZH, "情绪：愤怒，我受不了了。", "PLAN_LEAK", "plan"),
        (ZH, "第2轮我就说了，我受不了。", "PLAN_LEAK", "plan"),
        (ZH, "我现在是anger，强度3。", "PLAN_LEAK", "plan"),
        (ZH, "用户：今天真倒霉。", "PLAN_LEAK", "plan"),
        (EN, "You felt 难过 then.", "LANGUAGE", "holds CJK"),
        (EN, "Well，fine.", "LANGUAGE", "holds CJK"),
        (EN, "Привет, how are you?", "LANGUAGE", "another language"),
        (ZH, "OK!", "LANGUAGE", "no Han"),
        (ZH, "他说 I really do not know 啊。", "LANGUAGE", "stretch of English"),
        (ZH, "这 thing 很 nice，so 我 buy 了。", "LANGUAGE", "too many English"),
        (ZH, "我今天はとても开心。", "LANGUAGE", "another language"),
        (ZH, "這個東西買貴了，我覺得很難過。", "LANGUAGE", "traditional"),
    ],
)
def test_each_planted_fault_is_found(language: Language, text: str, code: str, clause: str) -> None:
    found = list(text_problems(text, language))
    assert any(problem.code == f"SCRIPT.{code}" and clause in problem.clause for problem in found), found
    first = judge_script(with_turn(make_trajectory(language=language), 1, text=text), LIMITS)
    assert all(finding.message.startswith(("turn 1 text: ", "all texts: ")) for finding in first)


def test_english_script_in_another_language_is_found() -> None:
    script = make_trajectory()
    for number, text in enumerate(
        ("No me puedo creer que mi jefe haya hecho esto otra vez", "Estoy cansado de todo", "¿Y ahora qué hago?"), 1
    ):
        script = with_turn(script, number, text=text, response_text="Vaya, qué mala suerte con tu jefe")
    assert any(
        finding.code == "SCRIPT.LANGUAGE" and finding.message.startswith("all texts:")
        for finding in judge_script(script, LIMITS)
    )


@pytest.mark.parametrize(("language", "unit"), [(EN, "well "), (ZH, "好吧再说")])
def test_long_lines_are_found_and_replies_may_be_longer(language: Language, unit: str) -> None:
    script = make_trajectory(language=language)
    words = "".join(
        f"{unit}{chr(0x4E00 + n) if language is ZH else n} " for n in range({EN: 40, ZH: 27}[language])
    ).strip()
    (found,) = [
        finding
        for finding in judge_script(with_turn(script, 1, text=words), LIMITS)
        if finding.code == "SCRIPT.LINE_LENGTH"
    ]
    assert found.threshold == LIMITS.max_line_s and found.value is not None and found.value > 20
    assert "SCRIPT.LINE_LENGTH" not in codes(with_turn(script, 1, response_text=words))
    assert "SCRIPT.LINE_LENGTH" in codes(with_turn(script, 1, response_text=f"{words} {words}"))


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
    assert missing_in_order(reply, told, EN) == ()
    assert missing_in_order(reply, [*told, Emotion.NEUTRAL], EN) == (Emotion.NEUTRAL,)
    assert named_emotions("unhappy and saddle", EN) == frozenset()


@pytest.mark.parametrize(
    ("language", "reply", "code"),
    [
        (EN, "You were angry about it.", "SCRIPT.REPLY_NAMES"),
        (EN, "You were surprised and before that angry.", "SCRIPT.REPLY_NAMES"),
        (EN, "You were angry, then surprised, then sad.", "SCRIPT.REPLY_ADDS"),
        (ZH, "你先是生气，后来就好了。", "SCRIPT.REPLY_NAMES"),
        (ZH, "你先是生气，后来惊讶，末了有点难过。", "SCRIPT.REPLY_ADDS"),
    ],
)
def test_a_reply_that_leaves_out_reorders_or_adds_an_emotion_is_found(
    language: Language, reply: str, code: str
) -> None:
    found = judge_script(with_turn(make_trajectory(language=language), 3, response_text=reply), LIMITS)
    assert [(finding.code, finding.message.split(":")[0]) for finding in found] == [(code, "turn 3 response_text")]


@pytest.mark.parametrize(
    ("language", "question"), [(EN, "How did my mood go from anger to here?"), (ZH, "我刚才生气以后心情是怎么变的？")]
)
def test_a_question_that_names_the_answer_is_found(language: Language, question: str) -> None:
    assert codes(with_turn(make_trajectory(language=language), 3, text=question)) == {"SCRIPT.QUESTION_TELLS"}


TRAJECTORY_QUESTIONS = {
    EN: ("How did my mood move?", "What did I go through there, step by step?", "Where did it turn for me?"),
    ZH: ("我这心怎么变的？", "你帮我捋捋，我刚才这一路是怎么过来的？", "给我报一报，我的心情都走了几站？"),
}
REASONING_QUESTIONS = {
    EN: ("Why did it get to me?", "So which nerve did that touch?", "What's really behind all this?"),
    ZH: ("你说我到底是怎么了？", "这股劲背后藏着什么？", "我真正在意的是什么？", "我至于吗？"),
}


@pytest.mark.parametrize("language", Language)
def test_the_final_question_asks_what_its_task_asks(language: Language) -> None:
    for question in TRAJECTORY_QUESTIONS[language]:
        assert asks_for(Task.TRAJECTORY, question, language), question
    for question in REASONING_QUESTIONS[language]:
        assert asks_for(Task.REASONING, question, language), question
        assert codes(with_turn(make_trajectory(language=language), 3, text=question)) == {"SCRIPT.QUESTION_TYPE"}
    for question in TRAJECTORY_QUESTIONS[language]:
        assert codes(reasoning(language, question)) == {"SCRIPT.QUESTION_TYPE"}, question
    plain = {EN: "Where can I buy a new phone?", ZH: "附近有没有好吃的面馆？"}[language]
    for task in (Task.TRAJECTORY, Task.REASONING):
        assert not asks_for(task, plain, language)


@pytest.mark.parametrize(
    ("language", "cause", "tells", "asks"),
    [
        (
            ZH,
            "心底觉得自己配不上主管的位置，怕被人看穿",
            "是不是我觉得自己配不上主管的位置，怕被看穿？",
            "我怎么跟吃了枪药似的？",
        ),
        (
            EN,
            "The speaker dreads becoming a burden who has to ask for everything.",
            "Why do I dread becoming a burden who asks for everything?",
            "Why on earth did I shout at him?",
        ),
    ],
)
def test_a_question_that_states_the_root_cause_is_found(language: Language, cause: str, tells: str, asks: str) -> None:
    assert states_cause(cause, tells, language)
    assert "SCRIPT.CAUSE_STATED" in codes(reasoning(language, tells, cause))
    assert codes(reasoning(language, asks, cause)) == set()


@pytest.mark.parametrize(
    ("language", "event", "text"),
    [
        (ZH, "有人当着很多人的面把你的功劳说成是他自己的", "今天有人当着很多人的面把我的功劳抢了！"),
        (EN, "someone takes the credit for a long piece of work", "Someone takes the credit for a long day of mine!"),
    ],
)
def test_words_of_the_brief_are_not_spoken(language: Language, event: str, text: str) -> None:
    persona = Persona(name="林岚", gender="female", age=30, job="护士", region="成都", style="爱用短句")
    brief = Brief(persona=persona, setting="下班路上", events=(event,), opening="以感叹开头")
    script = make_trajectory(language=language).model_copy(update={"brief": brief})
    assert codes(script) == set()
    assert codes(with_turn(script, 1, text=text)) == {"SCRIPT.PLAN_LEAK"}


def test_tags_in_the_wrong_place_or_too_many_are_found() -> None:
    long = TEXTS[EN][Part.REPLY] + LONG[EN]
    assert codes(scene(Task.FOLLOW_UP, reply=f"[sigh] {long}")) == {"SCRIPT.TAG"}
    many = "[sigh] Well, [sigh] my manager [sigh] did it again!"
    assert codes(with_turn(make_trajectory(), 1, text=many)) == {"SCRIPT.TAG"}
    assert codes(with_turn(make_trajectory(language=ZH), 1, text="[sigh]")) >= {"SCRIPT.TAG"}


@pytest.mark.parametrize("language", Language)
def test_short_replies_and_long_events_are_found(language: Language) -> None:
    short = {EN: "Start at the bell tower.", ZH: "先去钟楼看看。"}[language]
    (found,) = judge_script(scene(Task.BACKCHANNEL, language, reply=short), LIMITS)
    assert found.code == "SCRIPT.REPLY_SHORT" and found.message.startswith("line 2 (reply): ")
    assert codes(scene(Task.PAUSE, language, reply=short)) == set()
    (found,) = judge_script(scene(Task.SPEECH_TO_OTHERS, language, second_reply=short), LIMITS)
    assert found.message.startswith("line 4 (second_reply): ")
    assert codes(scene(Task.FOLLOW_UP, language, interruption=LONG[language].strip() * 2)) == {"SCRIPT.EVENT_LONG"}
    listener = {EN: "Oh, that sounds really lovely, please do go on.", ZH: "哦，原来是这么回事，你接着往下说吧。"}[
        language
    ]
    assert codes(scene(Task.BACKCHANNEL, language, backchannel=listener)) == {"SCRIPT.EVENT_LONG"}


@pytest.mark.parametrize("language", Language)
def test_repeated_texts_are_found_but_backchannels_may_repeat(language: Language) -> None:
    twice = judge_scripts([make_trajectory("a", language), make_trajectory("b", language)], LIMITS)
    assert {(finding.code, finding.item) for finding in twice} == {("SCRIPT.REPEATED", "b")}
    assert twice[0].message.startswith("turn 1 text: the same words stand in a turn 1 text")
    made = make_trajectory("a", language)
    (inside,) = judge_script(with_turn(made, 2, text=made.turns[0].text), LIMITS)
    assert inside.message.startswith("turn 2 text: the same words stand in turn 1 text")
    other = {EN: ("What else?", "You could see the pagoda too."), ZH: ("还有呢？", "大雁塔那边晚上有喷泉看。")}[
        language
    ]
    second = scene(Task.BACKCHANNEL, language, query=other[0], reply=other[1] + LONG[language] * 2)
    assert judge_scripts([scene(Task.BACKCHANNEL, language), second], LIMITS) == ()


@pytest.mark.parametrize(
    ("language", "question"), [(EN, "So how did my mood go on day {}?"), (ZH, "你说我第{}天心情咋变的？")]
)
def test_final_questions_that_all_begin_alike_are_found(language: Language, question: str) -> None:
    scripts = [with_turn(make_trajectory(f"q{n}", language), 3, text=question.format(n)) for n in range(9)]
    (found,) = [finding for finding in judge_scripts(scripts, LIMITS) if finding.code == "SCRIPT.COLLAPSE"]
    assert found.item == f"{language}/trajectory" and "9 of the 9 final questions" in found.message


@given(st.text(max_size=200), st.sampled_from(Language))
def test_any_text_gets_an_answer(text: str, language: Language) -> None:
    assert all(isinstance(problem, Problem) for problem in text_problems(text, language))


def test_answers_that_never_became_a_script_have_codes() -> None:
    found = (
        answers.no_answer("计划-1", "the endpoint 'local' gave up after 5 tries"),
        answers.unreadable("计划-1", "turn_2.text is missing"),
        answers.truncated("计划-1", 2048),
    )
    assert [finding.code for finding in found] == ["SCRIPT.NO_ANSWER", "SCRIPT.UNREADABLE", "SCRIPT.TRUNCATED"]
    assert all(finding.item == "计划-1" for finding in found)


@pytest.mark.parametrize("language", Language)
def test_a_conversation_passes_with_short_replies_that_nobody_speaks_into(language: Language) -> None:
    assert judge_script(make_conversation(language), LIMITS) == ()


@pytest.mark.parametrize(
    ("language", "line", "text", "code", "begins"),
    [
        (EN, 1, "What a hill.", "SCRIPT.REPLY_SHORT", "line 1 (query): takes about 0.9 s to say; with 1 line spoken"),
        (ZH, 1, "爬山去。", "SCRIPT.REPLY_SHORT", "line 1 (query): takes about 0.7 s to say; with 1 line spoken"),
        (EN, 3, "Take the path round the back, so it's gentle going down.", "SCRIPT.REPLY_SHORT", "line 3 (reply)"),
        (ZH, 3, "挑后山有缓路的，下来不伤膝盖，早点出门。", "SCRIPT.REPLY_SHORT", "line 3 (reply)"),
        (EN, 4, "Right, that is exactly what my mother says too.", "SCRIPT.EVENT_LONG", "line 4 (backchannel)"),
        (ZH, 4, "对对，我妈老早也是这么跟他讲的。", "SCRIPT.EVENT_LONG", "line 4 (backchannel)"),
        (ZH, 2, "是啊，老人家下坡都是这样慢慢的。", "SCRIPT.EVENT_LONG", "line 2 (backchannel)"),
        (EN, 5, "How early" + " and how" * 10 + " is it?", "SCRIPT.EVENT_LONG", "line 5 (interruption)"),
        (ZH, 5, "多早算早啊，" + "是说五点还是六点，" * 4, "SCRIPT.EVENT_LONG", "line 5 (interruption)"),
        (ZH, 6, '"line_6": "八点半。"', "SCRIPT.PLAN_LEAK", "line 6 (reply)"),
    ],
)
def test_a_fault_of_a_conversation_is_found_in_its_line(
    language: Language, line: int, text: str, code: str, begins: str
) -> None:
    found = judge_script(make_conversation(language, **{f"line_{line}": text}), LIMITS)
    assert code in {finding.code for finding in found}
    assert all(finding.message.startswith(begins) for finding in found if finding.code == code)


def test_every_line_spoken_into_another_needs_its_time() -> None:
    """Line 3 hosts two lines: each needs its share, so that half the limit passes and the limit does not."""
    seconds = spoken_seconds(CONVERSATION_LINES[ZH][2][2], ZH)
    fits = LIMITS.model_copy(update={"min_conversation_host_s": seconds / 2 - 0.1})
    tight = LIMITS.model_copy(update={"min_conversation_host_s": seconds / 2 + 0.1})
    assert [f for f in judge_script(make_conversation(ZH), fits) if f.message.startswith("line 3")] == []
    (finding,) = [f for f in judge_script(make_conversation(ZH), tight) if f.message.startswith("line 3")]
    assert (finding.code, finding.threshold) == ("SCRIPT.REPLY_SHORT", pytest.approx(seconds + 0.2))


@pytest.mark.parametrize("language", Language)
def test_a_conversation_that_says_a_line_twice_is_told_which(language: Language) -> None:
    words = CONVERSATION_LINES[language][2][2]
    (finding,) = [
        f for f in judge_script(make_conversation(language, line_6=words), LIMITS) if f.code == "SCRIPT.REPEATED"
    ]
    assert finding.message.startswith("line 6 (reply): the same words stand in line 3 (reply)")
