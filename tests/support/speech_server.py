"""Speech servers on the loopback that really speak (espeak), or misbehave exactly when they are told to.

FastAPI and uvicorn, as the official CosyVoice server and vLLM-Omni are, so that what goes wrong inside an answer looks
on the wire as it does there. As a process of its own, which a test can kill: ``python -m tests.support.speech_server``
(prints its base address).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

import fastapi
import numpy as np
import soundfile
import uvicorn
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from data_schemas.foundation.audio import Samples, to_pcm16
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from generators.speech.espeak.engine import EspeakEngine

RATE_HZ = 22_050
MODEL = "loopback-tts"
_HAN_FIRST, _HAN_LAST = "\u3400", "\u9fff"

Kind = Literal[
    "429",  # with Retry-After: fault.seconds
    "500",
    "status",  # fault.status with fault.message
    "hang",  # nothing for fault.seconds, then the right answer
    "empty",  # status 200 and no body
    "html",  # status 200 and a page
    "json",  # status 200 and an error object
    "cut",  # Content-Length says more than comes before the connection ends
    "cut_body",  # a whole HTTP answer with the first tenth of its audio
    "odd",  # a whole HTTP answer with half of a sample at the end
    "rate",  # the right sound at 16 kHz
    "mp3",  # an MP3's first bytes
    "silence",
    "tensor",  # the body begins, then the model raises: what CosyVoice's head does
    "exit",  # the process ends in the middle of the answer
]


#: answers that hold nothing of what was to be spoken
_WORDLESS = frozenset({"429", "500", "status", "empty", "html", "json", "mp3", "tensor"})


@dataclass(frozen=True)
class Fault:
    """One misbehaviour."""

    kind: Kind
    seconds: float = 0.05
    status: int = 400
    #: ``{key}`` in it is replaced by the key that the request came with
    message: str = "out of order"
    #: of ``status``: where it leads
    location: str | None = None


FaultAt = Callable[[int], Fault | None]


@dataclass(frozen=True)
class Asked:
    """One question as it arrived: JSON fields or form fields, and the files' bytes by field."""

    path: str
    fields: dict[str, Any]
    files: dict[str, bytes]
    headers: dict[str, str]


@dataclass
class Seen:
    """What the server saw; read it when the client is done."""

    asked: list[Asked] = field(default_factory=list)
    most_in_flight: int = 0
    #: questions over the capacity
    refused: int = 0


class _PromptServer(uvicorn.Server):
    """Ends when it is told to; uvicorn's own looks ten times a second, which hundreds of servers add up to."""

    async def main_loop(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(0.005)


class SpeechServer:
    """``with SpeechServer(...) as server: server.openai_url, server.cosyvoice_url``; ended with the block.

    ``fault_at``: number of the question, from 0 -> fault or None. ``key``: what the Authorization header must carry.
    ``models``: what it says it serves. ``capacity``: questions at a time; one more gets a 429. ``cosyvoice=False``:
    without the routes of CosyVoice's server. ``deaf_s``: how long it takes to list its models. ``list_moved_to``: where
    it says its lists (of models, of routes) are.
    """

    def __init__(
        self,
        fault_at: FaultAt = lambda number: None,
        latency_s: float = 0.0,
        key: str | None = None,
        models: tuple[str, ...] = (MODEL,),
        cosyvoice: bool = True,
        capacity: int = 10_000,
        deaf_s: float = 0.0,
        list_moved_to: str | None = None,
    ) -> None:
        self.fault_at = fault_at
        self.latency_s = latency_s
        self.key = key
        self.models = models
        self.seen = Seen()
        self.url = ""
        self._cosyvoice_too = cosyvoice
        self._capacity = capacity
        self._deaf_s = deaf_s
        self._list_moved_to = list_moved_to
        self._in_flight = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def cosyvoice_url(self) -> str:
        return self.url

    @property
    def requests(self) -> int:
        return len(self.seen.asked)

    def __enter__(self) -> Self:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(self._app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = _PromptServer(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="speech-server", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended at its start"
            self._thread.join(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None and self._thread is not None
        self._server.should_exit = True
        self._server.force_exit = True  # waits for no slow answer
        self._thread.join(timeout=10)

    def _app(self) -> fastapi.FastAPI:
        app = fastapi.FastAPI(openapi_url="/openapi.json" if self._list_moved_to is None else None)
        app.add_api_route("/v1/models", self._models)
        if self._list_moved_to is not None:
            app.add_api_route("/openapi.json", self._models)
        app.add_api_route("/v1/audio/speech", self._openai, methods=["POST"])
        for mode in () if not self._cosyvoice_too else ("sft", "zero_shot", "cross_lingual", "instruct2"):
            app.add_api_route(f"/inference_{mode}", self._cosyvoice, methods=["POST"])
        return app

    # -- answers ----------------------------------------------------------------------------------

    async def _models(self, request: fastapi.Request) -> Response:
        await asyncio.sleep(self._deaf_s)
        if self._list_moved_to is not None:
            return RedirectResponse(self._list_moved_to)
        refused = self._refused(request)
        return refused or JSONResponse({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _openai(self, request: fastapi.Request) -> Response:
        body = json.loads(await request.body())
        asked = Asked(request.url.path, body, _reference(body), dict(request.headers))
        voice = str(body.get("voice") or hashlib.sha256(str(body["ref_audio"]).encode()).hexdigest())
        return await self._answer(
            request, asked, str(body["input"]), voice, str(body["response_format"]), float(body.get("speed", 1.0))
        )

    async def _cosyvoice(self, request: fastapi.Request) -> Response:
        fields, files = _form(await request.body(), request.headers.get("content-type", ""))
        asked = Asked(request.url.path, dict(fields), files, dict(request.headers))
        voice = fields.get("spk_id") or hashlib.sha256(files["prompt_wav"]).hexdigest()
        # the system prompt of v3 is not spoken
        return await self._answer(request, asked, fields["tts_text"].split("<|endofprompt|>")[-1], voice, "stream", 1.0)

    def _refused(self, request: fastapi.Request) -> Response | None:
        given = request.headers.get("authorization", "")
        if self.key is None or given == f"Bearer {self.key}":
            return None
        return JSONResponse({"error": {"message": f"Incorrect API key provided: {given}"}}, status_code=401)

    async def _answer(
        self, request: fastapi.Request, asked: Asked, text: str, voice: str, form: str, speed: float
    ) -> Response:
        number = len(self.seen.asked)
        self.seen.asked.append(asked)
        self._in_flight += 1
        self.seen.most_in_flight = max(self.seen.most_in_flight, self._in_flight)
        try:
            refused = self._refused(request)
            if refused is not None:
                return refused
            if self._in_flight > self._capacity:
                self.seen.refused += 1
                return PlainTextResponse("too many at a time", 429)
            await asyncio.sleep(self.latency_s)
            fault = self.fault_at(number)
            if fault is not None and fault.kind == "hang":
                await asyncio.sleep(fault.seconds)
            wordless = fault is not None and fault.kind in _WORDLESS
            samples = np.zeros(1, np.float32) if wordless else await asyncio.to_thread(speak, text, voice, speed)
            return self._spoilt(fault, samples, form, request) if fault is not None else _whole(samples, form)
        finally:
            self._in_flight -= 1

    def _spoilt(self, fault: Fault, samples: Samples, form: str, request: fastapi.Request) -> Response:
        good = _encoded(samples, form)
        message = fault.message.replace("{key}", request.headers.get("authorization", "").removeprefix("Bearer "))
        quiet = np.zeros_like(samples)
        answers: dict[str, Callable[[], Response]] = {
            "429": lambda: PlainTextResponse("busy", 429, headers={"Retry-After": f"{fault.seconds:g}"}),
            "500": lambda: JSONResponse({"detail": message}, status_code=500),
            "status": lambda: JSONResponse(
                {"error": {"message": message}},
                status_code=fault.status,
                headers={"Location": fault.location} if fault.location else None,
            ),
            "hang": lambda: _whole(samples, form),
            "empty": lambda: Response(b""),
            "html": lambda: Response("<html><body>网关 gateway</body></html>".encode(), media_type="text/html"),
            "json": lambda: JSONResponse({"error": {"message": message}}),
            "cut": lambda: StreamingResponse(_breaks_off(good), headers={"Content-Length": str(len(good))}),
            "cut_body": lambda: Response(good[: len(good) // 20 * 2]),
            "odd": lambda: Response(good[:-1]),
            "rate": lambda: Response(_encoded(samples, form, 16_000), media_type=f"audio/pcm; rate={16_000}"),
            "mp3": lambda: Response(b"ID3\x04" + bytes(4000)),
            "silence": lambda: _whole(quiet, form),
            "tensor": lambda: StreamingResponse(_raises()),
            "exit": lambda: StreamingResponse(_ends(good), headers={"Content-Length": str(len(good))}),
        }
        return answers[fault.kind]()


def speak(text: str, voice: str, speed: float = 1.0) -> Samples:
    """``[n]`` at 22.05 kHz by a voice of espeak's that belongs to the name of another's."""
    language = Language.ZH if any(_HAN_FIRST <= letter <= _HAN_LAST for letter in text) else Language.EN
    engine = EspeakEngine()
    known = [one.id for one in engine.voices() if one.language is language]
    chosen = voice if voice in known else known[int(hashlib.sha256(voice.encode()).hexdigest(), 16) % len(known)]
    request = SpeechRequest(
        engine="espeak",
        weights_sha256="",
        voice=chosen,
        language=language,
        spoken_text=text,
        speed=speed,
        loudness_lufs=-23.0,
        edge_silence_ms=0,
    )
    return engine.synthesise(request).samples


def _whole(samples: Samples, form: str) -> Response:
    if form == "stream":  # as generate_data of CosyVoice's server: no length, no media type
        return StreamingResponse(iter([_encoded(samples, form)]))
    return Response(_encoded(samples, form), media_type=f"audio/{form}")


def _encoded(samples: Samples, form: str, rate: int = RATE_HZ) -> bytes:
    pcm = to_pcm16(samples)
    if form in ("pcm", "stream"):
        return pcm.astype("<i2").tobytes()
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format=form.upper(), subtype="PCM_16")
    return file.getvalue()


async def _breaks_off(content: bytes) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]
    raise ConnectionError("the cable was cut")


async def _ends(content: bytes) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]
    os._exit(1)


def _raises() -> Iterator[bytes]:
    """As the model's generator at the repository's head."""
    if RATE_HZ:
        raise TypeError("Invalid file: tensor([[0.0, 0.0]])")
    yield b""


def _reference(body: dict[str, Any]) -> dict[str, bytes]:
    """The clip inside a body's ``ref_audio``."""
    spelled = str(body.get("ref_audio", ""))
    return {"ref_audio": base64.b64decode(spelled.rpartition(",")[2], validate=True)} if spelled else {}


def _form(content: bytes, content_type: str) -> tuple[dict[str, str], dict[str, bytes]]:
    """Fields and files of a form; multipart is read by the mail package, python-multipart is not among our packages."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(content.decode("ascii"), strict_parsing=True)), {}
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if part.get_filename() is None:
            fields[name] = value.decode("utf-8")
        else:
            files[name] = value
    return fields, files


def main() -> None:
    """Serve until killed; the first line of the output is the address."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--exit-at", type=int, default=-1, help="question from which on an answer is its death")
    chosen = parser.parse_args()
    with SpeechServer(lambda number: Fault("exit") if 0 <= chosen.exit_at <= number else None) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
