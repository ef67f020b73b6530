"""espeak-ng: formant speech, hundreds of times faster than real time. For drafts, tests and rehearsals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version

import numpy as np

from data_schemas.speakers import Gender, Voice
from data_schemas.tasks import Language
from data_schemas.utterance import Provenance, SpeechRequest, WordTiming
from generators.speech.engine import Control, EngineError, RawSpeech
from generators.speech.espeak.library import SAMPLE_RATE, SpokenWord, library_sha256, speak_once
from generators.speech.settings import SpeechSettings
from generators.speech.text.letters import NAME_OF_A, letter_names

#: espeak-ng's own default, which is also a usual pace of dialogue.
WORDS_PER_MINUTE = 175
_MODEL = "espeak-ng formant synthesis"
_LICENSE = "GPL-3.0-or-later"
#: Base voices by language; variants change vocal tract and pitch, so they count as people. All variants
#: here are without ``breath`` (f2, f3 and f5 have it), which is not repeatable, see ``espeak_library``.
_BASES: Mapping[Language, tuple[str, ...]] = {Language.ZH: ("cmn",), Language.EN: ("en-us", "en-gb")}
#: British English is the voice file "en"; the library does not take its language code as a name.
_LIBRARY_NAMES: Mapping[str, str] = {"en-gb": "en"}
_VARIANTS: Mapping[Gender, tuple[str, ...]] = {
    "female": ("f1", "f4", "Andrea", "Annie", "anika", "belinda", "linda", "steph"),
    "male": ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"),
}


class EspeakEngine:
    """Stateless: every utterance is spoken by a fresh copy of the library (see ``espeak_library``)."""

    name = "espeak"
    license = _LICENSE
    controls = frozenset({Control.SPEED})
    tags: frozenset[str] = frozenset()

    def __init__(self, settings: SpeechSettings | None = None) -> None:
        del settings  # it has none of its own

    @cached_property
    def version(self) -> str:
        return f"espeakng-loader {version('espeakng-loader')}"

    @cached_property
    def weights_sha256(self) -> str:
        """Of the shared library; it has no trained weights."""
        return library_sha256()

    def voices(self) -> tuple[Voice, ...]:
        return tuple(
            Voice(id=f"{base}+{variant}", engine=self.name, language=language, gender=gender, license=_LICENSE)
            for language, bases in _BASES.items()
            for base in bases
            for gender, variants in _VARIANTS.items()
            for variant in variants
        )

    def provenance(self, request: SpeechRequest) -> Provenance:
        return Provenance(
            engine=self.name,
            engine_version=self.version,
            model=_MODEL,
            weights_sha256=self.weights_sha256,
            license=_LICENSE,
            voice=request.voice,
            seed=request.seed,
        )

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        """22.05 kHz samples; English with word timings."""
        known = [voice.id for voice in self.voices() if voice.language is request.language]
        if request.voice not in known:
            raise EngineError(f"espeak has no {request.language} voice {request.voice!r}; it has {', '.join(known)}")
        text = letter_names(request.spoken_text)
        base, variant = request.voice.split("+")
        voice = f"{_LIBRARY_NAMES.get(base, base)}+{variant}"
        pcm, words = speak_once(text, voice, round(WORDS_PER_MINUTE * request.speed))
        samples = pcm.astype(np.float32) / np.float32(-np.iinfo(np.int16).min)
        timings = _timings(text, words, len(samples)) if request.language is Language.EN else ()
        return RawSpeech(samples=samples, sample_rate=SAMPLE_RATE, words=timings)


def _timings(text: str, words: tuple[SpokenWord, ...], total: int) -> tuple[WordTiming, ...]:
    """Every word lasts until the next one begins; espeak marks only beginnings."""
    starts = [word.sample for word in words] + [total]
    written = [text[word.position : word.position + word.length] for word in words]
    return tuple(
        WordTiming(text="A" if name == NAME_OF_A else name, start=start, stop=min(stop, total))
        for name, start, stop in zip(written, starts, starts[1:], strict=False)
        if 0 <= start < min(stop, total)
    )
