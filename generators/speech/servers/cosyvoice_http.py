"""Engine ``cosyvoice-http``: the FastAPI server of the official CosyVoice repository."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import PurePath

from data_schemas.emotions import Emotion
from data_schemas.speakers import ReferenceClip, Voice
from data_schemas.utterance import SpeechRequest
from generators.speech.engine import Control, EngineError
from generators.speech.expression.instructions import END_OF_PROMPT
from generators.speech.servers.audio import Format
from generators.speech.servers.base import Manner, ServerEngine
from generators.speech.servers.client import Question, SpeechClient
from generators.speech.settings import SpeechSettings
from generators.speech.text.chunks import MAX_CHARACTERS
from generators.speech.voices.clips import clip_language

_SFT = "/inference_sft"
_ZERO_SHOT = "/inference_zero_shot"
_CROSS_LINGUAL = "/inference_cross_lingual"
_INSTRUCT = "/inference_instruct2"
_SCHEMA = "/openapi.json"
#: What v3 wants before a transcript or a text that comes without an instruction (README of the official repository).
_SYSTEM_PROMPT = "You are a helpful assistant."
#: What the repository's head answers when its server hands the model a tensor (github.com/FunAudioLLM/CosyVoice issues
#: 1794 and 1805: "Invalid file: tensor"); mostly the body has begun, and the connection simply ends.
_TENSOR = re.compile(r"invalid file|tensor|os\.PathLike", re.IGNORECASE)
_HEAD_FAULT = (
    "as that of the official repository's head does for every cloned voice (it hands the model a tensor where a path "
    "is expected); see the server's log, and mend it as docs/speech-servers.md says"
)


class CosyVoiceHttpEngine(ServerEngine):
    """Multipart questions, headerless int16 PCM answers (COSYVOICE.md "FastAPI").

    A voice without clips is one of the model's own speakers (SFT models). One with clips is imitated: with an
    instruction (instruct2), else zero-shot, else, where the clip is in another language than the text, cross-lingual.

    The server has no seed field and draws its own: `Control.SEED` is declared because the same words with another seed
    do sound different, which is what a second try wants; but a rebuild without the store gives other bytes.
    """

    name = "cosyvoice-http"
    _chunk_characters = MAX_CHARACTERS

    def __init__(self, settings: SpeechSettings | None = None) -> None:
        super().__init__(settings)
        server = self._server
        if server.sample_rate_hz is None:
            raise EngineError(
                f"engine {self.name}: answers have no header; set speech.server.sample_rate_hz to the model's rate "
                "(24000 for CosyVoice 2 and 3, 22050 for 1)"
            )
        if server.generation is None:
            raise EngineError(
                f"engine {self.name}: instructions differ by model; set speech.server.generation to v2 or v3 "
                "(a v3 model without its system prompt hangs)"
            )
        unheard = [field for field in ("speed", "seed", "languages") if getattr(server, field)]
        if unheard:
            raise EngineError(f"engine {self.name}: its server has no such field; remove speech.server.{unheard[0]}")

    @property
    def controls(self) -> frozenset[Control]:
        return super().controls | {Control.SEED}

    @property
    def _format(self) -> Format:
        return "pcm"

    def _connect(self) -> SpeechClient:
        return SpeechClient(self._server, _explained, "http://HOST:50000, without a path")

    async def _look(self, client: SpeechClient) -> None:
        """FastAPI publishes its routes; the ones we use must be among them."""
        answer = await client.look(_SCHEMA, f"model {self._server.model!r}")
        if answer is None:
            return
        try:
            routes = json.loads(answer.content)["paths"]
        except (ValueError, KeyError, TypeError):
            return
        if _ZERO_SHOT not in routes and _SFT not in routes:
            raise EngineError(
                f"{self._server.endpoint.base_url}: has no {_ZERO_SHOT}, so it is not CosyVoice's own server; correct "
                "base_url (it has no /v1), or use engine openai-speech"
            )

    def _chosen(self, voice: Voice, emotion: Emotion) -> tuple[ReferenceClip | None, bool]:
        clip, is_told = super()._chosen(voice, emotion)
        if is_told and clip is None:
            raise EngineError(
                f"{self._registry}: voice {voice.id} has no clip, and CosyVoice takes instructions only with one; add "
                "a neutral clip, or set speech.server.emotion to none"
            )
        return clip, is_told

    def _question(self, request: SpeechRequest, manner: Manner) -> Question:
        v3 = self._server.generation == "v3"
        opening = f"{_SYSTEM_PROMPT}{END_OF_PROMPT}" if v3 else ""
        data = {"tts_text": request.spoken_text} | {name: str(value) for name, value in self._server.extra.items()}
        clip = manner.clip
        if clip is None:
            return Question(_SFT, data=data | {"spk_id": request.voice}, files={})
        files = {"prompt_wav": (PurePath(clip.file).name, self._recording(manner), "application/octet-stream")}
        if manner.words is not None:
            marker = "" if self._server.adds_marker else END_OF_PROMPT
            return Question(_INSTRUCT, data=data | {"instruct_text": manner.words + marker}, files=files)
        if clip_language(clip) is not request.language:
            return Question(_CROSS_LINGUAL, data=data | {"tts_text": opening + request.spoken_text}, files=files)
        return Question(_ZERO_SHOT, data=data | {"prompt_text": opening + clip.text}, files=files)


def _explained(status: int, words: str) -> str | None:
    if status == HTTPStatus.OK:
        return f"the server broke off before the first sample, {_HEAD_FAULT}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and _TENSOR.search(words):
        return f"{' '.join(words.split())[:60]}, {_HEAD_FAULT}"
    return None
