"""Whether a clip's sound stands in the data set twice: acoustic fingerprints and an index over them.

Haitsma & Kalker 2002, "A highly robust audio fingerprinting system" (ISMIR): per frame 32 signs of how the
differences between neighbouring bands' energies change from frame to frame. Two clips are the same sound when few of
the bits differ at one offset; frames with equal 32 bits point to the pairs worth comparing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from data_schemas.tags import strip_tags
from validators.core.clip_measures import ClipMeasures
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.probe import Measurement, Vector
from validators.core.thresholds import Thresholds

VALIDATOR = "fingerprint/1"
#: `Measurement.vectors`: ``[2 * frames]``, upper and lower 16 bits of each frame's code as whole numbers
VECTOR = "fingerprint"

# Haitsma & Kalker 2002, section 4: 5 kHz, 33 logarithmic bands from 300 to 2000 Hz, frames of 0.37 s (here 0.41 s, a
# power of two). Their hop is 1/32 of a frame; 1/17 here halves the memory, and a shift is at most half of it.
_RATE = 5_000
_FRAME = 2_048
_HOP = 120
_BANDS = 33
_BAND_EDGES_HZ = (300.0, 2_000.0)
_BITS = 32
_HALF_BITS = 16
_BLOCK = 64  # frames transformed at once: stays in the processor's cache
_QUIET_POWER = 1e-4  # CHOICE: a frame 40 dB below the loudest has no code, its bits would be those of the noise

#: seconds from one frame to the next
HOP_S = _HOP / _RATE

_NEIGHBOURS = 3  # equal codes of a clip are compared with those of so many clips after it, not with all
_MIN_VOTES = 2  # equal codes at one offset from which on a pair is compared bit by bit
_OFFSET_BITS = 17  # frames: 131 072, 52 minutes; of longer clips only the beginning is indexed
_CLIP_BITS = 23

Codes = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]


class FingerprintProbe:
    """A `ClipProbe` without a model."""

    @property
    def identity(self) -> str:
        return f"{VALIDATOR}; {_RATE} Hz, frame {_FRAME}, hop {_HOP}"

    def measure(self, clip: Clip) -> Measurement:
        """`VECTOR` of a clip at any rate."""
        return Measurement(vectors={VECTOR: to_vector(fingerprint(clip.samples, clip.rate))})


def fingerprint(samples: Samples, rate: int) -> Codes:
    """One code per 24 ms of mono samples ``[n]``; 0 for a quiet frame. Gain changes nothing."""
    import soxr

    low = samples if rate == _RATE else soxr.resample(samples, rate, _RATE)
    padded = np.pad(np.asarray(low, dtype=np.float32), _FRAME // 2)
    energies = _band_energies(padded)
    slopes = energies[:, :-1] - energies[:, 1:]
    signs = slopes[1:] > slopes[:-1]
    codes = signs @ (np.uint32(1) << np.arange(_BITS, dtype=np.uint32))
    loudness = energies[1:].sum(axis=1)
    codes[loudness <= _QUIET_POWER * loudness.max(initial=0.0)] = 0
    return codes.astype(np.uint32)


def _band_energies(samples: Samples) -> npt.NDArray[np.float64]:
    """``[frames, 33]``"""
    from scipy.fft import rfft

    low, high = _BAND_EDGES_HZ
    edges = np.rint(np.geomspace(low, high, _BANDS + 1) * _FRAME / _RATE).astype(np.int64)
    window = np.hanning(_FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    rows = []
    for first in range(0, len(frames), _BLOCK):
        spectrum = rfft(frames[first : first + _BLOCK] * window, axis=1)[:, edges[0] : edges[-1]]
        power = spectrum.real.astype(np.float64) ** 2 + spectrum.imag.astype(np.float64) ** 2
        rows.append(np.add.reduceat(power, edges[:-1] - edges[0], axis=1))
    return np.concatenate(rows)


def to_vector(codes: Codes) -> Vector:
    """Codes as whole numbers below 65 536, which float32 holds exactly."""
    halves = np.stack([codes >> _HALF_BITS, codes & np.uint32((1 << _HALF_BITS) - 1)], axis=1)
    return halves.astype(np.float32).reshape(-1)


def from_vector(vector: Vector) -> Codes:
    """The codes `to_vector` was given."""
    halves = vector.reshape(-1, 2).astype(np.uint32)
    return (halves[:, 0] << np.uint32(_HALF_BITS)) | halves[:, 1]


@dataclass(frozen=True)
class Match:
    """Two clips, by number, that are one sound over ``seconds``; ``error`` is the share of bits that differ."""

    first: int
    second: int
    seconds: float
    error: float


def judge_duplicate_audio(
    clips: Sequence[ClipMeasures], thresholds: Thresholds, excluded: Sequence[ClipMeasures] = ()
) -> tuple[Finding, ...]:
    """Sounds that stand twice in ``clips``, or in ``clips`` and in ``excluded`` (a set that must not come back).

    Each clip is blamed once per code, for the best match before it in the order of ids. Clips without a fingerprint
    or too short are passed over. Memory: a few tens of bytes per 24 ms of sound.
    """
    own = sorted(clips, key=lambda clip: clip.clip)
    pool = [*own, *sorted(excluded, key=lambda clip: clip.clip)]
    best: dict[tuple[int, str], Match] = {}
    for match in find_matches([_codes(clip) for clip in pool], thresholds):
        if match.second >= len(own):  # the excluded clip is the first; its own kind is not judged
            blamed, code = match.first, "SET.EXCLUDED_AUDIO"
            if blamed >= len(own):
                continue
        else:
            blamed, code = match.second, _code(pool[match.first], pool[match.second])
        known = best.get((blamed, code))
        if known is None or (match.error, match.first, match.second) < (known.error, known.first, known.second):
            best[blamed, code] = match
    return tuple(_finding(pool, blamed, code, match, thresholds) for (blamed, code), match in sorted(best.items()))


def _codes(clip: ClipMeasures) -> Codes:
    vector = clip.vectors.get(VECTOR)
    return np.zeros(0, dtype=np.uint32) if vector is None else from_vector(vector)


def _code(first: ClipMeasures, second: ClipMeasures) -> str:
    if first.split is not second.split:
        return "SET.AUDIO_LEAK"
    return "SET.REPEATED_AUDIO" if _same_words(first.text, second.text) else "SET.DUPLICATE_AUDIO"


def _same_words(first: str, second: str) -> bool:
    """Whether one says what the other says, or the beginning of it (a reply that was cut)."""
    one, other = sorted((_bare(first), _bare(second)), key=len)
    return other.startswith(one)


def _bare(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", strip_tags(text)).casefold() if letter.isalnum())


def _finding(pool: Sequence[ClipMeasures], blamed: int, code: str, match: Match, thresholds: Thresholds) -> Finding:
    clip = pool[blamed]
    other = pool[match.second if blamed == match.first else match.first]
    where = f"{other.item} {other.name} ({other.split.value}, {other.file})"
    words = {
        "SET.DUPLICATE_AUDIO": f"is the sound of {where}, which says other words",
        "SET.REPEATED_AUDIO": f"is the sound of {where}, with the same words",
        "SET.AUDIO_LEAK": f"{clip.split.value} has the sound of {where}",
        "SET.EXCLUDED_AUDIO": f"is the sound of {where} in the set that must not come back",
    }
    return Judge(VALIDATOR, clip.item, clip.file).say(
        code,
        f"{clip.name} {words[code]}: {match.seconds:.1f} s, {match.error:.0%} of the bits differ",
        span=clip.span,
        value=match.error,
        threshold=thresholds.max_fingerprint_error,
    )


def find_matches(fingerprints: Sequence[Codes], thresholds: Thresholds) -> Iterator[Match]:
    """Pairs of one sound, each ``first < second``; a third copy may be matched with one of the others only.

    A pair counts where the bits agree over `min_fingerprint_share` of the shorter clip's frames with sound.
    """
    frames = [int(np.count_nonzero(codes)) for codes in fingerprints]
    long_enough = [count * HOP_S >= thresholds.min_fingerprint_s for count in frames]
    index = [codes if long_enough[number] else codes[:0] for number, codes in enumerate(fingerprints)]
    compared: tuple[int, int] | None = None
    for first, second, offset in _candidates(index):
        if compared == (first, second):
            continue
        least = thresholds.min_fingerprint_share * min(frames[first], frames[second])
        found = _compare(index[first], index[second], offset, least)
        if found is not None and found[1] <= thresholds.max_fingerprint_error:
            compared = (first, second)
            yield Match(first, second, found[0] * HOP_S, found[1])


def _candidates(index: Sequence[Codes]) -> Iterator[tuple[int, int, int]]:
    """(first, second, frames by which the second is later), by pair, most votes first."""
    numbers = np.repeat(np.arange(len(index), dtype=np.int64), [len(codes) for codes in index])
    codes = np.concatenate([np.zeros(0, dtype=np.uint32), *index])
    places = np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(len(own), dtype=np.int64) for own in index)])
    known = (codes != 0) & (places < 1 << (_OFFSET_BITS - 1))
    numbers, codes, places = numbers[known], codes[known], places[known]
    order = np.argsort(codes, kind="stable")
    numbers, codes, places = numbers[order], codes[order], places[order]
    keys = [np.zeros(0, dtype=np.int64)]
    for lag in range(1, _NEIGHBOURS + 1):
        equal = np.flatnonzero((codes[lag:] == codes[:-lag]) & (numbers[lag:] != numbers[:-lag]))
        offsets = places[equal + lag] - places[equal] + (1 << (_OFFSET_BITS - 1))
        pair = (numbers[equal] << _CLIP_BITS) | numbers[equal + lag]
        keys.append((pair << _OFFSET_BITS) | offsets)
    found, votes = np.unique(np.concatenate(keys), return_counts=True)
    found, votes = found[votes >= _MIN_VOTES], votes[votes >= _MIN_VOTES]
    pairs = found >> _OFFSET_BITS
    for at in np.lexsort((found, -votes, pairs)).tolist():
        offset = int(found[at] & ((1 << _OFFSET_BITS) - 1)) - (1 << (_OFFSET_BITS - 1))
        yield int(pairs[at] >> _CLIP_BITS), int(pairs[at] & ((1 << _CLIP_BITS) - 1)), offset


def _compare(first: Codes, second: Codes, offset: int, least: float) -> tuple[int, float] | None:
    """Frames with sound in both, and the share of their bits that differ; None where they are fewer than ``least``."""
    start, stop = max(0, -offset), min(len(first), len(second) - offset)
    one, other = first[start:stop], second[start + offset : stop + offset]
    both = (one != 0) & (other != 0)
    count = int(np.count_nonzero(both))
    if count == 0 or count < least:
        return None
    return count, int(np.bitwise_count(one[both] ^ other[both]).sum()) / (_BITS * count)
