"""What cashiers type, what Square says, and what we send it."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import AuthFailed, Conflict, OrderRef, RateLimited, RemoteApi
from connectors.square.connector import SERIAL_INTRODUCER, Square, SquareSettings
from connectors.square.fulfillment import ATTRIBUTE_CHARS_MAX, attribute_value
from connectors.square.mapping import parse_order, parse_serials
from connectors.square.patterns import compiled
from connectors.square.simulator.server import SquareSimulator
from connectors.testing.serving import serve
from hub.vocabulary import Fulfillment, FulfillmentLine, OrderState, StockLevel

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHARED = Path(__file__).parents[3].parent / "shared"
SPECS = Path(os.environ.get("SERIAL_HUB_SPECS", SHARED / "specs"))
SPEC = SPECS / "square" / "square-openapi-2025-08-20-trimmed.json"
VECTORS = SPECS.parent / "examples" / "square" / "webhook-signature-vectors.json"
HOW = "set SERIAL_HUB_SPECS to the folder that holds the channels' official contracts"


@pytest.mark.parametrize(
    ("note", "serials"),
    [
        ("SN: A1, A2; A3", ("A1", "A2", "A3")),
        ("S/N A1\nA2 gift wrap for Bob 7", ("A1", "A2")),
        ("Serial number: 4711-X.", ("4711-X",)),
        ("serials A1,A2 Serial No. A1", ("A1", "A2")),
        ("sn#A1 and SN:B2", ("A1", "B2")),
        ("gift wrap, call 555", ()),
        ("DESNA 12", ()),
        ("SN:", ()),
        ("", ()),
    ],
)
def test_serials_are_read_from_a_note(note: str, serials: tuple[str, ...]) -> None:
    assert parse_serials(note, compiled(SERIAL_INTRODUCER)) == serials


def test_the_introducer_is_configurable_and_checked() -> None:
    assert parse_serials("#A1 A2", compiled("#")) == ("A1", "A2")
    for wrong in ("(", r"(S)\1", "(?=S)N"):
        with pytest.raises(ValueError, match="regular expression"):
            settings(serial_introducer=wrong)


def test_no_introducer_takes_longer_than_its_note() -> None:
    began = time.perf_counter()
    assert parse_serials("A" * 5_000, compiled("(A+)+B")) == ()
    assert time.perf_counter() - began < 1


def test_unknown_words_do_not_stop_an_import() -> None:
    order = {
        "id": "O1",
        "state": "A_NEW_STATE",
        "created_at": "2026-11-01T00:00:00.123456789Z",
        "line_items": [{"uid": "l", "quantity": "1.5", "item_type": "NEW"}],
        "fulfillments": [{"type": "DRONE", "state": "FLYING"}],
        "net_amount_due_money": {"amount": 100},
    }
    read = parse_order(order, {}, compiled(SERIAL_INTRODUCER))
    assert (read.state, read.lines[0].quantity, read.lines[0].sku) == (OrderState.PENDING, 2, "")


def test_too_many_serials_for_the_attribute_say_how_many_are_left_out() -> None:
    value = attribute_value({"l1": [f"SERIAL-{n:05}" for n in range(200)]})
    stated = json.loads(value)
    assert len(value) <= ATTRIBUTE_CHARS_MAX
    assert len(stated["serials"]["l1"]) + stated["left_out"] == 200


def settings(**more: Any) -> SquareSettings:
    given = SquareSimulator().settings("http://square.test", "https://hub.test/webhooks/7")
    return SquareSettings.model_validate({**given, **more})


def wired(answer: Mapping[str, Any], status: int = 200) -> Square:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=answer))
    return Square(settings(), RemoteApi(Square.remote(settings()), transport=transport))


def test_errors_inside_an_answer_are_errors() -> None:
    limited = {"errors": [{"category": "RATE_LIMIT_ERROR", "code": "RATE_LIMITED"}]}
    with pytest.raises(RateLimited):
        asyncio.run(wired(limited).read_order("1"))
    moved = {"errors": [{"category": "INVALID_REQUEST_ERROR", "code": "VERSION_MISMATCH"}]}
    with pytest.raises(Conflict):
        asyncio.run(wired(moved, 400).read_order("1"))


def test_a_webhook_is_verified_over_url_and_body() -> None:
    body = b'{"type": "order.updated", "event_id": "e1", "data": {"id": "O1", "object": {}}}'
    signed = b"https://hub.test/webhooks/7" + body
    digest = hmac.new(b"twin-signature-key", signed, hashlib.sha256).digest()
    connector = wired({})
    headers = {"x-square-hmacsha256-signature": base64.b64encode(digest).decode()}
    delivery = connector.verify(headers, body, NOW)
    assert (delivery.id, delivery.topic) == ("e1", "order.updated")
    assert connector.read(delivery.topic, body) == (OrderRef("O1"),)
    with pytest.raises(AuthFailed):
        connector.verify(headers, body + b" ", NOW)


def test_the_published_signature_vectors_hold() -> None:
    if not VECTORS.exists():
        pytest.skip(f"no vectors at {VECTORS}: {HOW}")
    for vector in json.loads(VECTORS.read_text()):
        chosen = settings(
            webhook_signature_key=vector["key"], notification_url=vector["notification_url"]
        )
        connector = Square(chosen, RemoteApi(Square.remote(chosen)))
        headers = {"x-square-hmacsha256-signature": vector["signature"]}
        if vector["valid"]:
            delivery = connector.verify(headers, vector["body"].encode(), NOW)
            assert delivery.id == "ac3ac95b-f97d-458c-a6e6-18981597e05f"
        else:
            with pytest.raises(AuthFailed):
                connector.verify(headers, vector["body"].encode(), NOW)


def test_events_name_their_order_wherever_they_say_it() -> None:
    connector = wired({})
    payment = {"data": {"id": "P1", "object": {"payment": {"order_id": "O2"}}}}
    assert connector.read("payment.updated", json.dumps(payment).encode()) == (OrderRef("O2"),)
    count = {"data": {"id": "I1", "object": {"inventory_counts": []}}}
    assert connector.read("inventory.count.updated", json.dumps(count).encode()) == ()
    assert connector.read("order.updated", b"[]") == connector.read("order.updated", b"{") == ()


def problems(schemas: Mapping[str, Any], schema: Any, value: Any, at: str) -> Iterator[str]:
    """Say where a request breaks the contract; unknown and read-only fields break it too."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    kinds = {"string": str, "integer": int, "array": list, "object": dict, "boolean": bool}
    if not isinstance(value, kinds.get(schema.get("type", ""), object)):
        yield f"{at}: not a {schema['type']}"
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from problems(schemas, schema["items"], each, f"{at}.{index}")
    elif isinstance(value, dict) and "additionalProperties" not in schema:
        known = schema.get("properties", {})
        yield from (
            f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value
        )
        for name, each in value.items():
            if name not in known or known[name].get("readOnly"):
                yield f"{at}.{name}: not to be sent"
            else:
                yield from problems(schemas, known[name], each, f"{at}.{name}")
    elif isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)):
            yield f"{at}: too long"
        if value not in schema.get("enum", (value,)):
            yield f"{at}: {value} is no word of the contract"


def test_every_request_keeps_to_the_official_contract() -> None:
    if not SPEC.exists():
        pytest.skip(f"no contract at {SPEC}: {HOW}")
    spec = json.loads(SPEC.read_text())
    schemas = spec["components"]["schemas"]
    sent = asyncio.run(every_request())
    checked = set()
    for request in sent:
        path = re.sub(r"/(ORD\d+|LTWIN)", "/{id}", request.url.path)
        named = {re.sub(r"\{\w+\}", "{id}", known): known for known in spec["paths"]}
        if path not in named:
            assert "custom-attribute" in path, f"{path} is not in the contract"
            continue
        operation = spec["paths"][named[path]][request.method.lower()]
        checked.add(operation["operationId"])
        if request.method in ("POST", "PUT"):
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            body = json.loads(request.content)
            # `location_id` is required of an order and read-only nowhere; metadata is free.
            assert list(problems(schemas, schema, body, path)) == []
    assert checked >= {
        "SearchOrders",
        "RetrieveOrder",
        "UpdateOrder",
        "ListCatalog",
        "BatchRetrieveCatalogObjects",
        "BatchChangeInventory",
        "BatchRetrieveInventoryCounts",
        "RetrieveLocation",
    }


async def every_request() -> list[httpx.Request]:
    """Use the whole connector once and keep what it sent."""
    simulator, sent = SquareSimulator(), list[httpx.Request]()

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    async with serve(simulator.app) as url:
        chosen = SquareSettings.model_validate(simulator.settings(url))
        api = RemoteApi(Square.remote(chosen))
        api._client.event_hooks["request"].append(keep)
        connector = Square(chosen, api)
        item = simulator.add_variation("CAM", 3)
        ref = simulator.place_order({"CAM": 1})
        await connector.check()
        order = (await connector.pull_orders("")).items[0]
        remote = {"catalog_object_id": item}
        stock = StockLevel(listing="1", sku="CAM", available=2, remote=remote, key="k" * 300)
        await connector.push_stock([stock])
        async for _ in connector.snapshot_stock():
            pass
        async for _ in connector.snapshot_orders(NOW, datetime.now(UTC)):
            pass
        line = FulfillmentLine(order_line_ref=order.lines[0].ref, serials=("A1",))
        shipped = Fulfillment(
            reference="F" * 300,
            order_ref=ref,
            lines=(line,),
            shipped_at=NOW,
            carrier="c" * 80,
            tracking="t" * 200,
        )
        await connector.push_fulfillment(shipped)
        await api.aclose()
    return sent
