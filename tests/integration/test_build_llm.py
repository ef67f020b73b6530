"""A whole build whose scripts a (loopback) model writes, and the same release from the frozen file."""

import json
from pathlib import Path

import pytest
import yaml

from data_schemas.foundation.base import read_jsonl
from data_schemas.script import Script
from tests.support.builds import run_humdial
from tests.support.llm_answers import PlannedAnswers
from tests.support.llm_server import LlmServer
from tests.support.script_orders import llm_config, orders_of

pytestmark = pytest.mark.integration

QUOTAS = (
    {"task": "trajectory", "languages": ["zh"], "splits": ["train", "dev"], "turns": [3], "count": 1},
    {"task": "recognition", "languages": ["en"], "splits": ["train"], "turns": [1], "count": 2},
    {"task": "follow_up", "languages": ["en"], "splits": ["dev"], "turns": [1], "count": 1},
)


def write_config(folder: Path, base_url: str, **changes: object) -> Path:
    """The loopback configuration as a file in ``folder``."""
    config = llm_config(folder, base_url, QUOTAS, **changes)
    raw = config.model_dump(mode="json")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return path


def tree(release: Path) -> dict[str, str]:
    """Hash of every released file but those that name the configuration."""
    lock = json.loads((release / "dataset.lock.json").read_text(encoding="utf-8"))
    return {entry["path"]: entry["sha256"] for entry in lock["files"] if entry["path"] != "README.md"}


def test_a_model_writes_the_scripts_of_a_release_and_the_frozen_file_gives_the_same(tmp_path: Path) -> None:
    with LlmServer() as server:
        path = write_config(tmp_path / "direct", server.base_url)
        config = llm_config(tmp_path / "direct", server.base_url, QUOTAS)
        server.answer = PlannedAnswers(config.seed, orders_of(config))
        status, output = run_humdial("build", str(path), folder=tmp_path / "direct")
        assert status == 0, output
        asked = server.requests
        status, output = run_humdial(
            "scripts", str(path), "-o", str(tmp_path / "frozen.jsonl"), folder=tmp_path / "direct"
        )
        assert status == 0, output
        assert server.requests == asked, "everything was answered during the build"
    scripts = tuple(read_jsonl(tmp_path / "frozen.jsonl", Script))
    assert len(scripts) == 5
    assert all(script.provenance.writer == "llm" for script in scripts)

    replay = tmp_path / "replay"
    path = write_config(replay, "http://127.0.0.1:1/v1")
    status, output = run_humdial(
        "build",
        str(path),
        "--set",
        "scripts.writer=pack",
        "--set",
        f"scripts.pack=[{tmp_path / 'frozen.jsonl'}]",
        folder=replay,
    )
    assert status == 0, output
    assert tree(replay / "release") == tree(tmp_path / "direct" / "release")


def test_too_few_scripts_stop_the_build_before_anything_is_spoken(tmp_path: Path) -> None:
    with LlmServer(answer=lambda body: '{"turn_1": "no"}') as server:
        path = write_config(tmp_path, server.base_url, rounds=1)
        status, output = run_humdial("build", str(path), folder=tmp_path)
    assert status == 1, output
    assert "too few scripts passed after 1 top-up rounds" in output
    assert "SCRIPT.UNREADABLE" in output
    assert not (tmp_path / "release").exists()
    assert not list((tmp_path / "work" / "store").glob("*/*.wav"))


def test_a_server_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    path = write_config(tmp_path, "http://127.0.0.1:1/v1")
    status, output = run_humdial("build", str(path), folder=tmp_path)
    assert status != 0
    assert "127.0.0.1:1" in output
    assert "Traceback" not in output
