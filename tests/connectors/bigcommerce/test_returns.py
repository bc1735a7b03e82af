"""Refunds of BigCommerce: units that never left, units that are to come back, declined payments."""

import pytest

from connectors import NotFound
from connectors.bigcommerce.connector import BigCommerce
from connectors.bigcommerce.simulator import BigCommerceSimulator
from connectors.testing import ServedSimulator
from hub.vocabulary import OrderState, ReturnState

run = ServedSimulator("bigcommerce", BigCommerceSimulator).run


@pytest.mark.parametrize("with_lines", [True, False])
def test_only_what_was_shipped_comes_back(with_lines: bool) -> None:
    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        simulator.with_lines = with_lines
        ref = simulator.place_order(simulator.add_item("CAM", 9), 4)
        (line,) = simulator.lines[int(ref)]
        line["quantity_shipped"] = 2
        first = simulator.refund(ref, {line["id"]: 1})
        assert await connector.read_returns(ref) == []
        assert (await connector.read_order(ref)).lines[0].quantity == 3
        second = simulator.refund(ref, {line["id"]: 2})
        (back,) = await connector.read_returns(ref)
        assert (first, back.ref) == (first, second)
        (part,) = back.lines
        assert (part.quantity, part.refunded, part.arrived, part.taken_off) == (1, 1, 0, 0)
        order = await connector.read_order(ref)
        assert (order.lines[0].quantity, order.state) == (2, OrderState.FULFILLED)
        page = await connector.pull_returns("")
        assert [each.ref for each in page.items] == [second]
        with pytest.raises(NotFound):
            await connector.read_returns("4711")

    run(scenario)


def test_a_refund_whose_payments_were_declined_is_cancelled() -> None:
    async def scenario(simulator: BigCommerceSimulator, connector: BigCommerce) -> None:
        ref = simulator.place_order(simulator.add_item("CAM", 9), 2)
        (line,) = simulator.lines[int(ref)]
        simulator.refund(ref, {line["id"]: 1}, declined=True)
        (back,) = await connector.read_returns(ref)
        assert (back.state, back.lines, back.refunded) == (ReturnState.CANCELLED, (), False)
        assert (await connector.read_order(ref)).lines[0].quantity == 2

    run(scenario)
