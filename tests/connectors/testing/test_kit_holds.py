"""The rows about holds and drafts fail for connectors that let unpaid orders go."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from connectors import Page
from connectors.registry import connector_class
from connectors.testing import conformance
from connectors.testing.case import Case, ConformanceFailure
from connectors.testing.conformance.orders import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from hub.vocabulary import HoldReason, Order, OrderState

BY_NAME = {case.name: case for case in CASES}


def changed(change: Callable[[Order], Order], base: type[Any]) -> type[Any]:
    """Return a connector whose orders are changed on their way out."""

    class Changing(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            page = await super().pull_orders(cursor)
            return replace(page, items=tuple(change(each) for each in page.items))

        async def read_order(self, ref: str) -> Order:
            return change(await super().read_order(ref))

    return Changing


def only_pulled(base: type[Any]) -> type[Any]:
    """Return a connector that lets go of what it pulls, and reads single orders rightly."""

    class Pulled(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            page = await super().pull_orders(cursor)
            return replace(page, items=tuple(goes(each) for each in page.items))

    return Pulled


def goes(order: Order) -> Order:
    """Take whatever waits for an order that goes."""
    waits = order.state in (OrderState.PENDING, OrderState.OPEN)
    return replace(order, state=OrderState.OPEN, hold=None) if waits else order


def unpaid_alone(order: Order) -> Order:
    """Take every hold for a payment that lacks."""
    held = order.state is OrderState.PENDING or order.hold is not None
    return replace(order, hold=HoldReason.PAYMENT_PENDING) if held else order


def for_good(order: Order) -> Order:
    """Hold every order."""
    return replace(order, hold=HoldReason.ON_HOLD)


def placed(order: Order) -> Order:
    """Take a draft for an order that waits for its payment."""
    draft = order.state is OrderState.DRAFT
    return replace(order, state=OrderState.PENDING) if draft else order


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        (name, change, key)
        for name, change, keys in (
            ("held-orders-are-held", goes, ("shopify", "woocommerce", "ebay", "walmart")),
            ("held-orders-are-held", unpaid_alone, ("amazon", "square", "bigcommerce")),
            ("held-orders-are-held", for_good, ("medusa", "vendure", "saleor", "lightspeed")),
            ("drafts-are-no-orders", placed, ("woocommerce", "square", "medusa", "saleor")),
        )
        for key in keys
    ],
)
def test_orders_that_are_let_go_fail_the_row(
    name: str, change: Callable[[Order], Order], key: str
) -> None:
    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME[name], changed(change, connector_class(key)), driver_of(key))


@pytest.mark.parametrize("key", ["shopify", "amazon", "medusa"])
def test_what_is_only_pulled_wrongly_fails_the_row_too(key: str) -> None:
    with pytest.raises(ConformanceFailure, match="pulled"):
        run_case(BY_NAME["held-orders-are-held"], only_pulled(connector_class(key)), driver_of(key))


def test_every_row_that_is_written_is_played() -> None:
    written = {
        each
        for module in iter_modules(conformance.__path__)
        for each in vars(import_module(f"{conformance.__name__}.{module.name}")).values()
        if isinstance(each, Case)
    }
    assert written - set(conformance.CASES) == set()
