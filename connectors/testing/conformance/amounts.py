"""Cases about what an order costs, and about its lines that are no goods."""

from decimal import Decimal

from connectors.contract import PullOrders
from connectors.testing.case import (
    case,
    require,
    require_equal,
    require_one,
    unless_empty,
    unless_flag,
)
from connectors.testing.harness import Harness
from connectors.testing.simulator_driver import PricedOrder
from hub.vocabulary import LineKind, Order

# Thirds and tenths that no float holds, and currencies without a cent and with a tenth of one.
COSTS = (
    PricedOrder("EUR", unit_price="0.10", discount="0.06", tax="0.07", total="0.31"),
    PricedOrder("JPY", unit_price="10", discount="6", tax="7", total="31"),
    PricedOrder("KWD", unit_price="0.115", discount="0.006", tax="0.017", total="0.356"),
    PricedOrder("EUR", unit_price="1234567.89", discount="0.07", tax="0.70", total="3703704.30"),
)


@case(PullOrders, unless=unless_flag("states_money", "it hides what its orders cost"))
async def money_is_exact(harness: Harness) -> None:
    """Every amount of an order comes back as that exact decimal, in the order's currency."""
    harness.driver.list_article("CAM", 100)
    played = 0
    for cost in COSTS:
        harness.clock.advance(60)
        ref = harness.driver.place_priced_order("CAM", cost)
        if ref is None:
            continue
        played += 1
        found, _ = await harness.pull_all()
        pulled = require_one((each for each in found if each.ref == ref), "the priced order")
        for order in (pulled, await harness.connector.read_order(ref)):
            _require_cost(order, cost)
    require(played, "the driver sells in none of the currencies: EUR, JPY, KWD")


def _require_cost(order: Order, cost: PricedOrder) -> None:
    """Fail unless an order of one line states a cost, amount by amount."""
    line = require_one(order.lines, "the lines of the priced order")
    require_equal(line.quantity, cost.quantity, "its quantity")
    require_equal(order.currency, cost.currency, "its currency")
    for name, found, wanted in (
        ("the price of one unit before discounts", line.unit_price, cost.unit_price),
        ("the discount of the line", line.discount, cost.discount),
        ("the tax of the line", line.tax, cost.tax),
        ("what the buyer pays", order.total, cost.total),
        ("the discount of the order", order.discount, cost.discount),
        ("the tax of the order", order.tax, cost.tax),
    ):
        what = f"{name} in {cost.currency}"
        require(isinstance(found, Decimal), f"{what}: {found!r} is no Decimal, and {wanted} is due")
        require_equal(found, Decimal(wanted), what)


@case(PullOrders, unless=unless_empty("states_line_kinds", "it marks no kinds of lines"))
async def lines_that_are_no_goods(harness: Harness) -> None:
    """Each kind of line of `states_line_kinds` is read as such, and goods beside it as goods."""
    driver, connector = harness.driver, harness.connector
    driver.list_article("CAM", 100)
    for kind in sorted(type(connector).states_line_kinds):
        harness.clock.advance(60)
        ref = driver.place_order_beside("CAM", kind)
        found, _ = await harness.pull_all()
        pulled = require_one((each for each in found if each.ref == ref), "the order")
        for order in (pulled, await connector.read_order(ref)):
            kinds = sorted(line.kind for line in order.lines)
            require_equal(kinds, sorted((LineKind.GOODS, kind)), "the kinds of its lines")
            goods = [line.sku for line in order.lines if line.kind is LineKind.GOODS]
            require_equal(goods, ["CAM"], "the goods of it")


CASES = (money_is_exact, lines_that_are_no_goods)
