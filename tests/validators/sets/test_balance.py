"""Even and uneven sets, and quotas that were not met."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.catalog import CATALOG_SCHEMA
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Split, Task, Track
from tests.validators.told_release import make_told_release
from validators.core.thresholds import Thresholds
from validators.sets.balance import Distribution, judge_balance

EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise")


def item(number: int, emotion: str = "happy", speaker: str | None = None, **more: object) -> FoundItem:
    turn: dict[str, object] = {"turn_id": 1, "text": "今天真好。", "emotion": emotion} | more
    if speaker is not None:
        turn["speaker"] = speaker
    return FoundItem(
        id=f"task1_1_zh_0001_{number:04d}",
        layout="track1-seed",
        track=Track.EMOTION,
        task=Task.RECOGNITION,
        language=Language.ZH,
        split=Split.TRAIN,
        manifest="track1/train/zh/task1.jsonl",
        line=number,
        row={"turns": [turn]},
        files={},
    )


def said(root: Path, items: list[FoundItem]) -> list[str]:
    found = judge_balance(root, items, Thresholds())
    assert {finding.code for finding in found} <= {"SET.BALANCE"}
    return [finding.item for finding in found]


def test_even_sets_are_not_blamed(tmp_path: Path) -> None:
    even = [item(n, EMOTIONS[n % 6], f"S{n % 5:04d}", gender=("female", "male")[n % 2]) for n in range(60)]
    assert said(tmp_path, even) == []


def test_one_emotion_nearly_everywhere(tmp_path: Path) -> None:
    items = [item(n, "happy" if n % 10 else "sad", f"S{n % 5:04d}") for n in range(60)]
    assert said(tmp_path, items) == ["emotion of track1/zh"]


def test_an_emotion_that_never_occurs_counts_as_none(tmp_path: Path) -> None:
    assert said(tmp_path, [item(n, EMOTIONS[n % 2]) for n in range(60)]) == ["emotion of track1/zh"]


def test_neutral_turns_say_nothing_about_emotions(tmp_path: Path) -> None:
    assert said(tmp_path, [item(n, "neutral") for n in range(60)]) == []


def test_one_speaker_says_nearly_everything(tmp_path: Path) -> None:
    items = [item(n, EMOTIONS[n % 6], "S0001" if n % 12 else "S0002") for n in range(60)]
    assert said(tmp_path, items) == ["speaker of track1/zh/train"]


def test_one_gender_only(tmp_path: Path) -> None:
    items = [item(n, EMOTIONS[n % 6], gender="Female") for n in range(60)]
    assert said(tmp_path, items) == ["gender of track1/zh"]


def test_too_few_say_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, [item(n, "happy", "S0001") for n in range(29)]) == []


@pytest.mark.parametrize(("column", "place"), [("voice", "track1/zh/train"), ("domain", "recognition/zh")])
def test_voices_and_domains_of_the_catalog(tmp_path: Path, column: str, place: str) -> None:
    import polars

    def write(values: list[str]) -> None:
        rows = [
            dict.fromkeys(CATALOG_SCHEMA)
            | {"kind": "utterance", "item_id": str(n), "track": "track1", "task": "recognition", "language": "zh"}
            | {"split": "train", "role": "user", "voice": f"v{n % 4}", "domain": f"d{n % 4}", column: value}
            for n, value in enumerate(values)
        ]
        polars.DataFrame(rows, schema=CATALOG_SCHEMA).write_parquet(tmp_path / "catalog.parquet")

    write([f"x{n % 4}" for n in range(40)])
    assert said(tmp_path, []) == []
    write(["x0" if n % 20 else "x1" for n in range(40)])
    assert said(tmp_path, []) == [f"{column} of {place}"]


def test_a_quota_that_is_not_met(tmp_path: Path) -> None:
    root = make_told_release(tmp_path / "set")
    assert said(root, []) == []
    lock = json.loads((root / "dataset.lock.json").read_text(encoding="utf-8"))
    lock["counts"][0]["quota"] = 3
    (root / "dataset.lock.json").write_text(json.dumps(lock), encoding="utf-8")
    assert said(root, []) == ["trajectory/zh/3/dev"]


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10_000), max_size=8))
def test_evenness_is_a_share_and_does_not_depend_on_order(counts: dict[str, int]) -> None:
    one = Distribution("domain", "zh", counts)
    other = Distribution("domain", "zh", dict(reversed(counts.items())))
    assert 0.0 <= one.evenness <= 1.0
    assert one.evenness == pytest.approx(other.evenness)


@given(st.integers(2, 12), st.integers(1, 1000))
def test_equal_shares_are_even_and_one_value_is_not(values: int, each: int) -> None:
    assert Distribution("x", "y", {str(n): each for n in range(values)}).evenness == pytest.approx(1.0)
    alone = Distribution("x", "y", {"0": each, **{str(n): 0 for n in range(1, values)}})
    assert alone.evenness == 0.0
