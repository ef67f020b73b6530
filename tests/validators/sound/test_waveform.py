"""What is measured where it can matter is what is measured everywhere: each measure against its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import maximum_filter1d

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples, from_pcm16, to_pcm16
from data_schemas.tasks import Language
from tests.validators.sound.test_sound import speech_like
from validators.core.measure import frame_levels, runs
from validators.sound.repeats import nearest_repeat
from validators.sound.waveform import (
    _TRUE_PEAK_PHASES,
    Place,
    interpolation_db,
    sharpest_click,
    true_peak_dbtp,
)

SHORTEST_S, LONGEST_S, SILENCE_DBFS = 0.010, 0.040, -40.0


def clips() -> dict[str, Samples]:
    """Speech of both languages and what may be wrong with it, as files hold them."""
    draw = np.random.default_rng(5)
    zh, en = speech_like(Language.ZH), speech_like(Language.EN)
    time = np.arange(RATE) / RATE
    straight = en.copy()
    straight[1:-1:2] = (en[:-2:2] + en[2::2]) / 2
    kinds: dict[str, Any] = {
        "普通话": zh,
        "English": en,
        "quiet": zh * 0.02,
        "clipped": np.clip(en, -0.05, 0.05) * 6,
        "click": with_click(zh, 9_000),
        "click at the start": with_click(zh[4_000:], 30),
        "click at the end": with_click(zh[:14_000], 13_970),
        "repeat": np.concatenate([zh[:9_000], zh[8_700:]]),
        "repeat at once": np.concatenate([en[3_500:3_900], en[3_500:]]),
        "near repeat": np.concatenate([zh[:9_000], zh[8_700:9_000] * 0.999, zh[9_000:]]),
        "tone": 0.3 * np.sin(2 * np.pi * 100 * time),
        "level": np.sign(np.sin(2 * np.pi * 1_000 * time + 0.1)) * 0.5,
        "loop": np.tile(zh[8_000:8_400], 40),
        "noise": 0.1 * draw.standard_normal(RATE),
        "straight lines": straight,
        "held": np.repeat(zh[::2], 2),
        "pauses": np.concatenate([zh[:9_000], np.zeros(RATE), en[:9_000]]),
        "short": zh[8_000:8_900],
        "shorter": zh[8_000:8_060],
    }
    return {name: from_pcm16(to_pcm16(np.asarray(samples, dtype=np.float32))) for name, samples in kinds.items()}


def with_click(samples: Samples, place: int) -> Samples:
    changed = samples.copy()
    changed[place] += 0.3
    return changed


CLIPS = clips()
every_clip = pytest.mark.parametrize("name", list(CLIPS))


@every_clip
def test_true_peak_is_that_of_all_samples(name: str) -> None:
    phases = [np.asarray(taps[::step], np.float32) for taps in _TRUE_PEAK_PHASES for step in (1, -1)]
    highest = max(float(np.max(np.abs(np.convolve(CLIPS[name], taps)))) for taps in phases)
    assert true_peak_dbtp(CLIPS[name]) == 20.0 * float(np.log10(highest))


@every_clip
@pytest.mark.parametrize("least", [0.001, 0.03])
def test_the_sharpest_click_is_that_of_a_moving_maximum(name: str, least: float) -> None:
    assert sharpest_click(CLIPS[name], RATE, least) == slow_click(CLIPS[name], least)


def slow_click(x: Samples, least: float) -> Place | None:
    residual = np.zeros_like(x)
    residual[2:-2] = np.abs(x[2:-2] - (4.0 * (x[1:-3] + x[3:-1]) - x[:-4] - x[4:]) / 6.0)
    high = residual >= least
    if not high.any():
        return None
    span, core = round(0.012 * RATE), 3
    reach = core + 1 + span // 2
    side = np.pad(maximum_filter1d(residual, span, mode="constant"), reach)
    around = np.maximum(side[: len(x)], side[2 * reach :])
    ratio = np.where(high, residual / np.maximum(around, least / 10.0), 0.0)
    position = int(np.argmax(ratio))
    return Place(position, position + 1, float(ratio[position]))


@every_clip
def test_interpolation_is_that_of_least_squares(name: str) -> None:
    x = CLIPS[name].astype(np.float64)
    half = (len(x) - 1) // 2
    phases = x[: 2 * half].reshape(half, 2).T
    ratios = [
        slow_error(phases[1], phases[0], later) / slow_error(phases[0][1:], phases[1][:-1], later)
        for later in ((0, 4) if half > 32 else ())
    ]
    expected = max((abs(10.0 * np.log10(ratio)) for ratio in ratios), default=0.0)
    assert interpolation_db(CLIPS[name]) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def slow_error(wanted: npt.NDArray[np.float64], before: npt.NDArray[np.float64], later: int) -> float:
    windows = np.lib.stride_tricks.sliding_window_view(before, 8)
    target = wanted[7 - later :][: len(windows)]
    weights = np.linalg.lstsq(windows, target, rcond=None)[0]
    return float(np.mean((target - windows @ weights) ** 2)) + (1.0 / 32_768.0) ** 2 / 12.0


@every_clip
def test_the_nearest_repeat_is_that_of_a_search_block_by_block(name: str) -> None:
    assert nearest_repeat(CLIPS[name], RATE, SHORTEST_S, LONGEST_S, SILENCE_DBFS) == slow_repeat(CLIPS[name])


@every_clip
@pytest.mark.parametrize("under_db", [-90.0, -62.0, -40.0, -20.0, -5.0])
def test_no_repeat_is_passed_over_that_is_asked_for(name: str, under_db: float) -> None:
    found = nearest_repeat(CLIPS[name], RATE, SHORTEST_S, LONGEST_S, SILENCE_DBFS, under_db)
    expected = slow_repeat(CLIPS[name])
    if expected is not None and expected.amount < under_db:
        assert found == expected
    else:
        assert found is None or found == expected


def test_what_is_surely_no_repeat_is_not_worked_out() -> None:
    for name in ("普通话", "English", "noise", "pauses"):
        assert slow_repeat(CLIPS[name]) is not None
        assert nearest_repeat(CLIPS[name], RATE, SHORTEST_S, LONGEST_S, SILENCE_DBFS, -62.0) is None


def slow_repeat(x: Samples) -> Place | None:
    """The 64 patches of 32 samples that come back best, and around each the block that does."""
    low, high = round(SHORTEST_S * RATE), round(LONGEST_S * RATE)
    tried: list[tuple[float, int, int]] = []
    energy = np.convolve(x.astype(np.float64) ** 2, np.ones(32), "valid") if len(x) >= 32 else np.zeros(0)
    for anchor in range(0, len(x) - high - 32, 128):
        own = energy[anchor]
        if own <= 32 * 10.0 ** (SILENCE_DBFS / 10.0):
            continue
        later = np.lib.stride_tricks.sliding_window_view(x[anchor + low : anchor + high + 32], 32)
        products = np.matmul(later, x[anchor : anchor + 32])
        error = (own + energy[anchor + low : anchor + high + 1] - 2.0 * products) / own
        tried.append((float(error.min()), anchor, int(np.argmin(error)) + low))
    likely = sorted(tried, key=lambda one: one[0])[:64]
    places = [slow_block(x, anchor, lag) for _, anchor, lag in sorted(likely, key=lambda one: one[1])]
    return min((place for place in places if place), key=lambda place: place.amount, default=None)


def slow_block(x: Samples, anchor: int, lag: int) -> Place | None:
    first, last = max(0, anchor - lag), min(anchor + lag, len(x) - lag)
    here, there = x[first:last].astype(np.float64), x[first + lag : last + lag].astype(np.float64)
    if len(here) < lag:
        return None
    sums = [np.concatenate(([0.0], np.cumsum(values))) for values in ((here - there) ** 2, here**2)]
    wrong, power = (total[lag:] - total[:-lag] for total in sums)
    loud = power > lag * 10.0 ** (SILENCE_DBFS / 10.0)
    if not loud.any():
        return None
    ratio = np.where(loud, np.maximum(wrong, 0.0) / np.maximum(power, 1e-12), np.inf)
    start = int(np.argmin(ratio))
    return Place(first + start, first + start + lag, 10.0 * float(np.log10(max(float(ratio[start]), 1e-10))))


@every_clip
def test_levels_and_runs_are_those_of_every_frame(name: str) -> None:
    x = CLIPS[name]
    frames = x[: len(x) // 320 * 320].astype(np.float64).reshape(-1, 320)
    expected = 10.0 * np.log10(np.maximum(np.mean(frames**2, axis=1), 1e-10))
    assert frame_levels(x, RATE).tolist() == expected.tolist()
    mask = x > 0.0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    assert runs(mask) == tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
