"""The whole writer on a real language model in this process: it is small, so most of it is about rejects."""

import asyncio
import json
from pathlib import Path

import pytest

from data_schemas.chat import ChatAnswer, ChatRequest
from data_schemas.finding import Finding
from data_schemas.foundation.base import read_jsonl
from data_schemas.script import Script
from data_schemas.tasks import Task
from flows.config.build_config import BuildConfig
from flows.scripts.reading import Reader
from generators.remote.answers import AnswerStore
from generators.remote.chat import ChatClient, ModelRoute
from generators.scripts.packs import load_packs
from generators.scripts.settings import ScriptSettings
from tests.support.script_orders import factory_of, llm_config, wanted
from validators.text.llm_judge import dimensions, scores

pytestmark = pytest.mark.integration

MODEL = "smollm2-135m-q4"
QUOTAS = (
    {"task": "recognition", "languages": ["en"], "splits": ["train"], "turns": [1], "count": 1},
    {"task": "backchannel", "languages": ["en"], "splits": ["dev"], "count": 1},
)


def local_config(folder: Path) -> BuildConfig:
    """Writer and judge are the same small model; answers are kept short because a CPU says them."""
    endpoint = {
        "base_url": None,
        "local": {"model": MODEL, "context_tokens": 4096, "parallel": 2, "threads": 1},
        "max_in_flight": 2,
        "timeout_s": 300.0,
    }
    config = llm_config(folder, "http://unused", QUOTAS, endpoint, judge=True, rounds=0, reading={"rewrites": 1})
    raw = config.model_dump(mode="json")
    for model in raw["scripts"]["llm"]["models"].values():
        model["sampling"] = {"temperature": 0.7, "max_tokens": 200}
    return BuildConfig.model_validate(raw)


def test_a_small_model_judges_a_hand_written_script_by_the_challenge_s_dimensions(tmp_path: Path) -> None:
    config = local_config(tmp_path)
    settings = config.scripts.llm
    assert settings is not None
    script = next(one for one in load_packs(ScriptSettings(), Path()) if one.task is Task.REASONING)
    answers = []

    async def judge() -> tuple[Finding, ...]:
        store = AnswerStore(tmp_path / "answers.sqlite3")
        routes = {"judge": ModelRoute(endpoint="here")}
        async with ChatClient(settings.endpoints, routes, store, settings.budget, 1, tmp_path) as client:

            async def ask(request: ChatRequest) -> ChatAnswer:
                answers.append(await client.ask(request))
                return answers[-1]

            return await Reader(settings, config.validation, 1, tmp_path).read(script, ask)

    found = asyncio.run(judge())
    assert answers
    given = scores(answers[-1])
    if given is None:  # it rambled past max_tokens, twice
        assert [finding.code for finding in found] == ["SCRIPT.JUDGE_UNREADABLE"]
        return
    assert set(given) == set(dimensions(Task.REASONING))
    assert set(given.values()) <= {1, 3, 5}
    low = any(score < 3 for score in given.values())
    assert [finding.code for finding in found] == (["SCRIPT.JUDGE_SCORE"] if low else [])


def test_a_small_model_writes_and_judges_and_every_order_is_decided_once(tmp_path: Path) -> None:
    config = local_config(tmp_path)
    factory = factory_of(config)
    report = factory.fill(wanted(config))
    factory.freeze(tmp_path / "first.jsonl")
    factory.close()
    assert not report.stopped
    assert report.requests_sent > 0
    assert report.accepted + report.rejected == report.wanted == 2
    folder = tmp_path / "work" / "scripts"
    rejected = [json.loads(line) for line in (folder / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rejected) == report.rejected
    for entry in rejected:
        findings = [Finding.model_validate(finding) for finding in entry["findings"]]
        assert findings, "a rejected order says why"
        assert all(finding.code.startswith("SCRIPT.") and finding.message for finding in findings)
    for script in read_jsonl(tmp_path / "first.jsonl", Script):
        assert script.provenance.model == "writer-model"

    again = factory_of(config)
    second = again.fill(wanted(config))
    again.freeze(tmp_path / "second.jsonl")
    again.close()
    assert second.requests_sent == 0
    assert (tmp_path / "first.jsonl").read_bytes() == (tmp_path / "second.jsonl").read_bytes()
