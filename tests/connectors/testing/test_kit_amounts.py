"""The rows about money and kinds of lines fail for connectors that misread them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest

from connectors.registry import connector_class
from connectors.testing.case import ConformanceFailure
from connectors.testing.conformance.amounts import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from hub.vocabulary import LineKind, OrderLine

from .test_kit_lines import of_orders

BY_NAME = {case.name: case for case in CASES}
MONEY, KINDS = BY_NAME["money-is-exact"], BY_NAME["lines-that-are-no-goods"]
Patch = pytest.MonkeyPatch


def of_lines(change: Callable[[OrderLine], OrderLine]) -> Callable[[Any], Any]:
    return lambda order: replace(order, lines=tuple(change(line) for line in order.lines))


def through_a_float(line: OrderLine) -> OrderLine:
    return replace(line, unit_price=Decimal(float(line.unit_price or 0)))


def as_a_float(line: OrderLine) -> OrderLine:
    return replace(line, unit_price=float(line.unit_price or 0))  # type: ignore[arg-type]


def of_the_line(line: OrderLine) -> OrderLine:
    price = line.unit_price
    return replace(line, unit_price=None if price is None else price * line.quantity)


def after_the_discount(line: OrderLine) -> OrderLine:
    if line.unit_price is None or line.discount is None:
        return line
    return replace(line, unit_price=line.unit_price - line.discount / line.quantity)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (change, key)
        for change, keys in (
            (of_lines(through_a_float), ("woocommerce", "medusa", "walmart", "saleor")),
            (of_lines(as_a_float), ("lightspeed", "medusa", "walmart")),
            (of_lines(of_the_line), ("ebay", "woocommerce", "walmart")),
            (of_lines(after_the_discount), ("lightspeed", "vendure", "shopify", "bigcommerce")),
            (lambda order: replace(order, currency="USD"), ("bigcommerce", "square", "amazon")),
            (lambda order: replace(order, total=None), ("square", "ebay", "amazon")),
            (lambda order: replace(order, tax=None), ("saleor", "shopify", "vendure")),
        )
        for key in keys
    ],
)
def test_money_that_is_misread_fails_the_row(change: Callable[[Any], Any], key: str) -> None:
    with pytest.raises(ConformanceFailure, match=r"in EUR|in JPY|in KWD|its currency"):
        run_case(MONEY, of_orders(change, connector_class(key)), driver_of(key))


def test_hundredths_of_every_currency_fail_the_row(monkeypatch: Patch) -> None:
    amounts = import_module("connectors.toolkit.amounts")
    monkeypatch.setattr(amounts, "decimals_of", lambda currency: 2)
    with pytest.raises(ConformanceFailure, match="in JPY"):
        run_case(MONEY, connector_class("square"), driver_of("square"))


@pytest.mark.parametrize("stated", [2, 0])
def test_another_precision_than_the_server_states_fails_the_row(
    stated: int, monkeypatch: Patch
) -> None:
    money = import_module("connectors.vendure.money")

    def fixed(data: Mapping[str, Any], node: Any) -> Any:
        return {**node, money.PRECISION: stated}

    monkeypatch.setattr(import_module("connectors.vendure.connector"), "with_precision", fixed)
    with pytest.raises(ConformanceFailure, match="in EUR"):
        run_case(MONEY, connector_class("vendure"), driver_of("vendure"))


def all_goods(line: OrderLine) -> OrderLine:
    return replace(line, kind=LineKind.GOODS)


def all_digital(line: OrderLine) -> OrderLine:
    return replace(line, kind=LineKind.DIGITAL)


def gift_cards_as_digital(line: OrderLine) -> OrderLine:
    gift = line.kind is LineKind.GIFT_CARD
    return replace(line, kind=LineKind.DIGITAL) if gift else line


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (change, key)
        for change, keys in (
            (all_goods, ("square", "bigcommerce", "ebay", "lightspeed")),
            (all_digital, ("shopify", "medusa", "saleor")),
            (gift_cards_as_digital, ("shopify", "medusa", "saleor", "bigcommerce")),
        )
        for key in keys
    ],
)
def test_kinds_that_are_mixed_up_fail_the_row(
    change: Callable[[OrderLine], OrderLine], key: str
) -> None:
    with pytest.raises(ConformanceFailure, match="the kinds of its lines"):
        run_case(KINDS, of_orders(of_lines(change), connector_class(key)), driver_of(key))
