"""What a failure means, and how long to wait."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.remote.retry import BadAnswer, Verdict, backoff_s, judge_error, judge_status, retry_after_s

NOW = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)


class Response:
    url = "http://llm.example/v1/chat/completions"

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


class StatusError(Exception):
    def __init__(self, status: int, headers: dict[str, str] | None = None, body: object = None, code: str = "") -> None:
        super().__init__(f"Error code: {status}")
        self.status_code = status
        self.response = Response(headers or {})
        self.body = body
        self.code = code


@pytest.mark.parametrize(
    ("verdict", "statuses"),
    [
        (Verdict.PUSH_BACK, [429]),
        (Verdict.RETRY, [408, 409, 500, 502, 503, 504, 529]),
        (Verdict.FATAL, [300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404]),
        (Verdict.REFUSED, [400, 413, 422]),
    ],
)
def test_statuses(verdict: Verdict, statuses: list[int]) -> None:
    assert {judge_status(status) for status in statuses} == {verdict}


def test_an_account_without_credit_is_not_waited_for() -> None:
    failure = judge_error(StatusError(429, code="insufficient_quota"))
    assert failure is not None
    assert failure.verdict is Verdict.FATAL


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.25", 0.25),
        ("-3", 0.0),
        ("Sat, 21 Nov 2026 08:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 07:00:00 GMT", 0.0),
        ("Saturday, 21-Nov-26 08:00:05 GMT", 5.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


@pytest.mark.parametrize(("status", "seconds"), [(429, 30.0), (503, 30.0), (500, None)])
def test_retry_after_is_read_from_the_response(status: int, seconds: float | None) -> None:
    failure = judge_error(StatusError(status, {"retry-after": "Sat, 21 Nov 2026 08:00:30 GMT"}), NOW)
    assert failure is not None
    assert failure.retry_after_s == seconds


@pytest.mark.parametrize(
    ("location", "moved_to"),
    [
        ("https://llm.example/v1/chat/completions?key=秘密", "https://llm.example"),
        ("https://user:secret@llm.example:8443/v1", "https://llm.example:8443"),
        ("//other.example/v1#top", "http://other.example"),
        ("/api/v1/chat/completions?key=秘密", "/api/v1/chat/completions"),
        ("http://llm.example/v1/chat/completions/", "/v1/chat/completions/"),
        ("http://[oops/v1", "another address"),
        ("mailto:someone", "another address"),
        ("", "another address"),
        (None, "another address"),
    ],
)
def test_where_a_redirect_leads_is_told_without_secrets(location: str | None, moved_to: str) -> None:
    failure = judge_error(StatusError(301, {} if location is None else {"location": location}))
    assert failure is not None
    assert (failure.verdict, failure.moved_to) == (Verdict.FATAL, moved_to)
    elsewhere = judge_error(StatusError(404, {"location": "https://other.example"}))
    assert elsewhere is not None and elsewhere.moved_to is None


def test_the_reason_is_the_servers_message_on_one_line() -> None:
    failure = judge_error(StatusError(400, body={"error": {"message": "提示太长\n  (9000 tokens)"}}))
    assert failure is not None
    assert failure.reason == "status 400: 提示太长 (9000 tokens)"


def test_what_no_network_does_is_not_judged() -> None:
    assert judge_error(TypeError("a defect")) is None
    assert judge_error(KeyError("a defect")) is None


@pytest.mark.parametrize(
    ("error", "verdict", "unreachable"),
    [
        (TimeoutError(), Verdict.PUSH_BACK, False),
        (ConnectionRefusedError(), Verdict.RETRY, True),
        (ConnectionResetError(), Verdict.RETRY, False),
        (json.JSONDecodeError("x", "", 0), Verdict.RETRY, False),
        (BadAnswer("no choices"), Verdict.RETRY, False),
    ],
)
def test_errors_without_a_status(error: Exception, verdict: Verdict, unreachable: bool) -> None:
    failure = judge_error(error)
    assert failure is not None
    assert (failure.verdict, failure.unreachable) == (verdict, unreachable)


@given(st.integers(0, 2**31), st.text(max_size=20), st.integers(1, 20))
def test_full_jitter_is_bounded_and_told_again_the_same(seed: int, key: str, attempt: int) -> None:
    wait = backoff_s(seed, key, attempt, 0.5, 30.0)
    assert 0.0 <= wait <= min(30.0, 0.5 * 2 ** (attempt - 1))
    assert wait == backoff_s(seed, key, attempt, 0.5, 30.0)


def test_the_jitter_fills_its_range() -> None:
    waits = [backoff_s(1, f"question-{number}", 3, 0.5, 30.0) for number in range(400)]
    assert min(waits) < 0.05
    assert max(waits) > 1.95
    assert 0.9 < sum(waits) / len(waits) < 1.1
