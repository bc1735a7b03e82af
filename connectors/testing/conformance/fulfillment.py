"""Cases about shipments: the serials are there, and a repeat never ships twice."""

from dataclasses import replace

from connectors.contract import PullOrders, PushFulfillment
from connectors.errors import NotFound, Rejected
from connectors.testing.case import case, require, require_equal, require_raises, unless_flag
from connectors.testing.harness import Harness
from hub.vocabulary import FulfillmentLine, Order

# Signs that GS1 allows in a serial (AI 21, character set 82) and that need care on the way.
ODD_SERIALS = ('21/A-%3F"x', "A,B;C", "<b>&+_*=")
NO_PLACE = unless_flag("stores_serials", "the channel has no place for the serials of a shipment")


async def _sold(harness: Harness, quantity: int) -> Order:
    order: Order = await harness.connector.read_order(harness.driver.place_order("CAM", quantity))
    return order


@case(PushFulfillment, PullOrders)
async def a_shipment_is_reported_once(harness: Harness) -> None:
    """The same shipment twice is one shipment there, and the order is fulfilled."""
    harness.driver.list_article("CAM", 9)
    order = await _sold(harness, 2)
    shipment = harness.shipment(order, ("SN-1", "SN-2"), "F1")
    first = await harness.connector.push_fulfillment(shipment)
    again = await harness.connector.push_fulfillment(shipment)
    require(first and first == again, f"the link of the repeat: {again!r}, not {first!r}")
    require_equal(harness.driver.shipments(shipment.order_ref), 1, "so many shipments")
    read = await harness.connector.read_order(shipment.order_ref)
    require_equal(
        (read.state.value, read.lines[0].fulfilled), ("fulfilled", 2), "the order afterwards"
    )


@case(PushFulfillment, PullOrders, unless=NO_PLACE)
async def serials_are_shown_there(harness: Harness) -> None:
    """The serials of a shipment can be seen at the order, sign for sign."""
    harness.driver.list_article("CAM", 9)
    serials = ("SN-1", *ODD_SERIALS)
    order = await _sold(harness, len(serials))
    shipment = harness.shipment(order, serials, "F1")
    for _ in range(2):
        await harness.connector.push_fulfillment(shipment)
        shown = harness.driver.serials_shown(shipment.order_ref)
        require_equal(sorted(shown), sorted(serials), "the serials there")


@case(PushFulfillment, PullOrders, unless=unless_flag("shows_serials", "its orders show none"))
async def shown_serials_are_read_back(harness: Harness) -> None:
    """The serials of a shipment are read with the order again: none before, all of them after."""
    harness.driver.list_article("CAM", 9)
    order = await _sold(harness, 3)
    require_equal(_shown(order), [], "the serials before")
    await harness.connector.push_fulfillment(harness.shipment(order, ("SN-1", "SN-2"), "F1"))
    read = await harness.connector.read_order(order.ref)
    require_equal(_shown(read), ["SN-1", "SN-2"], "the serials afterwards")


def _shown(order: Order) -> list[str]:
    by_line = [serial for line in order.lines for serial in line.shown_serials or ()]
    return sorted([*by_line, *(order.shown_serials or ())])


@case(PushFulfillment, PullOrders, unless=NO_PLACE)
async def an_order_in_two_parcels(harness: Harness) -> None:
    """Two shipments of one order are both seen, with the serials of both."""
    harness.driver.list_article("CAM", 9)
    order = await _sold(harness, 2)
    for reference, serial in (("F1", "SN-1"), ("F2", "SN-2"), ("F1", "SN-1")):
        shipment = harness.shipment(order, (serial,), reference)
        await harness.connector.push_fulfillment(shipment)
    shown = harness.driver.serials_shown(shipment.order_ref)
    require_equal(sorted(shown), ["SN-1", "SN-2"], "the serials there")
    read = await harness.connector.read_order(shipment.order_ref)
    require_equal(read.state.value, "fulfilled", "the order afterwards")


@case(PushFulfillment, PullOrders)
async def a_shipment_whose_answer_is_lost(harness: Harness) -> None:
    """Whichever call gets no answer: the outcome is unknown, and the repeat makes it one effect."""
    async for loss in harness.lost_calls():
        loss.driver.list_article("CAM", 9)
        order = await _sold(loss, 2)
        shipment = loss.shipment(order, ("SN-1", "SN-2"), "F1")
        loss.arm()
        outcome = await loss.error_of(loss.connector.push_fulfillment(shipment))
        if loss.was_lost("the shipment", outcome):
            await loss.connector.push_fulfillment(shipment)
            require_equal(loss.driver.shipments(order.ref), 1, f"{loss.what}, shipments")
            if loss.connector.stores_serials:
                shown = sorted(loss.driver.serials_shown(order.ref))
                require_equal(shown, ["SN-1", "SN-2"], f"{loss.what}, serials")
            read = await loss.connector.read_order(order.ref)
            require_equal(read.state.value, "fulfilled", f"{loss.what}, the order")


@case(PushFulfillment, PullOrders)
async def an_unknown_order_is_not_shipped(harness: Harness) -> None:
    """A shipment of an unknown order is NotFound and nothing happens."""
    harness.driver.list_article("CAM", 9)
    order = await _sold(harness, 1)
    shipment = harness.shipment(order, ("SN-1",), "F1")
    lost = type(shipment)(
        reference="F2",
        order_ref=harness.driver.missing_order(),
        lines=shipment.lines,
        shipped_at=shipment.shipped_at,
    )
    with require_raises(NotFound, "an order that is not there"):
        await harness.connector.push_fulfillment(lost)
    require_equal(harness.driver.shipments(shipment.order_ref), 0, "shipments of the other order")


@case(PushFulfillment, PullOrders)
async def goods_without_serials_leave(harness: Harness) -> None:
    """A line that names a quantity and no serials leaves once, or is Rejected by a channel."""
    harness.driver.list_article("CAM", 9)
    order = await _sold(harness, 2)
    bare = FulfillmentLine(order_line_ref=order.lines[0].ref, quantity=2)
    shipment = replace(harness.shipment(order, (), "F1"), lines=(bare,))
    if not harness.connector.ships_without_serials:
        with require_raises(Rejected, "units without serials (ships_without_serials is False)"):
            await harness.connector.push_fulfillment(shipment)
        require_equal(harness.driver.shipments(order.ref), 0, "shipments after the refusal")
        return
    for _ in range(2):
        await harness.connector.push_fulfillment(shipment)
    require_equal(harness.driver.shipments(order.ref), 1, "so many shipments")
    read = await harness.connector.read_order(order.ref)
    left = (read.state.value, read.lines[0].fulfilled)
    require_equal(left, ("fulfilled", 2), "the order afterwards (FulfillmentLine.units)")


CASES = (
    a_shipment_is_reported_once,
    serials_are_shown_there,
    shown_serials_are_read_back,
    an_order_in_two_parcels,
    a_shipment_whose_answer_is_lost,
    an_unknown_order_is_not_shipped,
    goods_without_serials_leave,
)
