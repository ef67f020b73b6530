"""From the bytes of an answer to samples. Pure."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data_schemas.foundation.audio import from_pcm16
from generators.remote.errors import ConfigProblem
from generators.remote.retry import BadAnswer
from generators.speech.engine import RawSpeech
from generators.speech.returned import MAX_RATE_HZ, MIN_RATE_HZ

Format = Literal["wav", "flac", "pcm"]

_MAGIC_BYTES = 4
_MAGIC: dict[bytes, str] = {b"RIFF": "wav", b"fLaC": "flac", b"OggS": "ogg", b"ID3": "mp3", b"\xff\xfb": "mp3"}
#: What a server writes as a length while it does not know it yet: 0, or (near) the largest number. 2 GiB less 16 MiB
#: is no length of an utterance (CHOICE).
_LEAST_PLACEHOLDER = 0x7F00_0000
_RIFF_HEADER_BYTES = 12
_CHUNK_HEADER_BYTES = 8
_CHUNK_SIZE_BYTES = 4
_RIFF_SIZE_AT = 4
_PCM_WIDTH_BYTES = 2
#: the header of the smallest WAV (a FLAC's is 42)
_LEAST_BYTES = 42
_BLOCK_FRAMES = 1 << 16
_SHOWN_CHARACTERS = 120
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/problem+json")
_RATE_PARAMETER = re.compile(r"\brate=(\d+)")


@dataclass(frozen=True)
class Answer:
    """A body that came with status 200."""

    content: bytes
    content_type: str = ""


def decode(answer: Answer, form: Format, sample_rate_hz: int | None) -> RawSpeech:
    """Float32 mono samples ``[n]`` and their rate; several channels are averaged.

    Raises:
        BadAnswer: empty, cut, or no audio at all: worth asking again.
        ConfigProblem: whole audio in another format or at another rate than the configuration says, so every
            answer will be.
    """
    content = answer.content
    if not content:
        raise BadAnswer("status 200 with an empty body")
    words = _text_of(answer, form)
    if words is not None:
        raise BadAnswer(f"status 200 with text instead of audio: {words}")
    if form != "pcm" and len(content) < _LEAST_BYTES:
        raise BadAnswer(f"the audio is cut: only {len(content)} bytes came")
    came = next((name for magic, name in _MAGIC.items() if content.startswith(magic)), "pcm")
    if form == "pcm" and came in ("mp3", "pcm"):  # two bytes of mp3's are as likely samples
        return _pcm(answer, sample_rate_hz)
    if came != form:
        raise ConfigProblem(
            f"speech.server: answers come as {came if came != 'pcm' else 'something without a known header'}, not as "
            f"{form}; set speech.server.response_format to what the server sends (wav, flac or pcm)"
        )
    if form == "wav":
        content = _with_checked_lengths(content)
    return _decoded(content, sample_rate_hz)


def _pcm(answer: Answer, sample_rate_hz: int | None) -> RawSpeech:
    if sample_rate_hz is None:
        raise ConfigProblem("speech.server: pcm answers have no header; state the model's rate in sample_rate_hz")
    stated = _RATE_PARAMETER.search(answer.content_type)
    if stated:
        _check_rate(int(stated[1]), sample_rate_hz)
    if len(answer.content) % _PCM_WIDTH_BYTES:
        raise BadAnswer(f"the audio is cut: {len(answer.content)} bytes are no whole number of 16-bit samples")
    return RawSpeech(samples=from_pcm16(np.frombuffer(answer.content, dtype="<i2")), sample_rate=sample_rate_hz)


def _decoded(content: bytes, sample_rate_hz: int | None) -> RawSpeech:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate, claimed = int(file.samplerate), int(file.frames)
            # in blocks: a stream's header may claim more frames than any memory holds
            blocks = list(_blocks(file))
    except soundfile.SoundFileError as error:
        raise BadAnswer(f"the audio cannot be decoded ({error})") from None
    samples = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
    if not len(samples):
        raise BadAnswer("the audio holds no samples")
    if len(samples) < claimed < _LEAST_PLACEHOLDER:
        raise BadAnswer(f"the audio is cut: {len(samples)} of {claimed} samples came")
    if sample_rate_hz is not None:
        _check_rate(rate, sample_rate_hz)
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise BadAnswer(f"the audio is sampled at {rate} Hz; speech has {MIN_RATE_HZ} to {MAX_RATE_HZ}")
    return RawSpeech(samples=samples, sample_rate=rate)


def _blocks(file: object) -> Iterator[np.ndarray]:
    while True:
        block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)  # type: ignore[attr-defined]
        if not len(block):
            return
        yield block.mean(axis=1, dtype=np.float32)


def _check_rate(came: int, configured: int) -> None:
    if came != configured:
        raise ConfigProblem(
            f"speech.server: answers are sampled at {came} Hz, not at {configured} Hz; correct sample_rate_hz, and see "
            "whether the server runs the model that the configuration names"
        )


def _with_checked_lengths(content: bytes) -> bytes:
    """What the RIFF and data chunks promise must have come; placeholders of streams promise nothing.

    Where the data's is 0, the real lengths are written in: libsndfile reads no sample of such a chunk. A file that
    knows its own length is empty then, whatever follows.
    """
    (whole,) = struct.unpack_from("<I", content.ljust(_RIFF_HEADER_BYTES, b"\0"), _RIFF_SIZE_AT)
    _check_length("file", whole, len(content) - _CHUNK_HEADER_BYTES)
    at = _RIFF_HEADER_BYTES
    while at + _CHUNK_HEADER_BYTES <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        at += _CHUNK_HEADER_BYTES
        if name == b"data":
            came = len(content) - at
            _check_length("data", size, came)
            is_placeholder = not size and came and whole != len(content) - _CHUNK_HEADER_BYTES
            return _with_lengths(content, at) if is_placeholder else content
        at += size + size % 2
    raise BadAnswer("the audio is cut: it ends before the first sample")


def _with_lengths(content: bytes, data_at: int) -> bytes:
    mended = bytearray(content)
    struct.pack_into("<I", mended, _RIFF_SIZE_AT, len(content) - _CHUNK_HEADER_BYTES)
    struct.pack_into("<I", mended, data_at - _CHUNK_SIZE_BYTES, len(content) - data_at)
    return bytes(mended)


def _check_length(what: str, promised: int, came: int) -> None:
    if promised < _LEAST_PLACEHOLDER and promised > max(came, 0):
        raise BadAnswer(f"the audio is cut: its header promises {promised} bytes of {what}, {max(came, 0)} came")


def _text_of(answer: Answer, form: Format) -> str | None:
    """The first words of a body that is text, by its type or by its bytes; None for anything else."""
    typed = answer.content_type.lower().startswith(_TEXT_TYPES)
    if not typed and len(answer.content) <= _MAGIC_BYTES:
        return None
    try:
        text = answer.content.decode("utf-8")
    except UnicodeDecodeError:
        return "in no known encoding" if typed else None
    begins = form != "pcm" or text.lstrip()[:1] in ("<", "{", "[")  # a few samples may happen to be letters
    if not typed and not (begins and _is_printable(text)):
        return None
    return " ".join(_message(text).split())[:_SHOWN_CHARACTERS]


def _is_printable(text: str) -> bool:
    return all(letter.isprintable() or letter.isspace() for letter in text)


def _message(text: str) -> str:
    """What an error object says, else the text without markup."""
    try:
        body = json.loads(text)
    except ValueError:
        return re.sub(r"<[^>]*>", " ", text)
    error = body.get("error", body.get("detail", body)) if isinstance(body, dict) else body
    return str(error.get("message", error) if isinstance(error, dict) else error)
