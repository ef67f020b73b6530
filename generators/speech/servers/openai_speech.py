"""Engine ``openai-speech``: any server with ``/v1/audio/speech`` that serves an open model."""

from __future__ import annotations

import base64
import json
from pathlib import PurePath
from typing import Any

from data_schemas.utterance import SpeechRequest
from generators.speech.engine import Control, EngineError
from generators.speech.servers.base import Manner, ServerEngine
from generators.speech.servers.client import Question, SpeechClient

_SPEECH = "/audio/speech"
_MODELS = "/models"
_MEDIA_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}
_SHOWN_MODELS = 5


class OpenAISpeechEngine(ServerEngine):
    """OpenAI's fields, and vLLM-Omni's where they are asked for: COSYVOICE.md "OpenAI-compatible".

    A voice without clips is called by its id (``voice``); one with clips is sent as ``ref_audio`` and ``ref_text``, and
    ``voice`` is left out. An emotion in words goes into ``instructions``.
    """

    name = "openai-speech"

    @property
    def controls(self) -> frozenset[Control]:
        stated = {Control.SPEED: self._server.speed, Control.SEED: self._server.seed}
        return super().controls | {control for control, heeded in stated.items() if heeded}

    async def _look(self, client: SpeechClient) -> None:
        """A server that lists its models must have ours; one that lists none is believed."""
        answer = await client.look(_MODELS, f"model {self._server.model!r}")
        served = _listed(answer.content) if answer is not None else []
        if served and self._server.model not in served:
            shown = ", ".join(served[:_SHOWN_MODELS])
            raise EngineError(
                f"{self._server.endpoint.base_url}: no model is called {self._server.model!r} there, but {shown}; "
                "correct speech.server.model (with license and weights)"
            )

    def _question(self, request: SpeechRequest, manner: Manner) -> Question:
        server = self._server
        body: dict[str, Any] = {
            "model": server.model,
            "input": request.spoken_text,
            "response_format": server.response_format,
        }
        if server.speed:
            body["speed"] = request.speed
        if server.seed:
            body["seed"] = request.seed
        if request.language in server.languages:
            body["language"] = server.languages[request.language]
        if manner.words is not None:
            body["instructions"] = manner.words
        if manner.clip is None:
            body["voice"] = manner.voice.id
        else:
            body["ref_audio"] = self._written(manner)
            body["ref_text"] = manner.clip.text
        return Question(_SPEECH, json=body | server.extra)

    def _written(self, manner: Manner) -> str:
        assert manner.clip is not None
        spelled = base64.b64encode(self._recording(manner)).decode("ascii")
        if self._server.ref_audio == "base64":
            return spelled
        kind = _MEDIA_TYPES.get(PurePath(manner.clip.file).suffix.lower(), "application/octet-stream")
        return f"data:{kind};base64,{spelled}"


def _listed(content: bytes) -> list[str]:
    """The ids of a model list; nothing where it is none."""
    try:
        body = json.loads(content)
    except ValueError:
        return []
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        return []
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
