"""Official examples with each field broken in turn: read as they are, or named with the field."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from connectors import Unreadable, UnreadableRecord
from connectors.amazon import external_fulfillment
from connectors.amazon import mapping as amazon
from connectors.bigcommerce import mapping as bigcommerce
from connectors.lightspeed import mapping as lightspeed
from connectors.square import mapping as square
from connectors.square.returns import parse_returns
from connectors.testing.broken_records import breaks_of
from connectors.toolkit.json_fields import records
from connectors.toolkit.records import Record, RecordReader
from connectors.toolkit.value_checks import checked
from connectors.walmart import mapping as walmart
from connectors.woocommerce import mapping as woocommerce
from contracts import example
from hub.vocabulary import Order

DIALECT = woocommerce.Dialect(written="Shipped", read=frozenset({"sn"}), tills=frozenset())
INTRODUCER = re.compile("SN:")


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in an example, the outer ones first."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from objects(each)


def of_bigcommerce(order: Record) -> Any:
    lines = bigcommerce.embedded_lines(order)
    return bigcommerce.parse_order(order, lines or records(order, "lines", required=True))


def with_lines(order: dict[str, Any]) -> dict[str, Any]:
    line = {"id": 1, "sku": "A", "quantity": 2, "quantity_shipped": 0, "name": "A"}
    return order | {"lines": [line], "consignments": None}


CASES: dict[str, tuple[tuple[str, str], set[str], RecordReader, Callable[[Record], Any]]] = {
    "woocommerce": (
        ("woocommerce", "orders.json"),
        {"line_items", "date_created_gmt", "id"},
        woocommerce.ORDERS,
        partial(woocommerce.parse_order, dialect=DIALECT),
    ),
    "bigcommerce": (
        ("bigcommerce", "orders.v2.oas2.examples.json"),
        {"date_created", "status_id", "id"},
        bigcommerce.ORDERS,
        of_bigcommerce,
    ),
    "walmart": (
        ("walmart", "orders.examples.json"),
        {"purchaseOrderId", "orderLines", "orderDate"},
        walmart.ORDERS_READER,
        walmart.parse_order,
    ),
    "amazon": (
        ("amazon-sp-api", "orders_2026-01-01.sandbox.json"),
        {"orderId", "orderItems", "createdTime", "lastUpdatedTime"},
        amazon.READER,
        amazon.parse_order,
    ),
    "external fulfillment": (
        ("amazon-sp-api", "externalFulfillmentShipments_2024-09-11.sandbox.json"),
        {"id", "lineItems", "creationDateTime", "lastUpdatedDateTime"},
        external_fulfillment.READER,
        external_fulfillment.parse_order,
    ),
    "lightspeed": (
        ("lightspeed-x", "openapi-examples.json"),
        {"line_items", "sale_date", "id"},
        lightspeed.SALES,
        partial(lightspeed.parse_order, skus={}, serials={}),
    ),
    "square": (
        ("square", "schema-examples.json"),
        {"id", "line_items", "location_id"},
        square.ORDERS,
        partial(square.parse_order, skus={}, introducer=INTRODUCER),
    ),
    "square returns": (
        ("square", "schema-examples.json"),
        {"id", "line_items", "location_id"},
        square.RETURNS,
        partial(parse_returns, introducer=INTRODUCER),
    ),
}


def read_or_named(reader: RecordReader, node: Any, parse: Callable[[Record], Any]) -> Any:
    """Return what is read of a record, or the record that names the field."""
    try:
        return reader.one(node, parse)
    except Unreadable as error:
        return error.record


@pytest.mark.parametrize("name", CASES)
def test_each_field_broken_is_read_or_named(name: str) -> None:
    file, keys, reader, parse = CASES[name]
    found = [each for each in objects(example(*file)) if keys <= set(each)]
    if name == "bigcommerce":
        found = [with_lines(each) for each in found]
    whole = [(order, read_or_named(reader, order, parse)) for order in found]
    # Some examples show a part of an order only.
    partly = [read.reason for _, read in whole if isinstance(read, UnreadableRecord)]
    assert set(partly) <= {"is missing"}
    readable = [(order, read) for order, read in whole if not isinstance(read, UnreadableRecord)]
    assert readable
    tried = 0
    for order, as_it_is in readable[:2]:
        for each in breaks_of(order):
            tried += 1
            read = read_or_named(reader, each.apply(order), parse)
            if isinstance(read, UnreadableRecord):
                assert read.field.startswith(str(each.path[0]))
                assert all((read.value, read.reason))
                assert len(read.raw) <= 8_000
                continue
            assert checked(read) == read, each
            if isinstance(read, Order) and each.path[0] != "line_items":
                assert len(read.lines) == len(as_it_is.lines), each
    assert tried > 20
