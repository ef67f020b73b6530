"""The client with the real `openai` package against a loopback server that misbehaves on schedule."""

import asyncio
import json
import logging
import socket
import sys
import traceback
import types
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from data_schemas.chat import ChatAnswer, ChatMessage, ChatRequest, Sampling
from data_schemas.foundation.models import ModelMissing
from generators.remote.answers import AnswerStore, request_key
from generators.remote.chat import ChatClient, ModelRoute
from generators.remote.errors import BudgetSpent, ConfigProblem, EndpointError, NoAnswer, RemoteError
from generators.remote.settings import Budget, EndpointSettings, LocalServer, Price
from tests.support.llm_server import (
    TRANSPORT,
    Fault,
    FaultAt,
    LlmServer,
    is_probe,
    no_faults,
    seeded_faults,
)

T = TypeVar("T")
NO_LIMIT = Budget()
FREE = Price()
SECRET = "sk-proj-A1b2C3d4E5f6G7h8"
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


def request(number: int = 0, alias: str = "writer", model: str = "loopback") -> ChatRequest:
    return ChatRequest(
        alias=alias,
        model=model,
        messages=(
            ChatMessage(role="system", content="你是编剧。"),
            ChatMessage(role="user", content=f"写第 {number} 段对话。"),
        ),
        schema_name="script",
        json_schema=SCHEMA,
        sampling=Sampling(temperature=0.9, top_p=0.95, max_tokens=64),
        seed=number,
    )


def good(body: dict[str, Any]) -> str:
    if is_probe(body):
        return '{"word": "hello"}'
    return json.dumps({"text": f"好的：{body['messages'][-1]['content']}"}, ensure_ascii=False)


def always(kind: str, **more: Any) -> FaultAt:
    return lambda number, body: Fault(kind, **more)  # type: ignore[arg-type]


class Setting:
    """A store, settings with tiny waits, and a way to run something with a client."""

    def __init__(self, folder: Path) -> None:
        self.store = AnswerStore(folder / "answers.sqlite")
        self.folder = folder
        self.sent = 0
        self.usage: tuple[Any, ...] = ()

    def run(
        self,
        base_url: str,
        work: Callable[[ChatClient], Coroutine[Any, Any, T]],
        budget: Budget = NO_LIMIT,
        retry_failed: bool = False,
        price: Price = FREE,
        **endpoint: Any,
    ) -> T:
        tiny: dict[str, Any] = {"backoff_s": 0.001, "max_backoff_s": 0.01, "retries": 3, "structured": "json_schema"}
        settings = EndpointSettings(base_url=base_url, **(tiny | endpoint))
        routes = {alias: ModelRoute(endpoint="loop", price=price) for alias in ("writer", "judge")}

        async def main() -> T:
            async with ChatClient(
                {"loop": settings}, routes, self.store, budget, 7, self.folder, retry_failed=retry_failed
            ) as client:
                try:
                    return await work(client)
                finally:
                    self.sent = client.sent
                    self.usage = client.usage()

        return asyncio.run(main())

    def ask(self, base_url: str, *requests: ChatRequest, **more: Any) -> list[ChatAnswer]:
        async def work(client: ChatClient) -> list[ChatAnswer]:
            return await asyncio.gather(*(client.ask(one) for one in requests))

        return self.run(base_url, work, **more)

    def outcomes(self, base_url: str, *requests: ChatRequest, **more: Any) -> list[ChatAnswer | BaseException]:
        async def work(client: ChatClient) -> list[ChatAnswer | BaseException]:
            return await asyncio.gather(*(client.ask(one) for one in requests), return_exceptions=True)

        return self.run(base_url, work, **more)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


# -- once and never again ---------------------------------------------------------------------------


def test_a_question_is_sent_whole_and_its_answer_kept(setting: Setting) -> None:
    with LlmServer(good) as server:
        (answer,) = setting.ask(server.base_url, request(3))
    assert json.loads(answer.text) == {"text": "好的：写第 3 段对话。"}
    assert (answer.finish_reason, answer.model) == ("stop", "loopback")
    assert answer.usage.prompt_tokens > 0
    body = server.seen.bodies[0]
    assert body == {
        "model": "loopback",
        "messages": [message.model_dump() for message in request(3).messages],
        "seed": 3,
        "max_tokens": 64,
        "temperature": 0.9,
        "top_p": 0.95,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "script", "strict": True, "schema": SCHEMA},
        },
    }
    assert setting.store.get(request_key(request(3))) == answer


def test_the_second_run_makes_no_request_and_needs_neither_server_nor_key(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_KEY", SECRET)
    requests = [request(number) for number in range(20)]
    with LlmServer(good) as server:
        first = setting.ask(server.base_url, *requests, api_key_env="LOOP_KEY")
        assert server.requests == setting.sent == 20
    monkeypatch.delenv("LOOP_KEY")
    assert setting.ask(unused_url(), *requests, api_key_env="LOOP_KEY") == first
    assert setting.sent == 0
    (usage,) = setting.usage
    assert (usage.requests, usage.from_store, usage.prompt_tokens) == (0, 20, 0)


def test_the_same_question_asked_twice_at_once_is_sent_once(setting: Setting) -> None:
    with LlmServer(good, latency_s=0.02) as server:
        answers = setting.ask(server.base_url, *([request()] * 10), request(alias="judge"))
        assert server.requests == 1
    assert len(set(answers)) == 1


def test_when_the_first_of_two_is_cancelled_the_other_still_gets_its_answer(setting: Setting) -> None:
    async def work(client: ChatClient) -> ChatAnswer:
        first = asyncio.create_task(client.ask(request()))
        second = asyncio.create_task(client.ask(request()))
        await asyncio.sleep(0.05)
        first.cancel()
        return await second

    with LlmServer(good, latency_s=0.2) as server:
        assert setting.run(server.base_url, work).finish_reason == "stop"


def test_the_ledger_counts_per_alias(setting: Setting) -> None:
    price = Price(input_per_million=1e6, output_per_million=2e6)
    with LlmServer(good) as server:
        answers = setting.ask(server.base_url, request(1), request(2), request(3, alias="judge"), price=price)
    assert [(row.alias, row.model, row.requests) for row in setting.usage] == [
        ("judge", "loopback", 1),
        ("writer", "loopback", 2),
    ]
    tokens = sum(row.prompt_tokens + row.completion_tokens for row in setting.usage)
    assert tokens == sum(answer.usage.total_tokens for answer in answers)
    cost = sum(row.prompt_tokens + 2 * row.completion_tokens for row in setting.usage)
    assert sum(row.cost for row in setting.usage) == pytest.approx(cost)


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TRANSPORT)
def test_what_can_be_mended_by_sending_again_is(setting: Setting, kind: str) -> None:
    with LlmServer(good, lambda n, body: Fault(kind, seconds=0.02) if n < 2 else None) as server:  # type: ignore[arg-type]
        (answer,) = setting.ask(server.base_url, request())
        expected = 1 if kind == "drip" else 3
        assert server.requests == setting.sent == expected
    assert answer.text == good({"messages": [{"content": "写第 0 段对话。"}]})
    assert setting.usage[0].retries == expected - 1


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_time_limit_is_for_the_whole_answer(setting: Setting, kind: str) -> None:
    with LlmServer(good, lambda n, body: Fault(kind, seconds=5.0) if n == 0 else None) as server:  # type: ignore[arg-type]
        setting.ask(server.base_url, request(), timeout_s=2.0)
        assert server.requests == 2


def test_retry_after_pauses_every_new_question(setting: Setting) -> None:
    faults = {0: Fault("429_after", seconds=1.0)}

    async def work(client: ChatClient) -> None:
        first = asyncio.create_task(client.ask(request(0)))
        while client.in_flight("loop")[1] != 4:  # halved from 8 at the moment that begins the pause
            await asyncio.sleep(0.005)
        await asyncio.gather(first, *(client.ask(request(number)) for number in range(1, 6)))

    with LlmServer(good, lambda n, body: faults.get(n)) as server:
        setting.run(server.base_url, work, max_backoff_s=2.0)
    times = server.seen.times
    assert len(times) == 7
    assert times[1] - times[0] >= 0.98


def test_a_retry_after_of_hours_is_not_obeyed(setting: Setting) -> None:
    with LlmServer(good, lambda n, body: Fault("429_after", seconds=9999) if n == 0 else None) as server:
        setting.ask(server.base_url, request())
        assert 0.03 <= server.seen.times[1] - server.seen.times[0] < 5


def test_concurrency_rises_to_what_is_allowed_and_not_over_it(setting: Setting) -> None:
    async def work(client: ChatClient) -> tuple[int, int]:
        await asyncio.gather(*(client.ask(request(number)) for number in range(60)))
        return client.in_flight("loop")

    # by the twentieth question eight are allowed, and these are there long enough to be met together
    slow = {number: Fault("hang", seconds=0.5) for number in range(20, 28)}
    with LlmServer(good, lambda n, body: slow.get(n), latency_s=0.005) as server:
        assert setting.run(server.base_url, work, start_in_flight=2, max_in_flight=8) == (8, 8)
        assert 2 < server.most_in_flight <= 8
        assert server.seen.connections <= 8


def test_concurrency_falls_when_the_server_pushes_back(setting: Setting) -> None:
    limits: list[int] = []

    async def work(client: ChatClient) -> None:
        await asyncio.gather(*(client.ask(request(number)) for number in range(8)))
        limits.append(client.in_flight("loop")[1])
        await asyncio.gather(*(client.ask(request(number)) for number in range(8, 16)))
        limits.append(client.in_flight("loop")[1])

    with LlmServer(good, lambda n, body: Fault("429") if n == 8 else None, latency_s=0.01) as server:
        setting.run(server.base_url, work, start_in_flight=8, max_in_flight=8)
    assert limits[0] == 8
    assert limits[1] in (4, 5)


@pytest.mark.parametrize("kind", ["truncated", "empty"])
def test_cut_and_empty_answers_are_asked_for_again_with_other_seeds(setting: Setting, kind: str) -> None:
    with LlmServer(good, lambda n, body: Fault(kind) if n < 2 else None) as server:  # type: ignore[arg-type]
        (answer,) = setting.ask(server.base_url, request())
        assert answer.finish_reason == "stop"
        assert len({body["seed"] for body in server.seen.bodies}) == 3
    assert setting.usage[0].retries == 2


@pytest.mark.parametrize(("kind", "finish_reason"), [("truncated", "length"), ("empty", "stop")])
def test_after_two_more_tries_a_cut_answer_is_the_answer(setting: Setting, kind: str, finish_reason: str) -> None:
    with LlmServer(good, always(kind)) as server:
        (answer,) = setting.ask(server.base_url, request())
        assert (answer.finish_reason, server.requests) == (finish_reason, 3)
        assert setting.ask(server.base_url, request()) == [answer]
        assert server.requests == 3


def test_the_storm(setting: Setting) -> None:
    """Every kind of fault on a third of the requests: each question ends exactly once, and the rerun is silent."""
    requests = [request(number) for number in range(120)]
    with LlmServer(good, seeded_faults(11, 0.33), latency_s=0.002) as server:
        first = setting.outcomes(server.base_url, *requests, retries=8)
        assert server.requests == setting.sent
        assert set(server.seen.faults) >= set(TRANSPORT)
        kinds = Counter(type(outcome).__name__ for outcome in first)
        assert set(kinds) == {"ChatAnswer"}
        assert len(setting.store) == 120
        before = server.requests
        assert setting.outcomes(server.base_url, *requests, retries=8) == first
        assert (server.requests, setting.sent) == (before, 0)


# -- whose fault it is --------------------------------------------------------------------------------


def only(number: int, fault: Fault) -> FaultAt:
    marked = f"写第 {number} 段对话。"
    return lambda n, body: fault if body["messages"][-1]["content"] == marked else None


@pytest.mark.parametrize("fault", [Fault("500"), Fault("cut"), Fault("hang", seconds=5)])
def test_a_question_that_never_gets_through_is_recorded_and_told_again_without_contact(
    setting: Setting, fault: Fault
) -> None:
    requests = [request(number) for number in range(6)]
    with LlmServer(good, only(3, fault), latency_s=0.01) as server:
        outcomes = setting.outcomes(server.base_url, *requests, retries=2, timeout_s=1.0)
        (failed,) = [outcome for outcome in outcomes if not isinstance(outcome, ChatAnswer)]
        assert isinstance(failed, NoAnswer)
        assert outcomes[3] is failed
        assert "'loop'" in failed.reason
        assert "3 tries" in failed.reason
        before = server.requests
        again = setting.outcomes(server.base_url, *requests)
        assert (server.requests, setting.sent) == (before, 0)
        assert isinstance(again[3], NoAnswer)
        assert again[3].reason == failed.reason
        server.fault_at = no_faults
        mended = setting.outcomes(server.base_url, *requests, retry_failed=True)
        assert setting.sent == 1
        assert all(isinstance(outcome, ChatAnswer) for outcome in mended)
    assert setting.store.failure(request_key(request(3))) is None


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_question_is_not_sent_twice(setting: Setting, status: int) -> None:
    with LlmServer(good, only(1, Fault("status", status=status, message="提示太长"))) as server:
        outcomes = setting.outcomes(server.base_url, request(0), request(1))
        assert server.requests == 2
    assert isinstance(outcomes[1], NoAnswer)
    assert f"status {status}: 提示太长" in outcomes[1].reason


def test_retried_failures_are_not_retried_within_the_run(setting: Setting) -> None:
    async def work(client: ChatClient) -> None:
        for _ in range(3):
            with pytest.raises(NoAnswer):
                await client.ask(request())

    with LlmServer(good, always("status", status=400)) as server:
        setting.run(server.base_url, work)
        setting.run(server.base_url, work, retry_failed=True)
        assert server.requests == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "api_key_env"), (403, "does not accept"), (404, "base_url"), (402, "account")],
)
def test_a_wrong_endpoint_stops_everybody_and_records_nothing(setting: Setting, status: int, words: str) -> None:
    requests = [request(number) for number in range(10)]
    with LlmServer(good, always("status", status=status)) as server:
        outcomes = setting.outcomes(server.base_url, *requests, start_in_flight=2)
        assert server.requests <= 2
    for one, outcome in zip(requests, outcomes, strict=True):
        assert isinstance(outcome, EndpointError)
        assert words in str(outcome)
        assert "'loop'" in str(outcome)
        assert server.base_url in str(outcome)
        assert setting.store.failure(request_key(one)) is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_stops_everybody_and_says_where_it_leads(setting: Setting, status: int) -> None:
    """Also where following it would work: every question would go twice, and the key first to the wrong address."""
    requests = [request(number) for number in range(4)]
    with LlmServer(good) as right:
        moved = f"{right.base_url}/chat/completions?key={SECRET}"
        with LlmServer(good, always("status", status=status, location=moved)) as server:
            outcomes = setting.outcomes(server.base_url, *requests, max_in_flight=1, start_in_flight=1)
            assert (server.requests, right.requests) == (1, 0)
    for one, outcome in zip(requests, outcomes, strict=True):
        assert isinstance(outcome, EndpointError)
        assert str(outcome) == (
            f"endpoint 'loop' ({server.base_url}) redirects to {right.base_url.removesuffix('/v1')} (status {status}), "
            "which is not followed; correct base_url, then run the same command again"
        )
        assert setting.store.failure(request_key(one)) is None


def test_a_server_that_is_not_there(setting: Setting) -> None:
    url = unused_url()
    (outcome,) = setting.outcomes(url, request(), retries=1)
    assert isinstance(outcome, EndpointError)
    assert f"'loop' ({url}) cannot be reached (no connection, 2 tries); start the server" in str(outcome)
    assert setting.store.failure(request_key(request())) is None


@pytest.mark.parametrize("kind", ["500", "429", "closed", "bad_body", "hang"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_server_that_is_down_blames_no_question(setting: Setting, kind: str, at_once: bool) -> None:
    requests = [request(number) for number in range(8)]

    async def in_a_row(client: ChatClient) -> list[ChatAnswer | BaseException]:
        return [(await asyncio.gather(client.ask(one), return_exceptions=True))[0] for one in requests]

    more: dict[str, Any] = {"retries": 1, "timeout_s": 0.1}
    with LlmServer(good, always(kind, seconds=1.0)) as server:
        if at_once:
            outcomes = setting.outcomes(server.base_url, *requests, **more)
        else:
            outcomes = setting.run(server.base_url, in_a_row, **more)
    assert isinstance(outcomes[-1], EndpointError)
    assert "is down: 3 questions in a row got no answer, each in 2 tries" in str(outcomes[-1])
    assert not at_once or all(isinstance(outcome, EndpointError) for outcome in outcomes)
    assert [setting.store.failure(request_key(one)) for one in requests] == [None] * 8


# -- structured output ----------------------------------------------------------------------------------


def formats(server: LlmServer) -> list[str]:
    return [body.get("response_format", {}).get("type", "text") for body in server.seen.bodies]


@pytest.mark.parametrize(
    ("modes", "seen"),
    [
        (("json_schema", "json_object", "text"), ["json_schema", "json_schema"]),
        (("json_object", "text"), ["json_schema", "json_object", "json_object"]),
        (("text",), ["json_schema", "json_object", "text", "text"]),
    ],
)
def test_the_mode_is_probed_once_and_remembered(setting: Setting, modes: tuple[str, ...], seen: list[str]) -> None:
    with LlmServer(good, modes=modes) as server:
        setting.ask(server.base_url, *(request(number) for number in range(5)), structured="auto")
        assert formats(server) == seen + seen[-1:] * 4
        assert server.requests == setting.sent
        setting.ask(server.base_url, request(9), structured="auto")
        assert setting.sent == 1
    system = server.seen.bodies[-1]["messages"][0]["content"]
    assert len(server.seen.bodies[-1]["messages"]) == 2
    assert system.startswith("你是编剧。")
    assert ("JSON Schema" in system) == (modes[0] != "json_schema")


def test_a_server_that_ignores_response_format_is_asked_in_words(setting: Setting) -> None:
    def answer(body: dict[str, Any]) -> str:
        return "Hello there!" if is_probe(body) else good(body)

    with LlmServer(answer) as server:
        setting.ask(server.base_url, request(), structured="auto")
    assert formats(server)[-1] == "text"


def test_a_later_complaint_leads_one_step_down(setting: Setting) -> None:
    with LlmServer(good) as server:
        setting.ask(server.base_url, request(0), structured="auto")
        server.modes = ("json_object", "text")
        answers = setting.ask(server.base_url, *(request(number) for number in range(1, 9)), structured="auto")
        assert len(answers) == 8
        assert set(formats(server)[-8:]) <= {"json_schema", "json_object"}
    assert setting.store.recall(server.base_url, "loopback") == "json_object"


def test_a_chosen_mode_that_is_refused_is_an_error_of_the_configuration(setting: Setting) -> None:
    with LlmServer(good, modes=("text",)) as server:
        (outcome,) = setting.outcomes(server.base_url, request())
    assert isinstance(outcome, EndpointError)
    assert "set structured to auto" in str(outcome)


def test_a_model_that_refuses_even_a_plain_question(setting: Setting) -> None:
    with LlmServer(good, always("status", status=400, message="model loopback is not loaded")) as server:
        (outcome,) = setting.outcomes(server.base_url, request(), structured="auto")
    assert isinstance(outcome, EndpointError)
    assert "refuses even a plain question" in str(outcome)
    assert "is not loaded" in str(outcome)
    assert setting.store.recall(server.base_url, "loopback") is None


# -- budgets ----------------------------------------------------------------------------------------------


def test_a_token_budget_is_not_passed_and_the_next_run_goes_on(setting: Setting) -> None:
    requests = [request(number) for number in range(40)]
    with LlmServer(good, latency_s=0.005) as server:
        first = setting.outcomes(server.base_url, *requests, budget=Budget(tokens=500))
        kinds = Counter(type(outcome).__name__ for outcome in first)
        assert set(kinds) == {"ChatAnswer", "BudgetSpent"}
        assert server.requests == kinds["ChatAnswer"]
        assert sum(row.prompt_tokens + row.completion_tokens for row in setting.usage) <= 500
        assert all(setting.store.failure(request_key(one)) is None for one in requests)
        setting.ask(server.base_url, *requests)
        assert server.requests == 40


def test_a_server_that_counts_nothing_does_not_make_it_free(setting: Setting) -> None:
    requests = [request(number) for number in range(40)]
    with LlmServer(good, count_usage=False) as server:
        outcomes = setting.outcomes(server.base_url, *requests, budget=Budget(tokens=500))
    assert any(isinstance(outcome, BudgetSpent) for outcome in outcomes)
    answers = [outcome for outcome in outcomes if isinstance(outcome, ChatAnswer)]
    assert {answer.usage.total_tokens for answer in answers} == {0}
    assert setting.usage[0].prompt_tokens > 0


def test_stored_answers_cost_no_budget(setting: Setting) -> None:
    requests = [request(number) for number in range(5)]
    with LlmServer(good) as server:
        first = setting.ask(server.base_url, *requests)
    assert setting.ask(server.base_url, *requests, budget=Budget(tokens=1)) == first


# -- keys -----------------------------------------------------------------------------------------------------


def test_a_missing_key_is_an_error_before_anything_is_sent(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOP_KEY", raising=False)
    with LlmServer(good) as server:
        (outcome,) = setting.outcomes(server.base_url, request(), api_key_env="LOOP_KEY")
        assert server.requests == 0
    assert isinstance(outcome, ConfigProblem)
    assert "LOOP_KEY" in str(outcome)


def whole_story(error: BaseException) -> str:
    """Everything a logger, a traceback or a debugger would show of an error and of those behind it."""
    story = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        story += [str(link), repr(link), repr(link.args), repr(getattr(link, "body", ""))]
        waiting += [link.__cause__, link.__context__]
    return "\n".join(story)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_a_server_that_echoes_the_key_does_not_get_it_anywhere(
    setting: Setting, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LOOP_KEY", SECRET)
    message = f"bad header {{authorization}}, {SECRET[:7]}****{SECRET[-4:]}, begins {SECRET[:9]}"
    with caplog.at_level(logging.DEBUG), LlmServer(good, always("status", status=status, message=message)) as server:
        outcomes = setting.outcomes(
            server.base_url, *(request(number) for number in range(4)), api_key_env="LOOP_KEY", retries=1
        )
    for outcome in outcomes:
        assert isinstance(outcome, RemoteError)
        assert SECRET[:8] not in whole_story(outcome)
        assert SECRET[-6:] not in whole_story(outcome)
    setting.store.close()
    kept = b"".join(path.read_bytes() for path in setting.folder.rglob("*") if path.is_file())
    for place in (kept.decode("utf-8", "replace"), caplog.text):
        assert SECRET[:8] not in place
        assert SECRET[-6:] not in place


def test_an_answer_that_quotes_the_key_is_kept_without_it(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_KEY", SECRET)
    with LlmServer(lambda body: json.dumps({"text": f"Bearer {SECRET}"})) as server:
        (answer,) = setting.ask(server.base_url, request(), api_key_env="LOOP_KEY")
    assert SECRET not in answer.text
    setting.store.close()
    assert SECRET.encode() not in (setting.folder / "answers.sqlite").read_bytes()


def test_answers_with_half_characters_can_be_kept(setting: Setting) -> None:
    half = "\ud83d"
    with LlmServer(lambda body: f"好{half}") as server:
        (answer,) = setting.ask(server.base_url, request())
    assert answer.text == "好?"
    assert setting.store.get(request_key(request())) == answer


# -- llama.cpp in this process (the real one: tests/integration/test_local_llm.py) ------------------------------


def ask_local(setting: Setting, local: LocalServer) -> None:
    async def main() -> None:
        endpoints = {"local": EndpointSettings(local=local)}
        routes = {"writer": ModelRoute(endpoint="local")}
        async with ChatClient(endpoints, routes, setting.store, NO_LIMIT, 7, setting.folder) as client:
            await client.ask(request())

    asyncio.run(main())


def test_a_missing_package_is_told_with_the_command(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ConfigProblem, match=r"'local'.*pip install -e '\.\[local-llm\]'"):
        ask_local(setting, LocalServer())


def test_a_missing_model_is_told_with_the_command(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", types.ModuleType("xllamacpp"))
    monkeypatch.setenv("HUMDIAL_MODELS", str(setting.folder))
    with pytest.raises(ModelMissing, match="humdial models fetch smollm2-135m-q4"):
        ask_local(setting, LocalServer())
