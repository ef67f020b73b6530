"""What both engines on servers are: voices of a registry, a manner of speaking per request, texts sent in pieces."""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import dump_json
from data_schemas.foundation.randomness import named_seed
from data_schemas.speakers import ReferenceClip, Voice
from data_schemas.utterance import Provenance, SpeechRequest
from generators.remote.endpoint import Exhausted, Refused
from generators.remote.errors import BudgetSpent, ConfigProblem, EndpointError
from generators.speech.engine import Control, EngineError, RawSpeech
from generators.speech.expression.instructions import Generation, instruction, instructions_digest
from generators.speech.returned import check_returned
from generators.speech.servers.audio import Answer, Format, decode
from generators.speech.servers.client import Question, SpeechClient
from generators.speech.servers.settings import SpeechServerSettings
from generators.speech.settings import SpeechSettings
from generators.speech.text.chunks import chunks
from generators.speech.voices.clips import clips_by_emotion
from generators.speech.voices.registry import clip_path, load_voices, voice_digest
from generators.store import key_of

#: Part of every store key: raise it when this room changes what a server is asked for.
_ADAPTER_VERSION = "1"
#: Settings that say where and how fast, not what comes back.
_NOT_HEARD = frozenset({"endpoint", "budget", "price_per_million_characters", "license", "tags", "weights", "model"})
_DIGEST_DIGITS = 16


@dataclass(frozen=True)
class Manner:
    """How to speak: like ``clip`` (None: a voice of the server's own), told ``words`` about the emotion."""

    voice: Voice
    clip: ReferenceClip | None
    words: str | None


class ServerEngine(ABC):
    """A `SpeechEngine` and `RemoteEngine`. Making one reads no file, no key, and contacts nobody."""

    name = ""
    _chunk_characters: int | None = None

    def __init__(self, settings: SpeechSettings | None = None) -> None:
        """Raises EngineError where the configuration lacks what the engine needs."""
        settings = settings or SpeechSettings(engine=self.name)
        if settings.server is None:
            raise EngineError(
                f"engine {self.name} needs to know its server; write speech.server (docs/speech-servers.md)"
            )
        if settings.voices is None:
            raise EngineError(
                f"engine {self.name} needs a registry of the server's voices; name it in speech.voices (docs/voices.md)"
            )
        self._server: SpeechServerSettings = settings.server
        self._registry = Path(settings.voices)
        self._client: SpeechClient | None = None

    # -- what it declares -------------------------------------------------------------------------

    @property
    def license(self) -> str:
        return self._server.license

    @property
    def weights_sha256(self) -> str:
        """As the configuration states them: only the server has the file."""
        return self._server.weights

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(self._server.tags)

    @property
    def controls(self) -> frozenset[Control]:
        return frozenset() if self._server.emotion == "none" else frozenset({Control.EMOTION})

    @cached_property
    def version(self) -> str:
        """The adapter, and a digest of the settings that decide what is asked for."""
        heard = self._server.model_dump(mode="json", exclude=set(_NOT_HEARD))
        digest = hashlib.sha256(dump_json(dict(sorted(heard.items()))).encode()).hexdigest()
        wording = f"; instructions {instructions_digest()}" if self._server.emotion in ("instructions", "auto") else ""
        return f"{self._server.model}; settings {digest[:_DIGEST_DIGITS]}{wording}; adapter {_ADAPTER_VERSION}"

    def voices(self) -> tuple[Voice, ...]:
        return tuple(self._known.values())

    @cached_property
    def _known(self) -> dict[str, Voice]:
        known = {voice.id: voice for voice in load_voices(self._registry, self.name)}
        mixed = next((voice.id for voice in known.values() if voice.mix), None)
        if mixed is not None:
            raise EngineError(f"{self._registry}: voice {mixed}: engine {self.name} cannot mix voices; remove mix")
        return known

    def check_voice(self, voice: Voice, emotions: Iterable[Emotion]) -> None:
        """
        Raises:
            EngineError: it lacks a clip that one of the emotions needs.
        """
        for emotion in emotions:
            self._chosen(voice, emotion)

    def provenance(self, request: SpeechRequest) -> Provenance:
        return Provenance(
            engine=self.name,
            engine_version=self.version,
            model=self._server.model,
            weights_sha256=self.weights_sha256,
            license=self.license,
            voice=request.voice,
            seed=request.seed,
        )

    # -- speaking ---------------------------------------------------------------------------------

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        """One utterance over a connection of its own, in an event loop of its own."""
        try:
            return asyncio.run(self._alone(request))
        except EndpointError as error:
            raise EngineError(str(error)) from None

    async def open(self) -> None:
        try:
            self._client = self._connect()
            await self._look(self._client)
        except (EndpointError, Refused, Exhausted) as error:
            await self.close()
            raise EngineError(str(error)) from None
        except BaseException:
            await self.close()
            raise

    async def synthesise_remotely(self, request: SpeechRequest) -> RawSpeech:
        if self._client is None:
            raise EngineError(f"engine {self.name} is not connected; call open() first")
        return await self._speak(self._client, request)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def concurrency(self) -> tuple[int, int]:
        """Most questions under way at a time so far, and how many are allowed now; 0 before `open`."""
        if self._client is None:
            return 0, 0
        limiter = self._client.endpoint.limiter
        return limiter.most_in_flight, limiter.limit

    # -- what the engines fill in -----------------------------------------------------------------

    def _connect(self) -> SpeechClient:
        return SpeechClient(self._server)

    @abstractmethod
    async def _look(self, client: SpeechClient) -> None:
        """Raise what speaks against this server: EngineError, or what `SpeechClient.look` raises."""

    @abstractmethod
    def _question(self, request: SpeechRequest, manner: Manner) -> Question:
        """What is sent for a text that is not cut any further."""

    @property
    def _format(self) -> Format:
        return self._server.response_format

    @property
    def _generation(self) -> Generation:
        return self._server.generation or "v2"

    # -- how --------------------------------------------------------------------------------------

    async def _alone(self, request: SpeechRequest) -> RawSpeech:
        client = self._connect()
        try:
            return await self._speak(client, request)
        finally:
            await client.close()

    async def _speak(self, client: SpeechClient, request: SpeechRequest) -> RawSpeech:
        manner = self._manner(request)
        limit = self._server.chunk_characters or self._chunk_characters
        text = request.spoken_text
        pieces = chunks(text, request.language, limit) if limit is not None else (text,)
        key = key_of(request)
        spoken = [
            await self._speak_piece(client, f"{key}/{number}", _part_of(request, piece, number), manner)
            for number, piece in enumerate(pieces)
        ]
        rates = sorted({raw.sample_rate for raw in spoken})
        if len(rates) > 1:
            raise ConfigProblem(
                f"{self.name}: pieces of one text came at {rates[0]} and {rates[1]} Hz; mend the server"
            )
        return RawSpeech(samples=np.concatenate([raw.samples for raw in spoken]), sample_rate=rates[0])

    async def _speak_piece(self, client: SpeechClient, key: str, piece: SpeechRequest, manner: Manner) -> RawSpeech:
        def read(answer: Answer) -> RawSpeech:
            return decode(answer, self._format, self._server.sample_rate_hz)

        who, text = f"{self.name}, voice {piece.voice}", piece.spoken_text
        model = f"model {self._server.model!r}"
        try:
            raw = await client.ask(key, model, len(text), lambda: self._question(piece, manner), read)
        except (Refused, Exhausted) as error:
            raise EngineError(f"{who}: {error}") from None
        except BudgetSpent as error:
            raise EndpointError(str(error)) from None
        speed = piece.speed if Control.SPEED in self.controls else 1.0
        check_returned(raw.samples, raw.sample_rate, text, piece.language, who, speed=speed)
        return raw

    def _manner(self, request: SpeechRequest) -> Manner:
        """Which clip and which words.

        Raises:
            EngineError: no such voice, or it lacks the clip.
        """
        voice = self._known.get(request.voice)
        if voice is None or voice.language is not request.language:
            fitting = ", ".join(sorted(v.id for v in self._known.values() if v.language is request.language)) or "none"
            raise EngineError(
                f"{self._registry}: no {request.language} voice of engine {self.name} is called {request.voice!r}; "
                f"it has {fitting}"
            )
        if request.voice_sha256 not in (None, voice_digest(voice)):
            raise EngineError(
                f"{self._registry}: the clips of voice {voice.id} are others than those this utterance was planned "
                "with; put them back or plan again"
            )
        clip, is_told = self._chosen(voice, request.emotion)
        words = instruction(request.emotion, request.intensity, request.language, self._generation) if is_told else None
        return Manner(voice, clip, words)

    def _chosen(self, voice: Voice, emotion: Emotion) -> tuple[ReferenceClip | None, bool]:
        """The clip, None for a voice of the server's own, and whether the emotion is told in words.

        Raises:
            EngineError: the voice lacks the clip.
        """
        clips, way = clips_by_emotion(voice), self._server.emotion
        is_felt = not emotion.is_neutral and way != "none"
        if is_felt and way != "instructions" and emotion in clips:
            return clips[emotion], False
        if is_felt and way == "reference":
            raise EngineError(
                f"{self._registry}: voice {voice.id} has no clip of emotion {emotion}; add one, or set "
                "speech.server.emotion to auto or instructions"
            )
        if clips and Emotion.NEUTRAL not in clips:
            raise EngineError(
                f"{self._registry}: voice {voice.id} has clips and no neutral one, which speaks all that has no clip "
                "of its own; add one with emotion neutral"
            )
        return clips.get(Emotion.NEUTRAL), is_felt

    def _recording(self, manner: Manner) -> bytes:
        """The clip's bytes, as they were when the registry was read.

        Raises:
            EngineError: it cannot be read, or has changed.
        """
        assert manner.clip is not None
        path = clip_path(self._registry, manner.clip)
        where = f"{self._registry}: voice {manner.voice.id}, clip {manner.clip.file}"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EngineError(f"{where}: cannot be read ({error.strerror}); put it back") from error
        if hashlib.sha256(content).hexdigest() != manner.clip.sha256:
            raise EngineError(f"{where}: has changed since the build began; put it back, or start the build again")
        return content


def _part_of(request: SpeechRequest, text: str, number: int) -> SpeechRequest:
    """The request for a piece, counted from 0; later pieces have seeds of their own."""
    seed = request.seed if number == 0 else named_seed(request.seed, f"piece {number}", "server")
    return request.model_copy(update={"spoken_text": text, "seed": seed})
