"""Thresholds per layout and engine, and the choice of judges."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from validators.core import settings as settings_module
from validators.core.judges import ALL, FAST, models_of, select
from validators.core.settings import ValidationSettings
from validators.core.thresholds import ENGINE_DEFAULTS, Thresholds


def test_the_most_particular_value_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "ENGINE_DEFAULTS", {"espeak": {"max_dc_offset": 0.02, "min_tail_s": 6.0}})
    own = ValidationSettings.model_validate(
        {
            "min_tail_s": 7.0,
            "layouts": {"track2": {"min_tail_s": 8.0}},
            "engines": {"kokoro": {"min_tail_s": 9.0}},
        }
    )
    assert own.at().min_tail_s == 7.0
    assert own.at("track2").min_tail_s == 8.0
    assert own.at("track2", "kokoro").min_tail_s == 9.0
    assert own.at("track1-seed", "espeak").min_tail_s == 7.0  # what a person set wins over what is shipped
    assert own.at("track1-seed", "espeak").max_dc_offset == 0.02
    assert own.at("track1-seed", "kokoro").max_dc_offset == Thresholds().max_dc_offset


def test_settings_read_back_from_a_lock_mean_the_same() -> None:
    own = ValidationSettings.model_validate({"skip": ["slow"], "engines": {"espeak": {"max_dc_offset": 0.03}}})
    back = ValidationSettings.model_validate(own.model_dump(mode="json"))
    assert back == own and back.at(engine="espeak") == own.at(engine="espeak")
    assert back.selected == FAST


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"skip": ["nobody"]}, "no judge is named 'nobody'"),
        ({"skip": ["all"]}, "no judge is left"),
        ({"engines": {"espeak": {"max_dc": 0.1}}}, r"engines\.espeak\.max_dc: unknown key; did you mean max_dc_offset"),
        ({"layouts": {"track2": {"max_dc_offset": 7}}}, r"layouts\.track2\.max_dc_offset"),
        ({"layouts": {"trak2": {"max_dc_offset": 0.1}}}, "trak2: no layout has this name; did you mean track2?"),
        ({"skip": ["transcripts"]}, "did you mean transcript?"),
        ({"layouts": {"track2": {"min_duration_s": 3.0, "max_duration_s": 2.0}}}, "min_duration_s"),
    ],
)
def test_what_cannot_be_meant_is_refused(raw: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ValidationSettings.model_validate(raw)


def test_shipped_values_for_engines_are_thresholds() -> None:
    for engine in ENGINE_DEFAULTS:
        assert ValidationSettings().at(engine=engine) != Thresholds()
    assert Thresholds().at("track2", "espeak") == Thresholds()


def test_judges_are_chosen_by_name_and_group() -> None:
    assert select() == ALL
    assert select(only=("fast",)) == FAST
    assert select(only=("transcript", "sound"), skip=("sound",)) == {"transcript"}
    assert select(skip=("slow",)) == FAST
    assert models_of(frozenset({"transcript"})) == ("whisper-base-ct2",)
    assert models_of(FAST) == ()
