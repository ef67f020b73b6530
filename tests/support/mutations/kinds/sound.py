"""How it sounds."""

from __future__ import annotations

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.layouts.base import FoundItem
from tests.support.mutations.kinds.common import (
    BOUNDS,
    OTHER_VOICE,
    OTHER_WORDS,
    is_dialogue,
    level,
    one,
    silence,
    sound_kind,
    sounding,
)
from tests.support.mutations.planting import Copy, Kind, Planted, Wave, at
from tests.support.mutations.spots import Spot, sentences

GROUP = "sound"
_CLIP_SHARE = 0.35  # of the peak, where flat tops begin
_BLOCK_S = 0.02


def _turns(found: FoundItem) -> tuple[Spot, ...]:
    return sentences(found) if is_dialogue(found) else ()


def _white(wave: Wave, rng: np.random.Generator, snr_db: float) -> Wave:
    return wave + rng.normal(0.0, level(wave) * 10 ** (-snr_db / 20), len(wave))


def _noisy(wave: Wave, rng: np.random.Generator) -> Wave:
    return _white(wave, rng, 15.0)


def _very_noisy(wave: Wave, rng: np.random.Generator) -> Wave:
    return _white(wave, rng, 3.0)


def _hum(wave: Wave, rng: np.random.Generator) -> Wave:
    """50 Hz and four harmonics, 15 dB under the speech."""
    times = np.arange(len(wave)) / RATE
    tones = sum(np.sin(2 * np.pi * 50 * number * times + rng.uniform(0, 6)) / number for number in range(1, 6))
    hummed: Wave = wave + tones / np.std(tones) * level(wave) * 10 ** (-15 / 20)
    return hummed


def _narrow(wave: Wave, rng: np.random.Generator) -> Wave:
    import soxr

    low: Wave = soxr.resample(wave, RATE, RATE // 2)
    high: Wave = soxr.resample(low, RATE // 2, RATE)[: len(wave)]
    return high


def _overdriven(wave: Wave, rng: np.random.Generator) -> Wave:
    loud: Wave = np.clip(wave / np.max(np.abs(wave)) / _CLIP_SHARE, -1.0, 32767 / 32768)
    return loud


def _flat_tops(wave: Wave, rng: np.random.Generator) -> Wave:
    top = np.max(np.abs(wave)) * _CLIP_SHARE
    return np.clip(wave, -top, top)


def _near_full_scale(wave: Wave, rng: np.random.Generator) -> Wave:
    """One short burst whose samples stay below full scale and whose wave between them does not."""
    burst: Wave = 0.92 * np.sqrt(2) * np.sin(2 * np.pi * (RATE / 4) * np.arange(64) / RATE + np.pi / 4)
    start = len(wave) // 2
    loud = wave.copy()
    loud[start : start + 64] = burst * np.hanning(64)
    return loud


def _click(wave: Wave, rng: np.random.Generator) -> Wave:
    """One sample 0.25 off, in a soft place inside the speech."""
    first, last = sounding(wave)
    middle = np.abs(wave[first + RATE // 2 : last - RATE // 2])
    smooth = np.convolve(middle, np.ones(160) / 160, mode="same")
    place = first + RATE // 2 + int(np.argmin(smooth))
    clicked = wave.copy()
    clicked[place] += 0.25
    return clicked


def _click_in_silence(wave: Wave, rng: np.random.Generator) -> Wave:
    clicked = np.concatenate([silence(0.3), wave])
    clicked[round(0.15 * RATE)] = 0.3
    return clicked


def _offset(wave: Wave, rng: np.random.Generator) -> Wave:
    return wave + 0.03


def _loudest(wave: Wave) -> int:
    """Start of the loudest block inside the speech."""
    block = round(_BLOCK_S * RATE)
    energy = np.convolve(wave**2, np.ones(block), mode="valid")
    edge = RATE // 2
    return edge + int(np.argmax(energy[edge : len(energy) - edge - block]))


def _repeated_block(wave: Wave, rng: np.random.Generator) -> Wave:
    start, block = _loudest(wave), round(_BLOCK_S * RATE)
    stuck = wave.copy()
    stuck[start + block : start + 2 * block] = wave[start : start + block]
    return stuck


def _held(wave: Wave, rng: np.random.Generator) -> Wave:
    start, block = _loudest(wave), round(_BLOCK_S * RATE)
    stuck = wave.copy()
    peak = start + int(np.argmax(np.abs(wave[start : start + block])))
    stuck[peak : peak + block] = wave[peak]
    return stuck


def _dropped(wave: Wave, rng: np.random.Generator) -> Wave:
    start, block = _loudest(wave), round(_BLOCK_S * RATE)
    lost = wave.copy()
    lost[start : start + block] = 0.0
    return lost


def _too_soft(wave: Wave, rng: np.random.Generator) -> Wave:
    return wave * 10 ** (-25 / 20)


def _long_edge(wave: Wave, rng: np.random.Generator) -> Wave:
    return np.concatenate([wave, silence(1.2)])


def _inner_silence(wave: Wave, rng: np.random.Generator) -> Wave:
    first, last = sounding(wave)
    place = (first + last) // 2
    near = place - RATE // 4 + int(np.argmin(np.abs(wave[place - RATE // 4 : place + RATE // 4])))
    return np.concatenate([wave[:near], silence(2.0), wave[near:]])


def _silent(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Every sample of one channel, or of one turn, is zero."""
    roles = sorted(role for role in found.files if role == "assistant" or role.startswith("turn"))
    path = found.files[one(roles, rng)]
    copy.write_wave(path, np.zeros(len(copy.wave(path))))
    return at(found)


#: what a damaged sound may cost besides
_HARM = (
    OTHER_WORDS
    | OTHER_VOICE
    | {"SCENE.OVERLAP_MISSED", "SOUND.CLIPPED", "SOUND.STUCK", "SOUND.BANDWIDTH", "AUDIO.LOUDNESS"}
)
_SILENT = OTHER_WORDS | {
    "AUDIO.LOUDNESS",
    "LANGUAGE.AUDIO",  # Whisper takes silence for Welsh
    "TIMELINE.ASSISTANT_ABSENT",
    "SCENE.SEGMENT_MISSED",
    "SCENE.EVENT_SILENT",
    "SCENE.OVERLAP_MISSED",
}
_BROKEN = OTHER_WORDS | {"SOUND.STUCK"}  # zeros between loud samples
KINDS: tuple[Kind, ...] = (
    sound_kind("white noise 15 dB under the speech", GROUP, "SOUND.SNR", _noisy, follows=_HARM | BOUNDS, cases=4),
    sound_kind("hum 15 dB under the speech", GROUP, "SOUND.NOISE_FLOOR", _hum, follows=_HARM | BOUNDS, cases=4),
    sound_kind("white noise 3 dB under the speech", GROUP, "SOUND.DNSMOS", _very_noisy, follows=_HARM | BOUNDS,
               asks=frozenset({"quality"})),
    sound_kind("8 kHz speech upsampled", GROUP, "SOUND.BANDWIDTH", _narrow, follows=OTHER_WORDS, cases=4),
    sound_kind("overdriven to full scale", GROUP, "AUDIO.CLIPPED", _overdriven, follows=_HARM, cases=4),
    sound_kind("flat tops, then made softer", GROUP, "SOUND.CLIPPED", _flat_tops, follows=_HARM, cases=4),
    sound_kind("over full scale between samples", GROUP, "SOUND.TRUE_PEAK", _near_full_scale, follows=_HARM),
    sound_kind("click inside speech", GROUP, "SOUND.CLICK", _click, cases=4),
    sound_kind("click in silence", GROUP, "AUDIO.CLICK", _click_in_silence, _turns),
    sound_kind("direct current", GROUP, "AUDIO.DC_OFFSET", _offset, _turns, _HARM),
    sound_kind("20 ms played twice", GROUP, "SOUND.STUCK", _repeated_block, cases=4),
    sound_kind("one value held for 20 ms", GROUP, "SOUND.STUCK", _held, follows=_HARM, cases=4),
    sound_kind("20 ms of zeros inside speech", GROUP, "SOUND.STUCK", _dropped, cases=4),
    sound_kind("25 dB too soft", GROUP, "AUDIO.LOUDNESS", _too_soft, _turns, _HARM),
    sound_kind("1.2 s of silence at the end of a turn", GROUP, "AUDIO.EDGE_SILENCE", _long_edge, _turns),
    sound_kind("2 s of silence inside a turn", GROUP, "AUDIO.INNER_SILENCE", _inner_silence, _turns, _BROKEN),
    Kind("silent channel or turn", GROUP, "AUDIO.SILENT", _silent, follows=_SILENT, cases=4),
)  # fmt: skip
