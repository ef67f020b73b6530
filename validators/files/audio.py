"""Judges one audio file: container, level, clipping, DC, clicks, silences, duration against its words."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_schemas.finding import Finding
from data_schemas.foundation import loudness
from data_schemas.foundation.audio import HEADER_BYTES, Samples, from_pcm16, plain_wav
from data_schemas.foundation.loudness import GATING_BLOCK_S
from data_schemas.tasks import Language
from validators.core.codes import Judge
from validators.core.measure import FRAME_S, Levels, frame_levels, runs, silences, spoken_units
from validators.core.thresholds import Thresholds

VALIDATOR = "audio/2"

_FULL_SCALE = 32_767
_QUIET_RUN_SAMPLES = 32  # 2 ms of exact zeros at 16 kHz: not found inside recorded or synthetic speech
_COUNTED_SILENCE_S = 0.3  # silences from here on are taken out before words are counted against time

_BYTES_PER_SAMPLE = 2
_RIFF_HEADER = struct.Struct("<4sI4s")  # "RIFF", bytes that follow, "WAVE"
_CHUNK_HEADER = struct.Struct("<4sI")
_MAX_CHUNKS = 1000  # a file of empty chunks ends the search; real ones have a handful
#: soundfile.LibsndfileError is a RuntimeError; a name that ends in .raw is a TypeError, an odd name a ValueError
_CANNOT_READ = (OSError, RuntimeError, TypeError, ValueError)

Pcm = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Words:
    """What a turn's file should say."""

    text: str
    language: Language


@dataclass(frozen=True)
class AudioVerdict:
    """Samples ``[n]`` if the file could be read as 16-bit mono, and what is wrong with it."""

    samples: Samples | None
    rate: int
    findings: tuple[Finding, ...]
    #: LUFS of the whole file, where it was measured
    loudness_lufs: float | None = None


def judge_audio(
    judge: Judge,
    path: Path,
    thresholds: Thresholds,
    words: Words | None = None,
    *,
    copy: bool = False,
    in_noise: bool = False,
) -> AudioVerdict:
    """Everything about one file. ``words`` is given for a Track 1 turn: one utterance from edge to edge.

    A file of the wrong container, rate, channel count or length is not read at all, so that memory is bounded by
    ``max_duration_s``; nothing that is wrong with a file raises. Not measured any further is a
    ``copy`` of samples that another file's verdict has measured. A file ``in_noise`` may begin and end with sound.
    """
    header = _header(judge, path)
    if isinstance(header, Finding):
        return AudioVerdict(None, 0, (header,))
    container = tuple(_container(judge, header, thresholds))
    if container:
        return AudioVerdict(None, header.rate, container)
    pcm = _pcm(judge, path, header)
    if isinstance(pcm, Finding):
        return AudioVerdict(None, header.rate, (pcm,))
    rate = header.rate
    samples = from_pcm16(pcm)
    if not pcm.any():
        return AudioVerdict(samples, rate, (judge.say("AUDIO.SILENT", "every sample is zero"),))
    if copy:
        return AudioVerdict(samples, rate, ())
    lufs = integrated_loudness(samples, rate)
    findings = [*_levels(judge, pcm, samples, rate, thresholds), *_loudness(judge, lufs, thresholds)]
    findings += _clicks(judge, samples, rate, thresholds, in_noise)
    if words is not None:
        findings += _turn(judge, samples, rate, words, thresholds)
    return AudioVerdict(samples, rate, tuple(findings), lufs)


@dataclass(frozen=True)
class _Header:
    """What a file says of itself; nothing of its samples was read."""

    container: str
    subtype: str
    rate: int
    channels: int
    frames: int
    #: every byte behind the header is a sample
    plain: bool = False


def _header(judge: Judge, path: Path) -> _Header | Finding:
    """Only ordinary files are opened: reading a pipe or a device might never end."""
    import soundfile

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return _unreadable(judge, "it is no ordinary file")
        plain = _plain(path)
        if plain is not None:
            return plain
        info = soundfile.info(path)
    except _CANNOT_READ as error:
        return _unreadable(judge, str(error))
    return _Header(info.format, info.subtype, info.samplerate, info.channels, info.frames)


def _plain(path: Path) -> _Header | None:
    """Of a mono file with the usual 44 bytes before its samples: no reader can take it for anything else."""
    if path.suffix != ".wav":
        return None  # libsndfile goes by the name of some
    with path.open("rb") as file:
        found = plain_wav(file.read(HEADER_BYTES), path.stat().st_size)
    return None if found is None else _Header("WAV", "PCM_16", found[0], 1, found[1], plain=True)


def _pcm(judge: Judge, path: Path, header: _Header) -> Pcm | Finding:
    """Samples ``[n]`` of a mono file with 16 bit, or what keeps readers from agreeing on them."""
    import soundfile

    try:
        if header.plain:
            return np.fromfile(path, dtype="<i2", count=header.frames, offset=HEADER_BYTES)
        stated = _stated_bytes(path)
        pcm: Pcm = soundfile.read(path, frames=header.frames, dtype="int16", always_2d=True)[0][:, 0]
    except _CANNOT_READ as error:
        return _unreadable(judge, str(error))
    if stated is None or stated // _BYTES_PER_SAMPLE != len(pcm):
        said = "has no data chunk" if stated is None else f"says {stated} bytes"
        return _unreadable(judge, f"its header {said}, {len(pcm) * _BYTES_PER_SAMPLE} bytes of samples are there")
    return pcm


def _stated_bytes(path: Path) -> int | None:
    """Size that the header of a RIFF WAV gives to its samples, true or not; None without a data chunk."""
    with path.open("rb") as file:
        file.seek(_RIFF_HEADER.size)
        for _ in range(_MAX_CHUNKS):
            chunk = file.read(_CHUNK_HEADER.size)
            if len(chunk) < _CHUNK_HEADER.size:
                return None
            name, size = _CHUNK_HEADER.unpack(chunk)
            if name == b"data":
                return int(size)
            file.seek(size + size % 2, os.SEEK_CUR)
    return None


def _unreadable(judge: Judge, why: str) -> Finding:
    return judge.say("AUDIO.UNREADABLE", f"cannot be read as audio: {why}; write it again as RIFF WAV")


def _container(judge: Judge, header: _Header, thresholds: Thresholds) -> Iterator[Finding]:
    if (header.container, header.subtype) != ("WAV", "PCM_16"):
        yield judge.say("AUDIO.FORMAT", f"is {header.container}/{header.subtype}; RIFF WAV with 16-bit PCM is required")
    rate = header.rate
    if rate != thresholds.sample_rate_hz:
        yield judge.say("AUDIO.RATE", f"has {rate} Hz; resample it", value=rate, threshold=thresholds.sample_rate_hz)
    if header.channels != 1:
        yield judge.say("AUDIO.CHANNELS", f"has {header.channels} channels; mono is required", value=header.channels)
    seconds = header.frames / rate
    if seconds < thresholds.min_duration_s:
        yield judge.say("AUDIO.DURATION", f"lasts {seconds:.3f} s", value=seconds, threshold=thresholds.min_duration_s)
    if seconds > thresholds.max_duration_s:
        yield judge.say("AUDIO.DURATION", f"lasts {seconds:.1f} s", value=seconds, threshold=thresholds.max_duration_s)


def _levels(judge: Judge, pcm: Pcm, samples: Samples, rate: int, thresholds: Thresholds) -> Iterator[Finding]:
    loud = np.abs(pcm.astype(np.int32)) >= _FULL_SCALE
    longest = max(runs(loud), key=lambda run: run[1] - run[0], default=(0, 0))
    clipped = longest[1] - longest[0]
    peak = 20.0 * np.log10(float(np.max(np.abs(samples))))
    if clipped > thresholds.max_clipped_run:
        yield judge.say(
            "AUDIO.CLIPPED",
            f"{clipped} full-scale samples in a row; lower the gain before writing",
            span=(longest[0] / rate, longest[1] / rate),
            value=clipped,
            threshold=thresholds.max_clipped_run,
        )
    elif peak > thresholds.max_peak_dbfs:
        yield judge.say("AUDIO.PEAK", f"peak at {peak:.2f} dBFS", value=peak, threshold=thresholds.max_peak_dbfs)
    offset = float(np.mean(samples, dtype=np.float64))
    if abs(offset) > thresholds.max_dc_offset:
        yield judge.say("AUDIO.DC_OFFSET", f"mean of {offset:+.4f}", value=offset, threshold=thresholds.max_dc_offset)


def _loudness(judge: Judge, lufs: float | None, thresholds: Thresholds) -> Iterator[Finding]:
    if lufs is None:
        return
    low, high = thresholds.min_loudness_lufs, thresholds.max_loudness_lufs
    if not low <= lufs <= high:
        yield judge.say(
            "AUDIO.LOUDNESS",
            f"{lufs:.1f} LUFS, outside {low} to {high}",
            value=max(lufs, _LOWEST_LUFS),
            threshold=low if lufs < low else high,
        )


_LOWEST_LUFS = -120.0  # stands for minus infinity in a finding, JSON has no infinities


def integrated_loudness(samples: Samples, rate: int) -> float | None:
    """LUFS by ITU-R BS.1770-4; None for a file shorter than one gating block (0.4 s)."""
    if len(samples) < round(GATING_BLOCK_S * rate) + 1:
        return None
    return loudness.integrated_loudness(samples, rate)


def _clicks(judge: Judge, samples: Samples, rate: int, thresholds: Thresholds, in_noise: bool) -> Iterator[Finding]:
    step = click_after_silence(samples, thresholds.max_step_from_silence, in_noise)
    if step is not None:
        position, height = step
        yield judge.say(
            "AUDIO.CLICK",
            f"jump of {height:.3f} at the edge of digital silence; fade the edge",
            span=(position / rate, position / rate),
            value=height,
            threshold=thresholds.max_step_from_silence,
        )


def click_after_silence(samples: Samples, limit: float, in_noise: bool = False) -> tuple[int, float] | None:
    """Position and height of the highest jump between 2 ms of exact zeros (or a file end) and a sample.

    Where a file is cut out of noise that goes on, its ends are no edges of silence (``in_noise``).
    """
    zeros = [(a, b) for a, b in runs(samples == 0.0) if b - a >= _QUIET_RUN_SAMPLES]
    last = len(samples) - 1
    ends: set[int] = set() if in_noise else {0, last}
    edges = ends | {b for _, b in zeros if b <= last} | {a - 1 for a, _ in zeros if a > 0}
    if not edges:
        return None
    position = max(sorted(edges), key=lambda index: abs(float(samples[index])))
    height = abs(float(samples[position]))
    return (position, height) if height > limit else None


def _turn(judge: Judge, samples: Samples, rate: int, words: Words, thresholds: Thresholds) -> Iterator[Finding]:
    levels = frame_levels(samples, rate)
    quiet = silences(levels, thresholds.silence_dbfs)
    end = len(levels) * FRAME_S
    for start, stop in quiet:
        at_edge = start == 0.0 or stop >= end
        limit = thresholds.max_edge_silence_s if at_edge else thresholds.max_turn_inner_silence_s
        if stop - start > limit:
            yield judge.say(
                "AUDIO.EDGE_SILENCE" if at_edge else "AUDIO.INNER_SILENCE",
                f"silent for {stop - start:.2f} s",
                span=(start, stop),
                value=stop - start,
                threshold=limit,
            )
    yield from judge_words(judge, levels, words, (0.0, len(samples) / rate), thresholds, thresholds.silence_dbfs)


def sounding_seconds(levels: Levels, silence_dbfs: float) -> float:
    """Seconds of frames less all silences of 0.3 s or more."""
    quiet = sum(b - a for a, b in silences(levels, silence_dbfs) if b - a >= _COUNTED_SILENCE_S)
    return len(levels) * FRAME_S - quiet


def judge_words(
    judge: Judge,
    levels: Levels,
    words: Words,
    span: tuple[float, float],
    thresholds: Thresholds,
    silence_dbfs: float,
) -> Iterator[Finding]:
    """Whether frames with these levels last as long as the words need (AUDIO.TEXT_DURATION).

    Behind noise (``silence_dbfs`` above the threshold's) soft speech counts as silent, so that the shortest time is
    asked of the whole span.
    """
    fewest, most = spoken_units(words.text, words.language)
    if most == 0:
        return
    seconds = sounding_seconds(levels, silence_dbfs)
    if words.language is Language.ZH:
        per_unit = (thresholds.min_seconds_per_zh_char, thresholds.max_seconds_per_zh_char)
    else:
        per_unit = (thresholds.min_seconds_per_en_word, thresholds.max_seconds_per_en_word)
    shortest, longest = fewest * per_unit[0], most * per_unit[1] + thresholds.duration_allowance_s
    if silence_dbfs > thresholds.silence_dbfs and seconds < shortest:
        seconds = len(levels) * FRAME_S
    if not shortest <= seconds <= longest:
        yield judge.say(
            "AUDIO.TEXT_DURATION",
            f"{seconds:.2f} s of sound for {fewest} to {most} units of {words.text[:24]!r}; "
            f"{shortest:.2f} to {longest:.2f} s expected",
            span=span,
            value=seconds,
            threshold=shortest if seconds < shortest else longest,
        )
