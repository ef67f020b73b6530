"""``python -m data_schemas.export [--check]``: the JSON Schemas of every record and row."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from data_schemas.finding import Finding
from data_schemas.foundation.base import Record
from data_schemas.foundation.models import ModelEntry
from data_schemas.item import Item
from data_schemas.layouts.track1_rows import Track1Row
from data_schemas.layouts.track2_rows import SentenceJson, Track2Row
from data_schemas.plan import DialoguePlan, Outline
from data_schemas.release import DatasetLock
from data_schemas.scene import Scene
from data_schemas.script import Script
from data_schemas.speakers import Speaker, Voice
from data_schemas.utterance import SpeechRequest, Utterance

FOLDER = Path(__file__).resolve().parent / "json"

EXPORTED: tuple[type[Record], ...] = (
    DatasetLock,
    DialoguePlan,
    Finding,
    Item,
    ModelEntry,
    Outline,
    Scene,
    Script,
    SentenceJson,
    Speaker,
    SpeechRequest,
    Track1Row,
    Track2Row,
    Utterance,
    Voice,
)


def schema_text(kind: type[Record]) -> str:
    """The schema as it is stored: sorted keys, two blanks of indent, a final newline."""
    return json.dumps(kind.model_json_schema(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def schema_file(kind: type[Record], folder: Path = FOLDER) -> Path:
    return folder / f"{kind.__name__}.schema.json"


def outdated(folder: Path = FOLDER) -> list[str]:
    """Names of schemas that are missing, differ, or belong to no record any more."""
    wrong = []
    for kind in EXPORTED:
        file = schema_file(kind, folder)
        if not file.exists() or file.read_text(encoding="utf-8") != schema_text(kind):
            wrong.append(kind.__name__)
    known = {schema_file(kind, folder) for kind in EXPORTED}
    return wrong + [file.name for file in sorted(folder.glob("*.json")) if file not in known]


def export(folder: Path = FOLDER) -> None:
    """Rewrite the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.json"):
        stale.unlink()
    for kind in EXPORTED:
        schema_file(kind, folder).write_text(schema_text(kind), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which schemas are not current")
    if parser.parse_args().check:
        wrong = outdated()
        if wrong:
            sys.stderr.write(f"not current: {', '.join(wrong)}; run python -m data_schemas.export\n")
        return int(bool(wrong))
    export()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
