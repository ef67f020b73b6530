"""What an engine gave back, looked at before anything is made of it."""

from __future__ import annotations

import re

import numpy as np

from data_schemas.foundation.audio import Samples
from data_schemas.tags import strip_tags, tags_in
from data_schemas.tasks import Language
from generators.speech.engine import EngineError

#: No speech model speaks at less; the upper end is that of studio recordings.
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
#: Below this peak nothing can be heard at any usual loudness: 16-bit speech has its noise at -60 to -90 dBFS (CHOICE).
SILENT_PEAK = 10 ** (-60 / 20)
#: As much as unscaled 32-bit integers; more is no sound, and its power overflows (CHOICE).
LOUDEST_PEAK = 2.0**31
#: CosyVoice makes 2 to 20 speech tokens of 1/25 s for a token of text (COSYVOICE.md "Length"), so at most 0.8 s.
CAP_SECONDS_PER_TOKEN = 20 / 25
#: Longer than this share of the cap: the model did not find the end of the text (CHOICE).
CAP_SHARE = 0.95
#: Seconds that a Han character and a word last. Usual are 0.17 and 0.29 (`data_schemas.speech_rate`). CHOICE: 2.5 times
#: as fast as usual is garbled or skips words; 3.5 times as slow, beyond a pause of 1.5 s, repeats them or babbles.
SHORTEST_S = {"character": 0.07, "word": 0.12}
LONGEST_S = {"character": 0.6, "word": 1.0}
PAUSE_S = 1.5
#: A vocal sound may add as much (CHOICE: a long sigh).
TAG_S = 2.0


class Misspoken(EngineError):
    """What came back is not the text spoken; the same request with another seed may be."""


_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003134f]")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+")
_MARKUP = re.compile(r"</?[a-z]+>")


def check_returned(
    samples: Samples,
    sample_rate: int,
    text: str,
    language: Language,
    subject: str,
    *,
    speed: float = 1.0,
    expected_rate: int | None = None,
    text_tokens: int | None = None,
) -> None:
    """Refuse samples that cannot be ``text`` spoken; float mono ``[n]``, ``sample_rate`` in Hz.

    ``subject`` begins the sentence of the error (engine, voice). ``speed`` is the speaking rate that was asked for,
    ``expected_rate`` the sampling rate the model is known to have, ``text_tokens`` how many tokens it made of the text.

    Raises:
        Misspoken: no samples, not mono, not numbers or absurdly large ones, silent, too short or long for the text, or
            so long that the generation ran into its cap.
        EngineError: another rate: no seed mends that.
    """
    _check_rate(sample_rate, expected_rate, subject)
    if samples.ndim != 1 or not len(samples):
        raise Misspoken(f"{subject}: samples of shape {list(samples.shape)} came out instead of mono, for {text!r}")
    if not np.isfinite(samples).all():
        raise Misspoken(f"{subject}: samples that are not numbers came out for {text!r}; try another seed")
    peak = float(np.abs(samples).max())
    if peak > LOUDEST_PEAK:
        raise Misspoken(f"{subject}: samples of {peak:.0e} times full scale came out for {text!r}; try another seed")
    if peak < SILENT_PEAK:
        raise Misspoken(f"{subject}: only silence came out for {text!r}; try another seed")
    seconds = len(samples) / sample_rate * speed
    shortest, longest = expected_seconds(text, language)
    if not shortest <= seconds <= longest:
        wrong = "words are missing" if seconds < shortest else "words are repeated or babbled"
        raise Misspoken(
            f"{subject}: {seconds:.2f} s came out for {text!r}, which lasts {shortest:.2f} to {longest:.2f} s: "
            f"{wrong}; try another seed"
        )
    if text_tokens is not None and seconds > CAP_SHARE * CAP_SECONDS_PER_TOKEN * text_tokens:
        raise Misspoken(
            f"{subject}: {seconds:.2f} s came out for {text!r}, as much as the model makes of {text_tokens} tokens at "
            "most: it did not find the end; try another seed"
        )


def expected_seconds(text: str, language: Language) -> tuple[float, float]:
    """Shortest and longest time that a text takes at normal speed.

    >>> [round(seconds, 2) for seconds in expected_seconds("我没带伞。", Language.ZH)]
    [0.28, 3.9]
    """
    plain = _MARKUP.sub(" ", strip_tags(text))
    characters = len(_HAN.findall(plain)) if language is Language.ZH else 0
    words = len(_WORD.findall(_HAN.sub(" ", plain) if language is Language.ZH else plain))
    tags = len(tags_in(text))
    shortest = characters * SHORTEST_S["character"] + words * SHORTEST_S["word"]
    longest = PAUSE_S + characters * LONGEST_S["character"] + words * LONGEST_S["word"] + tags * TAG_S
    return shortest, longest


def _check_rate(sample_rate: int, expected: int | None, subject: str) -> None:
    if expected is not None and sample_rate != expected:
        raise EngineError(f"{subject}: samples at {sample_rate} Hz came out, expected are {expected} Hz")
    if not MIN_RATE_HZ <= sample_rate <= MAX_RATE_HZ:
        raise EngineError(f"{subject}: samples at {sample_rate} Hz came out; speech has {MIN_RATE_HZ} to {MAX_RATE_HZ}")
