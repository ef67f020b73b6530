"""What every speech engine is: a name, a licence, voices, and one request in, samples out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import Samples
from data_schemas.speakers import Voice
from data_schemas.utterance import Provenance, SpeechRequest, WordTiming


class EngineError(RuntimeError):
    """An engine cannot do what it was asked. One sentence with the way out."""


class EngineUnusable(EngineError):
    """It can do nothing at all: no item is at fault, and the build stops."""


class Control(StrEnum):
    """What of a request an engine heeds besides the words and the voice."""

    SPEED = "speed"
    EMOTION = "emotion"
    #: it draws random numbers: the same request with another seed sounds different
    SEED = "seed"


@dataclass(frozen=True)
class RawSpeech:
    """What an engine gives: float32 mono samples ``[n]`` at its own rate.

    ``words`` are positions in these samples, empty where the engine does not know them.
    """

    samples: Samples
    sample_rate: int
    words: tuple[WordTiming, ...] = ()


class SpeechEngine(Protocol):
    """A text-to-speech engine.

    Making one is cheap: weights are checked and loaded by the first ``synthesise``, so that a plan
    can be made where no weights are. The same request must give the same bytes, in any process,
    after any other request; an engine with ``Control.SEED`` takes its randomness from the request.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Version of everything besides the weights that decides the samples; part of the store key."""
        ...

    @property
    def license(self) -> str:
        """SPDX identifier under which its audio may be published."""
        ...

    @property
    def controls(self) -> frozenset[Control]: ...

    @property
    def tags(self) -> frozenset[str]:
        """Vocal tags (`data_schemas.tags.VOCAL_TAGS`) it can voice; they then stay in ``spoken_text``."""
        ...

    @property
    def weights_sha256(self) -> str:
        """Pinned hash of the weights, known without loading them."""
        ...

    def voices(self) -> tuple[Voice, ...]: ...

    def provenance(self, request: SpeechRequest) -> Provenance: ...

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        """Speak ``request.spoken_text``.

        Raises:
            EngineError: unknown voice, nothing speakable in the text, or the engine failed.
            EngineUnusable: it cannot be loaded.
            ModelMissing, ModelCorrupt: the weights are not installed or not the pinned ones.
        """
        ...


@runtime_checkable
class InstalledEngine(Protocol):
    """What an engine may have besides, whose model the user installs: asked before a build does anything."""

    def check_installed(self) -> None:
        """
        Raises:
            EngineError: something is missing; found without loading the model.
        """
        ...


@runtime_checkable
class CloningEngine(Protocol):
    """What an engine may have besides, that needs certain clips of a voice: asked before a build does anything."""

    def check_voice(self, voice: Voice, emotions: Iterable[Emotion]) -> None:
        """
        Raises:
            EngineError: a voice that cannot be spoken with in one of these emotions; names registry, voice, field and
                way out.
        """
        ...


@runtime_checkable
class RemoteEngine(Protocol):
    """What an engine on a server has besides: many questions are under way at a time, in one event loop.

    `flows.shards.remote_speech` opens one per build, in the build's own process, so that all shards share its
    concurrency, retries and time-outs; the samples are finished in the worker processes.
    """

    async def open(self) -> None:
        """Connect. Called once, in the event loop of all calls.

        Raises:
            EngineError: the server is away or not what the configuration says; one sentence with the way out.
        """
        ...

    async def synthesise_remotely(self, request: SpeechRequest) -> RawSpeech:
        """`SpeechEngine.synthesise`, awaiting the server.

        Raises:
            EngineError: this request gets no answer.
            EndpointError: none will; the build stops.
        """
        ...

    async def close(self) -> None: ...
