"""Stock as it changes: shops see each change that they may see, and only such changes."""

import asyncio
from typing import Any

import httpx
import pytest

from hub.access import keys
from hub.access.keys import Scope
from hub.lifecycle import Action
from hub.storage.database import Database
from hub_api.common.stock_changes import StockChanges
from hub_api.storefront import subscriptions
from subscribing import over_a_socket, server_sent
from world import World

STOCK = """subscription($skus: [String!]!, $after: String, $site: String) {
  availability(skus: $skus, after: $after, site: $site) { changed { sku band available } } }"""


def secret_of(world: World, *scopes: Scope) -> str:
    return world.write(lambda tx: keys.create(tx, "shop", scopes, world.now))[1]


def changed(payload: Any) -> list[tuple[str, str, int | None]]:
    found = payload["data"]["availability"]["changed"]
    return [(each["sku"], each["band"], each["available"]) for each in found]


def test_a_shop_sees_stock_at_once_and_then_what_changes(world: World) -> None:
    world.receive("SN-1")

    async def story(url: str) -> None:
        secret = secret_of(world, Scope.QUANTITIES)
        skus = ["CAM", "SAW", "NO-SUCH", "CAM"]
        async with server_sent(url, secret, STOCK, skus=skus) as events:
            _, payload = await anext(events)
            assert changed(payload) == [("CAM", "LOW", 1), ("SAW", "OUT", 0)]
            await asyncio.to_thread(world.receive, *[f"SN-{number}" for number in range(2, 8)])
            _, payload = await anext(events)
            assert changed(payload) == [("CAM", "IN_STOCK", 7)]
            await asyncio.to_thread(world.receive, "SAW-1", sku="SAW")
            cursor, payload = await anext(events)
            assert changed(payload) == [("SAW", "LOW", 1)]
        await asyncio.to_thread(world.do, Action.SELL, "SAW-1")
        async with server_sent(url, secret, STOCK, last=cursor, skus=skus) as events:
            _, payload = await anext(events)
            assert changed(payload) == [("SAW", "OUT", 0)]
        async with server_sent(url, secret, STOCK, skus=["CAM"], after=cursor) as events:
            _, payload = await anext(events)  # a cursor of other products: all of it
            assert changed(payload) == [("CAM", "IN_STOCK", 7)]

    over_a_socket(world, story)


def test_who_may_not_see_numbers_is_not_sent_their_changes(world: World) -> None:
    world.receive(*[f"SN-{number}" for number in range(10)])

    async def story(url: str) -> None:
        secret = secret_of(world, Scope.STOREFRONT)
        async with server_sent(url, secret, STOCK, skus=["CAM"]) as events:
            _, payload = await anext(events)
            assert changed(payload) == [("CAM", "IN_STOCK", None)]
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(world.do, Action.SELL, "SN-1")
            await asyncio.sleep(0.5)
            assert not waiting.done()
            await asyncio.to_thread(
                world.do, Action.SELL, *[f"SN-{number}" for number in range(2, 10)]
            )
            _, payload = await waiting
            assert changed(payload) == [("CAM", "LOW", None)]

    over_a_socket(world, story)


def test_a_reservation_that_ends_is_seen_without_an_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "LOOK_SECONDS", 0.1)
    world.receive("SN-1")
    reserve = """mutation { done: reserve(idempotencyKey: "k-1", cart: "c", ttlSeconds: 60,
      lines: [{sku: "CAM", quantity: 1}]) { __typename } }"""

    async def story(url: str) -> None:
        secret = secret_of(world, Scope.QUANTITIES)
        async with server_sent(url, secret, STOCK, skus=["CAM"]) as events:
            await anext(events)

            headers = {"authorization": f"Bearer {secret_of(world, Scope.CARTS)}"}
            async with httpx.AsyncClient(base_url=url, headers=headers) as http:
                answer = await http.post("/graphql", json={"query": reserve})
            assert answer.json()["data"]["done"]["__typename"] == "ReserveOutcome"
            assert changed((await anext(events))[1]) == [("CAM", "OUT", 0)]
            world.pass_time(seconds=61)
            assert changed((await anext(events))[1]) == [("CAM", "LOW", 1)]

    over_a_socket(world, story)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"skus": []}, "skus"),
        ({"skus": [f"P-{number}" for number in range(51)]}, "skus"),
        ({"skus": ["CAM"], "after": "%%%"}, "after"),
    ],
)
def test_bad_input_is_refused_before_a_stream_begins(
    world: World, given: dict[str, Any], field: str
) -> None:
    async def story(url: str) -> None:
        async with server_sent(url, secret_of(world, Scope.STOREFRONT), STOCK, **given) as events:
            _, payload = await anext(events)
            (error,) = payload["errors"]
            assert error["extensions"]["code"] == "INVALID_INPUT"
            assert error["extensions"]["field"] == field

    over_a_socket(world, story)


def test_many_streams_share_one_reader_and_leave_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[StockChanges] = []

    def made(database: Database) -> StockChanges:
        readers.append(StockChanges(database))
        return readers[-1]

    monkeypatch.setattr("hub_api.http.access.StockChanges", made)
    world.receive("SN-1")

    async def story(url: str) -> None:
        secret = secret_of(world, Scope.QUANTITIES)

        async def watch(number: int) -> list[tuple[str, str, int | None]]:
            async with server_sent(url, secret, STOCK, skus=["CAM"]) as events:
                await anext(events)
                opened.release()
                return changed((await anext(events))[1])

        opened = asyncio.Semaphore(0)
        watching = [asyncio.ensure_future(watch(number)) for number in range(20)]
        for _ in watching:
            await opened.acquire()
        await asyncio.to_thread(world.receive, "SN-2")
        assert await asyncio.gather(*watching) == [[("CAM", "LOW", 2)]] * 20
        (reader,) = readers
        for _ in range(50):
            if not reader._waiting:
                break
            await asyncio.sleep(0.1)
        assert not reader._waiting
        assert reader._task is None

    over_a_socket(world, story)
