"""Returns of Lightspeed: sales that name the sale they are for."""

from typing import Any

import pytest

from connectors.lightspeed.connector import Lightspeed
from connectors.lightspeed.returns import parse_return
from connectors.lightspeed.simulator import ELSEWHERE, LightspeedSimulator
from connectors.testing import ServedSimulator
from connectors.toolkit.records import FieldError
from hub.vocabulary import ReturnState

run = ServedSimulator("lightspeed", LightspeedSimulator).run


def sale(ref: str, *lines: tuple[str, str, int], **more: Any) -> dict[str, Any]:
    """A sale of lines: id, product and quantity."""
    items = [
        {"id": line, "product_id": product, "quantity": units, "is_return": units < 0}
        for line, product, units in lines
    ]
    times = {"created_at": "2026-11-01T10:00:00Z", "updated_at": "2026-11-02T10:00:00Z"}
    return {"id": ref, "status": "CLOSED", "line_items": items, **times, **more}


SOLD = sale("S1", ("a", "cam", 1), ("b", "lens", 1), ("c", "cam", 2))


def test_units_of_a_product_are_of_the_lines_that_sold_it() -> None:
    found = parse_return(sale("R1", ("x", "cam", -2)), SOLD)
    assert [(line.order_line_ref, line.quantity) for line in found.lines] == [("a", 1), ("c", 1)]
    assert (found.ref, found.order_ref, found.refunded) == ("R1", "S1", True)


@pytest.mark.parametrize("lines", [[("x", "cam", -4)], [("x", "bag", -1)]])
def test_what_the_first_sale_did_not_sell_is_named(lines: list[tuple[str, str, int]]) -> None:
    with pytest.raises(FieldError, match="not in the sale"):
        parse_return(sale("R1", *lines), SOLD)


@pytest.mark.parametrize(
    ("status", "state", "arrived"),
    [
        ("SAVED", ReturnState.OPEN, 0),
        ("CLOSED", ReturnState.CLOSED, 1),
        ("VOIDED", ReturnState.CANCELLED, 0),
        ("A_NEW_WORD", ReturnState.OPEN, 0),
    ],
)
def test_only_a_closed_return_has_its_goods_back(
    status: str, state: ReturnState, arrived: int
) -> None:
    found = parse_return(sale("R1", ("x", "lens", -1), status=status), SOLD)
    assert (found.state, found.lines[0].arrived) == (state, arrived)
    assert found.refunded is bool(arrived)


def test_a_return_that_sells_something_is_an_exchange() -> None:
    found = parse_return(sale("R1", ("x", "lens", -1), ("y", "bag", 1)), SOLD)
    assert (found.exchange_order_ref, len(found.lines)) == ("R1", 1)


def test_a_return_belongs_to_the_outlet_that_sold() -> None:
    async def scenario(simulator: LightspeedSimulator, connector: Lightspeed) -> None:
        product = simulator.add_product("CAM", 9)
        ours, theirs = simulator.sell(product, 2), simulator.sell(product, 2, outlet=ELSEWHERE)
        back = simulator.create_return(ours, 0, 1)
        simulator.sales[back]["outlet_id"] = ELSEWHERE
        simulator.create_return(theirs, 0, 1)
        page = await connector.pull_returns("")
        assert [each.ref for each in page.items] == [back]
        assert [each.ref for each in await connector.read_returns(back)] == [back]
        assert await connector.read_returns(ours) == []

    run(scenario)
