"""The script factory with the real client: what is asked, what is decided, what is never asked twice."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data_schemas.foundation.randomness import named_generator, named_seed
from data_schemas.plan import Place
from data_schemas.script import Script
from data_schemas.tasks import Language, Part, Task
from flows.config.build_config import BuildConfig
from flows.scripts.phase import ANSWERS_FILE, SCRIPTS_FOLDER
from flows.scripts.report import ScriptReport, ScriptUsage
from flows.scripts.spool import QUARANTINE_FILE
from generators.remote.errors import EndpointError
from generators.scripts.script_file import read_script_file
from tests.support.llm_answers import PlannedAnswers, noise_answer
from tests.support.llm_server import Fault, LlmServer, is_probe
from tests.support.script_orders import factory_of, llm_config, orders_of, wanted

RECOGNITION = Task.RECOGNITION
Body = dict[str, Any]


def quota(count: int, *languages: str) -> tuple[dict[str, Any], ...]:
    wish = {"task": "recognition", "splits": ["train"], "turns": [1]}
    return ({**wish, "languages": list(languages or ("en",)), "count": count},)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer() as running:
        yield running


class Run:
    """One run of the factory: its report, its frozen bytes, its quarantine."""

    def __init__(self, config: BuildConfig, retry_failed: bool = False) -> None:
        factory = factory_of(config, retry_failed)
        try:
            self.report: ScriptReport = factory.fill(wanted(config))
            target = config.work_dir / "frozen.jsonl"
            self.count = len(factory.freeze(target))
        finally:
            factory.close()
        self.frozen = target.read_bytes()
        self.scripts: tuple[Script, ...] = read_script_file(target) if self.frozen else ()
        self.quarantine = (config.work_dir / SCRIPTS_FOLDER / QUARANTINE_FILE).read_bytes()
        self.rejected: list[dict[str, Any]] = [json.loads(line) for line in self.quarantine.splitlines()]

    def codes(self, number: int = 0) -> list[str]:
        return [finding["code"] for finding in self.rejected[number]["findings"]]


def stages(config: BuildConfig, stage: str) -> dict[int, str]:
    """Which order a request with a seed is for, at one stage."""
    return {named_seed(config.seed, order.id, stage): order.id for order in orders_of(config)}


def planned(config: BuildConfig) -> PlannedAnswers:
    return PlannedAnswers(config.seed, orders_of(config))


def questions(server: LlmServer) -> Counter[str]:
    """How often each question was sent, the client's probes apart."""
    return Counter(json.dumps(body, sort_keys=True) for body in server.seen.bodies if not is_probe(body))


def is_judge(body: Body) -> bool:
    return str(body["response_format"]["json_schema"]["name"]).startswith("judge_")


def but(good: Callable[[Body], str], change: Callable[[Body, dict[str, Any]], None]) -> Callable[[Body], str]:
    """Good answers, changed in place; probes are left alone."""

    def answer(body: Body) -> str:
        if is_probe(body):
            return good(body)
        found = json.loads(good(body))
        change(body, found)
        return json.dumps(found, ensure_ascii=False)

    return answer


def spoil(body: Body, found: dict[str, Any]) -> None:
    """Break the rules of spoken style."""
    if not is_judge(body):
        found["turn_1"]["text"] += " Look at https://example.com now."


# -- sent back with reasons --------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_reasons_reach_the_writer(server: LlmServer, tmp_path: Path, language: str) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3, language))
    first, second = stages(config, "write-1"), stages(config, "write-2")
    good = planned(config)
    server.answer = but(good, lambda body, found: spoil(body, found) if body["seed"] in first else None)
    run = Run(config)
    assert run.report.accepted == 3
    assert run.report.attempts == {"2": 3}
    assert {script.provenance.attempts for script in run.scripts} == {2}
    again = [body for body in server.seen.bodies if body["seed"] in second]
    assert len(again) == 3
    for body in again:
        assert "https://example.com" in body["messages"][-2]["content"], "the writer sees what it wrote"
        assert "address" in body["messages"][-1]["content"], "and what is wrong with it"


@pytest.mark.parametrize("rewrites", [0, 2])
def test_nobody_is_asked_more_often_than_allowed(server: LlmServer, tmp_path: Path, rewrites: int) -> None:
    config = llm_config(tmp_path, server.base_url, quota(2), reading={"rewrites": rewrites}, rounds=1)
    server.answer = but(planned(config), spoil)
    run = Run(config)
    assert (run.report.accepted, run.report.rejected) == (0, 4), "two orders and two that replace them"
    assert not run.report.is_full
    assert run.report.rejected_because == {"SCRIPT.STYLE": 4}
    assert questions(server).total() == 4 * (rewrites + 1)
    assert [entry["attempts"] for entry in run.rejected] == [rewrites + 1] * 4
    assert run.codes() == ["SCRIPT.STYLE"] * (rewrites + 1)
    assert len({entry["order"]["id"] for entry in run.rejected}) == 4


def test_an_answer_that_is_no_script_is_said_to_be_so(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(1, "zh"), reading={"rewrites": 1}, rounds=0)
    server.answer = lambda body: '{"turn_1": {"text": "只有一句'
    run = Run(config)
    assert run.codes() == ["SCRIPT.UNREADABLE"] * 2
    assert run.rejected[0]["script"] is None
    assert run.rejected[0]["answer"].endswith("只有一句")
    server.fault_at = lambda number, body: Fault("truncated")
    run = Run(llm_config(tmp_path / "b", server.base_url, quota(1, "zh"), reading={"rewrites": 0}, rounds=0))
    assert run.codes() == ["SCRIPT.TRUNCATED"]


def test_a_pair_of_models_hears_the_reasons_too(server: LlmServer, tmp_path: Path) -> None:
    pairs: dict[str, Any] = {"pairs": [{"user": "writer", "assistant": "other"}], "cross_share": 1.0}
    quotas = ({"task": "empathy", "languages": ["zh"], "splits": ["dev"], "turns": [3], "count": 2},)
    config = llm_config(tmp_path, server.base_url, quotas, **pairs)

    def add_a_phone(body: Body, found: dict[str, Any]) -> None:
        if "text" in found and "【意见】" not in body["messages"][0]["content"]:
            found["text"] = "我的电话是13812345678，" + found["text"]

    server.answer = but(planned(config), add_a_phone)
    run = Run(config)
    assert run.report.accepted == 2
    for script in run.scripts:
        assert script.provenance.attempts == 2
        assert {turn.text_model for turn in script.turns} == {"writer-model"}
        assert {turn.response_model for turn in script.turns} == {"other-model"}
    rewritten = [body for body in server.seen.bodies if "【意见】" in body["messages"][0]["content"]]
    assert len(rewritten) == 2 * 3 * 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_conversation_is_sent_back_with_the_number_of_the_line(
    server: LlmServer, tmp_path: Path, language: str
) -> None:
    """Every first version has a reply that is over before the user has barged in; the second has not."""
    quotas = ({"task": "conversation", "languages": [language], "splits": ["train"], "turns": [3], "count": 3},)
    config = llm_config(tmp_path, server.base_url, quotas, planning={"barge_in_share": 1.0})
    replies = {
        order.id: next(n for n, line in enumerate(order.outline.lines, 1) if line.part is Part.REPLY)
        for order in orders_of(config)
    }
    first, second = stages(config, "write-1"), stages(config, "write-2")

    def be_short(body: Body, found: dict[str, Any]) -> None:
        if order := first.get(body["seed"]):
            found[f"line_{replies[order]}"] = {"zh": "好啊。", "en": "Oh yes."}[language]

    server.answer = but(planned(config), be_short)
    run = Run(config)
    assert run.report.accepted == 3
    for script in run.scripts:
        assert script.provenance.attempts == 2
        assert sum(line.part is Part.INTERRUPTION for line in script.lines) == 2
    notes = {second[b["seed"]]: b["messages"][-1]["content"] for b in server.seen.bodies if b["seed"] in second}
    assert len(notes) == 3
    for order, note in notes.items():
        assert f"line {replies[order]} (reply): takes about" in note


# -- a model as a judge ------------------------------------------------------------------------------


def judged(config: BuildConfig, score: Callable[[Body], int], reasons: str = "没人这样说话") -> Callable[[Body], str]:
    """Good scripts, and judgements of a chosen score."""

    def judge(body: Body, found: dict[str, Any]) -> None:
        if is_judge(body):
            given = score(body)
            found |= {key: reasons if isinstance(value, str) else given for key, value in found.items()}

    return but(planned(config), judge)


def test_the_judges_reasons_reach_the_writer(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3, "zh"), judge=True)
    first = stages(config, "judge-1-1")
    server.answer = judged(config, lambda body: 1 if body["seed"] in first else 3)
    run = Run(config)
    assert run.report.accepted == 3
    assert run.report.attempts == {"2": 3}
    second = stages(config, "write-2")
    told = [body["messages"][-1]["content"] for body in server.seen.bodies if body["seed"] in second]
    assert len(told) == 3
    assert all("没人这样说话" in words and "naturalness 1" in words for words in told)
    assert {model.alias: model.answers for model in run.report.models} == {"judge": 6, "writer": 6}


def test_only_scripts_that_keep_the_rules_are_judged(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(2), judge=True, rounds=0)
    server.answer = but(planned(config), spoil)
    run = Run(config)
    assert run.report.rejected == 2
    assert not any(is_judge(body) for body in server.seen.bodies if not is_probe(body))


def test_another_threshold_asks_nothing_that_is_known(server: LlmServer, tmp_path: Path) -> None:
    reading: dict[str, Any] = {"rewrites": 1, "judge": {"model": "judge", "min_score": 5}}
    config = llm_config(tmp_path, server.base_url, quota(4), reading=reading, rounds=1)
    server.answer = judged(config, lambda body: 3)
    strict = Run(config)
    assert strict.report.accepted == 0
    assert set(strict.report.rejected_because) == {"SCRIPT.JUDGE_SCORE"}
    sent = server.requests
    reading["judge"]["min_score"] = 3
    mild = Run(llm_config(tmp_path, server.base_url, quota(4), reading=reading, rounds=1))
    assert mild.report.accepted == 4
    assert mild.report.attempts == {"1": 4}
    assert mild.rejected == []
    assert server.requests == sent
    assert mild.report.requests_sent == 0


@pytest.mark.parametrize("broken", [1, 2])
def test_a_broken_judgement_is_asked_for_once_more(server: LlmServer, tmp_path: Path, broken: int) -> None:
    config = llm_config(tmp_path, server.base_url, quota(2), judge=True, rounds=0)
    spoiling = {seed for number in range(1, broken + 1) for seed in stages(config, f"judge-1-{number}")}
    good = planned(config)
    server.answer = lambda body: '{"verdict": "好"}' if body["seed"] in spoiling else good(body)
    run = Run(config)
    asked = [body for body in server.seen.bodies if not is_probe(body)]
    assert sum(is_judge(body) for body in asked) == 4
    assert sum(not is_judge(body) for body in asked) == 2, "the writer is not asked to mend the judge's fault"
    assert len({body["seed"] for body in asked}) == 6
    if broken == 1:
        assert run.report.accepted == 2
    else:  # what nobody has read is not accepted
        assert run.report.rejected_because == {"SCRIPT.JUDGE_UNREADABLE": 2}
        assert "verdict" in run.rejected[0]["findings"][-1]["message"]


# -- decisions about the set -------------------------------------------------------------------------


def slow_by(seed: int) -> Callable[[int, Body], Fault | None]:
    """Every answer takes its own time, drawn by (seed, the question)."""

    def fault_at(number: int, body: Body) -> Fault | None:
        if is_probe(body):
            return None
        generator = named_generator(seed, str(body["seed"]), "latency")
        return Fault("hang", seconds=float(generator.uniform(0.0, 0.06)))

    return fault_at


def test_near_duplicates_are_decided_in_order_whoever_is_faster(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(8, "en", "zh"))
    first = stages(config, "write-1")
    originals = {order.id: order for order in orders_of(config)}
    good = planned(config)

    def answer(body: Body) -> str:
        name = first.get(body["seed"])
        if name is None:
            return good(body)
        language = name[:2]
        twin = f"{language}-recognition-1-{int(name.split('-')[3]) // 3 * 3:05d}-s{config.seed}"  # three alike
        seed = named_seed(config.seed, twin, "write-1")
        return noise_answer(body | {"seed": seed}, originals[name].outline)

    server.answer = answer
    runs = []
    for seed, in_flight in ((0, 1), (1, 8), (2, 32), (3, 32)):
        server.fault_at = slow_by(seed)
        endpoint = {"max_in_flight": in_flight, "start_in_flight": in_flight}
        runs.append(Run(llm_config(tmp_path / str(seed), server.base_url, quota(8, "en", "zh"), endpoint=endpoint)))
    for script in runs[0].scripts:
        place = int(script.script_id.split("-")[3])
        assert script.provenance.attempts == (1 if place % 3 == 0 else 2), script.script_id
    for run in runs[1:]:
        assert run.frozen == runs[0].frozen
        assert run.quarantine == runs[0].quarantine
    second = stages(config, "write-2")
    told = [body["messages"][-1]["content"] for body in server.seen.bodies if body["seed"] in second]
    assert told
    assert all("stand in" in words or "nearly the script" in words for words in told)


def test_a_worn_opening_is_sent_back_then_rejected(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(6, "zh"), reading={"rewrites": 1}, rounds=1)

    def begin_alike(body: Body, found: dict[str, Any]) -> None:
        found["turn_1"]["text"] = "你知道吗，" + found["turn_1"]["text"]

    server.answer = but(planned(config), begin_alike)
    run = Run(config)
    assert run.report.accepted == 2
    assert run.report.rejected == 4 + 4
    assert run.report.rejected_because == {"SCRIPT.COLLAPSE": 8}
    assert "你知道" in run.rejected[0]["findings"][0]["message"]
    assert [entry["attempts"] for entry in run.rejected] == [2] * 8
    assert run.report.diversity.languages[Language.ZH].openings["all"].top[0] == ("你知道", 2)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_planted_line_never_comes_back(server: LlmServer, tmp_path: Path, language: str) -> None:
    config = llm_config(tmp_path / "free", server.base_url, quota(3, language))
    server.answer = planned(config)
    free = Run(config)
    planted = free.scripts[1].turns[0].text
    secret = tmp_path / "测试集" / "test.jsonl"
    secret.parent.mkdir()
    secret.write_text(json.dumps({"text": planted}, ensure_ascii=False) + "\n", encoding="utf-8")
    reading = {"exclude": [str(secret.parent)]}
    run = Run(llm_config(tmp_path / "held", server.base_url, quota(3, language), reading=reading))
    assert run.report.accepted == 3
    assert planted not in run.frozen.decode()
    assert [script.provenance.attempts for script in run.scripts] == [1, 2, 1]
    told = [body["messages"][-1]["content"] for body in server.seen.bodies if "test.jsonl:1" in str(body["messages"])]
    assert len(told) == 1
    assert planted in told[0]


# -- nothing is asked twice --------------------------------------------------------------------------


def test_a_second_run_asks_nothing_and_tells_the_same(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3, "zh", "en"), judge=True)
    bad = next(iter(stages(config, "write-1")))
    good = planned(config)
    server.answer = lambda body: '{"turn_1": "写错了"}' if body["seed"] == bad else good(body)
    first = Run(config)
    sent = server.requests
    second = Run(config)
    assert server.requests == sent
    assert (second.frozen, second.quarantine) == (first.frozen, first.quarantine)
    kept = first.report.model_dump(exclude={"requests_sent"})
    assert second.report.model_dump(exclude={"requests_sent"}) == kept
    assert (first.report.requests_sent, second.report.requests_sent) == (sent, 0)


def test_a_refused_question_is_remembered_until_it_is_to_be_asked_again(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3, "zh"))
    refused, name = next(iter(stages(config, "write-1").items()))
    server.answer = planned(config)
    server.fault_at = lambda number, body: Fault("status", status=400) if body["seed"] == refused else None
    first = Run(config)
    assert first.report.accepted == 3
    assert first.rejected[0]["order"]["id"] == name
    assert first.codes() == ["SCRIPT.NO_ANSWER"]
    server.fault_at = lambda number, body: None
    sent = server.requests
    second = Run(config)
    assert server.requests == sent
    assert second.quarantine == first.quarantine
    third = Run(config, retry_failed=True)
    assert server.requests == sent + 1
    assert third.report.rejected == 0
    assert name in {script.script_id for script in third.scripts}


def test_more_can_be_asked_for_later(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(2, "zh"))
    place = Place(RECOGNITION, Language.ZH, 1)
    server.answer = planned(config)
    factory = factory_of(config)
    factory.fill({place: 2})
    before = factory.accepted_ids
    report = factory.fill({place: 3})
    assert report.wanted == report.accepted == 5
    assert factory.accepted_ids[:2] == before
    assert not factory.is_short(place)
    assert factory.freeze(tmp_path / "frozen.jsonl")[before[0]].script_id == before[0]
    factory.close()
    whole = factory_of(config)
    sent = server.requests
    whole.fill({place: 5})
    assert whole.accepted_ids == factory.accepted_ids
    assert server.requests == sent
    whole.close()


def test_collecting_sends_nothing(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3, "zh", "en"))
    factory = factory_of(config)
    asked = factory.collect(wanted(config))
    factory.close()
    assert len(asked) == 6
    assert server.requests == 0


# -- budgets -----------------------------------------------------------------------------------------

PRICE = {"input_per_million": 1000.0, "output_per_million": 1000.0}


def budgeted(folder: Path, server: LlmServer, budget: dict[str, float], count: int = 12) -> BuildConfig:
    models = {
        name: {"endpoint": "here", "model": f"{name}-model", "price": PRICE, "sampling": {"max_tokens": 256}}
        for name in ("writer", "other", "judge")
    }
    return llm_config(
        folder, server.base_url, quota(count), budget=budget, models=models, endpoint={"max_in_flight": 3}
    )


@pytest.mark.parametrize(("limit", "amount"), [("tokens", 8000), ("cost", 8.0)])
def test_a_spent_budget_keeps_what_there_is_and_goes_on(
    server: LlmServer, tmp_path: Path, limit: str, amount: float
) -> None:
    server.answer = planned(budgeted(tmp_path, server, {}))
    first = Run(budgeted(tmp_path, server, {limit: amount}))
    assert 0 < first.report.accepted < 12
    assert f"budget.{limit}" in first.report.stopped
    assert "\n" not in first.report.stopped
    assert not first.report.is_full
    assert first.count == len(first.scripts) == first.report.accepted
    assert first.rejected == []
    tokens = sum(model.prompt_tokens + model.completion_tokens for model in first.report.models)
    assert tokens <= 8000
    second = Run(budgeted(tmp_path, server, {limit: amount * 100}))
    assert second.report.is_full
    assert second.report.stopped == ""
    assert set(questions(server).values()) == {1}
    assert {script.script_id for script in first.scripts} <= {script.script_id for script in second.scripts}
    undisturbed = Run(budgeted(tmp_path / "whole", server, {}))
    assert second.frozen == undisturbed.frozen


def test_minutes_run_out(server: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = planned(budgeted(tmp_path, server, {}))
    clock = SimpleNamespace(monotonic=lambda: 6.0 * server.requests)  # a tenth of a minute per request
    monkeypatch.setattr("flows.scripts.factory.time", clock)
    first = Run(budgeted(tmp_path, server, {"minutes": 0.5}))
    assert 0 < first.report.accepted < 12
    assert "budget.minutes" in first.report.stopped
    assert first.count == first.report.accepted
    second = Run(budgeted(tmp_path, server, {"minutes": 60}))
    assert second.report.is_full
    assert set(questions(server).values()) == {1}


# -- a server that is away ---------------------------------------------------------------------------


def failures(config: BuildConfig) -> int:
    """How many questions are recorded as failed."""
    with closing(sqlite3.connect(config.work_dir / "store" / ANSWERS_FILE)) as db:
        return int(db.execute("SELECT count(*) FROM failures").fetchone()[0])


def test_nobody_listens(tmp_path: Path, server: LlmServer) -> None:
    with socket.socket() as reserved:  # bound and not listening: connections are refused
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/v1"
        config = llm_config(tmp_path, url, quota(4), endpoint={"retries": 1})
        with pytest.raises(EndpointError) as caught:
            Run(config)
    assert "cannot be reached" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert failures(config) == 0
    config = llm_config(tmp_path, server.base_url, quota(4))
    server.answer = planned(config)
    assert Run(config).report.is_full


def test_a_server_that_breaks_down_half_way_fails_no_question(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(16), endpoint={"retries": 2, "max_in_flight": 4})
    server.answer = planned(config)
    server.fault_at = lambda number, body: Fault("500") if number >= 9 else None
    with pytest.raises(EndpointError, match="is down"):
        Run(config)
    assert failures(config) == 0
    server.fault_at = lambda number, body: None
    before = questions(server)
    run = Run(config)
    assert run.report.is_full
    assert run.report.rejected == 0
    after = questions(server)
    assert [after[body] for body in before].count(1) == 8, "what was answered is not asked again"
    assert run.report.requests_sent == 16 - 8


def test_the_books_reconcile(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3, "zh", "en"), judge=True, rounds=1)
    bad = {seed for seed, name in stages(config, "write-1").items() if name.startswith("zh")}
    server.answer = but(planned(config), lambda body, found: spoil(body, found) if body["seed"] in bad else None)
    run = Run(config)
    report = run.report
    assert [(place.place, place.wanted, place.accepted) for place in report.places] == [
        ("recognition/en/1", 3, 3),
        ("recognition/zh/1", 3, 3),
    ]
    assert sum(report.attempts.values()) == report.accepted == 6
    writer = next(model for model in report.models if model.alias == "writer")
    assert writer.answers == 6 + 3
    tokens = sum(model.prompt_tokens + model.completion_tokens for model in report.models)
    assert report.tokens_per_accepted == pytest.approx(tokens / 6)
    assert report.own_tokens_per_accepted == pytest.approx(tokens / 6), "every order was accepted in the end"


def test_what_each_accepted_script_took_is_written_down(server: LlmServer, tmp_path: Path) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3), judge=True)
    server.answer = planned(config)
    run = Run(config)
    lines = (tmp_path / "work" / "scripts" / "usage.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [ScriptUsage.from_json_line(line) for line in lines]
    assert len(kept) == run.report.accepted == 3
    assert all(set(line.models) == {"writer", "judge"} for line in kept)
    tokens = sum(usage.total_tokens for line in kept for usage in line.models.values())
    assert tokens == sum(model.prompt_tokens + model.completion_tokens for model in run.report.models)
