"""What a Vendure order and its lines cost: whole numbers, prices with their tax.

Of how many decimals is the server's own setting for all its currencies, 2 unless somebody changed
it: 1000 is 10.00 in EUR, and 10.00 in JPY. Each answer states it beside its orders.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import (
    amount,
    currency_code,
    difference,
    listed,
    positive,
    scaled,
    total,
)
from hub.vocabulary import Order, OrderLine

PRECISION = "moneyStrategyPrecision"
PRECISION_DEFAULT = 2


def with_precision(data: Mapping[str, Any], node: Any) -> Any:
    """Return an order of an answer, with the decimals of its amounts put into it."""
    settings = data.get("globalSettings")
    config = settings.get("serverConfig") if isinstance(settings, Mapping) else None
    stated = config.get(PRECISION) if isinstance(config, Mapping) else None
    return {**node, PRECISION: stated} if isinstance(node, dict) else node


def with_money(read: Order, node: Mapping[str, Any]) -> Order:
    """Return an order with what it costs and what was paid back."""
    payments = listed(node, "payments")
    refunds = [each for payment in payments for each in listed(payment, "refunds")]
    settled = [money(each, "total", node) for each in refunds if each.get("state") == "Settled"]
    discounts = [positive(money(each, "amountWithTax", node)) for each in listed(node, "discounts")]
    return replace(
        read,
        currency=currency_code(node, "currencyCode"),
        total=money(node, "totalWithTax", node),
        discount=total(discounts) if discounts else Decimal(0),
        tax=difference(money(node, "totalWithTax", node), money(node, "total", node)),
        shipping=money(node, "shippingWithTax", node),
        refunded=total(settled),
        tax_included=True,
    )


def with_price(read: OrderLine, line: Mapping[str, Any], order: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price; its prorated price bears its share of the order's discounts."""
    before = money(line, "linePriceWithTax", order)
    return replace(
        read,
        unit_price=money(line, "unitPriceWithTax", order),
        discount=difference(before, money(line, "proratedLinePriceWithTax", order)),
        tax=money(line, "lineTax", order),
    )


def money(record: Mapping[str, Any], name: str, order: Mapping[str, Any]) -> Decimal | None:
    """Return an amount of a record, with the decimals that the answer of its order states."""
    stated = order.get(PRECISION)
    return scaled(amount(record, name), stated if isinstance(stated, int) else PRECISION_DEFAULT)
