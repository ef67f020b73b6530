"""What the catalog's suite looks at does not grow with the release."""

from __future__ import annotations

from pathlib import Path

import polars
import pytest

from data_schemas.catalog import CATALOG_SCHEMA
from validators.sets.catalog import CatalogExpectations, derived_tables

CELLS = {"zh": "trajectory/zh/3/train", "en": "trajectory/en/3/train"}
TEXTS = {"zh": "今天真高兴，我们去爬山吧。", "en": "I would like to know when the next train leaves."}


def catalog(path: Path, dialogues: int) -> Path:
    """Sound dialogues of three turns in both languages, spoken by five speakers of each."""
    count = 3 * dialogues
    language = ["zh" if n % 2 else "en" for n in range(dialogues) for _ in range(3)]
    columns: dict[str, object] = {name: [None] * count for name in CATALOG_SCHEMA}
    columns |= {
        "item_id": [f"task2_3_{language[3 * n]}_0001_{n:05d}" for n in range(dialogues) for _ in range(3)],
        "utterance_id": [f"p{n}" for n in range(count)],
        "kind": ["utterance"] * count,
        "track": ["track1"] * count,
        "role": ["user"] * count,
        "split": ["train"] * count,
        "language": language,
        "cell": [CELLS[one] for one in language],
        "turns": [3] * count,
        "turn_id": [n % 3 + 1 for n in range(count)],
        "speaker": [f"S{n // 3 % 5:04d}" for n in range(count)],
        "text": [TEXTS[one] for one in language],
        "duration_s": [3.1] * count,
        "loudness_lufs": [-23.0] * count,
    }
    polars.DataFrame(columns, schema=CATALOG_SCHEMA).write_parquet(path)
    return path


def heights(path: Path, dialogues: int) -> dict[str, int]:
    expectations = CatalogExpectations(items_per_cell=dict.fromkeys(CELLS.values(), dialogues // 2))
    tables = derived_tables(catalog(path, dialogues), expectations)
    assert tables["cells"]["items"].to_list() == [dialogues // 2] * 2
    assert tables["dialogues"].to_dicts() == [{"turns": 3, "utterances": 3, "dialogues": dialogues}]
    assert tables["rows"]["rows"].to_list() == [3 * dialogues]
    return {name: table.height for name, table in tables.items()}


def test_tables_are_as_small_for_a_large_release_as_for_a_small_one(tmp_path: Path) -> None:
    small, large = heights(tmp_path / "小.parquet", 40), heights(tmp_path / "大.parquet", 4_000)
    assert small == large
    assert sum(large.values()) < 30


@pytest.mark.parametrize("language", ["zh", "en"])
def test_means_are_those_of_the_columns(tmp_path: Path, language: str) -> None:
    tables = derived_tables(catalog(tmp_path / "c.parquet", 40), CatalogExpectations(items_per_cell={}))
    (row,) = tables[f"means_{language}"].to_dicts()
    assert (row["utterances"], row["duration_s"], row["loudness_lufs"]) == (60, pytest.approx(3.1), -23.0)
    assert row["seconds_per_unit"] == pytest.approx(3.1 / (11 if language == "zh" else 10), abs=1e-6)
