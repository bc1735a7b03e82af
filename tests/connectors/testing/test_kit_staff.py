"""The row about staff fails for connectors that lose, mix up or invent who sold something."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors import Page
from connectors.registry import connector_class
from connectors.testing.case import ConformanceFailure
from connectors.testing.conformance.orders import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of

(ROW,) = (case for case in CASES if case.name == "staff-at-the-counter")


def nobody(_order: Any) -> None:
    return None


def always_the_same(_order: Any) -> str:
    return "STAFF-1"


def the_customer(order: Any) -> Any:
    return order.customer_ref


@pytest.mark.parametrize("key", ["shopify", "square", "lightspeed"])
@pytest.mark.parametrize("of", [nobody, always_the_same, the_customer])
@pytest.mark.parametrize("where", ["pages", "alone"])
def test_who_sold_is_read_everywhere(where: str, of: Callable[[Any], Any], key: str) -> None:
    base: Any = connector_class(key)

    class Broken(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            page = await super().pull_orders(cursor)
            if where == "alone":
                return page
            return replace(page, items=tuple(replace(e, staff_ref=of(e)) for e in page.items))

        async def read_order(self, ref: str) -> Any:
            order = await super().read_order(ref)
            return order if where == "pages" else replace(order, staff_ref=of(order))

    driver = driver_of(key)
    assert driver is not None
    with pytest.raises(ConformanceFailure, match="who sold"):
        run_case(ROW, Broken, driver)
