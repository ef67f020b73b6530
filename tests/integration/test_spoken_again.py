"""A judge hears that an utterance says other words: it is spoken again, and given up after the last try.

The engine is a package of its own, as another team would install one: espeak that misreads.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import polars
import pytest

from data_schemas.plan import QuotaCell
from data_schemas.tasks import Language, Split, Task
from generators.plans.outlines import ScriptOutlines
from generators.scripts.packs import resolve_pack
from generators.scripts.script_file import read_script_files
from tests.support.builds import draft_config, run_humdial
from validators.core.judges import GROUPS
from validators.core.thresholds import ENGINE_DEFAULTS

pytestmark = pytest.mark.integration

ENGINE = '''
"""espeak that says something else, or sees that it failed: once of every text, and always where it is told to."""

import hashlib
from pathlib import Path

from generators.speech.engine import Control
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.returned import Misspoken

OTHER = "The museum opens at nine but the east wing stays closed until April."


class Misreader(EspeakEngine):
    name = "misreader"
    controls = frozenset({Control.SPEED, Control.SEED})

    def __init__(self, settings):
        self._heard = Path(settings.options["folder"])
        self._never = settings.options["never"]

    def synthesise(self, request):
        digest = hashlib.sha256(request.spoken_text.encode()).hexdigest()
        mark = self._heard / digest
        misread = self._never in request.spoken_text or not mark.exists()
        if not mark.exists() and int(digest, 16) % 2:
            mark.touch()
            raise Misspoken("nothing but noise came out")
        mark.touch()
        return super().synthesise(request.model_copy(update={"spoken_text": OTHER}) if misread else request)
'''
TRIES = 3
COUNT = 4
#: a word of exactly one English recognition script of the pack
NEVER = "bakery"


def seed_that_takes_it() -> int:
    """The first seed whose first items use that script."""
    cell = QuotaCell(task=Task.RECOGNITION, language=Language.EN, turns=1, split=Split.TRAIN)
    scripts = read_script_files(resolve_pack("quickstart", Path()))
    stories = [one for one in scripts if one.task is Task.RECOGNITION]
    (wanted,) = (story.script_id for story in stories if NEVER in story.turns[0].text)
    taken = (({one.script_id for one in ScriptOutlines(scripts, seed).take(cell, COUNT)}, seed) for seed in count())
    return next(seed for ids, seed in taken if wanted in ids)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("again")
    package = folder / "packages"
    information = package / "misreader-0.1.dist-info"
    information.mkdir(parents=True)
    (package / "misreader.py").write_text(ENGINE, encoding="utf-8")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: misreader\nVersion: 0.1\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(
        "[humdial.speech_engines]\nmisreader = misreader:Misreader\n", encoding="utf-8"
    )
    (folder / "heard").mkdir()
    config = draft_config(
        folder,
        seed=seed_that_takes_it(),
        quotas=[{"task": "recognition", "languages": ["en"], "splits": ["train"], "turns": [1], "count": COUNT}],
        speech={
            "engine": "misreader",
            "tries": TRIES,
            "options": {"folder": str(folder / "heard"), "never": NEVER},
        },
        validation={
            "skip": sorted(GROUPS["slow"] - {"transcript"}),
            "engines": {"misreader": dict(ENGINE_DEFAULTS["espeak"])},
        },
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(package))
        status, output = run_humdial("build", str(config), folder=folder)
    assert status == 0, output
    (folder / "output.txt").write_text(output, encoding="utf-8")
    return folder


def test_the_release_holds_what_was_heard_right_at_the_second_try(built: Path) -> None:
    catalog = polars.read_parquet(built / "release" / "catalog.parquet")
    assert len(catalog) == 4
    assert not any(NEVER in text for text in catalog["spoken_text"])
    assert set(catalog["tries"]) == {2}
    assert catalog["seed"].n_unique() == 4


def test_the_report_counts_what_was_mended_and_what_was_given_up(built: Path) -> None:
    report = json.loads((built / "release" / "validation" / "speech.json").read_text(encoding="utf-8"))
    voices = report["voices"]
    assert sum(row["utterances"] for row in voices) == sum(row["mended"] for row in voices) == 4
    assert sum(row["given_up"] for row in voices) == 1
    assert sum(row["spoken_again"] for row in voices) == 5
    assert [sum(row["released_by_try"][number] for row in voices) for number in range(TRIES)] == [0, 4, 0]
    assert {"TRANSCRIPT.ERRORS", "BUILD.SPEECH_FAILED"} <= set(report["because_of"])
    assert "spoken again: 5 utterances, 4 of them passed then" in (built / "output.txt").read_text(encoding="utf-8")


def test_what_was_given_up_is_in_quarantine_with_its_last_try(built: Path) -> None:
    (rejected,) = (built / "work" / "quarantine").rglob("item.json")
    item = json.loads(rejected.read_text(encoding="utf-8"))
    (utterance,) = item["utterances"]
    assert NEVER in utterance["text"] and utterance["tries"] == TRIES
