"""What a failed HTTP request means for the next one, and how long to wait before it.

Knows statuses and the shape of the common client libraries' exceptions, nothing about what was asked.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import urljoin, urlsplit

from data_schemas.foundation.randomness import named_generator

#: Retry-After is obeyed up to this many times ``max_backoff_s``; a server that asks for a day is not waited for.
RETRY_AFTER_CAP = 4.0

_TOO_MANY = 429
_BUSY_WITH_TIME = 503
_SERVER_ERRORS = 500
#: Redirects are followed nowhere: a POST would become a GET, or every question go twice and the key first to the wrong
#: address.
_REDIRECTS = range(300, 400)
#: request timeout, conflict, too early, nginx "client closed request": tried again by the usual clients
_RETRY = frozenset({408, 409, 425, 499})
#: no key, no money, no rights, no such path or model, wrong method, proxy asks for a login
_FATAL = frozenset({401, 402, 403, 404, 405, 407})
#: OpenAI's 429 that no waiting mends: the account is out of credit
_FATAL_CODES = frozenset({"insufficient_quota"})
_ELSEWHERE = "another address"
_TRANSPORT_PACKAGES = frozenset({"openai", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp"})


class BadAnswer(ValueError):
    """A status of 200 whose body is not what the protocol promises."""


class Verdict(Enum):
    """What to do next."""

    RETRY = "retry"  # again after a while: 5xx, a lost connection, a body that is cut or no JSON
    PUSH_BACK = "push back"  # again, and with fewer at a time: 429, timeouts
    FATAL = "fatal"  # no question will get through
    REFUSED = "refused"  # not this question


@dataclass(frozen=True)
class Failure:
    """One failed try. ``reason`` is a clause of the server's or the client's words: redact it before use."""

    verdict: Verdict
    reason: str
    status: int | None = None
    #: seconds the server asks to wait
    retry_after_s: float | None = None
    #: no connection came about, so the question cannot be the cause
    unreachable: bool = False
    #: where a redirect leads: another origin, or a path of the same
    moved_to: str | None = None


def judge_status(status: int) -> Verdict:
    """Meaning of an HTTP status of 300 and above.

    >>> [judge_status(status).name for status in (429, 500, 401, 308, 422)]
    ['PUSH_BACK', 'RETRY', 'FATAL', 'FATAL', 'REFUSED']
    """
    if status == _TOO_MANY:
        return Verdict.PUSH_BACK
    if status in _FATAL or status in _REDIRECTS:
        return Verdict.FATAL
    if status >= _SERVER_ERRORS or status in _RETRY:
        return Verdict.RETRY
    return Verdict.REFUSED


def judge_error(error: Exception, now: datetime | None = None) -> Failure | None:
    """Meaning of an exception; None for one that is no matter of the network (a defect: let it rise).

    ``now`` is the time Retry-After dates are compared with (default: the clock).
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _of_status(error, status, now or datetime.now(UTC))
    chain = [error, error.__cause__, error.__context__]
    names = " ".join(kind.__name__ for link in chain if link is not None for kind in type(link).__mro__)
    unreachable = "ConnectError" in names or "ConnectTimeout" in names or "ConnectionRefused" in names
    if "Timeout" in names and not unreachable:
        return Failure(Verdict.PUSH_BACK, "no answer within the time limit")
    if unreachable:
        return Failure(Verdict.RETRY, "no connection", unreachable=True)
    if isinstance(error, json.JSONDecodeError):
        return Failure(Verdict.RETRY, "the answer's body is not JSON")
    if isinstance(error, BadAnswer):
        return Failure(Verdict.RETRY, str(error))
    if isinstance(error, OSError) or type(error).__module__.split(".")[0] in _TRANSPORT_PACKAGES:
        return Failure(Verdict.RETRY, f"the connection broke ({type(error).__name__})")
    return None


def _of_status(error: Exception, status: int, now: datetime) -> Failure:
    verdict = judge_status(status)
    if str(getattr(error, "code", "")) in _FATAL_CODES:
        verdict = Verdict.FATAL
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    wait = None
    if status in (_TOO_MANY, _BUSY_WITH_TIME):
        wait = retry_after_s(headers.get("retry-after"), now)
    moved_to = _moved_to(error, headers.get("location")) if status in _REDIRECTS else None
    return Failure(verdict, f"status {status}: {_words_of(error)}", status, wait, moved_to=moved_to)


def _moved_to(error: Exception, location: str | None) -> str:
    """Without user, query and fragment: they may hold a key."""
    asked = str(getattr(getattr(error, "response", None), "url", ""))
    try:
        old, new = urlsplit(asked), urlsplit(urljoin(asked, location or ""))
    except ValueError:
        return _ELSEWHERE
    if not location or not new.netloc:
        return _ELSEWHERE
    origin = f"{new.scheme}://{new.netloc.rpartition('@')[2]}"
    return new.path if (new.scheme, new.netloc) == (old.scheme, old.netloc) else origin


def _words_of(error: Exception) -> str:
    """The server's own message where it has one, on one line."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body.get("detail", body))  # FastAPI's errors have a detail
        words = inner.get("message") if isinstance(inner, dict) else inner
        if not isinstance(words, str):
            words = json.dumps(body, ensure_ascii=False, default=str)
    else:
        words = str(body or error)
    return " ".join(words.split()) or "no message"


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as an HTTP date (RFC 9110, 10.2.3); None if unreadable.

    >>> retry_after_s("1.5", datetime(2026, 1, 1, tzinfo=UTC))
    1.5
    >>> retry_after_s("Thu, 01 Jan 2026 00:00:30 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    30.0
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def backoff_s(seed: int, key: str, attempt: int, first_s: float, longest_s: float) -> float:
    """Full jitter: uniform between 0 and ``first_s * 2**(attempt-1)``, at most ``longest_s``.

    AWS Architecture Blog, "Exponential Backoff And Jitter", 2015. ``attempt`` is 1 before the first retry.
    The draw belongs to (seed, key, attempt), so a run can be told again.
    """
    ceiling = min(longest_s, first_s * 2.0 ** (attempt - 1))
    return float(named_generator(seed, key, f"retry-{attempt}").uniform(0.0, ceiling))
