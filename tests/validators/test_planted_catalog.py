"""The release gate: a real Great Expectations suite finds each planted defect, and answers the same twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars
import pytest

from data_schemas.catalog import CATALOG_SCHEMA
from data_schemas.plan import QuotaCell
from data_schemas.release import DatasetLock, LockedCount, LockedEngine
from data_schemas.tasks import Language, Split, Task
from validators.core.codes import CODES
from validators.core.thresholds import Thresholds
from validators.sets.catalog import (
    CatalogExpectations,
    DeclaredEngine,
    expectations_from_lock,
    judge_catalog,
    write_data_docs,
)

pytestmark = pytest.mark.integration  # Great Expectations takes 5 s to import and a second for every suite

CELL_ZH, CELL_EN = "trajectory/zh/3/train", "follow_up/en/1/dev"


def utterance(item: int, turn: int, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(CATALOG_SCHEMA)
    row |= {
        "item_id": f"task2_3_zh_0001_{item:04d}",
        "plan_id": f"p{item}",
        "track": "track1",
        "task": "trajectory",
        "language": "zh",
        "split": "train",
        "turns": 3,
        "cell": CELL_ZH,
        "domain": "work",
        "script_id": f"zh-{item}",
        "kind": "utterance",
        "file": f"track1/train/zh/task2_3/task2_3_zh_0001_{item:04d}_{turn}.wav",
        "role": "user",
        "turn_id": turn,
        "utterance_id": f"p{item}/{turn}",
        "speaker": "S0001",
        "voice": "zf_xiaoxiao",
        "engine": "kokoro",
        "engine_version": "1.0",
        "weights_sha256": "6e" * 32,
        "license": "Apache-2.0",
        "seed": 1,
        "audio_key": "k",
        "text": "今天真高兴。",
        "spoken_text": "今天真高兴。",
        "emotion": "happy",
        "intensity": 2,
        "response_text": "太好了。",
        "start_s": 0.0,
        "stop_s": 2.0,
        "duration_s": 2.0,
        "loudness_lufs": -23.0,
        "peak_dbfs": -6.0,
        "cut": False,
    }
    return row | changes


def duplex(**changes: Any) -> dict[str, Any]:
    row = utterance(
        5,
        1,
        item_id="0002_0005",
        plan_id="q5",
        track="track2",
        task="follow_up",
        language="en",
        split="dev",
        turns=1,
        cell=CELL_EN,
        channel="user",
        part="query",
        turn_id=None,
        utterance_id="q5/1",
        speaker="S0002",
        text="Hello there",
        emotion=None,
        intensity=None,
        response_text=None,
        start_s=0.5,
        stop_s=2.5,
    )
    return row | changes


def event(**changes: Any) -> dict[str, Any]:
    kept = ("item_id", "plan_id", "track", "task", "language", "split", "turns", "cell", "script_id", "file")
    row: dict[str, Any] = dict.fromkeys(CATALOG_SCHEMA) | {key: duplex()[key] for key in kept}
    row |= {"kind": "event", "channel": "user", "event_kind": "barge_in"}
    return row | {"start_s": 1.0, "stop_s": 1.5, "duration_s": 0.5} | changes


ROWS = [
    *(utterance(item, turn) for item in (1, 2) for turn in (1, 2, 3)),
    duplex(),
    event(),
]
EXPECTED = CatalogExpectations(items_per_cell={CELL_ZH: 2, CELL_EN: 1})


def frame(rows: list[dict[str, Any]]) -> polars.DataFrame:
    return polars.DataFrame({name: [row[name] for row in rows] for name in CATALOG_SCHEMA}, schema=CATALOG_SCHEMA)


def codes(rows: list[dict[str, Any]], expected: CatalogExpectations = EXPECTED) -> set[str]:
    report = judge_catalog(frame(rows), expected)
    assert report.success == (not report.findings)
    return {finding.code for finding in report.findings}


def test_a_sound_catalog_passes_and_the_report_is_plain_and_the_same_twice() -> None:
    first, second = judge_catalog(frame(ROWS), EXPECTED), judge_catalog(frame(ROWS), EXPECTED)
    assert first.success
    assert first.findings == ()
    text = json.dumps(first.results, ensure_ascii=False, allow_nan=False)
    assert text == json.dumps(second.results, ensure_ascii=False, allow_nan=False)
    assert set(first.results["tables"]) == {"rows", "utterances", "turns", "dialogues", "cells", "speakers"}
    assert sum(len(results) for results in first.results["tables"].values()) > 40
    assert "batch_id" not in text


#: Rows that each break one rule, and the (code, table.column) that says so.
DEFECTS = [
    (utterance(3, 1, speaker=None), "CATALOG.NULL", "utterances.speaker"),
    (utterance(3, 2, response_text=None), "CATALOG.NULL", "turns.response_text"),
    (utterance(3, 3, item_id=None), "CATALOG.NULL", "rows.item_id"),
    (utterance(4, 1, emotion="高兴"), "CATALOG.VALUE", "utterances.emotion"),
    (event(event_kind="laughter"), "CATALOG.VALUE", "rows.event_kind"),
    (event(language="fr"), "CATALOG.VALUE", "rows.language"),
    (utterance(4, 2, loudness_lufs=-60.0), "CATALOG.RANGE", "utterances.loudness_lufs"),
    (utterance(4, 3, duration_s=0.01), "CATALOG.RANGE", "utterances.duration_s"),
    (event(stop_s=0.2), "CATALOG.RANGE", "rows.stop_s"),
    (event(stop_s=9999.0), "CATALOG.RANGE", "rows.stop_s"),
    (event(turns=7), "CATALOG.RANGE", "rows.turns"),
    (event(telephone="opus"), "CATALOG.VALUE", "rows.telephone"),
    (event(echo_db=3.0), "CATALOG.RANGE", "rows.echo_db"),
    (event(distance_m=-1.0), "CATALOG.RANGE", "rows.distance_m"),
    (utterance(1, 2), "CATALOG.DUPLICATE", "utterances.utterance_id"),
    (utterance(4, 4, license="Proprietary"), "CATALOG.LICENSE", "utterances.license"),
    (utterance(4, 5, split="dev"), "CATALOG.SPLIT_LEAK", "speakers.splits"),
    (utterance(4, 6), "CATALOG.TURNS", "dialogues.utterances"),
]


def test_every_planted_defect_is_found_and_nothing_else() -> None:
    rows = ROWS + [row for row, _, _ in DEFECTS]
    expected = CatalogExpectations(items_per_cell={CELL_ZH: 4, CELL_EN: 1})
    report = judge_catalog(frame(rows), expected)
    found = {(finding.code, finding.message.split(": ")[0]) for finding in report.findings}
    assert found == {(code, place) for _, code, place in DEFECTS}
    assert not report.success


@pytest.mark.parametrize(
    "planned",
    [{CELL_ZH: 3, CELL_EN: 1}, {CELL_ZH: 2}, {CELL_ZH: 2, CELL_EN: 1, "pause/zh/1/dev": 4}],
    ids=["too few", "not planned", "absent"],
)
def test_quota_not_met(planned: dict[str, int]) -> None:
    assert codes(ROWS, CatalogExpectations(items_per_cell=planned)) == {"CATALOG.QUOTA"}


def test_the_licence_gate_follows_the_allow_list_and_an_empty_cell_planned_empty_is_fine() -> None:
    planned = EXPECTED.items_per_cell | {"pause/zh/1/dev": 0}
    strict = CatalogExpectations(items_per_cell=planned, thresholds=Thresholds(allowed_licenses=("MIT",)))
    assert codes(ROWS, strict) == {"CATALOG.LICENSE"}


def test_other_columns_stop_the_gate() -> None:
    report = judge_catalog(frame(ROWS).drop("license"), EXPECTED)
    assert not report.success
    assert [finding.code for finding in report.findings] == ["CATALOG.COLUMNS"]


def test_a_finding_shows_the_first_items() -> None:
    report = judge_catalog(frame([*ROWS, utterance(3, 1, speaker=None)]).lazy(), EXPECTED)
    (finding,) = [one for one in report.findings if one.code == "CATALOG.NULL"]
    assert finding.message.endswith("1 null, such as task2_3_zh_0001_0003")


KOKORO = DeclaredEngine(name="kokoro", weights_sha256="6e" * 32)


@pytest.mark.parametrize("changes", [{"engine": "cosyvoice"}, {"weights_sha256": "00" * 32}], ids=["engine", "weights"])
def test_speech_that_the_release_does_not_declare(changes: dict[str, str]) -> None:
    expected = EXPECTED.model_copy(update={"engines": (KOKORO,)})
    assert codes(ROWS, expected) == set()
    assert codes([*ROWS[:-2], duplex(**changes), event()], expected) == {"CATALOG.ENGINE"}


def many(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Scenes whose twelve words take 4 s."""
    words = "I would like to know when the next train to Leeds leaves"
    return [
        duplex(
            item_id=f"0002_{n:04d}",
            utterance_id=f"q{n}",
            text=words,
            **({"duration_s": 4.0, "loudness_lufs": -23.2} | changes),
        )
        for n in range(count)
    ]


def of_many(count: int, **changes: Any) -> set[str]:
    target = CatalogExpectations(items_per_cell={CELL_EN: count}, loudness_lufs=-23.0)
    return codes(many(count, **changes), target)


@pytest.mark.parametrize("changes", [{"duration_s": 6.5}, {"duration_s": 1.6}, {"loudness_lufs": -26.0}])
def test_a_mean_outside_its_band(changes: dict[str, Any]) -> None:
    assert of_many(30) == set()
    assert of_many(30, **changes) == {"CATALOG.MEAN"}
    assert of_many(10, **changes) == set()  # too few for a mean


def test_what_emotion_adds_to_the_loudness_is_no_error() -> None:
    assert of_many(30, loudness_lufs=-26.0, target_lufs=-26.0) == set()
    assert of_many(30, loudness_lufs=-23.0, target_lufs=-26.0) == {"CATALOG.MEAN"}


def test_mean_loudness_without_a_target_has_the_band_of_single_utterances() -> None:
    expected = CatalogExpectations(items_per_cell={CELL_EN: 30})
    assert codes(many(30, loudness_lufs=-26.0), expected) == set()


def test_expectations_of_a_lock() -> None:
    cell = QuotaCell(task=Task.TRAJECTORY, language=Language.ZH, turns=3, split=Split.TRAIN)
    lock = DatasetLock(
        format_version=1,
        name="试",
        seed=1,
        config={"validation": {"max_duration_s": 30.0, "of_a_later_version": 1}, "speech": {"loudness_lufs": -20.0}},
        code_version="1",
        engines=(LockedEngine(name="kokoro", version="1.0", weights_sha256="6e" * 32, license="Apache-2.0"),),
        models=(),
        counts=(LockedCount(cell=cell, quota=3, planned=3, topped_up=0, released=2, quarantined=1),),
        files=(),
        tree_sha256="0" * 64,
    )
    expected = expectations_from_lock(lock)
    assert expected.items_per_cell == {CELL_ZH: 2}
    assert (expected.engines, expected.loudness_lufs) == ((KOKORO,), -20.0)
    assert expected.thresholds == Thresholds(max_duration_s=30.0)
    assert expectations_from_lock(lock, Thresholds(max_duration_s=9.0)).thresholds.max_duration_s == 9.0
    assert codes([row for row in ROWS if row["track"] == "track1"], expected) == set()


def test_data_docs_are_built_without_a_network_and_into_an_empty_folder_only(tmp_path: Path) -> None:
    index = write_data_docs(frame(ROWS), EXPECTED, tmp_path / "docs")
    assert "<html" in index.read_text(encoding="utf-8")
    pages = [path.read_text(encoding="utf-8") for path in (tmp_path / "docs").rglob("*.html")]
    assert any("loudness_lufs" in page for page in pages)
    with pytest.raises(FileExistsError, match="not empty"):
        write_data_docs(frame(ROWS), EXPECTED, tmp_path / "docs")


def test_every_catalog_code_is_planted() -> None:
    planted = {code for _, code, _ in DEFECTS} | {"CATALOG.QUOTA", "CATALOG.COLUMNS"}
    planted |= {"CATALOG.ENGINE", "CATALOG.MEAN"}
    assert planted == {code for code in CODES if code.startswith("CATALOG.")}
