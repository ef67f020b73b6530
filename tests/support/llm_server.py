"""A chat server on the loopback that answers well, or misbehaves exactly when it is told to.

Raw asyncio in a thread of its own: no framework between a test and the bytes on the wire. As a process of
its own, for benchmarks: ``python -m tests.support.llm_server --latency 0.5 --noise`` (prints its base_url).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from data_schemas.foundation.randomness import named_generator

Kind = Literal[
    "429",  # without Retry-After
    "429_after",  # with Retry-After: fault.seconds
    "500",
    "503",
    "drip",  # the right body, a few bytes at a time, over fault.seconds
    "cut",  # the connection ends in the middle of the body
    "closed",  # the connection ends before a single byte
    "bad_body",  # status 200, and the body is no JSON
    "no_choices",  # status 200 with an error object, as some proxies do
    "hang",  # nothing for fault.seconds, then the right body
    "truncated",  # half of the content, finish_reason length
    "empty",  # no content at all
    "invalid_json",  # the content is broken JSON
    "wrong_language",
    "refusal",
    "drift",  # other keys than the schema's
    "duplicate",  # the content of the first good answer again
    "status",  # fault.status with fault.message
]

#: faults that a client mends by sending again; after the others it has an answer, if a bad one
TRANSPORT: tuple[Kind, ...] = ("429", "429_after", "500", "503", "drip", "cut", "closed", "bad_body", "no_choices")
CONTENT: tuple[Kind, ...] = ("invalid_json", "wrong_language", "refusal", "drift", "duplicate")

_PHRASES = {200: "OK", 400: "Bad Request", 429: "Too Many Requests", 500: "Internal Server Error"}
_CHINESE = "今天的天气真的很好，我们一起去公园走走吧。"
_ENGLISH = "The weather is lovely today, so let us take a walk in the park."
_REFUSALS = {"zh": "对不起，我无法满足这个请求。", "en": "I'm sorry, but I can't help with that request."}


@dataclass(frozen=True)
class Fault:
    """One misbehaviour."""

    kind: Kind
    seconds: float = 0.05
    status: int = 400
    #: ``{authorization}`` in it is replaced by the request's Authorization header
    message: str = "out of order"
    #: of ``status``: where it leads
    location: str | None = None


FaultAt = Callable[[int, dict[str, Any]], Fault | None]
Answer = Callable[[dict[str, Any]], str]


def seeded_faults(
    seed: int, rate: float, kinds: tuple[Kind, ...] = TRANSPORT + CONTENT, seconds: float = 0.02
) -> FaultAt:
    """Request number ``n`` fails with probability ``rate``, in a way drawn by (seed, n); probes are spared."""

    def fault_at(number: int, body: dict[str, Any]) -> Fault | None:
        generator = named_generator(seed, str(number), "fault")
        if is_probe(body) or generator.random() >= rate:
            return None
        return Fault(kinds[int(generator.integers(len(kinds)))], seconds=seconds)

    return fault_at


def is_probe(body: dict[str, Any]) -> bool:
    """Whether the client only finds out about structured output."""
    messages = body.get("messages") or [{}]
    return bool(messages[-1].get("content") == "Please greet me.")


def no_faults(number: int, body: dict[str, Any]) -> Fault | None:
    return None


def fill_schema(body: dict[str, Any]) -> str:
    """An object that fits the request's JSON Schema (strings hold "ok"), or ``{"text": "ok"}`` without one."""
    form = body.get("response_format") or {}
    schema = (form.get("json_schema") or {}).get("schema")
    return json.dumps(_fill(schema) if schema else {"text": "ok"}, ensure_ascii=False)


def _fill(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: _fill(inner) for name, inner in schema.get("properties", {}).items()}
    fillings: dict[Any, Any] = {"array": [], "integer": 1, "number": 1.0, "boolean": True}
    return fillings.get(kind, "ok")


@dataclass
class Seen:
    """What the server saw; read it when the client is done."""

    requests: int = 0
    most_in_flight: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    #: connections opened
    connections: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    #: (seconds since start, request number)
    times: list[float] = field(default_factory=list)


class LlmServer:
    """``with LlmServer(answer, fault_at, latency_s) as server: server.base_url ...``; stopped at the end.

    ``answer``: request body -> content of a good answer. ``fault_at``: (request number from 0, body) -> fault
    or None. ``modes``: structured modes it accepts; others get a 400 that names response_format.
    ``keep_bodies=False`` keeps memory flat in long runs.
    """

    def __init__(
        self,
        answer: Answer = fill_schema,
        fault_at: FaultAt = no_faults,
        latency_s: float = 0.0,
        modes: tuple[str, ...] = ("json_schema", "json_object", "text"),
        keep_bodies: bool = True,
        count_usage: bool = True,
        port: int = 0,
    ) -> None:
        self.answer = answer
        self.fault_at = fault_at
        self.latency_s = latency_s
        self.modes = modes
        self.seen = Seen()
        self.base_url = ""
        self._keep_bodies = keep_bodies
        self._count_usage = count_usage
        self._port = port
        self._in_flight = 0
        self._first_good: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="llm-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(timeout=10):
            raise RuntimeError("the loopback server did not start within 10 s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)

    @property
    def requests(self) -> int:
        return self.seen.requests

    @property
    def most_in_flight(self) -> int:
        return self.seen.most_in_flight

    def _run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Serve until the ``with`` block ends (or for ever, where this is called directly)."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self._port, backlog=1024)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False ends the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        path = first.split(" ")[1]
        if path.endswith("/models"):
            await _send(writer, 200, {"object": "list", "data": [{"id": "loopback", "object": "model"}]})
            return True
        if not path.endswith("/chat/completions"):
            await _send(writer, 404, {"error": {"message": f"no such path: {path}"}})
            return True
        body: dict[str, Any] = json.loads(content)
        number = self.seen.requests
        self.seen.requests += 1
        self.seen.times.append(asyncio.get_running_loop().time())
        if self._keep_bodies:
            self.seen.bodies.append(body)
        self._in_flight += 1
        self.seen.most_in_flight = max(self.seen.most_in_flight, self._in_flight)
        try:
            return await self._chat(writer, number, body, headers)
        finally:
            self._in_flight -= 1

    async def _chat(
        self, writer: asyncio.StreamWriter, number: int, body: dict[str, Any], headers: dict[str, str]
    ) -> bool:
        form = (body.get("response_format") or {}).get("type", "text")
        if form not in self.modes:
            message = f"response_format of type {form!r} is not supported by this model"
            await _send(writer, 400, {"error": {"message": message, "type": "invalid_request_error"}})
            return True
        fault = self.fault_at(number, body)
        if fault is not None:
            self.seen.faults[fault.kind] += 1
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        kind = fault.kind if fault is not None else None
        if fault is not None and kind in ("429", "429_after", "500", "503", "status"):
            await self._error(writer, fault, headers)
            return True
        if kind == "closed":
            return False
        content, finish = self._content(kind, body)
        spelled = json.dumps(self._completion(content, finish, body)).encode()
        if kind == "no_choices":
            spelled = b'{"error": {"message": "upstream is busy", "code": 502}}'
        if kind == "bad_body":
            spelled = b"<html><body>gateway \xff</body></html>"
        if kind == "hang" and fault is not None:
            await asyncio.sleep(fault.seconds)
        writer.write(_head(200, len(spelled)))
        if kind == "cut":
            writer.write(spelled[: len(spelled) // 2])
            await writer.drain()
            return False
        if kind == "drip" and fault is not None:
            pieces = 8
            step = max(1, len(spelled) // pieces)
            for at in range(0, len(spelled), step):
                writer.write(spelled[at : at + step])
                await writer.drain()
                await asyncio.sleep(fault.seconds / pieces)
            return True
        writer.write(spelled)
        await writer.drain()
        return True

    async def _error(self, writer: asyncio.StreamWriter, fault: Fault, headers: dict[str, str]) -> None:
        status = {"429": 429, "429_after": 429, "500": 500, "503": 503}.get(fault.kind, fault.status)
        extra = {"Retry-After": f"{fault.seconds:g}"} if fault.kind == "429_after" else {}
        extra |= {"Location": fault.location} if fault.location else {}
        message = fault.message.replace("{authorization}", headers.get("authorization", ""))
        await _send(writer, status, {"error": {"message": message, "type": "error"}}, extra)

    def _content(self, kind: Kind | None, body: dict[str, Any]) -> tuple[str | None, str]:
        """(content, finish_reason), spoilt where the fault says so."""
        good = self.answer(body)
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in good)
        if kind == "truncated":
            return good[: len(good) // 2], "length"
        if kind == "empty":
            return None, "stop"
        if kind == "refusal":
            return _REFUSALS["zh" if chinese else "en"], "stop"
        if kind == "invalid_json":
            return good.rstrip()[:-1] + ",", "stop"
        if kind == "wrong_language":
            return json.dumps(_all_texts(_object(good), _ENGLISH if chinese else _CHINESE), ensure_ascii=False), "stop"
        if kind == "drift":
            drifted = {f"{key}_x": value for key, value in _object(good).items()}
            return json.dumps(drifted, ensure_ascii=False), "stop"
        if kind == "duplicate" and self._first_good is not None:
            return self._first_good, "stop"
        if not is_probe(body):
            self._first_good = self._first_good or good
        return good, "stop"

    def _completion(self, content: str | None, finish: str, body: dict[str, Any]) -> dict[str, Any]:
        completion: dict[str, Any] = {
            "id": "chatcmpl-loopback",
            "object": "chat.completion",
            "created": 0,
            "model": body.get("model", ""),
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish},
            ],
        }
        if self._count_usage:
            prompt = sum(len(message["content"]) for message in body["messages"]) // 4 + 1
            answer = len(content or "") // 4 + 1
            completion["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": answer,
                "total_tokens": prompt + answer,
            }
        return completion


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) else {"value": value}


def _all_texts(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: _all_texts(inner, text) for key, inner in value.items()}
    if isinstance(value, list):
        return [_all_texts(inner, text) for inner in value]
    return text if isinstance(value, str) else value


def _head(status: int, length: int, extra: dict[str, str] | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in (extra or {}).items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _send(
    writer: asyncio.StreamWriter, status: int, body: dict[str, Any], extra: dict[str, str] | None = None
) -> None:
    spelled = json.dumps(body, ensure_ascii=False).encode()
    writer.write(_head(status, len(spelled), extra) + spelled)
    await writer.drain()


def main() -> None:
    """Serve until killed; the first line of the output is the base_url."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--noise", action="store_true", help="answers that keep the rules, where they need no plan")
    chosen = parser.parse_args()
    answer: Answer = fill_schema
    if chosen.noise:
        from tests.support.llm_answers import noise_answer

        answer = noise_answer
    server = LlmServer(answer, latency_s=chosen.latency, keep_bodies=False, port=chosen.port)
    threading.Thread(target=lambda: (server._ready.wait(), print(server.base_url, flush=True)), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve())


if __name__ == "__main__":
    main()
