"""What the card and the resource declaration say first of a rehearsal."""

from pathlib import Path

import pytest

from data_schemas.plan import QuotaCell
from data_schemas.script import REHEARSAL_WRITER
from data_schemas.tasks import Language, Split, Task, Track
from flows.common.errors import ConfigError
from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.prepare.resolve import Prepared, prepare, resolve
from flows.release.card import dataset_card, resource_declaration
from flows.release.texts import read_texts
from generators.scripts.rehearsal.source import RehearsalSource
from tests.support.builds import draft_config
from tests.support.script_factory import make_trajectory
from validators.core.thresholds import Thresholds

CELL = QuotaCell(task=Task.TRAJECTORY, language=Language.ZH, turns=3, split=Split.TRAIN)
QUOTAS = [{"task": "trajectory", "languages": ["zh", "en"], "splits": ["train"], "turns": [3], "count": 2}]


@pytest.mark.parametrize("rehearsed", [0, 1])
def test_a_rehearsal_says_so_before_anything_else(tmp_path: Path, rehearsed: int) -> None:
    """Also where its frozen scripts are replayed as a pack: the scripts tell it, not the configuration."""
    path = draft_config(tmp_path)
    config = load_config(path)
    prepared = prepare(config, tmp_path, resolve(config), SilentReporter())
    scripts = [make_trajectory("zh-trajectory-3-01", Language.ZH), make_trajectory("zh-trajectory-3-02", Language.ZH)]
    scripts[:rehearsed] = [RehearsalSource(1).script(CELL, 1)] * rehearsed
    texts = read_texts(scripts, Thresholds())
    card = dataset_card(config, prepared, (), dict.fromkeys(Track, 0.0), texts)
    resources = resource_declaration(config, prepared, texts)
    for text in (card, resources):
        third_line = text.split("\n")[2]
        assert ("A rehearsal, not for training" in third_line and "1 of the 2 scripts" in third_line) == bool(rehearsed)
        assert text.count("A rehearsal") == rehearsed


def test_the_name_of_a_rehearsal_says_so(tmp_path: Path) -> None:
    scripts = {"writer": REHEARSAL_WRITER}
    with pytest.raises(ConfigError, match=r"must hold 'rehearsal'.*write draft-rehearsal"):
        load_config(draft_config(tmp_path, scripts=scripts))
    config = load_config(draft_config(tmp_path, scripts=scripts, name="draft-rehearsal", quotas=QUOTAS))
    prepared: Prepared = prepare(config, tmp_path, resolve(config), SilentReporter())
    assert [plan.outline.script_id for plan in prepared.plans] == [
        f"rehearsal-{language}-trajectory-3-train-00000{number}" for language in ("zh", "en") for number in (1, 2)
    ]
    assert prepared.scripts == (), "none is held"
    assert all(prepared.writer.write(plan).provenance.is_rehearsal for plan in prepared.plans)
