"""Cases about paying back: once, exactly, never more than is left, and found again."""

from decimal import Decimal

from connectors.contract import PullOrders, PullReturns, PushFulfillment
from connectors.errors import NotFound, Rejected
from connectors.refunds import RefundOrders
from connectors.testing.case import (
    ConformanceFailure,
    case,
    require,
    require_equal,
    require_one,
    require_raises,
    unless_flag,
)
from connectors.testing.harness import Harness
from connectors.testing.simulator_driver import PricedOrder, SimulatorDriver
from hub.vocabulary import Order, OrderState, Refund, RefundLine

# Three units of which one costs what no float holds; the line and the order cost the same.
COSTS = tuple(
    PricedOrder(currency, unit_price="10.10", discount="0.00", tax="0.00", total="30.30")
    for currency in ("EUR", "USD", "GBP")
)
CENT = Decimal("0.01")


@case(RefundOrders, PullOrders)
async def paid_back_once(harness: Harness) -> None:
    """Each refund is paid once and exactly, also where an answer gets lost."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 99)
    order = await _sold(harness)
    first = _refund(order, "R-1", Decimal("10.10"))
    for _ in range(2):
        said = await connector.refund_order(first)
        require(bool(said), "a refund has a reference")
        require_equal(driver.paid_back(order.ref), Decimal("10.10"), "what was paid back")
    harness.clock.advance(60)
    # Of another reference, and a part of what the units cost: nothing else distinguishes them.
    second = _refund(order, "R-2", Decimal("9.99"), before=Decimal("10.10"))
    other = await connector.refund_order(second)
    require(other != said, f"two refunds are both called {said}")
    require_equal(driver.paid_back(order.ref), Decimal("20.09"), "what two refunds paid back")
    after = await connector.read_order(order.ref)
    what = "an order of which a part was paid back"
    require_equal((after.state, after.hold), (OrderState.OPEN, None), what)
    async for loss in harness.lost_calls():
        loss.driver.list_article("CAM", 99)
        sold = await _sold(loss)
        again = _refund(sold, "R-1", Decimal("10.10"))
        loss.arm()
        outcome = await loss.error_of(loss.connector.refund_order(again))
        if loss.was_lost("the refund", outcome):
            await loss.connector.refund_order(again)
            paid = loss.driver.paid_back(sold.ref)
            require_equal(paid, Decimal("10.10"), f"{loss.what}, what was paid back")


@case(RefundOrders, PullOrders)
async def never_more_than_is_left(harness: Harness) -> None:
    """More than is left, another currency or an unknown order is refused, and nothing is paid."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 99)
    order = await _sold(harness)
    with require_raises(Rejected, "a refund of more than was paid"):
        await connector.refund_order(_refund(order, "R-1", Decimal("30.31"), units=3))
    require_equal(driver.paid_back(order.ref), Decimal(), "what a refused refund paid back")
    await connector.refund_order(_refund(order, "R-2", Decimal("20.20"), units=2))
    harness.clock.advance(60)
    over = _refund(order, "R-3", Decimal("10.11"), before=Decimal("20.20"))
    with require_raises(Rejected, "a refund of more than is left"):
        await connector.refund_order(over)
    require_equal(driver.paid_back(order.ref), Decimal("20.20"), "what was paid back so far")
    rest = _refund(order, "R-4", Decimal("10.10"), before=Decimal("20.20"))
    await connector.refund_order(rest)
    require_equal(driver.paid_back(order.ref), Decimal("30.30"), "the whole order, paid back")
    with require_raises(NotFound, "a refund of an order that is not there"):
        await connector.refund_order(
            Refund(
                reference="R-5",
                order_ref=driver.missing_order(),
                amount=CENT,
                currency=order.currency or "EUR",
                refunded_before=Decimal(),
            )
        )


@case(
    RefundOrders,
    PullReturns,
    PullOrders,
    unless=unless_flag("refunds_are_returns", "its refunds are none of the returns it lists"),
)
async def paid_back_and_read_again(harness: Harness) -> None:
    """A refund of a shipped unit comes in among the returns, under the reference that it got."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 99)
    order = await _sold(harness)
    if isinstance(connector, PushFulfillment):
        shipment = harness.shipment(order, ["C-1", "C-2", "C-3"], "F1")
        await connector.push_fulfillment(shipment)
    harness.clock.advance(60)
    said = await connector.refund_order(_refund(order, "R-1", Decimal("10.10")))
    found, _ = await harness.pull_all(returns=True)
    paid = require_one(
        (each for each in found if said in (each.refund_ref, each.ref)),
        f"the returns with the reference {said}",
    )
    require_equal(paid.order_ref, order.ref, "its order")
    require(paid.refunded, "it was paid back")
    if connector.refunds_name_lines:
        units = [(line.order_line_ref, line.refunded) for line in paid.lines]
        require_equal(units, [(order.lines[0].ref, 1)], "the units that it is of")
    after = await connector.read_order(order.ref)
    if after.refunded is not None:
        require_equal(after.refunded, Decimal("10.10"), "what the order says was paid back")


async def _sold(harness: Harness) -> Order:
    """Sell three units, paid and to be shipped, at a price."""
    harness.clock.advance(60)
    ref = _priced(harness.driver)
    harness.clock.advance(60)
    order: Order = await harness.connector.read_order(ref)
    return order


def _priced(driver: SimulatorDriver) -> str:
    for cost in COSTS:
        if (ref := driver.place_priced_order("CAM", cost)) is not None:
            return ref
    raise ConformanceFailure("the driver sells in none of the currencies: EUR, USD, GBP")


def _refund(
    order: Order, reference: str, amount: Decimal, *, units: int = 1, before: Decimal = Decimal()
) -> Refund:
    line = RefundLine(order_line_ref=order.lines[0].ref, quantity=units, amount=amount)
    return Refund(
        reference=reference,
        order_ref=order.ref,
        amount=amount,
        currency=order.currency or "EUR",
        refunded_before=before,
        lines=(line,),
        reason="as agreed",
    )


CASES = (paid_back_once, never_more_than_is_left, paid_back_and_read_again)
