"""Judges how one utterance sounds, by its samples alone: peaks, noise, bandwidth, clicks, stuck or missing blocks.

No model, one core: see ``waveform`` for the measures. Everything holds for speech behind a microphone too, except that
noise is judged on dry clips only and the bandwidth is not judged behind a telephone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from data_schemas.finding import Finding
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.measure import Span
from validators.core.probe import ClipVerdict
from validators.core.thresholds import Thresholds
from validators.files.audio import integrated_loudness
from validators.sound.repeats import nearest_repeat
from validators.sound.waveform import (
    Floor,
    Place,
    bandwidth_hz,
    dropped_blocks,
    flat_tops,
    interpolation_db,
    longest_held,
    noise_floor,
    sharpest_click,
    true_peak_dbtp,
)

VALIDATOR = "sound/1"

_SHORTEST_REPEAT_S, _LONGEST_REPEAT_S = 0.010, 0.040  # CHOICE: buffers of audio software hold 10 to 40 ms
_DIGITS = 3


def judge_sound(judge: Judge, clip: Clip, thresholds: Thresholds) -> ClipVerdict:
    """Findings, and as far as they exist ``loudness_lufs true_peak_dbtp noise_floor_dbfs snr_db bandwidth_hz``.

    Samples ``[n]`` are finite, in [-1, 1]. Digital silence gives neither findings nor values: AUDIO.SILENT says so.
    """
    if not clip.samples.any():
        return ClipVerdict()
    floor = noise_floor(clip.samples, clip.rate)
    peak = true_peak_dbtp(clip.samples)
    bandwidth = _bandwidth(clip, thresholds)
    loudness = clip.loudness_lufs
    if loudness is None:
        loudness = integrated_loudness(clip.samples, clip.rate)
    findings = (
        *_peaks(judge, clip, peak, thresholds),
        *_noise(judge, clip, floor, thresholds),
        *_band(judge, clip, bandwidth, thresholds),
        *_click(judge, clip, thresholds),
        *_stuck(judge, clip, thresholds),
    )
    values = {"loudness_lufs": loudness, "true_peak_dbtp": peak, "bandwidth_hz": bandwidth}
    if floor is not None:
        values |= {"noise_floor_dbfs": floor.noise_dbfs, "snr_db": floor.snr_db}
    measured = {name: round(v, _DIGITS) for name, v in values.items() if v is not None and np.isfinite(v)}
    return ClipVerdict(findings, measured)


def _span(clip: Clip, place: Place) -> Span:
    """Seconds in the clip's file."""
    return clip.span[0] + place.start / clip.rate, clip.span[0] + place.stop / clip.rate


def _peaks(judge: Judge, clip: Clip, peak: float, thresholds: Thresholds) -> Iterator[Finding]:
    if peak > thresholds.max_true_peak_dbtp:
        yield judge.say(
            "SOUND.TRUE_PEAK",
            f"true peak at {peak:+.2f} dBTP; lower the gain",
            span=clip.span,
            value=peak,
            threshold=thresholds.max_true_peak_dbtp,
        )
    flat = flat_tops(clip.samples, thresholds.min_flat_top)
    if flat > thresholds.max_flat_tops:
        yield judge.say(
            "SOUND.CLIPPED",
            f"{flat} flat tops at the same height: clipped before the gain was lowered; synthesise it again",
            span=clip.span,
            value=flat,
            threshold=thresholds.max_flat_tops,
        )


def _noise(judge: Judge, clip: Clip, floor: Floor | None, thresholds: Thresholds) -> Iterator[Finding]:
    if floor is None or not clip.is_dry:
        return
    if floor.noise_dbfs > thresholds.max_noise_floor_dbfs:
        yield judge.say(
            "SOUND.NOISE_FLOOR",
            f"{floor.noise_dbfs:.1f} dBFS where the speech is softest",
            span=clip.span,
            value=floor.noise_dbfs,
            threshold=thresholds.max_noise_floor_dbfs,
        )
    if floor.snr_db < thresholds.min_snr_db:
        yield judge.say(
            "SOUND.SNR",
            f"speech is only {floor.snr_db:.1f} dB louder than the softest frames",
            span=clip.span,
            value=floor.snr_db,
            threshold=thresholds.min_snr_db,
        )


def _bandwidth(clip: Clip, thresholds: Thresholds) -> float | None:
    """Hz; half of it where every other sample is made up from its neighbours."""
    found = bandwidth_hz(clip.samples, clip.rate, thresholds.band_below_peak_db)
    if found is not None and interpolation_db(clip.samples) > thresholds.max_interpolation_db:
        return min(found, clip.rate / 4)
    return found


def _band(judge: Judge, clip: Clip, bandwidth: float | None, thresholds: Thresholds) -> Iterator[Finding]:
    on_telephone = clip.microphone is not None and clip.microphone.telephone is not None
    if bandwidth is not None and bandwidth < thresholds.min_bandwidth_hz and not on_telephone:
        yield judge.say(
            "SOUND.BANDWIDTH",
            f"nothing of its own above {bandwidth:.0f} Hz: a lower rate or a lossy codec made larger",
            span=clip.span,
            value=bandwidth,
            threshold=thresholds.min_bandwidth_hz,
        )


def _click(judge: Judge, clip: Clip, thresholds: Thresholds) -> Iterator[Finding]:
    click = sharpest_click(clip.samples, clip.rate, thresholds.min_click_height)
    if click is not None and click.amount > thresholds.max_click_ratio:
        yield judge.say(
            "SOUND.CLICK",
            f"a jump {click.amount:.1f} times sharper than everything within 12 ms; join with a cross-fade",
            span=_span(clip, click),
            value=click.amount,
            threshold=thresholds.max_click_ratio,
        )


def _stuck(judge: Judge, clip: Clip, thresholds: Thresholds) -> Iterator[Finding]:
    held = longest_held(clip.samples, thresholds.min_held_height)
    if held is not None and held.amount / clip.rate > thresholds.max_held_s:
        seconds = held.amount / clip.rate
        yield judge.say(
            "SOUND.STUCK",
            f"one value is held for {1000 * seconds:.1f} ms",
            span=_span(clip, held),
            value=seconds,
            threshold=thresholds.max_held_s,
        )
    dropped = dropped_blocks(clip.samples, clip.rate, thresholds.min_dropped_s)
    if dropped is not None and dropped.amount > thresholds.max_dropped_edge:
        yield judge.say(
            "SOUND.STUCK",
            f"{1000 * (dropped.stop - dropped.start) / clip.rate:.0f} ms of zeros between loud samples",
            span=_span(clip, dropped),
            value=dropped.amount,
            threshold=thresholds.max_dropped_edge,
        )
    repeat = nearest_repeat(
        clip.samples,
        clip.rate,
        _SHORTEST_REPEAT_S,
        _LONGEST_REPEAT_S,
        thresholds.min_repeat_level_dbfs,
        thresholds.max_repeat_db,
    )
    if repeat is not None and repeat.amount < thresholds.max_repeat_db:
        yield judge.say(
            "SOUND.STUCK",
            f"{1000 * (repeat.stop - repeat.start) / clip.rate:.1f} ms come twice, {repeat.amount:.0f} dB alike",
            span=_span(clip, repeat),
            value=repeat.amount,
            threshold=thresholds.max_repeat_db,
        )
