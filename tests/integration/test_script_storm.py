"""A server that misbehaves on a seeded schedule, and a process that is killed: the scripts come out whole.

The real openai client, the real answer store, the real command line; the server is `tests.support.llm_server`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_schemas.foundation.randomness import named_generator, named_seed
from data_schemas.tasks import TRACK1_TASKS
from flows.common.errors import EXIT_INTERRUPTED
from flows.config.build_config import BuildConfig
from flows.scripts.phase import ANSWERS_FILE, SCRIPTS_FOLDER
from flows.scripts.report import ScriptReport
from generators.scripts.llm.llm_writer import Order
from generators.scripts.script_file import read_script_file
from tests.support.llm_answers import PlannedAnswers
from tests.support.llm_server import CONTENT, TRANSPORT, Fault, Kind, LlmServer, is_probe, seeded_faults
from tests.support.script_orders import factory_of, llm_config, orders_of, wanted
from validators.core.codes import CODES

pytestmark = pytest.mark.integration

Body = dict[str, Any]

QUOTAS: tuple[dict[str, Any], ...] = (
    {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 6},
    {"task": "trajectory", "languages": ["zh", "en"], "splits": ["train", "dev"], "turns": [3, 5], "count": 1},
    {"task": "reasoning", "languages": ["zh", "en"], "splits": ["train"], "turns": [3], "count": 2},
    {"task": "empathy", "languages": ["zh", "en"], "splits": ["dev"], "turns": [4], "count": 2},
    {"task": "follow_up", "languages": ["zh", "en"], "splits": ["train", "dev"], "count": 2},
    {"task": "backchannel", "languages": ["zh", "en"], "splits": ["train"], "count": 2},
    {"task": "pause", "languages": ["zh", "en"], "splits": ["dev"], "count": 3},
)
#: a place that cannot be filled: the server's second replies are too short for it
HOPELESS: dict[str, Any] = {"task": "speech_to_others", "languages": ["zh"], "splits": ["dev"], "count": 1}
PAIRS: dict[str, Any] = {
    "pairs": [{"user": "writer", "assistant": "other"}, {"user": "other", "assistant": "writer"}],
    "cross_share": 0.5,
}
POISON, REFUSED = "zh-follow_up-1-00000-s11", "en-recognition-1-00001-s11"
STORM: tuple[Kind, ...] = (*TRANSPORT, *CONTENT, "truncated", "empty")
RATE = 0.4
#: requests that get no answer within the time limit
HANGS = frozenset({30, 90, 91})
PATIENCE_S = 600.0


def config_of(folder: Path, server: LlmServer, hopeless: bool = False, **endpoint: Any) -> BuildConfig:
    wish = {"timeout_s": 1.5, "retries": 8, **endpoint}
    quotas = (*QUOTAS, HOPELESS) if hopeless else QUOTAS
    return llm_config(folder, server.base_url, quotas, endpoint=wish, judge=True, **PAIRS)


class Storm:
    """The seeded schedule: most faults by the number of the request, two by the order that is asked for."""

    def __init__(self, seed: int, config: BuildConfig, orders: tuple[Order, ...]) -> None:
        self._faults = seeded_faults(seed, RATE, STORM)
        self._poisoned = _seeds(config, orders, POISON)
        self._refused = _seeds(config, orders, REFUSED)

    def __call__(self, number: int, body: Body) -> Fault | None:
        if number in HANGS:
            return Fault("hang", seconds=2.0)
        if body["seed"] in self._poisoned:
            return Fault("500")
        if body["seed"] in self._refused:
            return Fault("status", status=400, message="内容不合规 (content policy)")
        return self._faults(number, body)


def _seeds(config: BuildConfig, orders: tuple[Order, ...], name: str) -> frozenset[int]:
    assert name in {order.id for order in orders}
    return frozenset(named_seed(config.seed, name, f"write-{attempt}") for attempt in (1, 2, 3))


class Answers:
    """Good scripts, and a judge that gives a 1 now and then: always to the same questions."""

    def __init__(self, config: BuildConfig, orders: tuple[Order, ...]) -> None:
        self._planned = PlannedAnswers(config.seed, orders)

    def __call__(self, body: Body) -> str:
        text = self._planned(body)
        is_judge = body.get("model") == "judge-model" and not is_probe(body)
        if is_judge and named_generator(body["seed"], "", "judge").random() < 0.2:
            found = json.loads(text)
            low = {key: 1 if isinstance(value, int) else "读起来像说明书" for key, value in found.items()}
            return json.dumps(low, ensure_ascii=False)
        return text


def run(config: BuildConfig) -> tuple[ScriptReport, bytes, bytes]:
    """One run by a factory of its own: report, frozen bytes, quarantine bytes."""
    factory = factory_of(config)
    try:
        report = factory.fill(wanted(config))
        factory.freeze(config.work_dir / "frozen.jsonl")
    finally:
        factory.close()
    scripts = config.work_dir / SCRIPTS_FOLDER
    return report, (config.work_dir / "frozen.jsonl").read_bytes(), (scripts / "quarantine.jsonl").read_bytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_the_storm(tmp_path: Path, seed: int) -> None:
    with LlmServer() as server:
        config = config_of(tmp_path / "storm", server, hopeless=True)
        orders = orders_of(config, times=8)
        server.answer = Answers(config, orders)
        server.fault_at = Storm(seed, config, orders)
        report, frozen, quarantine = run(config)
        assert set(server.seen.faults) >= {*STORM, "hang", "status"}, "the storm was no storm"

        _reconcile(config, report, frozen, quarantine)
        sent = server.requests

        again, same, same_quarantine = run(config)
        assert server.requests == sent
        assert again.requests_sent == 0
        assert (same, same_quarantine) == (frozen, quarantine)
        assert _figures(again) == _figures(report)

        for in_flight in (1, 32):
            pace: dict[str, Any] = {"max_in_flight": in_flight, "start_in_flight": in_flight}
            other = config_of(tmp_path / str(in_flight), server, hopeless=True, **pace)
            _copy_store(config, other)
            told, bytes_of, quarantine_of = run(other)
            assert (bytes_of, quarantine_of) == (frozen, quarantine)
            assert _figures(told) == _figures(report)
        assert server.requests == sent


def _reconcile(config: BuildConfig, report: ScriptReport, frozen: bytes, quarantine: bytes) -> None:
    """Every order once, in one of the two files; what is missing is said to be."""
    (config.work_dir / "check.jsonl").write_bytes(frozen)
    accepted = [script.script_id for script in read_script_file(config.work_dir / "check.jsonl")]
    rejected = [json.loads(line) for line in quarantine.splitlines()]
    names = [entry["order"]["id"] for entry in rejected]
    assert accepted == sorted(set(accepted))
    assert len(names) == len(set(names))
    assert not set(accepted) & set(names)
    assert len(accepted) == report.accepted
    assert len(names) == report.rejected
    per_place: Counter[str] = Counter()
    for name in (*accepted, *names):
        per_place[name.rsplit("-", 2)[0]] += 1
    for place in report.places:
        task, language, turns = place.place.split("/")
        ordered = per_place.pop(f"{language}-{task}-{turns}")
        assert place.accepted + place.rejected == ordered
        assert place.accepted <= place.wanted
        numbers = sorted(
            int(name.split("-")[-2]) for name in (*accepted, *names) if name.startswith(f"{language}-{task}-{turns}-")
        )
        assert numbers == list(range(ordered)), "an order was left out"
    assert not per_place
    short = {place.place for place in report.places if place.accepted < place.wanted}
    assert "speech_to_others/zh/1" in short
    assert not report.is_full
    assert {POISON, REFUSED} <= set(names)
    for entry in rejected:
        errors = [finding["code"] for finding in entry["findings"] if finding["severity"] == "error"]
        assert errors, entry["order"]["id"]
        assert set(errors) <= set(CODES)
        if entry["order"]["id"] in (POISON, REFUSED):
            assert errors == ["SCRIPT.NO_ANSWER"]
    crossed = [script for script in read_script_file(config.work_dir / "check.jsonl") if script.task in TRACK1_TASKS]
    assert {turn.text_model == turn.response_model for script in crossed for turn in script.turns} == {True, False}
    assert max(map(int, report.attempts)) > 1


def _figures(report: ScriptReport) -> dict[str, Any]:
    return report.model_dump(exclude={"requests_sent"})


def _copy_store(source: BuildConfig, target: BuildConfig) -> None:
    (target.work_dir / "store").mkdir(parents=True)
    shutil.copyfile(source.work_dir / "store" / ANSWERS_FILE, target.work_dir / "store" / ANSWERS_FILE)


# -- killed ------------------------------------------------------------------------------------------


def test_kill_9_half_way_asks_nothing_twice(tmp_path: Path) -> None:
    in_flight = 4
    with LlmServer(latency_s=0.03) as server:
        config = config_of(tmp_path / "killed", server, max_in_flight=in_flight, timeout_s=10.0)
        orders = orders_of(config, times=8)
        server.answer = Answers(config, orders)
        path = tmp_path / "killed.yaml"
        path.write_text(yaml.safe_dump(config.model_dump(mode="json"), allow_unicode=True), encoding="utf-8")
        target = tmp_path / "脚本.jsonl"

        process = _humdial("scripts", str(path), "-o", str(target), log=tmp_path / "first.log")
        _wait_for_requests(server, 60, process)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        assert not target.exists()
        time.sleep(0.2)  # the server finishes what was under way
        first = _questions(server)
        assert set(first.values()) == {1}

        process = _humdial("scripts", str(path), "-o", str(target), log=tmp_path / "second.log")
        assert process.wait(timeout=PATIENCE_S) == 0, (tmp_path / "second.log").read_text(encoding="utf-8")
        both = _questions(server)
        repeated = [question for question, count in both.items() if count > 1]
        assert len(repeated) <= in_flight, "only what was in flight at the kill may be asked again"
        assert all(both[question] == 2 for question in repeated)
        assert len(both) > len(first)
        sent = server.requests

        whole = config_of(tmp_path / "whole", server, max_in_flight=32, timeout_s=10.0)
        _, frozen, quarantine = run(whole)
        assert target.read_bytes() == frozen
        assert (config.work_dir / SCRIPTS_FOLDER / "quarantine.jsonl").read_bytes() == quarantine
        fresh = Counter(both.keys())
        assert _questions(server) == both + fresh, "the undisturbed run asks the same questions"
        assert server.requests - sent - len(fresh) <= 3, "the others are probes, one per model"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_stop_is_one_sentence(tmp_path: Path, number: signal.Signals) -> None:
    with LlmServer(latency_s=0.05) as server:
        config = config_of(tmp_path, server, max_in_flight=2, timeout_s=30.0)
        server.answer = Answers(config, orders_of(config))
        # slow from there on: between the signal and its effect the machine may stand still for seconds
        server.fault_at = lambda number, body: Fault("hang", seconds=1.0) if number >= 15 else None
        path = tmp_path / "stopped.yaml"
        path.write_text(yaml.safe_dump(config.model_dump(mode="json"), allow_unicode=True), encoding="utf-8")
        process = _humdial("scripts", str(path), "-o", str(tmp_path / "s.jsonl"), log=tmp_path / "log")
        _wait_for_requests(server, 15, process)
        process.send_signal(number)
        status = process.wait(timeout=30)
        said = (tmp_path / "log").read_text(encoding="utf-8")
        assert status == EXIT_INTERRUPTED, said
        assert "Traceback" not in said
        last = said.splitlines()[-1]
        assert "the answers so far are kept" in last and "run the same command again" in last
        assert server.requests < 30
    assert not (tmp_path / "s.jsonl").exists()


def _humdial(*arguments: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as handle:
        return subprocess.Popen(
            [sys.executable, "-m", "flows", *arguments],
            stdout=handle,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )


def _wait_for_requests(server: LlmServer, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while server.requests < count:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run never got going"
        time.sleep(0.01)


def _questions(server: LlmServer) -> Counter[str]:
    return Counter(json.dumps(body, sort_keys=True) for body in list(server.seen.bodies) if not is_probe(body))
