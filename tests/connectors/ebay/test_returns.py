"""eBay's returns change without moving their order; refunds are amounts, and some are of units."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors import Page
from connectors.ebay.connector import Ebay
from connectors.ebay.simulator import EbaySimulator
from connectors.errors import NotFound, Unknown
from connectors.testing import ServedSimulator
from connectors.unreadable import Unreadable
from hub.vocabulary import OrderState, Return, ReturnState

WIRED = ServedSimulator("ebay", EbaySimulator)
run = WIRED.run


async def pulled(connector: Ebay, cursor: str = "") -> tuple[dict[str, Return], str]:
    """Pull until there is no more; return the newest state of each return, and the cursor."""
    found: dict[str, Return] = {}
    for _ in range(50):
        page = await connector.pull_returns(cursor)
        found |= {each.ref: each for each in page.items}
        cursor = page.cursor
        if not page.more:
            return found, cursor
    raise AssertionError("there is always more")


def sold(simulator: EbaySimulator, quantities: Mapping[str, int]) -> str:
    for sku in quantities:
        simulator.add_item(sku, 9)
    return simulator.place_order(quantities)


def of_line(found: Return) -> tuple[Any, ...]:
    (line,) = found.lines
    return (line.quantity, line.comes_back, line.arrived, line.refunded, line.reason)


def test_a_return_is_followed_although_its_order_never_changes() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        order = sold(simulator, {"CAM": 3})
        ref = simulator.returns.open(simulator.orders[order], 0, 2)
        seen, cursor = await pulled(connector)
        assert (seen[ref].state, seen[ref].order_ref) == (ReturnState.REQUESTED, order)
        assert of_line(seen[ref]) == (2, True, 0, 0, "NO_LONGER_NEED_ITEM")
        assert await pulled(connector, cursor) == ({}, cursor)  # nothing changed
        simulator.returns.move(ref, "ITEM_DELIVERED")
        seen, cursor = await pulled(connector, cursor)
        assert (seen[ref].state, seen[ref].refunded) == (ReturnState.OPEN, False)
        assert of_line(seen[ref]) == (2, True, 2, 0, "NO_LONGER_NEED_ITEM")
        simulator.returns.close(ref, "20.00")
        seen, cursor = await pulled(connector, cursor)
        assert (seen[ref].state, seen[ref].refund_ref) == (ReturnState.CLOSED, ref)
        assert of_line(seen[ref]) == (2, True, 2, 2, "NO_LONGER_NEED_ITEM")
        assert "twin-buyer" not in repr(seen)
        assert "too big" not in repr(seen)  # what the buyer wrote stays there

    run(scenario)


def test_a_return_that_closes_unpaid_or_is_kept_brings_nothing_back() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        order = sold(simulator, {"CAM": 1, "LENS": 1})
        dropped = simulator.returns.open(simulator.orders[order], 0, 1)
        kept = simulator.returns.open(simulator.orders[order], 1, 1)
        _, cursor = await pulled(connector)
        simulator.returns.close(dropped, None, "BUYER_CLOSED")
        simulator.returns.close(kept, "3.00", "BUYER_ACCEPT_LESS_THAN_FULL_REFUND")
        seen, _ = await pulled(connector, cursor)
        assert seen[dropped].state is ReturnState.CANCELLED
        assert (seen[kept].state, seen[kept].refunded) == (ReturnState.CLOSED, True)
        assert of_line(seen[kept])[1:4] == (False, 0, 0)

    run(scenario)


def test_a_line_that_is_paid_back_before_it_leaves_is_not_to_pick() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        order = sold(simulator, {"CAM": 2, "LENS": 1})
        simulator.refund(order, "5.00", line=0)  # a part of the price: both still leave
        assert [line.quantity for line in (await connector.read_order(order)).lines] == [2, 1]
        simulator.refund(order, "15.00", line=0)
        read = await connector.read_order(order)
        assert (read.state, [line.quantity for line in read.lines]) == (OrderState.OPEN, [0, 1])
        assert await connector.read_returns(order) == []
        simulator.orders[order]["lineItems"][1]["lineItemFulfillmentStatus"] = "FULFILLED"
        number = simulator.refund(order, "10.00", line=1)
        (back,) = await connector.read_returns(order)
        assert (back.ref, back.refund_ref) == (f"refund-{number}", number)
        assert of_line(back)[:4] == (1, True, 0, 1)
        whole_order = simulator.refund(order, "2.50")
        seen, _ = await pulled(connector)
        assert {ref: len(each.lines) for ref, each in seen.items()} == {
            f"refund-{number}": 1,
            f"refund-{whole_order}": 0,
        }

    run(scenario)


def test_the_refund_of_a_return_is_told_once() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        order = sold(simulator, {"CAM": 1, "LENS": 1})
        simulator.change(order, orderFulfillmentStatus="FULFILLED")
        for line in simulator.orders[order]["lineItems"]:
            line["lineItemFulfillmentStatus"] = "FULFILLED"
        first = simulator.returns.open(simulator.orders[order], 0, 1)
        simulator.returns.close(first, "10.00")
        simulator.refund(order, "10.00", line=0)
        second = simulator.returns.open(simulator.orders[order], 1, 1)
        simulator.returns.close(second, "10.00")
        simulator.refund(order, "10.00")
        assert {each.ref for each in await connector.read_returns(order)} == {first, second}

    run(scenario)


def test_more_returns_than_a_page_are_found_in_halves_of_their_time() -> None:
    at = [datetime.now(UTC) - timedelta(hours=6)]

    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        simulator.returns.per_page = 3
        made = set[str]()
        for number in range(11):
            at[0] += timedelta(seconds=20 + number)
            order = sold(simulator, {"CAM": 1})
            made.add(simulator.returns.open(simulator.orders[order], 0, 1))
        seen, _ = await pulled(connector)
        assert set(seen) == made
        for _ in range(4):  # within one second: there is no smaller span
            simulator.returns.open(simulator.orders[order], 0, 1)
        with pytest.raises(Unknown, match="one second"):
            await pulled(connector)

    run(scenario, EbaySimulator(clock=lambda: at[0]))


def test_an_odd_return_is_named_and_stops_no_other() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        odd, good = sold(simulator, {"CAM": 1, "LENS": 1}), sold(simulator, {"CAM": 1})
        simulator.returns.open(simulator.orders[odd], 0, 1)
        strange = simulator.returns.open(simulator.orders[odd], 0, 1)
        simulator.returns.found[strange]["creationInfo"]["item"] = {"itemId": "another"}
        fine = simulator.returns.open(simulator.orders[good], 0, 1)
        nameless = simulator.returns.open(simulator.orders[good], 0, 1)
        del simulator.returns.found[nameless]["orderId"]
        pages, cursor = list[Page[Return]](), ""
        while not pages or pages[-1].more:
            pages.append(await connector.pull_returns(cursor))
            cursor = pages[-1].cursor
        assert {each.ref for page in pages for each in page.items} >= {fine}
        named = {(each.ref, each.field) for page in pages for each in page.unreadable}
        assert (odd, "creationInfo.item") in named
        assert (None, "orderId") in named
        with pytest.raises(Unreadable):
            await connector.read_returns(odd)
        with pytest.raises(NotFound):
            await connector.read_returns("12-99999-99999")

    run(scenario)


def test_a_return_names_its_line_by_the_listing_where_the_transaction_is_another() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        order = sold(simulator, {"CAM": 1, "LENS": 1})
        ref = simulator.returns.open(simulator.orders[order], 1, 1)
        simulator.returns.found[ref]["creationInfo"]["item"]["transactionId"] = "5001"
        (back,) = await connector.read_returns(order)
        lens = simulator.orders[order]["lineItems"][1]["lineItemId"]
        assert back.lines[0].order_line_ref == lens

    run(scenario)
