"""Distributions and settings of scenes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.foundation.randomness import named_generator
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.distributions import Distribution, Fixed, LogNormal, Uniform

DRAWS = 4000


@given(
    seed=st.integers(0, 2**31 - 1),
    low=st.floats(0.0, 1.0),
    median=st.floats(1.0, 2.0),
    high=st.floats(2.0, 9.0),
)
def test_every_draw_lies_within_the_bounds(seed: int, low: float, median: float, high: float) -> None:
    distributions: list[Distribution] = [
        Fixed(value_s=median),
        Uniform(low_s=low, high_s=high),
        LogNormal(median_s=median, sigma=1.5, low_s=low, high_s=high),
    ]
    for distribution in distributions:
        drawn = distribution.sample(named_generator(seed, "item", "stage"))
        assert distribution.lower_s <= drawn <= distribution.upper_s
        assert drawn == distribution.sample(named_generator(seed, "item", "stage"))


def test_a_lognormal_has_its_median_and_sigma() -> None:
    generator = named_generator(1, "item", "stage")
    wide = LogNormal(median_s=0.25, sigma=0.7, low_s=0.0, high_s=1000.0)
    logs = np.log([wide.sample(generator) for _ in range(DRAWS)])
    assert np.exp(np.median(logs)) == pytest.approx(0.25, rel=0.05)
    assert np.std(logs) == pytest.approx(0.7, rel=0.05)


def test_a_lognormal_is_truncated_and_not_clamped() -> None:
    generator = named_generator(1, "item", "stage")
    narrow = LogNormal(median_s=5.0, sigma=1.0, low_s=4.0, high_s=6.0)
    drawn = [narrow.sample(generator) for _ in range(DRAWS)]
    assert sum(value in (4.0, 6.0) for value in drawn) == 0
    assert 4.0 < min(drawn) < 4.05 and 5.95 < max(drawn) < 6.0


def test_the_default_event_comes_4_to_8_s_after_the_query_with_its_mode_at_5_s() -> None:
    event = SceneSettings().query_to_event
    assert isinstance(event, LogNormal)
    assert (event.low_s, event.high_s) == (4.0, 8.0)
    assert event.median_s * np.exp(-(event.sigma**2)) == pytest.approx(5.0, abs=0.01)


def test_settings_survive_json_with_their_distributions() -> None:
    settings = SceneSettings(tail=Uniform(low_s=10.0, high_s=12.0), pause=Fixed(value_s=2.0))
    assert SceneSettings.from_json_line(settings.to_json_line()) == settings
    assert SceneSettings.model_validate({"pause": {"kind": "uniform", "low_s": 1, "high_s": 2}}).pause == Uniform(
        low_s=1.0, high_s=2.0
    )


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"pause": {"kind": "uniform", "low_s": 0.6, "high_s": 2}}, "pause may fall to 0.6 s"),
        ({"pause": {"kind": "fixed", "value_s": 0.60001}}, "pause may fall to 0.60001 s"),  # rounds to 0.6 s
        ({"min_reply_unheard_s": 1e-5}, "greater than or equal to 0.001"),
        ({"query_to_event": {"kind": "fixed", "value_s": 0.1}}, "query_to_event may fall to 0.1 s"),
        ({"third_party_gap": {"kind": "fixed", "value_s": 0.5}}, "third_party_gap may fall"),
        ({"tail": {"kind": "fixed", "value_s": 2}}, "tail must be at least 5.0 s"),
        ({"stop_latency": {"kind": "fixed", "value_s": 0}}, "stop_latency must be at least 0.001 s"),
        ({"fade_out_ms": 300}, "fade_out_ms must not be longer"),
        ({"min_segment_gap_s": 0.6}, "greater than or equal to 0.601"),
        ({"pause": {"kind": "uniform", "low_s": 3, "high_s": 2}}, "low_s 3.0 is above high_s 2.0"),
        ({"pause": {"kind": "gamma", "shape": 3}}, "gamma"),
        ({"pauze": {"kind": "fixed", "value_s": 2}}, "Extra inputs"),
        (
            {"floor_transfer": {"kind": "lognormal", "median_s": 9, "sigma": 1, "low_s": 0, "high_s": 2}},
            "median_s",
        ),
        ({"third_party_level": {"low_db": -3, "high_db": 3}}, "must not be above 0 dB"),
    ],
)
def test_settings_that_break_the_format_are_refused(section: dict[str, object], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        SceneSettings.model_validate(section)
