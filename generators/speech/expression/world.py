"""The prosody step: WORLD takes an utterance apart, its parts are changed, and it is put together once.

Pitch, spectral envelope and aperiodicity come from DIO and StoneMask, CheapTrick and D4C (Morise et al. 2016, "WORLD:
a vocoder-based high-quality speech synthesis system for real-time applications"; D4C: Morise 2016).
Changes of tempo and pauses are a map of time, so that frames are laid out anew before the one synthesis.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_schemas.expression import Expression
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.utterance import WordTiming
from generators.speech.engine import RawSpeech
from generators.speech.expression.contour import moved_pitch
from generators.speech.expression.time_map import TimeMap, moved_words
from generators.speech.finish import resampled

#: Part of every store key: raise it with every change of what comes out.
_ARITHMETIC = "1"

_FRAME_S = 0.005  # WORLD's default
#: Bounds of the pitch looked for: below the lowest male and above the highest female conversational voices; Kokoro's
#: voices speak from 75 to 420 Hz. Harvest finds pitch in 10 % more frames, costs 15 times as much and sounds no
#: better (DNSMOS of ten Kokoro voices put together unchanged: 3.28 after DIO, 3.26 after Harvest, 3.33 raw).
_F0_FLOOR_HZ = 60.0
_F0_CEILING_HZ = 650.0
#: Shorter speech is left as it is: there is no room for a melody (CHOICE), and D4C wants some periods.
_MIN_S = 0.1

#: Vocal effort tilts the spectrum above this and leaves the first formant alone (Expression).
_TILT_FROM_HZ = 1000.0
#: The tilt ends here: above, there is breath and friction only, and it would only hiss (CHOICE).
_TILT_TO_HZ = 6000.0
#: Breath is noise in the upper spectrum, where the glottis does not close; below lies the fundamental (Klatt & Klatt
#: 1990: aspiration replaces harmonics from about 1 to 2 kHz).
_BREATH_FROM_HZ = 1000.0
_BREATH_FULL_HZ = 3000.0
_MAX_APERIODICITY = 1.0 - 1e-9
#: Softer than this below the loudest frame there is nothing to make more or less of.
_LEVEL_DEPTH_DB = 30.0
_LEAST_POWER = 1e-16

_Floats = npt.NDArray[np.float64]


class Parts(NamedTuple):
    """F0 ``[frames]`` in Hz (0: no voice), power spectra and aperiodicity ``[frames, bins]``."""

    f0: _Floats
    envelope: _Floats
    aperiodicity: _Floats


def expression_version() -> str:
    """Everything besides the samples, the change and the key that decides what comes out; part of the store key."""
    return f"world {version('pyworld-prebuilt')}; expression {_ARITHMETIC}"


def express(raw: RawSpeech, change: Expression, key: str) -> RawSpeech:
    """Speech at its own rate with pitch, tempo, voice and pauses changed; word positions move along.

    What has less than 16 kHz comes back at 16 kHz. Peaks may pass 1 and the level stays about the engine's: loudness is
    set afterwards, ``energy_db`` is added there. Silence and less than 0.1 s are not changed, and nothing is by an
    `Expression` that changes nothing. ``key`` names the random draws of the unsteady pitch: the same samples, change
    and key give the same bytes.
    """
    if change.is_plain:
        return raw
    raw = _at_least_16_khz(raw)  # all pieces of an utterance, the silent ones too: they are joined at one rate
    if len(raw.samples) < _MIN_S * raw.sample_rate or not raw.samples.any():
        return raw
    return put_together(raw, taken_apart(raw), change, key)


def put_together(raw: RawSpeech, parts: Parts, change: Expression, key: str) -> RawSpeech:
    """`express` with the parts at hand: for speech that is wanted in several manners."""
    times = TimeMap.of(_levels_db(parts.envelope), _FRAME_S, tempo=change.tempo, pauses=change.pauses)
    moved = _laid_out(
        Parts(
            f0=moved_pitch(parts.f0, change, _FRAME_S, key),
            envelope=_with_level_range(_coloured(parts.envelope, change, raw.sample_rate), parts, change.level_range),
            aperiodicity=_breathy(parts.aperiodicity, change.breathiness, raw.sample_rate),
        ),
        times,
    )
    return RawSpeech(
        samples=_at_level_of(_synthesised(moved, raw.sample_rate), raw.samples),
        sample_rate=raw.sample_rate,
        words=moved_words(raw.words, times, raw.sample_rate),
    )


def taken_apart(raw: RawSpeech) -> Parts:
    """Pitch, envelope and aperiodicity of audible speech of 0.1 s or more: three quarters of the work.

    The rate is 16 kHz or more: D4C tells voice from noise by the energy up to 7.9 kHz; without that band all is noise.
    """
    import pyworld

    waveform, rate = np.ascontiguousarray(raw.samples, dtype=np.float64), raw.sample_rate
    period_ms = 1000.0 * _FRAME_S
    rough, times = pyworld.dio(waveform, rate, f0_floor=_F0_FLOOR_HZ, f0_ceil=_F0_CEILING_HZ, frame_period=period_ms)
    f0 = pyworld.stonemask(waveform, rough, times, rate)
    return Parts(f0, pyworld.cheaptrick(waveform, f0, times, rate), pyworld.d4c(waveform, f0, times, rate))


def _at_least_16_khz(raw: RawSpeech) -> RawSpeech:
    if raw.sample_rate >= SAMPLE_RATE_HZ:
        return raw
    ratio = SAMPLE_RATE_HZ / raw.sample_rate
    return RawSpeech(
        samples=resampled(raw.samples, raw.sample_rate),
        sample_rate=SAMPLE_RATE_HZ,
        words=tuple(
            WordTiming(text=word.text, start=round(word.start * ratio), stop=round(word.stop * ratio))
            for word in raw.words
        ),
    )


def _synthesised(parts: Parts, rate: int) -> _Floats:
    import pyworld

    f0, envelope, aperiodicity = (np.ascontiguousarray(part) for part in parts)
    spoken: _Floats = pyworld.synthesize(f0, envelope, aperiodicity, rate, frame_period=1000.0 * _FRAME_S)
    return spoken


def _laid_out(parts: Parts, times: TimeMap) -> Parts:
    """Frames at the places of the map: between two of them both count, but where one has a voice and one has none."""
    before = np.floor(times.places).astype(np.intp)
    after = np.minimum(before + 1, len(parts.f0) - 1)
    share = times.places - before
    nearest = np.where(share < 0.5, before, after)  # noqa: PLR2004
    both = (parts.f0[before] > 0) & (parts.f0[after] > 0)
    f0 = np.where(both, (1.0 - share) * parts.f0[before] + share * parts.f0[after], parts.f0[nearest])
    weight = np.where(both, share, nearest != before)[:, np.newaxis]

    def between(part: _Floats) -> _Floats:
        mixed: _Floats = (1.0 - weight) * part[before] + weight * part[after]
        return mixed

    return Parts(f0, between(parts.envelope), between(parts.aperiodicity))


def _coloured(envelope: _Floats, change: Expression, rate: int) -> _Floats:
    """Formants moved by the length of the vocal tract, then the upper spectrum raised or lowered."""
    bins_hz = np.linspace(0.0, rate / 2.0, envelope.shape[1])
    if change.tract_length != 1.0:
        places = np.minimum(np.arange(envelope.shape[1]) * change.tract_length, envelope.shape[1] - 1.0)
        low = np.floor(places).astype(np.intp)
        high = np.minimum(low + 1, envelope.shape[1] - 1)
        share = places - low
        envelope = (1.0 - share) * envelope[:, low] + share * envelope[:, high]
    if change.tilt_db_per_octave == 0.0:
        return envelope
    octaves = np.log2(np.clip(bins_hz, _TILT_FROM_HZ, _TILT_TO_HZ) / _TILT_FROM_HZ)
    tilted: _Floats = envelope * 10.0 ** (change.tilt_db_per_octave * octaves / 10.0)
    return tilted


def _breathy(aperiodicity: _Floats, factor: float, rate: int) -> _Floats:
    """Noise beside the voice times ``factor``, fully from 3 kHz up."""
    bins_hz = np.linspace(0.0, rate / 2.0, aperiodicity.shape[1])
    share = np.clip(
        np.log2(np.maximum(bins_hz, 1.0) / _BREATH_FROM_HZ) / np.log2(_BREATH_FULL_HZ / _BREATH_FROM_HZ), 0.0, 1.0
    )
    louder: _Floats = np.minimum(aperiodicity * factor**share, _MAX_APERIODICITY)
    return np.where(aperiodicity > _MAX_APERIODICITY, aperiodicity, louder)


def _levels_db(envelope: _Floats) -> _Floats:
    """Level of each frame ``[frames]``, to any reference."""
    levels: _Floats = 10.0 * np.log10(envelope.mean(axis=1) + _LEAST_POWER)
    return levels


def _with_level_range(envelope: _Floats, parts: Parts, factor: float) -> _Floats:
    """Voiced frames louder or softer by how far they are from the middle one; steady over the edges of voicing."""
    voiced = parts.f0 > 0
    if factor == 1.0 or not voiced.any():
        return envelope
    levels = _levels_db(parts.envelope)
    middle = float(np.median(levels[voiced]))
    away = np.clip(levels - middle, -_LEVEL_DEPTH_DB, _LEVEL_DEPTH_DB)
    widened: _Floats = envelope * 10.0 ** ((factor - 1.0) * away / 10.0)[:, np.newaxis]
    return widened


def _at_level_of(spoken: _Floats, before: Samples) -> Samples:
    """As strong as the engine's speech, so that a later level is about the engine's."""
    strength = float(np.sqrt(np.mean(spoken**2)))
    gain = float(np.sqrt(np.mean(before.astype(np.float64) ** 2))) / strength if strength > 0.0 else 1.0
    levelled: Samples = (spoken * gain).astype(np.float32)
    return levelled
