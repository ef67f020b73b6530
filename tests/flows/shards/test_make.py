"""An engine that sees itself fail is asked again, with the numbers that the report needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from data_schemas.utterance import SpeechRequest
from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.prepare.resolve import Prepared, prepare, resolve
from flows.shards import steps
from flows.shards.ledger import ShardLedger, ShardResult
from flows.shards.make import ShardMaker
from flows.shards.speech import SpeechWork
from generators.speech.engine import Control, EngineUnusable, RawSpeech
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.returned import Misspoken
from tests.support.builds import draft_config

TRIES = 3


class Breaking(EspeakEngine):
    """espeak that fails at the first ``failures`` tries of every text, or only clicks at them."""

    controls = frozenset({Control.SEED})

    def __init__(self, failures: int, clicks: bool = False) -> None:
        super().__init__()
        self.failures = failures
        self.clicks = clicks
        self.seeds: dict[str, list[int]] = {}

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        seeds = self.seeds.setdefault(request.spoken_text, [])
        seeds.append(request.seed)
        if len(seeds) <= self.failures:
            if self.clicks:
                click = np.zeros(32_000, np.float32)
                click[16_000] = 0.005
                return RawSpeech(click, 16_000)
            raise Misspoken("只有噪声")
        return super().synthesise(request)


class InProcess:
    """The pool's ``submit`` with a thread: the engine of the test is this process's."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1)

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._threads.submit(job, *arguments)


class Notes(SilentReporter):
    """Keeps what a person would read."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def make(
    folder: Path, engine: EspeakEngine, monkeypatch: pytest.MonkeyPatch, reporter: SilentReporter | None = None
) -> ShardResult:
    quotas = [{"task": "trajectory", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 1}]
    path = draft_config(folder, quotas=quotas, speech={"engine": "espeak", "tries": TRIES})
    config = load_config(path)
    parts = resolve(config)
    prepared: Prepared = prepare(config, folder, parts, SilentReporter())
    prepared = Prepared(**{**vars(prepared), "engine": engine})
    monkeypatch.setattr(steps, "_engine", lambda settings: engine)
    pool: Any = InProcess()
    ledger = ShardLedger(folder / "shards")
    speech = SpeechWork(config, engine, pool)
    ShardMaker(config, prepared, reporter or SilentReporter(), ledger, pool, speech, Event()).make("k", prepared.plans)
    result = ledger.result("k")
    assert result is not None
    return result


def test_it_is_asked_with_other_seeds_until_it_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Breaking(failures=TRIES - 1)
    (outcome,) = make(tmp_path, engine, monkeypatch).outcomes
    assert outcome.accepted, outcome.findings
    assert all(len(set(seeds)) == TRIES for seeds in engine.seeds.values())
    assert [(one.tries, one.mended, one.codes) for one in outcome.retakes] == [
        (TRIES, True, ("BUILD.SPEECH_FAILED",))
    ] * 3
    (item,) = tmp_path.rglob("item.json")
    utterances = json.loads(item.read_text(encoding="utf-8"))["utterances"]
    assert [one["tries"] for one in utterances] == [TRIES] * 3
    assert [one["provenance"]["seed"] for one in utterances] == [seeds[-1] for seeds in engine.seeds.values()]


def test_next_to_silence_is_spoken_again_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A click passes every look at the samples, and has no loudness that could be set."""
    (outcome,) = make(tmp_path, Breaking(failures=1, clicks=True), monkeypatch).outcomes
    assert outcome.accepted, outcome.findings
    assert [(one.tries, one.mended) for one in outcome.retakes] == [(2, True)] * 3


def test_it_is_given_up_after_the_last_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Breaking(failures=TRIES)
    (outcome,) = make(tmp_path, engine, monkeypatch).outcomes
    assert not outcome.accepted
    (finding,) = outcome.findings
    assert finding.code == "BUILD.SPEECH_FAILED" and "只有噪声" in finding.message
    assert all(len(seeds) == TRIES for seeds in engine.seeds.values())
    assert [(one.tries, one.mended) for one in outcome.retakes] == [(TRIES, False)] * 3


def test_a_finished_shard_is_made_again_only_when_its_files_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Notes()
    engine = Breaking(failures=0)
    result = make(tmp_path, engine, monkeypatch, reporter)
    made = {path: (path.read_bytes(), path.stat().st_ino) for path in tmp_path.rglob("staged/*.wav")}
    assert len(made) == 3

    assert make(tmp_path, engine, monkeypatch, reporter) == result
    assert reporter.notes == []
    assert {path: path.stat().st_ino for path in made} == {path: inode for path, (_, inode) in made.items()}

    damaged = next(iter(made))
    damaged.write_bytes(b"")  # as after a power cut
    assert make(tmp_path, engine, monkeypatch, reporter) == result
    (note,) = reporter.notes
    assert str(damaged) in note
    assert {path: path.read_bytes() for path in made} == {path: content for path, (content, _) in made.items()}


class Unusable(EspeakEngine):
    """espeak that cannot be loaded."""

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        raise EngineUnusable("模型无法加载")


def test_an_engine_that_cannot_be_loaded_is_no_fault_of_the_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineUnusable, match=r"^模型无法加载$"):
        make(tmp_path, Unusable(), monkeypatch)
    assert ShardLedger(tmp_path / "shards").result("k") is None, "nothing is in quarantine"
