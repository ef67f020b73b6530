"""``libespeak-ng`` through ``ctypes``, without memory from one utterance to the next.

The library keeps oscillator phases, flutter counters and noise state in static variables, and
``espeak_Terminate`` does not reset them: the same sentence sounds different the second time. So each
utterance loads a private copy of the library file (its own image in memory, 0.7 MB), speaks, and
unloads it: about 7 ms. That also makes it independent of other users of espeak-ng in the process,
and safe in threads. Voice variants with ``breath`` read memory that was never set, so even that does
not make them repeatable: the engine offers none of them.

Known limit: 1.52 does not free its second translator, so Mandarin with Latin words in it loses about
180 KB per utterance; all other text leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from generators.speech.engine import EngineError

SAMPLE_RATE = 22_050

# Constants and structures of espeak-ng's speak_lib.h (1.52).
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_END_PAUSE = 0x1000
_POSITION_CHARACTER = 1
_RATE = 1
_OK = 0
_EVENT_END_OF_LIST = 0
_EVENT_WORD = 1
_CONTINUE = 0


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class SpokenWord:
    """``position`` (from 0) and ``length`` in characters of the text, ``sample`` where it begins."""

    position: int
    length: int
    sample: int


def speak_once(text: str, voice: str, words_per_minute: int) -> tuple[npt.NDArray[np.int16], tuple[SpokenWord, ...]]:
    """Mono PCM at 22.05 kHz of ``text``, with the beginnings of its words.

    Raises:
        EngineError: the library cannot be loaded, or refuses the voice or the text.
    """
    library = _load_private_copy()
    try:
        return _speak(library, text, voice, words_per_minute)
    finally:
        library.espeak_Terminate()
        _unload(library)


@lru_cache(maxsize=1)
def library_sha256() -> str:
    """Hash of the installed library file."""
    return hashlib.sha256(_library_path().read_bytes()).hexdigest()


def _library_path() -> Path:
    import espeakng_loader

    return Path(espeakng_loader.get_library_path())


def _load_private_copy() -> ctypes.CDLL:
    """The copy's file is gone as soon as it is mapped: a file of its own gives it static state of its own."""
    with tempfile.TemporaryDirectory(prefix="humdial-espeak-") as folder:
        copy = shutil.copy(_library_path(), Path(folder) / _library_path().name)
        try:
            return ctypes.CDLL(str(copy))
        except OSError as error:
            raise EngineError(f"espeak-ng cannot be loaded ({error}); reinstall the package espeakng-loader") from error


def _unload(library: ctypes.CDLL) -> None:
    from _ctypes import dlclose

    dlclose(library._handle)


def _speak(
    library: ctypes.CDLL, text: str, voice: str, words_per_minute: int
) -> tuple[npt.NDArray[np.int16], tuple[SpokenWord, ...]]:
    import espeakng_loader

    chunks: list[bytes] = []
    words: list[SpokenWord] = []

    def receive(wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            chunks.append(ctypes.string_at(wave, count * ctypes.sizeof(ctypes.c_short)))
        index = 0
        while events[index].type != _EVENT_END_OF_LIST:
            event = events[index]
            if event.type == _EVENT_WORD:
                words.append(SpokenWord(event.text_position - 1, event.length, event.sample))
            index += 1
        return _CONTINUE

    callback = _Callback(receive)
    data = str(espeakng_loader.get_data_path()).encode()
    rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _INITIALIZE_DONT_EXIT)
    if rate != SAMPLE_RATE:
        raise EngineError(f"espeak-ng did not start (answer {rate}); reinstall the package espeakng-loader")
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != _OK:
        raise EngineError(f"espeak-ng has no voice {voice!r}; reinstall the package espeakng-loader")
    library.espeak_SetParameter(_RATE, words_per_minute, 0)
    encoded = text.encode()
    status = library.espeak_Synth(
        encoded, ctypes.c_size_t(len(encoded) + 1), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8 | _END_PAUSE, None, None
    )
    if status != _OK:
        raise EngineError(f"espeak-ng could not speak {text!r} (status {status}); change the text")
    library.espeak_Synchronize()
    return np.frombuffer(b"".join(chunks), dtype=np.int16), tuple(words)
