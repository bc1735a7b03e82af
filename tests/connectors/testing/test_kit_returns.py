"""The row about refunds before leaving fails for connectors that get them wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors import Page
from connectors.registry import connector_class
from connectors.testing.case import ConformanceFailure
from connectors.testing.conformance.returns import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from hub.vocabulary import OrderLine, Return, ReturnLine

ROW = next(each for each in CASES if each.name == "refunded-before-leaving-is-not-to-pick")
CONNECTORS = ("woocommerce", "bigcommerce", "medusa", "shopify", "vendure")


def still_two(base: type[Any]) -> type[Any]:
    """Return a connector whose lines want what was ordered, whatever was refunded."""

    class Deaf(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            page = await super().pull_orders(cursor)
            return replace(page, items=tuple(_ordered(each) for each in page.items))

        async def read_order(self, ref: str) -> Any:
            return _ordered(await super().read_order(ref))

    return Deaf


def _ordered(order: Any) -> Any:
    def line(one: OrderLine) -> OrderLine:
        return replace(one, quantity=max(2, one.quantity))

    return replace(order, lines=tuple(line(each) for each in order.lines))


def of_returns(change: Callable[[Page[Return]], Page[Return]]) -> Callable[[type[Any]], type[Any]]:
    """Return a fault: pages of returns are changed on their way out."""

    def planted(base: type[Any]) -> type[Any]:
        class Changing(base):  # type: ignore[misc]
            async def pull_returns(self, cursor: str) -> Page[Return]:
                return change(await super().pull_returns(cursor))

        return Changing

    return planted


def all_refunded(page: Page[Return]) -> Page[Return]:
    """Count the unit that never left among those that come back."""

    def line(one: ReturnLine) -> ReturnLine:
        return replace(one, quantity=one.quantity + 1)

    items = (replace(one, lines=tuple(line(each) for each in one.lines)) for one in page.items)
    return replace(page, items=tuple(items))


def taken_off_again(page: Page[Return]) -> Page[Return]:
    """Say that the order was lowered by a return, whether it was or not."""

    def line(one: ReturnLine) -> ReturnLine:
        return replace(one, taken_off=one.taken_off + 1)

    items = (replace(one, lines=tuple(line(each) for each in one.lines)) for one in page.items)
    return replace(page, items=tuple(items))


@pytest.mark.parametrize("key", CONNECTORS)
@pytest.mark.parametrize(
    "fault", [still_two, of_returns(all_refunded), of_returns(taken_off_again)]
)
def test_a_fault_with_refunded_units_fails_the_row(
    key: str, fault: Callable[[type[Any]], type[Any]]
) -> None:
    run_case(ROW, connector_class(key), driver_of(key))
    with pytest.raises(ConformanceFailure):
        run_case(ROW, fault(connector_class(key)), driver_of(key))
