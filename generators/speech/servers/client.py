"""What the engines on servers share with the script writer: one `Endpoint` per server, and the bytes on the wire."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from generators.remote.budget import Amount, BudgetKeeper
from generators.remote.endpoint import Endpoint
from generators.remote.keys import read_key
from generators.remote.retry import BadAnswer
from generators.remote.settings import is_loopback
from generators.speech.servers.audio import Answer
from generators.speech.servers.settings import SpeechServerSettings

T = TypeVar("T")

#: what sentences call the server: its place in the configuration
ENDPOINT_NAME = "speech.server"
_CHARACTERS_PER_PRICE = 1_000_000
#: only the jitter of retries is drawn with it; no sample depends on it
_JITTER_SEED = 0
#: how long a server may take to say what it serves (CHOICE: one that speaks in its event loop is deaf meanwhile)
_LOOK_S = 20.0
_UNAUTHORISED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True)
class Question:
    """One POST: ``json``, or form fields (``data``) with ``files`` as name -> (file name, bytes, media type)."""

    path: str
    json: Mapping[str, Any] | None = None
    data: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = None


class ServerStatus(Exception):
    """A status other than 200, in the shape that `generators.remote.retry.judge_error` reads."""

    def __init__(self, response: Any, content: bytes) -> None:
        super().__init__(f"status {response.status_code}")
        self.status_code: int = response.status_code
        self.response = response
        text = content.decode("utf-8", "replace")
        try:
            self.body: Any = json.loads(text)
        except ValueError:
            self.body = text
        error = self.body.get("error") if isinstance(self.body, dict) else None
        self.code = error.get("code") if isinstance(error, dict) else None


class SpeechClient:
    """One server, used inside one event loop; `close` it there.

    ``explain`` may put a failed exchange into clearer words: it is given the status (200 where the body broke off
    before its first byte) and the words of the body, and returns a clause or None. ``address`` says what a base_url
    looks like.
    """

    def __init__(
        self,
        settings: SpeechServerSettings,
        explain: Callable[[int, str], str | None] = lambda status, words: None,
        address: str = "it mostly ends in /v1",
    ) -> None:
        """Reads the key; contacts nobody.

        Raises:
            ConfigProblem: the key's variable is not set.
        """
        import httpx2

        endpoint = settings.endpoint
        self._base_url = (endpoint.base_url or "").rstrip("/")
        key = read_key(ENDPOINT_NAME, endpoint)
        budget = BudgetKeeper(settings.budget, time.monotonic)
        secrets = (key,) if key else ()
        self.endpoint = Endpoint(
            ENDPOINT_NAME, self._base_url, endpoint, budget, _JITTER_SEED, secrets, address=address
        )
        self._price = settings.price_per_million_characters / _CHARACTERS_PER_PRICE
        self._explain = explain
        self._transport_error = httpx2.TransportError
        self._read_timeout = httpx2.ReadTimeout
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=endpoint.timeout_s,
            # how many at a time is the endpoint's to decide
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=endpoint.max_in_flight),
            # a proxy of the environment cannot reach this machine's own loopback address
            trust_env=not is_loopback(self._base_url),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(
        self, key: str, subject: str, characters: int, question: Callable[[], Question], read: Callable[[Answer], T]
    ) -> T:
        """Send until ``read`` accepts the answer. ``question`` is made anew for every try, so that what waits is small.

        ``key`` names the question, ``subject`` says in sentences what it is about, ``characters`` are paid for.

        Raises:
            Refused, Exhausted, EndpointError, BudgetSpent: as `Endpoint.call`; and what ``read`` raises but BadAnswer.
        """
        used = Amount(cost=characters * self._price)

        async def send() -> tuple[T, Amount]:
            return read(await self._exchange(question())), used

        return await self.endpoint.call(key, subject, used, send)

    async def look(self, path: str, subject: str) -> Answer | None:
        """GET, to see whether the server is there and takes the key; None where it has nothing at ``path``, or is too
        busy to say.

        Raises:
            EndpointError: it cannot be reached, refuses the key, or sends us to another server.
            Exhausted: the connection broke in every try.
        """
        patience_s = min(_LOOK_S, self.endpoint.settings.timeout_s / 2)

        async def send() -> tuple[Answer | None, Amount]:
            try:
                response = await self._http.get(self._base_url + path, timeout=patience_s)
            except self._read_timeout:
                return None, Amount()
            if response.status_code in _UNAUTHORISED or _leads_elsewhere(response):
                raise ServerStatus(response, response.content)
            there = response.status_code == HTTPStatus.OK
            return (Answer(response.content, response.headers.get("content-type", "")) if there else None), Amount()

        return await self.endpoint.call(f"look {path}", subject, Amount(), send)

    async def _exchange(self, question: Question) -> Answer:
        request = self._http.build_request(
            "POST", self._base_url + question.path, json=question.json, data=question.data, files=question.files
        )
        response = await self._http.send(request, stream=True)
        content = bytearray()
        broke_off = False
        try:
            async for piece in response.aiter_bytes():
                content += piece
        except self._transport_error:
            explained = self._explain(HTTPStatus.OK, "") if response.status_code == HTTPStatus.OK else None
            if content or explained is None:
                raise
            broke_off = True
        finally:
            await response.aclose()
        if broke_off:
            raise BadAnswer(explained)
        if response.is_success and response.status_code != HTTPStatus.OK:
            raise BadAnswer(f"status {response.status_code} instead of 200 with audio")
        if response.status_code != HTTPStatus.OK:
            raise self._failed(response, bytes(content))
        return Answer(bytes(content), response.headers.get("content-type", ""))

    def _failed(self, response: Any, content: bytes) -> ServerStatus:
        failed = ServerStatus(response, content)
        explained = self._explain(response.status_code, content.decode("utf-8", "replace"))
        if explained is not None:
            failed.body = explained
        return failed


def _leads_elsewhere(response: Any) -> bool:
    """A redirect to another origin. One within the server may be about this path alone."""
    following = response.next_request
    origins = {(url.scheme, url.netloc) for url in (response.url, following.url)} if following is not None else set()
    return len(origins) > 1
