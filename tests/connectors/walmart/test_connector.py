"""The Walmart connector talks to its simulator over a real socket, and keeps to the contracts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors import (
    AuthFailed,
    Conflict,
    NotFound,
    OrderRef,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.registry import SettingsInvalid, connect
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from connectors.toolkit.rate_limits import LocalRateLimits, NoRateLimits
from connectors.walmart.connector import Walmart
from connectors.walmart.mapping import (
    operation_of,
    order_refs,
    parse_order,
    parse_time,
    read_rate_limits,
)
from connectors.walmart.simulator.server import WalmartSimulator
from contracts import Contract, example
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderState, ReturnState, StockLevel
from pulling import pull_all

CaseFunction = Callable[[WalmartSimulator, Walmart], Awaitable[None]]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@asynccontextmanager
async def connected(simulator: WalmartSimulator, **more: Any) -> AsyncIterator[Walmart]:
    async with serve(simulator.app) as url:
        connector: Any = connect(
            "walmart", simulator.settings(url, **more), rate_limits=NoRateLimits()
        )
        try:
            yield connector
        finally:
            await connector.api.aclose()
            await simulator.aclose()


def run(scenario: CaseFunction, simulator: WalmartSimulator | None = None, **more: Any) -> None:
    async def reported() -> None:
        seller = simulator or WalmartSimulator()
        async with connected(seller, **more) as connector:
            await scenario(seller, connector)

    asyncio.run(reported())


def level(sku: str, available: int, expected: int | None = None) -> StockLevel:
    return StockLevel(
        listing=sku, sku=sku, available=available, remote={"sku": sku}, expected=expected, key="k"
    )


def shipped(order: Order, *serials: str, reference: str = "F1", **more: Any) -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=serials),),
        shipped_at=NOW,
        **{"carrier": "fedex", "tracking": "T1", **more},
    )


def test_check_says_what_is_wrong() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        await connector.check()
        simulator.scopes["inventory"] = "view_only"
        with pytest.raises(AuthFailed, match="full access to inventory"):
            await connector.check()
        simulator.tokens.clear()
        simulator.client = ("another", "secret")
        with pytest.raises(AuthFailed, match="no token was given"):
            await connector.check()

    run(scenario)
    settings = WalmartSimulator().settings("https://x.test")
    for changes, reported in (
        ({"webhook_secret": None}, "webhook_secret too"),
        ({"client_id": "a:b"}, "client_id"),
        ({"shipnode": "1"}, "shipnode"),
    ):
        with pytest.raises(SettingsInvalid, match=reported):
            connect("walmart", {**settings, **changes})


@pytest.mark.slow
def test_orders_come_in_span_by_span_and_are_promised_once_they_are_stored() -> None:
    clock = [datetime.now(UTC) - timedelta(hours=5)]
    simulator = WalmartSimulator(clock=lambda: clock[0])

    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 1000)
        refs = set[str]()
        for _ in range(230):
            clock[0] += timedelta(seconds=30)
            refs.add(simulator.place_order({"CAM": 1}))
        theirs = simulator.place_order({"CAM": 1}, node="WFSFulfilled")
        first = await connector.pull_orders("")
        while not first.items:
            first = await connector.pull_orders(first.cursor)
        assert 0 < len(first.items) <= 200
        assert first.more
        promised = [call for call in simulator.calls if call.endswith("acknowledge")]
        assert promised == [], "nothing was stored yet"
        rest, cursor = await pull_all(connector, first.cursor)
        assert {order.ref for order in (*first.items, *rest)} == refs
        assert "twin-buyer" not in repr(rest)
        await pull_all(connector, cursor)
        promised = [call for call in simulator.calls if call.endswith("acknowledge")]
        assert len(promised) == 230
        states = {order.remote_state for order in (await pull_all(connector))[0]}
        assert states == {"Acknowledged"}
        with pytest.raises(NotFound, match="its units are none of ours"):
            await connector.read_order(theirs)
        with pytest.raises(NotFound):
            await connector.read_order("1")
        since = NOW - timedelta(days=1)
        window = [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        assert {each.ref for each in window} == refs
        assert not [each async for each in connector.snapshot_orders(since, NOW - timedelta(1))]

    run(scenario, simulator)


def test_an_order_that_changes_while_the_others_are_read_hides_none() -> None:
    clock = [datetime.now(UTC) - timedelta(hours=5)]
    simulator = WalmartSimulator(clock=lambda: clock[0])

    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 1000)
        placed = []
        for _ in range(550):
            clock[0] += timedelta(seconds=30)
            placed.append(simulator.place_order({"CAM": 1}))
        clock[0] = datetime.now(UTC)
        seen, cursor, more, calls = set[str](), "", True, 0
        while more:
            page = await connector.pull_orders(cursor)
            seen |= {order.ref for order in page.items}
            cursor, more, calls = page.cursor, page.more, calls + 1
            simulator.cancel(placed[400 + calls])
        assert seen >= set(placed) - {placed[400 + n] for n in range(1, calls + 1)}
        assert calls < 40
        assert {order.ref for order in (await pull_all(connector, cursor))[0]} >= {placed[401]}

    run(scenario, simulator, acknowledge=False)


def test_more_than_a_page_in_one_second_is_read_to_its_end() -> None:
    at = datetime.now(UTC) - timedelta(hours=5)
    simulator = WalmartSimulator(clock=lambda: at)

    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 1000)
        refs = {simulator.place_order({"CAM": 1}) for _ in range(430)}
        assert {order.ref for order in (await pull_all(connector))[0]} == refs

    run(scenario, simulator, acknowledge=False)


def test_who_does_not_promise_leaves_it_to_others() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 9)
        simulator.place_order({"CAM": 1})
        _, cursor = await pull_all(connector)
        await pull_all(connector, cursor)
        assert not any("acknowledge" in call for call in simulator.calls)

    run(scenario, acknowledge=False)


def test_an_order_that_is_gone_holds_up_no_promise() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 9)
        first, second = (simulator.place_order({"CAM": 1}) for _ in range(2))
        _, cursor = await pull_all(connector)
        del simulator.orders[first]
        simulator.fail_next(Fault.SERVER_ERROR, times=3, containing=f"{second}/acknowledge")
        with pytest.raises(Transient):
            await connector.pull_orders(cursor)
        await pull_all(connector, cursor)
        assert (await connector.read_order(second)).remote_state == "Acknowledged"

    run(scenario)


def test_serials_and_cancelled_units_are_read() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 9)
        ref = simulator.place_order({"CAM": 2}, serials={"CAM": ["SN1", "SN2"]})
        order = await connector.read_order(ref)
        assert order.lines[0].serials == ("SN1", "SN2")
        assert (order.state, order.number) == (OrderState.OPEN, f"C{ref}")
        simulator.cancel(ref)
        order = await connector.read_order(ref)
        assert (order.state, order.lines[0].quantity) == (OrderState.CANCELLED, 0)

    run(scenario)


def test_the_official_examples_are_read_without_loss() -> None:
    read = 0
    for case in example("walmart", "orders.examples.json"):
        if not case["where"].startswith("response"):
            continue
        body = case["body"]
        for each in body["list"]["elements"]["order"] if "list" in body else [body["order"]]:
            order, read = parse_order(each), read + 1
            lines = each["orderLines"]["orderLine"]
            assert (order.ref, len(order.lines)) == (each["purchaseOrderId"], len(lines))
            assert all(line.quantity == 1 for line in order.lines)
            assert order.placed_at.timestamp() * 1000 == each["orderDate"]
    assert read >= 4
    assert parse_time("2026-11-01T00:00:00") == NOW


def test_quantities_are_set_beside_what_is_reserved() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        for sku in ("A", "B/1 ü", "C"):
            simulator.add_item(sku, 5)
        simulator.place_order({"A": 2})
        levels = [level("A", 4, 3), level("B/1 ü", 5), level("nope", 1), level("C", -1)]
        answers = {each.listing: each for each in await connector.push_stock(levels)}
        assert (simulator.items["A"], simulator.quantity("A"), answers["A"].quantity) == (6, 4, 4)
        assert isinstance(answers["nope"].error, NotFound)
        assert isinstance(answers["C"].error, Rejected)
        assert sum(call.startswith("PUT") for call in simulator.calls) == 2
        simulator.place_order({"A": 1})
        (result,) = await connector.push_stock([level("A", 9, expected=4)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == 3
        for n in range(120):
            simulator.add_item(f"S{n}", n)
        seen = {each.sku: each.quantity async for each in connector.snapshot_stock()}
        assert (len(seen), seen["A"], seen["S119"]) == (123, 3, 119)

    run(scenario)


def test_many_quantities_go_in_one_feed_and_each_is_answered() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        for n in range(50):
            simulator.add_item(f"S{n}", 1)
        simulator.feed_looks = 3
        levels = [level(f"S{n}", 2 if n != 13 else -5) for n in range(50)]
        answers = {each.listing: each for each in await connector.push_stock(levels)}
        assert (len(simulator.feeds), sum(call.startswith("PUT") for call in simulator.calls)) == (
            1,
            0,
        )
        assert (simulator.quantity("S0"), simulator.quantity("S13"), simulator.quantity("S49")) == (
            2,
            1,
            2,
        )
        assert [name for name, each in answers.items() if each.error] == ["S13"]
        assert "negative" in str(answers["S13"].error)
        simulator.feed_looks = 10_000
        object.__setattr__(connector._store, "feed_seconds", 0.03)
        late = await connector.push_stock([level(f"S{n}", 3) for n in range(50)])
        assert {type(each.error) for each in late} == {Unknown}

    run(scenario)


def test_several_nodes_need_a_name() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("A", 5)
        node = simulator._shown("A")["nodes"][0]
        nodes = {"nodes": [node, {**node, "shipNode": "2"}]}
        with pytest.raises(Rejected, match="several ship nodes"):
            connector._store.node_of(nodes)
        object.__setattr__(connector._store, "ship_node", "2")
        assert connector._store.node_of(nodes) is not None
        (result,) = await connector.push_stock([level("A", 1)])
        assert isinstance(result.error, NotFound)

    run(scenario)


def test_a_shipment_is_told_once() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 9)
        order = await connector.read_order(simulator.place_order({"CAM": 3}))
        with pytest.raises(Rejected, match="tracking"):
            await connector.push_fulfillment(shipped(order, "SN1", tracking=None))
        simulator.fail_next(Fault.LOST_ANSWER, containing="/shipping")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert (await connector.read_order(order.ref)).lines[0].fulfilled == 1
        # A second parcel under the same number is another parcel.
        second = shipped(order, "SN2", reference="F2")
        await connector.push_fulfillment(second)
        await connector.push_fulfillment(second)
        assert (await connector.read_order(order.ref)).lines[0].fulfilled == 2
        other = shipped(order, "SN3", reference="F3", carrier="Bike Messenger", tracking="T2")
        await connector.push_fulfillment(other)
        await connector.push_fulfillment(shipped(order, "SN1"))
        order = await connector.read_order(order.ref)
        assert (order.state, order.lines[0].fulfilled) == (OrderState.FULFILLED, 3)
        parts = simulator.orders[order.ref]["orderLines"]["orderLine"][0]["orderLineStatuses"]
        carriers = [each["trackingInfo"]["carrierName"] for each in parts["orderLineStatus"]]
        assert carriers == [{"carrier": "FedEx"}] * 2 + [{"otherCarrier": "Bike Messenger"}]
        stray = FulfillmentLine(order_line_ref="9", serials=("S",))
        with pytest.raises(NotFound, match="no line 9"):
            await connector.push_fulfillment(replace(other, reference="F4", lines=(stray,)))

    run(scenario)


def test_returns_come_in_and_say_what_is_back() -> None:
    clock = [datetime.now(UTC) - timedelta(hours=5)]
    simulator = WalmartSimulator(clock=lambda: clock[0])

    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.add_item("CAM", 900)
        order = await connector.read_order(simulator.place_order({"CAM": 3}))
        other = simulator.place_order({"CAM": 1})
        await connector.push_fulfillment(shipped(order, "SN1", "SN2", "SN3"))
        assert await connector.read_returns(order.ref) == []
        parts = [
            {"status": status, "quantity": {"unitOfMeasure": "EACH", "measurementValue": 1}}
            for status in ("DELIVERED", "INITIATED")
        ]
        simulator.create_return(order.ref, 2, currentTrackingStatuses=parts)
        simulator.create_return(order.ref, 1, "COMPLETED", refundedQty=1, isKeepIt=True)
        simulator.create_return(other, 1, "CANCELLED")
        coming, kept = await connector.read_returns(order.ref)
        assert (coming.state, coming.refunded) == (ReturnState.OPEN, False)
        assert (coming.lines[0].quantity, coming.lines[0].arrived) == (2, 1)
        assert coming.lines[0].order_line_ref == order.lines[0].ref
        assert (kept.state, kept.refunded) == (ReturnState.CLOSED, True)
        assert (kept.lines[0].comes_back, kept.lines[0].arrived) == (False, 0)
        (withdrawn,) = await connector.read_returns(other)
        assert withdrawn.state is ReturnState.CANCELLED
        for _ in range(210):
            clock[0] += timedelta(seconds=40)
            simulator.create_return(other, 1)
        found, cursor, more = set[str](), "", True
        while more:
            page = await connector.pull_returns(cursor)
            found |= {each.ref for each in page.items}
            cursor, more = page.cursor, page.more
        assert len(found) == 213
        assert "twin-buyer" not in repr(page.items)

    run(scenario, simulator)


@pytest.mark.parametrize("scheme", ["body", "address"])
def test_notices_are_verified_in_both_ways(scheme: str) -> None:
    simulator = WalmartSimulator()
    simulator.scheme = scheme

    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        simulator.subscribers.append("http://127.0.0.1:9/webhooks/walmart?from=twin")
        simulator.add_item("CAM", 5)
        ref = simulator.place_order({"CAM": 1})
        await simulator.settle()
        (sent,) = simulator.sent
        headers = {name.lower(): value for name, value in sent.headers.items()}
        delivery = connector.verify(headers, sent.body, NOW)
        assert (delivery.id, delivery.topic) == (sent.id, "PO_CREATED")
        assert connector.read(delivery.topic, sent.body) == (OrderRef(ref),)
        with pytest.raises(AuthFailed):
            connector.verify(headers, sent.body + b" ", NOW)
        if scheme == "address":
            with pytest.raises(AuthFailed):
                connector.verify({**headers, "wm_sec.timestamp": "1"}, sent.body, NOW)
        without = connect("walmart", {"client_id": "a", "client_secret": "secret"})
        with pytest.raises(AuthFailed, match="webhook_secret"):
            without.verify(headers, sent.body, NOW)

    run(scenario, simulator)


def test_notices_are_read_liberally() -> None:
    deep = {"eventType": "PO_CREATED", "payload": [{"x": {"purchaseOrderId": 12}}]}
    assert order_refs("PO_CREATED", json.dumps(deep).encode()) == (OrderRef("12"),)
    assert order_refs("OFFER_UNPUBLISHED", json.dumps(deep).encode()) == ()
    nested = {"payload": {"a": {"b": {"c": {"purchaseOrderId": "1"}}}}}
    assert order_refs("PO_CREATED", json.dumps(nested).encode()) == ()


def test_what_is_left_of_a_budget_is_learned_from_the_answers() -> None:
    assert operation_of("GET", "/v3/orders?limit=1") == "GET /v3/orders"
    assert operation_of("GET", "/v3/inventories/A%2F1") == "GET /v3/inventories"
    assert operation_of("GET", "/v3/token/detail") == ""

    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        learned = LocalRateLimits()
        connector.api._rate_limit_store = learned
        soon = int((datetime.now(UTC) + timedelta(seconds=30)).timestamp() * 1000)
        simulator.read_rate_limits = {
            "X-Current-Token-Count": "3",
            "X-Next-Replenishment-Time": str(soon),
        }
        await connector.pull_orders("")
        account = learned._accounts["GET /v3/orders"]
        assert account.left == 3
        assert 25 < account.window_ends - account.at <= 30

    run(scenario)
    request = httpx.Request("GET", "https://x.test/v3/orders")
    assert read_rate_limits(httpx.Response(200, request=request)) == ()


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: WalmartSimulator, connector: Walmart) -> None:
        for sku in ("A", "B"):
            simulator.add_item(sku, 1)
        simulator.fail_next(Fault.RATE_LIMITED, containing="GET /v3/orders")
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.RATE_LIMITED, containing="GET /v3/inventories/A")
        answers = {e.listing: e for e in await connector.push_stock([level("A", 4), level("B", 4)])}
        assert isinstance(answers["A"].error, RateLimited)
        assert answers["B"].quantity == 4
        simulator.fail_next(Fault.LOST_ANSWER, containing="PUT")
        assert (await connector.push_stock([level("A", 4)]))[0].quantity == 4
        simulator.tokens.clear()
        assert (await connector.push_stock([level("A", 5)]))[0].quantity == 5

    run(scenario)


def test_every_request_keeps_to_the_official_contracts() -> None:
    names = ("orders", "inventory", "authentication", "returns")
    contracts = [Contract.at("walmart", f"walmart-marketplace-{name}.json") for name in names]
    sent = asyncio.run(every_request())
    # The contract at hand does not hold the state of a feed, nor the query that Walmart itself
    # wrote for the next page.
    beyond = [
        each
        for each in sent
        if each.url.path.startswith("/v3/feeds/") or "hasMoreElements" in each.url.params
    ]
    ours = [each for each in sent if each not in beyond]
    for request in ours:
        contract = next(each for each in contracts if each.knows(request, ""))
        if request.headers.get("content-type", "").startswith("multipart"):
            contract.checked.append("updateBulkInventory")
            assert b'name="file"' in request.content
            continue
        contract.check(request, "")
    checked = [each for contract in contracts for each in contract.checked]
    assert len(checked) == len(ours)
    assert any(each.url.path.startswith("/v3/feeds/") for each in beyond)
    assert any("hasMoreElements" in each.url.params for each in beyond)
    assert set(checked) == {
        "getTokenDetail",
        "getAllOrders",
        "getAnOrder",
        "acknowledgeOrders",
        "shippingUpdates",
        "getMultiNodeInventoryForSkuAndAllShipnodes",
        "getMultiNodeInventoryForAllSkuAndAllShipNodes",
        "updateInventoryForAnItem",
        "updateBulkInventory",
        "getReturns",
    }


async def every_request() -> list[httpx.Request]:
    """Use the whole connector once and keep what it sent."""
    # All orders are of one second: only then no span is narrow enough for one page.
    now = datetime.now(UTC)
    simulator, sent = WalmartSimulator(lambda: now), list[httpx.Request]()

    async def keep(request: httpx.Request) -> None:
        await request.aread()
        sent.append(request)

    async with connected(simulator, acknowledge=False) as connector:
        connector.api._client.event_hooks["request"].append(keep)
        for n in range(26):
            simulator.add_item(f"S{n}", 9)
        await connector.check()
        simulator.add_item("CAM", 900)
        refs = [simulator.place_order({"CAM": 1}) for _ in range(201)]
        await pull_all(connector)
        await connector.push_stock([level("S0", 4)])
        await connector.push_stock([level(f"S{n}", 5) for n in range(26)])
        assert [each async for each in connector.snapshot_stock()]
        since = datetime.now(UTC) + timedelta(days=1)
        assert not [each async for each in connector.snapshot_orders(since, since)]
        await connector.push_fulfillment(shipped(await connector.read_order(refs[0]), "C-1"))
        await connector.pull_returns("")
        await connector.read_returns(refs[0])
    return sent


def test_a_list_that_walmart_answers_with_404_is_empty_and_the_walk_goes_on() -> None:
    """A new seller, or half a year without orders: later spans still come in."""
    error = {"errors": {"error": [{"code": "CONTENT_NOT_FOUND.GMP_ORDER_API"}]}}
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        asked.append(request.url.path)
        return httpx.Response(404, json=error)

    async def play() -> None:
        connector: Any = connect(
            "walmart",
            WalmartSimulator().settings("https://walmart.test"),
            rate_limits=NoRateLimits(),
            transport=httpx.MockTransport(answer),
        )
        for pull in (connector.pull_orders, connector.pull_returns):
            cursor, more = "", True
            while more:
                page = await pull(cursor)
                assert page.items == ()
                cursor, more = page.cursor, page.more
        assert [each async for each in connector.snapshot_stock()] == []
        with pytest.raises(NotFound):
            await connector.read_order("1")
        await connector.api.aclose()

    asyncio.run(play())
    assert {"/v3/orders", "/v3/returns", "/v3/inventories", "/v3/orders/1"} == set(asked)
