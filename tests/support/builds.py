"""Small draft builds for tests: the real flow, the real pack, espeak speech."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_PATIENCE_S = 1800  # two slow tests may share two cores
QUOTAS: list[dict[str, Any]] = [
    {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 1},
    {"task": "trajectory", "languages": ["zh"], "splits": ["train", "dev"], "turns": [3], "count": 1},
    {"task": "empathy", "languages": ["en"], "splits": ["dev"], "turns": [3], "count": 1},
    {"task": "follow_up", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 1},
    {"task": "backchannel", "languages": ["zh"], "splits": ["dev"], "turns": [1], "count": 1},
    {"task": "pause", "languages": ["en"], "splits": ["dev"], "turns": [1], "count": 1},
]


def draft_config(folder: Path, **changes: Any) -> Path:
    """Write a configuration of a ten-item espeak build into ``folder`` and return its path."""
    raw: dict[str, Any] = {
        "name": "draft",
        "seed": 7,
        "release": str(folder / "release"),
        "work": str(folder / "work"),
        "quotas": QUOTAS,
        "scripts": {"writer": "pack", "pack": ["quickstart"]},
        "speech": {"engine": "espeak"},
        "validation": {"skip": ["slow"]},
        "execution": {"workers": 1, "shard_items": 3},
    }
    raw.update(changes)
    path = folder / "draft.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return path


def humdial(
    *arguments: str, log: Path, home: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start the command line tool in a process group of its own, output to a file."""
    own = {"PREFECT_HOME": str(home / "prefect"), "PYTHONUNBUFFERED": "1", **(environment or {})}
    inherited = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    with log.open("ab") as handle:
        return subprocess.Popen(
            [sys.executable, "-m", "flows", *arguments],
            stdout=handle,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=inherited | own,
            start_new_session=True,
        )


def run_humdial(*arguments: str, folder: Path) -> tuple[int, str]:
    """Run to the end; returns exit status and everything printed."""
    log = folder / "humdial.log"
    log.unlink(missing_ok=True)
    status = humdial(*arguments, log=log, home=folder).wait(timeout=_PATIENCE_S)
    return status, log.read_text(encoding="utf-8")
