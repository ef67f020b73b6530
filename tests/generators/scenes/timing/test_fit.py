"""Gaps, overlaps and pauses by the field's definitions, and fits that give back what was put in."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from data_schemas.foundation.randomness import named_generator
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.corpus import Conversation, CorpusError, Interval, read_conversations
from generators.scenes.timing.distance import Quantiles, ks_statistic, mean_of, wasserstein_s
from generators.scenes.timing.distributions import Distribution, Fixed, LogNormal, Uniform
from generators.scenes.timing.fit import MIN_COUNT, fit, fit_timing
from generators.scenes.timing.floor import FloorTiming, measure

#: How far a fit may lie from the distribution that 2,000 durations were drawn from: largest difference of
#: the distribution functions. A fit is closer than the sample, whose own 99.9 % bound is 1.95 / sqrt(2000) = 0.044.
TOLERANCE = 0.044
DRAWS = 2000


def talk(*spans: tuple[str, float, float], name: str = "call") -> Conversation:
    return Conversation(
        name=name, intervals=tuple(Interval(speaker=who, start_s=start, stop_s=stop) for who, start, stop in spans)
    )


def measured(*spans: tuple[str, float, float]) -> FloorTiming:
    return measure([talk(*spans)])


def test_a_gap_lies_between_speakers_and_a_pause_within_one() -> None:
    found = measured(("A", 0.0, 1.0), ("A", 1.5, 2.0), ("B", 2.3, 4.0), ("A", 5.0, 6.0))
    assert found.pause == (0.5,)
    assert found.gap == found.floor_transfer == (0.3, 1.0)
    assert found.overlap == found.within_overlap == () and found.unclear == 0
    assert found.turn == (2.0, 1.7, 1.0)


def test_an_overlap_hands_over_the_floor_and_contained_speech_does_not() -> None:
    handed = measured(("A", 0.0, 2.0), ("B", 1.6, 4.0))
    assert handed.overlap == (0.4,) and handed.floor_transfer == (-0.4,) and handed.within_overlap == ()
    contained = measured(("A", 0.0, 5.0), ("B", 2.0, 2.5))
    assert contained.within_overlap == (0.5,) and contained.floor_transfer == () and contained.turn == (5.0,)


def test_a_transfer_without_gap_or_overlap_is_zero() -> None:
    found = measured(("A", 0.0, 1.1 + 0.2), ("B", 1.3, 2.0))
    assert found.floor_transfer == (0.0,)
    assert found.gap == found.overlap == () and found.unclear == 0


def test_simultaneous_starts_and_stops_are_unclear() -> None:
    together = measured(("A", 0.0, 1.0), ("A", 2.0, 4.0), ("B", 2.0, 3.0))
    assert together.unclear == 2  # the silence before both, and their joint speech
    assert together.gap == together.pause == together.overlap == together.within_overlap == ()
    same_end = measured(("A", 0.0, 2.0), ("B", 1.0, 2.0), ("A", 3.0, 4.0))
    assert same_end.unclear == 2 and same_end.floor_transfer == ()
    assert measured(("A", 0.0, 1.0), ("B", 0.0, 1.0)).unclear == 1


def test_pieces_of_one_speaker_are_merged_before_measuring() -> None:
    found = measured(("A", 0.0, 1.0), ("A", 1.1, 2.0), ("A", 1.5, 1.8), ("B", 2.5, 3.0))
    assert found.pause == () and found.gap == (0.5,) and found.turn == (2.0, 0.5)


def test_a_short_lone_utterance_while_the_other_has_the_floor_is_like_a_backchannel() -> None:
    during = measured(("A", 0.0, 10.0), ("B", 4.0, 4.4), ("B", 10.5, 14.0))
    assert during.backchannel == (0.4,) and during.turn == (10.0, 3.5)
    in_a_pause = measured(("A", 0.0, 3.0), ("B", 3.2, 3.6), ("A", 4.0, 8.0))
    assert in_a_pause.backchannel == (0.4,) and in_a_pause.turn == (8.0,)
    answer = measured(("A", 0.0, 3.0), ("B", 3.2, 3.6), ("B", 4.0, 8.0), ("A", 9.0, 10.0))
    assert answer.backchannel == ()  # the same speaker goes on at once
    last_word = measured(("A", 0.0, 3.0), ("B", 3.2, 3.6))
    assert last_word.backchannel == () and last_word.turn == (3.0, 0.4)


@pytest.mark.parametrize("speakers", ["ABC", "A"])
def test_only_two_speakers_are_measured(speakers: str) -> None:
    spans = [(who, float(k), k + 0.5) for k, who in enumerate(speakers)]
    with pytest.raises(CorpusError) as caught:
        measured(*spans)
    assert str(caught.value).startswith(f"call: has {len(speakers)} speaker")
    assert ", ".join(speakers) in str(caught.value) and "name the two speakers" in str(caught.value)


intervals = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 3000), st.integers(1, 400)).map(
        lambda drawn: (drawn[0], drawn[1] / 100, (drawn[1] + drawn[2]) / 100)
    ),
    min_size=2,
    max_size=40,
)


@given(spans=intervals)
def test_silence_and_joint_speech_are_each_counted_once(spans: list[tuple[str, float, float]]) -> None:
    spans += [("A", 40.0, 41.0), ("B", 42.0, 43.0)]
    found = measure([talk(*spans)], merge_gap_s=0.0)
    frames = np.zeros((2, 4300), dtype=bool)
    for who, start, stop in spans:
        frames["AB".index(who), round(start * 100) : round(stop * 100)] = True
    first = int(frames.any(axis=0).argmax())
    silent, joint = int((~frames.any(axis=0))[first:].sum()), int(frames.all(axis=0).sum())
    assert len(found.gap) + len(found.overlap) <= len(found.floor_transfer)
    if not found.unclear:
        assert sum(found.gap) + sum(found.pause) == pytest.approx(silent / 100)
        assert sum(found.overlap) + sum(found.within_overlap) == pytest.approx(joint / 100)
    assert found.speech_s == pytest.approx(frames.sum() / 100)
    swapped = measure([talk(*((("B", "A")["AB".index(w)], a, b) for w, a, b in spans))], merge_gap_s=0.0)
    assert swapped.floor_transfer == found.floor_transfer and swapped.pause == found.pause


def draws(target: Distribution, seed: int, count: int = DRAWS) -> list[float]:
    generator = named_generator(seed, "fit", "test")
    return [target.sample(generator) for _ in range(count)]


def apart(one: Distribution, other: Distribution) -> float:
    low, high = min(one.lower_s, other.lower_s), max(one.upper_s, other.upper_s)
    return max(abs(one.cdf(float(x)) - other.cdf(float(x))) for x in np.linspace(low, high, 500))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), median=st.floats(0.15, 1.0), sigma=st.floats(0.2, 1.2))
def test_a_fit_gives_back_the_lognormal_it_was_drawn_from(seed: int, median: float, sigma: float) -> None:
    target = LogNormal(median_s=median, sigma=sigma, low_s=0.05, high_s=2.0)
    assert apart(fit(draws(target, seed), 0.05, 2.0), target) < TOLERANCE


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), low=st.floats(0.7, 1.5), width=st.floats(0.2, 1.5))
def test_a_fit_gives_back_the_uniform_it_was_drawn_from(seed: int, low: float, width: float) -> None:
    target = Uniform(low_s=low, high_s=low + width)
    assert apart(fit(draws(target, seed), 0.65, 3.0), target) < TOLERANCE


def rttm_of(path: Path, gaps: list[float], pauses: list[float]) -> Path:
    """Two speakers in turn; every turn has two utterances with a pause, every next one comes after a gap."""
    rows, now = [], 0.5
    for index, (gap, pause) in enumerate(zip(gaps, pauses, strict=True)):
        for length, silence in ((1.5, pause), (1.2, gap)):
            rows.append(f"SPEAKER 通话 1 {now:.6f} {length:.6f} <NA> <NA> {'甲乙'[index % 2]} <NA> <NA>\n")
            now += length + silence
    path.write_text("".join(rows), encoding="utf-8")
    return path


def test_an_rttm_gives_back_the_settings_it_was_drawn_from(tmp_path: Path) -> None:
    gap = LogNormal(median_s=0.32, sigma=0.5, low_s=0.05, high_s=2.0)
    pause = Uniform(low_s=1.2, high_s=2.4)
    path = rttm_of(tmp_path / "a.rttm", draws(gap, 1), draws(pause, 2))
    found = fit_timing(read_conversations([path]))
    assert found == fit_timing(read_conversations([path]))
    learned = found.replacements()
    assert set(learned) == {"floor_transfer", "pause"}
    assert isinstance(learned["floor_transfer"], LogNormal) and isinstance(learned["pause"], Uniform)
    assert learned["floor_transfer"].median_s == pytest.approx(0.32, rel=0.06)
    assert learned["floor_transfer"].sigma == pytest.approx(0.5, rel=0.06)
    assert apart(learned["pause"], pause) < 0.01
    gaps = found.timing("gap")
    assert gaps.n == gaps.used == DRAWS - 1 and gaps.ks is not None and gaps.ks < TOLERANCE
    assert found.timing("overlap").distribution is None
    assert SceneSettings.model_validate(found.section()).floor_transfer == learned["floor_transfer"]


def test_durations_outside_the_bounds_are_counted_and_left_out(tmp_path: Path) -> None:
    gaps = draws(SceneSettings().floor_transfer, 3, 200) + [5.0] * 50
    path = rttm_of(tmp_path / "a.rttm", [*gaps, 1.0], [0.3] * 251)
    found = fit_timing(read_conversations([path]))
    assert (found.timing("gap").n, found.timing("gap").used) == (250, 200)
    assert found.timing("pause").distribution is None
    assert f"a fit needs {MIN_COUNT}" in (found.timing("pause").note or "")


def test_a_fixed_setting_is_not_learned(tmp_path: Path) -> None:
    path = rttm_of(tmp_path / "a.rttm", draws(Uniform(low_s=0.1, high_s=1.0), 3, 60), [1.5] * 60)
    found = fit_timing(read_conversations([path]), SceneSettings(floor_transfer=Fixed(value_s=0.3)))
    assert found.timing("gap").note == "scenes.floor_transfer is fixed; give it bounds to learn within"


DISTRIBUTIONS: list[Distribution] = [
    Fixed(value_s=1.0),
    Uniform(low_s=1.0, high_s=3.0),
    Uniform(low_s=2.0, high_s=2.0),
    LogNormal(median_s=5.2, sigma=0.2, low_s=4.0, high_s=8.0),
    LogNormal(median_s=0.5, sigma=1.0, low_s=0.0, high_s=4.0),
    LogNormal(median_s=1.0, sigma=3.0, low_s=1.0, high_s=1.0),
]


@pytest.mark.parametrize("target", DISTRIBUTIONS, ids=repr)
def test_a_distribution_function_rises_from_0_to_1_within_the_bounds(target: Distribution) -> None:
    points = [target.cdf(float(x)) for x in np.linspace(0.0, 10.0, 501)]
    assert all(0.0 <= before <= after <= 1.0 for before, after in pairwise(points))
    assert target.cdf(target.lower_s - 0.01) == 0.0 and target.cdf(-1.0) == 0.0
    assert target.cdf(target.upper_s) == 1.0


def test_the_cdf_agrees_with_scipy() -> None:
    target = LogNormal(median_s=0.25, sigma=0.7, low_s=0.05, high_s=2.0)
    whole = stats.lognorm(s=0.7, scale=0.25)
    for x in (0.06, 0.1, 0.25, 0.9, 1.99):
        within = (whole.cdf(x) - whole.cdf(0.05)) / (whole.cdf(2.0) - whole.cdf(0.05))
        assert target.cdf(x) == pytest.approx(within, abs=1e-12)


@given(seed=st.integers(0, 1000), which=st.sampled_from([DISTRIBUTIONS[1], DISTRIBUTIONS[3], DISTRIBUTIONS[4]]))
def test_samples_follow_the_cdf_and_distances_agree_with_scipy(seed: int, which: Distribution) -> None:
    values = draws(which, seed, 300)
    statistic = ks_statistic(values, which.cdf)
    assert statistic < 0.16  # beyond 1 in 10^6
    assert statistic == pytest.approx(stats.kstest(values, np.vectorize(which.cdf)).statistic, abs=1e-9)
    sorted_values, more = sorted(values), sorted(draws(which, seed + 5000, 300))
    assert wasserstein_s(values, which) < 0.5 * np.std(values)
    assert wasserstein_s(more, which) + wasserstein_s(values, which) >= (
        stats.wasserstein_distance(sorted_values, more) - 0.002
    )


def test_distances_of_known_cases() -> None:
    assert wasserstein_s([1.5, 1.5], Fixed(value_s=1.0)) == pytest.approx(0.5)
    assert ks_statistic([1.0, 1.0], Fixed(value_s=1.0).cdf) == 0.0
    assert ks_statistic([9.0], Uniform(low_s=1.0, high_s=3.0).cdf) == 1.0
    assert mean_of(Uniform(low_s=1.0, high_s=3.0)) == pytest.approx(2.0)
    assert Quantiles.of_target(Uniform(low_s=1.0, high_s=3.0)).q25 == pytest.approx(1.5)
    assert Quantiles.of_target(Fixed(value_s=10.0)).q50 == 10.0
