"""An engine that sees itself fail is asked again, with the numbers that the report needs."""

from __future__ import annotations

import errno
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from data_schemas.finding import Finding
from data_schemas.utterance import SpeechRequest
from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.prepare.resolve import prepare, resolve
from flows.shards import steps
from flows.shards.job import BuildContext, PlannedItem, ShardJob, keep_context
from flows.shards.kept import FACTS_FILE, SCENES, KeptScenes
from flows.shards.ledger import RESULT_FILE, SHARDS, ShardLedger, ShardResult
from flows.shards.make import Bench, make_shard
from flows.shards.speech import SpeechWork
from flows.shards.steps import NotMade, Stage
from flows.shards.tables import FINDINGS_TABLE, ITEMS_TABLE, findings_of, read_table
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


@dataclass(frozen=True)
class Made:
    """A finished shard."""

    ledger: ShardLedger
    result: ShardResult

    @property
    def item(self) -> dict[str, Any]:
        """The only row of its items."""
        (row,) = read_table(self.ledger.folder("k") / ITEMS_TABLE).iter_rows(named=True)
        return row

    @property
    def retakes(self) -> list[tuple[int, bool, list[str]]]:
        return [(one["tries"], one["mended"], one["codes"]) for one in json.loads(self.item["retakes"])]

    @property
    def findings(self) -> list[Finding]:
        return list(findings_of(read_table(self.ledger.folder("k") / FINDINGS_TABLE)))


def bench_of(folder: Path, engine: EspeakEngine, monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, ShardJob]:
    """A shard of one dialogue, and everything to make it in this process."""
    quotas = [{"task": "trajectory", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 1}]
    config = load_config(draft_config(folder, quotas=quotas, speech={"engine": "espeak", "tries": TRIES}))
    prepared = prepare(config, folder, resolve(config), SilentReporter())
    monkeypatch.setattr(steps, "_engine", lambda settings: engine)
    run = ThreadPoolExecutor(1)
    bench = Bench(
        context=keep_context(BuildContext(config=config, speakers=prepared.speakers)),
        engine=engine,
        seed=config.seed,
        tries=TRIES,
        run=run,
        speech=SpeechWork(config, engine, run),
        reporter=SilentReporter(),
        cancelled=Event(),
    )
    items = tuple(PlannedItem(plan=plan, words=prepared.writer.write(plan)) for plan in prepared.plans)
    return bench, ShardJob(number=0, key="k", items=items)


def make(folder: Path, engine: EspeakEngine, monkeypatch: pytest.MonkeyPatch) -> Made:
    bench, job = bench_of(folder, engine, monkeypatch)
    done = make_shard(job, bench)
    ledger = ShardLedger(folder / "work" / SHARDS, KeptScenes(folder / "work" / SCENES))
    result = ledger.result("k")
    assert result is not None and result.summary == done.summary
    return Made(ledger, result)


@pytest.mark.parametrize("damage", ["empty", "cut", "other bytes"])
def test_a_damaged_context_is_written_again(tmp_path: Path, damage: str) -> None:
    config = load_config(draft_config(tmp_path))
    context = BuildContext(config=config, speakers=resolve(config).speakers)
    kept = keep_context(context)
    whole = kept.path.read_bytes()
    spoilt = {"empty": b"", "cut": whole[: len(whole) // 2], "other bytes": whole.replace(b"draft", b"drift")}
    kept.path.write_bytes(spoilt[damage])
    assert keep_context(context) == kept
    assert kept.path.read_bytes() == whole
    assert kept.load() == context


def test_it_is_asked_with_other_seeds_until_it_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Breaking(failures=TRIES - 1)
    made = make(tmp_path, engine, monkeypatch)
    assert made.item["accepted"], made.findings
    assert all(len(set(seeds)) == TRIES for seeds in engine.seeds.values())
    assert made.retakes == [(TRIES, True, ["BUILD.SPEECH_FAILED"])] * 3
    assert (made.result.summary.spoken_again, made.result.summary.mended) == (3, 3)
    (item,) = tmp_path.rglob("item.json")
    utterances = json.loads(item.read_text(encoding="utf-8"))["utterances"]
    assert [one["tries"] for one in utterances] == [TRIES] * 3
    assert [one["provenance"]["seed"] for one in utterances] == [seeds[-1] for seeds in engine.seeds.values()]


def test_next_to_silence_is_spoken_again_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A click passes every look at the samples, and has no loudness that could be set."""
    made = make(tmp_path, Breaking(failures=1, clicks=True), monkeypatch)
    assert made.item["accepted"], made.findings
    assert [retake[:2] for retake in made.retakes] == [(2, True)] * 3


def test_it_is_given_up_after_the_last_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Breaking(failures=TRIES)
    made = make(tmp_path, engine, monkeypatch)
    assert not made.item["accepted"]
    (finding,) = made.findings
    assert finding.code == "BUILD.SPEECH_FAILED" and "只有噪声" in finding.message
    assert all(len(seeds) == TRIES for seeds in engine.seeds.values())
    assert [retake[:2] for retake in made.retakes] == [(TRIES, False)] * 3


def test_what_is_made_once_is_found_again_and_what_changed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Breaking(failures=0)
    first = make(tmp_path, engine, monkeypatch)
    made = {path: (path.read_bytes(), path.stat().st_ino) for path in tmp_path.rglob("staged/*.wav")}
    asked = {text: len(seeds) for text, seeds in engine.seeds.items()}
    assert len(made) == 3

    assert make(tmp_path, engine, monkeypatch).result == first.result
    assert {path: path.stat().st_ino for path in made} == {path: inode for path, (_, inode) in made.items()}

    damaged = next(iter(made))
    damaged.write_bytes(b"")  # as after a power cut
    assert first.ledger.first_changed(first.result) == damaged
    assert make(tmp_path, engine, monkeypatch).result == first.result
    assert {path: path.read_bytes() for path in made} == {path: content for path, (content, _) in made.items()}
    assert {text: len(seeds) for text, seeds in engine.seeds.items()} == asked, "nothing was spoken again"


def test_a_changed_verdict_or_figure_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Valid JSON is not enough: every result carries a hash of itself."""
    made = make(tmp_path, Breaking(failures=0), monkeypatch)
    (verdict,) = tmp_path.rglob("verdict-*.json")
    for file, old, new in (
        (made.ledger.folder("k") / RESULT_FILE, '"audio_seconds":', '"audio_seconds":1'),
        (verdict, '"findings":[]', '"findings":[ ]'),
        (next(tmp_path.rglob(FACTS_FILE)), '"audio_seconds":', '"audio_seconds":1'),
    ):
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
    assert made.ledger.result("k") is None
    scene = made.item["scene_key"]
    assert made.ledger.scenes.get(scene) is None
    assert made.ledger.scenes.verdict(scene, verdict.stem.removeprefix("verdict-")) is None
    assert make(tmp_path, Breaking(failures=0), monkeypatch).result == made.result


class Slow(EspeakEngine):
    """espeak whose first answer comes late, and whose second is an error of the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.answered = Event()

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        self.asked += 1
        if self.asked == 1:
            raise OSError(errno.EIO, "Input/output error")
        self.answered.wait(0.2)
        return super().synthesise(request)


def test_nothing_that_a_failed_attempt_began_is_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, job = bench_of(tmp_path, Slow(), monkeypatch)
    begun: list[Future[Any]] = []
    submit = bench.run.submit

    def noted(*arguments: Any) -> Future[Any]:
        begun.append(submit(*arguments))
        return begun[-1]

    monkeypatch.setattr(bench.run, "submit", noted)
    with pytest.raises(OSError, match="Input/output"):
        make_shard(job, bench)
    assert len(begun) > 1
    assert all(future.done() for future in begun)


@pytest.mark.parametrize(
    ("stages", "missing"), [({Stage.COMPOSE}, Stage.SPEAK), ({Stage.SPEAK, Stage.JUDGE}, Stage.COMPOSE)]
)
def test_a_stage_alone_needs_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: set[Stage], missing: Stage
) -> None:
    bench, job = bench_of(tmp_path, Breaking(failures=0), monkeypatch)
    with pytest.raises(NotMade) as refused:
        make_shard(job, replace(bench, stages=frozenset(stages)))
    assert refused.value.stage is missing
    for stage in Stage:  # one after the other: each finds what was made before it
        done = make_shard(job, replace(bench, stages=frozenset({stage})))
    assert done.summary is not None and done.summary.rejects == {}


class Unusable(EspeakEngine):
    """espeak that cannot be loaded."""

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        raise EngineUnusable("模型无法加载")


def test_an_engine_that_cannot_be_loaded_is_no_fault_of_the_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineUnusable, match=r"^模型无法加载$"):
        make(tmp_path, Unusable(), monkeypatch)
    ledger = ShardLedger(tmp_path / "work" / SHARDS, KeptScenes(tmp_path / "work" / SCENES))
    assert ledger.result("k") is None, "nothing is in quarantine"
