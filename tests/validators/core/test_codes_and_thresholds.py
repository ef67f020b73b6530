"""The code table is complete, and the published page is generated from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_schemas.finding import Severity
from validators.core.codes import CODES, Judge, has_errors, render_codes_markdown
from validators.core.thresholds import Thresholds

REPOSITORY = Path(__file__).parents[3]


def test_findings_page_is_current() -> None:
    page = (REPOSITORY / "docs" / "findings.md").read_text(encoding="utf-8")
    assert page == render_codes_markdown(), "run: .venv/bin/python -m validators.core.codes > docs/findings.md"


def test_every_code_that_is_said_is_in_the_table_and_the_other_way_round() -> None:
    families = "|".join(dict.fromkeys(code.split(".")[0] for code in CODES))
    pattern = re.compile(rf'"((?:{families})\.[A-Z_0-9]+)"')
    said = {
        code
        for path in (*(REPOSITORY / "validators").rglob("*.py"), *(REPOSITORY / "flows").rglob("*.py"))
        if path.name not in {"code_table.py", "limits.py"}
        for code in pattern.findall(path.read_text(encoding="utf-8"))
    }
    assert said == set(CODES)


def test_every_threshold_a_code_names_exists_and_every_limit_is_used() -> None:
    named = {name for info in CODES.values() for name in info.thresholds}
    assert named == set(Thresholds.model_fields)


def test_the_judge_takes_severity_from_the_table_and_rounds_places() -> None:
    judge = Judge("audio/1", "task1_1_zh_0001_0001").about("a.wav")
    finding = judge.say("AUDIO.CLICK", "咔嗒一声", span=(1.23456789, 2.0), value=0.1234567, threshold=0.05)
    assert (finding.severity, finding.file, finding.start, finding.value) == (
        Severity.WARNING,
        "a.wav",
        1.2346,
        0.123457,
    )
    assert not has_errors([finding])
    assert has_errors([finding, judge.say("AUDIO.SILENT", "静音")])


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError):
        Judge("audio/1", "x").say("AUDIO.UNHEARD_OF", "")


def test_thresholds_refuse_crossed_bands_unknown_keys_and_absurd_values() -> None:
    with pytest.raises(ValidationError, match="min_pause_s"):
        Thresholds(min_pause_s=4.0)
    with pytest.raises(ValidationError, match="loudness"):
        Thresholds.model_validate({"loudness": -20})
    with pytest.raises(ValidationError, match="less than or equal to 0"):
        Thresholds(max_peak_dbfs=3.0)
    with pytest.raises(ValidationError, match="at least 1 item"):
        Thresholds(allowed_licenses=())
