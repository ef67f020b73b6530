"""Prompts, examples and the writer: what is asked, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.chat import ChatAnswer, ChatRequest, Usage
from data_schemas.conversation import hosts
from data_schemas.foundation.base import dump_json
from data_schemas.plan import Outline, Place
from data_schemas.script import ScriptProvenance
from data_schemas.tasks import LINES_OF_TASK, SUB_TASKS, TURNS_OF_TASK, Language, Part, Role, Task
from generators.plans.drawn import DrawnOutlines
from generators.plans.settings import PlanningSettings
from generators.scripts.llm.answer_shape import UnreadableAnswer, script_from, script_schema, texts_of, tidy
from generators.scripts.llm.llm_writer import LlmWriter, Order
from generators.scripts.llm.plan_text import emotions_to_name
from generators.scripts.llm.prompts import WHOLE_SCRIPT_PROMPTS, load_example, load_words, prompt_name, prompt_version
from generators.scripts.settings import LlmSettings
from tests.support.llm_answers import noise_answer
from validators.core.thresholds import Thresholds
from validators.text.rules import judge_script

EXAMPLES = [(name, language) for name in WHOLE_SCRIPT_PROMPTS for language in Language]
PLACES = [
    Place(task, language, turns) for task in Task for language in Language for turns in TURNS_OF_TASK.get(task, (1,))
]
INTERRUPTION = Part.INTERRUPTION
PROVENANCE = ScriptProvenance(writer="llm", author="llm", version="0")


def llm_settings(**changes: object) -> LlmSettings:
    return LlmSettings.model_validate(
        {
            "endpoints": {"here": {"base_url": "http://127.0.0.1:1/v1"}},
            "models": {
                "a": {"endpoint": "here", "model": "model-a"},
                "b": {"endpoint": "here", "model": "model-b"},
            },
            "writers": [{"model": "a"}],
            **changes,
        }
    )


def make_writer(seed: int = 7, **changes: object) -> tuple[LlmWriter, DrawnOutlines]:
    outlines = DrawnOutlines(seed, PlanningSettings())
    catalogues = {language: outlines.catalogue(language) for language in Language}
    return LlmWriter(llm_settings(**changes), catalogues, seed), outlines


WRITER, OUTLINES = make_writer()


@pytest.mark.parametrize(("name", "language"), EXAMPLES, ids=[f"{language}-{name}" for name, language in EXAMPLES])
def test_every_example_is_an_answer_that_passes_the_rules(name: str, language: Language) -> None:
    example = load_example(name, language)
    assert prompt_name(example.outline) == name
    assert example.outline.language is language
    schema = script_schema(example.outline)
    assert list(example.answer) == list(schema["properties"])
    texts = texts_of(example.answer, schema)
    assert texts == example.answer, "an example is tidy already"
    script = script_from(example.outline, f"{language}-{name}", texts, PROVENANCE, ("m", "m"))
    assert script.outline() == example.outline.model_copy(update={"script_id": script.script_id})
    assert judge_script(script, Thresholds()) == ()


@pytest.mark.parametrize("place", PLACES, ids=[place.key for place in PLACES])
@given(ordinal=st.integers(0, 5000))
@settings(max_examples=8, deadline=None)
def test_every_plan_is_told_in_full_and_in_its_own_language(place: Place, ordinal: int) -> None:
    outline = OUTLINES.draw(*place, ordinal)
    request = WRITER.whole_script_request(Order(id="x", outline=outline), 1, "", "", "a")
    system, plan = request.messages[0].content, request.messages[-1].content
    assert not re.search(r"\$\{?[a-z_]", system + plan), "no placeholder is left"
    assert outline.brief is not None
    assert outline.brief.persona.name in plan
    assert outline.brief.setting in plan
    for told in (outline.brief.cue, outline.brief.question, outline.root_cause, *outline.brief.events):
        assert not told or told in plan
    if place.language is Language.EN:
        assert not re.search(r"[\u4e00-\u9fff]", system + plan)
    words = load_words(place.language)
    for emotion in emotions_to_name(outline):
        assert words.emotions[emotion] in plan


def test_the_instructions_hold_no_plan_so_that_servers_can_cache_them() -> None:
    for place in PLACES:
        prompts = {}
        for ordinal in range(4):
            outline = OUTLINES.draw(*place, ordinal)
            request = WRITER.whole_script_request(Order(id="x", outline=outline), 1, "", "", "a")
            prompts.setdefault(prompt_name(outline), set()).add(request.messages[:3])
        assert all(len(heads) == 1 for heads in prompts.values())


def test_a_request_is_a_function_of_order_attempt_and_reasons() -> None:
    outline = OUTLINES.draw(Task.TRAJECTORY, Language.ZH, 4, 3)
    order = Order(id="zh-trajectory-4-00003", outline=outline)
    first = WRITER.whole_script_request(order, 1, "", "", "a")
    assert first == WRITER.whole_script_request(order, 1, "", "", "a")
    again = WRITER.whole_script_request(order, 2, '{"turn_1":{}}', "- 第二轮太长", "a")
    assert again.seed != first.seed
    assert again.messages[: len(first.messages)] == first.messages
    assert again.messages[-2].content == '{"turn_1":{}}'
    assert "- 第二轮太长" in again.messages[-1].content
    other = WRITER.whole_script_request(order.model_copy(update={"id": "other"}), 1, "", "", "a")
    assert other.seed != first.seed


def test_data_in_a_plan_is_never_read_as_a_template() -> None:
    outline = OUTLINES.draw(Task.RECOGNITION, Language.EN, 1, 0)
    assert outline.brief is not None
    nasty = outline.model_copy(update={"brief": outline.brief.model_copy(update={"setting": "at $persona {x} %s"})})
    request = WRITER.whole_script_request(Order(id="x", outline=nasty), 1, "", "", "a")
    assert "at $persona {x} %s" in request.messages[-1].content


class Echo:
    """Answers from the plan of the order, remembering who was asked what."""

    def __init__(self, spoil: str = "") -> None:
        self.asked: list[ChatRequest] = []
        self.spoil = spoil

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        self.asked.append(request)
        number = len(self.asked)
        answer = {name: f"{name} said as number {number}" for name in request.json_schema["properties"]}
        text = self.spoil if self.spoil and request.schema_name == "cross_assistant" else dump_json(answer)
        return ChatAnswer(
            text=text,
            finish_reason="stop",
            model=request.model,
            usage=Usage(prompt_tokens=10, completion_tokens=1),
        )


@pytest.mark.parametrize("task", [Task.TRAJECTORY, Task.REASONING, Task.EMPATHY])
def test_two_models_write_turn_by_turn_and_each_sees_its_own_side(task: Task) -> None:
    writer, outlines = make_writer(cross_share=1.0, pairs=[{"user": "a", "assistant": "b"}])
    outline = outlines.draw(task, Language.EN, 4, 1)
    echo = Echo()
    draft = asyncio.run(writer.write(Order(id="x", outline=outline), 1, "", "", echo))
    assert draft.script is not None, draft.problem
    assert draft.usage.total_tokens == 8 * 11
    assert [request.alias for request in echo.asked] == ["a", "b"] * 4
    assert {turn.text_model for turn in draft.script.turns} == {"model-a"}
    assert {turn.response_model for turn in draft.script.turns} == {"model-b"}
    assert draft.script.provenance.model == "model-a + model-b"
    assert outline.brief is not None
    last_user, last_assistant = echo.asked[-2], echo.asked[-1]
    told = "\n".join(message.content for message in last_assistant.messages)
    assert outline.brief.persona.name not in told
    assert not any(event and event in told for event in outline.brief.events)
    assert all(turn.text in told for turn in draft.script.turns)
    assert outline.brief.persona.name in last_user.messages[0].content
    assert draft.script.turns[2].response_text in last_user.messages[-1].content
    roles = [message.role for message in last_user.messages]
    assert roles == ["system"] + ["user", "assistant"] * 3 + ["user"]
    assert len({request.seed for request in echo.asked}) == 8


def test_a_broken_answer_in_the_middle_ends_the_attempt_and_says_where() -> None:
    writer, outlines = make_writer(cross_share=1.0, pairs=[{"user": "a", "assistant": "b"}])
    outline = outlines.draw(Task.EMPATHY, Language.ZH, 3, 1)
    draft = asyncio.run(writer.write(Order(id="x", outline=outline), 1, "", "", Echo(spoil="我不想回答")))
    assert draft.script is None
    assert draft.problem.startswith("turn_1: ")


def test_pairs_are_drawn_by_share_and_single_turns_never_get_one() -> None:
    writer, outlines = make_writer(cross_share=0.3, pairs=[{"user": "a", "assistant": "b"}])
    dialogue = outlines.draw(Task.TRAJECTORY, Language.EN, 3, 0)
    single = outlines.draw(Task.RECOGNITION, Language.EN, 1, 0)
    pairs = sum(writer.team(Order(id=f"{n}", outline=dialogue)).is_pair for n in range(2000))
    assert 520 < pairs < 680
    assert not any(writer.team(Order(id=f"{n}", outline=single)).is_pair for n in range(200))


def test_answers_are_tidied_and_faults_are_named_by_key() -> None:
    outline = OUTLINES.draw(Task.FOLLOW_UP, Language.EN, 1, 0)
    schema = script_schema(outline)
    good = {part.value: f" some   {part.value}\n" for _, part in LINES_OF_TASK[Task.FOLLOW_UP]}
    assert texts_of(good | {"note": 3}, schema)["second_reply"] == "some second_reply"
    assert tidy("e\u0301té ") == "été"
    with pytest.raises(UnreadableAnswer, match="second_reply is missing"):
        texts_of({key: value for key, value in good.items() if key != "second_reply"}, schema)
    with pytest.raises(UnreadableAnswer, match="reply must be a text"):
        texts_of(good | {"reply": ["a"]}, schema)
    with pytest.raises(UnreadableAnswer, match="the answer must be a JSON object"):
        texts_of(None, schema)
    trajectory = OUTLINES.draw(Task.TRAJECTORY, Language.EN, 3, 0)
    turn = {"text": "a", "cause": "b", "reply": "c"}
    with pytest.raises(UnreadableAnswer, match=r"turn_2\.cause must be a text"):
        texts_of({"turn_1": turn, "turn_2": turn | {"cause": " "}, "turn_3": turn}, script_schema(trajectory))


def test_a_tag_that_is_not_allowed_goes_back_with_its_name() -> None:
    outline = OUTLINES.draw(Task.RECOGNITION, Language.EN, 1, 0)
    answer = {"turn_1": {"text": "[cough] Well.", "cause": "a cold", "reply": "Take care."}}
    with pytest.raises(UnreadableAnswer, match=r"\[cough\]"):
        script_from(outline, "x", answer, PROVENANCE, ("m", "m"))


def test_conflict_items_keep_both_emotions() -> None:
    outline = next(
        outline for n in range(50) if (outline := OUTLINES.draw(Task.RECOGNITION, Language.ZH, 1, n)).is_conflict
    )
    answer = {"turn_1": {"text": "挺好的，真挺好。", "cause": "刚被分手", "reply": "听着像是在硬撑。"}}
    script = script_from(outline, "x", answer, PROVENANCE, ("m", "m"))
    assert script.turns[0].emotion is outline.emotions[0].emotion
    assert script.turns[0].text_emotion is outline.emotions[0].text_emotion
    assert script.turns[0].text_emotion is not script.turns[0].emotion


@pytest.mark.parametrize("language", Language)
@given(turns=st.sampled_from(TURNS_OF_TASK[Task.CONVERSATION]), ordinal=st.integers(0, 5000))
@settings(max_examples=40, deadline=None)
def test_a_conversation_is_asked_for_and_read_line_by_line(language: Language, turns: int, ordinal: int) -> None:
    outline = OUTLINES.draw(Task.CONVERSATION, language, turns, ordinal)
    order = Order(id="x", outline=outline)
    request = WRITER.whole_script_request(order, 1, "", "", "a")
    assert list(request.json_schema["properties"]) == [f"line_{n}" for n in range(1, len(outline.lines) + 1)]
    told = request.messages[-1].content.splitlines()
    into = hosts(outline.lines)
    for number, host in enumerate(into, start=1):
        (line,) = [text for text in told if text.startswith(f"line_{number}{'，' if language is Language.ZH else ','}")]
        expected = {number, *([host] if host else []), *(n for n, other in enumerate(into, 1) if other == number)}
        assert {int(found) for found in re.findall(r"line_(\d+)", line)} == expected
        cut = [n for n, other in enumerate(into, 1) if other == number and outline.lines[n - 1].part is INTERRUPTION]
        says_so = re.search(r"会被 line_(\d+) 打断|Cut off by line_(\d+)", line)
        assert (says_so is not None) == bool(cut)
        assert says_so is None or next(filter(None, says_so.groups())) == str(cut[0])
    draft = asyncio.run(WRITER.write(order, 1, "", "", Spoken(outline)))
    assert draft.script is not None, draft.problem
    assert draft.script.planned_lines == outline.lines
    assert draft.script.outline() == outline.model_copy(update={"script_id": "x"})
    assert judge_script(draft.script, Thresholds()) == ()


class Spoken:
    """Answers with noise that keeps the rules."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        body = {
            "seed": request.seed,
            "messages": [message.model_dump() for message in request.messages],
            "response_format": {"json_schema": {"schema": request.json_schema}},
        }
        return ChatAnswer(text=noise_answer(body, self._outline), finish_reason="stop", model=request.model)


@pytest.mark.parametrize("language", Language)
def test_an_answer_of_too_few_or_unnumbered_lines_is_named_by_its_key(language: Language) -> None:
    example = load_example("conversation", language)
    schema = script_schema(example.outline)
    last = f"line_{len(example.outline.lines)}"
    with pytest.raises(UnreadableAnswer, match=f"{last} is missing"):
        texts_of({key: text for key, text in example.answer.items() if key != last}, schema)
    with pytest.raises(UnreadableAnswer, match="line_1 is missing"):
        texts_of({"query": "好", "reply": "ok"}, schema)
    with pytest.raises(UnreadableAnswer, match="line_2 must be a text"):
        texts_of(example.answer | {"line_2": {"reply": "ok"}}, schema)
    paused = example.answer | {"line_1": "我想 [break] 问一句"}
    with pytest.raises(UnreadableAnswer, match="pause"):
        script_from(example.outline, "x", texts_of(paused, schema), PROVENANCE, ("m", "m"))


def test_pairs_of_models_write_no_conversations() -> None:
    writer, outlines = make_writer(cross_share=1.0, pairs=[{"user": "a", "assistant": "b"}])
    outline = outlines.draw(Task.CONVERSATION, Language.ZH, 3, 0)
    assert not any(writer.team(Order(id=f"{n}", outline=outline)).is_pair for n in range(200))


def test_full_duplex_lines_stand_in_order_with_their_model() -> None:
    for task in SUB_TASKS:
        if task is not Task.PAUSE:
            outline = OUTLINES.draw(task, Language.EN, 1, 0)
            answer = {part.value: f"the {part.value}" for _, part in LINES_OF_TASK[task]}
            script = script_from(outline, "x", answer, PROVENANCE, ("m", "m"))
            assert tuple((line.role, line.part) for line in script.lines) == LINES_OF_TASK[task]
            assert {line.model for line in script.lines} == {"m"}
            assert any(line.role is Role.USER for line in script.lines)


def test_the_version_follows_the_files_that_were_shown() -> None:
    versions = {prompt_version((name,), language) for name, language in EXAMPLES}
    assert len(versions) == len(EXAMPLES)
    assert all(re.fullmatch(r"[0-9a-f]{12}", version) for version in versions)


def test_an_outline_without_a_brief_cannot_be_written() -> None:
    bare = Outline.model_validate(
        json.loads(OUTLINES.draw(Task.PAUSE, Language.ZH, 1, 0).to_json_line()) | {"brief": None}
    )
    with pytest.raises(ValueError, match="has no brief"):
        WRITER.whole_script_request(Order(id="x", outline=bare), 1, "", "", "a")
