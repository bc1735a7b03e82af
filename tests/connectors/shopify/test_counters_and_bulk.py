"""Shopify POS: each counter is a channel of its own; and years of orders come in one file."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors import NotFound, OrderRef, RateLimited, Rejected, Transient, Unknown
from connectors.registry import SettingsInvalid, connect
from connectors.shopify import documents
from connectors.shopify.bulk import document
from connectors.shopify.connector import Shopify
from connectors.shopify.selection import Selection, Sold
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from connectors.toolkit.rate_limits import NoRateLimits
from jobs import intake, poll
from world import World

BERLIN, PARIS = "gid://shopify/Location/2", "gid://shopify/Location/3"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@asynccontextmanager
async def connected(simulator: ShopifySimulator, **more: Any) -> AsyncIterator[Shopify]:
    async with serve(simulator.app) as url:
        connector: Any = connect(
            "shopify", simulator.settings(url, **more), rate_limits=NoRateLimits()
        )
        try:
            yield connector
        finally:
            await connector.api.aclose()
            await simulator.aclose()


async def pull_all(connector: Shopify) -> set[str]:
    found, cursor, more = set[str](), "", True
    while more:
        page = await connector.pull_orders(cursor)
        found |= {order.ref for order in page.items}
        cursor, more = page.cursor, page.more
    return found


@pytest.mark.slow
def test_each_order_belongs_to_exactly_one_of_the_channels_of_a_shop() -> None:
    async def scenario() -> None:
        simulator = ShopifySimulator()
        simulator.add_item("CAM", 500)
        web = {simulator.place_order({"CAM": 1}) for _ in range(15)}
        berlin = {
            simulator.place_order({"CAM": 1}, at_counter=True, counter=BERLIN) for _ in range(12)
        }
        paris = {
            simulator.place_order({"CAM": 1}, at_counter=True, counter=PARIS) for _ in range(3)
        }
        nowhere = simulator.place_order({"CAM": 1}, at_counter=True)
        simulator.orders[nowhere].retail_location = None
        pulled, placed = [], []
        for more in (
            {"orders": "online"},
            {"orders": "counter", "location_id": BERLIN},
            {"orders": "counter", "location_id": PARIS},
        ):
            async with connected(simulator, **more) as connector:
                pulled.append(await pull_all(connector))
                span = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC))
                placed.append({each.ref async for each in connector.snapshot_orders(*span)})
                for ref in (*web, *berlin, *paris, nowhere):
                    if ref not in pulled[-1]:
                        with pytest.raises(NotFound, match="another channel"):
                            await connector.read_order(ref)
        assert pulled == placed == [web | {nowhere}, berlin, paris]
        async with connected(simulator) as connector:
            assert await pull_all(connector) == web | berlin | paris | {nowhere}

    asyncio.run(scenario())


def test_pages_on_which_nothing_belongs_here_are_passed() -> None:
    clock = [NOW - timedelta(hours=5)]

    async def scenario() -> None:
        simulator = ShopifySimulator(clock=lambda: clock[0])
        simulator.add_item("CAM", 500)
        for _ in range(45):
            clock[0] += timedelta(minutes=6)
            simulator.place_order({"CAM": 1}, at_counter=True, counter=PARIS)
        clock[0] += timedelta(minutes=6)
        ref = simulator.place_order({"CAM": 1})
        async with connected(simulator, orders="online") as connector:
            assert await pull_all(connector) == {ref}

    asyncio.run(scenario())


def test_webhooks_and_returns_of_other_channels_are_let_pass() -> None:
    async def scenario() -> None:
        simulator = ShopifySimulator()
        simulator.subscribers.append("http://127.0.0.1:9/hook")
        simulator.add_item("CAM", 500)
        web = simulator.place_order({"CAM": 1})
        berlin = simulator.place_order({"CAM": 1}, at_counter=True, counter=BERLIN)
        line = simulator.orders[berlin].lines[0].id
        simulator.refund(berlin, {line: 1})
        await simulator.settle()
        named = []
        for more in ({"orders": "online"}, {"orders": "counter", "location_id": BERLIN}, {}):
            async with connected(simulator, **more) as connector:
                hints = [connector.read(each.topic, each.body) for each in simulator.sent]
                returns = (await connector.pull_returns("")).items
                named.append((hints, [each.order_ref for each in returns]))
        online, counter, everything = named
        assert online == ([(OrderRef(web),), (), ()], [])
        assert counter == ([(), (OrderRef(berlin),), ()], [berlin])
        assert everything[1] == [berlin]
        refund = json.dumps({"order_id": 7}).encode()
        assert Selection(Sold.ALL, "").holds_payload("refunds/create", json.loads(refund))

    asyncio.run(scenario())
    with pytest.raises(SettingsInvalid, match="orders"):
        connect("shopify", ShopifySimulator().settings("https://x.test", orders="some"))


def test_a_sale_of_the_counter_takes_the_unit_that_stood_there(world: World) -> None:
    async def scenario() -> None:
        simulator = ShopifySimulator(clock=lambda: world.now)
        simulator.add_item("CAM", 5)
        async with serve(simulator.app) as url:
            settings = simulator.settings(url, orders="counter", location_id=BERLIN)
            channel = world.channel(settings=settings)
            runtime = world.runtime()
            world.list_product(channel, remote={"inventory_item_id": next(iter(simulator.items))})
            world.receive("SN-1")
            simulator.place_order({"CAM": 1})
            ref = simulator.place_order({"CAM": 1}, at_counter=True, counter=BERLIN)
            assert await poll.poll(runtime, channel) == 1
            assert await intake.drain(runtime) == 1
            (sale,) = world.rows("SELECT * FROM sales_order")
            assert (sale["ref"], bool(sale["at_counter"])) == (ref, True)
            await runtime.connections.aclose()
            await simulator.aclose()

    asyncio.run(scenario())


@pytest.mark.slow
def test_years_of_orders_are_read_from_files() -> None:
    clock = [NOW - timedelta(days=400)]

    async def scenario() -> None:
        simulator = ShopifySimulator(clock=lambda: clock[0])
        simulator.bulk.looks = 3
        for sku in ("CAM", "LENS"):
            simulator.add_item(sku, 5000)
        placed, counter = list[str](), set[str]()
        for n in range(300):
            clock[0] += timedelta(days=1)
            placed.append(simulator.place_order({"CAM": 1, "LENS": 2}))
            if n % 10 == 0:
                counter.add(simulator.place_order({"CAM": 1}, at_counter=True, counter=BERLIN))
        since, until = NOW - timedelta(days=390), NOW
        async with connected(simulator) as connector:
            paged = len(simulator.calls)
            orders = [each async for each in connector.snapshot_orders(since, until)]
            assert len(simulator.calls) - paged < 40
        by_ref = {order.ref: order for order in orders}
        assert set(by_ref) == {*placed[9:], *sorted(counter, key=_number)[1:]}
        assert [line.sku for line in by_ref[placed[50]].lines] == ["LENS", "CAM"]
        assert [line.quantity for line in by_ref[placed[50]].lines] == [2, 1]
        async with connected(simulator, orders="counter", location_id=BERLIN) as connector:
            found = {each.ref async for each in connector.snapshot_orders(since, until)}
            assert found == set(by_ref) & counter
            nothing = NOW + timedelta(days=1)
            later = connector.snapshot_orders(nothing, nothing + timedelta(days=40))
            assert [each async for each in later] == []

    asyncio.run(scenario())


def _number(ref: str) -> int:
    return int(ref.rsplit("/", 1)[1])


def test_a_bulk_operation_that_fails_says_so() -> None:
    async def scenario() -> None:
        simulator = ShopifySimulator()
        simulator.add_item("CAM", 5)
        simulator.place_order({"CAM": 1})
        since = NOW - timedelta(days=40)
        async with connected(simulator) as connector:

            async def read() -> None:
                assert [each async for each in connector.snapshot_orders(since, NOW)]

            simulator.bulk.outcome = "FAILED"
            with pytest.raises(Transient, match="FAILED TIMEOUT"):
                await read()
            simulator.bulk.looks = 10_000
            for _ in range(5):
                simulator.bulk.begin({"orders": {"edges": []}}, [])
            with pytest.raises(RateLimited, match="as many bulk operations"):
                await read()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"RunBulk": {"bulkOperation": None, "userErrors": [{"code": "INVALID"}]}}, Rejected),
        ({"Bulk": None}, Transient),
        ({"file": "not json"}, Unknown),
        ({"file": "[1]"}, Unknown),
    ],
)
def test_what_a_bulk_operation_answers_strangely(answers: Any, error: type[Exception]) -> None:
    begun = {"bulkOperation": {"id": "gid://shopify/BulkOperation/1"}, "userErrors": []}
    done = {"status": "COMPLETED", "errorCode": None, "url": "https://files.test/1"}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "files.test":
            assert "shpat" not in str(request.headers)
            return httpx.Response(200, text=answers["file"])
        asked = json.loads(request.content)["query"]
        if "RunBulk" in asked:
            run = answers.get("RunBulk", begun)
            for problem in run["userErrors"]:
                problem.setdefault("message", "no")
            return httpx.Response(200, json={"data": {"bulkOperationRunQuery": run}})
        return httpx.Response(200, json={"data": {"bulkOperation": answers.get("Bulk", done)}})

    async def scenario() -> None:
        settings = ShopifySimulator().settings("https://shop.test")
        connector: Any = connect(
            "shopify", settings, transport=httpx.MockTransport(answer), rate_limits=NoRateLimits()
        )
        with pytest.raises(error):
            assert [each async for each in connector.snapshot_orders(NOW - timedelta(40), NOW)]
        await connector.api.aclose()

    asyncio.run(scenario())


def test_the_query_of_a_bulk_operation_takes_no_variables() -> None:
    written = document("created_at:>='2026' \"x\"")
    assert written.startswith("{")
    assert "$" not in written
    assert r"\"x\"" in written
    assert documents.BULK_ORDERS in documents.ALL
