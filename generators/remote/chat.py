"""`ChatClient`: asks language models over the OpenAI API, and asks nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from data_schemas.chat import ChatAnswer, ChatRequest
from data_schemas.foundation.base import Record
from data_schemas.foundation.randomness import named_seed
from generators.remote import structured
from generators.remote.answers import AnswerStore, request_key
from generators.remote.budget import Amount, BudgetKeeper
from generators.remote.endpoint import Endpoint, Exhausted, Refused
from generators.remote.errors import BudgetSpent, ConfigProblem, EndpointError, NoAnswer
from generators.remote.keys import read_key, without_key
from generators.remote.ledger import Ledger, ModelUsage, cost_of
from generators.remote.local_server import LocalLlama
from generators.remote.settings import Budget, EndpointSettings, Price, is_loopback
from generators.remote.structured import Mode
from generators.remote.wire import estimated_usage, is_truncated, read_answer, request_body

__all__ = ["BudgetSpent", "ChatClient", "ConfigProblem", "EndpointError", "ModelRoute", "ModelUsage", "NoAnswer"]

#: an answer that is cut or empty is asked for again this often, with another seed
_TRUNCATED_RETRIES = 2
_PROBE_TRIES = 2
#: what servers without keys are sent: the package insists on one
_NO_KEY = "none"


class ModelRoute(Record):
    """Which endpoint an alias is asked at, and what it costs there."""

    endpoint: str
    price: Price = Price()


class _Server:
    """An endpoint that was opened: the `Endpoint` that paces it and the package's client."""

    def __init__(self, endpoint: Endpoint, client: Any, identity: str) -> None:
        self.endpoint = endpoint
        self.client = client
        #: by which the store remembers its modes
        self.identity = identity
        self.modes: dict[str, Mode] = {}
        self.probing = asyncio.Lock()


class ChatClient:
    """Answers questions from the store, else from the endpoints; used inside one event loop, as ``async with``.

    Nothing is started, read from the environment or contacted before a question really has to be sent.
    ``budget`` may be a `BudgetKeeper` that several clients share. ``on_open`` is told each endpoint, by its name and
    where it is, when its first question is about to be sent.
    """

    def __init__(
        self,
        endpoints: Mapping[str, EndpointSettings],
        routes: Mapping[str, ModelRoute],
        store: AnswerStore,
        budget: Budget | BudgetKeeper,
        seed: int,
        base_dir: Path,
        retry_failed: bool = False,
        on_open: Callable[[str, str], None] = lambda name, where: None,
    ) -> None:
        self._settings = endpoints
        self._routes = routes
        self._store = store
        self._budget = budget if isinstance(budget, BudgetKeeper) else BudgetKeeper(budget, time.monotonic)
        self._seed = seed
        self._base_dir = base_dir
        self._retry_failed = retry_failed
        self._on_open = on_open
        self._failed_now: set[str] = set()
        self._ledger = Ledger()
        self._servers: dict[str, _Server] = {}
        self._opening = asyncio.Lock()
        self._pending: dict[str, asyncio.Future[ChatAnswer]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._servers.clear()
        await self._stack.aclose()

    @property
    def sent(self) -> int:
        """HTTP requests sent so far: every try and every probe."""
        return self._ledger.requests

    @property
    def replayed(self) -> int:
        """Answers so far that needed no request: they were in the store, or under way for another asker."""
        return self._ledger.from_store

    def usage(self) -> tuple[ModelUsage, ...]:
        """What was sent and used so far, per model. Where a server counts no tokens, ours are estimated."""
        return self._ledger.rows()

    def in_flight(self, endpoint: str) -> tuple[int, int]:
        """Most questions at a time so far at ``endpoint``, and how many are allowed now; 0 before its first use."""
        server = self._servers.get(endpoint)
        return (server.endpoint.limiter.most_in_flight, server.endpoint.limiter.limit) if server else (0, 0)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        """The answer in force for this question. Asked twice at the same time, it is sent once.

        Raises:
            NoAnswer: this question gets none (remembered, and told again without contact unless ``retry_failed``).
            EndpointError: the endpoint is away, down or not set up; nothing is recorded as failed.
            BudgetSpent: it would have to be sent, and the budget does not allow it.
            ModelError: the local model is not on this machine.
        """
        key = request_key(request)
        running = self._pending.get(key)
        while running is not None:
            try:
                answer = await asyncio.shield(running)
            except asyncio.CancelledError:
                if not running.cancelled():
                    raise  # we were cancelled
                running = self._pending.get(key)  # only the one who asked first was: take its place
            else:
                self._ledger.line(request.alias, request.model).from_store += 1
                return answer
        stored = self._stored(key, request)
        if stored is not None:
            return stored
        mine: asyncio.Future[ChatAnswer] = asyncio.get_running_loop().create_future()
        self._pending[key] = mine
        try:
            answer = await self._get(key, request)
            mine.set_result(answer)
            return answer
        except Exception as error:
            mine.set_exception(error)
            mine.exception()  # seen, if nobody else waits for it
            raise
        finally:
            del self._pending[key]
            mine.cancel()

    def _stored(self, key: str, request: ChatRequest) -> ChatAnswer | None:
        answer = self._store.get(key)
        if answer is not None:
            self._ledger.line(request.alias, request.model).from_store += 1
            return answer
        if not self._retry_failed or key in self._failed_now:
            reason = self._store.failure(key)
            if reason is not None:
                raise NoAnswer(reason)
        return None

    async def _get(self, key: str, request: ChatRequest) -> ChatAnswer:
        """Send, and keep what came of it."""
        server = await self._opened(request.alias)
        reason = ""
        try:
            return self._store.put(key, request, await self._complete_answer(server, key, request))
        except (Refused, Exhausted) as error:
            reason = str(error)
        self._store.put_failure(key, request, reason)
        self._failed_now.add(key)
        raise NoAnswer(reason)

    async def _complete_answer(self, server: _Server, key: str, request: ChatRequest) -> ChatAnswer:
        """The first answer that is not cut, else the last one."""
        answer = await self._in_mode(server, key, request)
        for number in range(1, _TRUNCATED_RETRIES + 1):
            if not is_truncated(answer):
                break
            self._ledger.line(request.alias, request.model).retries += 1
            again = request.model_copy(update={"seed": named_seed(request.seed, key, f"truncated-{number}")})
            answer = await self._in_mode(server, f"{key}-{number}", again)
        return answer

    # -- structured output ------------------------------------------------------------------------

    async def _in_mode(self, server: _Server, key: str, request: ChatRequest) -> ChatAnswer:
        """Ask in the endpoint's mode; a refusal that is about the mode leads to the next weaker one."""
        while True:
            mode = await self._mode(server, request)
            try:
                return await self._send(server, key, request, mode)
            except Refused as error:
                if not structured.complains(str(error)):
                    raise
                weaker = structured.step_down(mode)
                if server.endpoint.settings.structured != "auto":
                    raise EndpointError(
                        f"endpoint {server.endpoint.name!r} ({server.endpoint.where}) does not take structured: {mode} "
                        f"for model {request.model!r}; set structured to auto ({error})"
                    ) from None
                if weaker is None:
                    raise
            if server.modes.get(request.model) == mode:  # the first one of several to notice
                self._remember(server, request.model, weaker)

    async def _mode(self, server: _Server, request: ChatRequest) -> Mode:
        fixed = server.endpoint.settings.structured
        if fixed != "auto":
            return fixed
        known = server.modes.get(request.model)
        if known is not None:
            return known
        async with server.probing:
            if request.model not in server.modes:
                recalled = self._store.recall(server.identity, request.model)
                for mode in structured.MODES:
                    if mode == recalled:
                        server.modes[request.model] = mode
            if request.model not in server.modes:
                self._remember(server, request.model, await self._probed(server, request))
            return server.modes[request.model]

    def _remember(self, server: _Server, model: str, mode: Mode) -> None:
        server.modes[model] = mode
        self._store.remember(server.identity, model, mode)

    async def _probed(self, server: _Server, request: ChatRequest) -> Mode:
        refusals = 0
        for mode in structured.MODES[:-1]:
            for number in range(_PROBE_TRIES):
                seed = named_seed(self._seed, request.model, f"probe-{mode}-{number}")
                question = structured.probe(request.alias, request.model, mode, seed)
                try:
                    answer = await self._send(server, f"probe {request.model} {mode} {number}", question, mode)
                except Refused:
                    refusals += 1
                    break
                except Exhausted:
                    break
                if structured.enforced(answer.text):
                    return mode
        if refusals == len(structured.MODES) - 1:
            await self._plain_probe(server, request)
        return "text"

    async def _plain_probe(self, server: _Server, request: ChatRequest) -> None:
        """Everything structured was refused: because of the form, or is something else wrong?"""
        question = structured.probe(request.alias, request.model, "text", self._seed % 2**31)
        reason = ""
        try:
            await self._send(server, f"probe {request.model} text", question, "text")
        except (Refused, Exhausted) as error:
            reason = str(error)
        if reason:
            raise EndpointError(
                f"endpoint {server.endpoint.name!r} ({server.endpoint.where}) refuses even a plain question to model "
                f"{request.model!r}: {reason}; correct the model's name or settings, then run the same command again"
            )

    # -- sending ----------------------------------------------------------------------------------

    async def _send(self, server: _Server, key: str, request: ChatRequest, mode: Mode) -> ChatAnswer:
        line = self._ledger.line(request.alias, request.model)
        price = self._routes[request.alias].price
        body = request_body(request, mode, request.seed)
        estimate = estimated_usage(request, mode)

        tries = 0

        async def send() -> tuple[ChatAnswer, Amount]:
            nonlocal tries
            tries += 1
            line.requests += 1
            line.retries += tries > 1
            # through extra_body the package sends the parameters as they are: checking them costs it a millisecond
            response = await server.client.chat.completions.with_raw_response.create(
                model=request.model, messages=[], extra_body=body
            )
            answer = read_answer(response.http_response.content, request.model)
            usage = answer.usage if answer.usage.total_tokens else estimated_usage(request, mode, answer.text)
            cost = cost_of(usage, price)
            line.usage += usage
            line.cost += cost
            return answer, Amount(usage.total_tokens, cost)

        reserved = Amount(estimate.total_tokens, cost_of(estimate, price))
        answer = await server.endpoint.call(key, f"model {request.model!r}", reserved, send)
        return _without_secrets(answer, server.endpoint.secrets)

    async def _opened(self, alias: str) -> _Server:
        name = self._routes[alias].endpoint
        server = self._servers.get(name)
        if server is None:
            async with self._opening:
                server = self._servers.get(name) or await self._open(name)
                self._servers[name] = server
        return server

    async def _open(self, name: str) -> _Server:
        settings = self._settings[name]
        key = read_key(name, settings)
        base_url = settings.base_url or ""
        identity = base_url
        where = base_url
        if settings.local is not None:
            llama = LocalLlama(name, settings.local, self._base_dir)
            await asyncio.to_thread(llama.__enter__)
            self._stack.push_async_callback(asyncio.to_thread, llama.__exit__, None, None, None)
            base_url = llama.base_url
            identity = f"local:{llama.title}"
            where = f"llama.cpp in this process, {llama.title}"
        self._on_open(name, where)
        client = _openai_client(base_url, key or _NO_KEY, settings.timeout_s)
        self._stack.push_async_callback(client.close)
        endpoint = Endpoint(
            name, where, settings, self._budget, self._seed, (key,) if key else (), self._store.forget_failures
        )
        return _Server(endpoint, client, identity)


def _without_secrets(answer: ChatAnswer, secrets: tuple[str, ...]) -> ChatAnswer:
    """A server that answers with its request headers must not bring the key into the store."""
    words = {name: without_key(getattr(answer, name), secrets) for name in ("text", "finish_reason", "model")}
    return answer.model_copy(update=words) if secrets else answer


def _openai_client(base_url: str, key: str, timeout_s: float) -> Any:
    """One client, and so one pool of connections, per endpoint. Retries are ours."""
    import openai

    # a proxy of the environment cannot reach this machine's own loopback address; redirects are `Endpoint`'s to tell
    own = openai.DefaultAsyncHttpxClient(trust_env=not is_loopback(base_url), follow_redirects=False)
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=timeout_s, http_client=own)
