"""The WooCommerce connector talks to its simulator over a real socket, signed with OAuth 1.0a."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors import AuthFailed, Conflict, NotFound, OrderRef, RateLimited, Rejected, Transient
from connectors.registry import connect
from connectors.testing import ServedSimulator
from connectors.testing.simulator import Fault
from connectors.toolkit.rate_limits import NoRateLimits
from connectors.woocommerce.connector import WooCommerce
from connectors.woocommerce.simulator.server import WooCommerceSimulator
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderState, StockLevel
from pulling import pull_all

WIRED = ServedSimulator("woocommerce", WooCommerceSimulator)
connected, run = WIRED.connected, WIRED.run
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def level(product: int, available: int, expected: int | None = None, **more: str) -> StockLevel:
    remote = {"product_id": str(product), **more}
    name = "-".join(remote.values())
    return StockLevel(
        listing=name, sku=name, available=available, remote=remote, expected=expected, key=name
    )


def shipped(order: Order, *serials: str, reference: str = "F1") -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=serials),),
        shipped_at=NOW,
        carrier="UPS",
        tracking="1Z999",
    )


def test_check_says_what_is_wrong() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        await connector.check()
        simulator.add_product("CAM", 5)
        simulator.place_order({"CAM": 1})
        simulator.knows_modified_after = False
        with pytest.raises(Rejected, match=r"5\.8"):
            await connector.check()
        simulator.consumer_secret = "revoked"
        with pytest.raises(AuthFailed, match="Read/Write"):
            await connector.check()
        elsewhere: Any = connect(
            "woocommerce", simulator.settings(str(connector.settings.url) + "blog")
        )
        with pytest.raises(NotFound, match="permalinks"):
            await elsewhere.check()
        await elsewhere.api.aclose()

    run(scenario)


def test_over_tls_the_key_travels_as_basic_authentication() -> None:
    async def scenario() -> None:
        simulator = WooCommerceSimulator()
        transport = httpx.ASGITransport(simulator.app)
        connector = connect(
            "woocommerce", simulator.settings("https://shop.test"), transport=transport
        )
        await connector.check()
        await connector.api.aclose()
        normalize_key = httpx.AsyncClient(
            transport=transport, auth=(simulator.consumer_key, simulator.consumer_secret)
        )
        async with normalize_key as client:
            answer = await client.get("http://shop.test/wp-json/wc/v3/orders")
            assert answer.status_code == 401, "the real one refuses it over http too"

    asyncio.run(scenario())


def test_orders_come_with_their_serials() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        simulator.add_product("CAM", 9)
        ref = simulator.sell("CAM", 2, "_Serial-Numbers", "C-1, C-2")
        online, unpaid = (
            simulator.place_order({"CAM": 1}),
            simulator.place_order({"CAM": 1}, "on-hold"),
        )
        orders = {order.ref: order for order in (await pull_all(connector))[0]}
        sold = orders[ref]
        assert (sold.state, sold.at_counter) == (OrderState.FULFILLED, True)
        assert (sold.lines[0].sku, sold.lines[0].serials) == ("CAM", ("C-1", "C-2"))
        assert (sold.lines[0].quantity, sold.lines[0].fulfilled) == (2, 2)
        assert (orders[online].state, orders[online].at_counter) == (OrderState.OPEN, False)
        assert orders[unpaid].state is OrderState.PENDING
        simulator.set_status(online, "cancelled")
        assert (await connector.read_order(online)).state is OrderState.CANCELLED
        with pytest.raises(NotFound):
            await connector.read_order("4711")

    run(scenario)


def test_pages_shift_while_they_are_read_and_no_order_is_lost() -> None:
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]
    simulator = WooCommerceSimulator(clock=lambda: clock[0])

    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        simulator.add_product("CAM", 500)
        placed = []
        for _ in range(230):
            clock[0] += timedelta(seconds=30)
            placed.append(simulator.place_order({"CAM": 1}))
        seen, cursor, more, calls = set[str](), "", True, 0
        while more:
            page = await connector.pull_orders(cursor)
            seen |= {order.ref for order in page.items}
            cursor, more, calls = page.cursor, page.more, calls + 1
            if calls == 2:  # an order on a page that is still to come leaves the window
                clock[0] = datetime.now(UTC) + timedelta(minutes=1)
                simulator.set_status(placed[200], "completed")
                simulator.set_status(placed[150], "completed")
        assert (calls, seen >= set(placed) - {placed[150], placed[200]}) == (4, True)
        window = [
            order.ref
            async for order in connector.snapshot_orders(
                datetime(2026, 11, 1, 1, 50, tzinfo=UTC), datetime(2026, 11, 1, 1, 55, tzinfo=UTC)
            )
        ]
        assert sorted(window) == sorted(placed[219:230])

    run(scenario, simulator)


def test_quantities_are_set_and_seen_for_products_and_variations() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        cam = simulator.add_product("CAM", 1)
        shirt = simulator.add_product("SHIRT", None, variable=True)
        small = simulator.add_product("SHIRT-S", 2, parent=shirt)
        shared = simulator.add_product("SHIRT-M", None, parent=shirt)
        simulator.products[shared]["manage_stock"] = "parent"
        levels = [level(cam, 7), level(shirt, 8, variation_id=str(small))]
        assert {each.quantity for each in await connector.push_stock(levels)} == {7, 8}
        seen = {each.sku: each async for each in connector.snapshot_stock()}
        assert {sku: each.quantity for sku, each in seen.items()} == {"CAM": 7, "SHIRT-S": 8}
        assert seen["SHIRT-S"].remote == {"product_id": str(shirt), "variation_id": str(small)}
        # What the shop leaves to the parent, or does not count, is refused and never switched on.
        (refused,) = await connector.push_stock([level(shirt, 3, variation_id=str(shared))])
        assert isinstance(refused.error, Rejected)
        assert "leaves it to the parent" in str(refused.error)
        assert simulator.products[shared]["manage_stock"] == "parent"
        calls = len(simulator.calls)
        await connector.push_stock(levels)
        assert not [call for call in simulator.calls[calls:] if "batch" in call], "nothing to set"

    run(scenario)


def test_a_sale_since_the_last_look_is_a_conflict() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        cam = simulator.add_product("CAM", 5)
        simulator.place_order({"CAM": 1})
        (result,) = await connector.push_stock([level(cam, 9, expected=5)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == simulator.quantity("CAM") == 4
        (result,) = await connector.push_stock([level(cam, 9, expected=4)])
        assert result.quantity == simulator.quantity("CAM") == 9

    run(scenario)


def test_a_bad_listing_does_not_block_the_others() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        first, last = simulator.add_product("A", 1), simulator.add_product("Z", 1)
        simulator.broken.add(broken := simulator.add_product("B", 1))
        levels = [level(first, 4), level(99, 4), level(broken, 4), level(last, 4)]
        ghost = level(first, 4, variation_id="98")
        nowhere = level(97, 4, variation_id="96")
        wrong = StockLevel(listing="w", sku="w", available=1, remote={"product_id": "1,2"})
        results = await connector.push_stock([*levels, ghost, nowhere, wrong])
        errors = {each.listing: type(each.error) for each in results}
        assert (simulator.quantity("A"), simulator.quantity("Z"), len(results)) == (4, 4, 7)
        assert errors[str(broken)] is Rejected
        lost = ("99", f"{first}-98", "97-96", "w")
        assert {errors[name] for name in lost} == {NotFound}

    run(scenario)


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        cam = simulator.add_product("A", 1)
        simulator.fail_next(Fault.RATE_LIMITED)
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.SERVER_ERROR, times=3)
        with pytest.raises(Transient):
            await connector.push_stock([level(cam, 4)])
        simulator.fail_next(Fault.LOST_ANSWER, containing="batch")
        assert (await connector.push_stock([level(cam, 4)]))[0].quantity == 4

    run(scenario)


def test_a_shipment_names_its_serials_completes_the_order_and_leaves_one_note() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        simulator.add_product("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 2}))
        link = await connector.push_fulfillment(shipped(order, "SN1"))
        assert link.endswith(f"post={order.ref}")
        await connector.push_fulfillment(shipped(order, "SN1"))
        half = await connector.read_order(order.ref)
        assert (half.state, half.lines[0].fulfilled) == (OrderState.OPEN, 1)
        assert half.lines[0].serials == (), "what we wrote is not news from the shop"
        await connector.push_fulfillment(shipped(order, "SN2", reference="F2"))
        assert simulator.serials(order.ref) == ["SN1, SN2"], "one entry, not two"
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED
        notes = [note["note"] for note in simulator.notes[int(order.ref)]]
        assert notes == [
            "Shipped 1 unit with UPS, tracking 1Z999. [F1]",
            "Shipped 1 unit with UPS, tracking 1Z999. [F2]",
        ]

    run(scenario)


def test_an_order_is_completed_without_lines_that_take_no_units_and_never_unpaid() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        for sku in ("CAM", "GIFT"):
            simulator.add_product(sku, 5)
        order = await connector.read_order(simulator.place_order({"CAM": 1, "GIFT": 1}))
        gift = next(line.ref for line in order.lines if line.sku == "GIFT")
        camera = replace(order, lines=tuple(line for line in order.lines if line.sku == "CAM"))
        await connector.push_fulfillment(replace(shipped(camera, "SN1"), other_line_refs=(gift,)))
        assert simulator.orders[int(order.ref)]["status"] == "completed"
        unpaid = await connector.read_order(simulator.place_order({"CAM": 1}, "on-hold"))
        await connector.push_fulfillment(shipped(unpaid, "SN2", reference="F2"))
        assert simulator.orders[int(unpaid.ref)]["status"] == "on-hold"

    run(scenario)


def test_lost_answers_of_a_shipment_are_looked_up() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        simulator.add_product("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 1}))
        simulator.fail_next(Fault.LOST_ANSWER, containing="PUT ")
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST ")
        with pytest.raises(Transient):
            await connector.push_fulfillment(shipped(order, "SN1"))
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert len(simulator.notes[int(order.ref)]) == 1
        stranger = Fulfillment(
            reference="F9",
            order_ref=order.ref,
            lines=(FulfillmentLine(order_line_ref="4711", serials=("X",)),),
            shipped_at=NOW,
        )
        with pytest.raises(NotFound):
            await connector.push_fulfillment(stranger)

    run(scenario)


def test_webhooks_are_signed_over_the_body_and_the_ping_is_refused() -> None:
    simulator = WooCommerceSimulator()
    simulator.subscribers.append("http://127.0.0.1:9/hook")
    simulator.add_product("CAM", 5)
    ref = simulator.place_order({"CAM": 1})
    asyncio.run(simulator.settle())
    connector: Any = connect(
        "woocommerce", simulator.settings("https://shop.test"), rate_limits=NoRateLimits()
    )
    (sent,) = simulator.sent
    delivery = connector.verify(sent.headers, sent.body, NOW)
    assert (delivery.topic, delivery.id) == ("order.created", sent.id)
    assert connector.read(delivery.topic, sent.body) == (OrderRef(ref),)
    for headers, body in ((sent.headers, sent.body + b" "), ({}, b"webhook_id=4")):
        with pytest.raises(AuthFailed):
            connector.verify(headers, body, NOW)
    assert connector.read("product.updated", b'{"id": 4}') == ()
    assert connector.read("order.updated", b"not json") == ()
