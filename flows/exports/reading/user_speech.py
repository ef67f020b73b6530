"""What the labels of a Track 2 item say of the user's channel alone: segments, pauses, words with times.

`timeline` reads a scene's row with both channels. Benchmarks send in the user only, and these labels are also in
``<id>_sentence.json``, so a release without manifests (the organisers' own) can be brought into their formats.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import Record, describe_validation_error
from data_schemas.layouts.base import FoundItem
from data_schemas.scene import EventKind
from flows.exports.base import ExportError, ReleaseSource
from flows.exports.reading.word_times import WordMarks, check_words, words_in
from flows.exports.writing.common import Span, Word


class _Lenient(Record):
    """Files of other people may hold more than ours."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Segment(_Lenient):
    """One annotated stretch of the user's channel, seconds."""

    xmin: float = Field(ge=0)
    xmax: float
    text: str = Field(min_length=1)
    #: when each word was spoken, where the engine knew
    words: WordMarks = None

    @model_validator(mode="after")
    def _words_inside(self) -> Self:
        check_words(self.words, self.span)
        return self

    @property
    def span(self) -> Span:
        return Span(self.xmin, self.xmax)


class _Event(_Lenient):
    kind: str
    start: float = Field(ge=0)
    stop: float


class UserSpeech(_Lenient):
    """The labels of one recording; ``events`` is None where nobody wrote any."""

    final_duration: float = Field(gt=0)
    speech_segments: tuple[Segment, ...]
    events: tuple[_Event, ...] | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for one in self.speech_segments:
            if not one.xmin < one.xmax <= self.final_duration:
                raise ValueError(f"a segment from {one.xmin} to {one.xmax} s is not inside 0..{self.final_duration} s")
        for one, other in itertools.pairwise(self.speech_segments):
            if other.xmin < one.xmax:
                raise ValueError(f"the segment at {other.xmin} s begins before the one at {one.xmin} s ends")
        return self

    def pauses_in(self, segment: Segment) -> tuple[Span, ...]:
        """Hesitations inside a segment, as far as the labels have them."""
        return tuple(
            Span(event.start, event.stop)
            for event in self.events or ()
            if event.kind == EventKind.PAUSE and segment.xmin < event.start < event.stop < segment.xmax
        )

    def words(self, segment: Segment) -> tuple[Word, ...]:
        """The words of a segment: the engine's times where the labels have them, else proportional ones."""
        return words_in(segment.text, segment.span, self.pauses_in(segment), segment.words)


def user_speech(source: ReleaseSource, item: FoundItem, segments: int = 1) -> UserSpeech:
    """The labels from the item's row, or from its ``_sentence.json`` where there is no row.

    Raises:
        ExportError: they are missing or broken, or there are fewer than ``segments`` segments.
    """
    labels: object
    if item.row:
        where, labels = f"{item.manifest}:{item.line}: {item.id}", item.row
    else:
        where, labels = item.files["sentence"], _sentence(source, item)
    try:
        speech = UserSpeech.model_validate(labels)
    except ValidationError as error:
        raise ExportError(f"{where}: {describe_validation_error(error)}; correct the labels") from error
    if len(speech.speech_segments) < segments:
        raise ExportError(
            f"{where}: {item.task} needs {segments} speech_segments and has {len(speech.speech_segments)}; "
            f"run humdial validate {source.root}"
        )
    return speech


def _sentence(source: ReleaseSource, item: FoundItem) -> object:
    path = source.path(item, "sentence")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path}: not JSON in UTF-8 ({error}); run humdial validate {source.root}") from error


def user_samples(source: ReleaseSource, item: FoundItem, speech: UserSpeech) -> Samples:
    """The user's channel ``[n]`` at 16 kHz, as long as its labels say.

    Raises:
        ExportError: no such audio, or another length than ``final_duration``.
    """
    samples = source.samples(item, "user")
    stated = round(speech.final_duration * SAMPLE_RATE_HZ)
    if abs(len(samples) - stated) > 1:
        raise ExportError(
            f"{item.id}: {item.files['user']} has {len(samples)} samples and final_duration says {stated}; "
            f"run humdial validate {source.root}"
        )
    return samples


def sample_at(seconds: float) -> int:
    """Seconds as an index of 16 kHz samples."""
    return round(seconds * SAMPLE_RATE_HZ)


def chunks(words: Sequence[Word]) -> list[dict[str, object]]:
    """Words as the evaluation scripts spell them (FORMATS.md B.5)."""
    return [{"text": word.text, "timestamp": [word.start, word.stop]} for word in words]
