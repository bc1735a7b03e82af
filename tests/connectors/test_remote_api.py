"""One remote API: pace, quick retries, and the translation into the six errors."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors import Conflict, RateLimited, Rejected, Remote, RemoteApi, Transient, Unknown
from connectors.remote import send_only_while
from connectors.toolkit.rate_limits import LocalRateLimits
from connectors.toolkit.retry_after import RETRY_AFTER_SECONDS_DEFAULT, retry_after_seconds

Answer = Callable[[httpx.Request], httpx.Response]


class FaultyTransport:
    """Answers with each of the given answers in turn; the last one stays."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json={"said": "no"}, headers={"retry-after": "0"})


def call(
    transport: Answer, method: str = "GET", remote: Remote | None = None, **options: Any
) -> Any:
    async def once() -> Any:
        other = remote or Remote(base_url="https://shop.test", calls_per_second=1000)
        api = RemoteApi(other, transport=httpx.MockTransport(transport))
        try:
            return await api.json(method, "/things", **options)
        finally:
            await api.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_safe_is_repeated_at_once(method: str) -> None:
    transport = FaultyTransport(503, httpx.ReadTimeout("slow"), 200)
    assert call(transport, method) == {"said": "no"}
    assert len(transport.requests) == 3


def test_a_post_is_repeated_only_when_it_says_so() -> None:
    transport = FaultyTransport(503, 200)
    with pytest.raises(Transient):
        call(transport, "POST")
    assert len(transport.requests) == 1
    assert call(FaultyTransport(503, 200), "POST", repeat=True) == {"said": "no"}
    with pytest.raises(Unknown):
        call(FaultyTransport(httpx.WriteError("broken"), 200), "PUT", repeat=False)


def test_quick_retries_end() -> None:
    transport = FaultyTransport(500)
    with pytest.raises(Transient):
        call(transport)
    assert len(transport.requests) == 3


@pytest.mark.parametrize("status", [400, 409, 429])
def test_a_refusal_is_never_repeated(status: int) -> None:
    transport = FaultyTransport(status)
    with pytest.raises((Rejected, Conflict, RateLimited)):
        call(transport)
    assert len(transport.requests) == 1


def test_an_accepted_status_is_handed_back() -> None:
    assert call(FaultyTransport(404), accept=(404,)) == {"said": "no"}


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (httpx.ConnectError("refused"), Transient),
        (httpx.ConnectTimeout("slow"), Transient),
        (httpx.PoolTimeout("busy"), Transient),
        (httpx.ReadTimeout("slow"), Unknown),
        (httpx.ReadError("reset"), Unknown),
        (httpx.WriteTimeout("slow"), Unknown),
        (httpx.RemoteProtocolError("closed"), Unknown),
        (httpx.DecodingError("gzip"), Unknown),
    ],
)
def test_a_broken_wire_says_whether_something_was_sent(
    broken: Exception, error: type[Exception]
) -> None:
    with pytest.raises(Transient) as caught:
        call(FaultyTransport(broken), "POST")
    assert type(caught.value) is error
    assert str(caught.value) == f"POST /things: {type(broken).__name__}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 1.0),
        ("2.5", 2.5),
        ("-5", 1.0),
        ("Sun, 01 Nov 2026 00:01:00 GMT", 60.0),
        ("Sun, 01 Nov 2020 00:00:00 GMT", 1.0),
        ("999999999", 86_400.0),
        ("nan", RETRY_AFTER_SECONDS_DEFAULT),
        ("soon", RETRY_AFTER_SECONDS_DEFAULT),
        ("", RETRY_AFTER_SECONDS_DEFAULT),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, now=1793491200.0) == seconds


def test_an_error_tells_the_path_and_neither_query_nor_secret() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422, text=f"{request.url} {dict(request.headers)} " + "x" * 500)

    remote = Remote(
        base_url="https://shop.test",
        headers={"X-Api-Key": "very-secret-key"},
        auth=("user-name", "pass-word-1"),
    )
    assert "very-secret-key" not in repr(remote)
    with pytest.raises(Rejected) as caught:
        call(answer, remote=remote, params={"token": "in-the-query"})
    reported = str(caught.value)
    assert reported.startswith("GET /things: 422 ")
    assert len(reported) <= 200
    assert not [
        each for each in ("in-the-query", "very-secret-key", "pass-word-1") if each in reported
    ]


def test_an_answer_that_is_not_json_is_an_unknown_outcome() -> None:
    with pytest.raises(Unknown, match="not JSON"):
        call(lambda _: httpx.Response(200, text="<html>"), "POST")


def test_our_own_pace_waits_shortly_and_hands_long_waits_to_the_jobs() -> None:
    now = [0.0]
    remote = Remote(base_url="https://shop.test", calls_per_second=0.5)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))

    async def run_case() -> None:
        api = RemoteApi(remote, transport=transport, rate_limits=LocalRateLimits(lambda: now[0]))
        await api.request("GET", "/")
        with pytest.raises(RateLimited) as caught:
            await api.request("GET", "/")
        assert caught.value.retry_after == 2.0
        now[0] = 2.0
        await api.request("GET", "/")
        await api.aclose()

    asyncio.run(run_case())


def test_a_burst_of_one_second_goes_out_at_once() -> None:
    remote = Remote(base_url="https://shop.test", calls_per_second=50)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))

    async def run_case() -> None:
        api = RemoteApi(remote, transport=transport, rate_limits=LocalRateLimits(lambda: 0.0))
        await asyncio.gather(*(api.request("GET", "/") for _ in range(50)))
        with pytest.raises(RateLimited):
            await asyncio.gather(*(api.request("GET", "/") for _ in range(60)))
        await api.aclose()

    asyncio.run(run_case())


def test_nothing_is_sent_once_the_lease_is_over() -> None:
    transport, may_send = FaultyTransport(200), [True, False, False, False]
    with send_only_while(lambda: may_send.pop(0)):
        call(transport, "POST")
        with pytest.raises(Transient, match="before the call was sent"):
            call(transport)
    assert len(transport.requests) == 1
    call(transport)
    assert len(transport.requests) == 2
