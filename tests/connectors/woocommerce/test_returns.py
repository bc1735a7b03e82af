"""Refunds of WooCommerce: what an order still wants, and what comes back."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors import NotFound
from connectors.testing import ServedSimulator
from connectors.toolkit.records import Record
from connectors.woocommerce.connector import WooCommerce
from connectors.woocommerce.returns import parse_returns, unsent_units, without_unsent
from connectors.woocommerce.simulator.server import WooCommerceSimulator
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderLine, OrderState
from pulling import pull_all

run = ServedSimulator("woocommerce", WooCommerceSimulator).run
KEY = "Shipped serial numbers"
EARLY, DONE, LATE = "2026-11-01T10:00:00", "2026-11-02T10:00:00", "2026-11-03T10:00:00"


def refund(number: int, at: str, units: Mapping[str, int]) -> dict[str, Any]:
    """A refund as the official sample writes one."""
    lines = [
        {
            "id": number * 10,
            "quantity": -count,
            "meta_data": [{"id": 1, "key": "_refunded_item_id", "value": ref}],
        }
        for ref, count in units.items()
    ]
    return {"id": number, "date_created_gmt": at, "reason": "", "line_items": lines}


def order(
    *refunds: Mapping[str, Any],
    quantity: int = 3,
    serials: str = "",
    status: str = "processing",
    restocked: int | None = None,
    **more: Any,
) -> Record:
    metas = [{"id": 1, "key": KEY, "value": serials}]
    if restocked is not None:
        metas.append({"id": 2, "key": "_restock_refunded_items", "value": str(restocked)})
    line = {"id": 311, "quantity": quantity, "sku": "CAM", "meta_data": metas}
    times = {"date_created_gmt": EARLY, "date_modified_gmt": LATE}
    return Record(
        {"id": 723, "status": status, "line_items": [line], "refund_details": list(refunds)}
        | times
        | more
    )


@pytest.mark.parametrize(
    ("given", "unsent", "returned"),
    [
        (order(refund(1, EARLY, {"311": 1})), 1, [0]),
        (order(refund(1, EARLY, {"311": 2}), serials="A, B"), 1, [1]),
        (order(refund(1, EARLY, {"311": 1}), serials="A, B, C"), 0, [1]),
        (
            order(refund(1, EARLY, {"311": 1}), status="completed", date_completed_gmt=DONE),
            1,
            [0],
        ),
        (
            order(
                refund(2, LATE, {"311": 1}),
                refund(1, EARLY, {"311": 1}),
                status="completed",
                date_completed_gmt=DONE,
            ),
            1,
            [0, 1],
        ),
        (order(refund(1, LATE, {"311": 1}), status="completed"), 0, [1]),
        (order(refund(1, EARLY, {"311": 9}), serials="A"), 2, [7]),
        (order(refund(1, LATE, {"311": 1}), date_completed_gmt=DONE), 1, [0]),
        (order(refund(1, LATE, {}), status="refunded", date_completed_gmt=DONE), 0, [3]),
        (order(refund(1, LATE, {}), status="refunded"), 3, [0]),
        (order(), 0, []),
    ],
)
def test_a_refund_is_of_units_that_never_left_or_a_return(
    given: Record, unsent: int, returned: list[int]
) -> None:
    assert unsent_units(given, KEY).get("311", 0) == unsent
    found = {
        each.ref: sum(line.quantity for line in each.lines) for each in parse_returns(given, KEY)
    }
    assert found == {str(nth): units for nth, units in enumerate(returned, 1) if units}


def test_only_what_was_put_into_stock_again_came_back() -> None:
    given = order(
        refund(1, LATE, {"311": 2}), status="completed", date_completed_gmt=DONE, restocked=1
    )
    (found,) = parse_returns(given, KEY)
    (line,) = found.lines
    assert (line.quantity, line.comes_back, line.arrived, line.restock) == (2, True, 1, False)
    assert found.refunded_at == datetime(2026, 11, 3, 10, tzinfo=UTC)


def test_what_a_line_costs_is_of_the_units_that_it_still_wants() -> None:
    line = OrderLine(
        ref="311", sku="CAM", quantity=3, discount=Decimal("1.50"), tax=Decimal("0.10")
    )
    placed = datetime(2026, 11, 1, tzinfo=UTC)
    whole = Order(
        ref="723",
        number="723",
        state=OrderState.OPEN,
        remote_state="processing",
        lines=(line,),
        placed_at=placed,
        updated_at=placed,
    )
    (left,) = without_unsent(whole, {"311": 1}).lines
    assert (left.quantity, left.discount, left.tax) == (2, Decimal("1.00"), Decimal("0.066666"))


def test_a_refund_of_money_alone_has_no_lines() -> None:
    (found,) = parse_returns(order(refund(1, LATE, {})), KEY)
    assert (found.lines, found.refunded) == ((), True)


def test_an_order_is_completed_once_all_that_was_not_refunded_has_left() -> None:
    clock = [datetime(2026, 11, 1, tzinfo=UTC)]

    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        simulator.add_product("CAM", 9)
        ref = simulator.place_order({"CAM": 2})
        line = simulator.orders[int(ref)]["line_items"][0]["id"]
        simulator.refund(ref, {line: 1})
        (pulled,) = (await pull_all(connector))[0]
        assert [(each.quantity, each.fulfilled) for each in pulled.lines] == [(1, 0)]
        assert pulled.refunded == Decimal("10.00")
        clock[0] += timedelta(hours=1)
        left = FulfillmentLine(order_line_ref=str(line), serials=("C-1",))
        await connector.push_fulfillment(
            Fulfillment(reference="F1", order_ref=ref, lines=(left,), shipped_at=clock[0])
        )
        after = await connector.read_order(ref)
        assert after.state is OrderState.FULFILLED
        assert [(each.quantity, each.fulfilled) for each in after.lines] == [(1, 1)]
        assert await connector.read_returns(ref) == []
        with pytest.raises(NotFound):
            await connector.read_returns("4711")

    run(scenario, WooCommerceSimulator(clock=lambda: clock[0]))


def test_all_pages_of_refunds_are_read() -> None:
    async def scenario(simulator: WooCommerceSimulator, connector: WooCommerce) -> None:
        simulator.add_product("CAM", 500)
        ref = simulator.place_order({"CAM": 150})
        line = simulator.orders[int(ref)]["line_items"][0]["id"]
        for _ in range(120):
            simulator.refund(ref, {line: 1})
        assert (await connector.read_order(ref)).lines[0].quantity == 30

    run(scenario)
