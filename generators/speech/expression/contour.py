"""The melody of an utterance, moved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_schemas.expression import Expression
from data_schemas.foundation.randomness import named_generator

STAGE = "expression/jitter"
_SEMITONES = 12.0
#: Pitch stays within what WORLD's envelope can follow: its windows are made for 71 Hz and more, and a voice over
#: 800 Hz screams (CHOICE).
_LOWEST_HZ = 55.0
_HIGHEST_HZ = 800.0
#: Pitch jumps an octave where the tracker errs; no excursion beyond this is widened further (CHOICE).
_MAX_EXCURSION = 14.0
#: Draws of the unsteady pitch last this long: 20 a second is heard as roughness, slower ones as a melody; vocal tremor
#: of fear lies at 5 to 12 Hz (Titze 1994, "Principles of voice production": tremor 4 to 6 Hz, flutter 10 to 12 Hz).
_DRAW_S = 0.05

_Floats = npt.NDArray[np.float64]


def moved_pitch(f0: _Floats, change: Expression, frame_s: float, key: str) -> _Floats:
    """F0 ``[frames]`` in Hz after the change; 0, no voice, stays 0.

    Around the mean of the voiced frames in semitones: excursions times ``pitch_range``, the mean up by
    ``pitch_semitones``, a straight line that rises by ``pitch_slope_semitones`` from the first to the last voiced
    frame, and unsteadiness drawn from ``key``.
    """
    voiced = np.flatnonzero(f0 > 0)
    if not len(voiced):
        return f0
    semitones = _SEMITONES * np.log2(f0[voiced])
    mean = float(np.mean(semitones))
    away = semitones - mean
    near = np.clip(away, -_MAX_EXCURSION, _MAX_EXCURSION)
    moved = mean + change.pitch_semitones + change.pitch_range * near + (away - near)
    moved += change.pitch_slope_semitones * _line(voiced) + change.jitter_semitones * _unsteady(voiced, frame_s, key)
    heard = f0.copy()
    heard[voiced] = np.clip(2.0 ** (moved / _SEMITONES), _LOWEST_HZ, _HIGHEST_HZ)
    return heard


def _line(voiced: npt.NDArray[np.intp]) -> _Floats:
    """From -0.5 at the first to 0.5 at the last voiced frame."""
    span = int(voiced[-1] - voiced[0])
    return (voiced - voiced[0]) / span - 0.5 if span else np.zeros(len(voiced))


def _unsteady(voiced: npt.NDArray[np.intp], frame_s: float, key: str) -> _Floats:
    """Standard deviation about 1; straight between draws."""
    step = _DRAW_S / frame_s
    rng = named_generator(0, key, STAGE)
    draws = rng.standard_normal(int(voiced[-1] / step) + 2)
    unsteady: _Floats = np.interp(voiced / step, np.arange(len(draws)), draws)
    return unsteady
