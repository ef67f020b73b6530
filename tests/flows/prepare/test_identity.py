"""What a release is made from: a changed clip, script, licence or engine is noticed, and voices are declared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars
import pytest
import yaml

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, write_wav
from data_schemas.release import DatasetLock
from flows.common.errors import TargetError
from flows.common.progress import SilentReporter
from flows.config.build_config import BuildConfig, load_config
from flows.prepare.resolve import Prepared, prepare, resolve
from flows.release.card import resource_declaration
from flows.release.lock import lock_head
from flows.release.publish import check_same_inputs
from flows.release.tree import ENTRY_SCHEMA
from flows.shards.job import BuildContext, PlannedItem
from flows.shards.keys import shard_basis, shard_key
from generators.scripts.packs import load_packs
from generators.scripts.script_file import read_script_file, write_script_file
from generators.scripts.settings import ScriptSettings
from generators.speech.espeak.engine import EspeakEngine
from tests.support.builds import draft_config
from tests.support.cli import invoke
from tests.support.script_orders import llm_config
from validators.files.lock import LOCK_FILE

QUOTAS = [{"task": "recognition", "languages": ["zh"], "splits": ["train"], "turns": [1], "count": 1}]
ENGINE = "openai-speech"
SENTENCE = "今天下午三点，我们在图书馆门口见面。"
Voices = list[dict[str, Any]]


def write_registry(folder: Path, change: Callable[[Voices], None] = lambda voices: None) -> Path:
    """Six women and men of a server and one cloned voice, 小林, cast as the assistant of train."""
    voices: Voices = [
        {"id": f"{gender}{number}", "engine": ENGINE, "language": "zh", "gender": gender, "license": "Apache-2.0"}
        for gender in ("female", "male")
        for number in (1, 2, 3)
    ]
    clip = {"file": "小林.wav", "text": SENTENCE}
    own = {"license": "CC-BY-4.0", "origin": "小林本人录音，同意合成与发布", "clips": [clip]}
    voices.append({"id": "小林", "engine": ENGINE, "language": "zh", "gender": "female", **own})
    change(voices)
    if not (folder / "小林.wav").exists():
        record(folder, seed=1)
    path = folder / "声音.yaml"
    path.write_text(yaml.safe_dump({"voices": voices}, allow_unicode=True), encoding="utf-8")
    return path


def record(folder: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-0.3, 0.3, 6 * SAMPLE_RATE_HZ).astype(np.float32)
    write_wav(folder / "小林.wav", noise)


def server_config(folder: Path) -> BuildConfig:
    registry = write_registry(folder)
    server = {
        "endpoint": {"base_url": "http://127.0.0.1:9/v1"},
        "model": "tts",
        "license": "Apache-2.0",
        "weights": "rev-1",
    }
    casting = {"zh": {"train": {"assistants": ["小林"]}}}
    speech = {"engine": ENGINE, "voices": str(registry), "server": server, "casting": casting}
    return load_config(draft_config(folder, quotas=QUOTAS, speech=speech))


def prepared_of(config: BuildConfig, folder: Path) -> Prepared:
    return prepare(config, folder, resolve(config, need_models=False), SilentReporter())


def key_of(config: BuildConfig, folder: Path) -> str:
    prepared = prepared_of(config, folder)
    basis = shard_basis(BuildContext(config=config, speakers=prepared.speakers), prepared.engine)
    return shard_key(basis, [PlannedItem(plan=plan, words=prepared.writer.write(plan)) for plan in prepared.plans])


def publish_empty(config: BuildConfig, folder: Path) -> DatasetLock:
    """A release of no files, with the lock that a build of ``config`` writes."""
    config.release_dir.mkdir()
    lock = lock_head(config, prepared_of(config, folder), (), polars.DataFrame(schema=ENTRY_SCHEMA))
    write_lock(config, lock)
    return lock


def write_lock(config: BuildConfig, lock: DatasetLock, *without: str) -> None:
    stated = {key: value for key, value in lock.model_dump(mode="json").items() if key not in without}
    (config.release_dir / LOCK_FILE).write_text(json.dumps(stated, ensure_ascii=False), encoding="utf-8")


def other_text(voices: Voices) -> None:
    voices[-1]["clips"][0]["text"] = "今天下午四点，我们在图书馆门口见面。"


def other_licence(voices: Voices) -> None:
    voices[-1]["license"] = "CC0-1.0"


def other_origin(voices: Voices) -> None:
    voices[-1]["origin"] = "小林本人录音，同意合成"


# -- shards -------------------------------------------------------------------------------------------------------


def test_another_recording_makes_other_shards(tmp_path: Path) -> None:
    config = server_config(tmp_path)
    before = key_of(config, tmp_path)
    assert key_of(config, tmp_path) == before
    record(tmp_path, seed=2)
    assert key_of(config, tmp_path) != before
    record(tmp_path, seed=1)
    assert key_of(config, tmp_path) == before


def test_other_words_of_a_recording_make_other_shards(tmp_path: Path) -> None:
    config = server_config(tmp_path)
    before = key_of(config, tmp_path)
    write_registry(tmp_path, other_text)
    assert key_of(config, tmp_path) != before


def test_other_shares_of_a_mixture_make_other_shards(tmp_path: Path) -> None:
    def mixed(weight: float) -> str:
        parts = [{"voice": "zm_yunxi", "weight": weight}, {"voice": "zm_yunxia", "weight": 1 - weight}]
        voice = {"id": "云", "engine": "kokoro", "language": "zh", "gender": "male", "license": "MIT", "mix": parts}
        registry = tmp_path / "混合.yaml"
        registry.write_text(yaml.safe_dump({"voices": [voice]}, allow_unicode=True), encoding="utf-8")
        casting = {"zh": {"train": {"assistants": ["云"]}}}
        speech = {"engine": "kokoro", "voices": str(registry), "casting": casting}
        return key_of(load_config(draft_config(tmp_path, quotas=QUOTAS, speech=speech)), tmp_path)

    assert mixed(0.5) == mixed(0.5) != mixed(0.25)


@pytest.mark.parametrize("change", [other_licence, other_origin])
def test_what_only_the_declaration_says_of_a_voice_redoes_no_shard(
    tmp_path: Path, change: Callable[[Voices], None]
) -> None:
    config = server_config(tmp_path)
    before = key_of(config, tmp_path)
    write_registry(tmp_path, change)
    assert key_of(config, tmp_path) == before


# -- the same release again ---------------------------------------------------------------------------------------


def test_an_edited_script_is_not_the_same_release(tmp_path: Path) -> None:
    pack = tmp_path / "剧本.jsonl"
    scripts = [one for one in load_packs(ScriptSettings(), tmp_path) if one.language == "zh"]
    write_script_file(pack, scripts)
    path = draft_config(tmp_path, quotas=QUOTAS, scripts={"writer": "pack", "pack": [pack.name]})
    publish_empty(load_config(path), tmp_path)
    status, output, _ = invoke("build", str(path))
    assert status == 0 and "nothing to do" in output, output

    first, *others = read_script_file(pack)
    turn = first.turns[0].model_copy(update={"text": "我改了主意，明天再去。"})
    write_script_file(pack, [first.model_copy(update={"turns": (turn, *first.turns[1:])}), *others])
    status, output, error = invoke("build", str(path))
    assert status != 0 and "nothing to do" not in output
    assert isinstance(error, TargetError)
    assert "since it was made the scripts of scripts.pack have changed; nothing was touched" in str(error)


@pytest.mark.parametrize("change", [other_text, other_licence, other_origin])
def test_a_changed_voice_is_not_the_same_release(tmp_path: Path, change: Callable[[Voices], None]) -> None:
    config = server_config(tmp_path)
    lock = publish_empty(config, tmp_path)
    check_same_inputs(config, lock, resolve(config, need_models=False), tmp_path)
    write_registry(tmp_path, change)
    with pytest.raises(TargetError, match="the voices have changed"):
        check_same_inputs(config, lock, resolve(config, need_models=False), tmp_path)


def test_the_order_of_a_registry_changes_nothing(tmp_path: Path) -> None:
    config = server_config(tmp_path)
    lock = publish_empty(config, tmp_path)
    write_registry(tmp_path, lambda voices: voices.reverse())
    check_same_inputs(config, lock, resolve(config, need_models=False), tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("weights_sha256", "ab" * 32, f"engine espeak is now weights {'ab' * 6} \\(were"),
        ("version", "第二版", r"engine espeak is now version 第二版 \(was espeakng-loader"),
        ("license", "MIT", r"engine espeak is now licence MIT \(was GPL-3.0-or-later\)"),
    ],
)
@pytest.mark.parametrize("writer", ["pack", "llm"])
def test_another_engine_of_the_same_name_is_not_the_same_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, field: str, value: str, told: str
) -> None:
    config = load_config(draft_config(tmp_path, quotas=QUOTAS))
    lock = publish_empty(config, tmp_path)
    if writer == "llm":  # nobody is asked for scripts to find that out
        config = llm_config(tmp_path, "http://127.0.0.1:9/v1", tuple(QUOTAS))
        lock = lock.model_copy(update={"scripts_sha256": None, "voices_sha256": None})
    monkeypatch.setattr(EspeakEngine, field, value)
    with pytest.raises(TargetError, match=told):
        check_same_inputs(config, lock, resolve(config, need_models=False), tmp_path)


def test_a_lock_of_an_older_version_is_read_and_compared_by_what_it_has(tmp_path: Path) -> None:
    path = draft_config(tmp_path, quotas=QUOTAS)
    config = load_config(path)
    lock = publish_empty(config, tmp_path)
    write_lock(config, lock, "scripts_sha256", "voices_sha256")
    status, output, _ = invoke("build", str(path))
    assert status == 0 and "nothing to do" in output, output
    write_lock(config, lock.model_copy(update={"code_version": "0"}), "scripts_sha256", "voices_sha256")
    assert isinstance(invoke("build", str(path))[2], TargetError)


# -- what the release declares ------------------------------------------------------------------------------------


def declared(config: BuildConfig, folder: Path) -> dict[str, str]:
    """Rows of ``RESOURCES.md`` about voices, by id."""
    texts: Any = SimpleNamespace(sources={}, rehearsed=0)
    text = resource_declaration(config, prepared_of(config, folder), texts)
    return {line.split()[2]: line for line in text.splitlines() if line.startswith("| voice ")}


def test_a_cast_voice_with_a_licence_or_an_origin_of_its_own_is_declared(tmp_path: Path) -> None:
    config = server_config(tmp_path)

    def known_by_name(voices: Voices) -> None:
        voices[0]["license"] = "CC-BY-4.0"
        voices[1]["origin"] = "示例语料库，\n说话人同意"

    write_registry(tmp_path, known_by_name)
    rows = declared(config, tmp_path)
    assert set(rows) == {"小林", "female1", "female2"}
    assert rows["female1"] == "| voice female1 (the engine's own) | speech | CC-BY-4.0 | as the engine |"
    origin = "示例语料库， 说话人同意"
    assert rows["female2"] == f"| voice female2 (the engine's own): {origin} | speech | Apache-2.0 | as the engine |"
    assert "(1 reference clips): 小林本人录音" in rows["小林"] and "| CC-BY-4.0 | `" in rows["小林"]


def test_voices_that_the_engines_row_covers_have_none(tmp_path: Path) -> None:
    assert declared(load_config(draft_config(tmp_path, quotas=QUOTAS)), tmp_path) == {}
