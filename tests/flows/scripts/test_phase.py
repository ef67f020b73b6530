"""The scripts phase and what a build does with its scripts: whole files, honest progress, servers that come and go."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data_schemas.plan import Place, QuotaCell
from data_schemas.tasks import Language, Split, Task
from flows.config.build_config import BuildConfig
from flows.prepare.resolve import resolve
from flows.prepare.top_up import plan_top_up
from flows.scripts.phase import ANSWERS_FILE, FROZEN_FILE, ScriptPhase, write_scripts
from flows.scripts.replay import ScriptSource, WrittenScripts
from flows.scripts.report import REPORT_FILE
from flows.scripts.spool import FILES, QUARANTINE_FILE
from generators.remote.answers import AnswerStore
from generators.remote.errors import EndpointError
from generators.scripts.frozen import FrozenScripts
from generators.scripts.script_file import read_script_file
from tests.support.llm_answers import PlannedAnswers
from tests.support.llm_server import Fault, LlmServer, is_probe
from tests.support.script_orders import factory_of, llm_config, orders_of, wanted

PLACE = Place(Task.RECOGNITION, Language.ZH, 1)
CELL = QuotaCell(task=Task.RECOGNITION, language=Language.ZH, turns=1, split=Split.TRAIN)
KEPT_ANSWERS = Path(__file__).with_name("kept_answers.jsonl")


def quota(count: int) -> tuple[dict[str, Any], ...]:
    return ({"task": "recognition", "languages": ["zh"], "splits": ["train"], "turns": [1], "count": count},)


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.total: list[tuple[str, int]] = []
        self.done: Counter[str] = Counter()
        self.notes: list[str] = []

    def expect(self, stage: str, more: int) -> None:
        self.total.append((stage, more))

    def advance(self, stage: str, done: int = 1) -> None:
        self.done[stage] += done

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer() as running:
        yield running


@pytest.fixture
def told() -> Told:
    return Told()


def phase_of(config: BuildConfig, told: Told) -> ScriptPhase:
    return ScriptPhase(config, Path(), resolve(config, need_models=False).speakers, told)


def good_answers(config: BuildConfig) -> PlannedAnswers:
    return PlannedAnswers(config.seed, orders_of(config, times=12))


def lines_of(config: BuildConfig, name: str) -> list[dict[str, Any]]:
    """The lines of a file of the work directory, all of them whole."""
    text = (config.work_dir / "scripts" / name).read_bytes()
    assert not text or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def spoil_every_third(good: PlannedAnswers) -> Any:
    def answer(body: dict[str, Any]) -> str:
        return good(body) if is_probe(body) or body["seed"] % 3 else '{"turn_1": "写错了"}'

    return answer


# -- files -------------------------------------------------------------------------------------------


def test_every_file_is_whole_between_two_goes(server: LlmServer, tmp_path: Path, told: Told) -> None:
    config = llm_config(tmp_path, server.base_url, quota(8), reading={"rewrites": 0}, rounds=8)
    server.answer = spoil_every_third(good_answers(config))
    phase = phase_of(config, told)
    for more in (wanted(config), {PLACE: 3}, {PLACE: 1}):
        written = phase.write(more)
        report = json.loads((config.work_dir / "scripts" / REPORT_FILE).read_text(encoding="utf-8"))
        assert report == written.report.model_dump(mode="json")
        assert (
            len(lines_of(config, "accepted.jsonl")) == len(lines_of(config, "usage.jsonl")) == written.report.accepted
        )
        rejected = lines_of(config, QUARANTINE_FILE)
        assert len(rejected) == written.report.rejected > 0
        assert written.path == config.work_dir / "scripts" / FROZEN_FILE
        assert tuple(written.scripts.values()) == read_script_file(written.path)
        assert written.counts == {PLACE: written.report.accepted}


def test_the_file_is_replayed_like_a_pack(server: LlmServer, tmp_path: Path, told: Told) -> None:
    config = llm_config(tmp_path, server.base_url, quota(9))
    server.answer = good_answers(config)
    source = WrittenScripts(phase_of(config, told), config.seed)
    source.fill(wanted(config))
    pack = ScriptSource(FrozenScripts.read([config.work_dir / "scripts" / FROZEN_FILE]), config.seed)
    assert pack.available([(CELL, 20)]) == source.available([(CELL, 20)]) == ((CELL, 9),)
    taken = source.take(CELL, 9)
    assert taken == pack.take(CELL, 9)
    assert source.frozen.keys() == {outline.script_id for outline in taken}


def test_one_call_writes_what_a_quota_needs_and_more(server: LlmServer, tmp_path: Path, told: Told) -> None:
    config = llm_config(tmp_path, server.base_url, quota(4), spares=0.5)
    server.answer = good_answers(config)
    speakers = resolve(config, need_models=False).speakers
    written = write_scripts(config, Path(), speakers, [(CELL, 4)], told)
    assert written.counts == {PLACE: 6}
    more = write_scripts(config, Path(), speakers, [(CELL, 4)], told, {PLACE: 2})
    assert more.counts == {PLACE: 8}
    assert written.scripts.keys() < more.scripts.keys()


@pytest.mark.parametrize("after", [3, 11])
def test_a_server_that_goes_away_in_the_midst_leaves_whole_files_and_a_report(
    server: LlmServer, tmp_path: Path, told: Told, after: int
) -> None:
    endpoint = {"retries": 0, "max_in_flight": 2, "start_in_flight": 2}
    config = llm_config(tmp_path, server.base_url, quota(30), endpoint=endpoint, reading={"rewrites": 0})
    server.answer = spoil_every_third(good_answers(config))
    server.fault_at = lambda number, body: Fault("500") if number >= after else None
    with pytest.raises(EndpointError, match="is down"):
        phase_of(config, told).write(wanted(config))
    report = json.loads((config.work_dir / "scripts" / REPORT_FILE).read_text(encoding="utf-8"))
    assert "is down" in report["stopped"]
    (place,) = report["places"]
    assert place["accepted"] > 0
    assert len(lines_of(config, "accepted.jsonl")) == len(lines_of(config, "usage.jsonl")) == place["accepted"]
    assert len(lines_of(config, QUARANTINE_FILE)) == place["rejected"]
    assert sorted(path.name for path in (config.work_dir / "scripts").iterdir()) == sorted((*FILES, REPORT_FILE))


# -- what was paid for -------------------------------------------------------------------------------


def test_answers_that_were_paid_for_long_ago_are_found(tmp_path: Path, told: Told) -> None:
    """Keys and answers of a store that the code of 2026-12-01 made, of five orders with judge, rewrite and a pair.

    If this fails, requests have changed and every answer that was ever paid for is lost.
    """
    quotas: tuple[dict[str, Any], ...] = (
        {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 1},
        {"task": "trajectory", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 1},
        {"task": "empathy", "languages": ["en"], "splits": ["dev"], "turns": [3], "count": 1},
        {"task": "conversation", "languages": ["zh"], "splits": ["train"], "turns": [2], "count": 1},
    )
    pairs: dict[str, Any] = {"pairs": [{"user": "writer", "assistant": "other"}], "cross_share": 0.5}
    with socket.socket() as reserved:  # bound and not listening: whoever asks is refused
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/v1"
        config = llm_config(tmp_path, url, quotas, judge=True, **pairs)
        place = config.work_dir / "store" / ANSWERS_FILE
        store = AnswerStore(place)
        assert len(store) == 0
        store.close()
        kept = [json.loads(line) for line in KEPT_ANSWERS.read_text(encoding="utf-8").splitlines()]
        with closing(sqlite3.connect(place)) as db, db:
            db.executemany("INSERT INTO answers VALUES (:key, '', :answer, :sha256)", kept)
        report = phase_of(config, told).write(wanted(config)).report
    assert report.requests_sent == 0
    assert (report.accepted, report.rejected) == (5, 0)
    assert report.attempts == {"1": 4, "2": 1}
    assert sum(model.answers for model in report.models) == len(kept) == 11


def test_orders_that_a_stop_left_undecided_come_first_in_the_next_go(
    server: LlmServer, tmp_path: Path, told: Told
) -> None:
    endpoint = {"retries": 0, "max_in_flight": 3, "start_in_flight": 3}
    config = llm_config(tmp_path, server.base_url, quota(12), endpoint=endpoint)
    server.answer = good_answers(config)
    server.fault_at = lambda number, body: Fault("500") if number >= 6 else None
    factory = factory_of(config, reporter=told)
    with pytest.raises(EndpointError):
        factory.fill(wanted(config))
    server.fault_at = lambda number, body: None
    report = factory.fill({})
    assert (report.accepted, report.wanted, report.rejected) == (12, 12, 0)
    names = sorted(order.id for order in orders_of(config, times=1))
    assert list(factory.accepted_ids) == names, "no order was left out"


# -- top-up ------------------------------------------------------------------------------------------


def top_up(source: WrittenScripts, config: BuildConfig, count: int, round: int) -> tuple[int, str | None]:
    speakers = resolve(config, need_models=False).speakers
    plans, note = plan_top_up(CELL, count, source, speakers, config.seed, round, {})
    assert all(source.write(plan).script_id == plan.outline.script_id for plan in plans)
    return len(plans), note


def test_an_endpoint_that_is_away_at_top_up_ends_no_build(server: LlmServer, tmp_path: Path, told: Told) -> None:
    endpoint = {"retries": 0, "max_in_flight": 2, "start_in_flight": 2}
    config = llm_config(tmp_path, server.base_url, quota(4), endpoint=endpoint)
    server.answer = good_answers(config)
    source = WrittenScripts(phase_of(config, told), config.seed)
    source.fill(wanted(config))
    assert len(source.take(CELL, 3)) == 3
    server.fault_at = lambda number, body: Fault("status", status=401, message="没有权限")
    planned, note = top_up(source, config, 3, round=1)
    assert planned == 1, "what is there is used"
    assert note is not None and "does not accept" in note and "\n" not in note
    assert CELL.key in note
    sent = server.requests
    planned, note = top_up(source, config, 2, round=1)
    assert (planned, server.requests) == (0, sent), "nobody is asked again in this round"
    assert note is not None and "does not accept" in note
    server.fault_at = lambda number, body: None
    assert top_up(source, config, 2, round=2) == (2, None), "but in the next"
    assert source.waiting(PLACE) == 0, "what was owed since the first try is not asked for twice"
    assert len(source.frozen) == 6


def test_what_came_before_the_server_went_is_used(server: LlmServer, tmp_path: Path, told: Told) -> None:
    endpoint = {"retries": 0, "max_in_flight": 1, "start_in_flight": 1}
    config = llm_config(tmp_path, server.base_url, quota(2), endpoint=endpoint)
    server.answer = good_answers(config)
    source = WrittenScripts(phase_of(config, told), config.seed)
    source.fill(wanted(config))
    source.take(CELL, 2)
    before = server.requests
    server.fault_at = lambda number, body: Fault("500") if number >= before + 2 else None
    planned, note = top_up(source, config, 8, round=1)
    assert planned == 2
    assert note is not None and "is down" in note
    assert tuple(source.frozen.values()) == read_script_file(config.work_dir / "scripts" / FROZEN_FILE)


def test_speech_takes_no_minutes_of_a_writing_budget(
    server: LlmServer, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("flows.scripts.factory.time", SimpleNamespace(monotonic=lambda: clock.now))
    config = llm_config(tmp_path, server.base_url, quota(2), budget={"minutes": 1})
    good = good_answers(config)

    def answer(body: dict[str, Any]) -> str:
        clock.now += 0 if is_probe(body) else 9
        return good(body)

    server.answer = answer
    clock.now += 3600  # models are looked at, kept answers are replayed
    source = WrittenScripts(phase_of(config, told), config.seed)
    assert source.fill(wanted(config)).is_full
    source.take(CELL, 2)
    clock.now += 3600  # speech
    assert top_up(source, config, 2, round=1) == (2, None)
    clock.now += 3600
    planned, note = top_up(source, config, 20, round=2)
    assert 0 < planned < 20
    assert note is not None and "budget of 1 minutes is used up" in note


# -- what a person is told ---------------------------------------------------------------------------


def test_the_bar_is_the_plans_and_ends_full(server: LlmServer, tmp_path: Path, told: Told) -> None:
    config = llm_config(tmp_path, server.base_url, quota(8), reading={"rewrites": 0}, rounds=8)
    server.answer = spoil_every_third(good_answers(config))
    phase = phase_of(config, told)
    report = phase.write(wanted(config)).report
    assert report.rejected > 0
    assert told.total == [("script", 8)], "replacements do not make it longer"
    assert told.done == {"script": 8}
    phase.write({PLACE: 3})
    assert (told.total, told.done) == ([("script", 8)], {"script": 8}), "nor does what a top-up wants"
    assert any("3 more to write" in note for note in told.notes)


def test_orders_that_nothing_replaces_end_the_bar_too(server: LlmServer, tmp_path: Path, told: Told) -> None:
    config = llm_config(tmp_path, server.base_url, quota(3), reading={"rewrites": 0}, rounds=1)
    server.answer = lambda body: "对不起"
    assert phase_of(config, told).write(wanted(config)).report.rejected == 6
    assert (told.total, told.done) == ([("script", 3)], {"script": 3})


def test_who_is_asked_and_how_fast_and_that_a_rerun_asks_nobody(
    server: LlmServer, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("flows.scripts.factory.time", SimpleNamespace(monotonic=lambda: clock.now))
    config = llm_config(tmp_path, server.base_url, quota(12), endpoint={"max_in_flight": 1, "start_in_flight": 1})
    good = good_answers(config)

    def answer(body: dict[str, Any]) -> str:
        clock.now += 10
        return good(body)

    server.answer = answer
    phase_of(config, told).write(wanted(config))
    asking, *rates, end = told.notes
    assert asking == f"scripts: asking endpoint 'here' ({server.base_url})"
    assert len(rates) == 4
    assert all("0.1 a second now" in rate and "of 12 accepted" in rate for rate in rates)
    assert "12 of 12 accepted, 13 questions sent in 2.2 minutes, 0.1 a second" in end
    again = Told()
    phase_of(config, again).write(wanted(config))
    (end,) = again.notes
    assert "12 of 12 accepted, all from answers kept by earlier runs" in end
    assert end.endswith("nothing was asked")
    half = Told()
    phase_of(config, half).write({PLACE: 14})
    assert "12 answers were kept from earlier" in half.notes[-1]
