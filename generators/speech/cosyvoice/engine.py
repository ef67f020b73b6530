"""CosyVoice 2 and 3 in a process of their own: emotion by reference clip or by instruction, voices by cloning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import Samples
from data_schemas.foundation.randomness import named_seed
from data_schemas.speakers import ReferenceClip, Voice
from data_schemas.tasks import Language
from data_schemas.utterance import Provenance, SpeechRequest
from generators.speech.cosyvoice.model_files import check_files, generation_of, weights_sha256
from generators.speech.cosyvoice.process import CosyVoiceProcess, runtime_versions
from generators.speech.cosyvoice.settings import CosyVoiceSettings
from generators.speech.engine import Control, EngineError, RawSpeech
from generators.speech.expression.instructions import Generation, instruction, instructions_digest
from generators.speech.returned import check_returned
from generators.speech.settings import MAX_SPEED, MIN_SPEED, SpeechSettings
from generators.speech.text.chunks import chunks
from generators.speech.voices.clips import clip_language, clips_by_emotion
from generators.speech.voices.registry import clip_path, load_voices, voice_digest

#: Of CosyVoice 2 and 3 (COSYVOICE.md "Ways to run it").
SAMPLE_RATE = 24_000
#: Of `data_schemas.tags.VOCAL_TAGS`, those that are a token of both generations. ``[clears throat]`` is none, and
#: ``[cough]`` is another sound: it is left to the project's own sounds.
TAGS = frozenset({"[laughter]", "[sigh]"})
#: Part of every store key: raise it when this package, ``chunks`` or ``returned`` changes what comes out.
_ADAPTER_VERSION = "2"
_TITLES: dict[Generation, str] = {"v2": "CosyVoice 2", "v3": "CosyVoice 3"}

SpokenMode = Literal["instruct", "zero_shot", "cross_lingual"]


@dataclass(frozen=True)
class Manner:
    """How a request is put to the model."""

    mode: SpokenMode
    clip: ReferenceClip


class CosyVoiceEngine:
    """Starts its worker process on first use; not shared between threads, one per process."""

    name = "cosyvoice"
    controls = frozenset({Control.EMOTION, Control.SEED, Control.SPEED})
    tags = TAGS

    def __init__(self, settings: SpeechSettings | None = None) -> None:
        """
        Raises:
            EngineError: the settings have no ``cosyvoice`` section or no voices.
        """
        if settings is None or settings.cosyvoice is None:
            raise EngineError("engine cosyvoice needs speech.cosyvoice with model_dir; configs/cosyvoice.yaml shows it")
        if settings.voices is None:
            raise EngineError("engine cosyvoice clones its voices: set speech.voices to a registry, see docs/voices.md")
        self._settings: CosyVoiceSettings = settings.cosyvoice
        self._registry = Path(settings.voices)
        self.worker = CosyVoiceProcess(self._settings, self.tags)

    @property
    def license(self) -> str:
        return self._settings.license

    @cached_property
    def version(self) -> str:
        """Runtime, adapter, wordings and those settings that change samples."""
        versions = runtime_versions(self._settings)
        if versions["cosyvoice"] == "absent":
            raise EngineError(
                f"no CosyVoice is installed for {self._settings.python or 'this interpreter'}; "
                "configs/cosyvoice.yaml says what to install where"
            )
        named = "; ".join(f"{name} {version}".removeprefix("cosyvoice ") for name, version in versions.items())
        chosen = self._settings.model_dump(include={"mode", "threads", "fp16", "load_trt", "load_vllm"})
        settings = ", ".join(f"{name} {value}" for name, value in chosen.items())
        return f"{named}; {settings}; instructions {instructions_digest()}; adapter {_ADAPTER_VERSION}"

    @property
    def weights_sha256(self) -> str:
        """Over the files of the model directory; each is read once in a process."""
        return weights_sha256(self._model_dir)

    def voices(self) -> tuple[Voice, ...]:
        return self._voices

    def check_installed(self) -> None:
        """The weights are whole, and the interpreter has a CosyVoice; takes a second."""
        check_files(self._model_dir)
        _ = self.version

    def check_voice(self, voice: Voice, emotions: Iterable[Emotion]) -> None:
        for emotion in emotions:
            try:
                choose_manner(voice, emotion, voice.language, self._settings)
            except EngineError as error:
                raise EngineError(f"{self._registry}: {error}") from None

    def provenance(self, request: SpeechRequest) -> Provenance:
        return Provenance(
            engine=self.name,
            engine_version=self.version,
            model=f"{_TITLES[self._generation]} ({self._model_dir.resolve().name})",
            weights_sha256=self.weights_sha256,
            license=self.license,
            voice=request.voice,
            seed=request.seed,
        )

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        """24 kHz samples; a long text is spoken in pieces, each with a seed of its own."""
        subject = f"cosyvoice, voice {request.voice}"
        if not MIN_SPEED <= request.speed <= MAX_SPEED:
            raise EngineError(f"{subject}: speaks at speeds from {MIN_SPEED} to {MAX_SPEED}, not {request.speed}")
        manner = choose_manner(self._voice(request), request.emotion, request.language, self._settings)
        clip = self._checked(manner.clip, subject)
        spoken = [
            self._speak(piece, _piece_seed(request.seed, number), request, manner, clip, subject)
            for number, piece in enumerate(chunks(request.spoken_text, request.language))
        ]
        return RawSpeech(samples=np.concatenate(spoken), sample_rate=SAMPLE_RATE)

    def close(self) -> None:
        """End the worker process; the next request starts another."""
        self.worker.close()

    def _speak(self, text: str, seed: int, request: SpeechRequest, manner: Manner, clip: Path, subject: str) -> Samples:
        question = {
            "do": "speak",
            "text": text,
            "mode": manner.mode,
            "clip": str(clip),
            "transcript": manner.clip.text,
            "seed": seed,
            "speed": request.speed,
        }
        if manner.mode == "instruct":
            question["instruction"] = instruction(
                request.emotion, request.intensity, request.language, self._generation
            )
        facts, payload = self.worker.ask(question, f"{subject}, seed {seed}, text {text!r}")
        samples: Samples = np.frombuffer(payload, dtype="<f4").astype(np.float32)
        check_returned(
            samples,
            facts["sample_rate"],
            text,
            request.language,
            subject,
            speed=request.speed,
            expected_rate=SAMPLE_RATE,
            text_tokens=facts["text_tokens"],
        )
        return samples

    @property
    def _model_dir(self) -> Path:
        return Path(self._settings.model_dir)

    @cached_property
    def _generation(self) -> Generation:
        return generation_of(self._model_dir)

    @cached_property
    def _voices(self) -> tuple[Voice, ...]:
        voices = load_voices(self._registry, self.name)
        without = [voice.id for voice in voices if not voice.clips]
        if without:
            raise EngineError(
                f"{self._registry}: voice {', '.join(without)} has no clip and CosyVoice clones from one; record a "
                "sentence of 5 to 13 s"
            )
        return voices

    def _voice(self, request: SpeechRequest) -> Voice:
        found = {voice.id: voice for voice in self._voices}.get(request.voice)
        if found is None:
            known = ", ".join(voice.id for voice in self._voices)
            raise EngineError(f"{self._registry}: has no voice {request.voice!r} for cosyvoice; it has {known}")
        if request.voice_sha256 not in (None, voice_digest(found)):
            raise EngineError(
                f"{self._registry}: the clips of voice {found.id} are others than those this utterance was planned "
                "with; put them back or plan again"
            )
        return found

    def _checked(self, clip: ReferenceClip, subject: str) -> Path:
        """The clip's path, its bytes compared with the registry's hash before every use."""
        path = clip_path(self._registry, clip)
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise EngineError(f"{subject}: clip {path} cannot be read ({error.strerror}); put it back") from error
        if found != clip.sha256:
            raise EngineError(f"{subject}: clip {path} has changed since the build began; start the build again")
        return path


def choose_manner(voice: Voice, emotion: Emotion, language: Language, settings: CosyVoiceSettings) -> Manner:
    """Mode and clip for a text in ``language``.

    ``auto``: where the voice has a clip of the emotion, the model goes on from it (zero_shot; cross_lingual where the
    clip's words are in another language), as the maintainers recommend. Else it is told the emotion, with the neutral
    clip for the voice. The other modes are forced; those without instruction need a clip of the emotion.

    Raises:
        EngineError: mode zero_shot or cross_lingual, and the voice has no clip of the emotion.
    """
    clips = clips_by_emotion(voice)
    fitting = clips.get(emotion)
    if settings.mode == "instruct" or (settings.mode == "auto" and fitting is None):
        return Manner("instruct", clips.get(Emotion.NEUTRAL) or next(iter(clips.values())))
    if fitting is None:
        raise EngineError(
            f"voice {voice.id} has no clip with emotion {emotion}, and mode {settings.mode} needs one; record it, or "
            "set speech.cosyvoice.mode to auto"
        )
    if settings.mode == "auto":
        return Manner("zero_shot" if clip_language(fitting) is language else "cross_lingual", fitting)
    return Manner(settings.mode, fitting)


def _piece_seed(seed: int, number: int) -> int:
    """The request's seed for the first piece, others derived from it."""
    return seed if number == 0 else named_seed(seed, f"piece {number}", "cosyvoice")
