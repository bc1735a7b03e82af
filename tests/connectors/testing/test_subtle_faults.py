"""Fifteen subtle faults, each as an author makes it: how many of them the conformance kit catches.

Each was once invisible to the kit: orders of one line, no open order beside a push, times that
never met, one topic and one signature. The whole kit is played, its row for the kind first.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from connectors.contract import OrderRef, WebhookCall
from connectors.testing.conformance.buyers import ANNA, BORIS
from hub.vocabulary import OrderState

from .faults import (
    ShipsTheFirstLine,
    Watermark,
    assert_caught,
    driver_of,
    first_row_that_fails,
    of_levels,
    of_lines,
    of_orders,
    of_returns,
    plant,
)

CAUGHT_MIN = 14  # of 15; today the kit catches all
Patch = pytest.MonkeyPatch
Planter = Callable[[Patch], Any]


def second_line_is_lost(patch: Patch) -> Any:
    return plant(of_orders(lambda order: replace(order, lines=order.lines[:1])), "medusa")


def done_with_the_first_line(patch: Patch) -> Any:
    def done(order: Any) -> Any:
        left = any(line.fulfilled for line in order.lines)
        return replace(order, state=OrderState.FULFILLED) if left else order

    return plant(of_orders(done), "ebay")


def serials_of_the_first_line_only(patch: Patch) -> Any:
    return plant(ShipsTheFirstLine, "woocommerce")


def open_orders_are_forgotten_in_a_push(patch: Patch) -> Any:
    """Set the figure on the shelf to what may be sold: the units of open orders are lost."""

    def less(level: Any) -> Any:
        return replace(level, available=max(0, level.available - 2), expected=None)

    return plant(of_levels(less), "saleor")


def the_shelf_is_taken_for_what_can_be_sold(patch: Patch) -> Any:
    """Read in a snapshot what is on the shelf, with the units of open orders."""

    class OnTheShelf:
        async def snapshot_stock(self) -> AsyncIterator[Any]:
            pulled = (await self.pull_orders("")).items
            async for each in super().snapshot_stock():
                lines = [line for order in pulled for line in order.lines if line.sku == each.sku]
                held = sum(line.quantity - line.fulfilled for line in lines)
                yield replace(each, quantity=each.quantity + held)

    return plant(OnTheShelf, "vendure")


def the_page_ends_between_two_of_a_moment(patch: Patch) -> Any:
    return plant(Watermark, "shopify")


def times_of_the_shop_are_taken_for_utc(patch: Patch) -> Any:
    mapping: Any = import_module("connectors.woocommerce.mapping")
    read = mapping.time
    patch.setattr(
        mapping,
        "time",
        lambda record, *names: read(record, *(name.removesuffix("_gmt") for name in names)),
    )
    return plant(type("Plain", (), {}), "woocommerce")


def bounds_are_taken_for_the_shops_time(patch: Patch) -> Any:
    class Local:
        async def _orders(self, params: Any, page: int) -> Any:
            kept = {name: value for name, value in params.items() if name != "dates_are_gmt"}
            return await super()._orders(kept, page)

    return plant(Local, "woocommerce")


def a_further_topic_names_no_order(patch: Patch) -> Any:
    class Deaf:
        def read(self, topic: str, body: bytes) -> Any:
            known = topic in ("orders/create", "orders/updated")
            return super().read(topic, body) if known else ()

    return plant(Deaf, "shopify")


def the_second_scheme_is_not_verified(patch: Patch) -> Any:
    class Trusting:
        def verify(self, headers: Any, body: bytes, received_at: Any) -> WebhookCall:
            if "wm_sec.signature" in headers:
                return WebhookCall(str(hash(body)), "PO_ANY")
            return super().verify(headers, body, received_at)

    return plant(Trusting, "walmart")


def what_was_taken_off_is_not_stated(patch: Patch) -> Any:
    def none(back: Any) -> Any:
        return replace(back, lines=tuple(replace(line, taken_off=0) for line in back.lines))

    return plant(of_returns(none), "shopify")


def what_is_kept_comes_back(patch: Patch) -> Any:
    def always(back: Any) -> Any:
        return replace(back, lines=tuple(replace(line, comes_back=True) for line in back.lines))

    return plant(of_returns(always), "walmart")


def the_buyer_is_their_address(patch: Patch) -> Any:
    mails = {"cus_411": ANNA.email, "cus_422": BORIS.email}

    def mail(order: Any) -> Any:
        return replace(order, customer_ref=mails.get(order.customer_ref, order.customer_ref))

    return plant(of_orders(mail), "medusa")


def packed_is_taken_for_shipped(patch: Patch) -> Any:
    mapping: Any = import_module("connectors.vendure.mapping")
    patch.setattr(mapping, "HAS_LEFT", frozenset({"Pending", "Created", "Shipped", "Delivered"}))
    return plant(of_lines(lambda line: line), "vendure")


def nothing_is_acknowledged(patch: Patch) -> Any:
    async def nothing(api: Any, ref: str) -> None:
        return

    patch.setattr(import_module("connectors.walmart.fulfillment"), "acknowledge", nothing)
    return plant(type("Plain", (), {}), "walmart")


FAULTS: tuple[tuple[Planter, str], ...] = (
    (second_line_is_lost, "both-lines-are-read"),
    (done_with_the_first_line, "a-line-leaves-alone"),
    (serials_of_the_first_line_only, "both-lines-leave-together"),
    (open_orders_are_forgotten_in_a_push, "a-push-beside-an-open-order"),
    (the_shelf_is_taken_for_what_can_be_sold, "a-push-beside-an-open-order"),
    (the_page_ends_between_two_of_a_moment, "orders-in-one-moment"),
    (times_of_the_shop_are_taken_for_utc, "times-in-other-places"),
    (bounds_are_taken_for_the_shops_time, "times-in-other-places"),
    (a_further_topic_names_no_order, "every-topic-names-its-order"),
    (the_second_scheme_is_not_verified, "every-topic-names-its-order"),
    (what_was_taken_off_is_not_stated, "the-returned-line-is-named"),
    (what_is_kept_comes_back, "kept-goods-do-not-come-back"),
    (the_buyer_is_their_address, "buyers-are-pseudonyms"),
    (packed_is_taken_for_shipped, "packed-is-not-shipped"),
    (nothing_is_acknowledged, "a-shipment-is-reported-once"),
)


def test_the_kit_catches_fifteen_of_fifteen_subtle_faults(record_property: Any) -> None:
    caught: dict[str, str | None] = {}
    for planter, row in FAULTS:
        with pytest.MonkeyPatch.context() as patch:
            connector = planter(patch)
            caught[planter.__name__] = first_row_that_fails(connector, connector.key, row)
    missed = [name for name, row in caught.items() if row is None]
    record_property("caught", f"{len(caught) - len(missed)} of {len(caught)}")
    assert len(caught) == 15
    assert len(caught) - len(missed) >= CAUGHT_MIN, f"missed: {missed}"
    assert {row for row in caught.values() if row} <= {row for _, row in FAULTS}, caught


def test_the_kit_finds_no_fault_where_none_is_planted() -> None:
    """The measure itself is sound: an unharmed connector passes every row."""
    connector = plant(type("Plain", (), {}), "medusa")
    assert first_row_that_fails(connector, "medusa", "both-lines-are-read") is None


def test_a_buyer_that_is_no_pseudonym_names_the_fact() -> None:
    shown = of_orders(lambda order: replace(order, number=f"{order.number} {ANNA.name}"))
    assert_caught("buyers-are-pseudonyms", plant(shown, "square"), driver_of("square"), "Anna")


def test_a_hint_of_another_order_is_caught() -> None:
    """A sibling of the deaf topic: it names an order, and not the right one."""

    class Elsewhere:
        def read(self, topic: str, body: bytes) -> Any:
            return [OrderRef("1") for _ in super().read(topic, body)]

    assert_caught("every-topic-names-its-order", plant(Elsewhere, "medusa"), driver_of("medusa"))
