"""Cases about orders of two lines, orders in one moment, and orders of other channels."""

from dataclasses import replace

from connectors.contract import (
    PullOrders,
    PullReturns,
    PushFulfillment,
    PushStock,
    SnapshotOrders,
    SnapshotStock,
)
from connectors.errors import NotOurs
from connectors.testing.case import (
    NotApplicable,
    case,
    require,
    require_equal,
    require_one,
    require_raises,
)
from connectors.testing.harness import Harness
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderState

WANTED = (("CAM", 2), ("LENS", 3))


def _two_lines(harness: Harness) -> str:
    for sku, _ in WANTED:
        harness.driver.list_article(sku, 9)
    harness.clock.advance(20)
    return str(harness.driver.place_order_of(WANTED))


def _part(harness: Harness, order: Order, line: int, serials: tuple[str, ...]) -> Fulfillment:
    """Return a shipment of one line of an order."""
    return Fulfillment(
        reference=f"F{line}",
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[line].ref, serials=serials),),
        shipped_at=harness.clock.now,
        carrier="UPS",
        tracking=f"1Z99{line}",
    )


@case(PullOrders)
async def both_lines_are_read(harness: Harness) -> None:
    """An order of two lines has both, each with its own reference, SKU and quantity."""
    ref = _two_lines(harness)
    pulled = require_one((await harness.pull_all())[0], "the orders")
    require_equal(await harness.connector.read_order(ref), pulled, "the order read alone")
    found = sorted((line.sku, line.quantity, line.fulfilled) for line in pulled.lines)
    require_equal(found, [("CAM", 2, 0), ("LENS", 3, 0)], "its lines")
    require_equal(len({line.ref for line in pulled.lines}), 2, "so many different references")


@case(PullOrders)
async def orders_in_one_moment(harness: Harness) -> None:
    """More orders in one moment than a page holds: none is skipped at the end of a page."""
    driver = harness.driver
    driver.list_article("CAM", 10_000)
    early = driver.place_order("CAM", 1)
    harness.clock.advance(600)
    placed = [driver.place_order("CAM", 1) for _ in range(driver.orders_for_pages)]
    harness.clock.advance(600)
    late = driver.place_order("CAM", 1)
    found, cursor = await harness.pull_all()
    missing = {early, *placed, late} - {each.ref for each in found}
    require(not missing, f"{len(missing)} of {len(placed) + 2} orders were skipped")
    harness.clock.advance(60)
    last = driver.place_order("CAM", 1)
    found, _ = await harness.pull_all(cursor)
    require(last in {each.ref for each in found}, "the order after the moment was skipped")


@case(PullOrders)
async def orders_of_other_channels(harness: Harness) -> None:
    """An order of another marketplace or location of the account is none of this channel's."""
    harness.driver.list_article("CAM", 99)
    harness.clock.advance(20)
    ours = harness.driver.place_order("CAM", 1)
    harness.clock.advance(20)
    theirs = harness.driver.place_order_elsewhere("CAM", 1)
    if theirs is None:
        raise NotApplicable("an account of the channel has one place only")
    found, _ = await harness.pull_all()
    require_equal([each.ref for each in found], [ours], "the orders of the pages")
    with require_raises(NotOurs, "an order of another channel of the account, read alone"):
        await harness.connector.read_order(theirs)
    require_equal((await harness.connector.read_order(ours)).ref, ours, "our own order")
    if isinstance(harness.connector, PullReturns) and harness.driver.returns_name_their_channel:
        harness.driver.create_return(theirs, 1, ())
        returns, _ = await harness.pull_all(returns=True)
        require_equal([each.order_ref for each in returns], [], "the returns of the pages")
    if isinstance(harness.connector, SnapshotOrders):
        since = harness.clock.now.replace(hour=0, minute=0)
        window = harness.connector.snapshot_orders(since, harness.clock.advance(5))
        require_equal([each.ref async for each in window], [ours], "the orders of a window")


@case(PushFulfillment, PullOrders)
async def a_line_leaves_alone(harness: Harness) -> None:
    """The second line leaves first: the order is not fulfilled before the other has left too."""
    order = await harness.connector.read_order(_two_lines(harness))
    lens = next(index for index, line in enumerate(order.lines) if line.sku == "LENS")
    first = _part(harness, order, lens, ("L-1", "L-2", "L-3"))
    await harness.connector.push_fulfillment(first)
    between = await harness.connector.read_order(order.ref)
    require(between.state is not OrderState.FULFILLED, "one line left, and the order is fulfilled")
    left = {line.sku: line.fulfilled for line in between.lines}
    require_equal(left["CAM"], 0, "what left of the line that stayed")
    harness.clock.advance(60)
    await harness.connector.push_fulfillment(_part(harness, order, 1 - lens, ("C-1", "C-2")))
    if harness.connector.stores_serials:
        shown = sorted(harness.driver.serials_shown(order.ref))
        require_equal(shown, ["C-1", "C-2", "L-1", "L-2", "L-3"], "the serials of both lines there")
        after = await harness.connector.read_order(order.ref)
        require_equal(after.state, OrderState.FULFILLED, "the order after both lines left")
        left = {line.sku: line.fulfilled for line in after.lines}
        require_equal(left, {"CAM": 2, "LENS": 3}, "what left of the lines")


@case(PushFulfillment, PullOrders)
async def both_lines_leave_together(harness: Harness) -> None:
    """One shipment of two lines, reported twice: each left once, with its own serials."""
    driver = harness.driver
    order = await harness.connector.read_order(_two_lines(harness))
    gone = {
        line.ref: tuple(f"{line.sku}-{number}" for number in range(line.quantity))
        for line in order.lines
    }
    shipment = replace(
        _part(harness, order, 0, ()),
        lines=tuple(
            FulfillmentLine(order_line_ref=ref, serials=serials) for ref, serials in gone.items()
        ),
    )
    for _ in range(2):
        await harness.connector.push_fulfillment(shipment)
    after = await harness.connector.read_order(order.ref)
    require_equal(after.state, OrderState.FULFILLED, "the order after all of it left")
    left = {line.ref: line.fulfilled for line in after.lines}
    require_equal(left, {ref: len(serials) for ref, serials in gone.items()}, "what left of lines")
    if not harness.connector.stores_serials:
        return
    shown = sorted(driver.serials_shown(order.ref))
    require_equal(shown, sorted(each for serials in gone.values() for each in serials), "serials")
    by_line = driver.serials_by_line(order.ref)
    for ref, serials in gone.items() if by_line is not None else ():
        require_equal(sorted(by_line.get(ref, ())), sorted(serials), "the serials of one line")
    for line in after.lines:
        if line.shown_serials is not None and getattr(harness.connector, "shows_serials", False):
            wanted = sorted(gone[line.ref])
            require_equal(sorted(line.shown_serials), wanted, "the serials read with their line")


@case(PullOrders)
async def packed_is_not_shipped(harness: Harness) -> None:
    """What is packed has not left: nothing of it is fulfilled."""
    ref = _two_lines(harness)
    harness.clock.advance(20)
    if not harness.driver.pack_order(ref):
        raise NotApplicable("the channel has no step between open and shipped")
    order = await harness.connector.read_order(ref)
    require(order.state is not OrderState.FULFILLED, "a packed order is fulfilled")
    require_equal({line.fulfilled for line in order.lines}, {0}, "what left of its lines")


@case(PullReturns, PullOrders)
async def the_returned_line_is_named(harness: Harness) -> None:
    """Of two lines the second comes back: its line, what arrived, and what the order lost by it."""
    order = await harness.connector.read_order(_two_lines(harness))
    harness.clock.advance(30)
    ref = harness.driver.create_return(order.ref, 2, (), 1)
    found, _ = await harness.pull_all(returns=True)
    back = require_one((each for each in found if each.ref == ref), "the return")
    line = require_one(back.lines, "its lines")
    require_equal(line.order_line_ref, order.lines[1].ref, "its order line")
    arrived = 2 if harness.connector.returns_state_arrival else 0
    said = (line.quantity, line.refunded, line.arrived)
    require_equal(said, (2, 2, arrived), "two units of it: quantity, refunded, arrived")
    require_equal(line.comes_back, True, "that goods come back")
    after = await harness.connector.read_order(order.ref)
    now = {each.ref: each.quantity for each in after.lines}
    lost = {each.ref: each.quantity - now.get(each.ref, 0) for each in order.lines}
    taken_off = {order.lines[0].ref: 0, order.lines[1].ref: line.taken_off}
    require_equal(lost, taken_off, "by how many the order's lines were lowered (taken_off)")


@case(PullReturns, PullOrders)
async def kept_goods_do_not_come_back(harness: Harness) -> None:
    """Money is paid back and the customer keeps the goods: nothing of it arrives or comes back."""
    driver = harness.driver
    order = await harness.connector.read_order(_two_lines(harness))
    harness.clock.advance(30)
    ref = driver.refund_kept(order.ref, 2, 1)
    if ref is None:
        raise NotApplicable("the channel does not say which refunded goods are kept")
    found, _ = await harness.pull_all(returns=True)
    back = require_one((each for each in found if each.ref == ref), "the refund")
    line = require_one(back.lines, "its lines")
    require_equal(line.order_line_ref, order.lines[1].ref, "its order line")
    said = (line.quantity, line.refunded, line.comes_back, line.arrived, line.restock)
    require_equal(said, (2, 2, False, 0, False), "of two units that are kept: the line")


@case(PushStock, SnapshotStock, PullOrders)
async def a_push_beside_an_open_order(harness: Harness) -> None:
    """An open order holds units: what is pushed is what can be sold, and the hold stays beside."""
    driver = harness.driver
    remote = driver.list_article("CAM", 9)
    harness.clock.advance(20)
    driver.place_order("CAM", 2)
    before = (await harness.stock())["CAM"]
    require_equal(before, driver.quantity_shown("CAM"), "the snapshot beside an open order")
    for quantity, expected in ((5, before), (0, 5), (4, 0)):
        level = harness.level("CAM", quantity, remote, expected, key=str(quantity))
        pushed = require_one(await harness.push([level]), "the answers")
        require_equal((pushed.error, pushed.quantity), (None, quantity), "the answer")
        require_equal(driver.quantity_shown("CAM"), quantity, "what can be sold there")
        require_equal((await harness.stock())["CAM"], quantity, "the snapshot after the push")


CASES = (
    both_lines_are_read,
    orders_in_one_moment,
    orders_of_other_channels,
    a_line_leaves_alone,
    both_lines_leave_together,
    packed_is_not_shipped,
    the_returned_line_is_named,
    kept_goods_do_not_come_back,
    a_push_beside_an_open_order,
)
