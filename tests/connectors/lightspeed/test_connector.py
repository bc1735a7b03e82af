"""The Lightspeed connector talks to its simulator over a real socket, and keeps to the contract."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from connectors import AuthFailed, Conflict, NotFound, OrderRef, RateLimited, Rejected, Unknown
from connectors.lightspeed.connector import Lightspeed, LightspeedSettings
from connectors.lightspeed.mapping import parse_order
from connectors.lightspeed.simulator import ELSEWHERE, OUTLET, LightspeedSimulator
from connectors.registry import connect
from connectors.testing import ServedSimulator
from connectors.testing.simulator import Fault
from connectors.toolkit.rate_limits import NoRateLimits
from contracts import Contract, example
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderState, StockLevel
from pulling import pull_all

WIRED = ServedSimulator("lightspeed", LightspeedSimulator)
connected, run = WIRED.connected, WIRED.run
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def level(product: str, available: int, expected: int | None = None) -> StockLevel:
    return StockLevel(
        listing=product,
        sku=product,
        available=available,
        remote={"product_id": product, "outlet_id": OUTLET},
        expected=expected,
        key="k",
    )


def shipped(order: Order, *serials: str, line: str | None = None) -> Fulfillment:
    ref = line or order.lines[0].ref
    return Fulfillment(
        reference="F1",
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=ref, serials=serials),),
        shipped_at=NOW,
    )


def test_check_says_what_is_wrong() -> None:
    async def scenario(simulator: LightspeedSimulator, connector: Lightspeed) -> None:
        await connector.check()
        elsewhere = {**simulator.settings(str(connector.settings.url)), "outlet_id": "0" * 36}
        other: Any = connect("lightspeed", elsewhere)
        with pytest.raises(NotFound, match="outlet_id"):
            await other.check()
        await other.api.aclose()
        simulator.access_token = "revoked"
        with pytest.raises(AuthFailed, match="serial numbers"):
            await connector.check()

    run(scenario)


def test_a_counter_sale_brings_the_serials_of_each_line() -> None:
    async def scenario(simulator: LightspeedSimulator, connector: Lightspeed) -> None:
        cam = simulator.add_product("CAM", 5, ["C-1", "C-2", "C-3"])
        sold = simulator.sell(cam, 2, ["C-1", "C-3"])
        waiting = simulator.sell(cam, 1, status="AWAITING_DISPATCH")
        simulator.sell(cam, 1, outlet=ELSEWHERE)
        orders = {order.ref: order for order in (await pull_all(connector))[0]}
        assert set(orders) == {sold, waiting}, "other outlets are other channels"
        order = orders[sold]
        assert (order.state, order.at_counter) == (OrderState.FULFILLED, True)
        assert (order.lines[0].sku, order.lines[0].serials) == ("CAM", ("C-1", "C-3"))
        assert (order.lines[0].quantity, order.lines[0].fulfilled) == (2, 2)
        assert (orders[waiting].state, orders[waiting].at_counter) == (OrderState.OPEN, False)
        simulator.set_status(waiting, "VOIDED")
        assert (await connector.read_order(waiting)).state is OrderState.CANCELLED
        with pytest.raises(NotFound):
            await connector.read_order("nope")

    run(scenario)


@pytest.mark.slow
def test_sales_are_followed_by_version_and_change_while_they_are_read() -> None:
    clock = [NOW]
    simulator = LightspeedSimulator(clock=lambda: clock[0])

    async def scenario(simulator: LightspeedSimulator, connector: Lightspeed) -> None:
        cam = simulator.add_product("CAM", 500)
        placed = []
        for _ in range(60):
            clock[0] += timedelta(seconds=30)
            placed.append(simulator.sell(cam))
        first = await connector.pull_orders("")
        simulator.set_status(placed[0], "VOIDED")
        rest, cursor = await pull_all(connector, first.cursor)
        seen = [order.ref for order in (*first.items, *rest)]
        assert seen == [*placed, placed[0]], "the changed one comes again, at the end"
        assert await pull_all(connector, cursor) == ([], cursor)
        since, until = clock[0] - timedelta(minutes=10), clock[0] - timedelta(minutes=5)
        window = [order.ref async for order in connector.snapshot_orders(since, until)]
        assert window == placed[-21:-10]

    run(scenario, simulator)


def test_a_store_whose_versions_stand_still_is_not_read_for_ever() -> None:
    sale = {"id": "s", "outlet_id": OUTLET, "version": 0, "line_items": []}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": [sale]}))
    connector: Any = connect(
        "lightspeed", LightspeedSimulator().settings("http://store.test"), transport=transport
    )
    with pytest.raises(Rejected):
        asyncio.run(connector.pull_orders(""))


def test_quantities_are_set_and_seen() -> None:
    async def scenario(simulator: LightspeedSimulator, connector: Lightspeed) -> None:
        cam, lens = simulator.add_product("CAM", 5), simulator.add_product("LENS", 2)
        simulator.products[lens]["has_inventory"] = False
        results = await connector.push_stock([level(cam, 7), level("nope", 1), level(cam, -1)])
        assert results[0].quantity == simulator.quantity(cam) == 7
        assert isinstance(results[1].error, NotFound)
        assert isinstance(results[2].error, Rejected)
        seen = [each async for each in connector.snapshot_stock()]
        assert [(each.sku, each.quantity) for each in seen] == [("CAM", 7)]
        assert seen[0].remote == {"product_id": cam, "outlet_id": OUTLET}
        simulator.sell(cam)
        (result,) = await connector.push_stock([level(cam, 9, expected=7)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == simulator.quantity(cam) == 6
        calls = len(simulator.calls)
        await connector.push_stock([level(cam, 6)])
        assert not [call for call in simulator.calls[calls:] if call.startswith("PUT")]

    run(scenario)


def test_too_many_calls_are_told_with_a_date() -> None:
    async def scenario(simulator: LightspeedSimulator, connector: Lightspeed) -> None:
        simulator.fail_next(Fault.RATE_LIMITED)
        with pytest.raises(RateLimited) as limited:
            await connector.pull_orders("")
        assert 100 < limited.value.retry_after <= 120

    run(scenario)


def test_what_we_ship_is_taken_off_the_list_and_fulfils_the_sale_once() -> None:
    async def scenario(simulator: LightspeedSimulator, connector: Lightspeed) -> None:
        cam = simulator.add_product("CAM", 5, ["C-1", "C-2", "C-3"])
        simulator.sell(cam, 1, ["C-3"])
        order = await connector.read_order(simulator.sell(cam, 2, status="AWAITING_DISPATCH"))
        await connector.push_fulfillment(shipped(order, "C-1"))
        assert simulator.fulfillments == [], "a part of a sale cannot be told"
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST ")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "C-1", "C-2"))
        said = await connector.push_fulfillment(shipped(order, "C-1", "C-2"))
        assert (said, len(simulator.fulfillments)) == (f"sale {order.number}", 1)
        assert {each["code"] for each in simulator.serials.values()} == {"C-3"}, (
            "sold at the counter"
        )
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED
        with pytest.raises(NotFound):
            await connector.push_fulfillment(shipped(order, "C-9", line="nope"))

    run(scenario)


def test_webhooks_are_forms_signed_with_the_client_secret() -> None:
    simulator = LightspeedSimulator()
    simulator.subscribers.append("http://127.0.0.1:9/hook")
    ref = simulator.sell(simulator.add_product("CAM", 5))
    asyncio.run(simulator.settle())
    connector: Any = connect(
        "lightspeed", simulator.settings("https://store.test"), rate_limits=NoRateLimits()
    )
    (sent,) = simulator.sent
    delivery = connector.verify(sent.headers, sent.body, NOW)
    assert delivery.topic == "sale.update"
    assert connector.read(delivery.topic, sent.body) == (OrderRef(ref),)
    for wrong in (
        {"x-signature": sent.headers["x-signature"].replace("SHA256", "MD5")},
        {"x-signature": "signature=" + "0" * 64 + ", algorithm=HMAC-SHA256"},
        {},
    ):
        with pytest.raises(AuthFailed):
            connector.verify(wrong, sent.body, NOW)
    product = urlencode({"payload": '{"id": "p", "sku": "CAM"}'}).encode()
    assert connector.read("product.update", product) == ()


def test_returns_and_unknown_words_do_not_stop_an_import() -> None:
    lines = [
        {"id": "l1", "product_id": "p", "quantity": -1, "is_return": True},
        {"id": "l2", "product_id": "p", "quantity": 1, "status": "VOIDED"},
        {"id": "l3", "product_id": "p", "quantity": 1.5, "status": "NEW"},
    ]
    sale = {"id": "s", "status": "NEW", "created_at": "2026-11-01T00:00:00Z", "line_items": lines}
    order = parse_order(sale, {}, {})
    assert (order.state, [each.ref for each in order.lines]) == (OrderState.PENDING, ["l3"])
    assert order.lines[0].quantity == 2
    gone = parse_order({**sale, "status": "CLOSED", "deleted_at": "2026-11-02T00:00:00Z"}, {}, {})
    assert (gone.state, gone.at_counter) == (OrderState.CANCELLED, False)


def test_the_published_sale_is_read_without_loss() -> None:
    found = example("lightspeed-x", "openapi-examples.json")
    sale = next(each["body"]["data"] for each in found if each.get("operationId") == "GetSaleByID")
    skus = {line["product_id"]: "CAM" for line in sale["line_items"]}
    order = parse_order(sale, skus, {sale["line_items"][0]["id"]: ["A1"]})
    assert (order.ref, order.number, order.remote_state) == (sale["id"], "1036", "CLOSED")
    assert order.placed_at.isoformat() == sale["sale_date"]
    assert order.updated_at.isoformat() == sale["updated_at"]
    assert [(each.ref, each.quantity) for each in order.lines] == [
        (line["id"], line["quantity"]) for line in sale["line_items"]
    ]
    assert order.lines[0].serials == ("A1",)


def test_every_request_keeps_to_the_official_contract() -> None:
    contract = Contract.at("lightspeed-x", "lightspeed-x-api-2.0.json")
    sent = asyncio.run(every_request())
    beyond = [request for request in sent if not contract.knows(request, "/api/2.0")]
    assert {(each.method, each.url.path[:18]) for each in beyond} == {("PUT", "/api/2.1/products/")}
    for request in sent:
        if request not in beyond:
            contract.check(request, "/api/2.0")
    assert len(contract.checked) >= 20
    assert set(contract.checked) >= {"ListSales", "GetSaleByID", "get-serialnumbers", "Search"}


async def every_request() -> list[httpx.Request]:
    """Use the whole connector once and keep what it sent."""
    simulator, sent = LightspeedSimulator(), list[httpx.Request]()

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    async with connected(simulator) as connector:
        connector.api._client.event_hooks["request"].append(keep)
        assert isinstance(connector.settings, LightspeedSettings)
        cam = simulator.add_product("CAM", 3, ["C-1", "C-2"])
        ref = simulator.sell(cam, 1, status="AWAITING_DISPATCH")
        simulator.sell(cam, 1, ["C-2"])
        await connector.check()
        await pull_all(connector)
        order = await connector.read_order(ref)
        await connector.push_stock([level(cam, 9)])
        assert [each async for each in connector.snapshot_stock()]
        assert [each async for each in connector.snapshot_orders(NOW, datetime.now(UTC))]
        await connector.push_fulfillment(shipped(order, "C-1"))
    return sent
