"""From an engine's raw samples to what the data set holds: 16 kHz, trimmed, no long gaps, set loudness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.utterance import SpeechRequest, WordTiming
from generators.speech.engine import EngineError, RawSpeech
from generators.speech.loudness import SilentAudioError, integrated_loudness, peak_dbfs, set_loudness
from generators.speech.returned import LOUDEST_PEAK, Misspoken

#: Part of every store key: raise it when this module or ``loudness`` changes what comes out.
FINISH_VERSION = "2"

#: A frame this far below the loudest one is silence. CHOICE: Kokoro's weakest fricatives lie about
#: 40 dB below its vowels, its breath noise and espeak's decay below 50 dB.
SILENCE_BELOW_PEAK_DB = 45.0
#: At its edges an utterance may be weaker than this for `MAX_WEAK_EDGE_MS` only. Calibrated on 148 Kokoro utterances of
#: 25 voices: am_onyx breathes for 0.5 s at 40 to 45 dB below its peak after the last word, where Silero VAD hears
#: nothing any more, so that the label outlasts the speech. A weak final fricative is shorter (CHOICE: 120 ms).
WEAK_BELOW_PEAK_DB = 34.0
MAX_WEAK_EDGE_MS = 120
_FRAME_MS = 20
_HOP_MS = 5
#: Fade at the outer ends and length of the cross-fade where silence is taken out: no click, no audible dip.
FADE_MS = 4
_MS_PER_S = 1000

Span = tuple[int, int]


@dataclass(frozen=True)
class FinishedSpeech:
    """16 kHz mono samples ``[n]`` with what was measured on them."""

    samples: Samples
    loudness_lufs: float
    peak_dbfs: float
    words: tuple[WordTiming, ...]


def finish(raw: RawSpeech, request: SpeechRequest) -> FinishedSpeech:
    """Resample, remove DC, shorten inner silences, trim the edges and set the loudness.

    Raises:
        EngineError: the engine gave no samples, values that are not numbers, or absurdly large ones.
        Misspoken: it gave silence, or next to it.
    """
    name = f"engine {request.engine}, voice {request.voice}, text {request.spoken_text!r}"
    problem = _problem(raw.samples)
    if problem is not None:
        raise EngineError(f"{name}: {problem} came out")
    samples = _without_dc(resampled(raw.samples, raw.sample_rate))
    spans = speech_spans(samples)
    if not spans:
        raise Misspoken(f"{name}: only silence came out")
    pieces = _kept_pieces(samples, spans, request)
    edge = _samples_of(request.edge_silence_ms)
    joined = _faded(_joined(samples, pieces))
    before = max(0, edge - (spans[0][0] - pieces[0][0]))
    after = max(0, edge - (pieces[-1][1] - spans[-1][1]))
    padded = np.concatenate([np.zeros(before, np.float32), joined, np.zeros(after, np.float32)])
    try:
        finished = set_loudness(padded, SAMPLE_RATE_HZ, request.loudness_lufs)
    except SilentAudioError as error:  # a click, or a rumble that nobody hears
        raise Misspoken(f"{name}: only silence came out") from error
    return FinishedSpeech(
        samples=finished,
        loudness_lufs=round(integrated_loudness(finished, SAMPLE_RATE_HZ), 3),
        peak_dbfs=round(peak_dbfs(finished), 3),
        words=_moved_words(raw, pieces, before, len(finished)),
    )


def _problem(samples: Samples) -> str | None:
    if not len(samples):
        return "no samples"
    peak = float(np.abs(samples).max())
    if not math.isfinite(peak):
        return "samples that are not numbers"
    return f"samples of {peak:.0e} times full scale" if peak > LOUDEST_PEAK else None


def speech_spans(samples: Samples) -> tuple[Span, ...]:
    """Where there is speech: ascending ``(start, stop)`` in 16 kHz samples; empty for silence.

    Sound below `SILENCE_BELOW_PEAK_DB` is silence, and so is what lies more than `MAX_WEAK_EDGE_MS` before the first or
    after the last frame above `WEAK_BELOW_PEAK_DB`.
    """
    if not samples.any():
        return ()
    strong = _louder_than(samples, WEAK_BELOW_PEAK_DB)
    margin = _samples_of(MAX_WEAK_EDGE_MS)
    first, last = strong[0][0] - margin, strong[-1][1] + margin
    found = _louder_than(samples, SILENCE_BELOW_PEAK_DB)
    return tuple((max(start, first), min(stop, last)) for start, stop in found if stop > first and start < last)


def _louder_than(samples: Samples, below_peak_db: float) -> tuple[Span, ...]:
    import librosa

    frame, hop = _samples_of(_FRAME_MS), _samples_of(_HOP_MS)
    found = librosa.effects.split(samples, top_db=below_peak_db, frame_length=frame, hop_length=hop)
    return tuple((int(start), min(int(stop), len(samples))) for start, stop in found)


def resampled(samples: Samples, rate: int) -> Samples:
    """Mono ``[n]`` at 16 kHz."""
    import soxr

    mono = np.asarray(samples, dtype=np.float32)
    if rate == SAMPLE_RATE_HZ:
        return mono
    moved: Samples = np.asarray(soxr.resample(mono, rate, SAMPLE_RATE_HZ, quality="VHQ"), dtype=np.float32)
    return moved


def _without_dc(samples: Samples) -> Samples:
    centred: Samples = (samples - np.float32(np.mean(samples, dtype=np.float64))).astype(np.float32)
    return centred


def _kept_pieces(samples: Samples, spans: tuple[Span, ...], request: SpeechRequest) -> tuple[Span, ...]:
    """Stretches of the samples that stay: edges cut to length, the middle of long silences left out."""
    edge = _samples_of(request.edge_silence_ms)
    start = max(0, spans[0][0] - edge)
    pieces: list[Span] = []
    if request.max_inner_silence_ms is not None:
        limit = max(_samples_of(request.max_inner_silence_ms), 2 * _samples_of(FADE_MS))
        for (_, ended), (begins, _) in pairwise(spans):
            if begins - ended > limit:
                head = ended + (limit + _samples_of(FADE_MS)) // 2
                pieces.append((start, head))
                start = begins - (limit + _samples_of(FADE_MS)) + (head - ended)
    pieces.append((start, min(len(samples), spans[-1][1] + edge)))
    return tuple(pieces)


def _joined(samples: Samples, pieces: tuple[Span, ...]) -> Samples:
    """The pieces one after another, neighbours overlapping by a cross-fade of ``FADE_MS``."""
    overlap = _samples_of(FADE_MS)
    rise = _rise(overlap)
    joined = samples[slice(*pieces[0])].copy()
    for piece in pieces[1:]:
        following = samples[slice(*piece)]
        mixed = joined[-overlap:] * rise[::-1] + following[:overlap] * rise
        joined = np.concatenate([joined[:-overlap], mixed, following[overlap:]]).astype(np.float32)
    return joined


def _faded(samples: Samples) -> Samples:
    """Both ends brought to zero."""
    length = min(_samples_of(FADE_MS), len(samples) // 2)
    faded = samples.copy()
    if length:
        rise = _rise(length)
        faded[:length] *= rise
        faded[-length:] *= rise[::-1]
    return faded


def _rise(length: int) -> Samples:
    """Raised-cosine ramp from 0 to 1; with its mirror image it adds up to 1."""
    phase: npt.NDArray[np.float64] = (np.arange(length) + 0.5) / length
    ramp: Samples = (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)
    return ramp


def _moved_words(raw: RawSpeech, pieces: tuple[Span, ...], before: int, total: int) -> tuple[WordTiming, ...]:
    """Word positions in the finished samples; a word of which nothing is left is dropped."""
    moved = []
    for word in raw.words:
        start, stop = (
            _new_position(round(position * SAMPLE_RATE_HZ / raw.sample_rate), pieces) + before
            for position in (word.start, word.stop)
        )
        start, stop = min(start, total), min(stop, total)
        if start < stop:
            moved.append(WordTiming(text=word.text, start=start, stop=stop))
    return tuple(moved)


def _new_position(position: int, pieces: tuple[Span, ...]) -> int:
    """Where a sample of the untrimmed speech lies after ``_joined``; what was cut maps to the cut."""
    offset = 0
    for start, stop in pieces:
        if position < stop:
            return offset + max(0, position - start)
        offset += stop - start - _samples_of(FADE_MS)
    return offset + _samples_of(FADE_MS)


def _samples_of(milliseconds: int) -> int:
    return milliseconds * SAMPLE_RATE_HZ // _MS_PER_S
