"""What WooCommerce says, and how a request without TLS is signed."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import NotFound, Rejected, Transient, Unknown
from connectors.registry import SettingsInvalid, connect
from connectors.woocommerce.auth import base_string
from connectors.woocommerce.mapping import (
    Dialect,
    normalize_key,
    parse_item_error,
    parse_order,
    parse_quantity,
    serials_as_text,
    serials_from_hub,
    serials_from_till,
)
from connectors.woocommerce.simulator.server import WooCommerceSimulator
from hub.vocabulary import OrderState

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHARED = Path(__file__).parents[3].parent / "shared"
SPECS = Path(os.environ.get("SERIAL_HUB_SPECS", SHARED / "specs"))
EXAMPLES = SPECS.parent / "examples" / "woocommerce"
HOW = "set SERIAL_HUB_SPECS to the folder that holds the channels' official contracts"
DIALECT = Dialect(written="Ours", read=frozenset({"serial number"}), tills=frozenset({"pos"}))


def wired(answer: Any, headers: dict[str, str] | None = None) -> Any:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer, headers=headers))
    return connect(
        "woocommerce", WooCommerceSimulator().settings("https://shop.test"), transport=transport
    )


@pytest.mark.parametrize(
    ("value", "serials"),
    [
        ("A1, A2;A3|A4\nA5", ("A1", "A2", "A3", "A4", "A5")),
        (["A1", "A2, A1"], ("A1", "A2")),
        ({"0": "A1", "1": {"sn": "A2"}}, ("A1", "A2")),
        (4711, ("4711",)),
        (" , ", ()),
        (True, ()),
        (None, ()),
    ],
)
def test_serials_are_read_from_whatever_a_plugin_stores(
    value: Any, serials: tuple[str, ...]
) -> None:
    line = {
        "meta_data": [
            {"key": "_serial-Number", "value": value},
            {"key": "Ours", "value": "B1"},
            {"key": "pa_color", "value": "black"},
        ]
    }
    assert serials_from_till(line, DIALECT) == serials


def test_keys_are_compared_as_plain_words() -> None:
    assert {
        normalize_key(each) for each in ("Serial Number", "_serial_number", "SERIAL-NUMBER ")
    } == {"serial number"}


def test_unknown_words_do_not_stop_an_import() -> None:
    order = {
        "id": 1,
        "status": "awaiting-pickup",
        "date_created_gmt": "2026-11-01T00:00:00",
        "date_paid_gmt": "2026-11-01T00:00:00",
        "line_items": [{"id": 5, "quantity": 1.5}],
    }
    read = parse_order(order, DIALECT)
    assert (read.state, read.lines[0].quantity, read.placed_at) == (OrderState.OPEN, 2, NOW)
    assert parse_order({**order, "date_paid_gmt": None}, DIALECT).state is OrderState.PENDING


def test_errors_of_single_items_are_told_apart() -> None:
    def error(code: str, status: int | None) -> Any:
        return {"error": {"code": code, "message": "no", "data": {"status": status}}}

    kinds = [
        parse_item_error(error("woocommerce_rest_product_invalid_id", 400)),
        parse_item_error(error("anything", 404)),
        parse_item_error(error("anything", 503)),
        parse_item_error({"error": {"code": "anything", "data": None}}),
        parse_item_error({"id": 1}),
    ]
    assert [type(each) for each in kinds] == [NotFound, NotFound, Transient, Rejected, type(None)]


def test_a_variation_that_shares_the_stock_of_its_parent_counts_nothing() -> None:
    assert parse_quantity({"manage_stock": "parent", "stock_quantity": 5}) is None
    assert parse_quantity({"manage_stock": True, "stock_quantity": None}) == 0


def test_a_proxy_that_drops_the_total_is_found_out() -> None:
    order = {"id": 1, "date_created_gmt": "2026-11-01T00:00:00", "line_items": []}
    with pytest.raises(Rejected, match="X-WP-Total"):
        asyncio.run(wired([order] * 100).pull_orders(""))
    page = asyncio.run(wired([order] * 99).pull_orders(""))
    assert (len(page.items), page.more) == (99, False)
    with pytest.raises(Unknown):
        asyncio.run(wired({"code": "maintenance"}).pull_orders(""))


def test_what_is_signed_is_what_the_documentation_signs() -> None:
    """The base string of the REST API's own page on OAuth 1.0a, and one with hard characters."""
    address = "http://www.example.com/wp-json/wc/v3/orders"
    expect_object = [("oauth_signature_method", "HMAC-SHA1"), ("oauth_consumer_key", "abc123")]
    assert base_string("get", address, expect_object) == (
        "GET&http%3A%2F%2Fwww.example.com%2Fwp-json%2Fwc%2Fv3%2Forders"
        "&oauth_consumer_key%3Dabc123%26oauth_signature_method%3DHMAC-SHA1"
    )
    assert base_string("GET", "http://x.test/", [("b", "r b+~"), ("a", "é")]) == (
        "GET&http%3A%2F%2Fx.test%2F&a%3D%25C3%25A9%26b%3Dr%2520b%252B~"
    )


def test_settings_say_which_field_is_wrong_and_repeat_no_secret() -> None:
    given = WooCommerceSimulator().settings("ftp://shop.test")
    with pytest.raises(SettingsInvalid) as refused:
        connect("woocommerce", {**given, "shipped_meta": ""})
    assert set(refused.value.fields) == {"url", "shipped_meta"}
    assert "cs_twin" not in str(refused.value)


def test_the_published_orders_are_read_without_loss() -> None:
    if not EXAMPLES.exists():
        pytest.skip(f"no examples at {EXAMPLES}: {HOW}")
    bodies = [each["body"] for each in json.loads((EXAMPLES / "orders.json").read_text())]
    flat = [order for body in bodies for order in (body if isinstance(body, list) else [body])]
    orders = [each for each in flat if "line_items" in each]
    assert len(orders) == 4
    for order in orders:
        read = parse_order(order, DIALECT)
        assert (read.ref, read.number) == (str(order["id"]), order["number"])
        assert read.remote_state == order["status"]
        assert read.placed_at.isoformat() == f"{order['date_created_gmt']}+00:00"
        assert read.updated_at.isoformat() == f"{order['date_modified_gmt']}+00:00"
        lines = [(each.ref, each.sku, each.quantity, each.title) for each in read.lines]
        assert lines == [
            (str(each["id"]), each["sku"], each["quantity"], each["name"])
            for each in order["line_items"]
        ]


def test_the_signature_vectors_hold() -> None:
    path = EXAMPLES / "webhook-signature-vectors.json"
    if not path.exists():
        pytest.skip(f"no vectors at {path}: {HOW}")
    for vector in json.loads(path.read_text()):
        settings = {
            **WooCommerceSimulator().settings("https://shop.test"),
            "webhook_secret": vector["secret"],
        }
        connector: Any = connect("woocommerce", settings)
        headers = {"x-wc-webhook-signature": vector["x_wc_webhook_signature"]}
        assert connector.verify(headers, vector["raw_body"].encode(), NOW).topic == ""


@pytest.mark.parametrize(
    ("serials", "text"),
    [
        (("A-1", "A-2"), "A-1, A-2"),
        (("A,1", "A-2"), '["A,1", "A-2"]'),
        (('A;"1', "B|2"), '["A;\\"1", "B|2"]'),
        (("[A",), "[A"),
    ],
)
def test_serials_are_written_so_that_they_are_read_back(
    serials: tuple[str, ...], text: str
) -> None:
    line = {"meta_data": [{"id": 3, "key": "Shipped", "value": serials_as_text(serials)}]}
    assert line["meta_data"][0]["value"] == text
    assert serials_from_hub(line, "Shipped") == (serials, 3)
