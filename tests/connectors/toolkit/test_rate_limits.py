"""Budgets: what may be asked of a remote, learned from its answers, never slept for in a lease."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from connectors import RateLimited, Remote, RemoteApi
from connectors.remote import rate_limit_wait
from connectors.toolkit.rate_limits import (
    LocalRateLimits,
    RateLimit,
    RateLimitReading,
    RateLimitState,
)

POINTS = RateLimit(name="points", capacity=100, per_second=10, weighted=True)
DAILY = RateLimit(name="daily", capacity=3, window_seconds=86_400, operations=frozenset({"report"}))


def test_a_bucket_refills_up_to_its_capacity_and_no_further() -> None:
    account = RateLimitState.full(POINTS, 0.0).spent(80)
    assert account.wait(POINTS, 20) == 0
    assert account.wait(POINTS, 50) == pytest.approx(3.0)
    assert account.refilled(POINTS, 3.0).wait(POINTS, 50) == 0
    assert account.refilled(POINTS, 1_000.0).left == 100


def test_what_never_fits_waits_for_a_full_bucket_and_is_owed_afterwards() -> None:
    account = RateLimitState.full(POINTS, 0.0)
    assert account.wait(POINTS, 150) == 0
    assert account.spent(150).wait(POINTS, 1) == pytest.approx(5.1)


def test_a_window_begins_anew_at_its_end() -> None:
    account = RateLimitState.full(DAILY, 0.0).spent(3)
    assert account.refilled(DAILY, 80_000.0).wait(DAILY, 1) == pytest.approx(6_400)
    assert account.refilled(DAILY, 86_400.0).wait(DAILY, 1) == 0


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing() -> None:
    account = RateLimitState.full(POINTS, 1_000.0).spent(100)
    assert account.refilled(POINTS, 10.0) == account


@pytest.mark.parametrize("given", [{"per_second": 0}, {"capacity": 0}, {"window_seconds": 5}])
def test_a_budget_that_can_not_be_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="x:"):
        RateLimit(**{"name": "x", "capacity": 1.0, "per_second": 1.0, **given})


def rate_limit_readings(response: httpx.Response) -> Sequence[RateLimitReading]:
    left = response.headers.get("x-left")
    return (RateLimitReading(rate_limit="points", remaining=float(left)),) if left else ()


class FaultyTransport:
    """A remote that says how much is left, and counts what it was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.now = 0.0
        remote = Remote(
            base_url="https://shop.test",
            calls_per_second=1_000,
            rate_limits=(POINTS, DAILY),
            rate_limit_readings=rate_limit_readings,
        )
        self.api = RemoteApi(
            remote,
            attempts=1,
            transport=httpx.MockTransport(self._answer),
            rate_limits=LocalRateLimits(lambda: self.now),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.answers.pop(0) if self.answers else httpx.Response(200)


def test_the_remote_is_believed_about_what_is_left() -> None:
    transport = FaultyTransport(httpx.Response(200, headers={"x-left": "5"}))

    async def play() -> None:
        await transport.api.request("GET", "/", cost=10)
        assert await transport.api.wait() == 0
        with rate_limit_wait(0), pytest.raises(RateLimited) as caught:
            await transport.api.request("GET", "/", cost=25)
        assert caught.value.own
        assert caught.value.retry_after == pytest.approx(2.0)
        transport.now = 2.0
        await transport.api.request("GET", "/", cost=25)

    asyncio.run(play())
    assert len(transport.asked) == 2


def test_a_quota_of_one_operation_leaves_the_others_alone() -> None:
    transport = FaultyTransport()

    async def play() -> None:
        for _ in range(3):
            await transport.api.request("GET", "/report", operation="report")
        with pytest.raises(RateLimited):
            await transport.api.request("GET", "/report", operation="report")
        assert await transport.api.wait("report") > 80_000
        await transport.api.request("GET", "/orders", operation="orders")

    asyncio.run(play())
    assert transport.asked == ["/report"] * 3 + ["/orders"]


@pytest.mark.parametrize("after", ["7", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_after_a_429_nobody_asks_until_the_remote_wants_it(after: str) -> None:
    transport = FaultyTransport(httpx.Response(429, headers={"retry-after": after}))

    async def play() -> None:
        with pytest.raises(RateLimited) as first:
            await transport.api.request("GET", "/")
        assert not first.value.own
        with rate_limit_wait(0), pytest.raises(RateLimited) as second:
            await transport.api.request("GET", "/")
        assert second.value.own
        assert second.value.retry_after == pytest.approx(first.value.retry_after)
        transport.now = first.value.retry_after
        await transport.api.request("GET", "/")

    asyncio.run(play())
    assert len(transport.asked) == 2


def test_work_that_was_begun_waits_for_its_next_call() -> None:
    """A push that reads and then writes needs two calls; a bucket of one never holds both."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(200, json={})

    async def play() -> None:
        remote = Remote(base_url="https://shop.test", calls_per_second=20.0)
        bucket = RateLimit(name="calls", capacity=1, per_second=20.0)
        api = RemoteApi(
            replace(remote, rate_limits=(bucket,)),
            transport=httpx.MockTransport(answer),
            rate_limits=LocalRateLimits(),
        )
        with rate_limit_wait(0, started=5):
            await api.request("GET", "/stock")
            await api.request("PUT", "/stock")
        with rate_limit_wait(0, started=5), pytest.raises(RateLimited):
            await api.request("GET", "/stock")  # not begun: it is released
        await api.aclose()

    asyncio.run(play())
    assert asked == ["GET", "PUT"]
