"""The rows about odd records fail for connectors that lose, misname or choke on them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors import Connector, NotFound, Page, PushedLevel, Unreadable, UnreadableRecord
from connectors.registry import connector_class
from connectors.testing.case import ConformanceFailure
from connectors.testing.conformance import records, warranties
from connectors.testing.conformance.records import CASES as RECORD_CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from connectors.toolkit import warranty_status

BY_NAME = {case.name: case for case in RECORD_CASES}
Plant = Callable[[type[Any]], type[Any]]


def choking(base: type[Any]) -> type[Any]:
    """One odd record ends the whole page, as plain code without a reader does."""

    class Choking(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            return _whole(await super().pull_orders(cursor))

        async def pull_returns(self, cursor: str) -> Page[Any]:
            return _whole(await super().pull_returns(cursor))

        async def read_order(self, ref: str) -> Any:
            try:
                return await super().read_order(ref)
            except Unreadable as error:
                raise KeyError(error.record.field) from error

        async def snapshot_stock(self) -> AsyncIterator[Any]:
            async for each in super().snapshot_stock():
                if isinstance(each, UnreadableRecord):
                    raise TypeError(each.field)
                yield each

        async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
            pushed: Sequence[PushedLevel] = await super().push_stock(levels)
            if any(isinstance(each.error, Unreadable | NotFound) for each in pushed):
                raise KeyError("id")
            return pushed

    return Choking


def _whole(page: Page[Any]) -> Page[Any]:
    if page.unreadable:
        raise AttributeError(page.unreadable[0].field)
    return page


def dropping(base: type[Any]) -> type[Any]:
    """The odd record is left out, and nobody hears of it."""

    class Dropping(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            return replace(await super().pull_orders(cursor), unreadable=())

        async def pull_returns(self, cursor: str) -> Page[Any]:
            return replace(await super().pull_returns(cursor), unreadable=())

        async def read_order(self, ref: str) -> Any:
            try:
                return await super().read_order(ref)
            except Unreadable as error:
                raise Unreadable(replace(error.record, ref="another")) from error

        async def snapshot_stock(self) -> AsyncIterator[Any]:
            seen = [each async for each in super().snapshot_stock()]
            if not any(isinstance(each, UnreadableRecord) for each in seen):
                for each in seen:
                    yield each

        async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
            pushed: Sequence[PushedLevel] = await super().push_stock(levels)
            return [each for each in pushed if each.error is None]

    return Dropping


def misnaming(base: type[Any]) -> type[Any]:
    """The odd record is said to be about another field."""

    class Misnaming(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            return _misnamed(await super().pull_orders(cursor))

        async def pull_returns(self, cursor: str) -> Page[Any]:
            return _misnamed(await super().pull_returns(cursor))

        async def read_order(self, ref: str) -> Any:
            try:
                return await super().read_order(ref)
            except Unreadable as error:
                raise Unreadable(replace(error.record, field="elsewhere")) from error

        async def snapshot_stock(self) -> AsyncIterator[Any]:
            async for each in super().snapshot_stock():
                odd = isinstance(each, UnreadableRecord)
                yield replace(each, field="elsewhere") if odd else each

        async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
            pushed: Sequence[PushedLevel] = await super().push_stock(levels)
            lost = next((each.error for each in pushed if each.error), None)
            return [replace(each, error=lost) for each in pushed]

    return Misnaming


def _misnamed(page: Page[Any]) -> Page[Any]:
    named = tuple(replace(each, field="elsewhere") for each in page.unreadable)
    return replace(page, unreadable=named)


ROWS: Sequence[tuple[str, Sequence[str]]] = (
    ("odd-orders-stop-no-others", ("woocommerce", "shopify", "square", "amazon", "ebay")),
    ("an-odd-order-read-alone", ("medusa", "bigcommerce", "lightspeed", "walmart")),
    ("odd-returns-stop-no-others", ("shopify", "square", "vendure", "saleor", "walmart")),
    ("an-odd-listing-stops-no-push", ("woocommerce", "amazon", "medusa", "ebay")),
    ("odd-listings-stop-no-others", ("woocommerce", "bigcommerce", "medusa", "vendure")),
)


@pytest.mark.parametrize("plant", [choking, dropping, misnaming])
@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in ROWS for key in keys])
def test_a_connector_that_mistreats_odd_records_fails_the_row(
    name: str, key: str, plant: Plant
) -> None:
    base: type[Connector[Any]] = connector_class(key)
    run_case(BY_NAME[name], base, driver_of(key))
    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME[name], plant(base), driver_of(key))


def test_an_empty_list_in_place_of_the_lines_fails_the_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader that takes a missing list of lines for an order without lines loses units."""
    from connectors.medusa import mapping

    lenient = mapping.records
    monkeypatch.setattr(
        mapping, "records", lambda record, name, required=False: lenient(record, name)
    )
    with pytest.raises(ConformanceFailure, match="so many lines"):
        run_case(
            BY_NAME["odd-orders-stop-no-others"], connector_class("medusa"), driver_of("medusa")
        )


def test_every_row_about_records_has_connectors_that_fail_it() -> None:
    assert {name for name, _ in ROWS} == set(BY_NAME)
    assert all(len(keys) >= 3 for _, keys in ROWS)
    assert records.ODD_MAX > 100


@pytest.mark.parametrize("key", ["dell", "hp", "lenovo"])
def test_a_last_day_that_cannot_be_read_is_no_cover_without_an_end(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {case.name: case for case in warranties.CASES}["odd-answers-change-no-others"]
    run_case(row, connector_class(key), driver_of(key))
    monkeypatch.setattr(
        warranty_status, "day", lambda record, name: warranty_status.parse_day(record.get(name))
    )
    with pytest.raises(ConformanceFailure, match="last day"):
        run_case(row, connector_class(key), driver_of(key))
