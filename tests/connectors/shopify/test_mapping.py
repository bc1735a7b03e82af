"""What we ask Shopify keeps to its contract, and what it says is understood."""

import asyncio
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate

from connectors import (
    AuthFailed,
    Conflict,
    NotFound,
    OrderRef,
    RateLimited,
    Rejected,
    RemoteApi,
    Transient,
)
from connectors.shopify import documents
from connectors.shopify.connector import Shopify, ShopifySettings
from connectors.shopify.simulator import server as simulator
from connectors.shopify.simulator.server import ShopifySimulator
from hub.vocabulary import OrderState, StockLevel

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHARED = Path(__file__).parents[3].parent / "shared"
SPECS = Path(os.environ.get("SERIAL_HUB_SPECS", SHARED / "specs"))
SCHEMA = SPECS / "shopify" / "admin-2026-10.subset.graphql"
EXAMPLES = SPECS.parent / "examples" / "shopify"
HOW = "set SERIAL_HUB_SPECS to the folder that holds the channels' official contracts"


def block(schema: str, name: str) -> str:
    start = schema.index(f"\ntype {name}")
    return schema[start : schema.index("\n}", start)]


def test_every_document_is_valid_against_the_official_schema() -> None:
    if not SCHEMA.exists():
        pytest.skip(f"no schema at {SCHEMA}: {HOW}")
    # The subset leaves out what a token may do; the full schema has it (and takes long to build).
    full = (SCHEMA.parent / "admin-2026-10.nodesc.graphql").read_text()
    for part in ("AppInstallation implements HasMetafields & Node {", "AccessScope {"):
        assert re.search(r"(accessScopes: \[AccessScope!\]!|handle: String!)", block(full, part))
    scopes = "type AccessScope { handle: String! }"
    scopes += " extend type AppInstallation { accessScopes: [AccessScope!]! }"
    schema = build_schema(SCHEMA.read_text() + scopes, assume_valid=True)
    for document in documents.ALL:
        assert validate(schema, parse(document)) == [], document


def test_every_document_is_valid_for_the_twin_as_well() -> None:
    for document in documents.ALL:
        assert validate(simulator.SCHEMA, parse(document)) == [], document


def wired(answer: Any, status: int = 200) -> Shopify:
    settings = ShopifySettings.model_validate(ShopifySimulator().settings("https://shop.test"))
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=answer))
    return Shopify(settings, RemoteApi(Shopify.remote(settings), transport=transport, attempts=1))


def node(**more: Any) -> dict[str, Any]:
    line = {
        "id": "gid://shopify/LineItem/1",
        "sku": None,
        "name": "Camera",
        "currentQuantity": 2,
        "unfulfilledQuantity": 1,
    }
    info = {"hasNextPage": False, "endCursor": None}
    return {
        "id": "gid://shopify/Order/1",
        "name": "#1",
        "createdAt": "2026-11-01T00:00:00Z",
        "updatedAt": "2026-11-01T00:00:00Z",
        "cancelledAt": None,
        "sourceName": "web",
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "customer": {"id": "gid://shopify/Customer/9"},
        "lineItems": {"nodes": [line], "pageInfo": info},
        **more,
    }


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, OrderState.OPEN),
        ({"displayFulfillmentStatus": "PARTIALLY_FULFILLED"}, OrderState.OPEN),
        ({"displayFulfillmentStatus": "A_NEW_WORD"}, OrderState.OPEN),
        ({"displayFulfillmentStatus": "FULFILLED"}, OrderState.FULFILLED),
        ({"displayFulfillmentStatus": "ON_HOLD"}, OrderState.PENDING),
        ({"displayFinancialStatus": "PENDING"}, OrderState.PENDING),
        ({"displayFinancialStatus": "AUTHORIZED"}, OrderState.OPEN),
        ({"displayFinancialStatus": None}, OrderState.OPEN),
        ({"cancelledAt": "2026-11-01T00:00:00Z"}, OrderState.CANCELLED),
    ],
)
def test_states_are_read_into_ours(said: dict[str, Any], state: OrderState) -> None:
    connector = wired({"data": {"order": node(**said)}})
    order = asyncio.run(connector.read_order("gid://shopify/Order/1"))
    assert order.state is state
    assert (order.lines[0].sku, order.lines[0].fulfilled) == ("", 1)
    assert order.customer_ref == "gid://shopify/Customer/9"


def test_a_till_order_that_is_to_be_shipped_was_not_handed_over() -> None:
    connector = wired({"data": {"order": node(sourceName="pos")}})
    assert not asyncio.run(connector.read_order("gid://shopify/Order/1")).at_counter


@pytest.mark.parametrize(
    ("errors", "error"),
    [
        ([{"message": "no", "extensions": {"code": "THROTTLED"}}], RateLimited),
        ([{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}], AuthFailed),
        ([{"message": "no", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}], Transient),
        ([{"message": "Field does not exist"}], Rejected),
        ("Something in plain words", Rejected),
    ],
)
def test_errors_with_status_200_are_errors(errors: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        asyncio.run(wired({"errors": errors}).read_order("gid://shopify/Order/1"))


@pytest.mark.parametrize("answer", [{"data": None}, {}, [], "text"])
def test_an_answer_without_data_is_transient(answer: Any) -> None:
    with pytest.raises(Transient):
        asyncio.run(wired(answer).read_order("gid://shopify/Order/1"))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INVALID_LOCATION", NotFound),
        ("NON_MUTABLE_INVENTORY_ITEM", Rejected),
        ("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", Conflict),
        (None, Rejected),
    ],
)
def test_a_refusal_without_a_field_is_the_one_levels_own(
    code: str | None, error: type[Exception]
) -> None:
    problem = {"code": code, "field": None, "message": "no"}
    item = {"id": "I", "inventoryLevel": {"quantities": [{"name": "available", "quantity": 4}]}}
    connector = wired(
        {"data": {"inventorySetQuantities": {"userErrors": [problem]}, "nodes": [item, None]}}
    )
    levels = [
        StockLevel(listing=name, sku=name, available=9, remote={"inventory_item_id": "I"}, key="k")
        for name in ("A", "B", "C")
    ]
    results = asyncio.run(connector.push_stock(levels))
    assert sorted(each.listing for each in results) == ["A", "B", "C"]
    assert {type(each.error) for each in results} == {error}


def test_a_concurrent_request_with_our_key_is_waited_for() -> None:
    problem = {"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "field": None, "message": "no"}
    answer = {"inventorySetQuantities": {"userErrors": [problem]}, "nodes": [None]}
    connector = wired({"data": answer})
    level = StockLevel(listing="A", sku="A", available=1, remote={"inventory_item_id": "I"})
    with pytest.raises(Transient):
        asyncio.run(connector.push_stock([level]))


def test_the_published_signature_vector_holds() -> None:
    path = EXAMPLES / "webhook-hmac-vectors.json"
    if not path.exists():
        pytest.skip(f"no vectors at {path}: {HOW}")
    for vector in json.loads(path.read_text()):
        given = {
            **ShopifySimulator().settings("https://shop.test"),
            "webhook_secret": vector["secret"],
        }
        settings = ShopifySettings.model_validate(given)
        connector = Shopify(settings, RemoteApi(Shopify.remote(settings)))
        headers = {
            "x-shopify-hmac-sha256": vector["x_shopify_hmac_sha256"],
            "x-shopify-webhook-id": "w1",
            "x-shopify-topic": "orders/create",
        }
        delivery = connector.verify(headers, vector["raw_body"].encode(), NOW)
        assert (delivery.id, delivery.topic) == ("w1", "orders/create")
        newer = {name.removeprefix("x-"): value for name, value in headers.items()}
        assert connector.verify(newer, vector["raw_body"].encode(), NOW) == delivery
        with pytest.raises(AuthFailed):
            connector.verify(headers, b"{}", NOW)


def test_published_payloads_name_their_order() -> None:
    if not EXAMPLES.exists():
        pytest.skip(f"no payloads at {EXAMPLES}: {HOW}")
    connector, named = wired({}), dict[str, Any]()
    for path in EXAMPLES.glob("webhook-2026-07-*.json"):
        topic = path.stem.removeprefix("webhook-2026-07-").replace("_", "/", 1)
        named[topic] = connector.read(topic, path.read_bytes())
    assert named["orders/create"] == (OrderRef("gid://shopify/Order/820982911946154508"),)
    assert named["fulfillments/create"] == (
        OrderRef("gid://shopify/Order/820982911946154508"),
    ) or (named["fulfillments/create"][0].order_ref.startswith("gid://shopify/Order/"))
    assert named["products/update"] == ()
    assert connector.read("orders/paid", b'{"id": 9007199254740993}') == (
        OrderRef("gid://shopify/Order/9007199254740993"),
    )
