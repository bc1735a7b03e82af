"""The rows about buyers fail for connectors that mix them up, show them, or lose a message."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.registry import connector_class
from connectors.testing.case import ConformanceFailure
from connectors.testing.conformance.contacts import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from hub.vocabulary import BuyerMessage, Contact

READ, CARRIED = CASES
Plant = Callable[[type[Any]], type[Any]]


def always_the_first(base: type[Any]) -> type[Any]:
    """Answer with the contact that was read first."""

    class Broken(base):  # type: ignore[misc]
        first: Contact | None = None

        async def read_contact(self, order_ref: str) -> Contact | None:
            self.first = self.first or await super().read_contact(order_ref)
            return self.first

    return Broken


def empty_in_place_of_none(base: type[Any]) -> type[Any]:
    """Make a contact of nothing."""

    class Broken(base):  # type: ignore[misc]
        async def read_contact(self, order_ref: str) -> Contact | None:
            return await super().read_contact(order_ref) or Contact()

    return Broken


def nothing_for_the_unknown(base: type[Any]) -> type[Any]:
    """Call an unknown order one whose buyer is hidden."""

    class Broken(base):  # type: ignore[misc]
        async def read_contact(self, order_ref: str) -> Contact | None:
            try:
                return await super().read_contact(order_ref)
            except Exception:
                return None

    return Broken


def address_as_reference(base: type[Any]) -> type[Any]:
    """Put the address into the order, as the reference of the customer."""

    class Broken(base):  # type: ignore[misc]
        async def read_order(self, ref: str) -> Any:
            found = await self.read_contact(ref)
            return replace(await super().read_order(ref), customer_ref=found and found.email)

    return Broken


@pytest.mark.parametrize("key", ["woocommerce", "shopify", "ebay", "walmart"])
@pytest.mark.parametrize(
    "plant",
    [always_the_first, empty_in_place_of_none, nothing_for_the_unknown, address_as_reference],
    ids=lambda plant: plant.__name__,
)
def test_a_connector_that_mixes_buyers_up_or_shows_them_fails(plant: Plant, key: str) -> None:
    driver = driver_of(key)
    assert driver is not None
    with pytest.raises(ConformanceFailure):
        run_case(READ, plant(connector_class(key)), driver)


def loses_it(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def message_buyer(self, message: BuyerMessage) -> str:
            return message.reference

    return Broken


def sends_it_twice(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def message_buyer(self, message: BuyerMessage) -> str:
            await super().message_buyer(message)
            return str(await super().message_buyer(message))

    return Broken


def names_nothing(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def message_buyer(self, message: BuyerMessage) -> str:
            await super().message_buyer(message)
            return ""

    return Broken


@pytest.mark.parametrize("plant", [loses_it, sends_it_twice, names_nothing])
def test_a_connector_that_does_not_carry_a_message_once_fails(plant: Plant) -> None:
    driver = driver_of("amazon")
    assert driver is not None
    with pytest.raises(ConformanceFailure):
        run_case(CARRIED, plant(connector_class("amazon")), driver)
