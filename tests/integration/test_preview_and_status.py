"""A preview, a build in parts and what is said of it meanwhile, as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import draft_config, humdial, run_humdial

pytestmark = pytest.mark.integration
_PATIENCE_S = 600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return draft_config(tmp_path, execution={"workers": 1, "shard_items": 2, "orchestrator": "none"})


def json_of(*arguments: str) -> Any:
    """What stands on standard output, which is to be one JSON document."""
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments, "--json"], capture_output=True, text=True, timeout=1800, check=True
    )
    return json.loads(done.stdout)


def states(path: Path) -> tuple[str, dict[str, tuple[int, int]]]:
    said = json_of("status", str(path))
    stages = (said["progress"] or {"stages": []})["stages"]
    return said["state"], {one["stage"]: (one["done"], one["total"]) for one in stages}


def test_what_a_preview_makes_is_found_again_by_the_build(path: Path, tmp_path: Path) -> None:
    preview = json_of("preview", str(path), "-n", "3")
    assert len(preview["items"]) == 3 and preview["measured"] and preview["build_items"] == 9
    assert {item["track"] for item in preview["items"]} == {"track1", "track2"}
    assert {item["language"] for item in preview["items"]} == {"zh", "en"}
    for item in preview["items"]:
        assert item["audio"] and all(Path(file).stat().st_size > 44 for file in item["audio"])
        assert item["lines"] and item["seconds"].keys() >= {"speak", "compose", "judge"}
    scenes = {path.name for path in (tmp_path / "work" / "scenes").glob("??/*")}
    again = json_of("preview", str(path))
    assert [item["seconds"] for item in again["items"]] == [item["seconds"] for item in preview["items"]]
    assert again["build_seconds"] == preview["build_seconds"]
    report = json_of("build", str(path))
    assert report["outcome"] == "published"
    assert scenes <= {path.name for path in (tmp_path / "work" / "scenes").glob("??/*")}
    assert json_of("build", str(path))["outcome"] == "already_published"


def test_a_build_in_parts_is_the_build(path: Path, tmp_path: Path) -> None:
    spoken = json_of("items", str(path), "--steps", "speak")
    assert (spoken["released"], spoken["stages"]) == (0, ["speak"])
    for part in ("1/2", "2/2"):
        json_of("items", str(path), "--part", part)
    published = json_of("publish", str(path))
    assert published["outcome"] == "published"
    whole = draft_config(tmp_path / "整个", execution={"workers": 1, "shard_items": 2, "orchestrator": "none"})
    assert json_of("build", str(whole))["tree_sha256"] == published["tree_sha256"]


def test_status_follows_a_build_that_is_killed_and_goes_on(path: Path, tmp_path: Path) -> None:
    assert states(path) == ("never started", {})
    process = humdial("build", str(path), log=tmp_path / "log.txt", home=tmp_path)
    deadline = time.monotonic() + _PATIENCE_S
    while (now := states(path))[1].get("judge", (0, 9))[0] < 2:  # a shard
        assert now[0] in {"never started", "running"}
        assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log.txt").read_text("utf-8")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    state, stages = states(path)
    assert state == "gone"
    assert all(done <= total == 9 for stage, (done, total) in stages.items() if stage != "publish")
    _, said = run_humdial("status", str(path), folder=tmp_path)
    assert "not running" in said and "run it again to go on" in said
    status, said = run_humdial("build", str(path), folder=tmp_path)
    assert status == 0, said
    assert states(path)[0] == "finished"
    _, said = run_humdial("status", str(path), folder=tmp_path)
    assert "9 items released" in said
    assert (tmp_path / "work" / "build.log.1").is_file()  # the run that was killed
