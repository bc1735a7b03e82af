"""The BigCommerce connector talks to its simulator over a real socket, and keeps to the
contract.
"""

import asyncio
import json
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
from connectors.bigcommerce.connector import BigCommerce
from connectors.bigcommerce.mapping import embedded_lines, parse_order
from connectors.bigcommerce.simulator import BigCommerceSimulator
from connectors.registry import SettingsInvalid, connect
from connectors.testing import ServedSimulator
from connectors.testing.simulator import Fault
from connectors.toolkit.rate_limits import NoRateLimits
from contracts import Contract, example
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderState, StockLevel
from pulling import pull_all

WIRED = ServedSimulator("bigcommerce", BigCommerceSimulator)
connected, run = WIRED.connected, WIRED.run
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def level(variant: int | str, available: int, expected: int | None = None) -> StockLevel:
    name = str(variant)
    return StockLevel(
        listing=name,
        sku=name,
        available=available,
        remote={"variant_id": name, "product_id": "1"},
        expected=expected,
        key="k" * 300,
    )


def shipped(order: Order, *serials: str, reference: str = "F1", line: str = "") -> Fulfillment:
    ref = line or order.lines[0].ref
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=ref, serials=serials),),
        shipped_at=NOW,
        carrier="UPS",
        tracking="t" * 80,
    )


def test_check_says_what_is_wrong() -> None:
    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        await connector.check()
        simulator.location_id = 2
        with pytest.raises(NotFound, match="location_id"):
            await connector.check()
        simulator.access_token = "revoked"
        with pytest.raises(AuthFailed, match="Store Inventory"):
            await connector.check()

    run(scenario)
    with pytest.raises(SettingsInvalid, match="store_hash"):
        connect(
            "bigcommerce", {**BigCommerceSimulator().settings("http://x.test"), "store_hash": "../"}
        )


@pytest.mark.parametrize("with_lines", [True, False])
def test_orders_come_with_their_lines(with_lines: bool) -> None:
    simulator = BigCommerceSimulator()
    simulator.with_lines = with_lines

    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        cam = simulator.add_item("CAM", 9)
        placed, unpaid = simulator.place_order(cam, 2), simulator.place_order(cam, 1, status=7)
        simulator.place_order(cam, 1, status=0)
        orders = {order.ref: order for order in (await pull_all(connector))[0]}
        assert set(orders) == {placed, unpaid}, "a checkout that was left is no order"
        assert (orders[placed].state, orders[unpaid].state) == (OrderState.OPEN, OrderState.PENDING)
        line = orders[placed].lines[0]
        assert (line.sku, line.quantity, line.fulfilled) == ("CAM", 2, 0)
        simulator.set_status(placed, 5)
        assert (await connector.read_order(placed)).state is OrderState.CANCELLED
        with pytest.raises(NotFound):
            await connector.read_order("4711")

    run(scenario, simulator)


def test_pages_go_by_time_and_no_order_is_lost() -> None:
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]
    simulator = BigCommerceSimulator(clock=lambda: clock[0])

    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        cam = simulator.add_item("CAM", 500)
        placed = [simulator.place_order(cam) for _ in range(120)]  # all in one second
        for _ in range(60):
            clock[0] += timedelta(seconds=30)
            placed.append(simulator.place_order(cam))
        first = await connector.pull_orders("")
        clock[0] += timedelta(seconds=30)
        simulator.set_status(placed[3], 5)
        rest, cursor = await pull_all(connector, first.cursor)
        seen = [*first.items, *rest]
        assert {order.ref for order in seen} == set(placed)
        assert [order.state for order in seen if order.ref == placed[3]] == [
            OrderState.OPEN,
            OrderState.CANCELLED,
        ]
        late = simulator.place_order(cam)
        again, _ = await pull_all(connector, cursor)
        assert {order.ref for order in again} == {*placed[-10:], placed[3], late}
        since, until = clock[0] - timedelta(minutes=10), clock[0] - timedelta(minutes=5)
        window = [order.ref async for order in connector.snapshot_orders(since, until)]
        assert window == placed[-20:-9]

    run(scenario, simulator)


def test_quantities_are_set_beside_the_safety_stock_and_seen_when_they_are_worked_off() -> None:
    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        variants = [simulator.add_item(f"SKU-{n}", 1, safety_stock=2) for n in range(260)]
        simulator.works_at_once = False
        results = await connector.push_stock([level(each, 7) for each in variants[:250]])
        assert {each.quantity for each in results} == {7}
        assert simulator.quantity(variants[0]) == 1, "accepted, not done"
        simulator.work_off()
        seen = {each.sku: each async for each in connector.snapshot_stock()}
        assert (len(seen), seen["SKU-0"].quantity, seen["SKU-255"].quantity) == (260, 7, 1)
        assert seen["SKU-0"].remote["variant_id"] == str(variants[0])
        calls = len(simulator.calls)
        await connector.push_stock([level(variants[0], 7)])
        assert not [call for call in simulator.calls[calls:] if call.startswith("PUT")]
        (result,) = await connector.push_stock([level(variants[0], 9, expected=3)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == 7

    run(scenario)


def test_a_bad_listing_does_not_block_the_others() -> None:
    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        first, last, whole = (simulator.add_item(sku, 1) for sku in ("A", "Z", "W"))
        simulator.by_product.add(whole)
        levels = [level(first, 4), level(99, 4), level("1,2", 4), level(whole, 4), level(last, 4)]
        results = await connector.push_stock([*levels, level(first, -1)])
        errors = [type(each.error) for each in results if each.error]
        assert sorted(each.__name__ for each in errors) == ["NotFound", "NotFound", "Rejected"]
        assert (simulator.quantity(first), simulator.quantity(last), simulator.quantity(whole)) == (
            4,
            4,
            4,
        )
        assert {each.error for each in results if each.listing == str(last)} == {None}
        assert Rejected in errors

    run(scenario)


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        cam = simulator.add_item("A", 1)
        simulator.fail_next(Fault.RATE_LIMITED)
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.SERVER_ERROR, times=3)
        with pytest.raises(Transient):
            await connector.push_stock([level(cam, 4)])
        simulator.fail_next(Fault.LOST_ANSWER, containing="adjustments")
        assert (await connector.push_stock([level(cam, 4)]))[0].quantity == 4

    run(scenario)


def test_shipments_are_told_once_and_name_their_serials() -> None:
    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        cam = simulator.add_item("CAM", 5)
        order = await connector.read_order(simulator.place_order(cam, 2))
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST ")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        link = await connector.push_fulfillment(shipped(order, "SN1"))
        assert link.endswith(f"/manage/orders/{order.ref}")
        half = await connector.read_order(order.ref)
        assert (half.state, half.lines[0].fulfilled) == (OrderState.OPEN, 1)
        await connector.push_fulfillment(shipped(order, "SN2", reference="F2"))
        shipments = simulator.shipments[int(order.ref)]
        assert [len(each["tracking_number"]) for each in shipments] == [50, 50]
        assert shipments[0]["comments"].endswith("Serial numbers: SN1")
        assert simulator.serials(order.ref) == {order.lines[0].ref: ["SN1", "SN2"]}
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED
        with pytest.raises(Rejected):
            await connector.push_fulfillment(shipped(order, "SN3", reference="F3"))
        with pytest.raises(NotFound):
            await connector.push_fulfillment(shipped(order, "SN3", reference="F4", line="9"))

    run(scenario)


def test_webhooks_are_signed_and_grow_old() -> None:
    simulator = BigCommerceSimulator(clock=lambda: NOW)
    simulator.subscribers.append("http://127.0.0.1:9/hook")
    ref = simulator.place_order(simulator.add_item("CAM", 5))
    asyncio.run(simulator.settle())
    connector: Any = connect(
        "bigcommerce", simulator.settings("https://api.test"), rate_limits=NoRateLimits()
    )
    (sent,) = simulator.sent
    delivery = connector.verify(sent.headers, sent.body, NOW)
    assert (delivery.id, delivery.topic) == (sent.id, "store/order/created")
    assert connector.read(delivery.topic, sent.body) == (OrderRef(ref),)
    for body, at in ((sent.body + b" ", NOW), (sent.body, NOW + timedelta(minutes=6))):
        with pytest.raises(AuthFailed):
            connector.verify(sent.headers, body, at)
    parcel = json.dumps({"data": {"type": "shipment", "id": 5, "orderId": 251}}).encode()
    assert connector.read("store/shipment/created", parcel) == (OrderRef("251"),)
    product = json.dumps({"data": {"type": "product", "id": 5}}).encode()
    assert connector.read("store/product/updated", product) == ()


def test_the_published_webhook_and_signature_are_understood() -> None:
    (vector,) = example("bigcommerce", "standard-webhooks-vectors.json")
    settings = BigCommerceSimulator().settings("https://api.test")
    connector: Any = connect("bigcommerce", {**settings, "client_secret": vector["secret"]})
    at = datetime.fromtimestamp(int(vector["headers"]["webhook-timestamp"]), UTC)
    assert connector.verify(vector["headers"], vector["raw_body"].encode(), at).topic == ""
    (event,) = example("bigcommerce", "webhook-payloads.json")
    body = json.dumps(event).encode()
    assert connector.read(event["scope"], body) == (OrderRef(str(event["data"]["id"])),)


def test_unknown_words_and_refunds_are_read() -> None:
    order = {"id": 1, "status_id": 99, "date_created": "2026-11-01T00:00:00Z"}
    lines = [{"id": 5, "quantity": 3, "quantity_refunded": 1, "quantity_shipped": 0}]
    read = parse_order(order, lines)
    assert (read.state, read.lines[0].quantity) == (OrderState.PENDING, 2)
    gone = parse_order({**order, "status_id": 11, "is_deleted": True}, lines)
    assert gone.state is OrderState.CANCELLED
    assert (
        embedded_lines({"consignments": {"shipping": [{"line_items": {"url": "elsewhere"}}]}})
        is None
    )


def test_the_published_orders_are_read_without_loss() -> None:
    found = example("bigcommerce", "orders.v2.oas2.examples.json")
    orders = [each["body"] for each in found if each["operationId"] == "getOrder"]
    lines = [each["body"] for each in found if each["operationId"] == "getOrderProduct"]
    assert (len(orders), len(lines)) == (1, 2)
    read = parse_order(orders[0], lines)
    assert (read.ref, read.remote_state) == ("218", "Awaiting Payment")
    assert (read.state, read.customer_ref) == (OrderState.PENDING, "11")
    assert read.placed_at == datetime(2019, 3, 5, 21, 40, 11, tzinfo=UTC)
    assert read.updated_at == datetime(2019, 3, 11, 15, 17, 25, tzinfo=UTC)
    assert [(each.ref, each.sku, each.quantity, each.title) for each in read.lines] == [
        (str(each["id"]), each["sku"], each["quantity"], each["name"]) for each in lines
    ]


def test_every_request_keeps_to_the_official_contract() -> None:
    root = "/stores/twin1"
    contracts = {
        name: Contract.at("bigcommerce", f"{name}.json")
        for name in ("orders.v2.oas2", "orders.v3", "inventory.v3")
    }
    for request in asyncio.run(every_request()):
        base = f"{root}/v2" if f"{root}/v2" in request.url.path else f"{root}/v3"
        kind = "orders.v2.oas2" if base.endswith("v2") else "orders.v3"
        kind = "inventory.v3" if "/inventory/" in request.url.path else kind
        contracts[kind].check(request, base)
    checked = [each for contract in contracts.values() for each in contract.checked]
    assert len(checked) >= 15
    assert set(checked) == {
        "getOrders",
        "getOrder",
        "getOrderProducts",
        "getOrderShipments",
        "createOrderShipments",
        "getOrderMetafields",
        "createOrderMetafield",
        "updateOrderMetafield",
        "get-location-inventory-items",
        "put-absolute-adjustment",
    }


async def every_request() -> list[httpx.Request]:
    """Use the whole connector once and keep what it sent."""
    simulator, sent = BigCommerceSimulator(), list[httpx.Request]()

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    async with connected(simulator) as connector:
        connector.api._client.event_hooks["request"].append(keep)
        cam = simulator.add_item("CAM", 3)
        other = simulator.add_item("LENS", 3)
        simulator.by_product.add(other)
        ref = simulator.place_order(cam, 2)
        await connector.check()
        await pull_all(connector)
        order = await connector.read_order(ref)
        await connector.push_stock([level(cam, 9), level(other, 9)])
        assert [each async for each in connector.snapshot_stock()]
        assert [each async for each in connector.snapshot_orders(NOW, datetime.now(UTC))]
        await connector.push_fulfillment(shipped(order, "C-1"))
        await connector.push_fulfillment(shipped(order, "C-2", reference="F2"))
    return sent
