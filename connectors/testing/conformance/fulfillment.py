"""Rows about shipments: the serials are there, and a repeat never ships twice."""

from connectors.contract import PullOrders, PushFulfillment
from connectors.errors import NotFound
from connectors.testing.case import holds, lacks, raises, row, same
from connectors.testing.harness import Stage
from hub.vocabulary import Order

# Signs that GS1 allows in a serial (AI 21, character set 82) and that need care on the way.
ODD_SERIALS = ('21/A-%3F"x', "A,B;C", "<b>&+_*=")
NO_PLACE = lacks("keeps_serials", "the channel has no place for the serials of a shipment")


async def _sold(stage: Stage, quantity: int) -> Order:
    order: Order = await stage.connector.read_order(stage.driver.place_order("CAM", quantity))
    return order


@row(PushFulfillment, PullOrders)
async def a_shipment_is_told_once(stage: Stage) -> None:
    """The same shipment twice is one shipment there, and the order is fulfilled."""
    stage.driver.list_article("CAM", 9)
    order = await _sold(stage, 2)
    shipment = stage.shipment(order, ("SN-1", "SN-2"), "F1")
    first = await stage.connector.push_fulfillment(shipment)
    again = await stage.connector.push_fulfillment(shipment)
    holds(first and first == again, f"the link of the repeat: {again!r}, not {first!r}")
    same(stage.driver.shipments(shipment.order_ref), 1, "so many shipments")
    read = await stage.connector.read_order(shipment.order_ref)
    same((read.state.value, read.lines[0].fulfilled), ("fulfilled", 2), "the order afterwards")


@row(PushFulfillment, PullOrders, unless=NO_PLACE)
async def serials_are_shown_there(stage: Stage) -> None:
    """The serials of a shipment can be seen at the order, sign for sign."""
    stage.driver.list_article("CAM", 9)
    serials = ("SN-1", *ODD_SERIALS)
    order = await _sold(stage, len(serials))
    shipment = stage.shipment(order, serials, "F1")
    for _ in range(2):
        await stage.connector.push_fulfillment(shipment)
        shown = stage.driver.serials_shown(shipment.order_ref)
        same(sorted(shown), sorted(serials), "the serials there")


@row(PushFulfillment, PullOrders, unless=NO_PLACE)
async def an_order_in_two_parcels(stage: Stage) -> None:
    """Two shipments of one order are both seen, with the serials of both."""
    stage.driver.list_article("CAM", 9)
    order = await _sold(stage, 2)
    for reference, serial in (("F1", "SN-1"), ("F2", "SN-2"), ("F1", "SN-1")):
        shipment = stage.shipment(order, (serial,), reference)
        await stage.connector.push_fulfillment(shipment)
    shown = stage.driver.serials_shown(shipment.order_ref)
    same(sorted(shown), ["SN-1", "SN-2"], "the serials there")
    read = await stage.connector.read_order(shipment.order_ref)
    same(read.state.value, "fulfilled", "the order afterwards")


@row(PushFulfillment, PullOrders)
async def a_shipment_whose_answer_is_lost(stage: Stage) -> None:
    """Whichever call gets no answer: the outcome is unknown, and the repeat makes it one effect."""
    async for loss in stage.losses():
        loss.driver.list_article("CAM", 9)
        order = await _sold(loss, 2)
        shipment = loss.shipment(order, ("SN-1", "SN-2"), "F1")
        loss.begins()
        told = await loss.error_of(loss.connector.push_fulfillment(shipment))
        if loss.happened("the shipment", told):
            await loss.connector.push_fulfillment(shipment)
            same(loss.driver.shipments(order.ref), 1, f"{loss.what}, shipments")
            if loss.connector.keeps_serials:
                shown = sorted(loss.driver.serials_shown(order.ref))
                same(shown, ["SN-1", "SN-2"], f"{loss.what}, serials")
            read = await loss.connector.read_order(order.ref)
            same(read.state.value, "fulfilled", f"{loss.what}, the order")


@row(PushFulfillment, PullOrders)
async def nothing_is_shipped_for_what_is_not_there(stage: Stage) -> None:
    """A shipment of an unknown order is NotFound and nothing happens."""
    stage.driver.list_article("CAM", 9)
    order = await _sold(stage, 1)
    shipment = stage.shipment(order, ("SN-1",), "F1")
    lost = type(shipment)(
        reference="F2",
        order_ref=stage.driver.missing_order(),
        lines=shipment.lines,
        shipped_at=shipment.shipped_at,
    )
    with raises(NotFound, "an order that is not there"):
        await stage.connector.push_fulfillment(lost)
    same(stage.driver.shipments(shipment.order_ref), 0, "shipments of the other order")


ROWS = (
    a_shipment_is_told_once,
    serials_are_shown_there,
    an_order_in_two_parcels,
    a_shipment_whose_answer_is_lost,
    nothing_is_shipped_for_what_is_not_there,
)
