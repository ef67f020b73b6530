"""What an edit redoes, and what it leaves: the promise of docs/build.md, edit by edit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from data_schemas.foundation.base import write_jsonl
from data_schemas.script import Script
from data_schemas.utterance import SpeechRequest
from flows.build.rounds import Rounds
from flows.build.runner import ThreadRunner
from flows.common import code_version
from flows.common.progress import SilentReporter
from flows.common.workers import SerialExecutor
from flows.config.build_config import BuildConfig, load_config
from flows.prepare.resolve import prepare, resolve
from flows.shards import keys, steps
from generators.scripts.packs import load_packs
from generators.scripts.settings import ScriptSettings
from generators.speech import speak as speak_module
from generators.speech.engine import RawSpeech
from generators.speech.espeak.engine import EspeakEngine
from tests.support.builds import draft_config

QUOTAS: list[dict[str, Any]] = [
    {"task": "recognition", "languages": ["zh"], "splits": ["train"], "turns": [1], "count": 1},
    {"task": "trajectory", "languages": ["en"], "splits": ["train"], "turns": [3], "count": 1},
    {"task": "follow_up", "languages": ["zh"], "splits": ["train"], "turns": [1], "count": 1},
    {"task": "pause", "languages": ["en"], "splits": ["dev"], "turns": [1], "count": 1},
]
TRACK1 = frozenset({"zh-recognition-1-train-0001", "en-trajectory-3-train-0001"})
TRACK2 = frozenset({"zh-follow_up-1-train-0001", "en-pause-1-dev-0001"})
ALL = TRACK1 | TRACK2
NONE: frozenset[str] = frozenset()
PACK = "剧本.jsonl"


@dataclass
class Done:
    """Items (by plan id) that were composed and judged, and whether the engine was asked for words of them."""

    spoken: set[str] = field(default_factory=set)
    composed: set[str] = field(default_factory=set)
    judged: set[str] = field(default_factory=set)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Done:
    """Counts work as it is done; every step runs in this process."""
    counted = Done()
    compose, judge, speak = steps._compose, steps._judge, steps.speak

    def composing(config: Any, plan: Any, *rest: Any) -> Any:
        counted.composed.add(plan.id)
        return compose(config, plan, *rest)

    def judging(config: Any, item: Any, *rest: Any) -> Any:
        counted.judged.add(item.plan.id)
        return judge(config, item, *rest)

    def speaking(planned: Any, engine: Any, store: Any) -> Any:
        current.append(planned.id.split("/")[0])
        return speak(planned, engine, store)

    current: list[str] = []
    synthesise = EspeakEngine.synthesise

    def asked(engine: EspeakEngine, request: SpeechRequest) -> RawSpeech:
        counted.spoken.add(current[-1])
        return synthesise(engine, request)

    monkeypatch.setattr(steps, "_compose", composing)
    monkeypatch.setattr(steps, "_judge", judging)
    monkeypatch.setattr(steps, "speak", speaking)
    monkeypatch.setattr(EspeakEngine, "synthesise", asked)
    return counted


def scripts_of_pack() -> list[Script]:
    return list(load_packs(ScriptSettings(), Path()))


def config_in(folder: Path, overrides: tuple[str, ...] = (), **changes: Any) -> BuildConfig:
    path = draft_config(
        folder,
        **{"quotas": QUOTAS, "scripts": {"writer": "pack", "pack": [PACK]}, "top_up": {"rounds": 0}, **changes},
    )
    return load_config(path, overrides)


def make(config: BuildConfig, folder: Path) -> Rounds:
    parts = resolve(config)
    prepared = prepare(config, folder, parts, SilentReporter())
    with Rounds(config, prepared, SerialExecutor(), ThreadRunner(1, 0), SilentReporter()) as rounds:
        rounds.make()
    return rounds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration, its pack, and a work directory in which all its items are finished."""
    folder = tmp_path_factory.mktemp("edits")
    write_jsonl(folder / PACK, scripts_of_pack())
    rounds = make(config_in(folder), folder)
    assert rounds.books.made() == (len(ALL), 0), rounds.rejects
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """The same, to be edited; the plan book apart no file is ever written in place, so links do."""
    shutil.copytree(made, tmp_path / "build", copy_function=os.link)
    for name in ("plans.jsonl", "measured.sqlite", "measured.sqlite-wal", "measured.sqlite-shm"):
        (tmp_path / "build" / "work" / name).unlink(missing_ok=True)
    (tmp_path / "build" / PACK).unlink()
    shutil.copy(made / PACK, tmp_path / "build" / PACK)
    return tmp_path / "build"


#: (what is edited, keys set, items whose words are spoken, items composed, items judged again)
EDITS: tuple[tuple[str, tuple[str, ...], frozenset[str], frozenset[str], frozenset[str]], ...] = (
    ("nothing", (), NONE, NONE, NONE),
    ("the name of the release", ("name=another",), NONE, NONE, NONE),
    ("workers", ("execution.workers=3",), NONE, NONE, NONE),
    ("shard size", ("execution.shard_items=1",), NONE, NONE, NONE),
    ("retries", ("execution.shard_retries=3",), NONE, NONE, NONE),
    ("orchestrator", ("execution.orchestrator=none",), NONE, NONE, NONE),
    ("top-up", ("top_up.rounds=2", "top_up.on_short=publish"), NONE, NONE, NONE),
    ("a threshold of the balance of sets", ("validation.min_balance_entropy=0.5",), NONE, NONE, NONE),
    ("a threshold of fingerprints", ("validation.min_fingerprint_s=2.0",), NONE, NONE, NONE),
    ("a threshold of scripts", ("validation.max_script_similarity=0.6",), NONE, NONE, NONE),
    ("allowed licences", ("validation.allowed_licenses=[GPL-3.0-or-later, MIT]",), NONE, NONE, NONE),
    ("most tries", ("speech.tries=2",), NONE, NONE, NONE),
    ("a threshold of items", ("validation.min_snr_db=7.0",), NONE, NONE, ALL),
    ("a threshold for this engine", ("validation.engines={espeak: {max_clipped_run: 3}}",), NONE, NONE, ALL),
    ("a threshold for one layout", ("validation.layouts={track2: {min_tail_s: 6.0}}",), NONE, NONE, TRACK2),
    ("one judge fewer", ("validation.skip=[slow, sound]",), NONE, NONE, ALL),
    ("one judge of sets fewer", ("validation.skip=[slow, balance]",), NONE, NONE, NONE),
    ("the numbering of Track 1", ("track1_layout=track1-later",), NONE, NONE, TRACK1),
    ("the tail of scenes", ("scenes.tail={kind: fixed, value_s: 11.0}",), NONE, TRACK2, TRACK2),
    ("the microphone", ("scenes.microphone.keep_stems=true",), NONE, TRACK2, TRACK2),
    ("loudness", ("speech.loudness_lufs=-22.0",), ALL, ALL, ALL),
    ("pace", ("speech.speed=1.1",), ALL, ALL, ALL),
    ("silence inside utterances", ("speech.max_inner_silence_ms=300",), TRACK2, TRACK2, TRACK2),
    ("expression", ("speech.expression=off",), TRACK1, TRACK1, TRACK1),
    ("voiced replies", ("speech.responses=voiced",), TRACK1, TRACK1, TRACK1),
)


@pytest.mark.parametrize(
    ("overrides", "spoken", "composed", "judged"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS]
)
def test_an_edited_key_redoes_what_it_decides(
    copy: Path,
    done: Done,
    overrides: tuple[str, ...],
    spoken: frozenset[str],
    composed: frozenset[str],
    judged: frozenset[str],
) -> None:
    rounds = make(config_in(copy, overrides), copy)
    assert (done.spoken, done.composed, done.judged) == (spoken, composed, judged)
    assert sum(rounds.books.made()) == len(ALL)


def test_one_more_cell_leaves_the_others(copy: Path, done: Done) -> None:
    more = {"task": "recognition", "languages": ["en"], "splits": ["train"], "turns": [1], "count": 1}
    make(config_in(copy, quotas=[*QUOTAS, more]), copy)
    new = {"en-recognition-1-train-0002"}
    assert (done.spoken, done.composed, done.judged) == (new, new, new)


def edited(copy: Path, change: Callable[[Script], Script]) -> None:
    write_jsonl(copy / PACK, [change(script) for script in scripts_of_pack()])


def first_turn(script: Script, text: str) -> Script:
    return script.model_copy(update={"turns": (script.turns[0].model_copy(update={"text": text}), *script.turns[1:])})


def used_scripts(copy: Path) -> set[str]:
    config = config_in(copy)
    prepared = prepare(config, copy, resolve(config), SilentReporter())
    return {plan.outline.script_id or "" for plan in prepared.plans}


def test_a_script_that_is_edited_redoes_its_own_item(copy: Path, done: Done) -> None:
    used = used_scripts(copy)

    def change(script: Script) -> Script:
        own = script.script_id in used and script.task == "recognition"
        return first_turn(script, "今天下雨了，我忘了带伞，真倒霉！") if own else script

    edited(copy, change)
    make(config_in(copy), copy)
    mine = {"zh-recognition-1-train-0001"}
    assert (done.spoken, done.composed, done.judged) == (mine, mine, mine)


def test_other_peoples_scripts_redo_nothing(copy: Path, done: Done) -> None:
    used = used_scripts(copy)
    edited(
        copy,
        lambda script: script if script.script_id in used or not script.turns else first_turn(script, "早上好！"),
    )
    make(config_in(copy), copy)
    assert (done.spoken, done.composed, done.judged) == (NONE, NONE, NONE)


def test_the_words_of_a_commands_help_redo_nothing(copy: Path, done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_version, "VERSION", "9.9.9")
    make(config_in(copy), copy)
    assert (done.spoken, done.composed, done.judged) == (NONE, NONE, NONE)


@pytest.mark.parametrize(
    ("stage", "composed", "judged"), [("scene", ALL, ALL), ("verdict", NONE, ALL), ("shard", NONE, NONE)]
)
def test_a_raised_version_of_a_stage_redoes_it_and_what_follows(
    copy: Path,
    done: Done,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    composed: frozenset[str],
    judged: frozenset[str],
) -> None:
    monkeypatch.setattr(keys, "STAGE_VERSIONS", {**keys.STAGE_VERSIONS, stage: "第二版"})
    make(config_in(copy), copy)
    assert (done.spoken, done.composed, done.judged) == (NONE, composed, judged)


@pytest.mark.parametrize(
    ("library", "composed", "judged"),
    [
        ("pyroomacoustics", ALL, ALL),  # makes samples
        ("py3langid", NONE, ALL),  # measures for a judge that is asked
        ("ctranslate2", NONE, NONE),  # measures for one that is not
    ],
)
def test_another_version_of_a_library_redoes_what_it_makes(
    copy: Path,
    done: Done,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    composed: frozenset[str],
    judged: frozenset[str],
) -> None:
    real = keys.installed
    monkeypatch.setattr(keys, "installed", lambda name: "99.0" if name == library else real(name))
    make(config_in(copy), copy)
    assert (done.composed, done.judged) == (composed, judged)


def test_another_version_of_what_finishes_speech_redoes_all(
    copy: Path, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = keys.installed
    monkeypatch.setattr(keys, "installed", lambda name: "99.0" if name == "soxr" else real(name))
    monkeypatch.setattr(speak_module, "_versions", lambda names: tuple((name, "99.0") for name in names))
    make(config_in(copy), copy)
    assert (done.spoken, done.composed, done.judged) == (ALL, ALL, ALL)
