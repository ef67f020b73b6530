"""Kokoro-82M v1.0 (int8 ONNX): natural Mandarin and English on a CPU.

One onnxruntime thread per process: the bytes do not depend on load or core count, and worker
processes scale better than threads (DESIGN.md "Speech").
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_schemas.foundation.audio import Samples
from data_schemas.foundation.models import model_entry, verified_path
from data_schemas.speakers import Gender, Voice
from data_schemas.tasks import Language
from data_schemas.utterance import Provenance, SpeechRequest
from generators.speech.engine import Control, EngineError, RawSpeech
from generators.speech.kokoro.phonemes import PHONEMES_VERSION, Phonemise, english_phonemes, mandarin_phonemes
from generators.speech.settings import SpeechSettings
from generators.speech.voices.kokoro_mixes import pinned_mixes
from generators.speech.voices.registry import load_voices

if TYPE_CHECKING:
    from kokoro_onnx import Kokoro

MODEL = "kokoro-v1.0-int8"
MODEL_FILE = "kokoro-v1.0.int8.onnx"
VOICES = "kokoro-voices"
LICENSE = "Apache-2.0"
SAMPLE_RATE = 24_000

#: Voice names begin with the accent and the gender: zf_xiaoxiao is Mandarin, female.
_LANGUAGE_OF: Mapping[str, Language] = {"z": Language.ZH, "a": Language.EN, "b": Language.EN}
_GENDER_OF: Mapping[str, Gender] = {"f": "female", "m": "male"}
_ESPEAK_LANGUAGE_OF: Mapping[str, str] = {"z": "en-us", "a": "en-us", "b": "en-gb"}
#: Left out: af_nicole whispers; am_adam and am_santa have the lowest grades (F+, D-) of the model card.
#: zf_xiaoni speaks wrong tones: on five everyday sentences Whisper-base misread 56 % of its characters,
#: and 10 to 16 % of every other Mandarin voice's (measured 2026-11 on this model file).
_UNUSED_VOICES = frozenset({"af_nicole", "am_adam", "am_santa", "zf_xiaoni"})
#: The model takes 510 phonemes and rushes long before (model card, "Long texts"). Replies of 12 to 17 s
#: scored DNSMOS 3.32 (zh) and 3.42 (en) in pieces of up to 360, and 3.46 and 3.44 in pieces of up to 200.
_MAX_PHONEMES = 200
#: Silence between pieces, as people leave it at the end of a sentence and of a clause (CHOICE).
_SENTENCE_PAUSE_S = 0.4
_CLAUSE_PAUSE_S = 0.2
#: A piece ends where it falls this far below its peak, and this much is kept beyond, fading.
_TRIM_DB = 45.0
_MARGIN_SAMPLES = SAMPLE_RATE // 50
#: Part of every store key: raise it when this module changes what comes out of the model.
_ADAPTER_VERSION = "2"
_SPEED_RANGE = (0.5, 2.0)
_STYLE_SHAPE = (-1, 1, 256)


class KokoroEngine:
    """Loads the verified model on first use; not shared between threads, one per process."""

    name = "kokoro"
    license = LICENSE
    controls = frozenset({Control.SPEED})
    tags: frozenset[str] = frozenset()

    def __init__(self, settings: SpeechSettings | None = None, mixtures: Sequence[Voice] = ()) -> None:
        """``mixtures`` are voices mixed of the model's, besides those that the settings name.

        Raises:
            EngineError: a registry holds what Kokoro cannot mix.
        """
        settings = settings or SpeechSettings()
        mixed = pinned_mixes() if settings.kokoro_mixes else ()
        if settings.voices is not None:
            mixed += load_voices(Path(settings.voices), self.name)
        own = _base_voices()
        self._voices = (*own, *_checked((*mixed, *mixtures), own))

    @cached_property
    def version(self) -> str:
        """Runtime and phonemisers: with the weights they decide every sample."""
        packages = ("kokoro-onnx", "onnxruntime", "misaki", "pypinyin", "jieba", "phonemizer", "espeakng-loader")
        named = "; ".join(f"{package} {version(package)}" for package in packages)
        return f"{named}; phonemes {PHONEMES_VERSION}; adapter {_ADAPTER_VERSION}"

    @property
    def weights_sha256(self) -> str:
        """Of the ONNX file; a voice is 0.5 MB beside it, pinned in the model table."""
        return model_entry(MODEL).weights_sha256

    def voices(self) -> tuple[Voice, ...]:
        """The model's own, then the mixtures."""
        return self._voices

    def provenance(self, request: SpeechRequest) -> Provenance:
        return Provenance(
            engine=self.name,
            engine_version=self.version,
            model=model_entry(MODEL).title,
            weights_sha256=self.weights_sha256,
            license=LICENSE,
            voice=request.voice,
            seed=request.seed,
        )

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        """24 kHz samples; long texts are split at sentence and phrase ends with a pause between."""
        from kokoro_onnx.chunker import pause_after, split_phonemes

        low, high = _SPEED_RANGE
        if not low <= request.speed <= high:
            raise EngineError(f"kokoro speaks at speeds from {low} to {high}, not {request.speed}; set speech.speed")
        style = self._style(request)
        pieces = split_phonemes(self.phonemes(request), _MAX_PHONEMES)
        spoken: list[Samples] = []
        for number, piece in enumerate(pieces, start=1):
            samples, _ = self._model.create(
                piece, style, speed=request.speed, is_phonemes=True, trim=False, lang="en-us"
            )
            spoken.append(_trimmed(np.asarray(samples, dtype=np.float32)))
            if number < len(pieces):
                pause = pause_after(piece, _SENTENCE_PAUSE_S, _CLAUSE_PAUSE_S)
                spoken.append(np.zeros(int(pause * SAMPLE_RATE), dtype=np.float32))
        return RawSpeech(samples=np.concatenate(spoken), sample_rate=SAMPLE_RATE)

    def phonemes(self, request: SpeechRequest) -> str:
        """What the model is given for a request.

        Raises:
            EngineError: nothing in the text can be spoken.
        """
        accent = _ESPEAK_LANGUAGE_OF[_main_part(self._voice(request))[0]]

        def latin(text: str) -> str:
            return str(self._model.tokenizer.phonemize(text, accent))

        if request.language == Language.ZH:
            return mandarin_phonemes(request.spoken_text, self._pinyin, latin)
        return english_phonemes(request.spoken_text, latin)

    def _voice(self, request: SpeechRequest) -> Voice:
        known = {voice.id: voice for voice in self.voices()}
        voice = known.get(request.voice)
        if voice is None or voice.language is not request.language:
            fitting = ", ".join(sorted(v.id for v in known.values() if v.language is request.language))
            raise EngineError(f"kokoro has no {request.language} voice {request.voice!r}; it has {fitting}")
        return voice

    def _style(self, request: SpeechRequest) -> Samples:
        """The voice's style vectors ``[510, 1, 256]``, checked against the table; of a mixture the weighted mean."""
        voice = self._voice(request)
        if not voice.mix:
            return _base_style(voice.id)
        parts = sorted(voice.mix, key=lambda part: part.voice)  # float sums depend on their order
        total = np.sum([part.weight * _base_style(part.voice).astype(np.float64) for part in parts], axis=0)
        style: Samples = total.astype(np.float32)
        return style

    @cached_property
    def _model(self) -> Kokoro:
        import onnxruntime
        from kokoro_onnx import Kokoro

        path = verified_path(MODEL, MODEL_FILE)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        with tempfile.TemporaryDirectory() as folder:
            voices = Path(folder) / "none.npz"  # voices are passed as arrays; the class wants a file
            np.savez(voices, none=np.zeros(_STYLE_SHAPE[1:], dtype=np.float32))
            kokoro: Kokoro = Kokoro.from_session(session, str(voices))
        return kokoro

    @cached_property
    def _pinyin(self) -> Phonemise:
        import jieba
        from misaki.zh import ZHG2P

        jieba.setLogLevel(logging.WARNING)
        g2p = ZHG2P()  # version None is the alphabet of v1.0; "1.1" belongs to the later zh model
        return lambda text: str(g2p(text)[0])


def _base_voices() -> tuple[Voice, ...]:
    """The model's own voices that are worth hearing, by name."""
    names = sorted(Path(file.path).stem for file in model_entry(VOICES).files)
    return tuple(
        Voice(id=name, engine="kokoro", language=_LANGUAGE_OF[name[0]], gender=_GENDER_OF[name[1]], license=LICENSE)
        for name in names
        if name[0] in _LANGUAGE_OF and name not in _UNUSED_VOICES
    )


def _checked(mixtures: Sequence[Voice], base: Sequence[Voice]) -> tuple[Voice, ...]:
    """Mixtures of base voices of their own language, none named as another voice."""
    languages = {voice.id: voice.language for voice in base}
    taken = set(languages)
    for voice in mixtures:
        if voice.id in taken:
            raise EngineError(f"kokoro has a voice {voice.id} already; give the mixture another id")
        taken.add(voice.id)
        if not voice.mix:
            raise EngineError(f"kokoro cannot imitate voice {voice.id}; list under mix the voices it is mixed of")
        for part in voice.mix:
            if languages.get(part.voice) is not voice.language:
                fitting = ", ".join(name for name, language in languages.items() if language is voice.language)
                raise EngineError(
                    f"voice {voice.id}: mix: kokoro has no {voice.language} voice {part.voice!r}; it has {fitting}"
                )
    return tuple(mixtures)


def _main_part(voice: Voice) -> str:
    """The voice itself, or the first in the alphabet of those that a mixture has most of: its accent is spoken."""
    parts = sorted(voice.mix, key=lambda part: (-part.weight, part.voice))
    return parts[0].voice if parts else voice.id


def _base_style(name: str) -> Samples:
    """``[510, 1, 256]``, checked against the table."""
    style: Samples = np.fromfile(verified_path(VOICES, f"{name}.bin"), dtype=np.float32)
    return style.reshape(_STYLE_SHAPE)


def _trimmed(samples: Samples) -> Samples:
    """One piece without the model's silence around it, so that the pauses between pieces are ours."""
    from kokoro_onnx.trim import trim

    _, (start, stop) = trim(samples, top_db=_TRIM_DB)
    kept = samples[max(0, int(start) - _MARGIN_SAMPLES) : int(stop) + _MARGIN_SAMPLES].copy()
    ramp = np.linspace(0.0, 1.0, min(_MARGIN_SAMPLES, len(kept)), dtype=np.float32)
    kept[: len(ramp)] *= ramp
    kept[len(kept) - len(ramp) :] *= ramp[::-1]
    trimmed: Samples = kept
    return trimmed
