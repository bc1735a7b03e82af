"""What orders cost, read from the official examples; nothing in an amount ever loses an order."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from connectors.amazon import external_fulfillment
from connectors.amazon import mapping as amazon
from connectors.bigcommerce import mapping as bigcommerce
from connectors.lightspeed import mapping as lightspeed
from connectors.square import mapping as square
from connectors.toolkit.records import Record, RecordReader
from connectors.walmart import mapping as walmart
from connectors.woocommerce import mapping as woocommerce
from contracts import example
from hub.vocabulary import LineKind, Order

from .test_broken_examples import CASES, objects, read_or_named, with_lines

# Reference, currency, total, discount, tax, shipping; then unit price, discount and tax by line.
WANTED: dict[str, tuple[str, tuple[str | None, ...], tuple[tuple[str | None, ...], ...]]] = {
    "woocommerce": (
        "727",
        ("USD", "29.35", "0.00", "1.35", "10.00"),
        (("3.00", "0.00", "0.45"), ("12.00", "0.00", "0.90")),
    ),
    "bigcommerce": ("218", ("USD", "69.8400", "10.0000", "5.3100", "11.0900"), ((None,) * 3,)),
    "walmart": ("1796277083022", ("USD", "10.8", "0", "0.8", None), (("10", "0", "0.8"),)),
    "amazon": (
        "250-1234567-8901234",
        ("JPY", "19940", "0", None, "0"),
        (("5980", "0", None), ("6980", "0", None)),
    ),
    "external fulfillment": (
        "TEST_CASE_200_FBA_SHIPMENT_ID",
        ("INR", "152", "40", "22", "30"),
        (("50", "20", "12"), ("50", "20", "12")),
    ),
    "square": (
        "CAISENgvlJ6jLWAzERDzjyHVybY",
        ("USD", "61.76", "4.33", "5.10", None),
        (("15.99", "0.87", "1.36"), ("22.50", "3.46", "3.74")),
    ),
    "lightspeed": (
        "b8ca3a65-0183-11e4-fbb5-39f7fce5e39b",
        ("NZD", "231.5", "0", "30", None),
        (("200", "0", "30"), ("0", "0", "0")),
    ),
}
PARSERS: dict[str, Callable[[Record], Any]] = {
    "lightspeed": partial(lightspeed.parse_order, skus={}, serials={}, currency="NZD")
}
READERS: Mapping[str, RecordReader] = {
    "woocommerce": woocommerce.ORDERS,
    "bigcommerce": bigcommerce.ORDERS,
    "walmart": walmart.ORDERS_READER,
    "amazon": amazon.READER,
    "external fulfillment": external_fulfillment.READER,
    "square": square.ORDERS,
    "lightspeed": lightspeed.SALES,
}
MONEY = frozenset(
    re.findall(
        r"\w+",
        """
total total_inc_tax total_tax subtotal discount_total discount_amount coupon_discount price
price_ex_tax price_inc_tax currency currency_code default_currency_code shipping_total refunds
proceeds charges charge chargeAmount taxAmount refund total_money total_tax_money money
total_discount_money base_price_money gross_sales_money taxes modifiers total_price tax_total
price_total discount adjustments baseCharge totalCharge totalTax taxBreakup promotion
giftAttributes shipByWindow deliverByWindow estimatedShipDate estimatedDeliveryDate
applied_discounts
""",
    )
)
ODD: tuple[Any, ...] = ("free", "1,50", [], {}, [[1]], True, None, -1, "NaN", 1e300, {"amount": []})


def orders_of(name: str) -> Iterator[tuple[dict[str, Any], Order]]:
    """Yield the examples of a channel that can be read, each with what is read of it."""
    file, keys, reader, parse = CASES[name]
    for node in objects(example(*file)):
        if keys <= set(node):
            order = with_lines(node) if name == "bigcommerce" else node
            read = read_or_named(reader, order, PARSERS.get(name, parse))
            if isinstance(read, Order):
                yield order, read


def text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


@pytest.mark.parametrize("name", WANTED)
def test_the_official_examples_cost_what_they_say(name: str) -> None:
    ref, of_order, of_lines = WANTED[name]
    order = next(read for _, read in orders_of(name) if read.ref == ref)
    amounts = (order.total, order.discount, order.tax, order.shipping)
    assert (order.currency, *map(text, amounts)) == of_order
    lines = [(each.unit_price, each.discount, each.tax) for each in order.lines]
    assert [tuple(map(text, each)) for each in lines] == list(of_lines)


def broken(node: Any, odd: Any) -> int:
    """Put something odd into every field about money; return into how many."""
    count = 0
    for name, value in node.items() if isinstance(node, dict) else ():
        if name in MONEY:
            node[name], count = deepcopy(odd), count + 1
        else:
            count += broken(value, odd)
    return count + sum(broken(each, odd) for each in node) if isinstance(node, list) else count


@pytest.mark.parametrize("name", WANTED)
def test_no_amount_loses_an_order(name: str) -> None:
    parse = PARSERS.get(name, CASES[name][3])
    node, as_it_is = next(orders_of(name))
    for odd in ODD:
        other = json.loads(json.dumps(node))
        assert broken(other, odd) > 2
        read = READERS[name].one(other, parse)
        assert isinstance(read, Order)
        assert [(each.ref, each.quantity) for each in read.lines] == [
            (each.ref, each.quantity) for each in as_it_is.lines
        ]
        assert read.state == as_it_is.state


def test_a_test_order_of_bigcommerce_is_one() -> None:
    node, real = next(orders_of("bigcommerce"))
    tried = bigcommerce.parse_order(
        node | {"payment_method": "Test Payment Gateway"}, node["lines"]
    )
    assert (real.test, tried.test) == (False, True)


def test_a_gift_certificate_of_bigcommerce_is_in_its_order() -> None:
    sold = {"id": 5, "sku": "", "quantity": 1, "type": "giftcertificate"}
    by_mail = {"gift_certificates": [{"line_items": [sold]}]}
    shipped = {"line_items": [{"id": 4, "sku": "A", "quantity": 1, "type": "physical"}]}
    parts = {"shipping": [shipped], "pickups": [], "downloads": [], "email": by_mail}
    order = Record({"id": 1, "status_id": 11, "consignments": parts})
    order["date_created"] = "Tue, 20 Nov 2012 00:00:00 +0000"
    lines = bigcommerce.embedded_lines(order)
    assert lines is not None
    read = bigcommerce.parse_order(order, lines)
    assert [each.kind for each in read.lines] == [LineKind.GOODS, LineKind.GIFT_CARD]
