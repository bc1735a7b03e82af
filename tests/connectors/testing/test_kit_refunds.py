"""The rows about refunds fail for connectors that pay twice, too much, or are not found again."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors import NotFound, Rejected
from connectors.registry import connector_class
from connectors.testing.case import ConformanceFailure
from connectors.testing.conformance.refunds import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from hub.vocabulary import Refund, Return

ONCE, LEFT, FOUND = CASES
Plant = Callable[[type[Any]], type[Any]]


def under_a_new_reference(base: type[Any]) -> type[Any]:
    """Name each attempt anew: a repeat is another refund."""

    class Broken(base):  # type: ignore[misc]
        attempts = 0

        async def refund_order(self, refund: Refund) -> str:
            type(self).attempts += 1
            again = replace(refund, reference=f"{refund.reference}-{type(self).attempts}")
            return str(await super().refund_order(again))

    return Broken


def known_by_its_amount(base: type[Any]) -> type[Any]:
    """Take a second refund of an order for the first."""

    class Broken(base):  # type: ignore[misc]
        said: str | None = None

        async def refund_order(self, refund: Refund) -> str:
            self.said = self.said or await super().refund_order(refund)
            return self.said

    return Broken


def in_whole_units(base: type[Any]) -> type[Any]:
    """Round the amount."""

    class Broken(base):  # type: ignore[misc]
        async def refund_order(self, refund: Refund) -> str:
            whole = refund.amount.quantize(Decimal(1))
            lines = tuple(replace(each, amount=whole) for each in refund.lines)
            return str(await super().refund_order(replace(refund, amount=whole, lines=lines)))

    return Broken


def promises_and_pays_nothing(base: type[Any]) -> type[Any]:
    """Answer as if it was paid."""

    class Broken(base):  # type: ignore[misc]
        async def refund_order(self, refund: Refund) -> str:
            return refund.reference

    return Broken


def nameless(base: type[Any]) -> type[Any]:
    """Pay, and say nothing of it."""

    class Broken(base):  # type: ignore[misc]
        async def refund_order(self, refund: Refund) -> str:
            await super().refund_order(refund)
            return ""

    return Broken


def what_is_left_in_place_of_too_much(base: type[Any]) -> type[Any]:
    """Pay what is left where more is asked for."""

    class Broken(base):  # type: ignore[misc]
        async def refund_order(self, refund: Refund) -> str:
            try:
                return str(await super().refund_order(refund))
            except Rejected:
                return "as much as there was"

    return Broken


def nothing_of_the_unknown(base: type[Any]) -> type[Any]:
    """Call an unknown order a refused refund."""

    class Broken(base):  # type: ignore[misc]
        async def refund_order(self, refund: Refund) -> str:
            try:
                return str(await super().refund_order(refund))
            except NotFound as error:
                raise Rejected(str(error)) from error

    return Broken


def under_our_name(base: type[Any]) -> type[Any]:
    """Answer with our reference, by which no return is found."""

    class Broken(base):  # type: ignore[misc]
        async def refund_order(self, refund: Refund) -> str:
            await super().refund_order(refund)
            return refund.reference

    return Broken


def hidden_among_the_returns(base: type[Any]) -> type[Any]:
    """Leave refunds out of the returns."""

    class Broken(base):  # type: ignore[misc]
        async def pull_returns(self, cursor: str) -> Any:
            page = await super().pull_returns(cursor)
            return replace(page, items=tuple(each for each in page.items if not each.refund_ref))

    return Broken


def of_another_order(base: type[Any]) -> type[Any]:
    """Name another order in the return of a refund."""

    class Broken(base):  # type: ignore[misc]
        async def pull_returns(self, cursor: str) -> Any:
            def moved(found: Return) -> Return:
                return replace(found, order_ref=f"{found.order_ref}0")

            page = await super().pull_returns(cursor)
            return replace(page, items=tuple(moved(each) for each in page.items))

    return Broken


def fails(row: Any, plant: Plant, key: str) -> None:
    driver = driver_of(key)
    assert driver is not None
    with pytest.raises(ConformanceFailure):
        run_case(row, plant(connector_class(key)), driver)


def named(plant: Plant) -> str:
    return plant.__name__


@pytest.mark.parametrize("key", ["woocommerce", "bigcommerce", "vendure", "saleor"])
@pytest.mark.parametrize(
    "plant",
    [
        under_a_new_reference,
        known_by_its_amount,
        in_whole_units,
        promises_and_pays_nothing,
        nameless,
    ],
    ids=named,
)
def test_a_refund_that_is_not_paid_once_and_exactly_fails(plant: Plant, key: str) -> None:
    fails(ONCE, plant, key)


@pytest.mark.parametrize("key", ["square", "ebay", "shopify", "medusa"])
@pytest.mark.parametrize(
    "plant",
    [what_is_left_in_place_of_too_much, nothing_of_the_unknown, promises_and_pays_nothing],
    ids=named,
)
def test_a_refund_of_more_than_is_left_fails(plant: Plant, key: str) -> None:
    fails(LEFT, plant, key)


@pytest.mark.parametrize("key", ["woocommerce", "shopify", "ebay", "square"])
@pytest.mark.parametrize(
    "plant", [under_our_name, hidden_among_the_returns, of_another_order], ids=named
)
def test_a_refund_that_nobody_finds_among_the_returns_fails(plant: Plant, key: str) -> None:
    fails(FOUND, plant, key)


def test_a_connector_that_compares_with_what_is_there_now_pays_twice() -> None:
    """A connector without a reference knows a repeat by what was paid back before."""
    base = connector_class("ebay")

    class Forgetful(base):  # type: ignore[misc,valid-type]
        async def refund_order(self, refund: Refund) -> str:
            order = await self._raw_order(refund.order_ref)
            seen = sum(
                (
                    Decimal(each["amount"]["value"])
                    for each in order.get("paymentSummary", {}).get("refunds", [])
                ),
                Decimal(),
            )
            return str(await super().refund_order(replace(refund, refunded_before=seen)))

    fails(ONCE, lambda _: Forgetful, "ebay")
