"""The Square connector talks to its simulator over a real socket."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors import AuthFailed, Conflict, NotFound, RateLimited, Rejected, Transient, Unknown
from connectors.square.connector import Square
from connectors.square.simulator.server import SquareSimulator
from connectors.testing import ServedSimulator
from connectors.testing.simulator import Fault
from hub.vocabulary import (
    Fulfillment,
    FulfillmentLine,
    Order,
    OrderState,
    ReturnState,
    StockLevel,
)
from pulling import pull_all

WIRED = ServedSimulator("square", SquareSimulator)
connected, run = WIRED.connected, WIRED.run


def level(listing: str, variation: str, available: int, key: str = "v1") -> StockLevel:
    return StockLevel(
        listing=listing,
        sku=listing,
        available=available,
        remote={"catalog_object_id": variation, "location_id": "LTWIN"},
        key=f"{listing}:{key}",
    )


def shipped(order: Order, *serials: str, reference: str = "F1") -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=serials),),
        shipped_at=datetime(2026, 11, 1, tzinfo=UTC),
        carrier="UPS",
        tracking="1Z999",
    )


def test_check_proves_token_and_location() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        await connector.check()
        simulator.location_id = "ELSEWHERE"
        with pytest.raises(NotFound):
            await connector.check()
        simulator.access_token = "revoked"
        with pytest.raises(AuthFailed):
            await connector.check()

    run(scenario)


def test_a_counter_sale_brings_its_serials_and_skus() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        simulator.add_variation("CAM", 5, "Camera")
        ref = simulator.sell("CAM", 2, ["C-1", "C-2"])
        online = simulator.place_order({"CAM": 1})
        orders = {order.ref: order for order in (await pull_all(connector))[0]}
        sold = orders[ref]
        assert (sold.state, sold.at_counter) == (OrderState.FULFILLED, True)
        assert (sold.lines[0].sku, sold.lines[0].serials) == ("CAM", ("C-1", "C-2"))
        assert (sold.lines[0].quantity, sold.lines[0].fulfilled) == (2, 2)
        assert (orders[online].state, orders[online].at_counter) == (OrderState.OPEN, False)
        simulator.cancel_order(online)
        assert (await connector.read_order(online)).state is OrderState.CANCELLED
        with pytest.raises(NotFound):
            await connector.read_order("NOPE")

    run(scenario)


def test_the_walk_pages_through_everything() -> None:
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]
    simulator = SquareSimulator(clock=lambda: clock[0])

    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        simulator.add_variation("CAM", 500)
        placed = []
        for _ in range(230):
            clock[0] += timedelta(seconds=30)
            placed.append(simulator.sell("CAM"))
        orders, cursor = await pull_all(connector)
        assert {order.ref for order in orders} == set(placed)
        late = simulator.sell("CAM")
        again, _ = await pull_all(connector, cursor)
        assert {order.ref for order in again} == {*placed[-11:], late}
        since, until = clock[0] - timedelta(minutes=10), clock[0] - timedelta(minutes=5)
        window = [order.ref async for order in connector.snapshot_orders(since, until)]
        assert window == placed[-21:-10]

    run(scenario, simulator)


def test_counts_are_set_and_seen() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        ids = [simulator.add_variation(f"SKU-{index}", 1) for index in range(130)]
        simulator.add_variation("UNCOUNTED", None)
        levels = [level(f"SKU-{i}", ids[i], 7) for i in range(100)]
        results = await connector.push_stock(levels)
        assert {each.quantity for each in results} == {7}
        seen = {each.sku: each async for each in connector.snapshot_stock()}
        assert (len(seen), seen["SKU-99"].quantity, seen["SKU-100"].quantity) == (131, 7, 1)
        assert seen["UNCOUNTED"].quantity == 0
        assert seen["SKU-3"].remote == {"catalog_object_id": ids[3], "location_id": "LTWIN"}

    run(scenario)


def test_a_repeat_after_a_sale_does_not_take_the_sale_back() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        item = simulator.add_variation("CAM", 1)
        assert (await connector.push_stock([level("CAM", item, 5)]))[0].quantity == 5
        # The time of the count differs, so Square sees the key with another body.
        assert (await connector.push_stock([level("CAM", item, 5)]))[0].quantity == 5
        simulator.sell("CAM")
        (result,) = await connector.push_stock([level("CAM", item, 5)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == simulator.quantity("CAM") == 4
        (result,) = await connector.push_stock([level("CAM", item, 5, key="v2")])
        assert result.quantity == simulator.quantity("CAM") == 5

    run(scenario)


def test_a_bad_listing_does_not_block_the_others() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        first, last = simulator.add_variation("A", 1), simulator.add_variation("Z", 1)
        levels = [level("A", first, 4), level("ghost", "NOPE", 4), level("neg", first, -1)]
        results = await connector.push_stock([*levels, level("Z", last, 4)])
        answers = {each.listing: each for each in results}
        assert (simulator.quantity("A"), simulator.quantity("Z")) == (4, 4)
        assert isinstance(answers["ghost"].error, NotFound)
        assert isinstance(answers["neg"].error, Rejected)
        assert answers["Z"].error is None

    run(scenario)


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        item = simulator.add_variation("A", 1)
        simulator.fail_next(Fault.RATE_LIMITED)
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.SERVER_ERROR, times=3)
        with pytest.raises(Transient):
            await connector.push_stock([level("A", item, 4)])
        simulator.fail_next(Fault.LOST_ANSWER, containing="PHYSICAL_COUNT")
        assert (await connector.push_stock([level("A", item, 4)]))[0].quantity == 4

    run(scenario)


def test_an_online_shipment_moves_and_names_its_serials() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        simulator.add_variation("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 2}))
        line = order.lines[0].ref
        assert await connector.push_fulfillment(shipped(order, "SN1")) == order.ref
        shipment = simulator.orders[order.ref].fulfillments[0]
        assert shipment["state"] == "PREPARED"
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert simulator.orders[order.ref].version == 2, "the repeat changed nothing"
        await connector.push_fulfillment(shipped(order, "SN2", reference="F2"))
        assert shipment["state"] == "COMPLETED"
        assert shipment["shipment_details"] == {"carrier": "UPS", "tracking_number": "1Z999"}
        assert simulator.serials(order.ref) == {line: ["SN1", "SN2"]}
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED

    run(scenario)


def test_a_lost_answer_of_a_shipment_is_looked_up() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        simulator.add_variation("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 1}))
        simulator.fail_next(Fault.LOST_ANSWER, containing="PUT ")
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert simulator.orders[order.ref].version == 2
        simulator.fail_next(Fault.LOST_ANSWER, times=3, containing="bulk-upsert")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1", "SN2"))
        await connector.push_fulfillment(shipped(order, "SN1", "SN2"))
        assert simulator.serials(order.ref) == {order.lines[0].ref: ["SN1", "SN2"]}

    run(scenario)


def test_a_till_sale_takes_no_update_but_the_attribute() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        simulator.add_variation("CAM", 5)
        order = await connector.read_order(simulator.sell("CAM"))
        await connector.push_fulfillment(shipped(order, "SN1"))
        assert "PUT" not in {call.split()[0] for call in simulator.calls}
        assert simulator.serials(order.ref) == {order.lines[0].ref: ["SN1"]}

    run(scenario)


def test_what_the_till_takes_back_is_a_return_and_no_order() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        simulator.add_variation("CAM", 5)
        sold = simulator.sell("CAM", 2, ["A-1", "A-2"])
        receipt = simulator.create_return(sold, note="SN: A-2 scratched")
        page = await connector.pull_returns("")
        (said,) = page.items
        assert (said.order_ref, said.state, said.refunded) == (sold, ReturnState.CLOSED, True)
        (part,) = said.lines
        line = (await connector.read_order(sold)).lines[0]
        assert (part.order_line_ref, part.quantity, part.arrived) == (line.ref, 1, 1)
        assert (part.refunded, part.taken_off, part.serials) == (1, 0, ("A-2",))
        assert line.quantity == 2
        assert said.exchange_order_ref is None
        orders = (await connector.pull_orders("")).items
        assert [order.ref for order in orders] == [sold]
        assert list(await connector.read_returns(receipt)) == [said]
        assert (await connector.pull_returns(page.cursor)).items == (said,)

    run(scenario)


def test_an_exchange_at_the_till_is_a_return_and_an_order() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        for sku in ("CAM", "LENS"):
            simulator.add_variation(sku, 5)
        sold = simulator.sell("CAM", 1, ["SN-1"])
        receipt = simulator.create_return(sold, exchange_for="LENS")
        (said,) = (await connector.pull_returns("")).items
        assert said.exchange_order_ref == receipt
        orders = {order.ref: order for order in (await connector.pull_orders("")).items}
        assert [line.sku for line in orders[receipt].lines] == ["LENS"]

    run(scenario)


def test_a_refund_of_money_alone_has_no_lines_and_a_failed_one_pays_nothing() -> None:
    async def scenario(simulator: SquareSimulator, connector: Square) -> None:
        simulator.add_variation("CAM", 5)
        sold = simulator.sell("CAM", 1, ["SN-1"])
        paid, failed = simulator.refund(sold), simulator.refund(sold, "FAILED")
        found = {each.ref: each for each in await connector.read_returns(sold)}
        assert (found[paid].lines, found[paid].refunded) == ((), True)
        assert (found[failed].state, found[failed].refunded) == (ReturnState.CANCELLED, False)

    run(scenario)
