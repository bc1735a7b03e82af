"""Cases about returns: they are found, read alike, and bring serials back where the channel can."""

from connectors.contract import PullOrders, PullReturns, PushFulfillment
from connectors.errors import NotFound
from connectors.testing.case import (
    NotApplicable,
    case,
    require,
    require_equal,
    require_one,
    require_raises,
    unless_flag,
)
from connectors.testing.harness import Harness, with_unknown_enum_values
from hub.vocabulary import OrderState, Return


@case(PullReturns)
async def empty_pages_of_returns(harness: Harness) -> None:
    """No returns: no items, no more, and a cursor from which the first return is found."""
    cursor = ""
    for _ in range(3):
        page = await harness.connector.pull_returns(cursor)
        require_equal((page.items, page.more), ((), False), "a channel without returns")
        cursor = page.cursor
    harness.driver.list_article("CAM", 9)
    order = harness.driver.place_order("CAM", 2)
    harness.clock.advance(30)
    ref = harness.driver.create_return(order, 1, ())
    found, _ = await harness.pull_all(cursor, returns=True)
    require_equal({each.ref for each in found}, {ref}, "the first return after empty pages")


@case(PullReturns)
async def returns_are_read(harness: Harness) -> None:
    """A return names its order, its line, how many came back, and that they were paid for."""
    harness.driver.list_article("CAM", 9)
    order = harness.driver.place_order("CAM", 2)
    line = (await harness.connector.read_order(order)).lines[0].ref
    harness.clock.advance(30)
    at = harness.clock.now
    ref = harness.driver.create_return(order, 1, ())
    found, cursor = await harness.pull_all(returns=True)
    back = require_one((each for each in found if each.ref == ref), "the return")
    require_equal(back.order_ref, order, "its order")
    require_equal(
        [(each.order_line_ref, each.quantity) for each in back.lines], [(line, 1)], "its lines"
    )
    require(back.refunded, "it was paid for")
    finely = harness.driver.returns_resolution or harness.driver.time_resolution
    require(abs(back.updated_at - at) <= finely, f"its time: {back.updated_at}")
    alone = await harness.connector.read_returns(order)
    require({each.ref for each in alone} <= {ref}, "returns that nobody made")
    require_equal([each for each in alone if each != back], [], "returns that read otherwise alone")
    again, _ = await harness.pull_all(cursor, returns=True)
    require({each.ref for each in again} <= {ref}, "returns that nobody made")
    with require_raises(NotFound, "returns of an order that is not there"):
        await harness.connector.read_returns(harness.driver.missing_order())


@case(PullReturns)
async def pages_while_returns_change(harness: Harness) -> None:
    """Goods come back while pages of returns are read: no return is skipped."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 10_000)
    orders = [driver.place_order("CAM", 2) for _ in range(driver.orders_for_pages + 4)]
    made = []
    for order in orders[:-4]:
        harness.clock.advance(20)
        made.append(driver.create_return(order, 1, ()))
    page = await connector.pull_returns("")
    require(page.more, "the first page holds everything: raise orders_for_pages of the driver")
    seen = {each.ref for each in page.items}
    for order in orders[-4:]:
        harness.clock.advance(20)
        made.append(driver.create_return(order, 1, ()))
        page = await connector.pull_returns(page.cursor)
        seen |= {each.ref for each in page.items}
    for _ in range(2):
        found, cursor = await harness.pull_all(page.cursor, returns=True)
        seen |= {each.ref for each in found}
        page = type(page)((), cursor)
    missing = [ref for ref in made if ref not in seen]
    require(not missing, f"{len(missing)} of {len(made)} returns were skipped: {missing[:3]}")


@case(PullReturns)
async def unknown_enum_values_in_returns(harness: Harness) -> None:
    """A status that nobody knows yet hides no return."""
    harness.driver.list_article("CAM", 9)
    order = harness.driver.place_order("CAM", 2)
    ref = harness.driver.create_return(order, 1, ())
    harness.transport.rewrite = with_unknown_enum_values(harness.driver.enum_fields)
    found, _ = await harness.pull_all(returns=True)
    require(harness.transport.rewritten, "no answer has a field of word_fields")
    require_equal({each.ref for each in found}, {ref}, "the returns")


@case(
    PullReturns, unless=unless_flag("returns_name_serials", "the channel's returns name no serials")
)
async def returned_serials_are_read(harness: Harness) -> None:
    """A return brings back the serials that the channel names, at their line."""
    harness.driver.list_article("CAM", 9)
    order = harness.driver.place_order("CAM", 3)
    ref = harness.driver.create_return(order, 2, ("C-1", "C-2"))
    found, _ = await harness.pull_all(returns=True)
    back = require_one((each for each in found if each.ref == ref), "the return")
    require_equal(sorted(back.lines[0].serials), ["C-1", "C-2"], "the serials of the line")


@case(PullReturns, PullOrders)
async def refunded_before_leaving_is_not_to_pick(harness: Harness) -> None:
    """One of two unsent units is refunded: one is to pick, and what left later comes back alone."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 9)
    order = await connector.read_order(driver.place_order("CAM", 2))
    harness.clock.advance(30)
    if not driver.refund_unsent(order.ref, 1):
        raise NotApplicable("the channel refunds no part of an order before it leaves")
    after = await connector.read_order(order.ref)
    pulled = require_one((await harness.pull_all())[0], "the orders")
    for what, found in (("read alone", after), ("of the pages", pulled)):
        require_equal(found.state, OrderState.OPEN, f"the order {what}")
        wanted = [line.quantity - line.fulfilled for line in found.lines]
        require_equal(wanted, [1], f"what is to be picked of the order {what}")
    found, _ = await harness.pull_all(returns=True)
    require_equal(sum(_units(each) for each in found), 0, "returned units while nothing had left")
    harness.clock.advance(30)
    if isinstance(connector, PushFulfillment):
        await connector.push_fulfillment(harness.shipment(after, ["C-1"], "F1"))
        harness.clock.advance(30)
    ref = driver.create_return(order.ref, 1, ())
    found, _ = await harness.pull_all(returns=True)
    require_equal(sum(_units(each) for each in found), 1, "the returned units of all returns")
    back = require_one((each for each in found if each.ref == ref), "the return")
    line = require_one(back.lines, "its lines")
    require_equal((line.quantity, line.refunded, line.comes_back), (1, 1, True), "what comes back")
    lines = (await connector.read_order(order.ref)).lines
    served = sum(each.quantity for each in lines) + line.taken_off
    require_equal(served, 1, "what the order wants, and the return took off it")


def _units(found: Return) -> int:
    return sum(line.quantity for line in found.lines)


CASES = (
    refunded_before_leaving_is_not_to_pick,
    empty_pages_of_returns,
    returns_are_read,
    pages_while_returns_change,
    unknown_enum_values_in_returns,
    returned_serials_are_read,
)
