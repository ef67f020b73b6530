"""The page of an audition: one self-contained file, samples inside, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.speakers import MixPart
from data_schemas.tasks import Language, Role, Split

_TEMPLATE = "page.html"
_UNKNOWN = "–"


class PageVoice(NamedTuple):
    """What a row of the page shows; `flows.voices.audition.HeardVoice` has the meanings."""

    voice: str
    language: Language
    gender: str
    age: str | None
    license: str
    origin: str
    mix: Sequence[MixPart]
    cast_as: Sequence[tuple[Split, Role]]
    pitch_hz: float | None
    pitch_range_st: float | None
    units_per_s: float | None
    dnsmos: float | None
    error_rate: float | None
    nearest: str | None
    nearest_similarity: float | None
    problem: str | None


class _Column(NamedTuple):
    """A heading, what it means, and what a cell shows and is sorted by."""

    heading: str
    meaning: str
    shown: Callable[[PageVoice], str]
    sorted_by: Callable[[PageVoice], float | str | None]


def voices_page(
    title: str,
    voices: Sequence[PageVoice],
    samples: Mapping[tuple[Language, str], Sequence[tuple[str, Samples]]],
    notes: Iterable[str],
    max_similarity: float,
) -> str:
    """HTML of the page.

    Args:
        samples: of each (language, voice) the sentences with their samples ``[n]`` at 16 kHz.
        notes: sentences above the table.
        max_similarity: pairs of voices more alike than this are marked; the judge's limit for two people of an item.
    """
    columns = _columns(max_similarity)
    head = "".join(f'<th title="{escape(one.meaning)}"><button>{escape(one.heading)}</button></th>' for one in columns)
    body = "\n".join(_row(voice, samples.get((voice.language, voice.voice), ()), columns) for voice in voices)
    legend = "".join(f"<dt>{escape(one.heading)}</dt><dd>{escape(one.meaning)}</dd>" for one in columns)
    parts = {
        "{{title}}": escape(title),
        "{{count}}": str(len(voices)),
        "{{notes}}": "".join(f"<li>{escape(note)}</li>" for note in notes),
        "{{head}}": head + "<th>listen</th>",
        "{{body}}": body,
        "{{legend}}": legend,
    }
    rest = files("flows.voices").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    filled: list[str] = []
    for mark, text in parts.items():  # in the order of the template; what is filled in is not searched again
        before, _, rest = rest.partition(mark)
        filled += [before, text]
    return "".join([*filled, rest])


def _columns(max_similarity: float) -> tuple[_Column, ...]:
    return (
        _Column("voice", "name in the configuration; below it what it is mixed of or where it comes from", _name, _id),
        _Column("language", "what it speaks", lambda one: escape(one.language), lambda one: one.language),
        _Column("gender", "as declared", lambda one: escape(one.gender), lambda one: one.gender),
        _Column("age", "as declared; – is not known", lambda one: escape(one.age or _UNKNOWN), lambda one: one.age),
        _Column("cast as", "split and roles in a build of this configuration", _cast, _cast),
        _Column("licence", "SPDX identifier", lambda one: escape(one.license), lambda one: one.license),
        _number("pitch, Hz", "median F0 (WORLD)", "{:.0f}", lambda one: one.pitch_hz),
        _number("range, st", "10th to 90th percentile of F0, semitones", "{:.1f}", lambda one: one.pitch_range_st),
        _number("rate, /s", "syllables (zh) or words (en) a second of sound", "{:.1f}", lambda one: one.units_per_s),
        _number("DNSMOS", "P.835 overall, 1 to 5", "{:.2f}", lambda one: one.dnsmos),
        _number("errors", "Whisper base: characters (zh) or words (en) misread", "{:.1%}", lambda one: one.error_rate),
        _Column(
            "nearest voice",
            "the voice of the language most like it and the cosine of their GE2E vectors; marked above "
            f"{max_similarity:g}, where the judges take two people for one",
            lambda one: _nearest(one, max_similarity),
            lambda one: one.nearest_similarity,
        ),
    )


def _number(heading: str, meaning: str, form: str, value: Callable[[PageVoice], float | None]) -> _Column:
    def shown(one: PageVoice) -> str:
        number = value(one)
        return _UNKNOWN if number is None else form.format(number)

    return _Column(heading, meaning, shown, value)


def _id(voice: PageVoice) -> str:
    return voice.voice


def _name(voice: PageVoice) -> str:
    made_of = " + ".join(f"{part.weight:.0%} {part.voice}" for part in voice.mix)
    told = "".join(f"<small>{escape(text)}</small>" for text in (made_of, voice.origin) if text)
    problem = "" if voice.problem is None else f'<small class="bad">{escape(voice.problem)}</small>'
    return f"<b>{escape(voice.voice)}</b>{told}{problem}"


def _cast(voice: PageVoice) -> str:
    return ", ".join(f"{split} {role.value.replace('_', ' ')}" for split, role in voice.cast_as) or "not cast"


def _nearest(voice: PageVoice, limit: float) -> str:
    if voice.nearest is None or voice.nearest_similarity is None:
        return _UNKNOWN
    mark = ' class="bad"' if voice.nearest_similarity > limit else ""
    return f"<span{mark}>{voice.nearest_similarity:.2f}</span> {escape(voice.nearest)}"


def _row(voice: PageVoice, samples: Sequence[tuple[str, Samples]], columns: Sequence[_Column]) -> str:
    cells = []
    for column in columns:
        key = column.sorted_by(voice)
        cells.append(f'<td data-key="{"" if key is None else escape(str(key))}">{column.shown(voice)}</td>')
    players = "".join(
        f'<audio controls preload="none" title="{escape(text)}" src="{_data_uri(sound)}"></audio>'
        for text, sound in samples
    )
    return f"<tr>{''.join(cells)}<td>{players or _UNKNOWN}</td></tr>"


def _data_uri(samples: Samples) -> str:
    """FLAC, lossless and half as long as WAV; every current browser plays it."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return f"data:audio/flac;base64,{base64.b64encode(buffer.getvalue()).decode()}"
