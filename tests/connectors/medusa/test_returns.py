"""Returns of Medusa: announced, received, refunded without a time of change."""

from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.medusa.connector import Medusa
from connectors.medusa.simulator import MedusaSimulator
from connectors.testing import ServedSimulator
from hub.vocabulary import Return, ReturnState

run = ServedSimulator("medusa", MedusaSimulator).run


async def pulled(connector: Medusa, cursor: str) -> tuple[list[Return], str]:
    found: list[Return] = []
    for _ in range(9):
        page = await connector.pull_returns(cursor)
        found, cursor = [*found, *page.items], page.cursor
        if not page.more:
            break
    return found, cursor


def test_a_refund_that_moves_no_time_of_change_is_found() -> None:
    clock = [datetime.now(UTC) - timedelta(hours=5)]

    async def scenario(simulator: MedusaSimulator, connector: Medusa) -> None:
        simulator.add_item("CAM", 9)
        ref = simulator.place_order({"CAM": 2})
        back = simulator.create_return(ref, 0, 2)
        (found,), cursor = await pulled(connector, "")
        assert (found.ref, found.state, found.refunded) == (back, ReturnState.OPEN, False)
        clock[0] += timedelta(minutes=10)
        simulator.receive_return(back, damaged=1)
        (found,), cursor = await pulled(connector, cursor)
        (line,) = found.lines
        assert (found.state, line.arrived, line.restock) == (ReturnState.CLOSED, 2, False)
        clock[0] += timedelta(minutes=10)
        for _ in range(60):  # the walk of changes has left it behind
            clock[0] += timedelta(minutes=1)
            simulator.place_order({"CAM": 0})
        _, cursor = await pulled(connector, cursor)
        paid = simulator.refund(ref)
        returns, _ = await pulled(connector, cursor)
        (found,) = [each for each in returns if each.ref == back]
        assert (found.refund_ref, found.lines[0].refunded) == (paid, 2)
        assert found.refunded_at == clock[0].replace(
            microsecond=clock[0].microsecond // 1000 * 1000
        )

    run(scenario, MedusaSimulator(clock=lambda: clock[0]))


def test_each_refund_is_of_one_return_or_stands_alone() -> None:
    clock = [datetime.now(UTC) - timedelta(hours=5)]

    async def scenario(simulator: MedusaSimulator, connector: Any) -> None:
        simulator.add_item("CAM", 9)
        simulator.add_item("LENS", 9)
        ref = simulator.place_order({"CAM": 1, "LENS": 1})
        early = simulator.refund(ref)
        made = []
        for line in (0, 1):
            clock[0] += timedelta(minutes=1)
            made.append(simulator.create_return(ref, line, 1))
            simulator.receive_return(made[-1])
        clock[0] += timedelta(minutes=1)
        first = simulator.refund(ref)
        found = {each.ref: each.refund_ref for each in await connector.read_returns(ref)}
        assert found == {made[0]: first, made[1]: None, early: early}

    run(scenario, MedusaSimulator(clock=lambda: clock[0]))
