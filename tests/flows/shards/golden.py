"""What each stage of a build makes of the same inputs: ``python -m tests.flows.shards.golden`` writes ``golden.json``.

Raise the version of the stage in `flows.shards.keys.STAGE_VERSIONS` first, so that work which older code left behind is
not taken for its results; a stage whose results did not change keeps its version.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import polars
import soundfile

from data_schemas.foundation.base import dump_json
from data_schemas.item import Item
from flows.common.progress import SilentReporter
from flows.common.workers import SerialExecutor
from flows.config.build_config import BuildConfig, load_config
from flows.prepare.resolve import Prepared, prepare, resolve
from flows.shards import steps
from flows.shards.job import BuildContext, ContextRef, PlannedItem, ShardJob, keep_context
from flows.shards.kept import ITEM_FILE, SCENES, STAGED, KeptScenes
from flows.shards.keys import STAGE_VERSIONS
from flows.shards.ledger import SHARDS, ShardLedger
from flows.shards.make import Bench, make_shard
from flows.shards.speech import SpeechWork
from flows.shards.tables import TABLES, read_table
from tests.support.builds import draft_config
from validators.run.tables import decode_measures

GOLDEN = Path(__file__).with_name("golden.json")
QUOTAS: list[dict[str, Any]] = [
    {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 1},
    {"task": "trajectory", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 1},
    {"task": "follow_up", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 1},
    {"task": "third_party_after", "languages": ["en"], "splits": ["dev"], "turns": [1], "count": 1},
    {"task": "conversation", "languages": ["zh"], "splits": ["train"], "turns": [3], "count": 1},
]
#: samples whose mean level is one number
_BLOCK = 1600
_QUIETEST_DB = -80.0
#: columns of tables that hold hashes, or numbers that other stages measured
_OF_OTHERS = frozenset(
    ["sha256", "scene", "scene_key", "body", "row", "text", "audio_key", "expression", "engine_version", "message"]
)


def machine() -> str:
    """Names the kind of processor: what its flags allow decides which code libraries run."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    flags = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()[:16]


def results() -> dict[str, Any]:
    """Stage -> what it makes, as JSON with numbers that a person could compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = load_config(
            draft_config(folder, quotas=QUOTAS, speech={"engine": "espeak", "responses": "voiced"}, seed=3)
        )
        prepared = prepare(config, folder, resolve(config), SilentReporter())
        items = tuple(PlannedItem(plan=plan, words=prepared.writer.write(plan)) for plan in prepared.plans)
        context = keep_context(BuildContext(config=config, speakers=prepared.speakers))
        run = SerialExecutor()
        make_shard(ShardJob(number=0, key="golden", items=items), _bench(config, prepared, context, run))
        scenes = KeptScenes(config.work_dir / SCENES)
        shard = ShardLedger(config.work_dir / SHARDS, scenes).folder("golden")
        return {
            "request": [
                steps.plan_step(context, item.plan, item.words).model_dump(mode="json")  # type: ignore[arg-type]
                for item in items
            ],
            "scene": _by_item(_scene(path.parent) for path in scenes.root.rglob(ITEM_FILE)),
            "verdict": _by_item(_verdict(path) for path in scenes.root.rglob("verdict-*.json")),
            "shard": {table: _rows(shard / table) for table in TABLES},
        }


def digests(made: dict[str, Any]) -> dict[str, str]:
    """One hash per stage over everything exact."""
    return {stage: hashlib.sha256(dump_json(value).encode()).hexdigest() for stage, value in made.items()}


def _by_item(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Folders are named by keys, which other library versions change."""
    return sorted(found, key=lambda one: str(one["item"]))


def _bench(config: BuildConfig, prepared: Prepared, context: ContextRef, run: Executor) -> Bench:
    return Bench(
        context=context,
        engine=prepared.engine,
        seed=config.seed,
        tries=config.speech.tries,
        run=run,
        speech=SpeechWork(config, prepared.engine, run),
        reporter=SilentReporter(),
        cancelled=Event(),
    )


def _scene(folder: Path) -> dict[str, Any]:
    """Where everything is, and the level of every 0.1 s of every file."""
    item = Item.model_validate_json((folder / ITEM_FILE).read_bytes())
    return {
        "item": item.plan.id,
        "scene": None if item.scene is None else item.scene.model_dump(mode="json", exclude={"microphone"}),
        "files": {path.name: _levels(path) for path in sorted((folder / STAGED).iterdir())},
    }


def _levels(path: Path) -> list[float]:
    samples, _ = soundfile.read(path, dtype="float64")
    blocks = [samples[start : start + _BLOCK] for start in range(0, len(samples), _BLOCK)]
    power = [float(np.mean(np.square(block))) for block in blocks]
    return [round(max(_QUIETEST_DB, 10 * float(np.log10(max(one, 1e-12)))), 1) for one in power]


def _verdict(file: Path) -> dict[str, Any]:
    body = json.loads(file.read_text(encoding="utf-8").partition("\n")[2])
    measured = {}
    for line in body["measures"]:
        clip = decode_measures(line)
        measured[f"{clip.item}/{clip.name}"] = {name: round(value, 3) for name, value in sorted(clip.values.items())}
    item = json.loads((file.parent / ITEM_FILE).read_text(encoding="utf-8"))
    return {
        "item": item["plan"]["id"],
        "findings": [[one["code"], one["item"]] for one in body["findings"]],
        "measures": measured,
    }


def _rows(path: Path) -> list[list[str]]:
    """Texts of a table."""
    frame = read_table(path)
    kept = [name for name, kind in frame.schema.items() if kind == polars.String and name not in _OF_OTHERS]
    return [["" if value is None else str(value) for value in row] for row in frame.select(kept).iter_rows()]


if __name__ == "__main__":
    made = results()
    GOLDEN.write_text(
        json.dumps(
            {"machine": machine(), "versions": dict(STAGE_VERSIONS), "digests": digests(made), "results": made},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        + "\n",
        encoding="utf-8",
    )
