"""Prosody of one utterance: pitch, level, voice quality, pauses. What it means for a label: `emotion_directions`.

F0 comes from WORLD's DIO and StoneMask (Morise et al. 2009, 2016), which read speech about 100 times faster than
real time on one thread. Medians, percentiles and a second look at the bounds keep octave errors out.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples
from validators.core.clips import Clip
from validators.core.measure import runs
from validators.core.probe import Measurement

_Floats = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]

HOP_S = 0.01  # 100 values a second: one to two per glottal cycle of a low voice, and enough for a Mandarin tone
WINDOW_S = 0.04  # two periods and more of the lowest F0 looked for
#: Bounds of the first look: below the lowest male and above the highest female conversational voices, with room
#: for strong emotion (CHOICE).
F0_FLOOR_HZ = 60.0
F0_CEILING_HZ = 650.0
#: Bounds of the second look, in quartiles of the first: 0.75 of the first and 2.5 of the third
#: (De Looze & Hirst 2008; the upper factor is theirs for expressive speech).
FLOOR_OF_QUARTILE = 0.75
CEILING_OF_QUARTILE = 2.5
#: Semitones count from here; only differences within a speaker are compared.
SEMITONE_REFERENCE_HZ = 100.0
#: A frame is speech from this far below the clip's loud frames, and never under the absolute floor (CHOICE: soft
#: consonants lie 20 to 30 dB under vowels; a dry file's pauses are digital silence or engine noise under -60 dBFS).
SPEECH_BELOW_LOUD_DB = 30.0
SPEECH_FLOOR_DBFS = -60.0
#: A voiced frame carries a vowel or a sonorant; softer ones give unsure pitch (CHOICE).
VOICED_BELOW_LOUD_DB = 20.0
#: Within-speaker silences over 180 ms count as pauses (DESIGN.md; Heldner & Edlund 2010).
MIN_PAUSE_S = 0.18
#: Under this much voiced speech there is no pitch to speak of (CHOICE: two short syllables).
MIN_VOICED_S = 0.2
#: Alpha ratio: 1 to 5 kHz over 50 to 1000 Hz (Sundberg & Nordenberg 2006; eGeMAPS, Eyben et al. 2016).
_LOW_BAND_HZ = (50.0, 1000.0)
_HIGH_BAND_HZ = (1000.0, 5000.0)
_RANGE_PERCENTILES = (10.0, 90.0)
_LOUD_PERCENTILE = 95.0
_TINY = 1e-12  # power under every 16-bit step, keeps the logarithm finite

#: A syllable is a peak of the smoothed level that stands out by 2 dB (de Jong & Wempe 2009), in voiced speech.
PEAK_PROMINENCE_DB = 2.0
_PEAK_SMOOTHING_FRAMES = 5

#: Versions of what determines the numbers; raise it with every change of the arithmetic.
_VERSION: Final = 1


class _Frames(NamedTuple):
    """Levels ``[frames]`` in dBFS and power spectra ``[frames, bins]``, one frame per hop."""

    levels_db: _Floats
    power: _Floats
    bins_hz: _Floats


class ProsodyProbe:
    """F0 level and range, level, pauses, voicing and voice quality of a dry utterance. A `ClipProbe`.

    Values (a clip without enough voiced or audible speech lacks those that need it):
      ``f0_median_st``  semitones over 100 Hz;  ``f0_range_st``  10th to 90th percentile
      ``voiced_level_db``  median level of voiced frames, dBFS;  ``level_range_db``  their 10th to 90th percentile
      ``alpha_ratio_db``  1-5 kHz over 50-1000 Hz in voiced frames;  ``centroid_hz``  of their mean spectrum
      ``pause_share``, ``pause_count``  of the stretch from the first to the last sound
      ``voiced_share``  of the frames that are no pause;  ``articulation_s``  seconds without pauses
      ``peaks_per_s``  syllable-like peaks per second without pauses: tempo as the sound alone tells it
    """

    @property
    def identity(self) -> str:
        from importlib.metadata import version

        return f"prosody/{_VERSION} pyworld-prebuilt {version('pyworld-prebuilt')}"

    def measure(self, clip: Clip) -> Measurement:
        return Measurement(values=prosody_of(clip.samples, clip.rate))


def prosody_of(samples: Samples, rate: int) -> dict[str, float]:
    """The values `ProsodyProbe` describes, of mono samples ``[n]``; empty for silence."""
    waveform = np.ascontiguousarray(np.nan_to_num(samples, posinf=0.0, neginf=0.0), dtype=np.float64)
    if len(waveform) < round(MIN_VOICED_S * rate):
        return {}
    frames = _frames(waveform, rate)
    loud = float(np.percentile(frames.levels_db, _LOUD_PERCENTILE))
    speech = frames.levels_db > max(loud - SPEECH_BELOW_LOUD_DB, SPEECH_FLOOR_DBFS)
    if not speech.any():
        return {}
    values, is_pause = _pauses(speech)
    f0 = _f0(waveform, rate)[: len(speech)]
    candidates = (f0 > 0) & speech[: len(f0)] & (frames.levels_db[: len(f0)] > loud - VOICED_BELOW_LOUD_DB)
    f0, voiced = _without_octave_errors(f0, candidates)
    spoken = int(np.count_nonzero(~is_pause))
    values |= {
        "articulation_s": spoken * HOP_S,
        "voiced_share": float(np.count_nonzero(voiced)) / spoken,
        "peaks_per_s": _peaks(frames.levels_db, voiced) / (spoken * HOP_S),
    }
    if np.count_nonzero(voiced) * HOP_S < MIN_VOICED_S:
        return values
    return values | _pitch(f0[voiced]) | _voice(frames, np.flatnonzero(voiced))


def _frames(waveform: _Floats, rate: int) -> _Frames:
    """Hann-windowed frames centred on multiples of the hop, as WORLD's are."""
    hop, size = round(HOP_S * rate), round(WINDOW_S * rate)
    padded = np.pad(waveform, (size // 2, size))
    count = len(waveform) // hop + 1
    window = np.hanning(size)
    cut = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * hop : hop][:count]
    power: _Floats = np.abs(np.fft.rfft(cut * window, axis=1)) ** 2
    levels: _Floats = 10.0 * np.log10(np.mean(cut**2, axis=1) + _TINY)
    return _Frames(levels, power, np.arange(power.shape[1]) * rate / size)


def _f0(waveform: _Floats, rate: int) -> _Floats:
    """Hz per hop, 0 where unvoiced."""
    import pyworld

    raw, times = pyworld.dio(
        waveform, rate, f0_floor=F0_FLOOR_HZ, f0_ceil=F0_CEILING_HZ, frame_period=1000.0 * HOP_S, speed=1
    )
    refined: _Floats = pyworld.stonemask(waveform, raw, times, rate)
    return refined


def _without_octave_errors(f0: _Floats, voiced: _Mask) -> tuple[_Floats, _Mask]:
    """Voiced frames outside the speaker's own bounds in this clip are no longer voiced."""
    if not voiced.any():
        return f0, voiced
    first, third = np.percentile(f0[voiced], (25.0, 75.0))
    return f0, voiced & (f0 >= FLOOR_OF_QUARTILE * first) & (f0 <= CEILING_OF_QUARTILE * third)


def _pauses(speech: _Mask) -> tuple[dict[str, float], _Mask]:
    """Share and number of pauses between the first and the last sound; the mask also covers the edges."""
    sounding = np.flatnonzero(speech)
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    inner = [(a, b) for a, b in runs(~speech) if a >= first and b <= last and (b - a) * HOP_S >= MIN_PAUSE_S]
    mask = np.zeros(len(speech), dtype=np.bool_)
    mask[:first] = mask[last:] = True
    for start, stop in inner:
        mask[start:stop] = True
    paused = sum(stop - start for start, stop in inner)
    return {"pause_share": paused / (last - first), "pause_count": float(len(inner))}, mask


def _peaks(levels_db: _Floats, voiced: _Mask) -> int:
    from scipy.signal import find_peaks

    smooth = np.convolve(levels_db, np.full(_PEAK_SMOOTHING_FRAMES, 1.0 / _PEAK_SMOOTHING_FRAMES), mode="same")
    places, _ = find_peaks(smooth, prominence=PEAK_PROMINENCE_DB)
    return int(np.count_nonzero(voiced[places[places < len(voiced)]]))


def _pitch(f0: _Floats) -> dict[str, float]:
    semitones = 12.0 * np.log2(f0 / SEMITONE_REFERENCE_HZ)
    low, high = np.percentile(semitones, _RANGE_PERCENTILES)
    return {"f0_median_st": float(np.median(semitones)), "f0_range_st": float(high - low)}


def _voice(frames: _Frames, voiced: npt.NDArray[np.intp]) -> dict[str, float]:
    levels, spectrum = frames.levels_db[voiced], frames.power[voiced].mean(axis=0)
    low, high = np.percentile(levels, _RANGE_PERCENTILES)
    bands = [
        float(spectrum[(frames.bins_hz >= start) & (frames.bins_hz < stop)].sum()) + _TINY
        for start, stop in (_LOW_BAND_HZ, _HIGH_BAND_HZ)
    ]
    return {
        "voiced_level_db": float(np.median(levels)),
        "level_range_db": float(high - low),
        "alpha_ratio_db": float(10.0 * np.log10(bands[1] / bands[0])),
        "centroid_hz": float((spectrum * frames.bins_hz).sum() / (spectrum.sum() + _TINY)),
    }
