"""The rows about lines, moments and other channels fail for connectors that mix them up."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from connectors import Connector, Page, WebhookCall
from connectors.registry import connector_class
from connectors.testing.case import ConformanceFailure
from connectors.testing.conformance import webhooks
from connectors.testing.conformance.lines import CASES as LINE_CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from hub.vocabulary import OrderState

HOOKS = {case.name: case for case in webhooks.CASES}
BY_NAME = {case.name: case for case in LINE_CASES}
Patch = pytest.MonkeyPatch


def of_orders(change: Callable[[Any], Any], base: type[Any]) -> type[Any]:
    """Return a connector whose orders are changed on their way out."""

    class Changing(base):  # type: ignore[misc]
        async def pull_orders(self, cursor: str) -> Page[Any]:
            page = await super().pull_orders(cursor)
            return replace(page, items=tuple(change(each) for each in page.items))

        async def read_order(self, ref: str) -> Any:
            return change(await super().read_order(ref))

    return Changing


def first_line_only(order: Any) -> Any:
    return replace(order, lines=order.lines[:1])


def one_reference(order: Any) -> Any:
    return replace(order, lines=tuple(replace(line, ref="1") for line in order.lines))


def done_with_the_first(order: Any) -> Any:
    left = any(line.fulfilled for line in order.lines)
    return replace(order, state=OrderState.FULFILLED) if left else order


def all_gone(order: Any) -> Any:
    if not any(line.fulfilled for line in order.lines):
        return order
    return replace(
        order, lines=tuple(replace(line, fulfilled=line.quantity) for line in order.lines)
    )


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        (name, change, key)
        for name, change, keys in (
            ("both-lines-are-read", first_line_only, ("medusa", "shopify", "amazon", "ebay")),
            ("both-lines-are-read", one_reference, ("square", "walmart", "bigcommerce")),
            ("a-line-leaves-alone", done_with_the_first, ("medusa", "vendure", "saleor", "ebay")),
            ("a-line-leaves-alone", all_gone, ("bigcommerce", "woocommerce", "shopify")),
        )
        for key in keys
    ],
)
def test_lines_that_are_mixed_up_fail_the_row(
    name: str, change: Callable[[Any], Any], key: str
) -> None:
    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME[name], of_orders(change, connector_class(key)), driver_of(key))


@pytest.mark.parametrize("key", ["medusa", "shopify", "saleor", "walmart"])
def test_a_watermark_that_is_exclusive_fails_the_row(key: str) -> None:
    base: type[Connector[Any]] = connector_class(key)

    class Watermark(base):  # type: ignore[misc, valid-type]
        """Goes on behind the newest time of the page before."""

        newest: Any = None

        async def pull_orders(self, cursor: str) -> Page[Any]:
            page = await super().pull_orders(cursor)
            last = self.newest
            items = tuple(each for each in page.items if last is None or each.updated_at > last)
            type(self).newest = max([each.updated_at for each in page.items], default=last)
            return replace(page, items=items[:50])

    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME["orders-in-one-moment"], Watermark, driver_of(key))


@pytest.mark.parametrize(
    ("key", "where", "name"),
    [
        ("amazon", "connector", "sold_by_seller"),
        ("ebay", "connector", "sold_on"),
        ("walmart", "connector", "shipped_by_seller"),
        ("square", "connector.Square", "_is_ours"),
        ("lightspeed", "connector.Lightspeed", "_is_ours"),
        ("saleor", "connector.Saleor", "_is_ours"),
        ("bigcommerce", "connector.BigCommerce", "_is_ours"),
    ],
)
def test_a_channel_that_takes_what_is_not_its_own_fails_the_row(
    key: str, where: str, name: str, monkeypatch: Patch
) -> None:
    module, _, holder = where.partition(".")
    found: Any = import_module(f"connectors.{key}.{module}")
    monkeypatch.setattr(getattr(found, holder) if holder else found, name, lambda *_: True)
    with pytest.raises(ConformanceFailure, match=r"another channel|of the pages"):
        run_case(BY_NAME["orders-of-other-channels"], connector_class(key), driver_of(key))


def packed_counts_in_medusa(patch: Patch) -> None:
    mapping: Any = import_module("connectors.medusa.mapping")
    whole = mapping.whole
    patch.setattr(
        mapping,
        "whole",
        lambda record, name, *default: whole(
            record, name.replace("shipped_", "fulfilled_"), *default
        ),
    )


def packed_counts_in_square(patch: Patch) -> None:
    mapping: Any = import_module("connectors.square.mapping")
    patch.setattr(
        mapping, "_fulfilled", lambda line, parts, _: 1 if parts[0]["state"] != "PROPOSED" else 0
    )


def packed_counts_in_vendure(patch: Patch) -> None:
    mapping: Any = import_module("connectors.vendure.mapping")
    patch.setattr(mapping, "HAS_LEFT", frozenset({"Pending", "Created", "Shipped", "Delivered"}))


@pytest.mark.parametrize(
    ("key", "plant"),
    [
        ("medusa", packed_counts_in_medusa),
        ("square", packed_counts_in_square),
        ("vendure", packed_counts_in_vendure),
    ],
)
def test_packed_taken_for_shipped_fails_the_row(
    key: str, plant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    plant(monkeypatch)
    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME["packed-is-not-shipped"], connector_class(key), driver_of(key))


def the_other_line(back: Any) -> Any:
    lines = tuple(replace(line, order_line_ref="1") for line in back.lines)
    return replace(back, lines=lines)


def nothing_taken_off(back: Any) -> Any:
    lines = (replace(line, taken_off=0 if line.taken_off else line.quantity) for line in back.lines)
    return replace(back, lines=tuple(lines))


def nothing_comes_back(back: Any) -> Any:
    return replace(back, lines=tuple(replace(line, comes_back=False) for line in back.lines))


@pytest.mark.parametrize("change", [the_other_line, nothing_taken_off, nothing_comes_back])
@pytest.mark.parametrize("key", ["shopify", "square", "vendure", "saleor", "walmart"])
def test_a_return_that_says_something_else_fails_the_row(
    key: str, change: Callable[[Any], Any]
) -> None:
    base: type[Connector[Any]] = connector_class(key)

    class Changing(base):  # type: ignore[misc, valid-type]
        async def pull_returns(self, cursor: str) -> Page[Any]:
            page = await super().pull_returns(cursor)
            return replace(page, items=tuple(change(each) for each in page.items))

    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME["the-returned-line-is-named"], Changing, driver_of(key))


def held_is_forgotten(base: type[Any]) -> type[Any]:
    """Return a connector that sets what is there, not what can be sold beside open orders."""

    class Forgetful(base):  # type: ignore[misc]
        async def push_stock(self, levels: Sequence[Any]) -> Any:
            lower = [replace(each, available=max(0, each.available - 2)) for each in levels]
            pushed = await super().push_stock(lower)
            return [
                replace(each, quantity=each.quantity + 2) if each.quantity else each
                for each in pushed
            ]

    return Forgetful


@pytest.mark.parametrize("key", ["medusa", "saleor", "vendure", "walmart", "shopify"])
def test_a_push_that_forgets_open_orders_fails_the_row(key: str) -> None:
    forgetful = held_is_forgotten(connector_class(key))
    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME["a-push-beside-an-open-order"], forgetful, driver_of(key))


@pytest.mark.parametrize(
    ("key", "topic"),
    [
        ("shopify", "orders/edited"),
        ("square", "refund.updated"),
        ("bigcommerce", "store/shipment/created"),
        ("woocommerce", "order.deleted"),
        ("medusa", "order.return_received"),
        ("saleor", "fulfillment_canceled"),
    ],
)
def test_a_topic_that_names_no_order_fails_the_row(key: str, topic: str) -> None:
    base: type[Connector[Any]] = connector_class(key)

    class Deaf(base):  # type: ignore[misc, valid-type]
        def read(self, heard: str, body: bytes) -> Any:
            return () if heard == topic else super().read(heard, body)

    with pytest.raises(ConformanceFailure, match=topic):
        run_case(HOOKS["every-topic-names-its-order"], Deaf, driver_of(key))


@pytest.mark.parametrize("key", ["walmart", "shopify", "square"])
def test_a_scheme_that_nobody_verifies_fails_the_row(key: str) -> None:
    base: type[Connector[Any]] = connector_class(key)

    class Trusting(base):  # type: ignore[misc, valid-type]
        def verify(self, headers: Any, body: bytes, received_at: Any) -> WebhookCall:
            if "wm_sec.signature" in headers or key != "walmart":
                return WebhookCall(str(hash(body)), "PO_ANY" if key == "walmart" else "orders/paid")
            return super().verify(headers, body, received_at)

    with pytest.raises(ConformanceFailure):
        run_case(HOOKS["every-topic-names-its-order"], Trusting, driver_of(key))
