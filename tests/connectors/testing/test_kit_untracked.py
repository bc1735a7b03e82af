"""The row about untracked listings fails for connectors that push, show or switch them on."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from connectors import PushedLevel
from connectors.errors import NotFound
from connectors.registry import connector_class
from connectors.testing.case import Case, ConformanceFailure, NotApplicable
from connectors.testing.conformance.stock import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from hub.vocabulary import ObservedLevel, StockLevel

(ROW,) = (case for case in CASES if case.name == "untracked-listings-are-left-alone")
TRACKING = ["lightspeed", "saleor", "shopify", "square", "vendure", "woocommerce"]
Plant = Callable[[type[Any]], type[Any]]


def shows_it_as_none(base: type[Any]) -> type[Any]:
    """Show what is not tracked as a quantity of zero."""

    class Broken(base):  # type: ignore[misc]
        async def snapshot_stock(self) -> AsyncIterator[Any]:
            seen = set()
            async for each in super().snapshot_stock():
                seen.add(getattr(each, "sku", ""))
                yield each
            if "CABLE" not in seen:
                yield ObservedLevel(sku="CABLE", quantity=0, remote={})

    return Broken


def says_it_is_done(base: type[Any]) -> type[Any]:
    """Answer for an untracked listing as if it had been set."""

    class Broken(base):  # type: ignore[misc]
        async def push_stock(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
            wanted = {level.listing: level.available for level in levels}
            return [
                PushedLevel(each.listing, wanted[each.listing]) if each.error else each
                for each in await super().push_stock(levels)
            ]

    return Broken


def calls_it_lost(base: type[Any]) -> type[Any]:
    """Say that the listing is gone, so that its binding would end."""

    class Broken(base):  # type: ignore[misc]
        async def push_stock(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
            return [
                PushedLevel(each.listing, error=NotFound("gone")) if each.error else each
                for each in await super().push_stock(levels)
            ]

    return Broken


def gives_up_the_call(base: type[Any]) -> type[Any]:
    """Leave the listings beside an untracked one unset."""

    class Broken(base):  # type: ignore[misc]
        async def push_stock(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
            alone = [each for each in levels if each.sku == "CABLE"]
            pushed = list(await super().push_stock(alone or levels))
            refused = pushed[0].error if alone else None
            if refused is None:
                return pushed
            return [PushedLevel(level.listing, error=refused) for level in levels]

    return Broken


PLANTS = [shows_it_as_none, says_it_is_done, calls_it_lost, gives_up_the_call]


@pytest.mark.parametrize("key", TRACKING)
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_connector_that_does_not_respect_it_fails(plant: Plant, key: str) -> None:
    driver = driver_of(key)
    assert driver is not None
    with pytest.raises(ConformanceFailure, match=r"untracked|CABLE|CAM"):
        run_case(ROW, plant(connector_class(key)), driver)


def sets_whatever_it_is(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Take the connector's own look at what is tracked away."""
    places: dict[str, tuple[str, Any]] = {
        "shopify": ("connectors.shopify.stock.ItemStock._untracked", _no_levels),
        "square": ("connectors.square.connector.untracked_of", _no_refs),
        "saleor": ("connectors.saleor.connector.untracked_ref", lambda _variant: None),
        "vendure": ("connectors.vendure.stock._untracked_ref", lambda _variant: None),
    }
    name, replaced = places[key]
    monkeypatch.setattr(name, replaced)


async def _no_levels(_self: Any, _levels: Any) -> list[StockLevel]:
    return []


async def _no_refs(_api: Any, _location: str, _ids: Any) -> frozenset[str]:
    return frozenset()


@pytest.mark.parametrize("key", ["shopify", "square", "saleor", "vendure"])
def test_a_connector_that_sets_whatever_it_is_fails(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets_whatever_it_is(monkeypatch, key)
    driver = driver_of(key)
    assert driver is not None
    with pytest.raises(ConformanceFailure, match="untracked listing"):
        run_case(ROW, connector_class(key), driver)


def test_a_channel_that_tracks_everything_is_not_asked() -> None:
    driver = driver_of("ebay")
    assert driver is not None
    assert isinstance(ROW, Case)
    with pytest.raises(NotApplicable, match="every listing"):
        run_case(ROW, connector_class("ebay"), driver)
