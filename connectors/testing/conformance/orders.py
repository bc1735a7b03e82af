"""Cases about orders: pages, cursors, words, numbers, times, cancellation."""

from connectors.contract import CancelOrders, PullOrders, SnapshotOrders
from connectors.errors import NotFound
from connectors.testing.case import (
    NotApplicable,
    case,
    require,
    require_equal,
    require_one,
    require_raises,
    unless_empty,
    unless_flag,
)
from connectors.testing.harness import Harness, in_another_time_zone, with_unknown_enum_values
from connectors.toolkit.page_size import smaller_pages
from hub.vocabulary import Cancellation, HoldReason, Order, OrderState

BEYOND_DOUBLES = 2**60  # from here a double holds one whole number in 256
ENDED = (OrderState.FULFILLED, OrderState.CANCELLED)


@case(PullOrders)
async def empty_pages_of_orders(harness: Harness) -> None:
    """No orders: no items, no more, and a cursor from which the first order is found."""
    cursor = ""
    for _ in range(3):
        page = await harness.connector.pull_orders(cursor)
        require_equal((page.items, page.more), ((), False), "an empty channel")
        cursor = page.cursor
    harness.driver.list_article("CAM", 9)
    harness.clock.advance(1)
    ref = harness.driver.place_order("CAM", 1)
    found, _ = await harness.pull_all(cursor)
    require_equal([order.ref for order in found], [ref], "the first order after empty pages")


@case(PullOrders)
async def pages_while_orders_change(harness: Harness) -> None:
    """Orders change and appear while pages are read: none is skipped, and the newest word wins."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 10_000)
    placed = []
    for _ in range(driver.orders_for_pages):
        harness.clock.advance(20)
        placed.append(driver.place_order("CAM", 1))
    page = await connector.pull_orders("")
    require(page.more, "the first page holds everything: raise orders_for_pages of the driver")
    latest: dict[str, Order] = {order.ref: order for order in page.items}
    touched = []
    for seen, unseen in ((0, -1), (len(placed) // 2, -2), (1, -3)):
        harness.clock.advance(20)
        for index in (seen, unseen):
            driver.cancel_order(placed[index])
            touched.append(placed[index])
        placed.append(driver.place_order("CAM", 1))
        if page.more:
            page = await connector.pull_orders(page.cursor)
            latest |= {order.ref: order for order in page.items}
    found, cursor = await harness.pull_all(page.cursor) if page.more else ([], page.cursor)
    latest |= {order.ref: order for order in found}
    harness.clock.advance(20)
    placed.append(driver.place_order("CAM", 1))
    found, _ = await harness.pull_all(cursor)
    latest |= {order.ref: order for order in found}
    missing = [ref for ref in placed if ref not in latest]
    require(not missing, f"{len(missing)} of {len(placed)} orders were skipped: {missing[:3]}")
    states = {latest[ref].state for ref in touched}
    require_equal(
        states, {OrderState.CANCELLED}, "orders that were cancelled meanwhile are last seen as"
    )


@case(PullOrders, unless=unless_flag("pages_shrink", "its pages are always of one size"))
async def smaller_pages_lose_nothing(harness: Harness) -> None:
    """Pages shrink where the jobs ask for it, also in the middle of a walk: no order is skipped."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 10_000)
    placed = set()
    for _ in range(driver.orders_for_pages):
        harness.clock.advance(20)
        placed.add(driver.place_order("CAM", 1))
    page = await connector.pull_orders("")
    while not page.items and page.more:
        page = await connector.pull_orders(page.cursor)
    usual, seen = len(page.items), {order.ref for order in page.items}
    for divisor in (2, 4, 1):
        with smaller_pages(divisor):
            for _ in range(2 if page.more else 0):
                page = await connector.pull_orders(page.cursor)
                seen |= {order.ref for order in page.items}
                require(
                    len(page.items) <= max(1, usual // divisor),
                    f"a page holds {len(page.items)} of {usual} orders at 1/{divisor} of its size: "
                    "ask for toolkit.page_size.page_size(your usual size)",
                )
    found, _ = await harness.pull_all(page.cursor) if page.more else ([], "")
    missing = placed - seen - {order.ref for order in found}
    require(not missing, f"{len(missing)} of {len(placed)} orders were skipped: {missing}")


@case(PullOrders)
async def same_cursor_twice(harness: Harness) -> None:
    """A cursor may be given again: it gives at least what it gave, and what came since."""
    harness.driver.list_article("CAM", 100)
    placed = []
    for _ in range(7):
        harness.clock.advance(60)
        placed.append(harness.driver.place_order("CAM", 1))
    first, cursor = await harness.pull_all()
    again, _ = await harness.pull_all()
    require_equal({each.ref for each in first}, set(placed), "the walk from the beginning")
    require_equal({each.ref for each in again}, set(placed), "the same walk again")
    harness.clock.advance(60)
    late = harness.driver.place_order("CAM", 1)
    for _ in range(2):
        found, _ = await harness.pull_all(cursor)
        require(late in {each.ref for each in found}, "an order is skipped where a cursor repeats")
        require({each.ref for each in found} <= {*placed, late}, "orders that nobody placed")


@case(PullOrders)
async def one_order_as_it_is_now(harness: Harness) -> None:
    """An order that is read alone is the one that pages show; an unknown one is NotFound."""
    harness.driver.list_article("CAM", 9)
    ref = harness.driver.place_order("CAM", 2)
    pulled = require_one((await harness.pull_all())[0], "the orders")
    require_equal(await harness.connector.read_order(ref), pulled, "the order read alone")
    line = require_one(pulled.lines, "its lines")
    require_equal((line.sku, line.quantity, line.fulfilled), ("CAM", 2, 0), "its line")
    require_equal(pulled.state, OrderState.OPEN, "an order that is paid and to be shipped")
    with require_raises(NotFound, "an order that is not there"):
        await harness.connector.read_order(harness.driver.missing_order())


@case(PullOrders)
async def cancelled_there(harness: Harness) -> None:
    """An order that is cancelled in the channel comes again, as cancelled."""
    harness.driver.list_article("CAM", 9)
    ref = harness.driver.place_order("CAM", 1)
    _, cursor = await harness.pull_all()
    harness.clock.advance(30)
    harness.driver.cancel_order(ref)
    found, _ = await harness.pull_all(cursor)
    states = {each.ref: each.state for each in found}
    require_equal(states.get(ref), OrderState.CANCELLED, "the order in the next pages")
    state = (await harness.connector.read_order(ref)).state
    require_equal(state, OrderState.CANCELLED, "the order read alone")


@case(CancelOrders)
async def cancelled_here(harness: Harness) -> None:
    """Cancelling twice is one cancellation, also where an answer gets lost; unknown is NotFound."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 99)

    def ended(ref: str) -> Cancellation:
        return Cancellation(reference=f"C-{ref}", order_ref=ref, reason="out of stock")

    ref = driver.place_order("CAM", 1)
    left = 99 if connector.restocks_cancelled else driver.quantity_shown("CAM")
    what = "the quantity shown after cancel_order (restocks_cancelled: does the channel add them?)"
    for _ in range(2):
        await connector.cancel_order(ended(ref))
        require_equal(
            (await connector.read_order(ref)).state,
            OrderState.CANCELLED,
            "the state of the order that read_order returns after cancel_order",
        )
        require_equal(driver.quantity_shown("CAM"), left, what)
    async for loss in harness.lost_calls():
        loss.driver.list_article("CAM", 99)
        ref = loss.driver.place_order("CAM", 1)
        left = 99 if connector.restocks_cancelled else loss.driver.quantity_shown("CAM")
        loss.arm()
        outcome = await loss.error_of(loss.connector.cancel_order(ended(ref)))
        if loss.was_lost("the cancellation", outcome):
            await loss.connector.cancel_order(ended(ref))
            state = (await loss.connector.read_order(ref)).state
            require_equal(state, OrderState.CANCELLED, f"{loss.what}, the order")
            require_equal(loss.driver.quantity_shown("CAM"), left, f"{loss.what}, {what}")
    with require_raises(NotFound, "an order that is not there"):
        await connector.cancel_order(ended(driver.missing_order()))


@case(PullOrders)
async def unknown_enum_values(harness: Harness) -> None:
    """A status that nobody knows yet stops no order and ends none."""
    fields_of_words = harness.driver.enum_fields
    require(fields_of_words, f"{type(harness.driver).__name__} has to name its word_fields")
    harness.driver.list_article("CAM", 9)
    ref = harness.driver.place_order("CAM", 2)
    harness.transport.rewrite = with_unknown_enum_values(fields_of_words)
    pulled = require_one((await harness.pull_all())[0], "the orders")
    read = await harness.connector.read_order(ref)
    require(harness.transport.rewritten, "no answer has a field of word_fields")
    for order in (pulled, read):
        require_equal(
            [(line.sku, line.quantity) for line in order.lines], [("CAM", 2)], "the lines"
        )
        require(order.state not in ENDED, f"an unknown word made the order {order.state}")


@case(PullOrders)
async def ids_beyond_doubles(harness: Harness) -> None:
    """Ids that no double can hold come back exactly, and open the orders that they name."""
    harness.driver.simulator.count_from(BEYOND_DOUBLES)
    harness.driver.list_article("CAM", 9)
    placed = [harness.driver.place_order("CAM", 1) for _ in range(3)]
    found, _ = await harness.pull_all()
    require_equal(sorted(each.ref for each in found), sorted(placed), "their references")
    lines = {line.ref for order in found for line in order.lines}
    require_equal(len(lines), 3, "so many different lines")
    for ref in placed:
        read = await harness.connector.read_order(ref)
        require_equal(read.ref, ref, "the order that a reference opens")
        require(read.lines[0].ref in lines, "a line's reference changed")


@case(PullOrders)
async def times_of_other_zones(harness: Harness) -> None:
    """A time with any offset becomes the right instant in UTC."""
    harness.driver.list_article("CAM", 9)
    at = harness.clock.advance(61)
    ref = harness.driver.place_order("CAM", 1)
    for rewrite in (None, in_another_time_zone):
        harness.transport.rewrite = rewrite
        pulled = require_one((await harness.pull_all())[0], "the orders")
        for order in (pulled, await harness.connector.read_order(ref)):
            for time in (order.placed_at, order.updated_at):
                require(time.tzinfo is not None, "a time without a zone")
                require_equal(time.utcoffset().total_seconds(), 0, "its offset from UTC in seconds")
                apart = abs(time - at)
                require(
                    apart <= harness.driver.time_resolution, f"{time} is {apart} away from {at}"
                )
    if not harness.transport.rewritten:
        raise NotApplicable("the channel writes its times without an offset; they were read as UTC")


@case(SnapshotOrders)
async def orders_of_a_window(harness: Harness) -> None:
    """A window holds both its ends, and every order between, whatever changed since."""
    harness.driver.list_article("CAM", 1000)
    placed, times = [], []
    for _ in range(harness.driver.orders_for_pages):
        times.append(harness.clock.advance(60))
        placed.append(harness.driver.place_order("CAM", 1))
    harness.driver.cancel_order(placed[2])
    for first, last in ((0, len(placed) - 1), (2, 2), (3, 5)):
        window = harness.connector.snapshot_orders(times[first], times[last])
        found = sorted([order.ref async for order in window])
        require_equal(found, sorted(placed[first : last + 1]), f"orders {first} to {last}")


@case(
    PullOrders, unless=unless_flag("orders_name_serials", "the channel names no serials of its own")
)
async def serials_that_the_channel_sold(harness: Harness) -> None:
    """The serials that a till sold come in with the order, at its line."""
    harness.driver.list_article("CAM", 9)
    ref = harness.driver.sell_with_serials("CAM", ("C-1", "C-2"))
    pulled = require_one((await harness.pull_all())[0], "the orders")
    for order in (pulled, await harness.connector.read_order(ref)):
        require_equal(sorted(order.lines[0].serials), ["C-1", "C-2"], "the serials of the line")


@case(PullOrders, unless=unless_flag("states_staff", "its orders name no staff"))
async def staff_at_the_counter(harness: Harness) -> None:
    """Who sold at the counter comes in with the order, read alone or in a page."""
    harness.driver.list_article("CAM", 9)
    refs = [harness.driver.sell_by("CAM", staff) for staff in ("STAFF-1", "STAFF-2")]
    pulled = {each.ref: each.staff_ref for each in (await harness.pull_all())[0]}
    wanted = dict(zip(refs, ("STAFF-1", "STAFF-2"), strict=True))
    require_equal(pulled, wanted, "who sold the orders of the pages")
    alone = {ref: (await harness.connector.read_order(ref)).staff_ref for ref in refs}
    require_equal(alone, wanted, "who sold the orders read alone")


@case(PullOrders, unless=unless_empty("states_holds", "it states no holds of orders"))
async def held_orders_are_held(harness: Harness) -> None:
    """Nothing leaves of an order that the channel holds: each reason of `states_holds` is read."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 100)
    for reason in sorted(type(connector).states_holds):
        ref = driver.place_order("CAM", 1)
        free = await connector.read_order(ref)
        require_equal((free.state, free.hold), (OrderState.OPEN, None), "a paid order is")
        harness.clock.advance(60)
        driver.hold_order(ref, reason)
        held = await connector.read_order(ref)
        require_equal(_hold_of(held), reason, f"an order that waits ({reason}) is held for")
        found, _ = await harness.pull_all()
        (pulled,) = [order for order in found if order.ref == ref]
        require_equal(_hold_of(pulled), reason, f"pulled, an order that waits ({reason}) is held")
        harness.clock.advance(60)
        driver.free_order(ref)
        freed = await connector.read_order(ref)
        require_equal((freed.state, freed.hold), (OrderState.OPEN, None), "an order set free is")


def _hold_of(order: Order) -> HoldReason | None:
    """Return why nothing may leave, as the hub understands it: pending means not paid."""
    if order.state is OrderState.PENDING:
        return order.hold or HoldReason.PAYMENT_PENDING
    return order.hold if order.state is OrderState.OPEN else None


@case(PullOrders, unless=unless_flag("states_drafts", "it lists no orders that are not placed"))
async def drafts_are_no_orders(harness: Harness) -> None:
    """An order that is not placed takes no units: it is a draft, or it is not listed at all."""
    harness.driver.list_article("CAM", 100)
    draft = harness.driver.draft_order("CAM", 1)
    harness.clock.advance(60)
    placed = harness.driver.place_order("CAM", 1)
    found, _ = await harness.pull_all()
    states = {order.ref: order.state for order in found}
    require_equal(states.get(placed), OrderState.OPEN, "the placed order beside a draft is")
    require(
        states.get(draft) in (None, OrderState.DRAFT),
        f"an order that is not placed is {states.get(draft)}",
    )


CASES = (
    empty_pages_of_orders,
    pages_while_orders_change,
    smaller_pages_lose_nothing,
    same_cursor_twice,
    one_order_as_it_is_now,
    cancelled_there,
    cancelled_here,
    unknown_enum_values,
    ids_beyond_doubles,
    times_of_other_zones,
    orders_of_a_window,
    serials_that_the_channel_sold,
    staff_at_the_counter,
    held_orders_are_held,
    drafts_are_no_orders,
)
