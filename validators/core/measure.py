"""Measurements the judges share: frame levels, silences, runs, text length. Samples are float32 ``[n]``."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import Samples
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language

FRAME_S = 0.02  # energy frame: short enough for a stop consonant, long enough for a low voice's period
_FLOOR = 1e-10  # mean square of -100 dBFS: below one 16-bit step, keeps the logarithm finite
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_NUMBER = re.compile(r"\d+")
_SIGN = re.compile(r"[%$€£¥￥℃°+=&@#]")
_UNITS_OF_DIGIT = 2  # 365 is 三百六十五, or three hundred and sixty five
_UNITS_OF_SIGN = 3  # % is 百分之, ℃ is 摄氏度
_SYLLABLES_OF_LATIN_WORD = 3

Levels = npt.NDArray[np.float64]
Span = tuple[float, float]


def frame_levels(samples: Samples, rate: int, frame_s: float = FRAME_S) -> Levels:
    """RMS level of each whole frame in dBFS, shape ``[len(samples) // frame]``; -100 for digital silence."""
    size = max(1, round(frame_s * rate))
    count = len(samples) // size
    frames = samples[: count * size].reshape(count, size)
    sounding = np.flatnonzero((frames != 0.0).any(axis=1))
    power: Levels = np.zeros(count)
    power[sounding] = np.mean(np.asarray(frames[sounding], dtype=np.float64) ** 2, axis=1)
    levels: Levels = 10.0 * np.log10(np.maximum(power, _FLOOR))
    return levels


def runs(mask: npt.NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Half-open index runs in which the mask is true, ascending.

    >>> import numpy
    >>> runs(numpy.array([False, True, True, False, True]))
    ((1, 3), (4, 5))
    """
    padded = np.zeros(len(mask) + 2, dtype=np.bool_)
    padded[1:-1] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1]).tolist()
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def silences(levels: Levels, silence_dbfs: float, frame_s: float = FRAME_S) -> tuple[Span, ...]:
    """Spans in seconds in which every frame lies below ``silence_dbfs``."""
    return tuple((start * frame_s, stop * frame_s) for start, stop in runs(levels < silence_dbfs))


def count_han(text: str) -> int:
    """Number of Han characters."""
    return len(_HAN.findall(text))


def is_in_language(text: str, language: Language) -> bool:
    """FORMATS.md A.5: Chinese text has Han characters, English text has none.

    >>> is_in_language("我很好", Language.ZH), is_in_language("fine 好", Language.EN)
    (True, False)
    """
    return (count_han(text) > 0) == (language is Language.ZH)


def spoken_units(text: str, language: Language) -> tuple[int, int]:
    """Fewest and most units (Han characters or English words) the text can take when read aloud.

    Numbers, signs and words in capitals make the range: ``10`` is one word or up to four, ``ATM`` one
    word or three letters, ``%`` nothing or three characters. A Latin word inside Chinese counts as one to
    three characters.

    >>> spoken_units("我在ATM取了10块", Language.ZH)
    (7, 12)
    >>> spoken_units("It costs 25 dollars", Language.EN)
    (4, 7)
    """
    clean = strip_tags(text)
    words = _WORD.findall(clean)
    letters = [len(word) if word.isupper() else 1 for word in words]
    groups = _NUMBER.findall(clean)
    most_for_numbers = _UNITS_OF_DIGIT * sum(len(group) for group in groups)
    most_for_signs = _UNITS_OF_SIGN * len(_SIGN.findall(clean))
    fewest = len(words) + len(groups)
    if language is Language.EN:
        return fewest, sum(letters) + most_for_numbers + most_for_signs
    han = count_han(clean)
    latin = sum(max(count, _SYLLABLES_OF_LATIN_WORD) for count in letters)
    return han + fewest, han + latin + most_for_numbers + most_for_signs


def clip_span(start: float, stop: float, rate: int, length: int) -> tuple[int, int]:
    """Seconds to sample indices inside ``[0, length]``."""
    return max(0, min(round(start * rate), length)), max(0, min(round(stop * rate), length))
