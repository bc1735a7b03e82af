"""The Shopify connector talks to its simulator over a real socket."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors import AuthFailed, Conflict, NotFound, RateLimited, Rejected, Transient, Unknown
from connectors.shopify.connector import Shopify
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing import ServedSimulator
from connectors.testing.simulator import Fault
from hub.vocabulary import (
    Cancellation,
    Fulfillment,
    FulfillmentLine,
    ObservedLevel,
    Order,
    OrderState,
    Return,
    ReturnState,
    StockLevel,
)
from pulling import pull_all

WIRED = ServedSimulator("shopify", ShopifySimulator)
connected, run = WIRED.connected, WIRED.run


def level(
    listing: str, item: str, available: int, expected: int | None = None, key: str = "v1"
) -> StockLevel:
    return StockLevel(
        listing=listing,
        sku=listing,
        available=available,
        remote={"inventory_item_id": item, "location_id": "gid://shopify/Location/1"},
        expected=expected,
        key=f"{listing}:{key}",
    )


async def stock_of(connector: Shopify) -> list[ObservedLevel]:
    return [each async for each in connector.snapshot_stock()]


def shipped(order: Order, *serials: str, line: int = 0, reference: str = "F1") -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[line].ref, serials=serials),),
        shipped_at=datetime(2026, 11, 1, tzinfo=UTC),
        carrier="UPS",
        tracking="1Z999",
    )


def test_check_proves_token_scopes_and_location() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        await connector.check()
        simulator.scopes = tuple(scope for scope in simulator.scopes if scope != "write_inventory")
        with pytest.raises(AuthFailed, match="write_inventory"):
            await connector.check()
        simulator.access_token = "revoked"
        with pytest.raises(AuthFailed):
            await connector.check()

    run(scenario)


def test_orders_are_read_in_the_words_of_the_house() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 5, "Camera")
        web = simulator.place_order({"CAM": 2})
        pos = simulator.place_order({"CAM": 1}, at_counter=True)
        unpaid = simulator.place_order({"CAM": 1}, paid=False)
        cancelled = simulator.place_order({"CAM": 1})
        simulator.cancel_order(cancelled)
        orders = {order.ref: order for order in (await pull_all(connector))[0]}
        assert [line.quantity for line in orders[web].lines] == [2]
        assert (orders[web].state, orders[web].at_counter) == (OrderState.OPEN, False)
        assert (orders[pos].state, orders[pos].at_counter) == (OrderState.FULFILLED, True)
        assert orders[pos].lines[0].fulfilled == 1
        assert orders[unpaid].state is OrderState.PENDING
        assert orders[cancelled].state is OrderState.CANCELLED
        assert orders[web].lines[0].title == "Camera"
        assert await connector.read_order(web) == orders[web]
        with pytest.raises(NotFound):
            await connector.read_order("gid://shopify/Order/1")

    run(scenario)


def test_the_walk_pages_through_everything_and_reads_an_overlap_again() -> None:
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]
    simulator = ShopifySimulator(clock=lambda: clock[0])

    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 500)
        placed = []
        for _ in range(35):
            clock[0] += timedelta(minutes=1)
            placed.append(simulator.place_order({"CAM": 1}))
        orders, cursor = await pull_all(connector)
        assert {order.ref for order in orders} == set(placed)
        again, cursor = await pull_all(connector, cursor)
        assert {order.ref for order in again} == set(placed[-6:])
        simulator.cancel_order(placed[0])
        changed, _ = await pull_all(connector, cursor)
        assert placed[0] in {order.ref for order in changed}

    run(scenario, simulator)


def test_many_lines_are_read_to_the_last() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        for index in range(120):
            simulator.add_item(f"SKU-{index}", 5)
        ref = simulator.place_order({f"SKU-{index}": 1 for index in range(120)})
        assert len((await connector.read_order(ref)).lines) == 120

    run(scenario)


def test_orders_of_a_window_are_read_whatever_changed_since() -> None:
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]
    simulator = ShopifySimulator(clock=lambda: clock[0])

    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 500)
        placed = []
        for _ in range(24):
            clock[0] += timedelta(minutes=1)
            placed.append(simulator.place_order({"CAM": 1}))
        since, until = clock[0] - timedelta(minutes=21), clock[0] - timedelta(minutes=2)
        seen = [order.ref async for order in connector.snapshot_orders(since, until)]
        assert seen == placed[2:22]

    run(scenario, simulator)


def test_stock_is_set_in_one_call_and_a_repeat_changes_nothing() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        items = [simulator.add_item(f"SKU-{index}", 1) for index in range(60)]
        levels = [level(f"SKU-{index}", item, 7, 1) for index, item in enumerate(items)]
        simulator.calls.clear()
        results = await connector.push_stock(levels)
        assert len(simulator.calls) == 2, "a look at what is tracked, and the quantities"
        assert {each.quantity for each in results} == {7}
        assert len(results) == 60
        simulator.set_quantity("SKU-0", 3)
        await connector.push_stock(levels)
        assert simulator.quantity("SKU-0") == 3, "the key was used: the sale in between stays"
        assert {each.sku: each.quantity for each in await stock_of(connector)}["SKU-1"] == 7

    run(scenario)


def test_a_stale_quantity_and_a_bad_listing_do_not_block_the_others() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        first, second, third = (simulator.add_item(sku, 5) for sku in ("A", "B", "C"))
        simulator.set_quantity("B", 4)
        results = await connector.push_stock(
            [
                level("A", first, 9, 5),
                level("B", second, 9, 5),
                level("ghost", "gid://shopify/InventoryItem/1", 9, 5),
                level("negative", third, -1, 5),
                level("C", third, 9, 5),
            ]
        )
        answers = {each.listing: each for each in results}
        assert (simulator.quantity("A"), simulator.quantity("B"), simulator.quantity("C")) == (
            9,
            4,
            9,
        )
        assert answers["A"].quantity == answers["C"].quantity == 9
        assert isinstance(stale := answers["B"].error, Conflict)
        assert stale.observed == 4
        assert isinstance(answers["ghost"].error, NotFound)
        assert isinstance(answers["negative"].error, Rejected)

    run(scenario)


def test_a_stale_quantity_that_is_already_right_is_a_success() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        item = simulator.add_item("A", 9)
        (result,) = await connector.push_stock([level("A", item, 9, 5)])
        assert (result.quantity, result.error) == (9, None)

    run(scenario)


def test_a_lost_answer_is_repeated_at_once_because_the_key_makes_it_safe() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        item = simulator.add_item("A", 5)
        simulator.fail_next(Fault.LOST_ANSWER, containing="inventorySetQuantities")
        (result,) = await connector.push_stock([level("A", item, 9, 5)])
        assert result.quantity == simulator.quantity("A") == 9

    run(scenario)


def test_throttling_says_how_long_to_wait() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.fail_next(Fault.THROTTLED)
        with pytest.raises(RateLimited) as caught:
            await connector.pull_orders("")
        assert caught.value.retry_after == pytest.approx(4.0)
        simulator.fail_next(Fault.RATE_LIMITED)
        with pytest.raises(RateLimited) as caught:
            await connector.pull_orders("")
        assert caught.value.retry_after == pytest.approx(2.0)
        simulator.fail_next(Fault.SERVER_ERROR, times=3)
        with pytest.raises(Transient):
            await connector.pull_orders("")

    run(scenario)


def test_a_shipment_is_told_once_with_its_serials() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 5)
        ref = simulator.place_order({"CAM": 3})
        order = await connector.read_order(ref)
        line = order.lines[0].ref
        link = await connector.push_fulfillment(shipped(order, "SN1", "SN2"))
        await connector.push_fulfillment(shipped(order, "SN1", "SN2"))
        assert link.endswith(f"/admin/orders/{ref.rsplit('/', 1)[1]}")
        assert [each.quantities for each in simulator.orders[ref].shipments] == [{line: 2}]
        assert simulator.serials(ref) == {line: ["SN1", "SN2"]}
        await connector.push_fulfillment(shipped(order, "SN3", reference="F2"))
        assert simulator.serials(ref) == {line: ["SN1", "SN2", "SN3"]}
        assert (await connector.read_order(ref)).state is OrderState.FULFILLED

    run(scenario)


def test_a_shipment_whose_answer_got_lost_is_not_created_twice() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 2}))
        simulator.fail_next(Fault.LOST_ANSWER, containing="fulfillmentCreate")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        await connector.push_fulfillment(shipped(order, "SN1"))
        simulator.fail_next(Fault.LOST_ANSWER, containing="metafieldsSet")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN2", reference="F2"))
        await connector.push_fulfillment(shipped(order, "SN2", reference="F2"))
        assert len(simulator.orders[order.ref].shipments) == 2
        assert simulator.serials(order.ref) == {order.lines[0].ref: ["SN1", "SN2"]}

    run(scenario)


def test_an_order_on_hold_is_a_conflict_and_nothing_is_created() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 1}))
        simulator.hold(order.ref)
        with pytest.raises(Conflict):
            await connector.push_fulfillment(shipped(order, "SN1"))
        simulator.hold(order.ref, on_hold=False)
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert len(simulator.orders[order.ref].shipments) == 1

    run(scenario)


def test_serials_written_by_somebody_else_meanwhile_are_kept() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 1}))
        entry = '[{"line": "gid://shopify/LineItem/1", "serials": ["THEIRS"]}]'
        simulator.orders[order.ref].metafields["serial_hub", "serials"] = entry
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert simulator.serials(order.ref) == {
            "gid://shopify/LineItem/1": ["THEIRS"],
            order.lines[0].ref: ["SN1"],
        }

    run(scenario)


def test_a_counter_sale_gets_its_serials_and_no_second_shipment() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        simulator.add_item("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 1}, at_counter=True))
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert len(simulator.orders[order.ref].shipments) == 1
        assert simulator.serials(order.ref) == {order.lines[0].ref: ["SN1"]}

    run(scenario)


def test_a_mutation_without_its_key_is_refused_by_the_twin() -> None:
    async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
        item = simulator.add_item("A", 5)
        sent = {"inventoryItemId": item, "locationId": simulator.location_id, "quantity": 1}
        document = "mutation($i: InventorySetQuantitiesInput!) %s"
        call = "{ inventorySetQuantities(input: $i) { userErrors { code } } }"
        given = {"name": "available", "reason": "correction", "quantities": [sent]}
        body = {"query": document % call, "variables": {"i": given}}
        answer = await connector.api.json("POST", "/graphql.json", json=body)
        assert "idempotent" in answer["errors"][0]["message"]
        assert simulator.quantity("A") == 5

    run(scenario)


class TestReturns:
    """Returns and refunds, read with the order by its time of change."""

    @staticmethod
    async def pulled(connector: Shopify) -> dict[str, Return]:
        found: dict[str, Return] = {}
        cursor, more = "", True
        while more:
            page = await connector.pull_returns(cursor)
            found |= {each.ref: each for each in page.items}
            cursor, more = page.cursor, page.more
        return found

    def test_a_return_is_read_from_its_opening_to_its_refund(self) -> None:
        async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
            simulator.add_item("CAM", 5)
            order = simulator.place_order({"CAM": 2})
            line = simulator.orders[order].lines[0].id
            simulator.ship(order, {line: 2})
            goods = simulator.open_return(order, {line: 1}, reason="too small")
            said = (await self.pulled(connector))[goods]
            assert (said.order_ref, said.state, said.refunded) == (order, ReturnState.OPEN, False)
            (part,) = said.lines
            assert (part.order_line_ref, part.quantity, part.arrived) == (line, 1, 0)
            assert part.reason == "Other: too small"
            simulator.process_return(order, goods)
            paid = simulator.refund(order, {line: 1}, return_id=goods)
            simulator.set_return_status(order, goods, "CLOSED")
            (said,) = await connector.read_returns(order)
            assert (said.state, said.refund_ref) == (ReturnState.CLOSED, paid)
            (part,) = said.lines
            assert (part.arrived, part.refunded, part.taken_off) == (1, 1, 1)
            read = await connector.read_order(order)
            assert (read.lines[0].quantity, read.lines[0].fulfilled) == (1, 1)
            assert said.refunded_at is not None
            assert said.refunded_at <= read.updated_at

        run(scenario)

    def test_refunds_without_a_return_say_what_becomes_of_the_goods(self) -> None:
        async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
            simulator.add_item("CAM", 9)
            order = simulator.place_order({"CAM": 4})
            line = simulator.orders[order].lines[0].id
            simulator.ship(order, {line: 3})
            kept = simulator.refund(order, {line: 1}, "NO_RESTOCK", note="damaged")
            back = simulator.refund(order, {line: 1}, "RETURN")
            never_left = simulator.refund(order, {line: 1}, "CANCEL")
            money = simulator.refund(order, {})
            found = await self.pulled(connector)
            assert set(found) == {kept, back, money}
            assert never_left not in found
            (part,) = found[kept].lines
            assert (part.comes_back, part.arrived, part.reason) == (False, 0, "damaged")
            (part,) = found[back].lines
            assert (part.comes_back, part.arrived, part.restock) == (True, 1, True)
            assert found[money].lines == ()
            assert found[money].refunded

        run(scenario)

    def test_an_exchange_names_the_new_line_and_a_withdrawn_return_says_so(self) -> None:
        async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
            for sku in ("CAM", "LENS"):
                simulator.add_item(sku, 5)
            order = simulator.place_order({"CAM": 1})
            line = simulator.orders[order].lines[0].id
            simulator.ship(order, {line: 1})
            goods = simulator.open_return(order, {line: 1}, exchange_for="LENS")
            (said,) = await connector.read_returns(order)
            read = await connector.read_order(order)
            assert said.exchange_line_refs == (read.lines[1].ref,)
            for status, state in (
                ("DECLINED", ReturnState.CANCELLED),
                ("REQUESTED", ReturnState.REQUESTED),
            ):
                simulator.set_return_status(order, goods, status)
                (said,) = await connector.read_returns(order)
                assert said.state is state
            with pytest.raises(NotFound):
                await connector.read_returns("gid://shopify/Order/1")

        run(scenario)

    def test_the_origin_of_an_imported_order_is_told(self) -> None:
        async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
            simulator.add_item("CAM", 5)
            assert (
                await connector.read_order(simulator.place_order({"CAM": 1}))
            ).origin_ref is None
            imported = simulator.place_order({"CAM": 1}, origin="111-22")
            assert (await connector.read_order(imported)).origin_ref == "111-22"
            at_till = simulator.place_order({"CAM": 1}, at_counter=True, origin="1234-12-1000")
            assert (await connector.read_order(at_till)).origin_ref is None

        run(scenario)


class TestCancelling:
    """An order that can not be served is cancelled there, once."""

    def test_it_is_cancelled_once_whatever_becomes_of_the_answer(self) -> None:
        async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
            simulator.add_item("CAM", 0)
            order = simulator.place_order({"CAM": 1})
            wish = Cancellation(reference="C1", order_ref=order, reason="out of stock")
            simulator.fail_next(Fault.LOST_ANSWER, containing="orderCancel(")
            with pytest.raises(Unknown):
                await connector.cancel_order(wish)
            number = order.rsplit("/", 1)[-1]
            assert (await connector.cancel_order(wish)).endswith(f"/admin/orders/{number}")
            assert (await connector.read_order(order)).state is OrderState.CANCELLED

        run(scenario)

    def test_what_has_left_is_not_cancelled(self) -> None:
        async def scenario(simulator: ShopifySimulator, connector: Shopify) -> None:
            simulator.add_item("CAM", 1)
            order = simulator.place_order({"CAM": 1})
            simulator.ship(order, {simulator.orders[order].lines[0].id: 1})
            with pytest.raises(Rejected, match="can not be cancelled"):
                await connector.cancel_order(
                    Cancellation(reference="C1", order_ref=order, reason="out of stock")
                )
            with pytest.raises(NotFound):
                await connector.cancel_order(
                    Cancellation(reference="C2", order_ref="gid://shopify/Order/1", reason="none")
                )

        run(scenario)
