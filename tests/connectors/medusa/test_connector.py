"""The Medusa connector talks to its simulator over a real socket, and keeps to the contract."""

import asyncio
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
from connectors.medusa.connector import Medusa
from connectors.medusa.mapping import parse_order
from connectors.medusa.simulator import LOCATION, MedusaSimulator
from connectors.registry import connect
from connectors.testing import ServedSimulator
from connectors.testing.simulator import Fault
from connectors.toolkit.rate_limits import NoRateLimits
from contracts import Contract
from hub.vocabulary import Fulfillment, FulfillmentLine, LineKind, Order, OrderState, StockLevel
from pulling import pull_all

WIRED = ServedSimulator("medusa", MedusaSimulator)
connected, run = WIRED.connected, WIRED.run
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def level(item: str, available: int, expected: int | None = None) -> StockLevel:
    return StockLevel(
        listing=item,
        sku=item,
        available=available,
        remote={"inventory_item_id": item, "location_id": LOCATION},
        expected=expected,
        key="k",
    )


def shipped(order: Order, *serials: str, reference: str = "F1", line: str = "") -> Fulfillment:
    ref = line or order.lines[0].ref
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=ref, serials=serials),),
        shipped_at=NOW,
        tracking="1Z999",
    )


def test_check_says_what_is_wrong() -> None:
    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        simulator.add_item("CAM", 5)
        simulator.place_order({"CAM": 1})
        await connector.check()
        simulator.knows_filters = False
        with pytest.raises(Rejected, match="ignores the filter"):
            await connector.check()
        settings = simulator.settings(str(connector.settings.base_url))
        other: Any = connect("medusa", {**settings, "stock_location_id": "sloc_nope"})
        with pytest.raises(NotFound, match="stock_location_id"):
            await other.check()
        revoked: Any = connect("medusa", {**settings, "api_key": "sk_revoked"})
        with pytest.raises(AuthFailed, match="secret API key"):
            await revoked.check()
        await other.api.aclose()
        await revoked.api.aclose()

    run(scenario)


def test_orders_come_with_their_lines() -> None:
    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        simulator.add_item("CAM", 9)
        placed, unpaid = (
            simulator.place_order({"CAM": 2}),
            simulator.place_order({"CAM": 1}, "not_paid"),
        )
        orders = {order.ref: order for order in (await pull_all(connector))[0]}
        assert (orders[placed].state, orders[unpaid].state) == (OrderState.OPEN, OrderState.PENDING)
        line = orders[placed].lines[0]
        assert (line.sku, line.quantity, line.fulfilled) == ("CAM", 2, 0)
        simulator.capture(placed)
        assert (await connector.read_order(placed)).state is OrderState.OPEN
        simulator.cancel_order(placed)
        assert (await connector.read_order(placed)).state is OrderState.CANCELLED
        with pytest.raises(NotFound):
            await connector.read_order("order_nope")

    run(scenario)


def test_a_shop_that_ignores_the_filter_is_found_out_in_the_middle() -> None:
    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        simulator.add_item("CAM", 9)
        simulator.place_order({"CAM": 1})
        simulator.orders["old"] = {**next(iter(simulator.orders.values())), "id": "old"}
        simulator.orders["old"] |= {"updated_at": "2021-01-01T00:00:00.000Z"}
        _, cursor = await pull_all(connector)
        simulator.knows_filters = False
        with pytest.raises(Rejected, match="updated_at"):
            await connector.pull_orders(cursor)

    run(scenario)


def test_pages_go_by_time_and_no_order_is_lost() -> None:
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]
    simulator = MedusaSimulator(clock=lambda: clock[0])

    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        simulator.add_item("CAM", 500)
        placed = [simulator.place_order({"CAM": 1}) for _ in range(120)]  # all in one moment
        for _ in range(60):
            clock[0] += timedelta(seconds=30)
            placed.append(simulator.place_order({"CAM": 1}))
        first = await connector.pull_orders("")
        clock[0] += timedelta(seconds=30)
        simulator.cancel_order(placed[3])
        rest, cursor = await pull_all(connector, first.cursor)
        assert {order.ref for order in (*first.items, *rest)} == set(placed)
        assert rest[-1].state is OrderState.CANCELLED
        late = simulator.place_order({"CAM": 1})
        again, _ = await pull_all(connector, cursor)
        assert {order.ref for order in again} == {*placed[-10:], placed[3], late}
        since, until = clock[0] - timedelta(minutes=10), clock[0] - timedelta(minutes=5)
        window = [order.ref async for order in connector.snapshot_orders(since, until)]
        assert window == placed[-20:-9]

    run(scenario, simulator)


def test_quantities_are_set_beside_what_is_reserved() -> None:
    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        cam, new = simulator.add_item("CAM", 5), simulator.add_item("NEW", None)
        for n in range(120):
            simulator.add_item(f"SKU-{n}", n)
        simulator.place_order({"CAM": 3})
        results = await connector.push_stock([level(cam, 7, expected=2), level(new, 4)])
        assert {each.quantity for each in results} == {7, 4}
        assert (simulator.quantity("CAM"), simulator.quantity("NEW")) == (7, 4)
        assert simulator.items[cam]["location_levels"][0]["stocked_quantity"] == 10
        seen = {each.sku: each async for each in connector.snapshot_stock()}
        assert (len(seen), seen["CAM"].quantity, seen["SKU-119"].quantity) == (122, 7, 119)
        simulator.place_order({"CAM": 1})
        (result,) = await connector.push_stock([level(cam, 9, expected=7)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == 6
        calls = len(simulator.calls)
        await connector.push_stock([level(cam, 6)])
        assert not [call for call in simulator.calls[calls:] if call.startswith("POST")]

    run(scenario)


def test_a_bad_listing_does_not_block_the_others() -> None:
    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        first, broken, last = (simulator.add_item(sku, 1) for sku in ("A", "BROKEN", "Z"))
        levels = [level(first, 4), level("nope", 4), level(broken, 4), level(last, 4)]
        answers = {each.listing: each.error for each in await connector.push_stock(levels)}
        assert (simulator.quantity("A"), simulator.quantity("Z")) == (4, 4)
        assert isinstance(answers["nope"], NotFound)
        assert isinstance(answers[broken], NotFound)
        (negative,) = await connector.push_stock([level(first, -1)])
        assert isinstance(negative.error, Rejected)

    run(scenario)


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        item = simulator.add_item("A", 1)
        simulator.fail_next(Fault.RATE_LIMITED)
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.SERVER_ERROR, times=3)
        with pytest.raises(Transient):
            await connector.push_stock([level(item, 4)])
        simulator.fail_next(Fault.LOST_ANSWER, containing="batch")
        assert (await connector.push_stock([level(item, 4)]))[0].quantity == 4

    run(scenario)


@pytest.mark.parametrize("lost", ["/fulfillments ", "/shipments "])
def test_a_shipment_is_told_once_with_its_serials(lost: str) -> None:
    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        simulator.add_item("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 2}))
        simulator.fail_next(Fault.LOST_ANSWER, containing=lost)
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        said = await connector.push_fulfillment(shipped(order, "SN1"))
        (known,) = simulator.orders[order.ref]["fulfillments"]
        assert said == f"order {order.number} / fulfilment {known['id']}"
        assert known["metadata"]["serials"] == {order.lines[0].ref: ["SN1"]}
        assert known["labels"][0]["tracking_number"] == "1Z999"
        half = await connector.read_order(order.ref)
        assert (half.state, half.lines[0].fulfilled) == (OrderState.OPEN, 1)
        await connector.push_fulfillment(shipped(order, "SN2", reference="F2"))
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED
        with pytest.raises(Rejected, match="reservation"):
            await connector.push_fulfillment(shipped(order, "SN3", reference="F3"))
        with pytest.raises(NotFound):
            await connector.push_fulfillment(shipped(order, "SN3", reference="F4", line="nope"))
        assert simulator.quantity("CAM") == 3

    run(scenario)


def test_webhooks_are_signed_by_the_subscriber() -> None:
    simulator = MedusaSimulator()
    simulator.subscribers.append("http://127.0.0.1:9/hook")
    simulator.add_item("CAM", 5)
    ref = simulator.place_order({"CAM": 1})
    simulator.emit("order.fulfillment_created", {"order_id": ref, "fulfillment_id": "ful_1"})
    simulator.emit("payment.captured", {"id": "pay_1"})
    asyncio.run(simulator.settle())
    connector: Any = connect(
        "medusa", simulator.settings("https://shop.test"), rate_limits=NoRateLimits()
    )
    said = []
    for sent in simulator.sent:
        delivery = connector.verify(sent.headers, sent.body, NOW)
        said.append((delivery.id == sent.id, connector.read(delivery.topic, sent.body)))
        with pytest.raises(AuthFailed):
            connector.verify(sent.headers, sent.body + b" ", NOW)
    assert said == [(True, (OrderRef(ref),)), (True, (OrderRef(ref),)), (True, ())]


def test_unknown_words_and_what_was_written_off_are_read() -> None:
    items = [{"id": "l", "quantity": 3, "detail": {"written_off_quantity": 1}}]
    order = {"id": "order_1", "created_at": "2026-11-01T00:00:00.000Z", "items": items}
    assert parse_order(order).state is OrderState.PENDING
    read = parse_order({**order, "payment_status": "captured", "status": "new_word"})
    assert (read.state, read.lines[0].quantity) == (OrderState.OPEN, 2)
    gone = parse_order({**order, "fulfillment_status": "delivered"})
    assert gone.state is OrderState.FULFILLED


def test_every_request_keeps_to_the_official_contract() -> None:
    contract = Contract.at("medusa", "medusa-admin-v2-trimmed.json")
    sent = asyncio.run(every_request())
    for request in sent:
        contract.check(request, "")
    assert len(contract.checked) == len(sent) == 13
    assert set(contract.checked) == {
        "GetOrders",
        "GetOrdersId",
        "PostOrdersIdFulfillments",
        "PostOrdersIdFulfillmentsFulfillment_idShipments",
        "GetStockLocationsId",
        "GetInventoryItems",
        "PostInventoryItemsLocationLevelsBatch",
    }


async def every_request() -> list[httpx.Request]:
    """Use the whole connector once and keep what it sent."""
    simulator, sent = MedusaSimulator(), list[httpx.Request]()

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    async with connected(simulator) as connector:
        connector.api._client.event_hooks["request"].append(keep)
        cam, new = simulator.add_item("CAM", 3), simulator.add_item("NEW", None)
        ref = simulator.place_order({"CAM": 1})
        await connector.check()
        await pull_all(connector)
        order = await connector.read_order(ref)
        await connector.push_stock([level(cam, 9), level(new, 2)])
        assert [each async for each in connector.snapshot_stock()]
        since = datetime.now(UTC) - timedelta(days=1)
        assert [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        await connector.push_fulfillment(shipped(order, "C-1"))
        await connector.push_fulfillment(shipped(order, "C-1"))
    return sent


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"requires_shipping": True}, LineKind.GOODS),
        ({"requires_shipping": False}, LineKind.DIGITAL),
        ({"requires_shipping": False, "variant": {"manage_inventory": False}}, LineKind.DIGITAL),
        # A product without a shipping profile, whose stock is counted.
        ({"requires_shipping": False, "variant": {"manage_inventory": True}}, LineKind.GOODS),
        ({"requires_shipping": False, "variant": None}, LineKind.DIGITAL),
        ({"is_giftcard": True, "variant": {"manage_inventory": True}}, LineKind.GIFT_CARD),
    ],
)
def test_what_a_line_sells(item: dict[str, Any], kind: LineKind) -> None:
    simulator = MedusaSimulator()
    simulator.add_item("CAM", 5)
    order = simulator.orders[simulator.place_order({"CAM": 1})]
    order["items"][0] |= item
    assert parse_order(order).lines[0].kind is kind
