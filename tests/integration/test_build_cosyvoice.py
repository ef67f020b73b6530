"""A build with a CosyVoice whose files are all there and that cannot be loaded stops, after one load."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from tests.support.builds import draft_config, run_humdial
from tests.support.tiny_cosyvoice import write_pool

pytestmark = pytest.mark.integration

VERSIONS = '{"cosyvoice": "cosyvoice 0", "torch": "0"}'
RUNTIME = """#!{python}
import json, sys
if "--versions" in sys.argv:
    print('{versions}')
    sys.exit()
open("{loads}", "a").write("load\\n")
while sys.stdin.readline():
    print(json.dumps(dict(ok=False, error="RuntimeError: 权重不匹配", broken=False)), flush=True)
"""


def test_a_model_that_cannot_be_loaded_stops_the_build(tmp_path: Path) -> None:
    model, loads, python = tmp_path / "model", tmp_path / "loads", tmp_path / "python"
    (model / "CosyVoice-BlankEN").mkdir(parents=True)
    for name in ("cosyvoice2.yaml", "llm.pt", "flow.pt", "hift.pt", "campplus.onnx", "CosyVoice-BlankEN/config.json"):
        (model / name).write_text(name)
    python.write_text(RUNTIME.format(python=sys.executable, versions=VERSIONS, loads=loads), encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    made = draft_config(
        tmp_path,
        quotas=[
            {"task": "trajectory", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 2},
            {"task": "follow_up", "languages": ["zh"], "splits": ["train"], "turns": [1], "count": 2},
        ],
        speech={
            "engine": "cosyvoice",
            "voices": str(write_pool(tmp_path, "cosyvoice", ("neutral",))),
            "cosyvoice": {"model_dir": str(model), "python": str(python)},
        },
        execution={"workers": 1, "shard_items": 2},
    )
    status, output = run_humdial("build", str(made), folder=tmp_path)
    assert status == 2, output
    assert f"CosyVoice cannot be loaded from {model} (RuntimeError: 权重不匹配)" in output
    assert "Traceback" not in output and "top-up" not in output
    assert loads.read_text().count("load") == 1
    assert not (tmp_path / "release").exists()
