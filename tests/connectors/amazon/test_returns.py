"""Returns of what the seller ships come by reports; each row is read for itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors import Page
from connectors.amazon.connector import Amazon
from connectors.amazon.returns import COLUMNS, QUANTITY, rows_of
from connectors.amazon.simulator.server import AmazonSimulator
from connectors.errors import NotFound, Unknown
from connectors.testing import ServedSimulator
from hub.vocabulary import Return, ReturnState

WIRED = ServedSimulator("amazon", AmazonSimulator)
run = WIRED.run


async def pulled(connector: Amazon, cursor: str = "") -> tuple[dict[str, Return], str]:
    """Pull until there is no more; return what was found, and the cursor."""
    found: dict[str, Return] = {}
    page: Page[Return] = Page((), cursor, more=True)
    while page.more:
        page = await connector.pull_returns(page.cursor)
        found |= {each.ref: each for each in page.items}
    return found, page.cursor


def sold(simulator: AmazonSimulator, **quantities: int) -> str:
    for sku in quantities:
        simulator.add_item(sku, 9)
    ref: str = simulator.place_order(quantities)
    return ref


def of_lines(found: Return) -> list[tuple[Any, ...]]:
    return [
        (line.quantity, line.comes_back, line.arrived, line.refunded, line.reason)
        for line in found.lines
    ]


def test_a_return_is_followed_from_report_to_report() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        order = sold(simulator, CAM=3, LENS=1)
        rma = simulator.report_desk.take_back(order, "CAM", 2)
        simulator.report_desk.rows.append(
            {**simulator.report_desk.rows[0], "Merchant SKU": "LENS", "Return quantity": "1"}
        )
        seen, cursor = await pulled(connector)
        assert (seen[rma].state, seen[rma].order_ref) == (ReturnState.OPEN, order)
        lines = [(2, True, 0, 0, "CR-DEFECTIVE"), (1, True, 0, 0, "CR-DEFECTIVE")]
        assert of_lines(seen[rma]) == lines
        items = simulator.orders[order]["orderItems"]
        refs = [each.order_line_ref for each in seen[rma].lines]
        assert refs == [each["orderItemId"] for each in items]
        assert (await pulled(connector, cursor))[0] == {}  # the same rows: nothing to tell
        today = datetime.now(UTC).strftime("%d-%b-%Y")
        simulator.report_desk.change(rma, Return_delivery_date=today)
        seen, cursor = await pulled(connector, cursor)
        assert (seen[rma].state, seen[rma].refunded) == (ReturnState.OPEN, False)
        assert [line.arrived for line in seen[rma].lines] == [2, 1]
        simulator.report_desk.change(rma, Refunded_Amount="20.00")
        seen, cursor = await pulled(connector, cursor)
        assert (seen[rma].state, seen[rma].refund_ref) == (ReturnState.CLOSED, rma)
        assert "twin-buyer" not in repr(seen)

    run(scenario)


@pytest.mark.parametrize(
    ("fields", "state", "line"),
    [
        ({"Return_request_status": "Pending"}, ReturnState.REQUESTED, (1, True, 0, 0)),
        ({"Return_request_status": "Declined"}, ReturnState.CANCELLED, (1, True, 0, 0)),
        (
            {"Resolution": "ReturnlessRefund", "Refunded_Amount": "5"},
            ReturnState.CLOSED,
            (1, False, 0, 1),
        ),
        ({"Return_request_status": "Of tomorrow"}, ReturnState.OPEN, (1, True, 0, 0)),
    ],
)
def test_what_a_row_says_of_a_return(
    fields: dict[str, str], state: ReturnState, line: tuple[Any, ...]
) -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        rma = simulator.report_desk.take_back(sold(simulator, CAM=1), "CAM", 1)
        simulator.report_desk.change(rma, **fields)
        (found,) = (await pulled(connector))[0].values()
        assert found.state is state
        assert [each[:4] for each in of_lines(found)] == [line]

    run(scenario)


def test_a_report_that_takes_its_time_is_read_at_a_later_pull() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        rma = simulator.report_desk.take_back(sold(simulator, CAM=1), "CAM", 1)
        simulator.report_desk.looks = 5
        first = await connector.pull_returns("")
        assert (first.items, first.more) == ((), False)
        seen, cursor = await pulled(connector, first.cursor)
        assert set(seen) == {rma}
        assert len(simulator.report_desk.reports) == 1
        simulator.report_desk.fails = True
        with pytest.raises(Unknown, match="failed at Amazon"):
            await pulled(connector, (await ordered(connector, cursor)).cursor)

    async def ordered(connector: Amazon, cursor: str) -> Page[Return]:
        """Order the next report, which is not done at once."""
        return await connector.pull_returns(cursor)

    run(scenario)


def test_reports_are_ordered_as_often_as_the_settings_say() -> None:
    simulator = AmazonSimulator()

    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        slow = Amazon(
            connector.settings.model_copy(update={"returns_report_minutes": 60.0}), connector.api
        )
        cursor = (await pulled(slow))[1]
        for _ in range(3):
            cursor = (await pulled(slow, cursor))[1]
        assert len(simulator.report_desk.reports) == 1

    run(scenario, simulator)


def test_each_odd_cell_is_named_and_stops_no_other_order() -> None:
    odd_values = ("", "odd", "\x00", "9" * 40)

    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        odd, good = sold(simulator, CAM=1), sold(simulator, CAM=1)
        rma = simulator.report_desk.take_back(odd, "CAM", 1)
        fine = simulator.report_desk.take_back(good, "CAM", 1)
        for column in COLUMNS:
            for value in odd_values:
                before = dict(simulator.report_desk.rows[0])
                simulator.report_desk.rows[0][column] = value
                pages, cursor = list[Page[Return]](), ""
                while not pages or pages[-1].more:
                    pages.append(await connector.pull_returns(cursor))
                    cursor = pages[-1].cursor
                refs = {each.ref for page in pages for each in page.items}
                assert fine in refs, (column, value)
                named = [each for page in pages for each in page.unreadable]
                lost = column == "Order ID"  # of no order of ours
                assert lost or named or len(refs) == 2, (column, value)
                assert {each.ref for each in named} <= ({None, value} if lost else {odd})
                simulator.report_desk.rows[0] = before
        assert rma in (await pulled(connector))[0]

    run(scenario)


def test_a_report_without_its_columns_is_no_report_of_returns() -> None:
    with pytest.raises(Unknown, match=QUANTITY):
        rows_of("Order ID\tSomething\n1\t2\n")
    with pytest.raises(Unknown, match="Order ID"):
        rows_of("")


def test_returns_of_an_order_that_is_not_there_are_not_found() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        assert await connector.read_returns(sold(simulator, CAM=1)) == ()
        with pytest.raises(NotFound):
            await connector.read_returns("302-9999999-9999999")
        old = sold(simulator, CAM=1)
        simulator.report_desk.take_back(old, "CAM", 1)
        simulator.report_desk.rows[0]["at"] -= timedelta(days=61)
        assert (await pulled(connector))[0] == {}  # older than a report may look

    run(scenario)
