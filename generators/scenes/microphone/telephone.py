"""A telephone line: the voice band of ITU-T G.712 and the companding of ITU-T G.711, without delay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_schemas.acoustics import Coding, Telephone
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples

Signal = npt.NDArray[np.float64]

LINE_RATE_HZ = 8_000
#: Outside the band at least this much is taken away, in a transition of this width; G.712 asks for far less (CHOICE)
_STOP_BAND_DB = 60.0
_TRANSITION_HZ = 100.0
#: Of 16 bit values; mu-law works on 14 bits, A-law on 13
_FULL_SCALE = 32_768.0
_MU_SHIFT, _MU_BIAS, _MU_LARGEST = 2, 33, 8_158
_A_SHIFT, _A_LARGEST = 4, 2_047
_STEPS = 16  # per segment


def through_line(samples: Samples, telephone: Telephone) -> Samples:
    """``[n]`` at 16 kHz in, ``[n]`` at 16 kHz out, nothing delayed.

    The filters are symmetric, so their delay is taken out exactly: band-pass, every second sample, 8 bit and back,
    band-pass again. Flat from ``low_hz`` to ``high_hz``, 60 dB down from 100 Hz beyond.
    """
    band = _band_pass(telephone)
    sent = _filtered(samples.astype(np.float64), band)[:: SAMPLE_RATE_HZ // LINE_RATE_HZ]
    received = companded(sent, telephone.coding)
    stuffed = np.zeros(len(samples))
    stuffed[:: SAMPLE_RATE_HZ // LINE_RATE_HZ] = received * (SAMPLE_RATE_HZ // LINE_RATE_HZ)
    return _filtered(stuffed, band).astype(np.float32)


def companded(samples: Signal, coding: Coding) -> Signal:
    """What is left of samples in [-1, 1) after 8 bit of G.711: 16 segments of 16 steps, finer near zero."""
    expand = _through_mu_law if coding is Coding.MU_LAW else _through_a_law
    values = np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE)
    return expand(values) / _FULL_SCALE


def _through_mu_law(values: Signal) -> Signal:
    """Table 2a of G.711: magnitude plus 33 is kept to 5 leading bits, and decoded to the middle of its step."""
    shifted = np.floor(values / 2**_MU_SHIFT)
    magnitude = np.minimum(np.abs(shifted), _MU_LARGEST) + _MU_BIAS
    step = 2.0 ** (np.floor(np.log2(magnitude)) - 4)
    decoded = (np.floor(magnitude / step) + 0.5) * step - _MU_BIAS
    return np.asarray(np.where(values < 0, -decoded, decoded) * 2**_MU_SHIFT)


def _through_a_law(values: Signal) -> Signal:
    """Table 1a of G.711: the two lowest segments have steps of 2 (of 4096), each further one doubles them."""
    magnitude = np.minimum(np.floor(np.where(values < 0, -values - 1, values) / 2**_A_SHIFT), _A_LARGEST)
    step = 2.0 ** np.maximum(np.floor(np.log2(np.maximum(magnitude, 1.0))) - 4, 0)
    decoded = (np.floor(magnitude / step) + 0.5) * step
    return np.asarray(np.where(values < 0, -decoded, decoded) * 2**_A_SHIFT)


def _band_pass(telephone: Telephone) -> Signal:
    """Symmetric impulse response of odd length; its half-way points lie half a transition outside the band."""
    from scipy.signal import firwin, kaiserord

    taps, beta = kaiserord(_STOP_BAND_DB, _TRANSITION_HZ / (SAMPLE_RATE_HZ / 2))
    edges = (telephone.low_hz - _TRANSITION_HZ / 2, telephone.high_hz + _TRANSITION_HZ / 2)
    band: Signal = firwin(taps | 1, edges, window=("kaiser", beta), pass_zero=False, fs=SAMPLE_RATE_HZ)
    return band


def _filtered(samples: Signal, band: Signal) -> Signal:
    from scipy.signal import oaconvolve

    filtered: Signal = oaconvolve(samples, band, mode="same")
    return filtered
