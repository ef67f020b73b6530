"""An utterance with sounds of the project's own: spoken in pieces, the sounds made from the voice put between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples
from data_schemas.foundation.randomness import named_generator
from data_schemas.tags import strip_tags
from data_schemas.utterance import SpeechRequest, VocalSound, WordTiming
from generators.speech.engine import EngineError, RawSpeech
from generators.speech.sounds.placing import REALISED
from generators.speech.sounds.sigh import Tract, sigh, tract_of
from generators.store import key_of

#: Part of the store key of a request with sounds: raise it when this package changes what comes out.
SOUNDS_VERSION = "1"

#: Silence between speech and a sound, seconds. CHOICE: under the 0.18 s from which a silence counts as a pause.
GAP_S = 0.12
#: What an engine leaves before and after a piece is cut off where a sound follows, from so far below its loudest frame.
SILENCE_BELOW_PEAK_DB = 40.0
#: Of which so much stays, seconds, faded: final consonants and releases are weak.
_KEPT_S = 0.03
_FRAME_S = 0.01
_STAGE = "sounds"
_TINY = 1e-12


def pieces_to_speak(request: SpeechRequest) -> tuple[SpeechRequest, ...]:
    """What an engine is asked for: the text cut where a sound stands, each piece without sounds.

    One request where there are no sounds, or only before the first and after the last word.
    """
    return tuple(
        request.model_copy(update={"spoken_text": part, "sounds": ()})
        for part in _in_order(request)
        if isinstance(part, str)
    )


def with_sounds(pieces: tuple[RawSpeech, ...], request: SpeechRequest) -> RawSpeech:
    """The pieces with the request's sounds before, between and after them; without sounds the one piece as it is.

    ``pieces`` are what came of `pieces_to_speak`, in order and at one rate. Word times move along. The same pieces and
    request give the same bytes: what is drawn is keyed by the request's own hash.

    Raises:
        EngineError: the pieces are not those of the request, their rates differ, or they are silent.
    """
    parts = _in_order(request)
    if len(pieces) != sum(isinstance(part, str) for part in parts):
        raise EngineError(f"{request.spoken_text!r} was spoken in {len(pieces)} pieces; pieces_to_speak says how many")
    if not request.sounds:
        return pieces[0]
    rates = {piece.sample_rate for piece in pieces}
    if len(rates) != 1:
        raise EngineError(f"{request.spoken_text!r}: its pieces came at {sorted(rates)} Hz; an engine has one rate")
    (rate,) = rates
    try:
        tract = tract_of(np.concatenate([piece.samples for piece in pieces]), rate)
    except ValueError as error:
        raise EngineError(f"voice {request.voice}, text {request.spoken_text!r}: {error}") from error
    return _joined(parts, pieces, tract, request)


def _joined(
    parts: tuple[str | VocalSound, ...], pieces: tuple[RawSpeech, ...], tract: Tract, request: SpeechRequest
) -> RawSpeech:
    rate, key = pieces[0].sample_rate, key_of(request)
    gap = np.zeros(round(GAP_S * rate), np.float32)
    speech = iter(pieces)
    chunks: list[Samples] = []
    words: list[WordTiming] = []
    for place, part in enumerate(parts):
        chunks += [gap] if place else []
        if isinstance(part, VocalSound):
            chunks.append(_sound(part, tract, rate, named_generator(request.seed, f"{key}/{place}", _STAGE)))
            continue
        cut = _without_edges(next(speech), leading=place > 0, trailing=place < len(parts) - 1)
        offset = sum(len(chunk) for chunk in chunks)
        words += [WordTiming(text=word.text, start=word.start + offset, stop=word.stop + offset) for word in cut.words]
        chunks.append(cut.samples)
    return RawSpeech(np.concatenate(chunks).astype(np.float32), rate, tuple(words))


def _sound(sound: VocalSound, tract: Tract, rate: int, random: np.random.Generator) -> Samples:
    if sound.tag not in REALISED:
        raise EngineError(f"there is no sound for {sound.tag}; those there are: {', '.join(sorted(REALISED))}")
    return sigh(tract, rate, random)


def _in_order(request: SpeechRequest) -> tuple[str | VocalSound, ...]:
    """Texts and sounds in the order they are heard; a text without words of its own goes with its neighbour."""
    sounds = sorted(request.sounds, key=lambda sound: sound.after)
    edges = [0, *(sound.after for sound in sounds), len(request.spoken_text)]
    texts = [request.spoken_text[start:stop].strip() for start, stop in pairwise(edges)]
    for place, text in enumerate(texts):  # a tag of the engine's alone cannot be spoken
        if text and not _has_words(text):
            onto = next((n for n in (*reversed(range(place)), *range(place + 1, len(texts))) if texts[n]), None)
            if onto is not None:
                texts[onto] = f"{texts[onto]} {text}" if onto < place else f"{text} {texts[onto]}"
                texts[place] = ""
    ordered: list[str | VocalSound] = []
    for text, sound in zip(texts, (*sounds, None), strict=True):
        ordered += [text] if text else []
        ordered += [sound] if sound is not None else []
    return tuple(ordered)


def _has_words(text: str) -> bool:
    return any(char.isalnum() for char in strip_tags(text))


def _without_edges(raw: RawSpeech, *, leading: bool, trailing: bool) -> RawSpeech:
    """The speech without its silent edges, where asked; words move along."""
    first, last = _sounding(raw.samples, raw.sample_rate)
    start, stop = first if leading else 0, last if trailing else len(raw.samples)
    samples = np.array(raw.samples[start:stop], dtype=np.float32)
    fade = min(round(_KEPT_S * raw.sample_rate), len(samples) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(fade, 1))).astype(np.float32)
    if leading:
        samples[:fade] *= ramp
    if trailing:
        samples[len(samples) - fade :] *= ramp[::-1]
    words = (
        WordTiming(text=word.text, start=max(word.start, start) - start, stop=min(word.stop, stop) - start)
        for word in raw.words
        if max(word.start, start) < min(word.stop, stop)
    )
    return RawSpeech(samples, raw.sample_rate, tuple(words))


def _sounding(samples: Samples, rate: int) -> tuple[int, int]:
    """First and last sample of what is heard, with a margin."""
    size, margin = round(_FRAME_S * rate), round(_KEPT_S * rate)
    frames = np.pad(np.asarray(samples, dtype=np.float64), (0, -len(samples) % size)).reshape(-1, size)
    levels: npt.NDArray[np.float64] = 10.0 * np.log10(np.mean(frames**2, axis=1) + _TINY)
    heard = np.flatnonzero(levels > levels.max() - SILENCE_BELOW_PEAK_DB)
    return max(0, int(heard[0]) * size - margin), min(len(samples), (int(heard[-1]) + 1) * size + margin)
