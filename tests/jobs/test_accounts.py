"""Accounts at channels: all workers of a cluster together ask no more than one may."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors import AuthFailed
from connectors.connections import Connections
from connectors.shopify.connector import Shopify
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from connectors.toolkit.rate_limits import RateLimit, RateLimitReading
from connectors.toolkit.tokens import Token
from hub.storage.database import Database, open_database
from hub.storage.sql import Row
from jobs.shared_rate_limits import SharedRateLimits, SharedTokens, stores
from world import World

CALLS = RateLimit(name="calls", capacity=10, per_second=10)
QUOTA = RateLimit(name="quota", capacity=5, window_seconds=3_600)


@pytest.fixture
def workers(world: World, url: str) -> "AsyncIterator[list[Database]]":
    others = [open_database(url) for _ in range(2)]
    yield [world.database, *others]  # type: ignore[misc]
    for other in others:
        other.close()


def budgets_of(world: World, workers: list[Database], channel: Row) -> list[SharedRateLimits]:
    return [SharedRateLimits(each, lambda: world.now, channel["id"]) for each in workers]


async def granted(shared: list[SharedRateLimits], rate_limit: RateLimit, tries: int) -> int:
    waits = [await each.take(rate_limit, 1) for _ in range(tries) for each in shared]
    return waits.count(0)


def test_three_workers_share_one_budget(world: World, workers: list[Database]) -> None:
    shared = budgets_of(world, workers, world.channel())

    async def play() -> None:
        assert 8 <= await granted(shared, CALLS, 20) <= 10
        world.pass_time(seconds=0.5)
        assert await granted(shared, CALLS, 20) <= 5
        world.pass_time(seconds=60)
        assert 8 <= await granted(shared, CALLS, 20) <= 10
        assert await granted(shared, QUOTA, 20) == 5
        world.pass_time(minutes=59)
        assert await granted(shared, QUOTA, 20) == 0
        world.pass_time(minutes=2)
        assert await granted(shared, QUOTA, 20) == 5

    asyncio.run(play())


def test_what_one_worker_learns_holds_for_the_others(world: World, workers: list[Database]) -> None:
    first, second, third = budgets_of(world, workers, world.channel())

    async def play() -> None:
        await first.learn(CALLS, RateLimitReading(rate_limit="calls", remaining=0, per_second=2))
        assert await second.take(CALLS, 1) == pytest.approx(0.5)
        await second.block(CALLS, 30)
        assert await third.take(CALLS, 1) == pytest.approx(30)
        world.pass_time(seconds=31)
        assert await first.take(CALLS, 1) == 0

    asyncio.run(play())


def tokens_of(world: World, workers: list[Database], channel: Row) -> list[SharedTokens]:
    return [SharedTokens(each, world.vault, lambda: world.now, channel["id"]) for each in workers]


def test_one_worker_fetches_a_token_for_all(world: World, workers: list[Database]) -> None:
    channel = world.channel()
    shared = tokens_of(world, workers, channel)
    fetched: list[Token | None] = []

    async def exchange(last: Token | None) -> Token:
        fetched.append(last)
        await asyncio.sleep(0.05)
        return Token(access=f"token-{len(fetched)}", expires_at=9e9, refresh=f"r-{len(fetched)}")

    async def play() -> None:
        first = await asyncio.gather(*(each.renew(None, exchange) for each in shared))
        assert {token.access for token in first} == {"token-1"}
        second = await asyncio.gather(*(each.renew(first[0], exchange) for each in shared))
        assert {token.access for token in second} == {"token-2"}
        assert [last.refresh if last else None for last in fetched] == [None, "r-1"]

    asyncio.run(play())
    kept = world.value("SELECT sealed FROM channel_token")
    assert "token-2" not in kept


def test_a_worker_that_dies_while_fetching_is_followed_by_another(
    world: World, workers: list[Database]
) -> None:
    first, second, _ = tokens_of(world, workers, world.channel())

    async def dies(_last: Token | None) -> Token:
        raise KeyboardInterrupt

    async def exchange(_last: Token | None) -> Token:
        return Token(access="good", expires_at=9e9)

    async def killed() -> None:
        # As if the process were gone: nobody gives the claim back.
        first._keep = _nothing  # type: ignore[method-assign, assignment]
        await first.renew(None, dies)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(killed())
    world.pass_time(seconds=31)
    assert asyncio.run(second.renew(None, exchange)).access == "good"


async def _nothing(*_: object) -> None:
    return None


def test_a_refused_token_is_replaced_and_a_refused_app_calls_a_person(
    world: World, workers: list[Database]
) -> None:
    twin = ShopifySimulator()

    async def play() -> None:
        async with serve(twin.app) as url:
            settings = twin.settings(url)
            del settings["access_token"]
            settings["client_id"] = twin.app_id
            channel = world.channel(connector="shopify", settings=settings)
            each = [
                Connections(world.vault.open, stores(database, world.vault, lambda: world.now))
                for database in workers
            ]
            shops: list[Shopify] = [connections.of(channel) for connections in each]  # type: ignore[misc]
            await asyncio.gather(*(shop.check() for shop in shops))
            assert twin.tokens_issued == 1
            twin.expire_token()
            await asyncio.gather(*(shop.check() for shop in shops))
            assert twin.tokens_issued == 2
            twin.expire_token()
            twin.app_id = "removed"
            with pytest.raises(AuthFailed):
                await shops[0].check()
            for connections in each:
                await connections.aclose()

    asyncio.run(play())


def test_a_changed_pace_holds_at_once_for_all_workers(
    world: World, workers: list[Database]
) -> None:
    """Settings were changed: what is stored of the old pace does not outlive it."""
    first, second, _ = budgets_of(world, workers, world.channel())
    slow = RateLimit(name="calls", capacity=1, per_second=0.5)
    fast = RateLimit(name="calls", capacity=20, per_second=20)

    async def play() -> None:
        assert await granted([first, second], slow, 5) == 1
        assert await second.take(slow, 1) == pytest.approx(2.0)
        assert 15 <= await granted([first, second], fast, 20) <= 19
        world.pass_time(seconds=1)
        assert 15 <= await granted([first], fast, 40) <= 20
        world.pass_time(seconds=60)
        assert await granted([second], slow, 5) == 1, "slower again"

    asyncio.run(play())


def test_what_the_remote_reported_is_kept_while_the_pace_stays(
    world: World, workers: list[Database]
) -> None:
    first, second, _ = budgets_of(world, workers, world.channel())

    async def play() -> None:
        reading = RateLimitReading(rate_limit="calls", remaining=0, capacity=40, per_second=2)
        await first.learn(CALLS, reading)
        world.pass_time(seconds=60)
        assert 30 <= await granted([second], CALLS, 60) <= 40

    asyncio.run(play())
