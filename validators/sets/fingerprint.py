"""Whether a clip's sound stands in the data set twice: acoustic fingerprints and an index over them.

Haitsma & Kalker 2002, "A highly robust audio fingerprinting system" (ISMIR): per frame 32 signs of how the
differences between neighbouring bands' energies change from frame to frame. Two clips are the same sound when few of
the bits differ at one offset; frames with equal 32 bits point to the pairs worth comparing. Two sentences of one voice
that share most of their words differ in few bits as well, so that their number would grow with the square of a set:
what the fingerprints point at is compared again where it differs most (`spectra`).

What is a duplicate: one recording twice, whatever its level, its beginning and end, its coding, or faint noise on it,
under words that are said otherwise. The same words in the same voice may sound the same (a deterministic engine says
them so): that is a repetition, a warning. Alike texts explain alike sounds; there only a near identical one counts.
"""

from __future__ import annotations

import difflib
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from data_schemas.finding import Finding
from data_schemas.foundation.audio import Samples
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Split
from validators.core.clip_measures import ClipMeasures
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.measure import Span
from validators.core.probe import Measurement, Vector
from validators.core.thresholds import Thresholds
from validators.sets.spectra import VECTOR as SPECTRA
from validators.sets.spectra import Spectra, spectra, worst_difference_db
from validators.sets.spectra import from_vector as spectra_from_vector
from validators.sets.spectra import to_vector as spectra_to_vector
from validators.words.spoken_words import syllable_pairs, word_pairs

VALIDATOR = "fingerprint/2"
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
_MOST_OFFSETS = 4  # of one pair, those with most votes, are compared
_OFFSET_BITS = 17  # frames: 131 072, 52 minutes; of longer clips only the beginning is indexed
_CLIP_BITS = 23
_CLIPS_AT_ONCE = 1_024  # whose pairs are counted together: memory does not grow with the pairs of all

_PLACE_BITS = np.uint64(32)
_PLACE = np.uint64((1 << 32) - 1)
_FRAMES_AT_ONCE = 1 << 20

Codes = npt.NDArray[np.uint32]
Frames = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class FingerprintProbe:
    """A `ClipProbe` without a model."""

    @property
    def identity(self) -> str:
        return f"{VALIDATOR}; {_RATE} Hz, frame {_FRAME}, hop {_HOP}"

    def measure(self, clip: Clip) -> Measurement:
        """`VECTOR` and ``spectra.VECTOR`` of a clip at any rate."""
        return Measurement(
            vectors={
                VECTOR: to_vector(fingerprint(clip.samples, clip.rate)),
                SPECTRA: spectra_to_vector(spectra(clip.samples, clip.rate)),
            }
        )


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
    """Two clips, by number, whose fingerprints agree over ``seconds`` but for the share ``error`` of their bits."""

    first: int
    second: int
    seconds: float
    error: float
    offset: int  # frames by which the second is later


def judge_duplicate_audio(
    clips: Iterable[ClipMeasures], thresholds: Thresholds, excluded: Iterable[ClipMeasures] = ()
) -> tuple[Finding, ...]:
    """Sounds that stand twice in ``clips``, or in ``clips`` and in ``excluded`` (a set that must not come back).

    Each clip is blamed once per code, for the best match before it in the order of items and clips. Clips without a
    fingerprint or too short are passed over. Both are read once; memory: some 20 bytes per 24 ms of sound and 0.5 kB
    per clip; spectra wait in a temporary file.
    """
    with tempfile.TemporaryFile() as file:
        pool = _Pool(file)
        for clip in clips:
            pool.add(clip, is_excluded=False)
        for clip in excluded:
            pool.add(clip, is_excluded=True)
        return tuple(pool.findings(thresholds))


class _Label(NamedTuple):
    """What is kept of a clip; in order, those of the judged set come first."""

    is_excluded: bool
    item: str
    clip: str
    name: str
    file: str
    span: Span
    split: Split
    language: Language
    text: str
    number: int  # in the order of reading


class _Pool:
    """Clips of both sets: labels and codes in memory, spectra in a temporary file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._labels: list[_Label] = []
        self._codes: list[Codes] = []
        self._places: list[tuple[int, int]] = []  # of the spectra: first byte, bytes
        self._file = file

    def add(self, clip: ClipMeasures, is_excluded: bool) -> None:
        vector = clip.vectors.get(VECTOR)
        if vector is None or SPECTRA not in clip.vectors:
            return
        wide = clip.vectors[SPECTRA].astype(np.float32).tobytes()
        self._places.append((self._file.tell(), len(wide)))
        self._file.write(wide)
        self._codes.append(from_vector(vector))
        number = len(self._labels)
        where = (clip.item, clip.clip, clip.name, clip.file, clip.span, clip.split, clip.language)
        self._labels.append(_Label(is_excluded, *where, clip.text, number))

    def findings(self, thresholds: Thresholds) -> Iterator[Finding]:
        """Of all clips, by the order of their labels."""
        labels = sorted(self._labels)
        best: dict[tuple[int, str], tuple[float, int, int, Match]] = {}
        for match in find_matches([self._codes[label.number] for label in labels], thresholds):
            first, second = labels[match.first], labels[match.second]
            if first.is_excluded:  # both are; that set is not judged
                continue
            difference = worst_difference_db(self._spectra(first), self._spectra(second), match.offset)
            if difference > thresholds.max_spectral_difference_db or difference > _limit(first, second, thresholds):
                continue  # the texts of few pairs are compared
            blamed, code = match.second, _code(first, second)
            if second.is_excluded:
                blamed, code = match.first, "SET.EXCLUDED_AUDIO"
            found = (difference, match.first, match.second, match)
            if (blamed, code) not in best or found[:3] < best[blamed, code][:3]:
                best[blamed, code] = found
        for (blamed, code), (difference, _, _, match) in sorted(best.items()):
            clip, other = labels[blamed], labels[match.second if blamed == match.first else match.first]
            yield _finding(clip, other, code, match, difference, thresholds)

    def _spectra(self, label: _Label) -> Spectra:
        first, count = self._places[label.number]
        self._file.seek(first)
        return spectra_from_vector(np.frombuffer(self._file.read(count), dtype=np.float32))


def _limit(first: _Label, second: _Label, thresholds: Thresholds) -> float:
    """Alike texts explain alike sounds: then only what is near identical is one recording.

    The same words explain nothing: they are one recording, or one said again, and the code tells which that is.
    """
    if not _same_words(first, second) and likeness(first.text, second.text) >= thresholds.min_alike_texts:
        return thresholds.max_alike_difference_db
    return thresholds.max_spectral_difference_db


def likeness(first: str, second: str) -> float:
    """Share of letters in common, in order (Ratcliff & Metzener 1988, as in ``difflib``)."""
    one, other = sorted((_bare(first), _bare(second)))
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _code(first: _Label, second: _Label) -> str:
    if first.split is not second.split:
        return "SET.AUDIO_LEAK"
    return "SET.REPEATED_AUDIO" if _same_words(first, second) else "SET.DUPLICATE_AUDIO"


def _same_words(first: _Label, second: _Label) -> bool:
    """Whether one is said like the other, or like the beginning of it (a reply that was cut): 他 and 她 are."""
    one, other = sorted((_bare(first.text), _bare(second.text)), key=len)
    if other.startswith(one):
        return True
    pairs = syllable_pairs if first.language is Language.ZH else word_pairs
    for pair in pairs(first.text, second.text):
        short, long = sorted(pair, key=len)
        if short and long[: len(short)] == short:
            return True
    return False


def _bare(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", strip_tags(text)).casefold() if letter.isalnum())


def _finding(
    clip: _Label, other: _Label, code: str, match: Match, difference: float, thresholds: Thresholds
) -> Finding:
    where = f"{other.item} {other.name} ({other.split.value}, {other.file})"
    words = {
        "SET.DUPLICATE_AUDIO": f"is the sound of {where}, which says other words",
        "SET.REPEATED_AUDIO": f"is the sound of {where}, with the same words",
        "SET.AUDIO_LEAK": f"{clip.split.value} has the sound of {where}",
        "SET.EXCLUDED_AUDIO": f"is the sound of {where} in the set that must not come back",
    }
    return Judge(VALIDATOR, clip.item, clip.file).say(
        code,
        f"{clip.name} {words[code]}: {match.seconds:.1f} s, {match.error:.0%} of the bits differ, and levels by "
        f"{difference:.1f} dB where they differ most",
        span=clip.span,
        value=difference,
        threshold=_limit(clip, other, thresholds),
    )


def find_matches(fingerprints: Sequence[Codes], thresholds: Thresholds) -> Iterator[Match]:
    """Pairs whose bits agree, each ``first < second``; a third copy may be matched with one of the others only.

    A pair counts where the bits agree over `min_fingerprint_share` of the shorter clip's frames with sound.
    """
    frames = [int(np.count_nonzero(codes)) for codes in fingerprints]
    long_enough = [count * HOP_S >= thresholds.min_fingerprint_s for count in frames]
    index = [codes if long_enough[number] else codes[:0] for number, codes in enumerate(fingerprints)]
    for (first, second), candidates in groupby(_candidates(index), key=lambda candidate: candidate[:2]):
        least = thresholds.min_fingerprint_share * min(frames[first], frames[second])
        offsets = [offset for _, _, offset in candidates][:_MOST_OFFSETS]
        compared = [(_compare(index[first], index[second], offset, least), offset) for offset in offsets]
        found = [(agreed[1], agreed[0], offset) for agreed, offset in compared if agreed is not None]
        error, count, offset = min(found, default=(1.0, 0, 0))
        if error <= thresholds.max_fingerprint_error:
            yield Match(first, second, count * HOP_S, error, offset)


def _candidates(index: Sequence[Codes]) -> Iterator[tuple[int, int, int]]:
    """(first, second, frames by which the second is later), by pair, most votes first."""
    starts = np.concatenate([[0], np.cumsum([len(codes) for codes in index], dtype=np.int64)])
    frames = _sorted_frames(index, starts)
    for first in range(0, len(index), _CLIPS_AT_ONCE):
        last = min(first + _CLIPS_AT_ONCE, len(index))
        yield from _voted(frames, starts, int(starts[first]), int(starts[last]))


def _sorted_frames(index: Sequence[Codes], starts: Ints) -> Frames:
    """Every frame with a code as one number, code above and place among all frames below, in order of codes."""
    longest = 1 << (_OFFSET_BITS - 1)
    frames = np.empty(sum(int(np.count_nonzero(codes[:longest])) for codes in index), dtype=np.uint64)
    end = 0
    for codes, start in zip(index, starts.tolist(), strict=False):  # the last of the starts is the end
        own = np.flatnonzero(codes[:longest])
        frames[end : end + len(own)] = (codes[own].astype(np.uint64) << _PLACE_BITS) | (own + start).astype(np.uint64)
        end += len(own)
    frames.sort()
    return frames


def _voted(frames: Frames, starts: Ints, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Candidates whose first clip has its frames at the places ``[first, last)``."""
    chunks = range(0, len(frames), _FRAMES_AT_ONCE)
    found_at = [np.zeros(0, dtype=np.int64)]
    for chunk in chunks:
        places = frames[chunk : chunk + _FRAMES_AT_ONCE] & _PLACE
        found_at.append(np.flatnonzero((places >= first) & (places < last)) + chunk)
    block = np.concatenate(found_at)
    keys = [np.zeros(0, dtype=np.int64)]
    for lag in range(1, _NEIGHBOURS + 1):
        own = block[block < len(frames) - lag]
        own = own[(frames[own + lag] ^ frames[own]) <= _PLACE]  # equal codes
        here, there = ((frames[at] & _PLACE).astype(np.int64) for at in (own, own + lag))
        one, other = (np.searchsorted(starts, at, side="right") - 1 for at in (here, there))
        offsets = (there - starts[other]) - (here - starts[one]) + (1 << (_OFFSET_BITS - 1))
        pair = (one << _CLIP_BITS) | other
        keys.append(((pair << _OFFSET_BITS) | offsets)[one != other])
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
